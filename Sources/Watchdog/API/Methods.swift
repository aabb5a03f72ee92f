package import Wire

// The methods of watchdogd's socket. `status`, `metrics`, `subscribe` and `rpc.discover` are common to all daemons (Wire).

/// `services`: every guarded service at a glance.
package enum Services: RPCMethod {
    package static let name = "services"
    package static let access = Access.read
    package typealias Params = NoFields
    package typealias Reply = ServicesReply
}

/// What `services` answers.
package struct ServicesReply: WireObject {
    /// By name.
    package var services: [ServiceSummary]

    package init(services: [ServiceSummary]) {
        self.services = services
    }

    package init(from fields: inout Fields) throws(WireError) {
        services = try fields.value("services")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("services", services)
    }
}

/// `service`: everything about one.
package enum Service: RPCMethod {
    package static let name = "service"
    package static let access = Access.read
    package typealias Params = ServiceParams
    package typealias Reply = ServiceReport
}

/// `incidents`: the records kept, the newest first.
package enum Incidents: RPCMethod {
    package static let name = "incidents"
    package static let access = Access.read
    package typealias Params = ListParams
    package typealias Reply = IncidentsReply
}

/// What `incidents` answers.
package struct IncidentsReply: WireObject {
    package var incidents: [IncidentRecord]
    /// Where the next page begins; nil on the last.
    package var next: String?

    package init(incidents: [IncidentRecord], next: String? = nil) {
        self.incidents = incidents
        self.next = next
    }

    package init(from fields: inout Fields) throws(WireError) {
        incidents = try fields.value("incidents")
        next = try fields.optional("next")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("incidents", incidents)
        object.member("next", next)
    }
}

/// `incident`: one record, by its id or by an alias.
package enum Incident: RPCMethod {
    package static let name = "incident"
    package static let access = Access.read
    package typealias Params = IncidentParams
    package typealias Reply = IncidentRecord
}

/// What `incident` takes.
package struct IncidentParams: WireObject {
    package var id: String

    package init(id: String) {
        self.id = id
    }

    package init(from fields: inout Fields) throws(WireError) {
        id = try fields.value("id")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("id", id)
    }
}

/// `hold`: watch this service, but do not touch it. Kept over restarts of watchdogd.
package enum Hold: RPCMethod {
    package static let name = "hold"
    package static let access = Access.act
    package typealias Params = HoldParams
    package typealias Reply = OperatorReply
}

/// What `hold` takes.
package struct HoldParams: WireObject {
    package var service: String
    /// Shown to whoever wonders why nothing is done.
    package var reason: String
    /// Ends by itself after this long, at most 30 days; nil for never.
    package var forMs: Int64?

    package init(service: String, reason: String, forMs: Int64? = nil) {
        self.service = service
        self.reason = reason
        self.forMs = forMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        reason = try fields.value("reason")
        forMs = try fields.optional("forMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("reason", reason)
        object.member("forMs", forMs)
    }
}

/// `release`: ends a hold.
package enum Release: RPCMethod {
    package static let name = "release"
    package static let access = Access.act
    package typealias Params = ServiceParams
    package typealias Reply = OperatorReply
}

/// `reset`: refills the restart budget and forgets the back-off; a service in `halfOpen` or `backingOff` is tried at
/// once.
package enum Reset: RPCMethod {
    package static let name = "reset"
    package static let access = Access.act
    package typealias Params = ServiceParams
    package typealias Reply = OperatorReply
}

/// How the service stands after the order was taken.
package struct OperatorReply: WireObject {
    package var service: String
    package var condition: GuardCondition
    /// The incident under which the order is carried out, or the open one.
    package var incident: String?

    package init(service: String, condition: GuardCondition, incident: String? = nil) {
        self.service = service
        self.condition = condition
        self.incident = incident
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        condition = try fields.value("condition")
        incident = try fields.optional("incident")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("condition", condition)
        object.member("incident", incident)
    }
}

/// `restartProcess` (the seed's): SIGTERM, after `termTimeout` SIGKILL, then start and validate. Costs no budget.
/// Answered when taken: `incident` tells the rest.
package enum RestartProcess: RPCMethod {
    package static let name = "restartProcess"
    package static let access = Access.act
    package typealias Params = RestartProcessParams
    package typealias Reply = OperatorReply
}

/// What `restartProcess` and `forceRestart` take.
package struct RestartProcessParams: WireObject {
    package var service: String
    package var reason: String

    package init(service: String, reason: String) {
        self.service = service
        self.reason = reason
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        reason = try fields.value("reason")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("reason", reason)
    }
}

/// `killAndRestart` (the seed's): the signal, SIGKILL if the process is still there after `termTimeout`, then start
/// and validate.
package enum KillAndRestart: RPCMethod {
    package static let name = "killAndRestart"
    package static let access = Access.act
    package typealias Params = KillAndRestartParams
    package typealias Reply = OperatorReply
}

/// Signals that end a process. STOP is not one of them: it would make the hang that watchdogd is there to end.
package enum KillSignal: String, WireValue, CaseIterable {
    case SIGKILL
    case SIGTERM
    case SIGINT
    case SIGQUIT
    case SIGABRT
    case SIGHUP
    case SIGUSR1
    case SIGUSR2
}

/// What `killAndRestart` takes.
package struct KillAndRestartParams: WireObject {
    package var service: String
    package var signal: KillSignal
    package var reason: String?

    package init(service: String, signal: KillSignal = .SIGKILL, reason: String? = nil) {
        self.service = service
        self.signal = signal
        self.reason = reason
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        signal = try fields.value("signal", or: .SIGKILL)
        reason = try fields.optional("reason")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("signal", signal)
        object.member("reason", reason)
    }
}

/// `gracefulShutdown` (the seed's): SIGTERM, SIGKILL after `timeoutMs`, and the unit stays stopped.
package enum GracefulShutdown: RPCMethod {
    package static let name = "gracefulShutdown"
    package static let access = Access.act
    package typealias Params = GracefulShutdownParams
    package typealias Reply = OperatorReply
}

/// What `gracefulShutdown` takes.
package struct GracefulShutdownParams: WireObject {
    package var service: String
    /// 0 to 3,600,000.
    package var timeoutMs: Int64
    package var reason: String?

    package init(service: String, timeoutMs: Int64, reason: String? = nil) {
        self.service = service
        self.timeoutMs = timeoutMs
        self.reason = reason
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        timeoutMs = try fields.value("timeoutMs")
        reason = try fields.optional("reason")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("timeoutMs", timeoutMs)
        object.member("reason", reason)
    }
}

/// `forceRestart` (the seed's): SIGKILL, start, validate. Evidence first, as always.
package enum ForceRestart: RPCMethod {
    package static let name = "forceRestart"
    package static let access = Access.act
    package typealias Params = RestartProcessParams
    package typealias Reply = OperatorReply
}

/// `checkProcessHealth` (the seed's): alive, responsive, and its figures as last read.
package enum CheckProcessHealth: RPCMethod {
    package static let name = "checkProcessHealth"
    package static let access = Access.read
    package typealias Params = ServiceParams
    package typealias Reply = ProcessHealth
}

/// `escalateToOperator` (the seed's): calls an operator, through the journal and the feed.
package enum EscalateToOperator: RPCMethod {
    package static let name = "escalateToOperator"
    package static let access = Access.act
    package typealias Params = EscalateParams
    package typealias Reply = NotedReply
}

/// The seed's two.
package enum Severity: String, WireValue, CaseIterable {
    case warning
    case critical
}

/// The seed's `CriticalIssue`.
package struct EscalateParams: WireObject {
    package var service: String
    /// What the operator should know, in a sentence.
    package var issue: String
    package var severity: Severity

    package init(service: String, issue: String, severity: Severity = .critical) {
        self.service = service
        self.issue = issue
        self.severity = severity
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        issue = try fields.value("issue")
        severity = try fields.value("severity", or: .critical)
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("issue", issue)
        object.member("severity", severity)
    }
}

/// What `escalateToOperator` and `recordRecoveryEvent` answer.
package struct NotedReply: WireObject {
    package var service: String
    /// The open incident to whose record it was added; nil where none is open, then it stands in the journal alone.
    package var incident: String?

    package init(service: String, incident: String? = nil) {
        self.service = service
        self.incident = incident
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        incident = try fields.optional("incident")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("incident", incident)
    }
}

/// `recordRecoveryEvent` (the seed's): somebody else did something about a service; it is kept in the open incident's
/// record and journaled.
package enum RecordRecoveryEvent: RPCMethod {
    package static let name = "recordRecoveryEvent"
    package static let access = Access.act
    package typealias Params = RecoveryEventParams
    package typealias Reply = NotedReply
}

/// The seed's `RecoveryEvent`.
package struct RecoveryEventParams: WireObject {
    package var service: String
    /// What was done: `cleared the cache`.
    package var action: String
    package var success: Bool
    package var tookMs: Int64?
    /// The incident it belongs to; the open one where nil.
    package var incident: String?

    package init(service: String, action: String, success: Bool, tookMs: Int64? = nil, incident: String? = nil) {
        self.service = service
        self.action = action
        self.success = success
        self.tookMs = tookMs
        self.incident = incident
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        action = try fields.value("action")
        success = try fields.value("success")
        tookMs = try fields.optional("tookMs")
        incident = try fields.optional("incident")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("action", action)
        object.member("success", success)
        object.member("tookMs", tookMs)
        object.member("incident", incident)
    }
}

/// `heartbeat`: the service's main loop is alive. A sign of life for the classifier, never a proof of service.
package enum Heartbeat: RPCMethod {
    package static let name = "heartbeat"
    package static let access = Access.own
    package typealias Params = ServiceParams
    package typealias Reply = HeartbeatReply
}

/// What `heartbeat` answers.
package struct HeartbeatReply: WireObject {
    package var service: String
    package var condition: GuardCondition

    package init(service: String, condition: GuardCondition) {
        self.service = service
        self.condition = condition
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        condition = try fields.value("condition")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("condition", condition)
    }
}
