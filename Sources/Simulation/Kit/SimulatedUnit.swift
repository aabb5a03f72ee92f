import Time
import WatchdogAPI
import WatchdogCore

/// One guarded unit and the part of systemd that keeps it, with the drop-in that every guarded unit has: `Restart=always`,
/// `RestartSec=15s`, no start limit.
final class SimulatedUnit {
    /// RestartSec of the drop-in.
    static let restartDelay: Duration = .seconds(15)
    /// TimeoutStopSec: SIGKILL this long after a SIGTERM that was not heeded.
    private static let stopTimeout: Duration = .seconds(90)
    /// From the job to the process: fork, exec, cgroup.
    private static let spawnTime: Duration = .milliseconds(20)

    let name: String
    private let timeline: Timeline
    private var random: SeededRandom
    private let startTime: Duration
    private(set) var process: SimulatedProcess?
    /// Ends a fresh process a moment after its start, as a bad configuration does.
    var crashesAtStart = false
    /// A dead process stays a zombie for this long, as where process 1 reaps slowly.
    var zombieTime: Duration = .zero

    /// The unit changed: what PropertiesChanged would tell.
    var onChange: () -> Void = {}
    /// A process died: what its pidfd would tell.
    var onExit: (ProcessIdentity) -> Void = { _ in }
    /// A job that was not watchdogd's has left the unit: what JobRemoved would tell.
    var onForeignJobEnd: () -> Void = {}
    /// A process was started, and by whom.
    var onSpawn: (_ ours: Bool) -> Void = { _ in }

    private enum Phase: Hashable {
        case running
        case stopping
        case dead
        case waitingToRestart
    }

    private var phase = Phase.dead
    private var job: UnitView.Job?
    private var plannedRestart: UInt64 = 0
    private var lastPid: Int32 = 1000
    private var result = "success"

    init(name: String, timeline: Timeline, startTime: Duration, random: SeededRandom) {
        self.name = name
        self.timeline = timeline
        self.startTime = startTime
        self.random = random
    }

    // MARK: What can be seen

    var view: UnitView {
        let main = process.flatMap { $0.isDead ? nil : $0 }
        var view = UnitView(
            active: .inactive, sub: "dead", main: main?.identity, mainStartedAt: main?.startedAt, job: job,
            result: result)
        switch phase {
        case .running: (view.active, view.sub) = (.active, "running")
        case .stopping: (view.active, view.sub) = (.deactivating, "stop-sigterm")
        case .dead: (view.active, view.sub) = (.inactive, "dead")
        case .waitingToRestart: (view.active, view.sub) = (.activating, "auto-restart")
        }
        return view
    }

    /// Whether its process lives.
    var hasProcess: Bool { process.map { !$0.isDead } ?? false }

    /// Whether somebody stopped the unit and nobody started it again.
    var isDown: Bool { phase == .dead }

    func serves(now: Instant) -> Bool { process?.serves(now: now) ?? false }

    // MARK: Jobs

    /// RestartUnit with mode `replace`: a start where the unit is dead.
    func restart(ours: Bool, finished: @escaping (CallResult) -> Void = { _ in }) {
        job = UnitView.Job(kind: "restart", ours: ours)
        plannedRestart += 1
        onChange()
        endProcess { [self] in spawn(ours: ours, finished: finished) }
    }

    /// StopUnit: also cancels a planned restart.
    func stop(ours: Bool, finished: @escaping (CallResult) -> Void = { _ in }) {
        job = UnitView.Job(kind: "stop", ours: ours)
        plannedRestart += 1
        onChange()
        endProcess { [self] in
            phase = .dead
            job = nil
            onChange()
            if !ours { onForeignJobEnd() }
            finished(.done)
        }
    }

    /// StartUnit of a unit that is down.
    func start() {
        guard phase == .dead else { return }
        job = UnitView.Job(kind: "start", ours: false)
        onChange()
        spawn(ours: false) { _ in }
    }

    /// SIGTERM and, where it is not heeded, SIGKILL; then `done`.
    private func endProcess(_ done: @escaping () -> Void) {
        guard let process, !process.isDead else { return done() }
        phase = .stopping
        let wait = process.heedsTerm ? .milliseconds(120) : Self.stopTimeout
        let watched = process.identity
        timeline.after(wait) { [self] in
            if self.process?.identity == watched, !process.isDead { dies(process, result: "signal", restarts: false) }
            done()
        }
    }

    private func spawn(ours: Bool, finished: @escaping (CallResult) -> Void) {
        let order = plannedRestart
        timeline.after(Self.spawnTime) { [self] in
            // Another job has replaced this one meanwhile.
            guard order == plannedRestart, process?.isDead ?? true else { return finished(.failed("canceled")) }
            lastPid += 1
            let jitter = Duration.nanoseconds(Int64.random(in: 0..<200_000_000, using: &random))
            let fresh = SimulatedProcess(
                identity: ProcessIdentity(pid: lastPid, startTicks: UInt64(timeline.now.nanoseconds / 10_000_000)),
                startedAt: timeline.now, startTime: startTime + jitter)
            process = fresh
            phase = .running
            result = "success"
            job = nil
            onSpawn(ours)
            onChange()
            if !ours { onForeignJobEnd() }
            finished(.done)
            if crashesAtStart {
                timeline.after(.milliseconds(150)) { [self] in exit(fresh, result: "exit-code") }
            }
        }
    }

    // MARK: Deaths

    /// KillUnit or a signal: SIGKILL ends it in any state.
    func kill(signal: KillSignal) {
        guard let process, !process.isDead else { return }
        switch signal {
        case .SIGKILL: timeline.after(.milliseconds(2)) { [self] in exit(process, result: "signal") }
        case .SIGTERM, .SIGINT, .SIGQUIT, .SIGABRT, .SIGHUP, .SIGUSR1, .SIGUSR2:
            guard process.heedsTerm else { return }
            timeline.after(.milliseconds(120)) { [self] in exit(process, result: "signal") }
        }
    }

    /// The process ends by itself or by a signal that was no job of systemd's.
    func exit(_ process: SimulatedProcess, result: String) {
        guard process.identity == self.process?.identity, !process.isDead else { return }
        dies(process, result: result, restarts: phase == .running)
    }

    private func dies(_ process: SimulatedProcess, result: String, restarts: Bool) {
        process.dies(now: timeline.now)
        process.isZombie = zombieTime > .zero
        self.result = result
        onExit(process.identity)
        timeline.after(zombieTime) { [self] in
            process.isZombie = false
            guard restarts, self.process?.identity == process.identity, phase == .running else { return }
            phase = .waitingToRestart
            plannedRestart += 1
            let order = plannedRestart
            onChange()
            timeline.after(Self.restartDelay) { [self] in
                guard order == plannedRestart, phase == .waitingToRestart else { return }
                spawn(ours: false) { _ in }
            }
        }
    }
}
