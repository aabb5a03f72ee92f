import MetricsCore
import Settings

/// A server whose figures are read, and what its series are called.
struct ServerTarget: Hashable, Sendable {
    /// What it is, with all that is needed to reach it.
    enum Kind: Hashable, Sendable {
        case redis(RedisSettings)
        case postgres(PostgresSettings)
    }

    var kind: Kind
    /// The service that needs it; nil where it is the host's.
    var service: String?

    /// All that the settings name: the host's first, then the services' in their order.
    static func all(_ settings: AllSettings) -> [ServerTarget] {
        let host = of(settings.mainstay.metricsd.infrastructure, service: nil)
        return host + settings.services.flatMap { of($0.infrastructure, service: $0.name) }
    }

    private static func of(_ settings: InfrastructureSettings, service: String?) -> [ServerTarget] {
        settings.redis.map { ServerTarget(kind: .redis($0), service: service) }
            + settings.postgres.map { ServerTarget(kind: .postgres($0), service: service) }
    }

    /// Its collector's name. Unique, since a place stands once in a list.
    var collector: String { ([job] + (service.map { [$0] } ?? []) + ["\(place)"]).joined(separator: ":") }

    /// `up` as its exporter calls it.
    var upMetric: StaticString {
        switch kind {
        case .redis: "redis_up"
        case .postgres: "pg_up"
        }
    }

    var interval: Duration {
        switch kind {
        case .redis(let settings): settings.interval
        case .postgres(let settings): settings.interval
        }
    }

    /// Of one round.
    var timeout: Duration {
        switch kind {
        case .redis(let settings): settings.timeout
        case .postgres(let settings): settings.timeout
        }
    }

    /// The labels that each of its series gets.
    var labels: [Label] {
        [Label("instance", "\(place)"), Label("job", job)] + (service.map { [Label("service", $0)] } ?? [])
    }

    private var place: ServerPlace {
        switch kind {
        case .redis(let settings): settings.place
        case .postgres(let settings): settings.place
        }
    }

    private var job: String {
        switch kind {
        case .redis: "redis"
        case .postgres: "postgres"
        }
    }
}
