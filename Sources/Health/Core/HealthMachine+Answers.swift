package import HealthAPI
package import Time
package import Wire

extension HealthMachine {
    /// Every known service, sorted.
    package var serviceNames: [String] {
        services.keys.sorted()
    }

    /// The service meant by a query: the one it names, or the only one there is.
    package func resolve(_ name: String?) throws(RPCError) -> String {
        if let name { return try service(name).name }
        guard services.count == 1, let only = services.first?.key else {
            throw HealthErrors.serviceMissing(known: serviceNames)
        }
        return only
    }

    /// How a service is, with every check behind it.
    package func health(of query: String?, now: Moment) throws(RPCError) -> HealthStatus {
        let config = try service(resolve(query))
        let state = services[config.name] ?? ServiceState(now: now)
        let own = ids(of: config.name).filter { checks[$0]?.config.dependency == nil }
        let results = own.compactMap { id in checks[id].map { (id.name, $0.result) } }
        let needed = config.dependencies.map { ($0.name, dependencyHealth($0.name, of: config.name)) }
        return HealthStatus(
            service: config.name, status: state.status, checks: Dictionary(uniqueKeysWithValues: results),
            uptime: state.uptimeMs(now: now), lastHealthy: state.lastHealthyMs(now: now),
            sinceMs: state.since.milliseconds, cause: cause(of: config),
            incident: incidents.standing(for: config.name),
            dependencies: Dictionary(needed, uniquingKeysWith: HealthFold.worse))
    }

    /// How the things are that a service needs.
    package func dependencies(of query: String?, now: Moment) throws(RPCError) -> DependencyStatus {
        let config = try service(resolve(query))
        let state = services[config.name] ?? ServiceState(now: now)
        var all: [String: DependencyHealth] = [:]
        for dependency in config.dependencies {
            let health = dependencyHealth(dependency.name, of: config.name)
            let results = dependencyChecks(dependency.name, of: config.name).compactMap { id in
                checks[id].map { (id.service == config.name ? id.name : id.description, $0.result) }
            }
            all[dependency.name] = DependencyHealth(
                status: health, checks: Dictionary(uniqueKeysWithValues: results),
                sinceMs: state.dependencySince(dependency.name, now: now).milliseconds,
                cause: health == .healthy ? nil : dependencyMessage(dependency.name, of: config.name))
        }
        let worst = all.values.reduce(ServiceHealth.healthy) { HealthFold.worse($0, $1.status) }
        return DependencyStatus(service: config.name, status: worst, dependencies: all)
    }

    /// Would acting on this service help?
    package func gate(_ name: String, now: Moment) throws(RPCError) -> Gate.Reply {
        let config = try service(name)
        let essential = config.dependencies.filter(\.isEssential)
        let unknown = essential.map(\.name).filter { dependencyHealth($0, of: name) == .unknown }.sorted()
        guard let down = deepestDown(below: config) else {
            let reason =
                switch (essential.isEmpty, unknown.isEmpty) {
                case (true, _): "\(name) declares no dependency that it cannot work without"
                case (false, true): "no dependency of \(name) is down"
                case (false, false):
                    "no dependency of \(name) is known to be down; nothing is known of "
                        + unknown.joined(separator: ", ")
                }
            return Gate.Reply(allowed: true, reason: reason, dependency: nil, sinceMs: nil, unknown: unknown)
        }
        let why = dependencyMessage(down.dependency, of: down.service).map { ": \($0)" } ?? ""
        let since = services[down.service]?.dependencySince(down.dependency, now: now)
        return Gate.Reply(
            allowed: false, reason: "\(down.dependency) is down\(why)", dependency: down.dependency,
            sinceMs: since?.milliseconds, unknown: unknown)
    }

    /// One page of checks.
    package func list(_ params: Checks.Params) throws(RPCError) -> Checks.Reply {
        let all = try params.service.map { name throws(RPCError) in ids(of: try service(name).name) } ?? checkIDs
        let page = try page(of: all, limit: params.limit, after: params.cursor) { $0.description }
        return Checks.Reply(
            checks: page.items.compactMap { id in checks[id].map { listing(id, $0) } }, next: page.next)
    }

    /// One page of alerts.
    package func list(_ params: Alerts.Params) throws(RPCError) -> Alerts.Reply {
        let wanted = try params.service.map { name throws(RPCError) in try service(name).name }
        let all = alerts.list(of: wanted, withResolved: params.resolved)
        let page = try page(of: all, limit: params.limit, after: params.cursor) { $0.id }
        return Alerts.Reply(alerts: Array(page.items), next: page.next)
    }

    /// The items after the one that `cursor` names, at most `limit`, and the cursor of the next page.
    private func page<Item>(
        of all: [Item], limit: Int, after cursor: String?, name: (Item) -> String
    ) throws(RPCError) -> (items: ArraySlice<Item>, next: String?) {
        guard (1...1000).contains(limit) else { throw HealthErrors.badPage(member: "limit", found: "\(limit)") }
        var rest = all[...]
        if let cursor {
            guard let place = all.firstIndex(where: { name($0) == cursor }) else {
                throw HealthErrors.badPage(member: "cursor", found: cursor)
            }
            rest = all[(place + 1)...]
        }
        let items = rest.prefix(limit)
        return (items, items.count < rest.count ? items.last.map(name) : nil)
    }

    /// healthd's own part of `status`.
    package var status: HealthdStatus {
        let summaries = config.services.sorted { $0.name < $1.name }.compactMap { config in
            services[config.name].map { state in
                let own = ids(of: config.name).compactMap { checks[$0]?.verdict }
                return ServiceSummary(
                    service: config.name, status: state.status, sinceMs: state.since.milliseconds,
                    cause: cause(of: config), incident: incidents.standing(for: config.name), checks: own.count,
                    failing: own.count { $0 == .critical || $0 == .warning }, unknown: own.count { $0 == .unknown })
            }
        }
        return HealthdStatus(
            services: summaries, checks: checks.count, probing: checks.values.count(where: \.isProbing),
            alerts: alerts.standingCount, urgentAlerts: alerts.urgentCount)
    }

    /// May this check be registered? Throws why not; answers whether it replaces one.
    package func mayRegister(_ check: RegisteredCheck) throws(RPCError) -> Bool {
        let id = CheckID(service: check.service, name: check.asked.name)
        let config = try service(check.service)
        try RegistrationRules.check(check.asked)
        guard !config.checks.contains(where: { $0.name == check.asked.name }) else {
            throw HealthErrors.checkInSettings(service: check.service, check: check.asked.name)
        }
        guard registered[id] == nil else { return true }
        guard registered.count < Self.registeredLimit else {
            throw HealthErrors.tooManyChecks(limit: Self.registeredLimit)
        }
        return false
    }

    /// May this check be taken back? Throws why not.
    package func mayRemove(_ id: CheckID) throws(RPCError) {
        _ = try service(id.service)
        guard registered[id] != nil else { throw HealthErrors.unknownCheck(service: id.service, check: id.name) }
    }

    /// What a service's checks add up to; nil where no settings name it.
    package func status(of service: String) -> ServiceHealth? { services[service]?.status }

    /// Every check, sorted.
    package var checkIDs: [CheckID] {
        checks.keys.sorted()
    }

    /// Where a check stands; nil where there is none of that name.
    package func result(of id: CheckID) -> CheckResult? {
        checks[id]?.result
    }

    private func listing(_ id: CheckID, _ check: CheckMachine) -> CheckListing {
        CheckListing(
            service: id.service, dependency: check.config.dependency, registered: registered[id] != nil,
            config: registered[id]?.asked ?? check.config.told, result: check.result)
    }
}
