package import Wire

/// One service at a glance.
package struct ServiceSummary: WireObject {
    package var service: String
    package var status: ServiceHealth
    package var sinceMs: Int64
    package var cause: String?
    package var incident: String?
    package var checks: Int
    package var failing: Int
    package var unknown: Int

    package init(
        service: String, status: ServiceHealth, sinceMs: Int64, cause: String?, incident: String?, checks: Int,
        failing: Int, unknown: Int
    ) {
        self.service = service
        self.status = status
        self.sinceMs = sinceMs
        self.cause = cause
        self.incident = incident
        self.checks = checks
        self.failing = failing
        self.unknown = unknown
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        status = try fields.value("status")
        sinceMs = try fields.value("sinceMs")
        cause = try fields.optional("cause")
        incident = try fields.optional("incident")
        checks = try fields.value("checks")
        failing = try fields.value("failing")
        unknown = try fields.value("unknown")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("status", status)
        object.member("sinceMs", sinceMs)
        object.member("cause", cause)
        object.member("incident", incident)
        object.member("checks", checks)
        object.member("failing", failing)
        object.member("unknown", unknown)
    }
}

/// healthd's own part of `status`.
package struct HealthdStatus: WireObject {
    package var services: [ServiceSummary]
    /// Checks that are configured, and those with a probe under way now.
    package var checks: Int
    package var probing: Int
    /// Alerts that stand.
    package var alerts: Int
    /// Of them, those that somebody must see to (`AlertSeverity.isUrgent`).
    package var urgentAlerts: Int

    package init(services: [ServiceSummary], checks: Int, probing: Int, alerts: Int, urgentAlerts: Int) {
        self.services = services
        self.checks = checks
        self.probing = probing
        self.alerts = alerts
        self.urgentAlerts = urgentAlerts
    }

    package init(from fields: inout Fields) throws(WireError) {
        services = try fields.value("services")
        checks = try fields.value("checks")
        probing = try fields.value("probing")
        alerts = try fields.value("alerts")
        urgentAlerts = try fields.value("urgentAlerts", or: 0)
    }

    package func write(to object: inout ObjectWriter) {
        object.member("services", services)
        object.member("checks", checks)
        object.member("probing", probing)
        object.member("alerts", alerts)
        object.member("urgentAlerts", urgentAlerts)
    }
}
