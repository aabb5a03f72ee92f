package import HealthAPI
package import Time

/// The identity of a check on this host.
package struct CheckID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var service: String
    package var name: String

    package init(service: String, name: String) {
        self.service = service
        self.name = name
    }

    package static func < (left: CheckID, right: CheckID) -> Bool {
        (left.service, left.name) < (right.service, right.name)
    }

    package var description: String {
        "\(service)/\(name)"
    }
}

/// What healthd's machine wants done. The daemon's one `switch` does it.
package enum HealthAction: Hashable, Sendable {
    case startTimer(TimerID, after: Duration)
    case stopTimer(TimerID)
    case startProbe(RunID, CheckID, Probe, timeout: Duration)
    /// The attempt is of no interest any more: close its connection, kill its process group.
    case abandonProbe(RunID)
    /// Tell subscribers, and the journal.
    case tell(HealthNews)
    /// Keep over restarts.
    case keepService(KeptService)
    case keepAlert(Alert)
}

/// What subscribers and the journal are told.
package enum HealthNews: Hashable, Sendable {
    case checkChanged(CheckChanged)
    case statusChanged(StatusChanged)
    case alertRaised(Alert)
    case alertResolved(Alert)
    /// Two daemons each opened an incident for one service: `alias` belongs to `winner`.
    case incidentAliased(service: String, alias: String, winner: String)
}

/// What is kept of a service over restarts of healthd.
package struct KeptService: Hashable, Sendable {
    package var service: String
    /// Since when it was not seen unhealthy; nil while it is.
    package var upSince: WallTime?
    package var lastHealthy: WallTime?
    package var incident: String?
    package var incidentOpenedAt: WallTime?

    package init(
        service: String, upSince: WallTime?, lastHealthy: WallTime?, incident: String? = nil,
        incidentOpenedAt: WallTime? = nil
    ) {
        self.service = service
        self.upSince = upSince
        self.lastHealthy = lastHealthy
        self.incident = incident
        self.incidentOpenedAt = incidentOpenedAt
    }
}

/// Everything that was kept.
package struct KeptHealth: Hashable, Sendable {
    package var services: [KeptService]
    package var alerts: [Alert]
    /// Checks that were registered over the socket, by service.
    package var registered: [RegisteredCheck]

    package init(services: [KeptService] = [], alerts: [Alert] = [], registered: [RegisteredCheck] = []) {
        self.services = services
        self.alerts = alerts
        self.registered = registered
    }
}

/// A check that came over the socket: as it was asked for, and as it is run.
package struct RegisteredCheck: Hashable, Sendable {
    package var service: String
    package var asked: HealthCheckConfig
    package var config: CheckConfig

    package init(service: String, asked: HealthCheckConfig, config: CheckConfig) {
        self.service = service
        self.asked = asked
        self.config = config
    }
}
