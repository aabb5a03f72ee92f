import Time
import WatchdogCore

/// One process of a simulated service: what ails it, and the counters that /proc would show for it.
final class SimulatedProcess {
    /// What is wrong with it. One at a time; each is what a real process was measured to look like (FACTS §4).
    enum Ailment: Hashable {
        case none
        /// The main thread spins: no calls, all CPU.
        case spinning
        /// The main thread spins and a worker is busy with calls: the process's `io` moves, the main thread's does not.
        case spinningBesideWorker
        /// The main thread waits in a synchronous call.
        case blocked
        /// SIGSTOP.
        case stopped
        /// The main thread spins and writes a log: calls without service.
        case livelocked
        /// More work than it can do: answers come, late.
        case saturated
        /// Answers at once, with errors.
        case failing
        /// Answers at once, with errors, for as long as the database is down.
        case withoutDatabase
        /// A long collection of garbage: no progress for less than two windows.
        case pausing
    }

    /// How long each answer of a saturated service takes (measured: 2.35 s with 40 clients, 6.0 s with 100).
    static let saturatedLatency: Duration = .milliseconds(2350)
    private static let healthyLatency: Duration = .milliseconds(4)

    let identity: ProcessIdentity
    let startedAt: Instant
    let readyAt: Instant
    private(set) var ailment = Ailment.none
    private(set) var isDead = false
    /// Serves everybody, four times as slowly as it should: no probe sees that.
    var isSlow = false
    /// Dead, and not yet reaped.
    var isZombie = false
    private var countedAt: Instant
    private var readCalls = 0.0
    private var writeCalls = 0.0
    private var cpuMs = 0.0
    private var switches = 0.0
    private var otherCpuMs = 0.0

    init(identity: ProcessIdentity, startedAt: Instant, startTime: Duration) {
        self.identity = identity
        self.startedAt = startedAt
        readyAt = startedAt + startTime
        countedAt = startedAt
    }

    func becomes(_ ailment: Ailment, now: Instant) {
        count(now)
        self.ailment = ailment
    }

    func dies(now: Instant) {
        count(now)
        isDead = true
    }

    /// Whether it serves its users, well or late.
    func serves(now: Instant) -> Bool {
        guard !isDead, now >= readyAt else { return false }
        switch ailment {
        case .none, .saturated: return true
        case .spinning, .spinningBesideWorker, .blocked, .stopped, .livelocked, .failing, .withoutDatabase, .pausing:
            return false
        }
    }

    /// Whether SIGTERM reaches a handler that ends it.
    var heedsTerm: Bool {
        switch ailment {
        case .none, .saturated, .failing, .withoutDatabase: true
        case .spinning, .spinningBesideWorker, .blocked, .stopped, .livelocked, .pausing: false
        }
    }

    /// What a probe sent now comes to: the answer and how long it takes; nil where none will come while this lasts.
    func answer(now: Instant) -> (result: ProbeResult, after: Duration)? {
        if isDead || now < readyAt { return (.refused, .milliseconds(1)) }
        switch ailment {
        case .none: return (.good(detail: "200"), Self.healthyLatency)
        case .saturated: return (.good(detail: "200"), Self.saturatedLatency)
        case .failing: return (.wrong(detail: "500 Internal Server Error"), Self.healthyLatency)
        case .withoutDatabase: return (.wrong(detail: "503 Service Unavailable"), Self.healthyLatency)
        case .spinning, .spinningBesideWorker, .blocked, .stopped, .livelocked, .pausing: return nil
        }
    }

    /// Its counters now; nil where there is no such process any more.
    func sample(now: Instant) -> ProgressSample? {
        if isDead && !isZombie { return nil }
        count(now)
        return ProgressSample(
            process: identity, taken: now, state: state(now), threads: isDead ? 1 : 11, readCalls: Int64(readCalls),
            writeCalls: Int64(writeCalls), userCpuMs: Int64(cpuMs), kernelCpuMs: 0,
            processCpuMs: Int64(cpuMs + otherCpuMs), voluntarySwitches: Int64(switches))
    }

    private func state(_ now: Instant) -> Character {
        if isDead { return "Z" }
        switch ailment {
        case .stopped: return "T"
        case .spinning, .spinningBesideWorker, .livelocked, .saturated, .pausing: return "R"
        case .none, .failing, .withoutDatabase, .blocked: return "S"
        }
    }

    private struct Rate {
        var calls = 0.0
        var cpu = 0.0
        var switches = 0.0
        var otherCpu = 0.0
    }

    /// A second's worth of each counter: of the magnitudes of FACTS §4.
    private var rate: Rate {
        switch ailment {
        case .none, .failing, .withoutDatabase: Rate(calls: 130, cpu: 60, switches: 65, otherCpu: 5)
        case .saturated: Rate(calls: 80, cpu: 990, switches: 20, otherCpu: 5)
        case .spinning, .pausing: Rate(cpu: 1000)
        case .spinningBesideWorker: Rate(cpu: 1000, otherCpu: 900)
        case .livelocked: Rate(calls: 1_000_000, cpu: 1000)
        case .blocked, .stopped: Rate()
        }
    }

    private func count(_ now: Instant) {
        let seconds = (now - countedAt).inSeconds
        countedAt = now
        guard !isDead else { return }
        let rate = rate
        readCalls += rate.calls * 0.6 * seconds
        writeCalls += rate.calls * 0.4 * seconds
        cpuMs += rate.cpu * seconds
        switches += rate.switches * seconds
        otherCpuMs += rate.otherCpu * seconds
    }
}
