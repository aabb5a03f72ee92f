package import Wire

/// What a check does and how often: the seed's `HealthCheckConfig`, its times in milliseconds.
package struct HealthCheckConfig: WireObject {
    package var name: String
    package var type: CheckType
    /// `http`: a URL; `tcp`: HOST:PORT.
    package var endpoint: String?
    /// `command`: run by `/bin/sh -c`.
    package var command: String?
    /// `command`: the user it runs as, which must be named.
    package var user: String?
    /// How long one attempt may take, ms.
    package var timeout: Int64
    /// From the start of one round to the start of the next, ms. `custom`: how long a report stays good.
    package var interval: Int64
    /// Further attempts in a round after one that failed.
    package var retries: Int
    /// Good rounds running before *ok* is believed.
    package var successThreshold: Int
    /// Bad rounds running before *critical* is believed.
    package var failureThreshold: Int
    /// A check that is not critical makes the service degraded at worst.
    package var critical: Bool

    package init(
        name: String, type: CheckType, endpoint: String? = nil, command: String? = nil, user: String? = nil,
        timeout: Int64 = 1000, interval: Int64 = 5000, retries: Int = 0, successThreshold: Int = 1,
        failureThreshold: Int = 3, critical: Bool = true
    ) {
        self.name = name
        self.type = type
        self.endpoint = endpoint
        self.command = command
        self.user = user
        self.timeout = timeout
        self.interval = interval
        self.retries = retries
        self.successThreshold = successThreshold
        self.failureThreshold = failureThreshold
        self.critical = critical
    }

    package init(from fields: inout Fields) throws(WireError) {
        name = try fields.value("name")
        type = try fields.value("type")
        endpoint = try fields.optional("endpoint")
        command = try fields.optional("command")
        user = try fields.optional("user")
        timeout = try fields.value("timeout", or: 1000)
        interval = try fields.value("interval", or: 5000)
        retries = try fields.value("retries", or: 0)
        successThreshold = try fields.value("successThreshold", or: 1)
        failureThreshold = try fields.value("failureThreshold", or: 3)
        critical = try fields.value("critical", or: true)
    }

    package func write(to object: inout ObjectWriter) {
        object.member("name", name)
        object.member("type", type)
        object.member("endpoint", endpoint)
        object.member("command", command)
        object.member("user", user)
        object.member("timeout", timeout)
        object.member("interval", interval)
        object.member("retries", retries)
        object.member("successThreshold", successThreshold)
        object.member("failureThreshold", failureThreshold)
        object.member("critical", critical)
    }
}

/// One check with its place, its configuration and where it stands.
package struct CheckListing: WireObject {
    package var service: String
    /// The dependency it speaks for; nil for the service's own.
    package var dependency: String?
    /// Registered over the socket, not by a settings file.
    package var registered: Bool
    package var config: HealthCheckConfig
    package var result: CheckResult

    package init(
        service: String, dependency: String?, registered: Bool, config: HealthCheckConfig, result: CheckResult
    ) {
        self.service = service
        self.dependency = dependency
        self.registered = registered
        self.config = config
        self.result = result
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        dependency = try fields.optional("dependency")
        registered = try fields.value("registered")
        config = try fields.value("config")
        result = try fields.value("result")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("dependency", dependency)
        object.member("registered", registered)
        object.member("config", config)
        object.member("result", result)
    }
}

/// Lists checks by service, dependency and name; those of one service, or all.
package enum Checks: RPCMethod {
    package static let name = "checks"
    package static let access = Access.read
    package typealias Params = ListParams

    package struct Reply: WireObject {
        package var checks: [CheckListing]
        /// Where the next page begins; nil on the last.
        package var next: String?

        package init(checks: [CheckListing], next: String?) {
            self.checks = checks
            self.next = next
        }

        package init(from fields: inout Fields) throws(WireError) {
            checks = try fields.value("checks")
            next = try fields.optional("next")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("checks", checks)
            object.member("next", next)
        }
    }
}

/// Adds a check to a service while it runs, or replaces one that was added so; it is kept over restarts of healthd.
package enum RegisterHealthCheck: RPCMethod {
    package static let name = "registerHealthCheck"
    package static let access = Access.act

    package struct Params: WireObject {
        package var service: String
        package var check: HealthCheckConfig

        package init(service: String, check: HealthCheckConfig) {
            self.service = service
            self.check = check
        }

        package init(from fields: inout Fields) throws(WireError) {
            service = try fields.value("service")
            check = try fields.value("check")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("service", service)
            object.member("check", check)
        }
    }

    package struct Reply: WireObject {
        /// A registered check of this name was there before.
        package var replaced: Bool

        package init(replaced: Bool) {
            self.replaced = replaced
        }

        package init(from fields: inout Fields) throws(WireError) {
            replaced = try fields.value("replaced")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("replaced", replaced)
        }
    }
}

/// Takes back what `registerHealthCheck` added.
package enum RemoveHealthCheck: RPCMethod {
    package static let name = "removeHealthCheck"
    package static let access = Access.act
    package typealias Reply = NoFields

    package struct Params: WireObject {
        package var service: String
        package var name: String

        package init(service: String, name: String) {
            self.service = service
            self.name = name
        }

        package init(from fields: inout Fields) throws(WireError) {
            service = try fields.value("service")
            name = try fields.value("name")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("service", service)
            object.member("name", name)
        }
    }
}

/// A report for a `custom` check, by the service itself or an operator.
package enum ReportCheck: RPCMethod {
    package static let name = "reportCheck"
    package static let access = Access.own
    package typealias Reply = NoFields

    package struct Params: WireObject {
        package var service: String
        package var name: String
        package var status: Verdict
        /// At most 512 bytes are kept.
        package var message: String

        package init(service: String, name: String, status: Verdict, message: String = "") {
            self.service = service
            self.name = name
            self.status = status
            self.message = message
        }

        package init(from fields: inout Fields) throws(WireError) {
            service = try fields.value("service")
            name = try fields.value("name")
            status = try fields.value("status")
            message = try fields.value("message", or: "")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("service", service)
            object.member("name", name)
            object.member("status", status)
            object.member("message", message)
        }
    }
}
