import DequeModule
import Glibc
package import Runtime
package import Settings
package import Systemd
package import Time
package import WatchdogAPI
import WatchdogCore
import Wire

/// watchdogd: feeds its core with what happens and carries out what the core orders. It decides nothing itself.
///
/// Four threads beside the loop: `bus` (process 1 and the ends of processes), `proc` (figures of the guarded
/// processes), `evidence` (what is kept before force; a thread of its own, since reading a sick process may block),
/// `store` (what outlives us). None is waited for: each answer is an event, and so is each missed deadline.
@Loop package final class WatchdogDaemon: DaemonProgram {
    package nonisolated static let name = "watchdogd"
    /// What it publishes, all of its API.
    package nonisolated static let events = WatchdogEvent.names

    let context: DaemonContext
    var core: WatchdogCore
    let control: any UnitControl
    let exits: ProcessExits
    let proc: Worker<ProcessReader>
    let evidence: Worker<Void>
    let store: Worker<Records>
    let probes = Probes()
    let hooks: Hooks
    let health: HealthPeer
    let metrics: MetricsPeer
    let configuration: ConfigPeer
    let tally = Tally()
    var settings: AllSettings
    var guarded: [String: GuardedService] = [:]
    private var orders: Deque<Order> = []
    private var isCarryingOut = false
    private var handledEvents: UInt64 = 0
    /// Events that the core has handled since the start.
    var eventCount: UInt64 { handledEvents }
    private var pressurePercent: Double?
    private var hostReading: LoopRepeat?
    private(set) var storeTrouble: String?
    private var isDisconnectionTold = false

    /// How often the host's pressure is read (what the core asks for), and what a slow service has served.
    private static let hostInterval: Duration = .seconds(2)
    /// What a small read of /proc may take before the core goes on without it.
    nonisolated static let readDeadline: Duration = .seconds(1)

    /// The host has no thread or descriptor left.
    private struct NoThread: Error {}

    package convenience init(_ context: DaemonContext, settings: AllSettings) throws {
        guard let bus = EventThread(name: "bus") else { throw NoThread() }
        self.init(context, settings: settings, bus: bus, control: SystemdControl(thread: bus))
    }

    /// With a unit control of another kind: tests stand in for process 1.
    package init(_ context: DaemonContext, settings: AllSettings, bus: EventThread, control: any UnitControl) {
        self.context = context
        self.settings = settings
        self.control = control
        exits = ProcessExits(on: bus)
        hooks = Hooks(exits: exits, control: control)
        proc = context.worker(name: "proc", make: { ProcessReader() })
        evidence = context.worker(name: "evidence", limit: 64, make: {})
        let folder = context.places.state
        let kept = settings.mainstay.watchdogd
        store = context.worker(name: "store") {
            try Records(folder: folder, incidentsKept: kept.incidentsKept, bundlesKept: kept.evidence.kept)
        }
        health = HealthPeer(context.peer("healthd"))
        metrics = MetricsPeer(context.peer("metricsd"))
        configuration = ConfigPeer(context.peer("configd"))
        context.watchThread { now in Self.condition(of: bus, now: now) }
        for service in settings.services { guarded[service.name] = GuardedService(service) }
        core = WatchdogCore(host: .init(kept), services: [:])
        core = WatchdogCore(host: .init(kept), services: coreSettings())
        registerMethods()
        addFigures()
    }

    // MARK: The program's life

    /// The process: watchdogd's own `main`.
    package nonisolated static func run() -> Never {
        StartUp.run(WatchdogDaemon.self)
    }

    /// Begins to guard. It is ready at once: what is still to be read (memory, units) comes as events.
    package func start(started: @escaping @Loop () -> Void) {
        control.begin { [weak self] event in self?.heard(event) }
        health.start(
            services: { [weak self] in self?.guarded.keys.sorted() ?? [] },
            dependencies: { [weak self] service, down in self?.handle(.dependenciesSeen(down: down), of: service) },
            silent: { [weak self] in self?.dependenciesBecameUnknown() },
            alias: { [weak self] service, alias in self?.learnt(alias, of: service) })
        metrics.start()
        configuration.start(
            services: { [weak self] in self?.guarded.keys.sorted() ?? [] },
            seen: { [weak self] service, change in self?.handle(.changeSeen(change), of: service) })
        hostReading = Loop.every(Self.hostInterval) { [weak self] in
            self?.readPressure()
            self?.askWhatIsServed()
        }
        carryOut(core.started(now: HostClock.now()))
        handledEvents += 1
        started()
    }

    /// Services whose settings are gone are let go untouched, new ones are adopted.
    package func reload(_ settings: AllSettings) {
        self.settings = settings
        let own = settings.mainstay.watchdogd
        store.submit { $0.keepAtMost(incidents: own.incidentsKept, bundles: own.evidence.kept) }
        for (name, service) in guarded where settings.service(name) == nil { letGo(service) }
        // Another unit under the same name is another service: the old one is let go first.
        for service in settings.services {
            if let known = guarded[service.name], known.unit != service.unit { letGo(known) }
        }
        tellSettings()
        for service in settings.services {
            if let known = guarded[service.name] {
                known.settings = service
            } else {
                guarded[service.name] = GuardedService(service)
            }
        }
        tellSettings()
        configuration.ask()
    }

    /// Gives the core the host's pressure: proof that loop and core work, and that the core hears of the host.
    package func tick(now: Moment) -> UInt64 {
        context.enterCore()
        handledEvents += 1
        carryOut(core.pressureSeen(someAvg10: pressurePercent, now: now))
        return handledEvents
    }

    /// The core's own view of all services.
    package var own: WatchdogStatus { core.status(now: HostClock.now()) }

    /// Leaves every service as it is, and ends when what was to be written is written.
    package func stop(stopped: @escaping @Loop () -> Void) {
        hostReading?.cancel()
        // The services go on untouched; only what watches them ends.
        for service in guarded.values { service.cancelTimers() }
        // Behind what is to be written already. The start-up shape's own limit ends a wait for a stuck disk.
        store.submit(deadline: .seconds(4), { _ in }, then: { _ in stopped() })
    }

    private func tellSettings() {
        handledEvents += 1
        carryOut(core.settingsChanged(coreSettings(), now: HostClock.now()))
    }

    private func letGo(_ service: GuardedService) {
        guarded[service.name] = nil
        service.cancelTimers()
        probes.abandonAll(of: service.name)
        if let watched = service.watched { unwatch(watched) }
        control.forget(service.unit)
        context.log.write(
            .notice, "\(service.name): no longer guarded; it goes on untouched",
            fields: ["MAINSTAY_SERVICE": service.name])
    }

    private func coreSettings() -> [String: GuardSettings] {
        guarded.mapValues { coreSettings($0) }
    }

    private func coreSettings(_ service: GuardedService) -> GuardSettings {
        var meant = GuardSettings(
            service.settings, memoryBytes: service.memoryBytes ?? Self.hostMemoryBytes,
            openFiles: service.openFilesLimit, mayAct: !context.isDryRun)
        meant.evidenceTimeout = settings.mainstay.watchdogd.evidence.timeout
        return meant
    }

    private static let hostMemoryBytes = Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE)))

    // MARK: Events

    /// Tells the core, and carries out what it orders.
    func handle(_ event: GuardEvent, of service: String) {
        handledEvents += 1
        carryOut(core.handle(event, of: service, now: HostClock.now()))
    }

    /// An operator's wish; the reply, or the core's refusal.
    func ask(_ event: GuardEvent, of service: String) throws(RPCError) -> OperatorReply {
        handledEvents += 1
        let answer = try core.ask(event, of: service, now: HostClock.now())
        carryOut(answer.orders)
        return answer.reply
    }

    private func heard(_ event: UnitControlEvent) {
        switch event {
        case .unitSeen(let unit, let view, let controlGroup):
            for service in guarded.values where service.unit == unit {
                service.controlGroup = controlGroup
                service.main = view.main
                handle(.unitSeen(view), of: service.name)
            }
        case .foreignJobEnded(let unit):
            for service in guarded.values where service.unit == unit { handle(.foreignJobEnded, of: service.name) }
        case .unitUnreadable(let unit, let reason):
            for service in guarded.values where service.unit == unit {
                handle(.unitUnreadable(reason: reason), of: service.name)
            }
        case .managerSeen(let stopping):
            handledEvents += 1
            carryOut(core.managerSeen(stopping: stopping, now: HostClock.now()))
        case .connected(let route):
            isDisconnectionTold = false
            context.log.write(.info, "process 1 answers over \(route)")
        case .disconnected(let reason):
            // Once, however often it is tried again.
            guard !isDisconnectionTold else { return }
            isDisconnectionTold = true
            context.log.write(.warning, "no connection to process 1: \(reason)")
        }
    }

    /// What is seen of a process beside its figures. It is read with each of them: just after its start a process still
    /// belongs to root, until process 1 has given it its user.
    struct Sighting: Sendable {
        var resources: ResourceSample
        var owner: UInt32?
        var memoryLimit: Int64?
    }

    /// Who may send heartbeats, and what bounds in per cent are per cent of.
    func learnt(_ seen: Sighting, of service: GuardedService) {
        service.owner = seen.owner
        let before = (service.memoryBytes, service.openFilesLimit)
        service.memoryBytes = seen.memoryLimit
        service.openFilesLimit = seen.resources.openFilesLimit ?? service.openFilesLimit
        guard before != (service.memoryBytes, service.openFilesLimit) else { return }
        handle(.settingsChanged(coreSettings(service)), of: service.name)
    }

    private func dependenciesBecameUnknown() {
        for name in guarded.keys.sorted() { handle(.dependenciesUnknown, of: name) }
    }

    private func learnt(_ alias: String, of service: String) {
        guard let incident = guarded[service]?.incident, incident != alias else { return }
        context.log.write(Story.alias(alias, of: incident, service: service))
        handle(.aliasLearnt(alias), of: service)
    }

    private func readPressure() {
        proc.submit(deadline: Self.readDeadline) { _ in
            HostPressure.cpuSomeAvg10()
        } then: { [weak self] result in
            // What could not be read says nothing either way.
            self?.pressurePercent = (try? result.get()) ?? nil
        }
    }

    /// A service that is slow to answer may be serving all the same: the kernel tells what it writes to its clients,
    /// and where the kernel cannot, its own counter, as metricsd read it.
    private func askWhatIsServed() {
        let now = HostClock.now()
        for service in guarded.values {
            guard let liveness = service.settings.liveness,
                probes.isOverdue(service.name, longerThan: liveness.timeout, now: now.instant)
            else { continue }
            guard let main = service.main, let port = service.port else {
                askMetrics(service)
                continue
            }
            proc.submit(deadline: Self.readDeadline) {
                try $0.answersWritten(main, port: port)
            } then: { [weak self, weak service] result in
                guard let self, let service, service.main == main, case .success(let total) = result else { return }
                guard let total else { return askMetrics(service) }
                handle(.servedRequestsSeen(total: total), of: service.name)
            }
        }
    }

    private func askMetrics(_ service: GuardedService) {
        guard let name = service.settings.metrics?.requestsTotal else { return }
        let nowMs = HostClock.now().wall.milliseconds
        metrics.served(name, by: service.name, nowMs: nowMs) { [weak self, weak service] total in
            guard let self, let service else { return }
            handle(.servedRequestsSeen(total: total), of: service.name)
        }
    }

    private nonisolated static func condition(of bus: EventThread, now: Instant) -> ThreadState {
        let load = bus.load
        let busy = load.busySince.map { now - $0 } ?? .zero
        return ThreadState(
            name: "bus", stuck: busy > readDeadline, waiting: load.waiting, busyMs: busy.milliseconds)
    }

    // MARK: Orders

    /// Carries out orders in turn. An order whose effect is an event at once (a call that cannot even be sent) comes
    /// back here while the first ones are under way: what follows from it waits for its turn.
    private func carryOut(_ new: [Order]) {
        orders.append(contentsOf: new)
        guard !isCarryingOut else { return }
        isCarryingOut = true
        while let order = orders.popFirst() {
            if let service = guarded[order.service] { carryOut(order.action, for: service) }
        }
        isCarryingOut = false
    }

    /// The store began to fail, or works again.
    func storeTurned(_ trouble: String?) {
        guard (trouble == nil) != (storeTrouble == nil) else { return }
        storeTrouble = trouble
        if let trouble {
            context.log.write(.error, "the store fails, guarding goes on without it: \(trouble)")
        } else {
            context.log.write(.notice, "the store works again")
        }
    }
}
