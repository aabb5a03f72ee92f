package import Wire

/// Names a service; it may be left out where healthd knows exactly one.
package struct ServiceQuery: WireObject {
    package var service: String?

    package init(service: String? = nil) {
        self.service = service
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.optional("service")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
    }
}

/// Where one check stands: the seed's `CheckResult`.
package struct CheckResult: WireObject {
    /// The settled verdict: after thresholds, unlike `last`.
    package var status: Verdict
    /// What the last round said by itself; nil before the first.
    package var last: Verdict?
    /// What the last round saw, in words; at most 512 bytes.
    package var message: String
    /// How long the last round's last attempt took; nil where it did not end by itself.
    package var latencyMs: Int64?
    /// When the last round ended (ms since 1970); nil before the first.
    package var checkedAtMs: Int64?
    /// Since when `status` is what it is (ms since 1970).
    package var sinceMs: Int64
    /// Since when every round was unknown; nil while the check sees something.
    package var blindSinceMs: Int64?
    /// Rounds ended since healthd started or the check was last changed.
    package var rounds: Int64

    package init(
        status: Verdict, last: Verdict?, message: String, latencyMs: Int64?, checkedAtMs: Int64?, sinceMs: Int64,
        blindSinceMs: Int64?, rounds: Int64
    ) {
        self.status = status
        self.last = last
        self.message = message
        self.latencyMs = latencyMs
        self.checkedAtMs = checkedAtMs
        self.sinceMs = sinceMs
        self.blindSinceMs = blindSinceMs
        self.rounds = rounds
    }

    package init(from fields: inout Fields) throws(WireError) {
        status = try fields.value("status")
        last = try fields.optional("last")
        message = try fields.value("message")
        latencyMs = try fields.optional("latencyMs")
        checkedAtMs = try fields.optional("checkedAtMs")
        sinceMs = try fields.value("sinceMs")
        blindSinceMs = try fields.optional("blindSinceMs")
        rounds = try fields.value("rounds")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("status", status)
        object.member("last", last)
        object.member("message", message)
        object.member("latencyMs", latencyMs)
        object.member("checkedAtMs", checkedAtMs)
        object.member("sinceMs", sinceMs)
        object.member("blindSinceMs", blindSinceMs)
        object.member("rounds", rounds)
    }
}

/// The seed's `HealthStatus`: the first five members are its own, the rest say of what, since when and why.
package struct HealthStatus: WireObject {
    package var service: String
    package var status: ServiceHealth
    /// The service's own checks by name; those of its dependencies are in `DependencyStatus`.
    package var checks: [String: CheckResult]
    /// Milliseconds since the service was last seen to be unhealthy or, if it never was, since it was first seen healthy; 0
    /// while it is unhealthy and before it was ever healthy.
    package var uptime: Int64
    /// When it was last healthy (ms since 1970); nil if never seen so.
    package var lastHealthy: Int64?
    /// Since when `status` is what it is (ms since 1970).
    package var sinceMs: Int64
    /// Why it is not healthy, naming the deepest dependency that is down: "postgres: connection refused"; nil while healthy.
    package var cause: String?
    /// The incident that is open for the service, if any.
    package var incident: String?
    /// The status of each dependency it declares.
    package var dependencies: [String: ServiceHealth]

    package init(
        service: String, status: ServiceHealth, checks: [String: CheckResult], uptime: Int64, lastHealthy: Int64?,
        sinceMs: Int64, cause: String?, incident: String?, dependencies: [String: ServiceHealth]
    ) {
        self.service = service
        self.status = status
        self.checks = checks
        self.uptime = uptime
        self.lastHealthy = lastHealthy
        self.sinceMs = sinceMs
        self.cause = cause
        self.incident = incident
        self.dependencies = dependencies
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        status = try fields.value("status")
        checks = try fields.value("checks")
        uptime = try fields.value("uptime")
        lastHealthy = try fields.optional("lastHealthy")
        sinceMs = try fields.value("sinceMs")
        cause = try fields.optional("cause")
        incident = try fields.optional("incident")
        dependencies = try fields.value("dependencies")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("status", status)
        object.member("checks", checks)
        object.member("uptime", uptime)
        object.member("lastHealthy", lastHealthy)
        object.member("sinceMs", sinceMs)
        object.member("cause", cause)
        object.member("incident", incident)
        object.member("dependencies", dependencies)
    }
}

/// How one service is: its status with every check behind it.
package enum Health: RPCMethod {
    package static let name = "health"
    package static let access = Access.read
    package typealias Params = ServiceQuery
    package typealias Reply = HealthStatus
}

/// `health` under the seed's name.
package enum CheckApplicationHealth: RPCMethod {
    package static let name = "checkApplicationHealth"
    package static let access = Access.read
    package typealias Params = ServiceQuery
    package typealias Reply = HealthStatus
}

/// Where one dependency of a service stands.
package struct DependencyHealth: WireObject {
    package var status: ServiceHealth
    package var checks: [String: CheckResult]
    package var sinceMs: Int64
    package var cause: String?

    package init(status: ServiceHealth, checks: [String: CheckResult], sinceMs: Int64, cause: String?) {
        self.status = status
        self.checks = checks
        self.sinceMs = sinceMs
        self.cause = cause
    }

    package init(from fields: inout Fields) throws(WireError) {
        status = try fields.value("status")
        checks = try fields.value("checks")
        sinceMs = try fields.value("sinceMs")
        cause = try fields.optional("cause")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("status", status)
        object.member("checks", checks)
        object.member("sinceMs", sinceMs)
        object.member("cause", cause)
    }
}

/// The seed's `DependencyStatus`: the worst of the dependencies, and each of them.
package struct DependencyStatus: WireObject {
    package var service: String
    package var status: ServiceHealth
    package var dependencies: [String: DependencyHealth]

    package init(service: String, status: ServiceHealth, dependencies: [String: DependencyHealth]) {
        self.service = service
        self.status = status
        self.dependencies = dependencies
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        status = try fields.value("status")
        dependencies = try fields.value("dependencies")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("status", status)
        object.member("dependencies", dependencies)
    }
}

/// How the things are that a service needs.
package enum CheckDependencyHealth: RPCMethod {
    package static let name = "checkDependencyHealth"
    package static let access = Access.read
    package typealias Params = ServiceQuery
    package typealias Reply = DependencyStatus
}
