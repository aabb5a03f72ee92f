import Time
import WatchdogAPI
import WatchdogCore

/// Drives a WatchdogCore through fake services in virtual time, and writes down what is told and done.
struct Rig {
    private struct Due {
        var at: Instant
        var order: Int
        var service: String
        var what: What
    }

    private enum What {
        case event(GuardEvent)
        /// The answer to a probe, if the service still answers by then.
        case answer(ProbeID)
        case start(CallID?)
        case ends(ProcessIdentity, code: Int32?, signal: Int32?)
    }

    var core: WatchdogCore
    var services: [String: FakeService] = [:]
    var settings: [String: GuardSettings]
    var now = Moment(instant: Instant(nanoseconds: 1_000_000_000_000), wall: WallTime(milliseconds: 1_764_000_000_000))
    var memories: [String: GuardMemory] = [:]
    var records: [String: IncidentRecord] = [:]
    /// The lines told and done, as the traces show them.
    var log: [String] = []
    var forced: [String] = []
    /// What configd was told.
    var told: [String] = []
    /// How a reload ends.
    var reloads = CallResult.done
    private var began: Instant
    private var dues: [Due] = []
    private var lastOrder = 0
    private var timers: [String: [TimerID: Instant]] = [:]

    init(_ services: [String: GuardSettings]) {
        core = WatchdogCore(services: services)
        settings = services
        began = now.instant
        for name in services.keys { self.services[name] = FakeService() }
    }

    /// One service `gateway`, probed each second.
    init(interval: Duration = .seconds(1), change: (inout GuardSettings) -> Void = { _ in }) {
        var settings = GuardSettings(unit: "gateway.service")
        settings.probeInterval = interval
        change(&settings)
        self.init(["gateway": settings])
    }

    var gateway: FakeService {
        get { services["gateway"] ?? FakeService() }
        set { services["gateway"] = newValue }
    }

    var condition: GuardCondition { condition(of: "gateway") }

    func condition(of service: String) -> GuardCondition {
        core.summaries(now: now).first { $0.service == service }?.condition ?? .adopting
    }

    /// The records of all incidents, by the time they were opened.
    var incidents: [IncidentRecord] { records.values.sorted { ($0.openedAtMs, $0.id) < ($1.openedAtMs, $1.id) } }

    // MARK: Running

    /// Every service runs and is watched, with enough good probes behind it that its counters are known.
    mutating func settle(_ seconds: Int64 = 10) {
        for name in services.keys.sorted() { services[name]?.begin(at: now.instant, up: true) }
        carryOut(core.started(now: now))
        run(.seconds(seconds))
    }

    mutating func run(_ span: Duration) {
        let end = now.instant + span
        while let next = nextDue(), next <= end {
            jump(to: next)
            step(at: next)
        }
        jump(to: end)
    }

    /// Time passes and nothing is heard: watchdogd, or the host, stands still.
    mutating func stall(_ span: Duration) { jump(to: now.instant + span) }

    private func nextDue() -> Instant? {
        let timer = timers.values.compactMap { $0.values.min() }.min()
        let due = dues.map(\.at).min()
        return [timer, due].compactMap { $0 }.min()
    }

    private mutating func jump(to instant: Instant) {
        guard instant > now.instant else { return }
        now = now.advanced(by: instant - now.instant)
    }

    private mutating func step(at instant: Instant) {
        let ready = dues.filter { $0.at <= instant }.sorted { ($0.at, $0.order) < ($1.at, $1.order) }
        if let due = ready.first {
            dues.removeAll { $0.order == due.order }
            return happen(due)
        }
        for service in timers.keys.sorted() {
            let fired = (timers[service] ?? [:]).filter { $0.value <= instant }
            guard let first = fired.min(by: { ($0.value, $0.key.value) < ($1.value, $1.key.value) }) else { continue }
            timers[service]?[first.key] = nil
            return send(.timerFired(first.key), service)
        }
    }

    private mutating func happen(_ due: Due) {
        switch due.what {
        case .event(let event): send(event, due.service)
        case .answer(let id): answer(id, due.service)
        case .start(let call):
            guard services[due.service]?.process == nil else { break }
            services[due.service]?.begin(at: now.instant)
            if let call { later(1, due.service, .event(.callFinished(call, .done))) }
            if let after = services[due.service]?.crashesAfterMs, let process = services[due.service]?.process {
                later(after, due.service, .ends(process, code: 1, signal: nil))
            }
            send(.unitSeen(view(due.service)), due.service)
        case .ends(let process, let code, let signal):
            guard services[due.service]?.process == process else { break }
            end(due.service, code: code, signal: signal)
        }
    }

    private mutating func later(_ ms: Int64, _ service: String, _ what: What) {
        lastOrder += 1
        dues.append(Due(at: now.instant + .milliseconds(ms), order: lastOrder, service: service, what: what))
    }

    /// Answers that are under way and are lost.
    mutating func drop(_ isLost: (GuardEvent) -> Bool) {
        dues.removeAll {
            if case .event(let event) = $0.what { return isLost(event) }
            return false
        }
    }

    /// Reports an event at once.
    mutating func send(_ event: GuardEvent, _ service: String = "gateway") {
        carryOut(core.handle(event, of: service, now: now))
    }

    // MARK: The world

    func view(_ service: String) -> UnitView { services[service]?.view ?? UnitView(active: .missing, sub: "") }

    /// The process behaves differently from now on; what it owes answers to is answered, if it answers.
    mutating func behave(_ behaviour: FakeService.Behaviour, _ service: String = "gateway") {
        services[service]?.count(to: now.instant)
        services[service]?.behaviour = behaviour
        note("-- \(service) is \(behaviour)")
        guard let latency = behaviour.latencyMs else { return }
        for probe in services[service]?.openProbes ?? [] { later(latency, service, .answer(probe.id)) }
    }

    /// The process ends by itself.
    mutating func end(_ service: String = "gateway", code: Int32? = nil, signal: Int32? = 9) {
        guard let ended = services[service]?.end(code: code, signal: signal) else { return }
        send(.processExited(ended), service)
        if services[service]?.isReaped == true { later(2, service, .event(.unitSeen(view(service)))) }
    }

    /// `systemctl stop`.
    mutating func operatorStops(_ service: String = "gateway") {
        note("-- systemctl stop \(service)")
        dues.removeAll { due in
            if case .start = due.what { return due.service == service }
            return false
        }
        services[service]?.job = UnitView.Job(kind: "stop", ours: false)
        services[service]?.active = .deactivating
        services[service]?.sub = "stop-sigterm"
        send(.unitSeen(view(service)), service)
        let ended = services[service]?.end(code: 0, signal: nil, restarts: false)
        services[service]?.active = .inactive
        services[service]?.sub = "dead"
        services[service]?.job = nil
        if let ended { send(.processExited(ended), service) }
        send(.unitSeen(view(service)), service)
        send(.foreignJobEnded, service)
    }

    /// `systemctl restart`: the job is on the unit until the new process is there.
    mutating func operatorRestarts(_ service: String = "gateway") {
        note("-- systemctl restart \(service)")
        services[service]?.job = UnitView.Job(kind: "restart", ours: false)
        services[service]?.active = .deactivating
        services[service]?.sub = "stop-sigterm"
        send(.unitSeen(view(service)), service)
        if let ended = services[service]?.end(code: 0, signal: nil, restarts: false) {
            send(.processExited(ended), service)
        }
        run(.milliseconds(20))
        services[service]?.begin(at: now.instant)
        send(.unitSeen(view(service)), service)
    }

    /// watchdogd is gone and comes back; what it had kept is all that is left.
    mutating func restartWatchdogd(after gap: Duration = .seconds(1)) {
        note("-- watchdogd restarts")
        timers = [:]
        dues.removeAll {
            switch $0.what {
            case .event, .answer: true
            case .start, .ends: false
            }
        }
        for name in services.keys { services[name]?.openProbes = [] }
        run(gap)
        core = WatchdogCore(services: settings)
        carryOut(core.started(now: now))
    }

    private mutating func answer(_ id: ProbeID, _ service: String) {
        guard let fake = services[service], fake.openProbes.contains(where: { $0.id == id }) else { return }
        guard fake.behaviour.latencyMs != nil else { return }
        services[service]?.openProbes.removeAll { $0.id == id }
        let result = fake.behaviour == .wrong ? ProbeResult.wrong(detail: "503") : .good(detail: "200")
        send(.probeFinished(id, result), service)
    }

    // MARK: Carrying out

    fileprivate mutating func carryOut(_ orders: [Order]) {
        for order in orders { carryOut(order.action, order.service) }
    }

    private mutating func carryOut(_ action: GuardAction, _ service: String) {
        switch action {
        case .setTimer(let id, let wait): timers[service, default: [:]][id] = now.instant + wait
        case .cancelTimer(let id): timers[service]?[id] = nil
        case .restoreMemory:
            let memory = memories[service]
            let open = memory?.openIncident.flatMap { records[$0] }
            later(1, service, .event(.memoryRestored(memory, openIncident: open)))
        case .readUnit:
            if services[service]?.systemdAnswers == true {
                later(1, service, .event(.unitSeen(view(service))))
            } else {
                later(2000, service, .event(.unitUnreadable(reason: "no answer in 2 s")))
            }
        case .watchProcess, .unwatchProcess: break
        case .startProbe(let id): startProbe(id, service)
        case .abandonProbe(let id): services[service]?.openProbes.removeAll { $0.id == id }
        case .sampleProgress:
            if let sample = services[service]?.sample(at: now.instant) {
                later(0, service, .event(.progressSampled(sample)))
            }
        case .sampleResources(let process):
            later(0, service, .event(.sampleFailed(process)))
        case .collectEvidence(let incident, _):
            later(30, service, .event(.evidenceCollected(incident: incident, evidence)))
        case .drain(let call): later(100, service, .event(.callFinished(call, .done)))
        case .killUnit, .killProcess, .startUnit, .stopUnit: force(action, service)
        case .reloadUnit(let call):
            note("\(service)     reloadUnit")
            later(10, service, .event(.callFinished(call, reloads)))
        case .tellActivated(let change, _):
            note("\(service)     tellActivated \(change)")
            told.append("activated \(change)")
        case .cancelChange(let change, let why):
            note("\(service)     cancelChange \(change): \(why)")
            told.append("cancel \(change)")
        case .keepMemory(let memory): memories[service] = memory
        case .recordIncident(let record): records[record.id] = record
        case .announce(let event): note("\(service) \(Self.line(event))")
        }
    }

    private var evidence: EvidenceNote {
        EvidenceNote(path: nil, bytes: 0, tookMs: 30, complete: true, facts: ["wchan": "0"])
    }

    private mutating func startProbe(_ id: ProbeID, _ service: String) {
        guard let fake = services[service] else { return }
        if fake.process == nil || fake.behaviour == .refusing || now.instant < fake.upAt {
            return later(1, service, .event(.probeFinished(id, .refused)))
        }
        services[service]?.openProbes.append((id, now.instant))
        if let latency = fake.behaviour.latencyMs { later(latency, service, .answer(id)) }
    }

    private mutating func force(_ action: GuardAction, _ service: String) {
        guard let fake = services[service] else { return }
        note("\(service)     \(Self.line(action))")
        forced.append(Self.line(action))
        guard fake.systemdAnswers else {
            if case .killProcess = action {} else { return unanswered(action, service) }
            return kill(.SIGKILL, service)
        }
        switch action {
        case .killUnit(let call, let signal):
            later(1, service, .event(.callFinished(call, .done)))
            kill(signal, service)
        case .killProcess(let call, _, let signal):
            later(0, service, .event(.callFinished(call, .done)))
            kill(signal, service)
        case .startUnit(let call): later(20, service, .start(call))
        case .stopUnit(let call):
            // systemd's signal of the death is on its way already, and comes before the stop is done.
            later(2, service, .event(.unitSeen(view(service))))
            if services[service]?.process == nil {
                services[service]?.active = .inactive
                services[service]?.sub = "dead"
            }
            later(5, service, .event(.callFinished(call, .done)))
            later(5, service, .event(.unitSeen(view(service))))
        default: break
        }
    }

    private mutating func unanswered(_ action: GuardAction, _ service: String) {
        switch action {
        case .killUnit(let call, _), .startUnit(let call), .stopUnit(let call):
            later(2000, service, .event(.callFinished(call, .timedOut)))
        default: break
        }
    }

    private mutating func kill(_ signal: KillSignal, _ service: String) {
        guard let fake = services[service], let process = fake.process else { return }
        if signal == .SIGKILL {
            if fake.endsAtKill { later(2, service, .ends(process, code: nil, signal: 9)) }
        } else if fake.endsAtTerm && fake.behaviour.latencyMs != nil {
            later(50, service, .ends(process, code: 0, signal: nil))
        }
    }

    // MARK: Lines

    mutating func note(_ line: String) {
        let ms = (now.instant - began).milliseconds
        let fraction = String(1000 + ms % 1000).dropFirst()
        let seconds = String(ms / 1000)
        log.append(String(repeating: " ", count: max(0, 5 - seconds.count)) + "\(seconds).\(fraction)  \(line)")
    }

    static func line(_ action: GuardAction) -> String {
        switch action {
        case .killUnit(_, let signal): "killUnit \(signal)"
        case .killProcess(_, let process, let signal): "killProcess \(process.pid) \(signal)"
        case .startUnit: "startUnit"
        case .stopUnit: "stopUnit"
        default: "\(action)"
        }
    }

    static func line(_ event: WatchdogEvent) -> String {
        switch event {
        case .incidentOpened(let data):
            "incidentOpened \(data.incidentClass) detection=\(data.detectionMs.map(String.init) ?? "-")"
                + (data.numbers.silentMs.map { " silent=\($0)" } ?? "")
        case .evidenceCollected(let data): "evidenceCollected in \(data.evidence.tookMs) ms"
        case .actionTaken(let data):
            "\(data.action.kind) \(data.action.outcome)" + (data.action.detail.map { ": \($0)" } ?? "")
        case .validated(let data):
            "validated by \(data.validation.goodProbes) probes, recovery=\(data.recoveryMs.map(String.init) ?? "-")"
        case .incidentClosed(let data): "incidentClosed \(data.incidentClass) \(data.outcome)"
        case .held(let data): "held by \(data.hold.by): \(data.hold.reason)"
        case .released(let data): "released by \(data.by)"
        case .refused(let data): "refused \(data.reason)" + (data.detail.map { ": \($0)" } ?? "")
        case .budgetReset(let data): "budgetReset by \(data.by)"
        case .limitWarned(let data): "limitWarned \(data.limit) \(data.measured) of \(data.limitValue)"
        case .operatorCalled(let data): "operatorCalled \(data.severity): \(data.issue)"
        case .recoveryRecorded(let data): "recoveryRecorded \(data.action)"
        case .adopted(let data): "adopted pid \(data.pid.map(String.init) ?? "-")"
        case .operatorActed(let data): "operatorActed \(data.what)"
        case .changeFollowed(let data):
            "changeFollowed \(data.change) \(data.back ? "back " : "")\(data.outcome)"
                + (data.detail.map { ": \($0)" } ?? "")
        }
    }
}

extension Rig {
    /// The log, for a failure's message.
    var story: String { "\n" + log.joined(separator: "\n") }

    /// watchdogd starts; nothing is settled yet.
    mutating func boot() { carryOut(core.started(now: now)) }

    /// CPU pressure of the host.
    mutating func pressure(_ percent: Double) { carryOut(core.pressureSeen(someAvg10: percent, now: now)) }

    /// The host shuts down, or does not after all.
    mutating func managerStops(_ stopping: Bool) { carryOut(core.managerSeen(stopping: stopping, now: now)) }

    /// A request over the socket.
    @discardableResult
    mutating func ask(_ event: GuardEvent, _ service: String = "gateway") throws -> (OperatorReply, [Order]) {
        let (reply, orders) = try core.ask(event, of: service, now: now)
        carryOut(orders)
        return (reply, orders)
    }
}
