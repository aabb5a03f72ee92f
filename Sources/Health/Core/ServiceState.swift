import HealthAPI
import Time

/// What is known of one service over time.
struct ServiceState: Hashable, Sendable {
    private(set) var status = ServiceHealth.unknown
    /// Since when `status` is what it is.
    private(set) var since: WallTime
    /// Since when it was not seen unhealthy; nil while it is, and before it was seen at all.
    private var upSince: Moment?
    /// When it was last healthy, where it is not now.
    private var lastHealthy: WallTime?
    private var incident: IncidentBook.Open?
    private var dependencies: [String: Dependency] = [:]

    private struct Dependency: Hashable {
        var health: ServiceHealth
        var since: WallTime
    }

    /// A service of which nothing is known.
    init(now: Moment) {
        since = now.wall
    }

    /// A service as it was kept. Its time up goes on, counted by the wall clock over the gap; a clock that was set back gives 0.
    init(kept: KeptService, now: Moment) {
        since = now.wall
        lastHealthy = kept.lastHealthy
        if let up = kept.upSince {
            let passed = max(0, now.wall.milliseconds - up.milliseconds)
            upSince = Moment(instant: now.instant - .milliseconds(passed), wall: up)
        }
        if let id = kept.incident { incident = IncidentBook.Open(id: id, openedAt: kept.incidentOpenedAt ?? now.wall) }
    }

    /// The checks add up to `new`; true where that is a change.
    mutating func statusChanged(to new: ServiceHealth, now: Moment) -> Bool {
        guard new != status else { return false }
        if status == .healthy { lastHealthy = now.wall }
        switch new {
        case .healthy, .degraded: upSince = upSince ?? now
        case .unhealthy: upSince = nil
        case .unknown: break
        }
        status = new
        since = now.wall
        return true
    }

    mutating func dependencyChanged(_ name: String, to health: ServiceHealth, now: Moment) {
        guard dependencies[name]?.health != health else { return }
        dependencies[name] = Dependency(health: health, since: now.wall)
    }

    mutating func incidentOpened(_ opened: IncidentBook.Open) {
        incident = incident.map { $0.openedAt <= opened.openedAt ? $0 : opened } ?? opened
    }

    mutating func incidentClosed() {
        incident = nil
    }

    /// Since when the dependency is as it is.
    func dependencySince(_ name: String, now: Moment) -> WallTime {
        dependencies[name]?.since ?? now.wall
    }

    /// The seed's `uptime`, in milliseconds.
    func uptimeMs(now: Moment) -> Int64 {
        upSince.map { max(0, (now.instant - $0.instant).milliseconds) } ?? 0
    }

    /// The seed's `lastHealthy`, in milliseconds since 1970.
    func lastHealthyMs(now: Moment) -> Int64? {
        status == .healthy ? now.wall.milliseconds : lastHealthy?.milliseconds
    }

    func kept(as name: String, now: Moment) -> KeptService {
        KeptService(
            service: name, upSince: upSince?.wall, lastHealthy: status == .healthy ? now.wall : lastHealthy,
            incident: incident?.id, incidentOpenedAt: incident?.openedAt)
    }
}
