import ConfigAPI
package import HealthAPI
import HealthCore
package import Runtime
package import Settings
package import Time
import Wire

/// healthd: runs the machine's orders and answers its socket. It decides nothing.
@Loop package final class Healthd: DaemonProgram {
    package nonisolated static let name = "healthd"
    /// What it publishes, all of its API.
    package nonisolated static let events = HealthEvents.all

    private let context: DaemonContext
    private let probes: Probes
    private let store: HealthStore
    private let configd: Peer
    private let metricsd: Peer
    private lazy var judging = Judging(
        context, configd: configd, metricsd: metricsd, settings: settings,
        status: { [unowned self] in machine.status(of: $0) })
    private lazy var corruption = Corruption(
        configd: configd, settings: settings,
        seen: { [unowned self] contents, file, service in
            perform(machine.setAsideSeen(contents, of: file, service: service, now: HostClock.now()))
        })
    private var machine: HealthMachine
    private var timers: [TimerID: LoopTimer] = [:]
    private var settings: AllSettings
    /// What was kept has been read, or could not be: the machine is the one that stays.
    private var isStarted = false
    /// Services that have figures.
    private var figured: Set<String> = []

    package init(_ context: DaemonContext, settings: AllSettings) throws {
        self.context = context
        self.settings = settings
        probes = Probes(context, limits: settings.mainstay.healthd)
        store = HealthStore(context)
        configd = context.peer("configd")
        metricsd = context.peer("metricsd")
        machine = Self.machine(settings, KeptHealth())
        probes.ended = { [weak self] run, outcome in
            guard let self else { return }
            perform(machine.probeEnded(run, outcome, now: HostClock.now()))
        }
        _ = judging
        registerReading()
        registerActing()
        context.figures.add("mainstay_health_open_commands", .gauge) { [probes] in Double(probes.openCommands) }
        context.figures.add("mainstay_health_store_failures_total", .counter) { [store] in Double(store.failures) }
    }

    /// The whole process, from flags to exit.
    package nonisolated static func run() -> Never { StartUp.run(Healthd.self) }

    private static func machine(_ settings: AllSettings, _ kept: KeptHealth) -> HealthMachine {
        HealthMachine(
            config: HealthConfig(settings), kept: kept, now: HostClock.now(),
            random: SeededRandom(seed: UInt64.random(in: .min ... .max)))
    }

    /// Reads what was kept, then plans every check; ready where the disk does not answer, too.
    package func start(started: @escaping @Loop () -> Void) {
        metricsd.start()
        store.load { [self] kept in
            machine = Self.machine(settings, kept)
            isStarted = true
            perform(machine.started(now: HostClock.now()))
            refreshFigures()
            followConfigd()
            started()
        }
    }

    /// One connection for both that hear configd.
    private func followConfigd() {
        configd.onGap = { [weak self] _ in
            self?.judging.ask()
            self?.corruption.ask()
        }
        configd.onEvent = { [weak self] event in
            self?.judging.told(event)
            self?.corruption.told(event)
        }
        perform(machine.filesDeclared(corruption.files, now: HostClock.now()))
        configd.follow(ConfigEvents.ofTrials + Corruption.events)
        configd.start()
    }

    /// Checks that stay as they are go on undisturbed.
    package func reload(_ settings: AllSettings) {
        self.settings = settings
        probes.limitsChanged(to: settings.mainstay.healthd)
        guard isStarted else { return }
        judging.reload(settings)
        perform(machine.settingsChanged(to: HealthConfig(settings), now: HostClock.now()))
        corruption.reload(settings)
        perform(machine.filesDeclared(corruption.files, now: HostClock.now()))
        refreshFigures()
    }

    /// Hands the tick to the machine, and answers how many events it has taken.
    package func tick(now: Moment) -> UInt64 {
        context.enterCore()
        perform(machine.ticked(now: now))
        return machine.eventsTaken
    }

    /// Services, checks and alerts, counted.
    package var own: HealthdStatus { machine.status }

    /// Closes every connection and kills every command, and ends when what was to be kept is kept. The start-up shape's own
    /// limit ends a wait for a stuck disk.
    package func stop(stopped: @escaping @Loop () -> Void) {
        for timer in timers.values { timer.cancel() }
        timers = [:]
        probes.stop()
        judging.stop()
        store.settled(stopped)
    }

    // MARK: Orders

    /// The one place where decisions become effects.
    private func perform(_ actions: [HealthAction]) {
        for action in actions {
            switch action {
            case .startTimer(let timer, let delay):
                timers[timer] = Loop.after(delay) { [weak self] in self?.fired(timer) }
            case .stopTimer(let timer):
                timers.removeValue(forKey: timer)?.cancel()
            case .startProbe(let run, let check, let probe, let timeout):
                probes.start(run, check, probe, timeout: timeout)
            case .abandonProbe(let run):
                probes.abandon(run)
            case .tell(let news):
                tell(news)
            case .keepService(let service):
                store.keep(service)
            case .keepAlert(let alert):
                store.keep(alert)
            }
        }
    }

    private func fired(_ timer: TimerID) {
        timers[timer] = nil
        perform(machine.timerFired(timer, now: HostClock.now()))
    }

    private func tell(_ news: HealthNews) {
        if let entry = HealthJournal.entry(for: news) { context.log.write(entry) }
        switch news {
        case .checkChanged(let change): context.publish(HealthEvents.checkChanged, change)
        case .statusChanged(let change):
            context.publish(HealthEvents.statusChanged, change)
            judging.statusChanged(change.service, change.status)
        case .alertRaised(let alert): context.publish(HealthEvents.alertRaised, alert)
        case .alertResolved(let alert): context.publish(HealthEvents.alertResolved, alert)
        case .incidentAliased: break  // For the journal's readers; subscribers see the incident in every event.
        }
    }

    // MARK: Methods

    private func registerReading() {
        let server = context.server
        server.on(Health.self) { [unowned self] params, _ throws(RPCError) in
            try machine.health(of: params.service, now: HostClock.now())
        }
        server.on(CheckApplicationHealth.self) { [unowned self] params, _ throws(RPCError) in
            try machine.health(of: params.service, now: HostClock.now())
        }
        server.on(CheckDependencyHealth.self) { [unowned self] params, _ throws(RPCError) in
            try machine.dependencies(of: params.service, now: HostClock.now())
        }
        server.on(Checks.self) { [unowned self] params, _ throws(RPCError) in try machine.list(params) }
        server.on(Alerts.self) { [unowned self] params, _ throws(RPCError) in try machine.list(params) }
        server.on(Gate.self) { [unowned self] params, _ throws(RPCError) in
            try machine.gate(params.service, now: HostClock.now())
        }
        server.onLater(GetResourceUsage.self) { [unowned self] params, _, responder throws(RPCError) in
            let query = UsageQuery(try machine.resolve(params.service)) { responder.succeed($0) }
            query.ask(metricsd, now: HostClock.now())
        }
    }

    /// Nothing may change a machine that is about to be replaced by the one that knows what was kept.
    private func mustBeStarted() throws(RPCError) {
        guard isStarted else { throw .internalError("healthd is still reading what it kept; try again in a moment") }
    }

    private func registerActing() {
        let server = context.server
        server.on(Raise.self) { [unowned self] params, _ throws(RPCError) in
            try mustBeStarted()
            let answer = try machine.peerRaised(params, source: "watchdogd", now: HostClock.now())
            perform(answer.actions)
            return answer.reply
        }
        server.on(ReportCheck.self) { [unowned self] params, _ throws(RPCError) in
            try mustBeStarted()
            let id = CheckID(service: params.service, name: params.name)
            let outcome = ProbeOutcome(params.status, params.message)
            perform(try machine.checkReported(id, outcome, now: HostClock.now()))
            return NoFields()
        }
        server.onLater(RegisterHealthCheck.self) { [unowned self] params, _, responder throws(RPCError) in
            try mustBeStarted()
            let check = RegisteredCheck(
                service: params.service, asked: params.check, config: try CheckConfig(registering: params.check))
            let replaced = try machine.mayRegister(check)
            store.register(params.check, of: params.service) { [self] result in
                if case .success = result { perform(machine.checkRegistered(check, now: HostClock.now())) }
                refreshFigures()
                responder.give(result.map { RegisterHealthCheck.Reply(replaced: replaced) })
            }
        }
        server.onLater(RemoveHealthCheck.self) { [unowned self] params, _, responder throws(RPCError) in
            try mustBeStarted()
            let id = CheckID(service: params.service, name: params.name)
            try machine.mayRemove(id)
            store.remove(id) { [self] result in
                if case .success = result { perform(machine.checkRemoved(id, now: HostClock.now())) }
                refreshFigures()
                responder.give(result.map { NoFields() })
            }
        }
    }

    // MARK: Figures

    /// Two series a check, under blackbox_exporter's names; NaN where nothing is known.
    private func refreshFigures() {
        let figures = context.figures
        for service in figured { figures.remove(where: "service", is: service) }
        let ids = machine.checkIDs
        figured = Set(ids.map(\.service))
        for id in ids {
            let labels = ["service": id.service, "check": id.name]
            figures.add("probe_success", labels: labels, .gauge) { [weak self] in
                switch self?.machine.result(of: id)?.status {
                case .ok, .warning: 1
                case .critical: 0
                case .unknown, nil: .nan
                }
            }
            figures.add("probe_duration_seconds", labels: labels, .gauge) { [weak self] in
                self?.machine.result(of: id)?.latencyMs.map { Double($0) / 1000 } ?? .nan
            }
        }
    }
}
