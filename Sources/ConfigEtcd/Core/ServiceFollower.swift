import ConfigAPI
import ConfigEtcdAPI
import Time
import Wire

/// One service that follows etcd: revisions in, verdicts out, one call to configd under way at a time.
///
/// It is *idle* until revisions wait. Then it takes all of them as one round (`Round`): *validating*, it has configd try each in
/// a dry run on top of the good ones before it; a bad one is refused, told and left out, and the rest goes on without it. What is
/// good is one change, which is *applying*. One revision alone, and the last of a round, is not tried first: its change is made.
///
/// Before a change is made the intent is kept on disk (*recording*). With a confirmation asked for it is *onTrial* until configd
/// says what became of it. The round goes back as a whole: nobody can tell which of its revisions made the service sick.
///
/// Where configd is silent over a change, it is *looking* in its history whether the change was made, and so after a restart:
/// a key that it set must be known as etcd's, and made again after it went back it would make the service sick each time. Where the cause is no fault of the revision
/// (configd away, a full disk, another change on trial) it is *resting*, and tries the same step again, for ever.
struct ServiceFollower: Hashable, Sendable {
    enum State: Hashable, Sendable {
        case idle
        case validating(WorkID, Round)
        case recording(WorkID, Round, Fold)
        case applying(WorkID, Round, Fold)
        case looking(WorkID, Step)
        case onTrial(WorkID, Trial)
        case resting(WorkID, Step)
    }

    /// What is tried again after a rest.
    enum Step: Hashable, Sendable {
        case judge(Round)
        /// `round` is nil after a restart.
        case look(KeptFollowing.Intent, Round?)
        case follow(Trial)
    }

    /// A change that configd has on trial.
    struct Trial: Hashable, Sendable {
        var id: Int64?
        var version: Int64
        var intent: KeptFollowing.Intent
        var round: Round?
    }

    /// What follows from an event.
    enum Output: Hashable, Sendable {
        case action(FollowerAction)
        case status(EtcdServiceStatus)
        case refusal(EtcdRefusal)
        /// The refusal of this revision need not be shown any more.
        case forget(Int64)
    }

    /// Revisions that are taken into a round.
    static let longestRound = 1000
    /// How long a round is judged before what is good of it is made.
    static let longestJudging: Duration = .seconds(5)
    static let mostWaiting = 10_000
    static let mostWaitingBytes = 32 << 20
    /// Bytes of a call, of the 1 MiB that a frame takes.
    static let mostBytes = Frame.longestBodyBytes - 4096
    /// Refusals that stand under the status key.
    static let refusalsKept = 50
    static let keysShown = 20
    static let firstRest: Duration = .seconds(1)
    static let longestRest: Duration = .seconds(30)
    /// How often configd is asked of a change on trial, should its event be lost.
    static let trialInterval: Duration = .seconds(5)

    let service: FollowedService
    var ids: WorkIDs
    var state = State.idle
    var waiting: [ServiceRevision] = []
    /// The newest revision that was taken into a round.
    var reached: Int64
    var rests = 0
    var isTroubled = false
    var kept: KeptFollowing
    /// Nothing was ever listed: what etcd holds must be, before anything can be missed.
    var isNew: Bool

    /// `kept` is nil for a service that is followed for the first time.
    init(_ service: FollowedService, kept: KeptFollowing?) {
        self.service = service
        ids = WorkIDs(.service(service.name))
        let status = EtcdServiceStatus(service: service.name)
        self.kept =
            kept
            ?? KeptFollowing(service: service.name, cluster: "", decided: 0, owned: [], refused: [], status: status)
        isNew = kept == nil
        reached = self.kept.decided
    }

    /// How many revisions wait or are judged.
    var waitingCount: Int { waiting.count }

    // MARK: Events

    mutating func started(now: Moment) -> [Output] {
        guard let intent = kept.intent else { return isNew ? [] : [.status(kept.status)] }
        return [.status(kept.status)] + look(.look(intent, nil))
    }

    /// All keys as they are at a revision.
    mutating func listed(_ head: EtcdHead, _ found: [ServiceRevision], _ keys: Set<FileKey>, now: Moment) -> [Output] {
        let isKnown = head.cluster == kept.cluster && kept.decided <= head.revision
        if !isKnown {
            // Revisions of another cluster, or of one that was set back: the numbers begin anew, and what was being judged is no
            // revision of this one's.
            reached = 0
            kept.decided = 0
            kept.intent = nil
            state = .idle
        }
        kept.cluster = head.cluster
        isNew = false
        waiting = found.filter { $0.number > reached }
        // Only where the store is known does a key that is not there mean that somebody deleted it. An empty store under the same
        // address deletes nothing.
        let ours = Set(kept.owned).union(kept.intent?.owned ?? [])
        let deleted = isKnown ? ours.subtracting(keys) : []
        if !deleted.isEmpty, head.revision > reached {
            if waiting.last?.number != head.revision { waiting.append(ServiceRevision(number: head.revision)) }
            waiting[waiting.count - 1].removes.formUnion(deleted)
        }
        return [.action(.keep(ids.next(), kept))] + begin(now: now)
    }

    /// Revisions in ascending order.
    mutating func told(_ revisions: [ServiceRevision], now: Moment) -> [Output] {
        let last = max(reached, waiting.last?.number ?? 0)
        waiting += revisions.filter { $0.number > last }
        boundWaiting()
        return begin(now: now)
    }

    mutating func changed(_ id: WorkID, _ result: Result<Config.Apply.Reply, RPCError>, now: Moment) -> [Output] {
        switch state {
        case .validating(id, let round): return tried(round, result, now: now)
        case .applying(id, let round, let fold): return applied(round, fold, result, now: now)
        case .idle, .validating, .recording, .applying, .looking, .onTrial, .resting: return []
        }
    }

    /// The disk has the intent, or refuses it: then a crash of this host at a bad moment may bring the change a second trial,
    /// which is no reason not to make it.
    mutating func kept(_ id: WorkID) -> [Output] {
        guard case .recording(id, let round, let fold) = state else { return [] }
        return change(round, fold)
    }

    mutating func found(_ id: WorkID, _ result: Result<Findings, RPCError>, now: Moment) -> [Output] {
        guard case .looking(id, let step) = state else { return [] }
        switch (step, result) {
        case (.judge(let round), _): return advance(round, now: now)
        case (_, .failure(let error)): return rest(step, Objection(error), now: now)
        case (.look(let intent, let round), .success(let findings)):
            let made = findings.versions.first { $0.reason == intent.reason && $0.version > intent.after }
            guard let made else {
                return notMade(round, now: now)
            }
            let pending = findings.pending.first { $0.reason == intent.reason }
            var round = round
            if let next = round?.next, next.number <= intent.through, let sum = round?.trying(owned: Set(kept.owned)) {
                round?.accept(sum)
            }
            reached = max(reached, intent.through)
            waiting.removeAll { $0.number <= intent.through }
            let trial = Trial(id: pending?.id, version: made.version, intent: intent, round: round)
            return judged(trial, findings, now: now)
        case (.follow(let trial), .success(let findings)): return judged(trial, findings, now: now)
        }
    }

    /// configd tells of a change on trial of this service: confirmed, or taken back.
    mutating func trialTold() -> [Output] {
        guard case .onTrial(_, let trial) = state else { return [] }
        return look(.follow(trial))
    }

    /// configd answers again: nothing need be waited for any longer.
    mutating func configdAnswered(now: Moment) -> [Output] {
        guard case .resting(_, let step) = state else { return [] }
        return go(on: step, now: now)
    }

    mutating func timerFired(_ id: WorkID, now: Moment) -> [Output] {
        switch state {
        case .resting(id, let step): return go(on: step, now: now)
        case .onTrial(id, let trial): return look(.follow(trial))
        case .idle, .validating, .recording, .applying, .looking, .onTrial, .resting: return []
        }
    }
}
