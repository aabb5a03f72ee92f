package import Wire

// What `subscribe` streams, and what the journal says with the same names.

/// A class was decided.
package struct IncidentOpened: WireObject {
    package var service: String
    package var incident: String
    package var incidentClass: IncidentClass
    package var numbers: ClassNumbers
    /// Since the last good sign.
    package var detectionMs: Int64?

    package init(
        service: String, incident: String, incidentClass: IncidentClass, numbers: ClassNumbers,
        detectionMs: Int64? = nil
    ) {
        self.service = service
        self.incident = incident
        self.incidentClass = incidentClass
        self.numbers = numbers
        self.detectionMs = detectionMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        incident = try fields.value("incident")
        incidentClass = try fields.value("class")
        numbers = try fields.value("numbers")
        detectionMs = try fields.optional("detectionMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("incident", incident)
        object.member("class", incidentClass)
        object.member("numbers", numbers)
        object.member("detectionMs", detectionMs)
    }
}

/// What was kept before force.
package struct EvidenceCollected: WireObject {
    package var service: String
    package var incident: String
    package var evidence: EvidenceNote

    package init(service: String, incident: String, evidence: EvidenceNote) {
        self.service = service
        self.incident = incident
        self.evidence = evidence
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        incident = try fields.value("incident")
        evidence = try fields.value("evidence")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("incident", incident)
        object.member("evidence", evidence)
    }
}

/// An action began (`underWay`) or ended.
package struct ActionTaken: WireObject {
    package var service: String
    package var incident: String
    package var action: ActionRecord

    package init(service: String, incident: String, action: ActionRecord) {
        self.service = service
        self.incident = incident
        self.action = action
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        incident = try fields.value("incident")
        action = try fields.value("action")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("incident", incident)
        object.member("action", action)
    }
}

/// A recovery took.
package struct Validated: WireObject {
    package var service: String
    package var incident: String
    package var validation: ValidationRecord
    /// From the last good sign to the first good answer.
    package var recoveryMs: Int64?

    package init(service: String, incident: String, validation: ValidationRecord, recoveryMs: Int64? = nil) {
        self.service = service
        self.incident = incident
        self.validation = validation
        self.recoveryMs = recoveryMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        incident = try fields.value("incident")
        validation = try fields.value("validation")
        recoveryMs = try fields.optional("recoveryMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("incident", incident)
        object.member("validation", validation)
        object.member("recoveryMs", recoveryMs)
    }
}

/// An incident is over.
package struct IncidentClosed: WireObject {
    package var service: String
    package var incident: String
    package var incidentClass: IncidentClass
    package var outcome: IncidentOutcome
    /// From opened to closed.
    package var lastedMs: Int64

    package init(
        service: String, incident: String, incidentClass: IncidentClass, outcome: IncidentOutcome, lastedMs: Int64
    ) {
        self.service = service
        self.incident = incident
        self.incidentClass = incidentClass
        self.outcome = outcome
        self.lastedMs = lastedMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        incident = try fields.value("incident")
        incidentClass = try fields.value("class")
        outcome = try fields.value("outcome")
        lastedMs = try fields.value("lastedMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("incident", incident)
        object.member("class", incidentClass)
        object.member("outcome", outcome)
        object.member("lastedMs", lastedMs)
    }
}

/// An operator holds the service.
package struct Held: WireObject {
    package var service: String
    package var hold: HoldInfo

    package init(service: String, hold: HoldInfo) {
        self.service = service
        self.hold = hold
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        hold = try fields.value("hold")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("hold", hold)
    }
}

/// A hold ended.
package struct Released: WireObject {
    package var service: String
    /// Who released it; `its time` where it ended by itself.
    package var by: String

    package init(service: String, by: String) {
        self.service = service
        self.by = by
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        by = try fields.value("by")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("by", by)
    }
}

/// Something is the matter and nothing is done, with the reason. Once while the reason stands.
package struct Refused: WireObject {
    package var service: String
    package var incident: String?
    package var reason: RefusalReason
    package var detail: String?

    package init(service: String, incident: String? = nil, reason: RefusalReason, detail: String? = nil) {
        self.service = service
        self.incident = incident
        self.reason = reason
        self.detail = detail
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        incident = try fields.optional("incident")
        reason = try fields.value("reason")
        detail = try fields.optional("detail")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("incident", incident)
        object.member("reason", reason)
        object.member("detail", detail)
    }
}

/// An operator refilled the restart budget.
package struct BudgetReset: WireObject {
    package var service: String
    package var by: String

    package init(service: String, by: String) {
        self.service = service
        self.by = by
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        by = try fields.value("by")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("by", by)
    }
}

/// A soft limit was passed: 80 % of the limit of the settings.
package struct LimitWarned: WireObject {
    package var service: String
    /// `memory`, `cpu` or `files`.
    package var limit: String
    package var limitValue: Double
    package var measured: Double

    package init(service: String, limit: String, limitValue: Double, measured: Double) {
        self.service = service
        self.limit = limit
        self.limitValue = limitValue
        self.measured = measured
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        limit = try fields.value("limit")
        limitValue = try fields.value("limitValue")
        measured = try fields.value("measured")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("limit", limit)
        object.member("limitValue", limitValue)
        object.member("measured", measured)
    }
}

/// A page: somebody has to look. Once an incident and cause.
package struct OperatorCalled: WireObject {
    package var service: String
    package var incident: String?
    package var severity: Severity
    package var issue: String

    package init(service: String, incident: String? = nil, severity: Severity, issue: String) {
        self.service = service
        self.incident = incident
        self.severity = severity
        self.issue = issue
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        incident = try fields.optional("incident")
        severity = try fields.value("severity")
        issue = try fields.value("issue")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("incident", incident)
        object.member("severity", severity)
        object.member("issue", issue)
    }
}

/// `recordRecoveryEvent` was called.
package struct RecoveryRecorded: WireObject {
    package var service: String
    package var incident: String?
    package var action: String
    package var success: Bool

    package init(service: String, incident: String? = nil, action: String, success: Bool) {
        self.service = service
        self.incident = incident
        self.action = action
        self.success = success
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        incident = try fields.optional("incident")
        action = try fields.value("action")
        success = try fields.value("success")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("incident", incident)
        object.member("action", action)
        object.member("success", success)
    }
}

/// watchdogd started and found the service as it is: nothing was touched.
package struct Adopted: WireObject {
    package var service: String
    package var pid: Int64?
    /// An incident that it goes on with.
    package var incident: String?
    /// What in the unit's own settings stands in the guard's way, as `ServiceSummary.warning`.
    package var warning: String?

    package init(service: String, pid: Int64? = nil, incident: String? = nil, warning: String? = nil) {
        self.service = service
        self.pid = pid
        self.incident = incident
        self.warning = warning
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        pid = try fields.optional("pid")
        incident = try fields.optional("incident")
        warning = try fields.optional("warning")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("pid", pid)
        object.member("incident", incident)
        object.member("warning", warning)
    }
}

/// Somebody else's job stopped, restarted or started the unit: no incident, no act of ours.
package struct OperatorActed: WireObject {
    package var service: String
    /// `stopped`, `restarted`, `started`.
    package var what: String

    package init(service: String, what: String) {
        self.service = service
        self.what = what
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        what = try fields.value("what")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("what", what)
    }
}

/// The service is brought to a change of its configuration, or back to what was before it.
package struct ChangeFollowed: WireObject {
    package var service: String
    /// The change, as configd's `pending` names it.
    package var change: Int64
    /// Whether it is the way back.
    package var back: Bool
    /// `restart`, `reload` or a signal's name.
    package var activation: String
    /// `underWay`; then `done`: the service runs it; or `failed`: see `detail`.
    package var outcome: ActionOutcome
    package var incident: String?
    package var detail: String?

    package init(
        service: String, change: Int64, back: Bool, activation: String, outcome: ActionOutcome, incident: String? = nil,
        detail: String? = nil
    ) {
        self.service = service
        self.change = change
        self.back = back
        self.activation = activation
        self.outcome = outcome
        self.incident = incident
        self.detail = detail
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        change = try fields.value("change")
        back = try fields.value("back")
        activation = try fields.value("activation")
        outcome = try fields.value("outcome")
        incident = try fields.optional("incident")
        detail = try fields.optional("detail")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("change", change)
        object.member("back", back)
        object.member("activation", activation)
        object.member("outcome", outcome)
        object.member("incident", incident)
        object.member("detail", detail)
    }
}

/// One event of watchdogd, with its data.
package enum WatchdogEvent: Hashable, Sendable {
    case incidentOpened(IncidentOpened)
    case evidenceCollected(EvidenceCollected)
    case actionTaken(ActionTaken)
    case validated(Validated)
    case incidentClosed(IncidentClosed)
    case held(Held)
    case released(Released)
    case refused(Refused)
    case budgetReset(BudgetReset)
    case limitWarned(LimitWarned)
    case operatorCalled(OperatorCalled)
    case recoveryRecorded(RecoveryRecorded)
    case adopted(Adopted)
    case operatorActed(OperatorActed)
    case changeFollowed(ChangeFollowed)

    /// The names of all, as `subscribe` takes them.
    package static let names = [
        "incidentOpened", "evidenceCollected", "actionTaken", "validated", "incidentClosed", "held", "released",
        "refused", "budgetReset", "limitWarned", "operatorCalled", "recoveryRecorded", "adopted", "operatorActed",
        "changeFollowed",
    ]

    /// The event's name on the feed.
    package var name: String {
        switch self {
        case .incidentOpened: "incidentOpened"
        case .evidenceCollected: "evidenceCollected"
        case .actionTaken: "actionTaken"
        case .validated: "validated"
        case .incidentClosed: "incidentClosed"
        case .held: "held"
        case .released: "released"
        case .refused: "refused"
        case .budgetReset: "budgetReset"
        case .limitWarned: "limitWarned"
        case .operatorCalled: "operatorCalled"
        case .recoveryRecorded: "recoveryRecorded"
        case .adopted: "adopted"
        case .operatorActed: "operatorActed"
        case .changeFollowed: "changeFollowed"
        }
    }

    /// The event's data, to be written on the feed.
    package var data: any WireObject {
        switch self {
        case .incidentOpened(let data): data
        case .evidenceCollected(let data): data
        case .actionTaken(let data): data
        case .validated(let data): data
        case .incidentClosed(let data): data
        case .held(let data): data
        case .released(let data): data
        case .refused(let data): data
        case .budgetReset(let data): data
        case .limitWarned(let data): data
        case .operatorCalled(let data): data
        case .recoveryRecorded(let data): data
        case .adopted(let data): data
        case .operatorActed(let data): data
        case .changeFollowed(let data): data
        }
    }

    /// The incident that it belongs to, for the journal's `MAINSTAY_INCIDENT=`.
    package var incident: String? {
        switch self {
        case .incidentOpened(let data): data.incident
        case .evidenceCollected(let data): data.incident
        case .actionTaken(let data): data.incident
        case .validated(let data): data.incident
        case .incidentClosed(let data): data.incident
        case .refused(let data): data.incident
        case .operatorCalled(let data): data.incident
        case .recoveryRecorded(let data): data.incident
        case .adopted(let data): data.incident
        case .changeFollowed(let data): data.incident
        case .held, .released, .budgetReset, .limitWarned, .operatorActed: nil
        }
    }
}
