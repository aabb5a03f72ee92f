import Runtime
import Time
import WatchdogAPI
import WatchdogCore
import Wire

extension WatchdogDaemon {
    /// Each method of the socket to the core's question or the store's. Access is decided before this (Runtime).
    func registerMethods() {
        registerReading()
        registerRecords()
        registerActing()
        context.server.ownerOfService = { [weak self] name in self?.guarded[name]?.owner }
    }

    private func registerReading() {
        let server = context.server
        server.on(Services.self) { [unowned self] _, _ in
            ServicesReply(services: core.status(now: HostClock.now()).services)
        }
        server.on(Service.self) { [unowned self] params, _ throws(RPCError) in
            try core.report(of: params.service, now: HostClock.now())
        }
        server.on(CheckProcessHealth.self) { [unowned self] params, _ throws(RPCError) in
            try core.processHealth(of: params.service, now: HostClock.now())
        }
        server.on(Heartbeat.self) { [unowned self] params, _ throws(RPCError) in
            let reply = try ask(.heartbeatReceived, of: params.service)
            if let service = guarded[params.service] { heartbeatArrived(service) }
            return HeartbeatReply(service: reply.service, condition: reply.condition)
        }
    }

    private func registerRecords() {
        context.server.onLater(Incidents.self) { [unowned self] params, _, responder throws(RPCError) in
            let allowed: ClosedRange<Int64> = 1...1000
            guard allowed.contains(Int64(params.limit)) else {
                throw WatchdogErrors.outOfRange("limit", found: Int64(params.limit), allowed: allowed)
            }
            if let service = params.service, guarded[service] == nil { throw .unknownService(service) }
            fromStore(responder) {
                $0.incidents(of: params.service, limit: params.limit, after: params.cursor)
            } orElse: {
                WatchdogErrors.badCursor(params.cursor ?? "")
            }
        }
        context.server.onLater(Incident.self) { [unowned self] params, _, responder throws(RPCError) in
            fromStore(responder) {
                $0.incident(params.id)
            } orElse: {
                WatchdogErrors.unknownIncident(params.id)
            }
        }
    }

    private func fromStore<Reply: WireObject>(
        _ responder: Responder<Reply>, _ read: @escaping @Sendable (inout Records) throws -> Reply?,
        orElse missing: @escaping @Loop () -> RPCError
    ) {
        store.submit(deadline: .seconds(2), read) { result in
            switch result {
            case .success(.some(let reply)): responder.succeed(reply)
            case .success(nil): responder.fail(missing())
            case .failure(let error): responder.fail(WatchdogErrors.storeSilent("\(error)"))
            }
        }
    }

    private func registerActing() {
        let server = context.server
        server.on(Hold.self) { [unowned self] params, caller throws(RPCError) in
            let longest: Int64 = 30 * 86_400_000
            if let time = params.forMs, !(1...longest).contains(time) {
                throw WatchdogErrors.outOfRange("forMs", found: time, allowed: 1...longest)
            }
            let time = params.forMs.map { Duration.milliseconds($0) }
            return try ask(.holdAsked(reason: params.reason, forDuration: time, by: caller.name), of: params.service)
        }
        server.on(Release.self) { [unowned self] params, caller throws(RPCError) in
            try ask(.releaseAsked(by: caller.name), of: params.service)
        }
        server.on(Reset.self) { [unowned self] params, caller throws(RPCError) in
            try ask(.resetAsked(by: caller.name), of: params.service)
        }
        server.on(RestartProcess.self) { [unowned self] params, caller throws(RPCError) in
            let order = RestartOrder(way: .graceful, reason: params.reason)
            return try ask(.restartAsked(order, by: caller.name), of: params.service)
        }
        server.on(KillAndRestart.self) { [unowned self] params, caller throws(RPCError) in
            let order = RestartOrder(way: .signal(params.signal), reason: params.reason)
            return try ask(.restartAsked(order, by: caller.name), of: params.service)
        }
        server.on(ForceRestart.self) { [unowned self] params, caller throws(RPCError) in
            let order = RestartOrder(way: .forced, reason: params.reason)
            return try ask(.restartAsked(order, by: caller.name), of: params.service)
        }
        server.on(GracefulShutdown.self) { [unowned self] params, caller throws(RPCError) in
            let allowed: ClosedRange<Int64> = 0...3_600_000
            guard allowed.contains(params.timeoutMs) else {
                throw WatchdogErrors.outOfRange("timeoutMs", found: params.timeoutMs, allowed: allowed)
            }
            let event = GuardEvent.shutdownAsked(
                timeout: .milliseconds(params.timeoutMs), reason: params.reason, by: caller.name)
            return try ask(event, of: params.service)
        }
        server.on(EscalateToOperator.self) { [unowned self] params, _ throws(RPCError) in
            let reply = try ask(.escalationAsked(issue: params.issue, params.severity), of: params.service)
            return NotedReply(service: reply.service, incident: reply.incident)
        }
        server.on(RecordRecoveryEvent.self) { [unowned self] params, _ throws(RPCError) in
            let took = params.tookMs.map { Duration.milliseconds($0) }
            let reply = try ask(
                .recoveryReported(action: params.action, success: params.success, took: took), of: params.service)
            return NotedReply(service: reply.service, incident: reply.incident)
        }
    }

    /// What `metrics` answers beside the figures that all daemons have.
    func addFigures() {
        let figures = context.figures
        figures.add("mainstay_watchdog_services", .gauge) { [weak self] in Double(self?.guarded.count ?? 0) }
        figures.add("mainstay_watchdog_open_probes", .gauge) { [weak self] in Double(self?.probes.count ?? 0) }
        figures.add("mainstay_watchdog_open_incidents", .gauge) { [weak self] in
            Double(self?.guarded.values.count { $0.incident != nil } ?? 0)
        }
        figures.add("mainstay_watchdog_unit_control_connected", .gauge) { [weak self] in
            self?.control.connection == nil ? 0 : 1
        }
        figures.add("mainstay_watchdog_store_failing", .gauge) { [weak self] in self?.storeTrouble == nil ? 0 : 1 }
        for kind in IncidentClass.allCases {
            figures.add("mainstay_watchdog_incidents_total", labels: ["class": kind.rawValue], .counter) { [tally] in
                Double(tally.incidents[kind] ?? 0)
            }
        }
        for kind in ActionKind.allCases {
            figures.add("mainstay_watchdog_actions_total", labels: ["action": kind.rawValue], .counter) { [tally] in
                Double(tally.actions[kind] ?? 0)
            }
        }
        figures.add("mainstay_watchdog_refusals_total", .counter) { [tally] in Double(tally.refusals) }
        figures.add("mainstay_watchdog_events_total", .counter) { [weak self] in Double(self?.eventCount ?? 0) }
    }
}

extension Caller {
    /// How records name whoever asked: by uid, since looking up a name may block.
    var name: String { "uid \(uid)" }
}
