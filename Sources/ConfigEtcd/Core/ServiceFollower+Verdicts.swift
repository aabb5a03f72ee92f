import ConfigAPI
import ConfigEtcdAPI
import Time
import Wire

/// What is said of a revision, and what of trouble that is no fault of it.
extension ServiceFollower {
    // MARK: Verdicts

    /// Everything of the round up to its place has its verdict.
    mutating func settled(
        _ round: Round, version: Int64?, _ outcome: EtcdOutcome, _ objection: Objection? = nil, now: Moment
    ) -> [Output] {
        var round = round
        kept.decided = max(kept.decided, round.judged ?? 0)
        var outputs: [Output] = []
        if let through = round.accepted.last {
            outputs = verdict(through, round.accepted.count, outcome, version, objection, now: now)
        } else {
            outputs = [.action(.keep(ids.next(), kept)), .status(kept.status)]
        }
        round.settle()
        state = .idle
        return outputs + (round.next == nil ? begin(now: now) : advance(round, now: now))
    }

    mutating func verdict(
        _ through: Int64, _ count: Int, _ outcome: EtcdOutcome, _ version: Int64?, _ objection: Objection?, now: Moment
    ) -> [Output] {
        var outputs: [Output] = []
        let isInFile = objection == nil
        if isInFile { kept.status.applied = max(kept.status.applied, through) }
        // A later one that was refused is the newest that there is to be said of.
        if kept.status.revision <= through || kept.status.outcome == .waiting || kept.status.outcome == .onTrial {
            kept.status.revision = max(kept.status.revision, through)
            _ = note(outcome, version: version ?? kept.status.version, objection, now: now)
        } else if let version {
            kept.status.version = version
        }
        if isInFile {
            let name = service.name
            outputs.append(
                .action(
                    .tell(
                        outcome == .confirmed
                            ? .confirmed(service: name, through: through, version: version)
                            : .applied(service: name, through: through, count: count, version: version))))
        }
        return outputs + [.action(.keep(ids.next(), kept)), .status(kept.status)]
    }

    mutating func refuse(
        _ revision: ServiceRevision, _ objection: Objection, _ outcome: EtcdOutcome = .refused, keys: [String]? = nil,
        now: Moment
    ) -> [Output] {
        let refusal = EtcdRefusal(
            service: service.name, revision: revision.number, outcome: outcome, error: objection.error,
            message: objection.message, remedy: objection.remedy,
            keys: keys ?? Array(revision.keys.prefix(Self.keysShown)), atMs: now.wall.milliseconds)
        kept.status.refused = max(kept.status.refused, revision.number)
        kept.status.revision = max(kept.status.revision, revision.number)
        _ = note(outcome, version: kept.status.version, objection, now: now)
        kept.refused.removeAll { $0 == revision.number }
        kept.refused.append(revision.number)
        kept.refused.sort()
        var outputs: [Output] = [
            .refusal(refusal),
            .action(.tell(outcome == .takenBack ? .takenBack(refusal) : .refused(refusal))),
        ]
        while kept.refused.count > Self.refusalsKept { outputs.append(.forget(kept.refused.removeFirst())) }
        return outputs
    }

    /// The status with this outcome.
    mutating func note(
        _ outcome: EtcdOutcome, version: Int64?, _ objection: Objection?, now: Moment
    ) -> EtcdServiceStatus {
        kept.status.outcome = outcome
        kept.status.version = version
        kept.status.error = objection?.error
        kept.status.message = objection?.message
        kept.status.remedy = objection?.remedy
        kept.status.atMs = now.wall.milliseconds
        return kept.status
    }

    // MARK: Trouble

    mutating func rest(_ step: Step, _ objection: Objection, now: Moment) -> [Output] {
        let id = ids.next()
        state = .resting(id, step)
        let delay = min(Self.longestRest, Self.firstRest * (1 << min(rests, 8)))
        rests += 1
        var outputs: [Output] = [.action(.startTimer(id, after: delay))]
        guard !isTroubled || kept.status.error != objection.error else { return outputs }
        isTroubled = true
        let revision = revision(of: step)
        kept.status.revision = max(kept.status.revision, revision)
        outputs.append(.status(note(.waiting, version: kept.status.version, objection, now: now)))
        outputs.append(.action(.tell(.waiting(service: service.name, revision: revision, objection))))
        return outputs
    }

    mutating func recovered() -> [Output] {
        rests = 0
        guard isTroubled else { return [] }
        isTroubled = false
        return [.action(.tell(.goesOn(service: service.name)))]
    }

    mutating func go(on step: Step, now: Moment) -> [Output] {
        switch step {
        case .judge(let round): advance(round, now: now)
        case .look, .follow: look(step)
        }
    }

    func revision(of step: Step) -> Int64 {
        switch step {
        case .judge(let round): round.next?.number ?? round.judged ?? 0
        case .look(let intent, _): intent.through
        case .follow(let trial): trial.intent.through
        }
    }
}
