package import MetricsAPI
package import Time

/// The decisions of handing on to one receiver: when a batch is made, when it is sent again, what is told.
///
/// The store itself is the queue, so nothing is kept twice. The writer *waits* for its interval; *makes* a batch of what is on disk
/// and not handed on; *sends* it until it has arrived, with longer and longer pauses; and makes the next at once while there is more.
/// A batch that the receiver calls wrong is given up and counted, as Prometheus does: sent again it would be as wrong.
package struct RemoteWriter: Sendable {
    /// How often, and how patiently.
    package struct Settings: Hashable, Sendable {
        /// How long after one batch the next is made.
        package var interval: Duration = .seconds(5)
        /// The first pause before a batch is sent again; each next one is twice as long, up to `longestPause`.
        package var firstPause: Duration = .seconds(1)
        package var longestPause: Duration = .seconds(30)
        /// Attempts without success until it is told.
        package var patience = 5

        package init() {}
    }

    /// A batch as the writer knows it: the bytes are the daemon's.
    package struct Batch: Hashable, Sendable {
        package var samples: Int
        package var toMs: Int64
        /// There was more to hand on.
        package var isMore: Bool
        /// It may have arrived already: in a life that ended before it knew, or without an answer.
        package var isRepeat: Bool

        package init(samples: Int, toMs: Int64, isMore: Bool, isRepeat: Bool = false) {
            self.samples = samples
            self.toMs = toMs
            self.isMore = isMore
            self.isRepeat = isRepeat
        }
    }

    /// How sending went.
    package enum Outcome: Hashable, Sendable {
        case arrived
        /// The receiver calls the batch itself wrong.
        case refused(String)
        /// It may be right another time.
        /// - isUncertain: nobody knows whether it arrived: there was a connection, and no answer.
        case failed(String, retryAfter: Duration? = nil, isUncertain: Bool = false)
    }

    /// What the daemon carries out.
    package enum Action: Hashable, Sendable {
        case setTimer(TimerID, at: Instant)
        case cancelTimer(TimerID)
        /// Make the next batch, and answer `made` or `notMade`.
        /// - isDone: the one before has arrived, or is given up.
        case make(isDone: Bool)
        /// Send the batch that was made, and answer `sent`.
        case send
        case report(Report)
    }

    /// What people are told.
    package enum Report: Hashable, Sendable {
        case failing(reason: String)
        case working(failedFor: Duration)
        case refused(samples: Int, reason: String)
    }

    private enum State: Hashable, Sendable {
        case idle
        case waiting(TimerID)
        case making
        case sending(Batch)
        case pausing(Batch, TimerID)
    }

    private let settings: Settings
    private var state = State.idle
    private var timers = TimerIDs()
    /// The last batch has arrived, or is given up, and the next one's making has not been told.
    package private(set) var isDone = false
    private var failures = 0
    private var failingSince: Instant?
    private var isRefusing = false
    /// Why the last attempt failed; nil after one that did not.
    package private(set) var reason: String?
    /// Samples that arrived, and those that were refused, since the start.
    package private(set) var samples: UInt64 = 0
    package private(set) var refusedSamples: UInt64 = 0
    /// Attempts that failed, since the start.
    package private(set) var failedAttempts: UInt64 = 0
    /// The time up to which all has been handed on, ms since 1970; nil before the first batch.
    package private(set) var toMs: Int64?

    package init(settings: Settings = Settings()) {
        self.settings = settings
    }

    /// As `status` shows it.
    package var condition: RemoteState.Condition {
        if failures >= settings.patience { return .failing }
        if failures > 0 { return .retrying }
        return toMs == nil ? .starting : .working
    }

    /// The first batch is made after one interval.
    package mutating func started(now: Moment) -> [Action] {
        guard state == .idle else { return [] }
        return wait(settings.interval, now: now)
    }

    /// Ends; an answer that still comes does nothing.
    package mutating func stopped() -> [Action] {
        defer { state = .idle }
        switch state {
        case .waiting(let timer), .pausing(_, let timer): return [.cancelTimer(timer)]
        case .making:
            // It was told with the making. What comes of that has not arrived.
            isDone = false
            return []
        case .idle, .sending: return []
        }
    }

    /// A timer that the writer asked for has fired; an old one does nothing.
    package mutating func timerFired(_ id: TimerID, now: Moment) -> [Action] {
        switch state {
        case .waiting(id): return make()
        case .pausing(let batch, id):
            state = .sending(batch)
            return [.send]
        case .idle, .waiting, .making, .sending, .pausing: return []
        }
    }

    private mutating func wait(_ time: Duration, now: Moment) -> [Action] {
        let timer = timers.next()
        state = .waiting(timer)
        return [.setTimer(timer, at: now.instant + time)]
    }

    private mutating func make() -> [Action] {
        state = .making
        return [.make(isDone: isDone)]
    }

    /// The batch is made; nil where there is nothing to hand on.
    package mutating func made(_ batch: Batch?, now: Moment) -> [Action] {
        guard state == .making else { return [] }
        isDone = false
        guard let batch else { return work(now: now) + wait(settings.interval, now: now) }
        state = .sending(batch)
        return [.send]
    }

    /// The store, or the record of what was sent, could not be used.
    package mutating func notMade(reason: String, now: Moment) -> [Action] {
        guard state == .making else { return [] }
        let actions = fail(reason, now: now)
        return actions + wait(pause, now: now)
    }

    /// How sending the batch went; nothing where none is under way.
    package mutating func sent(_ outcome: Outcome, now: Moment) -> [Action] {
        guard case .sending(var batch) = state else { return [] }
        switch outcome {
        case .arrived:
            isRefusing = false
            return done(batch, refusal: nil, now: now)
        case .refused where batch.isRepeat: return done(batch, refusal: nil, now: now)
        case .refused(let reason): return done(batch, refusal: reason, now: now)
        case .failed(let reason, let retryAfter, let isUncertain):
            batch.isRepeat = batch.isRepeat || isUncertain
            let actions = fail(reason, now: now)
            let timer = timers.next()
            state = .pausing(batch, timer)
            let least = min(retryAfter ?? .zero, settings.longestPause * 2)
            return actions + [.setTimer(timer, at: now.instant + max(pause, least))]
        }
    }

    private mutating func done(_ batch: Batch, refusal: String?, now: Moment) -> [Action] {
        isDone = true
        toMs = max(toMs ?? batch.toMs, batch.toMs)
        var actions = work(now: now)
        if let refusal {
            refusedSamples += UInt64(batch.samples)
            reason = refusal
            if !isRefusing { actions.append(.report(.refused(samples: batch.samples, reason: refusal))) }
            isRefusing = true
        } else {
            samples += UInt64(batch.samples)
        }
        return actions + (batch.isMore ? make() : wait(settings.interval, now: now))
    }

    private var pause: Duration {
        var (pause, number) = (settings.firstPause, 1)
        while number < failures, pause < settings.longestPause { (pause, number) = (pause * 2, number + 1) }
        return min(pause, settings.longestPause)
    }

    private mutating func fail(_ reason: String, now: Moment) -> [Action] {
        failures += 1
        failedAttempts += 1
        self.reason = reason
        if failingSince == nil { failingSince = now.instant }
        return failures == settings.patience ? [.report(.failing(reason: reason))] : []
    }

    private mutating func work(now: Moment) -> [Action] {
        defer {
            failures = 0
            failingSince = nil
            reason = nil
        }
        guard failures >= settings.patience, let since = failingSince else { return [] }
        return [.report(.working(failedFor: now.instant - since))]
    }
}
