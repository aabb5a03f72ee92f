import HealthAPI
import HealthCore
import Time

/// A host for one machine: fires its timers in order, answers its probes, and remembers what it ordered. Nothing here knows how
/// the machine decides.
struct HealthWorld {
    /// What a probe will see: an answer after a time, or nothing at all.
    enum Answer: Hashable {
        case after(Duration, Verdict, String)
        case never

        static let good = Answer.after(.milliseconds(5), .ok, "200 OK")
        static let refused = Answer.after(.milliseconds(1), .critical, "connection refused")
        static let unsure = Answer.after(.milliseconds(1), .unknown, "cannot look")
    }

    private(set) var machine: HealthMachine
    private(set) var now: Moment
    /// By check's name; a check that is not here answers well.
    var answers: [String: Answer] = [:]
    private(set) var actions: [HealthAction] = []
    private(set) var probesStarted: [(check: CheckID, at: Instant)] = []
    private(set) var abandoned = 0
    private var timers: [TimerID: Instant] = [:]
    private var runs: [RunID: (due: Instant, outcome: ProbeOutcome)] = [:]

    static let start = Moment(instant: .zero, wall: WallTime(milliseconds: 1_800_000_000_000))

    init(_ config: HealthConfig, kept: KeptHealth = KeptHealth(), seed: UInt64 = 1, at start: Moment = Self.start) {
        now = start
        machine = HealthMachine(config: config, kept: kept, now: start, random: SeededRandom(seed: seed))
        let begun = machine.started(now: start)
        carryOut(begun)
    }

    /// Lets `duration` pass.
    mutating func pass(_ duration: Duration) {
        let end = now.instant + duration
        while let next = nextDue(), next <= end {
            now = now.advanced(by: max(.zero, next - now.instant))
            fire(due: next)
        }
        now = now.advanced(by: end - now.instant)
    }

    /// Does something to the machine and carries out what it orders.
    mutating func act<Failure: Error>(
        _ event: (inout HealthMachine, Moment) throws(Failure) -> [HealthAction]
    ) throws(Failure) {
        carryOut(try event(&machine, now))
    }

    /// Forgets what was ordered so far.
    mutating func forget() {
        actions = []
        probesStarted = []
    }

    var news: [HealthNews] {
        actions.compactMap { action in
            if case .tell(let news) = action { news } else { nil }
        }
    }

    var statusChanges: [StatusChanged] {
        news.compactMap { news in
            if case .statusChanged(let change) = news { change } else { nil }
        }
    }

    var raised: [Alert] {
        news.compactMap { news in
            if case .alertRaised(let alert) = news { alert } else { nil }
        }
    }

    var resolved: [Alert] {
        news.compactMap { news in
            if case .alertResolved(let alert) = news { alert } else { nil }
        }
    }

    private func nextDue() -> Instant? {
        (timers.values.map { $0 } + runs.values.map(\.due)).min()
    }

    private mutating func fire(due: Instant) {
        if let run = runs.filter({ $0.value.due == due }).keys.min(by: { $0.value < $1.value }),
            let outcome = runs.removeValue(forKey: run)?.outcome
        {
            carryOut(machine.probeEnded(run, outcome, now: now))
        } else if let timer = timers.filter({ $0.value == due }).keys.min(by: { $0.value < $1.value }) {
            timers[timer] = nil
            carryOut(machine.timerFired(timer, now: now))
        }
    }

    private mutating func carryOut(_ ordered: [HealthAction]) {
        actions += ordered
        for action in ordered {
            switch action {
            case .startTimer(let timer, let delay):
                timers[timer] = now.instant + delay
            case .stopTimer(let timer):
                timers[timer] = nil
            case .startProbe(let run, let check, _, _):
                probesStarted.append((check, now.instant))
                switch answers[check.name] ?? .good {
                case .never: break
                case .after(let delay, let verdict, let message):
                    runs[run] = (now.instant + delay, ProbeOutcome(verdict, message, latency: delay))
                }
            case .abandonProbe(let run):
                abandoned += 1
                runs[run] = nil
            case .tell, .keepService, .keepAlert:
                break
            }
        }
    }
}

extension CheckConfig {
    /// A TCP check each second with a second's patience.
    static func tcp(
        _ name: String, dependency: String? = nil, isCritical: Bool = true, retries: Int = 0,
        thresholds: Thresholds = Thresholds(success: 1, failure: 2)
    ) -> CheckConfig {
        CheckConfig(
            name: name, probe: .tcp(TCPProbe(host: "127.0.0.1", port: 1)), dependency: dependency,
            isCritical: isCritical, interval: .seconds(1), timeout: .milliseconds(500), retries: retries,
            thresholds: thresholds)
    }
}

extension HealthConfig {
    /// A gateway that needs postgres and can do without redis.
    static let gateway = HealthConfig(services: [
        ServiceConfig(
            name: "gateway",
            checks: [
                .tcp("http"), .tcp("latency", isCritical: false), .tcp("postgres", dependency: "postgres"),
                .tcp("redis", dependency: "redis"),
            ],
            dependencies: [DependencyConfig("postgres"), DependencyConfig("redis", isEssential: false)])
    ])
}
