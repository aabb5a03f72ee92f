import ConfigAPI
import ConfigEtcdAPI
import Time
import Wire

/// The change itself, and its trial.
extension ServiceFollower {
    // MARK: Making the change

    mutating func make(_ round: Round, _ fold: Fold) -> [Output] {
        guard let file = fold.file else { return change(round, fold) }
        let revisions = revisions(of: round)
        kept.intent = KeptFollowing.Intent(
            reason: reason(of: round), file: file, after: kept.status.version ?? 0, through: revisions.last ?? 0,
            count: revisions.count,
            keys: Array(fold.keys.prefix(Self.keysShown)), owned: fold.owned(after: Set(kept.owned)).sorted())
        let id = ids.next()
        state = .recording(id, round, fold)
        return [.action(.keep(id, kept))]
    }

    mutating func change(_ round: Round, _ fold: Fold) -> [Output] {
        let id = ids.next()
        state = .applying(id, round, fold)
        return [.action(.change(id, params(fold, round, dryRun: false)))]
    }

    mutating func applied(
        _ round: Round, _ fold: Fold, _ result: Result<Config.Apply.Reply, RPCError>, now: Moment
    ) -> [Output] {
        var round = round
        switch result {
        case .success(let reply):
            var outputs = recovered()
            let version = reply.files.first?.version
            let pending = reply.files.compactMap(\.pending).first
            if let pending, let version, let intent = kept.intent {
                if round.next != nil { round.accept(fold) }
                kept.status.revision = intent.through
                outputs += [.status(note(.onTrial, version: version, nil, now: now))]
                return outputs + follow(Trial(id: pending, version: version, intent: intent, round: round))
            }
            if round.next != nil { round.accept(fold) }
            kept.intent = nil
            kept.owned = fold.owned(after: Set(kept.owned)).sorted()
            return outputs + settled(round, version: version, .applied, now: now)
        case .failure(let error):
            if error.isSilence || error.name == "deadlineExceeded", let intent = kept.intent {
                return rest(.look(intent, round), Objection(error), now: now)
            }
            kept.intent = nil
            switch Fault(error) {
            case .ofTheHost: return rest(.judge(round), Objection(error), now: now)
            case .goneAlready(let key) where !round.gone.contains(key):
                round.isGone(key)
                return advance(round, now: now)
            case .tooMany where round.next != nil && !round.fold.isEmpty: return recovered() + makeEarly(round)
            case .goneAlready, .tooMany, .ofTheRevision:
                var outputs = recovered()
                if let next = round.next {
                    outputs += refuse(next, Objection(error), now: now)
                    round.pass()
                } else {
                    // Each was good on top of those before it, and all of them are not: the file changed meanwhile, or what judges
                    // only real changes does not like one of them.
                    round.splitUp()
                }
                return outputs + advance(round, now: now)
            }
        }
    }

    // MARK: On trial

    mutating func follow(_ trial: Trial) -> [Output] {
        let timer = ids.next()
        state = .onTrial(timer, trial)
        return [.action(.startTimer(timer, after: Self.trialInterval))]
    }

    mutating func look(_ step: Step) -> [Output] {
        let file: String
        switch step {
        case .judge: return []
        case .look(let intent, _): file = intent.file
        case .follow(let trial): file = trial.intent.file
        }
        let id = ids.next()
        state = .looking(id, step)
        return [.action(.find(id, Question(service: service.name, file: file)))]
    }

    /// configd never heard of the change.
    mutating func notMade(_ round: Round?, now: Moment) -> [Output] {
        kept.intent = nil
        state = .idle
        guard let round else { return begin(now: now) }
        return advance(round, now: now)
    }

    mutating func judged(_ trial: Trial, _ findings: Findings, now: Moment) -> [Output] {
        if let pending = findings.pending.first(where: { $0.id == trial.id }) {
            switch pending.phase {
            case .applied, .activated, .goingBack:
                var outputs = recovered()
                if kept.status.outcome != .onTrial {
                    outputs.append(.status(note(.onTrial, version: trial.version, nil, now: now)))
                }
                return outputs + follow(trial)
            case .confirmed: return decided(trial, .confirmed, nil, now: now)
            case .takenBack: return decided(trial, .takenBack, .takenBack(pending.end), now: now)
            }
        }
        // It is over. Where the version before came back after it, it was taken back.
        guard service.confirm != nil else { return decided(trial, .applied, nil, now: now) }
        let wentBack = findings.versions.contains {
            $0.version > trial.version && $0.origin == .rollback && $0.restored.map { $0 < trial.version } ?? false
        }
        return decided(trial, wentBack ? .takenBack : .confirmed, wentBack ? .takenBack(nil) : nil, now: now)
    }

    mutating func decided(
        _ trial: Trial, _ outcome: EtcdOutcome, _ objection: Objection?, now: Moment
    ) -> [Output] {
        var outputs = recovered()
        kept.intent = nil
        if let objection {
            var revision = ServiceRevision(number: trial.intent.through)
            revision.objection = objection
            outputs += refuse(revision, objection, outcome, keys: trial.intent.keys, now: now)
        } else {
            kept.owned = trial.intent.owned
        }
        guard let round = trial.round else {
            // After a restart: what else was in its round comes again.
            kept.decided = max(kept.decided, trial.intent.through)
            state = .idle
            outputs += verdict(
                trial.intent.through, trial.intent.count, outcome, trial.version, objection, now: now)
            return outputs + begin(now: now)
        }
        return outputs + settled(round, version: trial.version, outcome, objection, now: now)
    }
}
