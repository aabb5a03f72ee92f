package import HealthAPI
package import Time
package import Wire

/// Everything healthd decides: it runs the checks, adds them up, and holds alerts and incidents. Each method that begins with a
/// past tense is an event and answers with what to do; the others only read: `HealthMachine+Answers.swift` has what the socket
/// asks, `HealthMachine+Causes.swift` what is worked out of the checks.
///
/// A service's status is a function of its checks' settled verdicts (`HealthFold`), worked out again whenever one of them changes,
/// for the service itself and for those that need it. healthd's own alerts are in turn a function of the status: one for each
/// dependency that is down, else one where the service itself is unhealthy, so that one outage is told once. *unknown* changes no
/// alert: it neither raises nor resolves.
package struct HealthMachine: Sendable {
    package private(set) var config: HealthConfig
    private var ids = HealthIDs()
    private var random: SeededRandom
    private(set) var checks: [CheckID: CheckMachine] = [:]
    /// The ids of `checks` by service, sorted: replies list them so.
    private(set) var checksOfService: [String: [CheckID]] = [:]
    private(set) var services: [String: ServiceState] = [:]
    /// Services that need the key.
    private var needers: [String: Set<String>] = [:]
    private var timers: [TimerID: CheckID] = [:]
    private var runs: [RunID: CheckID] = [:]
    private(set) var registered: [CheckID: RegisteredCheck] = [:]
    private(set) var alerts: AlertBook
    private(set) var incidents = IncidentBook()
    private var keptAt: Instant
    /// Events taken in the machine's life: what proves that it makes progress.
    package internal(set) var eventsTaken: UInt64 = 0

    /// How many checks may be registered over the socket, in all.
    package static let registeredLimit = 1000
    /// The name under which healthd raises its own alerts.
    package static let source = "healthd"
    /// How often the time at which a service was last healthy is kept, while it is healthy.
    package static let keepInterval = Duration.seconds(60)

    /// A machine that has begun nothing yet; `started` begins.
    package init(config: HealthConfig, kept: KeptHealth = KeptHealth(), now: Moment, random: SeededRandom) {
        self.config = config
        self.random = random
        keptAt = now.instant
        alerts = AlertBook(kept: kept.alerts)
        for service in kept.services { services[service.service] = ServiceState(kept: service, now: now) }
        for check in kept.registered { registered[CheckID(service: check.service, name: check.asked.name)] = check }
        for service in kept.services {
            guard let id = service.incident else { continue }
            _ = incidents.opened(
                IncidentBook.Open(id: id, openedAt: service.incidentOpenedAt ?? now.wall), for: service.service)
        }
    }

    // MARK: Events

    /// The daemon is up: plans every check.
    package mutating func started(now: Moment) -> [HealthAction] {
        settingsChanged(to: config, now: now)
    }

    /// The daemon's tick, at any interval.
    package mutating func ticked(now: Moment) -> [HealthAction] {
        eventsTaken += 1
        guard now.instant - keptAt >= Self.keepInterval else { return [] }
        keptAt = now.instant
        return serviceNames.compactMap { name in
            services[name].flatMap { $0.status == .healthy ? .keepService($0.kept(as: name, now: now)) : nil }
        }
    }

    /// New settings are in force. A check whose configuration stays the same goes on undisturbed; one that changed is a new one,
    /// of which nothing is known yet.
    package mutating func settingsChanged(to new: HealthConfig, now: Moment) -> [HealthAction] {
        eventsTaken += 1
        config = new
        var wanted: [CheckID: CheckConfig] = [:]
        needers = [:]
        for service in new.services {
            services[service.name] = services[service.name] ?? ServiceState(now: now)
            for check in service.checks { wanted[CheckID(service: service.name, name: check.name)] = check }
            for dependency in service.dependencies { needers[dependency.name, default: []].insert(service.name) }
        }
        let names = Set(new.services.map(\.name))
        var actions = services.keys.sorted().filter { !names.contains($0) }.flatMap { forget($0, now: now) }
        for (id, check) in registered where wanted[id] == nil && names.contains(id.service) {
            wanted[id] = check.config
        }
        for id in checks.keys.sorted() where wanted[id] != checks[id]?.config { actions += retire(id) }
        for (id, check) in wanted.sorted(by: { $0.key < $1.key }) where checks[id] == nil {
            actions += begin(id, check, now: now)
        }
        checksOfService = Dictionary(grouping: checks.keys.sorted(), by: \.service)
        for alert in alerts.allStanding where !names.contains(alert.service) {
            actions += endAlert(alert.kind, of: alert.service, now: now).actions
        }
        for name in names.sorted() { actions += reconsider(name, now: now) }
        return actions
    }

    /// No settings name the service any more. Its incident is over, so that it is not met again should the service come back.
    private mutating func forget(_ name: String, now: Moment) -> [HealthAction] {
        guard var state = services.removeValue(forKey: name), incidents.standing(for: name) != nil else { return [] }
        incidents.closed(for: name)
        state.incidentClosed()
        return [.keepService(state.kept(as: name, now: now))]
    }

    /// A timer fired. One that nothing waits for any more does nothing.
    package mutating func timerFired(_ timer: TimerID, now: Moment) -> [HealthAction] {
        guard let id = timers.removeValue(forKey: timer) else { return [] }
        return step(id, now: now) { check, ids in
            check.timerFired(timer, now: now, ids: &ids)
        }
    }

    /// An attempt ended by itself. One that was given up before does nothing.
    package mutating func probeEnded(_ run: RunID, _ outcome: ProbeOutcome, now: Moment) -> [HealthAction] {
        guard let id = runs.removeValue(forKey: run) else { return [] }
        return step(id, now: now) { check, ids in
            check.probeEnded(run, outcome, now: now, ids: &ids)
        }
    }

    /// Somebody reported for a `custom` check.
    package mutating func checkReported(
        _ id: CheckID, _ outcome: ProbeOutcome, now: Moment
    ) throws(RPCError) -> [HealthAction] {
        _ = try service(id.service)
        guard let check = checks[id] else { throw HealthErrors.unknownCheck(service: id.service, check: id.name) }
        guard check.config.probe == .report else {
            throw HealthErrors.notReported(service: id.service, check: id.name, type: check.config.probe.type)
        }
        return step(id, now: now) { check, ids in check.reportReceived(outcome, now: now, ids: &ids) }
    }

    /// A check came over the socket and has been kept on disk. `mayRegister` was asked before.
    package mutating func checkRegistered(_ check: RegisteredCheck, now: Moment) -> [HealthAction] {
        let id = CheckID(service: check.service, name: check.asked.name)
        registered[id] = check
        return settingsChanged(to: config, now: now)
    }

    /// A registered check was taken back, on disk too. `mayRemove` was asked before.
    package mutating func checkRemoved(_ id: CheckID, now: Moment) -> [HealthAction] {
        registered[id] = nil
        return settingsChanged(to: config, now: now)
    }

    /// A peer, watchdogd, tells what people must hear, or that it is over.
    package mutating func peerRaised(
        _ raise: Raise.Params, source: String, now: Moment
    ) throws(RPCError) -> (reply: Raise.Reply, actions: [HealthAction]) {
        eventsTaken += 1
        _ = try service(raise.service)
        guard !raise.resolved else {
            let (ended, actions) = endAlert(raise.kind, of: raise.service, now: now)
            return (
                Raise.Reply(id: ended?.id, incident: ended?.incident),
                actions + closeIncidentIfOver(raise.service, now: now)
            )
        }
        var actions: [HealthAction] = []
        if let id = raise.incident {
            let opened = WallTime(milliseconds: raise.openedAtMs ?? now.wall.milliseconds)
            actions += open(IncidentBook.Open(id: id, openedAt: opened), for: raise.service, now: now)
        }
        let (alert, raising) = raiseAlert(
            raise.kind, of: raise.service, raise.severity, raise.summary, source: source, now: now)
        guard let alert else { throw .limitExceeded("\(AlertBook.standingLimit) alerts stand already") }
        return (Raise.Reply(id: alert.id, incident: alert.incident), actions + raising)
    }

    // MARK: Running checks

    private mutating func begin(_ id: CheckID, _ config: CheckConfig, now: Moment) -> [HealthAction] {
        var check = CheckMachine(config, now: now)
        let actions = check.begin(now: now, ids: &ids, random: &random)
        checks[id] = check
        return actions.compactMap { carryOut($0, for: id, check.config) }
    }

    private mutating func retire(_ id: CheckID) -> [HealthAction] {
        guard var check = checks.removeValue(forKey: id) else { return [] }
        return check.retire().compactMap { carryOut($0, for: id, check.config) }
    }

    private mutating func step(
        _ id: CheckID, now: Moment,
        _ event: (inout CheckMachine, inout HealthIDs) -> [CheckMachine.Action]
    ) -> [HealthAction] {
        eventsTaken += 1
        guard var check = checks[id] else { return [] }
        let wanted = event(&check, &ids)
        checks[id] = check
        var actions = wanted.compactMap { carryOut($0, for: id, check.config) }
        for case .settled(let from, let to) in wanted {
            let change = CheckChanged(
                service: id.service, dependency: check.config.dependency, check: id.name, status: to, previous: from,
                message: check.message)
            actions.append(.tell(.checkChanged(change)))
            for name in needers[id.service, default: []].union([id.service]).sorted() {
                actions += reconsider(name, now: now)
            }
        }
        return actions
    }

    /// A check's action as one of the whole, with the books of timers and attempts kept; nil where it is only told.
    private mutating func carryOut(
        _ action: CheckMachine.Action, for id: CheckID, _ config: CheckConfig
    ) -> HealthAction? {
        switch action {
        case .startTimer(let timer, let delay):
            timers[timer] = id
            return .startTimer(timer, after: delay)
        case .stopTimer(let timer):
            timers[timer] = nil
            return .stopTimer(timer)
        case .startProbe(let run):
            runs[run] = id
            return .startProbe(run, id, config.probe, timeout: config.timeout)
        case .abandonProbe(let run):
            runs[run] = nil
            return .abandonProbe(run)
        case .settled:
            return nil
        }
    }

    // MARK: Adding up

    /// Works out the status of a service again, and what follows from it.
    private mutating func reconsider(_ name: String, now: Moment) -> [HealthAction] {
        guard let config = config.services.first(where: { $0.name == name }), var state = services[name] else {
            return []
        }
        let own = ownHealth(name)
        let needed = config.dependencies.map { dependencyHealth($0.name, of: name) }
        let status = HealthFold.health(own: own, dependencies: needed)
        var actions: [HealthAction] = []
        for (dependency, health) in zip(config.dependencies, needed) {
            state.dependencyChanged(dependency.name, to: health, now: now)
        }
        let previous = state.status
        let changed = state.statusChanged(to: status, now: now)
        services[name] = state
        actions += reviseAlerts(of: config, status: status, needed: needed, now: now)
        guard changed else { return actions }
        let change = StatusChanged(
            service: name, status: status, previous: previous, cause: cause(of: config),
            incident: incidents.standing(for: name))
        let keep = services[name].map { HealthAction.keepService($0.kept(as: name, now: now)) }
        return actions + (keep.map { [$0] } ?? []) + [.tell(.statusChanged(change))]
    }

    /// healthd's own alerts are what the status asks for: raises what is missing, resolves what is over.
    private mutating func reviseAlerts(
        of service: ServiceConfig, status: ServiceHealth, needed: [ServiceHealth], now: Moment
    ) -> [HealthAction] {
        let down = zip(service.dependencies, needed).filter { $0.1 == .unhealthy }.map(\.0.name)
        let unseen = zip(service.dependencies, needed).filter { $0.1 == .unknown }.map(\.0.name)
        var wanted = Dictionary(uniqueKeysWithValues: Set(down).map { (Self.dependencyKind($0), $0 as String?) })
        if down.isEmpty, status == .unhealthy { wanted[Self.unhealthyKind] = .some(nil) }
        var actions: [HealthAction] = []
        let standing = alerts.standing(of: service.name, from: Self.source)
        for kind in wanted.keys.sorted() where !standing.contains(where: { $0.kind == kind }) {
            let dependency = wanted[kind] ?? nil
            let what = dependency.map { "\(service.name) needs \($0), which is down" } ?? "\(service.name) is unhealthy"
            let why = dependency.map { dependencyMessage($0, of: service.name) } ?? cause(of: service)
            actions += raiseOwn(
                service.name, kind, why.map { "\(what): \($0)" } ?? what, now: now)
        }
        for alert in standing where wanted[alert.kind] == nil {
            let isUnseen = status == .unknown || unseen.contains { Self.dependencyKind($0) == alert.kind }
            if isUnseen { continue }
            actions += endAlert(alert.kind, of: service.name, now: now).actions
        }
        return actions + closeIncidentIfOver(service.name, now: now)
    }

    private mutating func raiseOwn(
        _ service: String, _ kind: String, _ summary: String, now: Moment
    ) -> [HealthAction] {
        var actions: [HealthAction] = []
        if incidents.standing(for: service) == nil {
            actions += open(.new(at: now.wall, random: &random), for: service, now: now)
        }
        // Where there is no room it is raised again when the status is next worked out.
        return actions + raiseAlert(kind, of: service, .critical, summary, source: Self.source, now: now).actions
    }

    /// Nil, and nothing to do, where too many stand.
    mutating func raiseAlert(
        _ kind: String, of service: String, _ severity: AlertSeverity, _ summary: String, source: String, now: Moment
    ) -> (alert: Alert?, actions: [HealthAction]) {
        let raising = alerts.raised(
            service: service, kind: kind, severity: severity, summary: summary,
            incident: incidents.standing(for: service), source: source, now: now, random: &random)
        switch raising {
        case .told(let alert): return (alert, [.keepAlert(alert), .tell(.alertRaised(alert))])
        case .counted(let alert): return (alert, [.keepAlert(alert)])
        case .full: return (nil, [])
        }
    }

    /// Nil, and nothing to do, where none of that kind stands.
    mutating func endAlert(
        _ kind: String, of service: String, now: Moment
    ) -> (alert: Alert?, actions: [HealthAction]) {
        guard let ended = alerts.ended(service: service, kind: kind, now: now) else { return (nil, []) }
        return (ended, [.keepAlert(ended), .tell(.alertResolved(ended))])
    }

    private mutating func open(_ incident: IncidentBook.Open, for service: String, now: Moment) -> [HealthAction] {
        let opening = incidents.opened(incident, for: service)
        services[service]?.incidentOpened(incident)
        let keep = services[service].map { [HealthAction.keepService($0.kept(as: service, now: now))] } ?? []
        switch opening {
        case .opened: return keep
        case .known: return []
        case .aliased(let alias, let winner):
            return keep + [.tell(.incidentAliased(service: service, alias: alias, winner: winner))]
        }
    }

    /// An incident is over when no alert stands and the service is not seen to be in trouble.
    private mutating func closeIncidentIfOver(_ service: String, now: Moment) -> [HealthAction] {
        guard incidents.standing(for: service) != nil, !alerts.holdsOpen(incidentOf: service) else { return [] }
        switch services[service]?.status {
        case .unhealthy, .unknown: return []
        case .healthy, .degraded, nil: break
        }
        incidents.closed(for: service)
        guard var state = services[service] else { return [] }
        state.incidentClosed()
        services[service] = state
        return [.keepService(state.kept(as: service, now: now))]
    }

    private static let unhealthyKind = "unhealthy"

    private static func dependencyKind(_ name: String) -> String {
        "dependency:\(name)"
    }
}
