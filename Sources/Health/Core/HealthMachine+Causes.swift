import HealthAPI
import Time
import Wire

/// What is worked out of the checks each time that it is needed: how a service and its dependencies are, and why.
extension HealthMachine {
    /// The service of that name; throws `unknownService` where no settings name it.
    func service(_ name: String) throws(RPCError) -> ServiceConfig {
        guard let config = config.services.first(where: { $0.name == name }) else { throw .unknownService(name) }
        return config
    }

    /// The checks of a service, sorted.
    func ids(of service: String) -> [CheckID] {
        checksOfService[service] ?? []
    }

    /// What a service's own checks say; nil where it has none.
    func ownHealth(_ name: String) -> ServiceHealth? {
        let own = ids(of: name).filter { checks[$0]?.config.dependency == nil }
        return own.isEmpty ? nil : health(of: own)
    }

    /// The checks that speak for a dependency: those that say so, and the own ones of the service of that name. Only own ones, so
    /// that services may need each other without their states feeding each other.
    func dependencyChecks(_ dependency: String, of service: String) -> [CheckID] {
        ids(of: service).filter { checks[$0]?.config.dependency == dependency }
            + ids(of: dependency).filter { checks[$0]?.config.dependency == nil }
    }

    /// What the checks that speak for a dependency add up to.
    func dependencyHealth(_ dependency: String, of service: String) -> ServiceHealth {
        health(of: dependencyChecks(dependency, of: service))
    }

    private func health(of ids: [CheckID]) -> ServiceHealth {
        HealthFold.health(
            of: ids.compactMap { checks[$0] }.map { HealthFold.Part($0.verdict, isCritical: $0.config.isCritical) })
    }

    /// What the worst check of a dependency saw.
    func dependencyMessage(_ dependency: String, of service: String) -> String? {
        worst(dependencyChecks(dependency, of: service))?.message
    }

    /// The worst check that is not well; of equals the one that failed first, which is the likelier cause.
    private func worst(_ candidates: [CheckID]) -> CheckMachine? {
        func rank(_ check: CheckMachine) -> (Int, Int, Int64) {
            (check.verdict.severity, check.config.isCritical ? 1 : 0, -check.verdictSince.milliseconds)
        }
        return candidates.compactMap { checks[$0] }.filter { $0.verdict != .ok }.max { rank($0) < rank($1) }
    }

    /// Why a service is not healthy, in a line; nil while it is.
    func cause(of service: ServiceConfig) -> String? {
        let down = service.dependencies.map(\.name).first { dependencyHealth($0, of: service.name) == .unhealthy }
        if let down {
            let deepest = deepestDown(below: service) ?? (service.name, down)
            let why = dependencyMessage(deepest.dependency, of: deepest.service) ?? "down"
            return "\(deepest.dependency): \(why)"
        }
        let own = ids(of: service.name)
        guard let check = worst(own) else { return own.isEmpty ? "no check is configured" : nil }
        return "\(check.config.name): \(check.message)"
    }

    /// Follows essential dependencies that are down as far as they go: the first of a chain that needs nothing else that is
    /// down. Nil where none is.
    func deepestDown(below top: ServiceConfig) -> (service: String, dependency: String)? {
        var found: (service: String, dependency: String)?
        var visited: Set<String> = []
        var next: ServiceConfig? = top
        while let service = next, visited.insert(service.name).inserted {
            let down = service.dependencies.first {
                $0.isEssential && dependencyHealth($0.name, of: service.name) == .unhealthy
            }
            guard let down else { break }
            found = (service.name, down.name)
            next = config.services.first { $0.name == down.name }
        }
        return found
    }
}
