package import HealthAPI

/// How checks add up. Pure, so that what an operator is told can be worked out with a pencil.
package enum HealthFold {
    /// One check as the fold sees it.
    package struct Part: Hashable, Sendable {
        package var verdict: Verdict
        package var isCritical: Bool

        package init(_ verdict: Verdict, isCritical: Bool = true) {
            self.verdict = verdict
            self.isCritical = isCritical
        }
    }

    /// What checks say without regard to dependencies. No check at all is *unknown*: nobody has looked.
    package static func health(of parts: some Sequence<Part>) -> ServiceHealth {
        parts.reduce(nil as ServiceHealth?) { worst, part in
            let health: ServiceHealth =
                switch part.verdict {
                case .ok: .healthy
                case .warning: .degraded
                case .critical: part.isCritical ? .unhealthy : .degraded
                case .unknown: .unknown
                }
            return worst.map { worse($0, health) } ?? health
        } ?? .unknown
    }

    /// A service with what it needs: a dependency that is down degrades it, and one that nobody can see leaves it unknown.
    /// Whether a dependency is merely degraded is its own matter. `own` is nil where the service has no check of its own, so
    /// that what it needs speaks for it.
    package static func health(own: ServiceHealth?, dependencies: some Sequence<ServiceHealth>) -> ServiceHealth {
        let needed = dependencies.map { health -> ServiceHealth in
            switch health {
            case .healthy, .degraded: .healthy
            case .unhealthy: .degraded
            case .unknown: .unknown
            }
        }
        let all = (own.map { [$0] } ?? []) + needed
        return all.reduce(all.first ?? .unknown, worse)
    }

    /// The worse of two: unhealthy, then degraded, then unknown, then healthy.
    package static func worse(_ left: ServiceHealth, _ right: ServiceHealth) -> ServiceHealth {
        left.rank >= right.rank ? left : right
    }
}

extension ServiceHealth {
    fileprivate var rank: Int {
        switch self {
        case .healthy: 0
        case .unknown: 1
        case .degraded: 2
        case .unhealthy: 3
        }
    }
}
