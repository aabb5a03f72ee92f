import DequeModule
package import HealthAPI
package import Time

/// Every alert that stands, by service and kind, and the last ones that are over.
package struct AlertBook: Hashable, Sendable {
    /// What raising came to.
    package enum Raising: Hashable, Sendable {
        /// A new alert, or one that grew in severity: people must hear it.
        case told(Alert)
        /// It stood already; its count went up.
        case counted(Alert)
        /// `standingLimit` alerts stand.
        case full
    }

    private struct Key: Hashable {
        var service: String
        var kind: String
    }

    /// More standing alerts than this are a fault of whoever raises them.
    package static let standingLimit = 1000
    /// Alerts that are over and still listed.
    package static let resolvedLimit = 1000
    /// Longer summaries are cut, in bytes of UTF-8.
    package static let summaryLimit = 1024

    private var standing: [Key: Alert] = [:]
    private var resolved: Deque<Alert> = []

    /// The book as it was kept over a restart, in any order.
    package init(kept: [Alert] = []) {
        for alert in kept where alert.resolvedAtMs == nil {
            standing[Key(service: alert.service, kind: alert.kind)] = alert
        }
        resolved = Deque(
            kept.filter { $0.resolvedAtMs != nil }.sorted { ($0.resolvedAtMs ?? 0) < ($1.resolvedAtMs ?? 0) }
                .suffix(Self.resolvedLimit))
    }

    /// Everything that stands, sorted by service and kind.
    package var allStanding: [Alert] {
        standing.values.sorted { ($0.service, $0.kind) < ($1.service, $1.kind) }
    }

    package var standingCount: Int {
        standing.count
    }

    /// Of what stands, what somebody must see to.
    package var urgentCount: Int {
        standing.values.count { $0.severity.isUrgent }
    }

    /// Standing alerts of `service` that `source` raised.
    package func standing(of service: String, from source: String) -> [Alert] {
        standing.values.filter { $0.service == service && $0.source == source }.sorted { $0.kind < $1.kind }
    }

    /// Whether an incident of `service` goes on for an alert that stands. What configd has put right holds none open: that alert
    /// stands for the person who has still to see what it was.
    package func holdsOpen(incidentOf service: String) -> Bool {
        standing.values.contains { $0.service == service && $0.source != HealthMachine.corruptionSource }
    }

    /// The newest first: what stands, then what is over.
    package func list(of service: String?, withResolved: Bool) -> [Alert] {
        let open = standing.values.sorted { ($0.raisedAtMs, $0.id) > ($1.raisedAtMs, $1.id) }
        let all = withResolved ? open + resolved.reversed() : open
        guard let service else { return all }
        return all.filter { $0.service == service }
    }

    /// Trouble of this kind was seen at `now`.
    package mutating func raised(
        service: String, kind: String, severity: AlertSeverity, summary: String, incident: String?, source: String,
        now: Moment, random: inout SeededRandom
    ) -> Raising {
        let key = Key(service: service, kind: kind)
        let summary = summary.cut(toBytes: Self.summaryLimit)
        if var alert = standing[key] {
            let grew = severity.rank > alert.severity.rank
            alert.count += 1
            alert.lastRaisedAtMs = now.wall.milliseconds
            alert.incident = incident ?? alert.incident
            if grew || severity == alert.severity { alert.summary = summary }
            if grew { alert.severity = severity }
            standing[key] = alert
            return grew ? .told(alert) : .counted(alert)
        }
        guard standing.count < Self.standingLimit else { return .full }
        let alert = Alert(
            id: HealthIDText.make(at: now.wall, random: &random), service: service, kind: kind, severity: severity,
            summary: summary, incident: incident, source: source, raisedAtMs: now.wall.milliseconds,
            lastRaisedAtMs: now.wall.milliseconds, count: 1, resolvedAtMs: nil)
        standing[key] = alert
        return .told(alert)
    }

    /// Trouble of this kind is over; nil where none stood.
    package mutating func ended(service: String, kind: String, now: Moment) -> Alert? {
        guard var alert = standing.removeValue(forKey: Key(service: service, kind: kind)) else { return nil }
        alert.resolvedAtMs = now.wall.milliseconds
        resolved.append(alert)
        if resolved.count > Self.resolvedLimit { resolved.removeFirst() }
        return alert
    }
}

extension AlertSeverity {
    fileprivate var rank: Int {
        switch self {
        case .warning: 0
        case .critical: 1
        case .operator: 2
        }
    }
}
