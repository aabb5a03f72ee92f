package import HealthAPI
import Time

/// What healthd watches over: every service of this host with its checks.
package struct HealthConfig: Hashable, Sendable {
    package var services: [ServiceConfig]

    package init(services: [ServiceConfig] = []) {
        self.services = services
    }
}

/// One service: its own checks, what it needs, and the checks that speak for what it needs.
package struct ServiceConfig: Hashable, Sendable {
    package var name: String
    package var checks: [CheckConfig]
    package var dependencies: [DependencyConfig]

    package init(name: String, checks: [CheckConfig] = [], dependencies: [DependencyConfig] = []) {
        self.name = name
        self.checks = checks
        self.dependencies = dependencies
    }
}

/// Something that a service needs.
package struct DependencyConfig: Hashable, Sendable {
    /// The `dependency` of some of the service's checks, the name of another service of this host, or both.
    package var name: String
    /// Without it the service cannot work, so a restart would not help while it is down: the gate closes.
    package var isEssential: Bool

    package init(_ name: String, isEssential: Bool = true) {
        self.name = name
        self.isEssential = isEssential
    }
}

/// One check, as its machine keeps it.
package struct CheckConfig: Hashable, Sendable {
    /// Unique within the service.
    package var name: String
    package var probe: Probe
    /// The dependency it speaks for; nil for the service's own.
    package var dependency: String?
    /// A failing check that is not critical makes its service degraded, never unhealthy.
    package var isCritical: Bool
    /// From the start of one round to the start of the next; of a `report`, how long one stays good.
    package var interval: Duration
    /// How long one attempt may take.
    package var timeout: Duration
    /// Further attempts in a round, each `retryDelay` after the failure of the one before.
    package var retries: Int
    package var retryDelay: Duration
    package var thresholds: Thresholds

    package init(
        name: String, probe: Probe, dependency: String? = nil, isCritical: Bool = true,
        interval: Duration = .seconds(5), timeout: Duration = .seconds(1), retries: Int = 0,
        retryDelay: Duration = .milliseconds(200), thresholds: Thresholds = Thresholds()
    ) {
        self.name = name
        self.probe = probe
        self.dependency = dependency
        self.isCritical = isCritical
        self.interval = interval
        self.timeout = timeout
        self.retries = retries
        self.retryDelay = retryDelay
        self.thresholds = thresholds
    }
}

/// What a probe does. The daemon carries it out; the machines only hand it on.
package enum Probe: Hashable, Sendable {
    case http(HTTPProbe)
    case tcp(TCPProbe)
    case command(CommandProbe)
    /// Nothing: somebody else reports.
    case report
}

/// One HTTP/1.1 request and what its answer must be.
package struct HTTPProbe: Hashable, Sendable {
    package var host: String
    package var port: Int
    /// The path with its query.
    package var target: String
    package var method: String
    /// Statuses that are good.
    package var expectedStatus: [ClosedRange<Int>]
    /// A text that the first 64 KiB of the body must hold.
    package var expectedBody: String?

    package init(
        host: String, port: Int, target: String, method: String = "GET",
        expectedStatus: [ClosedRange<Int>] = [200...399],
        expectedBody: String? = nil
    ) {
        self.host = host
        self.port = port
        self.target = target
        self.method = method
        self.expectedStatus = expectedStatus
        self.expectedBody = expectedBody
    }
}

/// A TCP connection, and what is said over it.
package struct TCPProbe: Hashable, Sendable {
    package var host: String
    package var port: Int
    /// Sent once connected.
    package var send: String?
    /// A text that the first 64 KiB of the answer must hold.
    package var expect: String?

    package init(host: String, port: Int, send: String? = nil, expect: String? = nil) {
        self.host = host
        self.port = port
        self.send = send
        self.expect = expect
    }
}

/// A program, judged by its exit status as Nagios judges its plugins: 0 is ok, 1 a warning, 2 critical, 3 unknown, and all
/// others critical, but for 126 and 127, by which the launcher says that it could not be run: unknown.
package struct CommandProbe: Hashable, Sendable {
    /// The program's path and its arguments; never empty.
    package var arguments: [String]
    /// The user it runs as.
    package var user: String

    package init(arguments: [String], user: String) {
        self.arguments = arguments
        self.user = user
    }
}

extension Probe {
    /// The seed's word for it.
    package var type: CheckType {
        switch self {
        case .http: .http
        case .tcp: .tcp
        case .command: .command
        case .report: .custom
        }
    }
}

extension CheckConfig {
    /// The check in the seed's words. A probe of a settings file says more than these words can; they are its essence.
    package var told: HealthCheckConfig {
        var told = HealthCheckConfig(
            name: name, type: probe.type, timeout: timeout.milliseconds, interval: interval.milliseconds,
            retries: retries, successThreshold: thresholds.success, failureThreshold: thresholds.failure,
            critical: isCritical)
        switch probe {
        case .http(let http): told.endpoint = "http://\(Self.place(http.host, http.port))\(http.target)"
        case .tcp(let tcp): told.endpoint = Self.place(tcp.host, tcp.port)
        case .command(let command):
            told.command = command.arguments.joined(separator: " ")
            told.user = command.user
        case .report: break
        }
        return told
    }

    private static func place(_ host: String, _ port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
