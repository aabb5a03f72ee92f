import Time
import WatchdogAPI
import WatchdogCore

/// watchdogd in the simulated world: the real core, with effects on simulated units. It can be killed and come back, with
/// what its disk kept; stopped; and its disk can be full.
final class SimulatedWatchdog {
    private let timeline: Timeline
    private let units: [String: SimulatedUnit]
    private let settings: [String: GuardSettings]
    private let host: SimulatedHost
    private var random: SeededRandom
    private var core: WatchdogCore?
    /// One for each life of the daemon: effects of an earlier life reach nobody.
    private var life = 0
    /// While stopped (SIGSTOP), what arrives is lost: systemd kills it before it goes on.
    private var isStopped = false
    private var live: Set<LiveTimer> = []
    private var probes: [ProbeKey: ProcessIdentity?] = [:]

    /// A change of a unit has been read after this long at the latest.
    private static let slowestView: Duration = .milliseconds(5)

    /// Timer ids are unique within one service only.
    private struct LiveTimer: Hashable {
        var timer: TimerID
        var service: String
    }

    /// Probe ids are unique within one service only.
    private struct ProbeKey: Hashable, Comparable {
        var service: String
        var probe: ProbeID

        static func < (left: ProbeKey, right: ProbeKey) -> Bool {
            (left.service, left.probe) < (right.service, right.probe)
        }
    }

    /// What the disk holds.
    private var kept: [String: GuardMemory] = [:]
    private(set) var incidents: [String: IncidentRecord] = [:]

    /// Every order, as it is given: what invariants and the digest look at.
    var onOrder: (Order) -> Void = { _ in }

    /// What it says to configd of a change on trial.
    enum Word: Hashable {
        case activated(invocation: String)
        case cancel(why: String)
        /// healthd's alone.
        case confirm
    }

    /// A word for configd.
    var onWord: (_ service: String, _ change: Int64, Word) -> Void = { _, _, _ in }

    /// A start that was ordered has ended, well or not, whether or not anybody still waits for it.
    var onStartEnded: (String) -> Void = { _ in }

    init(
        timeline: Timeline, host: SimulatedHost, units: [String: SimulatedUnit], settings: [String: GuardSettings],
        random: SeededRandom
    ) {
        self.timeline = timeline
        self.host = host
        self.units = units
        self.settings = settings
        self.random = random
        for (name, unit) in units.sorted(by: { $0.key < $1.key }) {
            unit.onChange = { [unowned self] in unitChanged(name) }
            unit.onForeignJobEnd = { [unowned self] in
                report(.foreignJobEnded, of: name, after: Self.slowestView + .milliseconds(1))
            }
            unit.onExit = { [unowned self] process in
                closeProbes(of: process)
                report(.processExited(process), of: name, after: .microseconds(60))
            }
        }
    }

    var isRunning: Bool { core != nil && !isStopped }

    // MARK: The daemon's life

    func start() {
        life += 1
        var core = WatchdogCore(services: settings)
        let orders = core.started(now: timeline.moment)
        self.core = core
        perform(orders)
        samplePressure(life)
    }

    /// KILL: what was not on disk is lost; the guarded services go on.
    func dies() {
        core = nil
        isStopped = false
        probes = [:]
        live = []
        life += 1
    }

    func stops() { isStopped = true }

    /// What an operator asks by the socket.
    func ask(_ event: GuardEvent, of service: String) {
        guard !isStopped else { return }
        let answer = try? core?.ask(event, of: service, now: timeline.moment)
        perform(answer?.orders ?? [])
    }

    /// What healthd's feed tells, or its silence.
    func report(_ event: GuardEvent, of service: String, after delay: Duration = .zero) {
        let life = life
        timeline.after(delay) { [self] in
            guard life == self.life, !isStopped else { return }
            perform(core?.handle(event, of: service, now: timeline.moment) ?? [])
        }
    }

    var status: WatchdogStatus? { core?.status(now: timeline.moment) }

    private func unitChanged(_ name: String) {
        let life = life
        let delay = Duration.microseconds(Int64.random(in: 200...Self.slowestView.milliseconds * 1000, using: &random))
        timeline.after(delay) { [self] in
            guard life == self.life, let unit = units[name] else { return }
            report(.unitSeen(unit.view), of: name)
        }
    }

    private func samplePressure(_ life: Int) {
        timeline.after(.seconds(2)) { [self] in
            guard life == self.life else { return }
            if !isStopped {
                perform(core?.pressureSeen(someAvg10: host.cpuPressure, now: timeline.moment) ?? [])
            }
            samplePressure(life)
        }
    }

    // MARK: Effects

    private func perform(_ orders: [Order]) {
        for order in orders {
            onOrder(order)
            perform(order.action, of: order.service)
        }
    }

    private func perform(_ action: GuardAction, of service: String) {
        switch action {
        case .setTimer(let timer, let after):
            live.insert(LiveTimer(timer: timer, service: service))
            fire(timer, of: service, after: after + host.timerDelay)
        case .cancelTimer(let timer): live.remove(LiveTimer(timer: timer, service: service))
        case .restoreMemory:
            let memory = kept[service]
            let open = memory?.openIncident.flatMap { incidents[$0] }
            report(.memoryRestored(memory, openIncident: open), of: service, after: .milliseconds(3))
        case .readUnit:
            let life = life
            timeline.after(.milliseconds(2)) { [self] in
                if life == self.life, let unit = units[service] { report(.unitSeen(unit.view), of: service) }
            }
        case .watchProcess(let process): watch(process, of: service)
        case .unwatchProcess: break
        case .startProbe(let probe): start(probe, of: service)
        case .abandonProbe(let probe): probes.removeValue(forKey: ProbeKey(service: service, probe: probe))
        case .sampleProgress(let process, _): sampleProgress(process, of: service)
        case .sampleResources(let process): sampleResources(process, of: service)
        case .collectEvidence(let incident, let process):
            let note = EvidenceNote(path: "evidence/\(incident)", bytes: 40_000, tookMs: 30, complete: true)
            _ = process
            report(.evidenceCollected(incident: incident, note), of: service, after: .milliseconds(30))
        case .drain(let call): report(.callFinished(call, .done), of: service, after: .seconds(1))
        case .killUnit(let call, let signal):
            units[service]?.kill(signal: signal)
            report(.callFinished(call, .done), of: service, after: .milliseconds(1))
        case .killProcess(let call, let process, let signal):
            if let unit = units[service], unit.process?.identity == process { unit.kill(signal: signal) }
            report(.callFinished(call, .done), of: service, after: .milliseconds(1))
        case .startUnit(let call):
            finish(call, of: service) { done in
                units[service]?.restart(ours: true) { [self] result in
                    onStartEnded(service)
                    done(result)
                }
            }
        case .stopUnit(let call): finish(call, of: service) { [self] in units[service]?.stop(ours: true, finished: $0) }
        case .reloadUnit(let call): report(.callFinished(call, .done), of: service, after: .milliseconds(10))
        case .tellActivated(let change, let invocation): onWord(service, change, .activated(invocation: invocation))
        case .cancelChange(let change, let why): onWord(service, change, .cancel(why: why))
        case .keepMemory(let memory): if !host.diskIsFull { kept[service] = memory }
        case .recordIncident(let record): if !host.diskIsFull { incidents[record.id] = record }
        case .announce: break
        }
    }

    private func fire(_ timer: TimerID, of service: String, after delay: Duration) {
        let life = life
        timeline.after(delay) { [self] in
            // One in 64 cancelled timers fires all the same, as a real one may that was under way: the core must know.
            guard life == self.life else { return }
            let wasLive = live.remove(LiveTimer(timer: timer, service: service)) != nil
            guard wasLive || random.next() & 63 == 0 else { return }
            report(.timerFired(timer), of: service)
        }
    }

    private func finish(_ call: CallID, of service: String, _ body: (@escaping (CallResult) -> Void) -> Void) {
        let life = life
        body { [self] result in
            guard life == self.life else { return }
            report(.callFinished(call, result), of: service, after: .milliseconds(1))
        }
    }

    private func watch(_ process: ProcessIdentity, of service: String) {
        guard let unit = units[service] else { return }
        if unit.process?.identity != process || unit.process?.isDead ?? true {
            report(.processExited(process), of: service, after: .microseconds(60))
        }
    }

    private func start(_ probe: ProbeID, of service: String) {
        let key = ProbeKey(service: service, probe: probe)
        let process = units[service]?.process
        probes[key] = .some(process?.identity)
        guard let process, !process.isDead else { return finish(key, .refused, after: .milliseconds(1)) }
        if let (result, delay) = process.answer(now: timeline.now) {
            finish(key, result, after: delay, from: process)
        }
        // No answer now: the kernel has taken the connection, and it is answered should the process come to itself.
    }

    /// Answers probes that waited for a process which serves again.
    func recovered(_ service: String) {
        guard let process = units[service]?.process else { return }
        for key in waitingProbes(on: process.identity) where key.service == service {
            if let (result, delay) = process.answer(now: timeline.now) {
                finish(key, result, after: delay, from: process)
            }
        }
    }

    private func finish(_ key: ProbeKey, _ result: ProbeResult, after: Duration, from process: SimulatedProcess? = nil)
    {
        timeline.after(after) { [self] in
            if let process, process.isDead { return }
            guard probes.removeValue(forKey: key) != nil else { return }
            report(.probeFinished(key.probe, result), of: key.service)
        }
    }

    private func closeProbes(of process: ProcessIdentity) {
        for key in waitingProbes(on: process) {
            finish(key, .wrong(detail: "closed without an answer"), after: .microseconds(50))
        }
    }

    private func waitingProbes(on process: ProcessIdentity) -> [ProbeKey] {
        probes.filter { $0.value == process }.keys.sorted()
    }

    private func sampleProgress(_ process: ProcessIdentity, of service: String) {
        timeline.after(.microseconds(300)) { [self] in
            if let unit = units[service]?.process, unit.identity == process,
                let sample = unit.sample(now: timeline.now)
            {
                report(.progressSampled(sample), of: service)
            } else {
                report(.sampleFailed(process), of: service)
            }
        }
    }

    private func sampleResources(_ process: ProcessIdentity, of service: String) {
        timeline.after(.microseconds(300)) { [self] in
            guard let unit = units[service]?.process, unit.identity == process,
                let progress = unit.sample(now: timeline.now)
            else { return report(.sampleFailed(process), of: service) }
            let sample = ResourceSample(
                process: process, taken: timeline.now, residentBytes: 80 << 20, processCpuMs: progress.processCpuMs,
                openFiles: 40, openFilesLimit: 1024)
            report(.resourcesSampled(sample), of: service)
        }
    }
}
