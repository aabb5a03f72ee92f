package import MetricsAPI
package import Time

/// What is measured together, by whom and how often.
package struct CollectorPlan: Hashable, Sendable {
    /// The collector's name, and its group's in the store.
    package var name: String
    package var level: Level
    package var interval: Duration
    /// How long a round may take before it counts as failed.
    package var deadline: Duration

    package init(name: String, level: Level, interval: Duration, deadline: Duration) {
        self.name = name
        self.level = level
        self.interval = interval
        self.deadline = deadline
    }
}

/// The schedule of one collector.
///
/// It *waits* for its next round. A round that is due makes it *collecting*, with a deadline. A good round leads back to waiting,
/// for the next whole interval. A failed one is tried again after 1/16, 1/8, 1/4 and 1/2 of the interval, so all five attempts
/// fall into one interval; when all failed it is *down*, with one attempt an interval until one succeeds. If the deadline passes
/// before the round comes back it is *stuck*: nothing is started until the round returns, because what hangs once (a dead
/// mount) would take a second thread with it; a round that comes back late counts as failed and its values are not used.
package struct CollectorSchedule: Hashable, Sendable {
    /// Where a collector stands; what leads from one to the next is told above.
    package enum State: Hashable, Sendable {
        /// Not started, or stopped: every event but `started` is ignored.
        case idle
        /// For the next round's timer.
        case waiting(TimerID)
        /// The round under way began at `since`.
        case collecting(round: UInt64, since: Moment, deadline: TimerID)
        /// The round under way missed its deadline.
        case stuck(round: UInt64, since: Moment)
    }

    /// The answers of a schedule.
    package enum Action: Hashable, Sendable {
        case setTimer(TimerID, at: Instant)
        /// The timer will not be needed: firing it would do nothing.
        case cancelTimer(TimerID)
        case collect(round: UInt64)
        /// The collector's series end here, because it went down or got stuck.
        case markStale
        case reportDown(reason: String, attempts: Int)
        case reportUp(downFor: Duration)
    }

    /// How often a round is attempted before the collector is down (R3.2).
    package static let mostAttempts = 5

    package let plan: CollectorPlan
    package private(set) var state = State.idle
    /// Failed attempts since the last good round, at most `mostAttempts`.
    package private(set) var failures = 0
    /// Since when it is down; nil while it works.
    package private(set) var downSince: Instant?
    /// How long the last good round took; nil before the first.
    package private(set) var lastDuration: Duration?
    /// When the last good round began.
    package private(set) var lastGood: Moment?
    private var lastReason = ""
    private var rounds: UInt64 = 0

    package init(plan: CollectorPlan) {
        self.plan = plan
    }

    /// Why it is down, or why its last round failed; empty after a good round.
    package var reason: String { lastReason }

    /// The first round is due at the next whole interval of the monotonic clock: the rounds of all collectors fall together,
    /// and the loop wakes once for them.
    package mutating func started(now: Moment, timers: inout TimerIDs) -> [Action] {
        guard state == .idle else { return [] }
        return waitForInterval(now: now, timers: &timers)
    }

    /// No more rounds; one that is under way may come back and is ignored.
    package mutating func stopped() -> [Action] {
        defer { state = .idle }
        switch state {
        case .waiting(let timer), .collecting(_, _, let timer): return [.cancelTimer(timer)]
        case .idle, .stuck: return []
        }
    }

    /// Somebody wants a round now: one that waits begins, one that is under way is joined.
    package mutating func asked(now: Moment, timers: inout TimerIDs) -> [Action] {
        guard case .waiting(let timer) = state else { return [] }
        return [.cancelTimer(timer)] + begin(now: now, timers: &timers)
    }

    /// A timer that the schedule asked for has fired; an old one does nothing.
    package mutating func timerFired(_ id: TimerID, now: Moment, timers: inout TimerIDs) -> [Action] {
        switch state {
        case .waiting(let timer) where timer == id:
            return begin(now: now, timers: &timers)
        case .collecting(let round, let since, let deadline) where deadline == id:
            state = .stuck(round: round, since: since)
            failures = Self.mostAttempts
            return goDown(reason: "no answer in \(plan.deadline.milliseconds) ms", now: now)
        case .idle, .waiting, .collecting, .stuck:
            return []
        }
    }

    /// A round came back with values.
    /// - Returns: when the round began, if its values count; nil if it is late or not the one under way.
    package mutating func collected(
        round: UInt64, now: Moment, timers: inout TimerIDs
    ) -> (since: Moment?, actions: [Action]) {
        switch state {
        case .collecting(round, let since, let deadline):
            failures = 0
            lastReason = ""
            lastGood = since
            lastDuration = now.instant - since.instant
            var actions: [Action] = [.cancelTimer(deadline)]
            if let down = downSince {
                actions.append(.reportUp(downFor: now.instant - down))
                downSince = nil
            }
            return (since, actions + waitForInterval(now: now, timers: &timers))
        case .stuck(round, _):
            return (nil, waitForInterval(now: now, timers: &timers))
        case .idle, .waiting, .collecting, .stuck:
            return (nil, [])
        }
    }

    /// A round came back without values.
    package mutating func failed(
        round: UInt64, reason: String, now: Moment, timers: inout TimerIDs
    ) -> [Action] {
        switch state {
        case .collecting(round, _, let deadline):
            failures = min(failures + 1, Self.mostAttempts)
            lastReason = reason
            let cancel = Action.cancelTimer(deadline)
            guard failures >= Self.mostAttempts else { return [cancel] + waitForRetry(now: now, timers: &timers) }
            return [cancel] + goDown(reason: reason, now: now) + waitForInterval(now: now, timers: &timers)
        case .stuck(round, _):
            lastReason = reason
            return waitForInterval(now: now, timers: &timers)
        case .idle, .waiting, .collecting, .stuck:
            return []
        }
    }

    private mutating func begin(now: Moment, timers: inout TimerIDs) -> [Action] {
        rounds += 1
        let deadline = timers.next()
        state = .collecting(round: rounds, since: now, deadline: deadline)
        return [.collect(round: rounds), .setTimer(deadline, at: now.instant + plan.deadline)]
    }

    private mutating func goDown(reason: String, now: Moment) -> [Action] {
        lastReason = reason
        guard downSince == nil else { return [.markStale] }
        downSince = now.instant
        return [.markStale, .reportDown(reason: reason, attempts: failures)]
    }

    private mutating func waitForRetry(now: Moment, timers: inout TimerIDs) -> [Action] {
        let wait = Duration.nanoseconds(plan.interval.nanoseconds >> (5 - Int64(failures)))
        return rest(until: now.instant + wait, timers: &timers)
    }

    private mutating func waitForInterval(now: Moment, timers: inout TimerIDs) -> [Action] {
        let interval = max(1, plan.interval.nanoseconds)
        let next = (now.instant.nanoseconds / interval + 1) * interval
        return rest(until: Instant(nanoseconds: next), timers: &timers)
    }

    private mutating func rest(until instant: Instant, timers: inout TimerIDs) -> [Action] {
        let timer = timers.next()
        state = .waiting(timer)
        return [.setTimer(timer, at: instant)]
    }
}
