package import Wire

/// How loud an alert is; each may grow into the next.
package enum AlertSeverity: String, WireValue, CaseIterable {
    case warning
    case critical
    /// Automation has done what it may: a person is needed.
    case `operator`

    /// Whether somebody must see to it while it stands.
    package var isUrgent: Bool {
        switch self {
        case .warning: false
        case .critical, .operator: true
        }
    }
}

/// One thing that went wrong on one service, told once: raising it again adds to `count`.
package struct Alert: WireObject {
    /// Unique within this host.
    package var id: String
    package var service: String
    /// What kind of trouble, the same for each recurrence: "unhealthy", "budget-empty".
    package var kind: String
    package var severity: AlertSeverity
    package var summary: String
    /// The incident it belongs to: `journalctl MAINSTAY_INCIDENT=…` tells the whole story.
    package var incident: String?
    /// The daemon that saw it: "healthd", "watchdogd".
    package var source: String
    package var raisedAtMs: Int64
    /// When it was last raised (ms since 1970).
    package var lastRaisedAtMs: Int64
    package var count: Int64
    /// When it ended (ms since 1970); nil while it stands.
    package var resolvedAtMs: Int64?

    package init(
        id: String, service: String, kind: String, severity: AlertSeverity, summary: String, incident: String?,
        source: String, raisedAtMs: Int64, lastRaisedAtMs: Int64, count: Int64, resolvedAtMs: Int64?
    ) {
        self.id = id
        self.service = service
        self.kind = kind
        self.severity = severity
        self.summary = summary
        self.incident = incident
        self.source = source
        self.raisedAtMs = raisedAtMs
        self.lastRaisedAtMs = lastRaisedAtMs
        self.count = count
        self.resolvedAtMs = resolvedAtMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        id = try fields.value("id")
        service = try fields.value("service")
        kind = try fields.value("kind")
        severity = try fields.value("severity")
        summary = try fields.value("summary")
        incident = try fields.optional("incident")
        source = try fields.value("source")
        raisedAtMs = try fields.value("raisedAtMs")
        lastRaisedAtMs = try fields.value("lastRaisedAtMs")
        count = try fields.value("count")
        resolvedAtMs = try fields.optional("resolvedAtMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("id", id)
        object.member("service", service)
        object.member("kind", kind)
        object.member("severity", severity)
        object.member("summary", summary)
        object.member("incident", incident)
        object.member("source", source)
        object.member("raisedAtMs", raisedAtMs)
        object.member("lastRaisedAtMs", lastRaisedAtMs)
        object.member("count", count)
        object.member("resolvedAtMs", resolvedAtMs)
    }
}

/// watchdogd tells what people must hear. An alert of the same service and kind that still stands is raised again, not twice.
package enum Raise: RPCMethod {
    package static let name = "raise"
    package static let access = Access.peer(["watchdogd"])

    package struct Params: WireObject {
        package var service: String
        package var kind: String
        package var severity: AlertSeverity
        /// At most 1024 bytes are kept.
        package var summary: String
        /// The caller's incident, with when it was opened: the earlier of two for one service wins.
        package var incident: String?
        /// When the incident was opened (ms since 1970).
        package var openedAtMs: Int64?
        /// The trouble is over: the alert of this service and kind is resolved instead of raised.
        package var resolved: Bool

        package init(
            service: String, kind: String, severity: AlertSeverity, summary: String, incident: String? = nil,
            openedAtMs: Int64? = nil, resolved: Bool = false
        ) {
            self.service = service
            self.kind = kind
            self.severity = severity
            self.summary = summary
            self.incident = incident
            self.openedAtMs = openedAtMs
            self.resolved = resolved
        }

        package init(from fields: inout Fields) throws(WireError) {
            service = try fields.value("service")
            kind = try fields.value("kind")
            severity = try fields.value("severity")
            summary = try fields.value("summary")
            incident = try fields.optional("incident")
            openedAtMs = try fields.optional("openedAtMs")
            resolved = try fields.value("resolved", or: false)
        }

        package func write(to object: inout ObjectWriter) {
            object.member("service", service)
            object.member("kind", kind)
            object.member("severity", severity)
            object.member("summary", summary)
            object.member("incident", incident)
            object.member("openedAtMs", openedAtMs)
            object.member("resolved", resolved)
        }
    }

    package struct Reply: WireObject {
        /// The alert; nil when there was nothing to resolve.
        package var id: String?
        /// The incident that stands for the service now: the caller's own, or the earlier one that wins.
        package var incident: String?

        package init(id: String?, incident: String?) {
            self.id = id
            self.incident = incident
        }

        package init(from fields: inout Fields) throws(WireError) {
            id = try fields.optional("id")
            incident = try fields.optional("incident")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("id", id)
            object.member("incident", incident)
        }
    }
}

/// Lists alerts, the newest first: what stands, then what was resolved.
package enum Alerts: RPCMethod {
    package static let name = "alerts"
    package static let access = Access.read

    package struct Params: WireObject {
        package var service: String?
        /// Also those that are over (the last 1000 are kept).
        package var resolved: Bool
        /// At most this many, 1 to 1000.
        package var limit: Int
        /// `next` of the page before.
        package var cursor: String?

        package init(service: String? = nil, resolved: Bool = false, limit: Int = 100, cursor: String? = nil) {
            self.service = service
            self.resolved = resolved
            self.limit = limit
            self.cursor = cursor
        }

        package init(from fields: inout Fields) throws(WireError) {
            service = try fields.optional("service")
            resolved = try fields.value("resolved", or: false)
            limit = try fields.value("limit", or: 100)
            cursor = try fields.optional("cursor")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("service", service)
            object.member("resolved", resolved)
            object.member("limit", limit)
            object.member("cursor", cursor)
        }
    }

    package struct Reply: WireObject {
        package var alerts: [Alert]
        /// Where the next page begins; nil on the last.
        package var next: String?

        package init(alerts: [Alert], next: String?) {
            self.alerts = alerts
            self.next = next
        }

        package init(from fields: inout Fields) throws(WireError) {
            alerts = try fields.value("alerts")
            next = try fields.optional("next")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("alerts", alerts)
            object.member("next", next)
        }
    }
}
