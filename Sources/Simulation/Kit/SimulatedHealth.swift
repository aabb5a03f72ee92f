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
    }

    func dies() {
        machine = nil
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
