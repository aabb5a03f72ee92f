import ConfigAPI
import ConfigEtcdAPI
import Time
import Wire

/// Revisions as they are tried, one after the other, and what they add up to.
extension ServiceFollower {
    // MARK: Judging

    /// While configd is away etcd may change for days: beyond these bounds the older half of what waits becomes one revision, whose
    /// parts have no verdict of their own.
    mutating func boundWaiting() {
        let bytes = waiting.reduce(0) { $0 + $1.bytes }
        guard waiting.count > Self.mostWaiting || bytes > Self.mostWaitingBytes, waiting.count > 1 else { return }
        let older = waiting.prefix(max(2, waiting.count / 2))
        waiting.replaceSubrange(..<older.count, with: [ServiceRevision(joining: older)])
    }

    mutating func begin(now: Moment) -> [Output] {
        guard case .idle = state, !waiting.isEmpty else { return [] }
        let round = Round(Array(waiting.prefix(Self.longestRound)), began: now.instant)
        waiting.removeFirst(round.revisions.count)
        reached = round.revisions.last?.number ?? reached
        return advance(round, now: now)
    }

    /// Judges the next revision; makes the change once all are judged.
    mutating func advance(_ round: Round, now: Moment) -> [Output] {
        var round = round
        var outputs: [Output] = []
        while let next = round.next {
            if let objection = next.objection {
                outputs += refuse(next, objection, now: now)
                round.pass()
                continue
            }
            let sum = round.trying(owned: Set(kept.owned))
            if sum == round.fold {
                round.accept(sum)
                continue
            }
            if bytes(of: sum) > Self.mostBytes {
                guard round.fold.isEmpty else { return outputs + makeEarly(round) }
                outputs += refuse(next, .tooLarge, now: now)
                round.pass()
                continue
            }
            if round.isSingly || round.isLast { return outputs + make(round, sum) }
            let id = ids.next()
            state = .validating(id, round)
            return outputs + [.action(.change(id, params(sum, round, dryRun: true)))]
        }
        guard !round.fold.isEmpty else { return outputs + settled(round, version: nil, .applied, now: now) }
        return outputs + make(round, round.fold)
    }

    /// What was judged good is made now, and what was not judged waits for the next round.
    mutating func makeEarly(_ round: Round) -> [Output] {
        var round = round
        waiting = round.cut() + waiting
        reached = round.judged ?? reached
        return make(round, round.fold)
    }

    mutating func tried(
        _ round: Round, _ result: Result<Config.Apply.Reply, RPCError>, now: Moment
    ) -> [Output] {
        var round = round
        switch result {
        case .success:
            let outputs = recovered()
            round.accept(round.trying(owned: Set(kept.owned)))
            // Where each takes long to judge, what is good so far is not held up by what is still to come.
            let isLong = now.instant - round.began >= Self.longestJudging && !round.fold.isEmpty
            return outputs + (isLong ? makeEarly(round) : advance(round, now: now))
        case .failure(let error):
            switch Fault(error) {
            case .ofTheHost: return rest(.judge(round), Objection(error), now: now)
            case .goneAlready(let key) where !round.gone.contains(key):
                round.isGone(key)
                return advance(round, now: now)
            case .tooMany where !round.fold.isEmpty: return recovered() + makeEarly(round)
            case .goneAlready, .tooMany, .ofTheRevision:
                var outputs = recovered()
                if let next = round.next { outputs += refuse(next, Objection(error), now: now) }
                round.pass()
                return outputs + advance(round, now: now)
            }
        }
    }

    // MARK: Calls

    /// The revisions that a change now would make.
    func revisions(of round: Round) -> [Int64] { round.accepted + (round.next.map { [$0.number] } ?? []) }

    /// For the history, where it also tells whether a change was made.
    func reason(of round: Round) -> String {
        let revisions = revisions(of: round)
        guard let first = revisions.first, let last = revisions.last, first != last else {
            return "etcd revision \(revisions.first ?? 0)"
        }
        return "etcd revisions \(first) to \(last), \(revisions.count) of them"
    }

    func params(_ fold: Fold, _ round: Round, dryRun: Bool) -> Config.Apply.Params {
        fold.params(of: service.name, reason: reason(of: round), dryRun: dryRun, confirm: service.confirm)
    }

    func bytes(of fold: Fold) -> Int {
        JSONWriter.bytes(of: fold.params(of: service.name, reason: "", dryRun: true, confirm: nil)).count
    }
}
