package import HealthAPI
package import Time

/// The identity of one attempt of a probe. A machine compares it when the probe ends: an attempt that was given up can never
/// speak for a later one.
package struct RunID: Hashable, Sendable {
    package var value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }
}

/// Hands out the ids of timers and attempts, each once in the daemon's life.
package struct HealthIDs: Hashable, Sendable {
    private var timers = TimerIDs()
    private var lastRun: UInt64 = 0

    package init() {}

    /// The next timer's id.
    package mutating func timer() -> TimerID {
        timers.next()
    }

    /// The next attempt's id.
    package mutating func run() -> RunID {
        lastRun += 1
        return RunID(lastRun)
    }
}

/// What one attempt saw.
package struct ProbeOutcome: Hashable, Sendable {
    package var verdict: Verdict
    package var message: String
    /// From the attempt's start to its answer; nil where none came.
    package var latency: Duration?

    package init(_ verdict: Verdict, _ message: String, latency: Duration? = nil) {
        self.verdict = verdict
        self.message = message
        self.latency = latency
    }
}

/// One check: when it runs, what its attempts add up to, and what is believed of it.
///
/// Its states and where each can go:
/// - *idle*: nothing is planned. `begin` leads to *waiting*, or to *listening* where the probe is a report.
/// - *waiting* for the next round: its timer leads to *probing*.
/// - *probing*: an attempt is out, with a deadline. Its end or its deadline leads to *pausing* where the attempt failed and the
///   round has retries left, else the round has ended and the machine is *waiting* again.
/// - *pausing* between two attempts of a round: its timer leads to *probing*.
/// - *listening* for reports: each one, and each interval without one, ends a round.
/// - `retire` leads to *idle* from everywhere.
///
/// Rounds stand on a grid of `interval`, so they do not drift by how long probes take; a round that is still running when the
/// next is due swallows it. The grids of all checks begin on `slot`s of the host's clock, so that several rounds share one
/// wake-up of healthd. A timer or an attempt that the present state does not wait for changes nothing.
package struct CheckMachine: Hashable, Sendable {
    private enum State: Hashable {
        case idle
        case waiting(TimerID)
        case probing(RunID, attempt: Int, deadline: TimerID, due: Instant)
        case pausing(attempt: Int, TimerID)
        case listening(TimerID)
    }

    /// What a check wants done, or tells.
    package enum Action: Hashable, Sendable {
        case startTimer(TimerID, after: Duration)
        case stopTimer(TimerID)
        case startProbe(RunID)
        case abandonProbe(RunID)
        /// The believed verdict is another one now.
        case settled(from: Verdict, to: Verdict)
    }

    /// An own timer that fires this much too late proves that healthd was held up, not that the probe was (DESIGN §7, starved
    /// host: own tick > 500 ms late).
    package static let toleratedLateness = Duration.milliseconds(500)
    /// Within this time of the start every check has begun its first round, however long its interval.
    package static let firstRoundWithin = Duration.seconds(2)
    /// Rounds begin at multiples of this on the host's clock: with 20 checks a second four wake-ups in place of 20, of which
    /// each costs as much as a connection (perf). systemd's AccuracySec= serves the same end.
    package static let slot = Duration.milliseconds(250)
    /// Longer messages are cut, in bytes of UTF-8.
    package static let messageLimit = 512

    package let config: CheckConfig
    private var state = State.idle
    private var settling: Settling
    /// The grid: where the next round belongs.
    private var due = Instant.zero
    private var last: ProbeOutcome?
    private var checkedAt: WallTime?
    private var since: WallTime
    private var blindSince: WallTime?
    private var rounds: Int64 = 0

    /// A check that nothing is known of since `now`.
    package init(_ config: CheckConfig, now: Moment) {
        self.config = config
        settling = Settling(thresholds: config.thresholds)
        since = now.wall
    }

    /// What is believed now.
    package var verdict: Verdict {
        settling.verdict
    }

    /// What the last round saw, in words.
    package var message: String {
        last?.message ?? "not checked yet"
    }

    /// An attempt is out.
    package var isProbing: Bool {
        switch state {
        case .probing: true
        case .idle, .waiting, .pausing, .listening: false
        }
    }

    /// Since when `verdict` is what it is.
    package var verdictSince: WallTime {
        since
    }

    /// The check as it is told.
    package var result: CheckResult {
        CheckResult(
            status: verdict, last: last?.verdict, message: message, latencyMs: last?.latency?.milliseconds,
            checkedAtMs: checkedAt?.milliseconds, sinceMs: since.milliseconds,
            blindSinceMs: blindSince?.milliseconds, rounds: rounds)
    }

    // MARK: Events

    /// Plans the first round: all checks of a host spread over their intervals, the first look within `firstRoundWithin`.
    package mutating func begin(now: Moment, ids: inout HealthIDs, random: inout SeededRandom) -> [Action] {
        let timer = ids.timer()
        switch config.probe {
        case .report:
            state = .listening(timer)
            return [.startTimer(timer, after: config.interval)]
        case .http, .tcp, .command:
            let place = random.unit()
            due = Self.slot(of: now.instant + config.interval * place)
            let first = Self.slot(of: now.instant + min(config.interval, Self.firstRoundWithin) * place)
            state = .waiting(timer)
            return [.startTimer(timer, after: max(.zero, first - now.instant))]
        }
    }

    /// A timer that was started fired.
    package mutating func timerFired(
        _ timer: TimerID, now: Moment, ids: inout HealthIDs
    ) -> [Action] {
        switch state {
        case .idle:
            return []
        case .waiting(let awaited):
            return timer == awaited ? attempt(1, now: now, ids: &ids) : []
        case .pausing(let failed, let awaited):
            return timer == awaited ? attempt(failed + 1, now: now, ids: &ids) : []
        case .listening(let awaited):
            guard timer == awaited else { return [] }
            let silence = ProbeOutcome(.critical, "no report within \(config.interval.milliseconds) ms")
            return reported(silence, now: now, ids: &ids)
        case .probing(let run, let attempt, let awaited, let due):
            guard timer == awaited else { return [] }
            let lateness = now.instant - due
            let outcome =
                lateness > Self.toleratedLateness
                ? ProbeOutcome(.unknown, "healthd itself was \(lateness.milliseconds) ms late")
                : ProbeOutcome(.critical, "no answer within \(config.timeout.milliseconds) ms")
            return [.abandonProbe(run)] + ended(attempt, outcome, now: now, ids: &ids)
        }
    }

    /// An attempt ended by itself.
    package mutating func probeEnded(
        _ run: RunID, _ outcome: ProbeOutcome, now: Moment, ids: inout HealthIDs
    ) -> [Action] {
        switch state {
        case .idle, .waiting, .pausing, .listening:
            return []
        case .probing(let awaited, let attempt, let deadline, _):
            guard run == awaited else { return [] }
            return [.stopTimer(deadline)] + ended(attempt, outcome, now: now, ids: &ids)
        }
    }

    /// Somebody reported; nothing where the check is run by healthd itself.
    package mutating func reportReceived(
        _ outcome: ProbeOutcome, now: Moment, ids: inout HealthIDs
    ) -> [Action] {
        switch state {
        case .idle, .waiting, .probing, .pausing:
            return []
        case .listening(let expiry):
            return [.stopTimer(expiry)] + reported(outcome, now: now, ids: &ids)
        }
    }

    /// Stops everything that is under way.
    package mutating func retire() -> [Action] {
        defer { state = .idle }
        switch state {
        case .idle: return []
        case .waiting(let timer), .pausing(_, let timer), .listening(let timer): return [.stopTimer(timer)]
        case .probing(let run, _, let deadline, _): return [.stopTimer(deadline), .abandonProbe(run)]
        }
    }

    // MARK: Steps

    private mutating func attempt(_ number: Int, now: Moment, ids: inout HealthIDs) -> [Action] {
        let run = ids.run()
        let deadline = ids.timer()
        state = .probing(run, attempt: number, deadline: deadline, due: now.instant + config.timeout)
        return [.startProbe(run), .startTimer(deadline, after: config.timeout)]
    }

    private mutating func ended(
        _ attempt: Int, _ outcome: ProbeOutcome, now: Moment, ids: inout HealthIDs
    ) -> [Action] {
        let timer = ids.timer()
        if outcome.verdict.deservesRetry, attempt <= config.retries {
            state = .pausing(attempt: attempt, timer)
            return [.startTimer(timer, after: config.retryDelay)]
        }
        state = .waiting(timer)
        return roundEnded(outcome, now: now) + [.startTimer(timer, after: nextRound(now: now))]
    }

    private mutating func reported(_ outcome: ProbeOutcome, now: Moment, ids: inout HealthIDs) -> [Action] {
        let expiry = ids.timer()
        state = .listening(expiry)
        return roundEnded(outcome, now: now) + [.startTimer(expiry, after: config.interval)]
    }

    private mutating func roundEnded(_ outcome: ProbeOutcome, now: Moment) -> [Action] {
        let before = settling.verdict
        settling.roundEnded(outcome.verdict)
        rounds += 1
        last = outcome
        last?.message = outcome.message.cut(toBytes: Self.messageLimit)
        checkedAt = now.wall
        blindSince = outcome.verdict == .unknown ? blindSince ?? now.wall : nil
        guard settling.verdict != before else { return [] }
        since = now.wall
        return [.settled(from: before, to: settling.verdict)]
    }

    /// The slot in which a time lies.
    private static func slot(of time: Instant) -> Instant {
        Instant(nanoseconds: time.nanoseconds - time.nanoseconds % slot.nanoseconds)
    }

    /// How long until the next place in the grid that has not passed.
    private mutating func nextRound(now: Moment) -> Duration {
        if due <= now.instant {
            let passed = (now.instant - due).nanoseconds / config.interval.nanoseconds
            due = due + .nanoseconds((passed + 1) * config.interval.nanoseconds)
        }
        return due - now.instant
    }
}

extension Verdict {
    /// A warning is an answer; a failure, or none, may be bad luck.
    var deservesRetry: Bool {
        switch self {
        case .ok, .warning: false
        case .critical, .unknown: true
        }
    }
}

extension String {
    /// At most `limit` bytes of UTF-8, cut between two of Unicode's scalars and marked with an ellipsis.
    package func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        let room = max(0, limit - "…".utf8.count)
        var end = utf8.index(utf8.startIndex, offsetBy: room)
        while end > utf8.startIndex, utf8[end] & 0b1100_0000 == 0b1000_0000 { end = utf8.index(before: end) }
        return String(self[..<end]) + "…"
    }
}
