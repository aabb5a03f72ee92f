import ConfigAPI
import HealthAPI
import HealthCore
import Time
import WatchdogCore

/// healthd in the simulated world: the real machine, with probes of simulated units and of the simulated database.
final class SimulatedHealth {
    private let timeline: Timeline
    private let host: SimulatedHost
    private let units: [String: SimulatedUnit]
    private let config: HealthConfig
    private var random: SeededRandom
    private var machine: HealthMachine?
    private var life = 0
    private var isStopped = false
    private var waiting: [() -> Void] = []
    private var live: Set<TimerID> = []
    private var running: Set<RunID> = []
    private var kept: [String: KeptService] = [:]
    private var keptAlerts: [String: Alert] = [:]

    /// What subscribers and the journal are told.
    var onNews: (HealthNews) -> Void = { _ in }
    /// A service's dependencies that are down, as watchdogd hears of them; nil when healthd went silent.
    var onDependencies: (_ service: String, _ down: [String]?) -> Void = { _, _ in }

    /// Its word on a change on trial.
    var onWord: (_ change: Int64, SimulatedWatchdog.Word) -> Void = { _, _ in }
    private var commitJudge: CommitJudge?

    init(
        timeline: Timeline, host: SimulatedHost, units: [String: SimulatedUnit], config: HealthConfig,
        random: SeededRandom
    ) {
        self.timeline = timeline
        self.host = host
        self.units = units
        self.config = config
        self.random = random
    }

    var isRunning: Bool { machine != nil && !isStopped }

    /// Each service's status, as `status` tells it.
    var status: HealthdStatus? { machine?.status }

    // MARK: The daemon's life

    func start() {
        life += 1
        let keptHealth = KeptHealth(
            services: kept.values.sorted { $0.service < $1.service },
            alerts: keptAlerts.values.sorted { $0.id < $1.id })
        machine = HealthMachine(config: config, kept: keptHealth, now: timeline.moment, random: random.split())
        act { $0.started(now: self.timeline.moment) }
        tellDependencies()
        commitJudge = CommitJudge(exportsFigures: true)
    }

    // MARK: Changes on trial

    /// What configd tells of the gateway's.
    func trialSeen(_ pending: ConfigPending?) {
        let wasIdle = commitJudge?.isIdle ?? true
        judge { [self] in $0.changeSeen(pending, status: gatewayStatus, now: timeline.moment) }
        if wasIdle, commitJudge?.isIdle == false { tickJudge(life) }
    }

    private var gatewayStatus: ServiceHealth { machine?.status(of: "gateway") ?? .unknown }

    private func tickJudge(_ life: Int) {
        timeline.after(.seconds(2)) { [self] in
            guard life == self.life, commitJudge?.isIdle == false else { return }
            judge { [self] in $0.statusSeen(gatewayStatus, now: timeline.moment) }
            judge { [self] in $0.ticked(now: timeline.moment) }
            tickJudge(life)
        }
    }

    private func judge(_ event: (inout CommitJudge) -> [CommitJudge.Action]) {
        guard isRunning, var judge = commitJudge else { return }
        let actions = event(&judge)
        commitJudge = judge
        for action in actions {
            switch action {
            case .measure(let change, let before, let after):
                self.judge { [self] in
                    $0.measured(change, served(before: before, after: after), now: timeline.moment)
                }
            case .confirm(let change, _): onWord(change, .confirm)
            case .cancel(let change, let reason): onWord(change, .cancel(why: reason))
            case .tell: break
            }
        }
    }

    /// As metricsd would tell it: 10 ms before, and as the process is since it was brought to the change.
    private func served(before: ClosedRange<Int64>, after: ClosedRange<Int64>) -> CommitJudge.Sight {
        let process = units["gateway"]?.process
        let isServing = process?.serves(now: timeline.now) ?? false
        let slices = stride(from: after.lowerBound, through: after.upperBound - 5000, by: 5000).map {
            ServedFigures(
                fromMs: $0, toMs: $0 + 5000, requests: isServing ? 325 : 0, errors: 0,
                p95Ms: process?.isSlow ?? false ? 40 : 10)
        }
        return .seen(
            before: ServedFigures(
                fromMs: before.lowerBound, toMs: before.upperBound, requests: 7800, errors: 0, p95Ms: 10),
            after: slices)
    }

    func dies() {
        machine = nil
        commitJudge = nil
        isStopped = false
        waiting = []
        live = []
        running = []
        life += 1
        goesSilent()
    }

    func stops() {
        isStopped = true
        timeline.after(.seconds(1)) { [self] in if isStopped { goesSilent() } }
    }

    private func goesSilent() {
        for service in config.services { onDependencies(service.name, nil) }
    }

    /// watchdogd connects again after its own restart: it hears how things stand.
    func tellDependencies() {
        guard isRunning, let machine else { return }
        for service in config.services {
            guard let gate = try? machine.gate(service.name, now: timeline.moment) else { continue }
            onDependencies(service.name, gate.dependency.map { [$0] } ?? [])
        }
    }

    private func act(_ body: @escaping (inout HealthMachine) -> [HealthAction]) {
        guard var current = machine else { return }
        guard !isStopped else {
            waiting.append { [self] in act(body) }
            return
        }
        machine = nil
        let actions = body(&current)
        machine = current
        var isTold = false
        for action in actions { perform(action, &isTold) }
        if isTold { tellDependencies() }
    }

    // MARK: Effects

    private func perform(_ action: HealthAction, _ isTold: inout Bool) {
        switch action {
        case .startTimer(let timer, let delay):
            live.insert(timer)
            let life = life
            timeline.after(delay + host.timerDelay) { [self] in
                guard life == self.life, live.remove(timer) != nil else { return }
                act { $0.timerFired(timer, now: self.timeline.moment) }
            }
        case .stopTimer(let timer): live.remove(timer)
        case .startProbe(let run, let check, _, _):
            running.insert(run)
            probe(run, check)
        case .abandonProbe(let run): running.remove(run)
        case .tell(let news):
            onNews(news)
            isTold = true
        case .keepService(let service): if !host.diskIsFull { kept[service.service] = service }
        case .keepAlert(let alert): if !host.diskIsFull { keptAlerts[alert.id] = alert }
        }
    }

    private func probe(_ run: RunID, _ check: CheckID) {
        guard let (outcome, delay) = outcome(of: check) else { return }
        let life = life
        timeline.after(delay) { [self] in
            guard life == self.life, running.remove(run) != nil else { return }
            act { $0.probeEnded(run, outcome, now: self.timeline.moment) }
        }
    }

    private func outcome(of check: CheckID) -> (ProbeOutcome, Duration)? {
        if check.name == Simulation.databaseCheck {
            return host.databaseIsDown
                ? (ProbeOutcome(.critical, "connection refused"), .milliseconds(1))
                : (ProbeOutcome(.ok, "connected", latency: .milliseconds(1)), .milliseconds(1))
        }
        guard let (result, delay) = units[check.service]?.process?.answer(now: timeline.now) else {
            return units[check.service]?.process == nil
                ? (ProbeOutcome(.critical, "connection refused"), .milliseconds(1)) : nil
        }
        switch result {
        case .good(let detail): return (ProbeOutcome(.ok, detail, latency: delay), delay)
        case .wrong(let detail): return (ProbeOutcome(.critical, detail, latency: delay), delay)
        case .refused: return (ProbeOutcome(.critical, "connection refused"), delay)
        case .notSent(let reason): return (ProbeOutcome(.unknown, reason), delay)
        }
    }
}
