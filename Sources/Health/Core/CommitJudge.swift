package import ConfigAPI
package import HealthAPI
package import Time

/// Judges one service's change on trial: is the service as well with it as it was before?
///
/// Its states: *idle*; *waiting*, from the change's first sight to its activation, when only the status from before is kept;
/// *judging*, while its window is open; *done*, when a word was said. Three things are compared with the time before the
/// commit: the status that its checks add up to, the share of requests in error, and the time that 95 of 100 requests take,
/// both by the service's own counters, a stretch between two readings at a time.
///
/// Clearly worse in two stretches running is a cancel: one alone may be a cold start. As well as before for the last half of
/// the time, when three quarters of the window are over, is a confirmation: early enough to be said again, late enough to
/// have seen. What cannot be seen is *unknown*, and no word is said: then the change goes back by itself, since no answer is
/// never a confirmation.
package struct CommitJudge: Hashable, Sendable {
    /// What the daemon is to do.
    package enum Action: Hashable, Sendable {
        /// Ask metricsd what was served in the stretches, ms since 1970, and give it back with `measured`.
        case measure(change: Int64, before: ClosedRange<Int64>, after: ClosedRange<Int64>)
        /// Say it to configd, again until it was heard.
        case confirm(change: Int64, reason: String)
        case cancel(change: Int64, reason: String)
        /// Tell the journal.
        case tell(Opinion)
    }

    /// What is thought of a change.
    package struct Opinion: Hashable, Sendable {
        /// How the service is with it, against the time before.
        package enum Verdict: String, Hashable, Sendable {
            case asGood
            case worse
            /// It cannot be seen.
            case unknown
        }

        package var change: Int64
        package var verdict: Verdict
        package var reason: String
    }

    /// What was served, as far as metricsd tells.
    package enum Sight: Hashable, Sendable {
        case seen(before: ServedFigures?, after: [ServedFigures])
        /// metricsd did not answer, or has nothing of a service that exports figures.
        case blind(String)
    }

    /// What counts as clearly worse.
    package enum Limits {
        /// Twice the time of before: half of what the acceptance asks for (p95 x 3), and twice the error of reading a quantile
        /// off buckets that double.
        package static let slowdown = 2.0
        /// And by as many ms: below that the host's own scheduling shows.
        package static let slowdownMs = 5.0
        /// More of 100 requests in error than before.
        package static let errorShare = 0.05
        /// Fewer requests than this in a stretch say nothing: p95 of 20 is one request.
        package static let fewestRequests = 20.0
        /// Stretches running that make it worse.
        package static let worseInRow = 2
        /// The share of the window after which a confirmation is said.
        package static let confirmAt = 0.75
        /// How far before the commit the service is compared with.
        package static let beforeMs: Int64 = 120_000
        /// What was before had been in force for so long before anything is compared with it: a restart, and a cold start.
        package static let settlingMs: Int64 = 10_000
        /// A newest stretch that is older says nothing of now: two of the longest usual scrapes.
        package static let freshMs: Int64 = 20_000
    }

    private enum State: Hashable {
        case idle
        case waiting
        case judging
        case done
    }

    private let exportsFigures: Bool
    private var state = State.idle
    private var change: Int64 = 0
    private var committedMs: Int64 = 0
    private var beforeMs: Int64 = 0
    private var activatedMs: Int64 = 0
    private var windowMs: Int64 = 0
    private var end = Instant.zero
    /// Nil where healthd was not there before the commit.
    private var statusBefore: ServiceHealth?
    private var status = ServiceHealth.unknown
    private var sight = Sight.blind("nothing was measured yet")
    private var isMeasuring = false
    private var told: Opinion?

    /// `exportsFigures`: the settings say where the service exports its figures.
    package init(exportsFigures: Bool) {
        self.exportsFigures = exportsFigures
    }

    /// Whether there is anything to judge.
    package var isIdle: Bool { state == .idle }

    // MARK: Events

    /// What configd has on trial of the service; nil for nothing. `status` is the service's now.
    package mutating func changeSeen(_ pending: ConfigPending?, status: ServiceHealth, now: Moment) -> [Action] {
        self.status = status
        guard let pending, pending.isOnTrial else {
            state = .idle
            return []
        }
        if state == .idle || change != pending.id {
            let isNew = pending.phase == .applied
            self = CommitJudge(exportsFigures: exportsFigures)
            self.status = status
            (change, committedMs, windowMs) = (pending.id, pending.atMs, pending.windowMs)
            beforeMs = min(committedMs, max(committedMs - Limits.beforeMs, pending.beforeMs + Limits.settlingMs))
            statusBefore = isNew && status != .unknown ? status : nil
            state = .waiting
        }
        guard pending.phase == .activated, state == .waiting else { return [] }
        state = .judging
        activatedMs = pending.sinceMs
        end = now.instant + .milliseconds(pending.leftMs ?? 0)
        return ticked(now: now)
    }

    /// The service's checks add up to this.
    package mutating func statusSeen(_ status: ServiceHealth, now: Moment) -> [Action] {
        self.status = status
        return state == .judging ? judge(now: now) : []
    }

    /// Each 2 s while there is something to judge.
    package mutating func ticked(now: Moment) -> [Action] {
        guard state == .judging else { return [] }
        var actions = judge(now: now)
        if state == .judging, !isMeasuring, exportsFigures {
            isMeasuring = true
            let until = max(now.wall.milliseconds, activatedMs)
            actions.append(
                .measure(
                    change: change, before: beforeMs...committedMs, after: activatedMs...until))
        }
        return actions
    }

    /// metricsd's answer to `measure`.
    package mutating func measured(_ change: Int64, _ sight: Sight, now: Moment) -> [Action] {
        guard change == self.change else { return [] }
        isMeasuring = false
        self.sight = sight
        return state == .judging ? judge(now: now) : []
    }

    // MARK: Judging

    private mutating func judge(now: Moment) -> [Action] {
        let opinion = opinion(now: now)
        var actions: [Action] = []
        switch opinion.verdict {
        case .worse:
            state = .done
            actions.append(.cancel(change: change, reason: opinion.reason))
        case .asGood:
            let left = end - now.instant
            if left <= .milliseconds(Int64(Double(windowMs) * (1 - Limits.confirmAt))) {
                state = .done
                actions.append(.confirm(change: change, reason: opinion.reason))
            }
        case .unknown: break
        }
        if opinion.verdict != told?.verdict {
            told = opinion
            actions.insert(.tell(opinion), at: 0)
        }
        return actions
    }

    private func opinion(now: Moment) -> Opinion {
        func say(_ verdict: Opinion.Verdict, _ reason: String) -> Opinion {
            Opinion(change: change, verdict: verdict, reason: reason)
        }
        switch status {
        case .unhealthy:
            guard statusBefore != .unhealthy else { return say(.unknown, "it is as unhealthy as before") }
            return say(.worse, "its checks say unhealthy, \(statusBefore?.rawValue ?? "not") before")
        case .unknown: return say(.unknown, "its checks see nothing")
        case .degraded:
            guard statusBefore == .degraded else { return say(.unknown, "its checks say degraded, and not before") }
        case .healthy: break
        }
        guard exportsFigures else { return say(.asGood, "its checks say \(status.rawValue), as before") }
        switch sight {
        case .blind(let why): return say(.unknown, why)
        case .seen(let before, let after): return compare(before, after, now: now, say)
        }
    }

    private func compare(
        _ before: ServedFigures?, _ after: [ServedFigures], now: Moment,
        _ say: (Opinion.Verdict, String) -> Opinion
    ) -> Opinion {
        let busy = after.filter { $0.requests >= Limits.fewestRequests }
        let isComparable = (before?.requests ?? 0) >= Limits.fewestRequests
        let worse = busy.map { Self.difference(isComparable ? before : nil, $0) }
        if worse.count >= Limits.worseInRow, worse.suffix(Limits.worseInRow).allSatisfy({ $0 != nil }),
            let reason = worse.last ?? nil
        {
            return say(.worse, reason)
        }
        guard let newest = after.last, now.wall.milliseconds - newest.toMs <= Limits.freshMs, after.count >= 2 else {
            return say(.unknown, "too little was measured since its activation")
        }
        let half = now.wall.milliseconds - (now.wall.milliseconds - activatedMs) / 2
        let isBad = zip(busy, worse).contains { $0.toMs >= half && $1 != nil }
        guard !isBad else { return say(.unknown, "not as good as before at times") }
        guard let last = busy.last, let was = before, isComparable else {
            // Nobody asks it anything, and nobody did: what its checks say is all that there is.
            return busy.isEmpty && !isComparable
                ? say(.asGood, "its checks say \(status.rawValue), as before; nobody asked it anything")
                : say(.unknown, "it was asked too little before its commit, or after it, to compare")
        }
        return say(.asGood, "as before: \(Self.words(last)), \(Self.words(was)) before")
    }

    /// In what way a stretch is clearly worse than the time before; nil where it is not.
    private static func difference(_ before: ServedFigures?, _ after: ServedFigures) -> String? {
        if after.errorShare > (before?.errorShare ?? 0) + Limits.errorShare {
            return "errors: \(words(after)), \(before.map(words) ?? "nothing to compare with") before"
        }
        guard let was = before?.p95Ms, let now = after.p95Ms, now > was * Limits.slowdown, now - was > Limits.slowdownMs
        else { return nil }
        return "slower: \(words(after)), \(before.map(words) ?? "") before"
    }

    private static func words(_ figures: ServedFigures) -> String {
        let slow = figures.p95Ms.map { "p95 \(tenths($0)) ms, " } ?? ""
        return "\(slow)\(tenths(figures.errorShare * 100)) % in error"
    }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }
}
