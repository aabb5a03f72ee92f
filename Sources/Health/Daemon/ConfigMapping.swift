import HealthAPI
import HealthCore
import Runtime
import Settings
import Time
import Wire

/// The settings as healthd's machine takes them.
extension HealthConfig {
    init(_ settings: AllSettings) {
        self.init(services: settings.services.map(ServiceConfig.init))
    }
}

extension ServiceConfig {
    /// A service without checks of its own is asked what watchdogd's liveness probe asks, where that can be asked over TCP: it
    /// must not be unknown for ever.
    init(_ settings: ServiceSettings) {
        var checks = settings.checks.map { CheckConfig($0, dependency: nil) }
        if checks.isEmpty, let liveness = settings.liveness.flatMap(CheckConfig.init(liveness:)) { checks = [liveness] }
        let needed = settings.dependencies.map { CheckConfig($0.check, dependency: $0.check.name) }
        self.init(
            name: settings.name, checks: checks + needed,
            dependencies: settings.dependencies.map {
                DependencyConfig($0.check.name, isEssential: $0.check.critical)
            })
    }
}

extension CheckConfig {
    init(_ settings: CheckSettings, dependency: String?) {
        self.init(
            name: settings.name, probe: Probe(settings.probe), dependency: dependency,
            // A dependency's one check is all that is known of it: whether the service can do without is the gate's matter.
            isCritical: dependency != nil || settings.critical, interval: settings.interval, timeout: settings.timeout,
            retries: settings.retries,
            thresholds: Thresholds(success: settings.successThreshold, failure: settings.failureThreshold))
    }

    /// The check that stands in for a liveness probe; nil for a Unix socket and for heartbeats, which only watchdogd sees.
    fileprivate init?(liveness: LivenessSettings) {
        let probe: Probe
        switch liveness.probe {
        case .http(let endpoint): probe = .http(HTTPProbe(endpoint))
        case .tcp(let endpoint): probe = .tcp(TCPProbe(host: endpoint.host, port: endpoint.port))
        case .unix, .heartbeat: return nil
        }
        self.init(
            name: "liveness", probe: probe, interval: liveness.interval, timeout: liveness.timeout,
            thresholds: Thresholds(failure: liveness.failureThreshold))
    }

    /// A check that came over the socket. Throws `invalidCheck` where its endpoint cannot be read; its other members are the
    /// machine's to judge.
    init(registering asked: HealthCheckConfig) throws(RPCError) {
        self.init(
            name: asked.name, probe: try Probe(asked), isCritical: asked.critical,
            interval: .milliseconds(asked.interval), timeout: .milliseconds(asked.timeout),
            retries: asked.retries,
            thresholds: Thresholds(success: max(1, asked.successThreshold), failure: max(1, asked.failureThreshold)))
    }
}

extension Probe {
    fileprivate init(_ settings: CheckProbe) {
        switch settings {
        case .http(let http):
            var probe = HTTPProbe(http.endpoint)
            probe.expectedStatus = http.expectStatus
            probe.expectedBody = http.expectBody
            self = .http(probe)
        case .tcp(let endpoint): self = .tcp(TCPProbe(host: endpoint.host, port: endpoint.port))
        case .command(let command):
            self = .command(CommandProbe(arguments: command.arguments, user: command.user))
        }
    }

    fileprivate init(_ asked: HealthCheckConfig) throws(RPCError) {
        let found = asked.endpoint ?? "nothing"
        switch asked.type {
        case .http:
            guard let endpoint = HTTPEndpoint(found) else {
                let expected =
                    found.hasPrefix("https:")
                    ? "a URL without TLS, which healthd cannot speak yet" : "a URL such as http://127.0.0.1:3000/health"
                throw HealthErrors.invalidCheck(member: "endpoint", expected: expected, found: found)
            }
            self = .http(HTTPProbe(endpoint))
        case .tcp:
            guard let endpoint = TCPEndpoint(found) else {
                throw HealthErrors.invalidCheck(
                    member: "endpoint", expected: "HOST:PORT such as 127.0.0.1:5432", found: found)
            }
            self = .tcp(TCPProbe(host: endpoint.host, port: endpoint.port))
        case .command:
            self = .command(CommandProbe(arguments: ["/bin/sh", "-c", asked.command ?? ""], user: asked.user ?? ""))
        case .custom:
            self = .report
        }
    }
}

extension HTTPProbe {
    fileprivate init(_ endpoint: HTTPEndpoint) {
        self.init(host: endpoint.host, port: endpoint.port, target: endpoint.target)
    }
}
