import Time
import WatchdogAPI
import WatchdogCore

/// A service as the kernel and systemd would show it: a process that behaves in one of many ways, its counters, its
/// unit. Small on purpose; the whole world is the simulator's.
struct FakeService {
    enum Behaviour: Hashable {
        /// Answers after so many milliseconds.
        case serving(latencyMs: Int64)
        /// The same with 40 clients: busy all the time, and late.
        case saturated(latencyMs: Int64)
        case wrong
        case refusing
        case spinning
        case spinningBesideWorker
        /// Spins and writes a log.
        case storming
        case blocked
        case stopped
        /// A debugger holds it.
        case debugged
        /// A full collection on several threads: as spinning, with busy threads beside it.
        case collecting
        /// As serving, by calls that the counters do not show (recv, send, io_uring).
        case servingUnseen(latencyMs: Int64)
        /// As serving, by other threads than the main one.
        case servingElsewhere(latencyMs: Int64)
        /// As servingElsewhere, saturated: nothing to be seen of the main thread, and late.
        case saturatedElsewhere(latencyMs: Int64)

        var latencyMs: Int64? {
            switch self {
            case .serving(let ms), .saturated(let ms), .servingUnseen(let ms), .servingElsewhere(let ms),
                .saturatedElsewhere(let ms):
                ms
            case .wrong: 2
            case .refusing, .spinning, .spinningBesideWorker, .storming, .blocked, .stopped, .debugged, .collecting: nil
            }
        }

        /// Of the main thread, a second: read calls, write calls, user ms, kernel ms, others' ms, voluntary switches.
        var rates: (Int64, Int64, Int64, Int64, Int64, Int64) {
            switch self {
            case .serving, .wrong: (60, 50, 100, 50, 20, 80)
            case .saturated: (98, 66, 900, 100, 30, 2)
            case .refusing: (0, 0, 0, 0, 0, 1)
            case .spinning: (0, 0, 1000, 0, 0, 0)
            case .spinningBesideWorker: (0, 0, 1000, 0, 1000, 0)
            case .storming: (0, 1_000_000, 300, 700, 0, 0)
            case .blocked, .stopped, .debugged: (0, 0, 0, 0, 0, 0)
            case .collecting: (0, 0, 900, 50, 1800, 40)
            case .servingUnseen: (0, 0, 50, 60, 10, 60)
            case .servingElsewhere: (0, 0, 0, 0, 200, 0)
            case .saturatedElsewhere: (0, 0, 0, 0, 2000, 0)
            }
        }

        var letter: Character {
            switch self {
            case .saturated, .spinning, .spinningBesideWorker, .storming, .collecting: "R"
            case .stopped: "T"
            case .debugged: "t"
            case .serving, .wrong, .refusing, .blocked, .servingUnseen, .servingElsewhere, .saturatedElsewhere: "S"
            }
        }
    }

    var behaviour: Behaviour = .serving(latencyMs: 5)
    /// How a process behaves once it is up.
    var afterStart: Behaviour = .serving(latencyMs: 5)
    var startMs: Int64 = 300
    /// It ends by itself so many milliseconds after each start.
    var crashesAfterMs: Int64?
    var endsAtTerm = true
    var endsAtKill = true
    var systemdAnswers = true
    /// The zombie stays, and systemd goes on showing it as running.
    var isReaped = true

    var process: ProcessIdentity?
    var mainStartedAt: Instant = .zero
    var upAt: Instant = .zero
    var active = UnitView.Active.inactive
    var sub = "dead"
    var result = "success"
    var exitCode: Int32?
    var exitSignal: Int32?
    var job: UnitView.Job?
    /// `Restart=` of its unit.
    var restart = "always"
    var openProbes: [(id: ProbeID, sent: Instant)] = []
    var starts = 0
    private var nextPid: Int32 = 100
    private var counters: (Int64, Int64, Int64, Int64, Int64, Int64) = (0, 0, 0, 0, 0, 0)
    private var countedTo: Instant = .zero
    private var zombie: ProcessIdentity?

    var view: UnitView {
        UnitView(
            active: active, sub: sub, main: process ?? zombie, mainStartedAt: process == nil ? nil : mainStartedAt,
            job: job, restart: restart, result: result, exitCode: exitCode, exitSignal: exitSignal)
    }

    mutating func begin(at now: Instant, up: Bool = false) {
        let pid = nextPid
        nextPid += 1
        starts += 1
        process = ProcessIdentity(pid: pid, startTicks: UInt64(pid) * 10)
        mainStartedAt = now
        upAt = up ? now : now + .milliseconds(startMs)
        behaviour = afterStart
        counters = (0, 0, 0, 0, 0, 0)
        countedTo = now
        zombie = nil
        active = .active
        sub = "running"
        result = "success"
        exitCode = nil
        exitSignal = nil
        job = nil
    }

    /// The process ends; systemd plans to restart it.
    mutating func end(code: Int32?, signal: Int32?, restarts: Bool = true) -> ProcessIdentity? {
        guard let ended = process else { return nil }
        process = nil
        openProbes = []
        exitCode = code
        exitSignal = signal
        if !isReaped {
            zombie = ended
        } else if restarts {
            active = .activating
            sub = "auto-restart"
            result = signal == nil ? "exit-code" : "signal"
        } else {
            active = .inactive
            sub = "dead"
        }
        return ended
    }

    mutating func count(to now: Instant) {
        let ms = (now - countedTo).milliseconds
        countedTo = now
        let rates = behaviour.rates
        counters.0 += rates.0 * ms / 1000
        counters.1 += rates.1 * ms / 1000
        counters.2 += rates.2 * ms / 1000
        counters.3 += rates.3 * ms / 1000
        counters.4 += rates.4 * ms / 1000
        counters.5 += rates.5 * ms / 1000
    }

    mutating func sample(at now: Instant) -> ProgressSample? {
        guard let process else { return nil }
        count(to: now)
        return ProgressSample(
            process: process, taken: now, state: behaviour.letter, threads: 11, readCalls: counters.0,
            writeCalls: counters.1, userCpuMs: counters.2, kernelCpuMs: counters.3,
            processCpuMs: counters.2 + counters.3 + counters.4, voluntarySwitches: counters.5,
            tracerPid: behaviour == .debugged ? 4242 : 0, acceptQueue: 0)
    }
}
