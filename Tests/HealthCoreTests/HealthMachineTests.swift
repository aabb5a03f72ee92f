import HealthAPI
import HealthCore
import Testing
import Time
import Wire

@Suite("healthd says what it means, once") struct HealthMachineTests {
    private func settledWorld(_ config: HealthConfig = .gateway) -> HealthWorld {
        var world = HealthWorld(config)
        world.pass(.seconds(3))
        world.forget()
        return world
    }

    private func health(_ world: HealthWorld) throws -> HealthStatus {
        try world.machine.health(of: "gateway", now: world.now)
    }

    @Test("A service is unknown until its checks have answered, then healthy")
    func begins() throws {
        var world = HealthWorld(.gateway)
        #expect(try health(world).status == .unknown)
        #expect(try health(world).lastHealthy == nil)
        world.pass(.seconds(3))
        let status = try health(world)
        #expect(status.status == .healthy)
        #expect(status.checks.keys.sorted() == ["http", "latency"])
        #expect(status.dependencies == ["postgres": .healthy, "redis": .healthy])
        #expect(status.lastHealthy == world.now.wall.milliseconds)
        #expect(status.cause == nil)
        #expect(world.statusChanges.map(\.status) == [.healthy])
    }

    @Test("A failing critical check makes it unhealthy within interval x threshold + timeout, and says why")
    func unhealthy() throws {
        var world = settledWorld()
        world.answers["http"] = .never
        world.pass(.milliseconds(2500))
        let status = try health(world)
        #expect(status.status == .unhealthy)
        #expect(status.cause == "http: no answer within 500 ms")
        #expect(status.uptime == 0)
        #expect(world.raised.map(\.kind) == ["unhealthy"])
        #expect(world.statusChanges.map(\.status) == [.unhealthy])
        #expect(world.statusChanges.first?.incident == world.raised.first?.incident)
        #expect(status.incident != nil && status.incident == world.raised.first?.incident)
    }

    @Test("A check that is not critical degrades it and raises no alert")
    func degraded() throws {
        var world = settledWorld()
        world.answers["latency"] = .refused
        world.pass(.seconds(3))
        #expect(try health(world).status == .degraded)
        #expect(try health(world).cause == "latency: connection refused")
        #expect(world.raised.isEmpty)
    }

    @Test("Recovery resolves the one alert, closes the incident and starts the time up anew")
    func recovers() throws {
        var world = settledWorld()
        world.answers["http"] = .refused
        world.pass(.seconds(30))
        world.answers["http"] = .good
        world.pass(.seconds(10))
        #expect(world.raised.count == 1)
        #expect(world.resolved.map(\.id) == world.raised.map(\.id))
        let status = try health(world)
        #expect(status.incident == nil)
        #expect(status.uptime > 8000 && status.uptime <= 10_000)
    }

    @Test("One outage of a dependency is one alert that names it, though the service fails with it")
    func rootCause() throws {
        var world = settledWorld()
        world.answers["postgres"] = .refused
        world.pass(.seconds(3))
        #expect(try health(world).status == .degraded)
        world.answers["http"] = .after(.milliseconds(1), .critical, "503 Service Unavailable")
        world.pass(.seconds(3))
        let status = try health(world)
        #expect(status.status == .unhealthy)
        #expect(status.cause == "postgres: connection refused")
        #expect(world.raised.map(\.kind) == ["dependency:postgres"])
        #expect(world.raised.first?.summary == "gateway needs postgres, which is down: connection refused")
        world.answers = [:]
        world.pass(.seconds(10))
        #expect(world.resolved.map(\.kind) == ["dependency:postgres"])
    }

    @Test("A service that is still unhealthy when its dependency is back is told then")
    func stillUnhealthy() throws {
        var world = settledWorld()
        world.answers["postgres"] = .refused
        world.answers["http"] = .refused
        world.pass(.seconds(5))
        world.answers["postgres"] = .good
        world.pass(.seconds(5))
        #expect(world.raised.map(\.kind).last == "unhealthy")
        #expect(world.resolved.map(\.kind).last == "dependency:postgres")
        #expect(Set(world.raised.map(\.incident)).count == 1)
    }

    @Test("Blindness resolves nothing and raises nothing")
    func blindness() throws {
        var world = settledWorld()
        world.answers["http"] = .refused
        world.pass(.seconds(5))
        for name in ["http", "latency", "postgres", "redis"] { world.answers[name] = .unsure }
        world.forget()
        world.pass(.seconds(60))
        #expect(try health(world).status == .unhealthy)
        #expect(world.resolved.isEmpty && world.raised.isEmpty)
        #expect(try health(world).checks["http"]?.blindSinceMs != nil)
        #expect(try health(world).checks["latency"]?.status == .unknown)
    }

    @Test("A healthy service that nobody can see any more is unknown, never healthy")
    func unseen() throws {
        var world = settledWorld()
        let lastSeen = world.now.wall.milliseconds
        for name in ["http", "latency", "postgres", "redis"] { world.answers[name] = .unsure }
        world.pass(.seconds(60))
        let status = try health(world)
        #expect(status.status == .unknown)
        #expect(status.cause?.hasSuffix(": cannot look") == true)
        #expect(try #require(status.lastHealthy) < lastSeen + 5000)
        #expect(world.raised.isEmpty)
    }

    @Test("The gate closes while an essential dependency is down, says since when, and opens after")
    func gate() throws {
        var world = settledWorld()
        #expect(try world.machine.gate("gateway", now: world.now).allowed)
        world.answers["redis"] = .refused
        world.pass(.seconds(5))
        #expect(try world.machine.gate("gateway", now: world.now).allowed)
        world.answers["postgres"] = .refused
        world.pass(.seconds(5))
        let closed = try world.machine.gate("gateway", now: world.now)
        #expect(!closed.allowed)
        #expect(closed.reason == "postgres is down: connection refused")
        #expect(closed.dependency == "postgres")
        #expect(try #require(closed.sinceMs) <= world.now.wall.milliseconds)
        world.answers["postgres"] = .good
        world.pass(.seconds(2))
        #expect(try world.machine.gate("gateway", now: world.now).allowed)
    }

    @Test("A dependency that nothing is known of does not close the gate, and is named")
    func gateUnknown() throws {
        let world = HealthWorld(.gateway)
        let answer = try world.machine.gate("gateway", now: world.now)
        #expect(answer.allowed)
        #expect(answer.unknown == ["postgres"])
    }

    @Test("The gate names the deepest dependency that is down, also where services need each other in a ring")
    func deepest() throws {
        let ring = HealthConfig(services: [
            ServiceConfig(name: "gateway", checks: [.tcp("http")], dependencies: [DependencyConfig("orders")]),
            ServiceConfig(name: "orders", checks: [.tcp("orders")], dependencies: [DependencyConfig("database")]),
            ServiceConfig(name: "database", checks: [.tcp("database")], dependencies: [DependencyConfig("orders")]),
        ])
        var world = settledWorld(ring)
        world.answers["orders"] = .refused
        world.answers["database"] = .after(.milliseconds(1), .critical, "disk full")
        world.pass(.seconds(5))
        let answer = try world.machine.gate("gateway", now: world.now)
        #expect(!answer.allowed)
        #expect(answer.dependency == "orders" || answer.dependency == "database")
        world.answers["orders"] = .good
        world.pass(.seconds(5))
        #expect(try world.machine.health(of: "gateway", now: world.now).status == .healthy)
        #expect(try world.machine.health(of: "orders", now: world.now).cause == "database: disk full")
    }

    @Test(
        "A reload keeps what an unchanged check knows, forgets a changed one, and resolves alerts of services that are gone"
    )
    func reload() throws {
        var world = settledWorld()
        var config = HealthConfig.gateway
        config.services[0].checks[0].interval = .seconds(2)
        world.act { machine, now in machine.settingsChanged(to: config, now: now) }
        #expect(try health(world).checks["http"]?.status == .unknown)
        #expect(try health(world).checks["latency"]?.status == .ok)
        #expect(world.raised.isEmpty)
        world.answers["latency"] = .never
        world.answers["http"] = .refused
        world.pass(.seconds(10))
        #expect(world.raised.count == 1)
        world.act { machine, now in machine.settingsChanged(to: HealthConfig(), now: now) }
        #expect(world.resolved.count == 1)
        #expect(world.machine.status.checks == 0)
        world.forget()
        world.pass(.seconds(60))
        #expect(world.probesStarted.isEmpty)
    }

    @Test("A registered check counts like any other, survives a reload, and is gone when it is taken back")
    func registered() throws {
        var world = settledWorld()
        let asked = HealthCheckConfig(name: "extra", type: .tcp, endpoint: "127.0.0.1:9", interval: 1000)
        let check = RegisteredCheck(service: "gateway", asked: asked, config: .tcp("extra"))
        #expect(try world.machine.mayRegister(check) == false)
        world.act { machine, now in machine.checkRegistered(check, now: now) }
        world.answers["extra"] = .refused
        world.pass(.seconds(5))
        #expect(try health(world).status == .unhealthy)
        #expect(try world.machine.mayRegister(check) == true)
        world.act { machine, now in machine.settingsChanged(to: .gateway, now: now) }
        #expect(try health(world).checks["extra"]?.status == .critical)
        let listing = try world.machine.list(Checks.Params(service: "gateway")).checks.first { $0.registered }
        #expect(listing?.config == asked)
        world.act { machine, now in
            machine.checkRemoved(CheckID(service: "gateway", name: "extra"), now: now)
        }
        #expect(try health(world).status == .healthy)
        #expect(world.resolved.count == 1)
    }

    @Test("What was kept over a restart is there again: checks, alerts, the incident, the time up")
    func restart() throws {
        let started = HealthWorld.start
        let alert = Alert(
            id: "a1", service: "gateway", kind: "unhealthy", severity: .critical, summary: "gateway is unhealthy",
            incident: "i1", source: "healthd", raisedAtMs: 1, lastRaisedAtMs: 1, count: 1, resolvedAtMs: nil)
        let asked = HealthCheckConfig(name: "extra", type: .tcp, endpoint: "127.0.0.1:9")
        let kept = KeptHealth(
            services: [
                KeptService(
                    service: "gateway", upSince: WallTime(milliseconds: started.wall.milliseconds - 60_000),
                    lastHealthy: WallTime(milliseconds: 5), incident: "i1", incidentOpenedAt: WallTime(milliseconds: 1))
            ], alerts: [alert],
            registered: [RegisteredCheck(service: "gateway", asked: asked, config: .tcp("extra"))])
        var world = HealthWorld(.gateway, kept: kept)
        #expect(try health(world).uptime == 60_000)
        #expect(try health(world).lastHealthy == 5)
        #expect(try health(world).incident == "i1")
        #expect(try health(world).checks["extra"] != nil)
        #expect(world.raised.isEmpty && world.resolved.isEmpty)
        world.pass(.seconds(5))
        #expect(world.resolved.map(\.id) == ["a1"])
        #expect(try health(world).incident == nil)
    }

    @Test("Queries that name nothing known are refused with what is known")
    func refusals() throws {
        let world = settledWorld()
        #expect(throws: RPCError.self) { try world.machine.health(of: "nobody", now: world.now) }
        #expect(try world.machine.health(of: nil, now: world.now).service == "gateway")
        let none = HealthWorld(HealthConfig())
        #expect(throws: HealthErrors.serviceMissing(known: [])) { try none.machine.health(of: nil, now: none.now) }
        let report = ProbeOutcome(.ok, "")
        var machine = world.machine
        #expect(throws: HealthErrors.unknownCheck(service: "gateway", check: "none")) {
            try machine.checkReported(CheckID(service: "gateway", name: "none"), report, now: world.now)
        }
        #expect(throws: HealthErrors.notReported(service: "gateway", check: "http", type: .tcp)) {
            try machine.checkReported(CheckID(service: "gateway", name: "http"), report, now: world.now)
        }
        let taken = RegisteredCheck(
            service: "gateway", asked: HealthCheckConfig(name: "http", type: .tcp, endpoint: "x:1"),
            config: .tcp("http"))
        #expect(throws: HealthErrors.checkInSettings(service: "gateway", check: "http")) {
            try world.machine.mayRegister(taken)
        }
    }

    @Test("Pages of checks come in order, each once, to the end")
    func pages() throws {
        let checks = (0..<25).map { CheckConfig.tcp("check\($0)") }
        let world = settledWorld(HealthConfig(services: [ServiceConfig(name: "web", checks: checks)]))
        var seen: [String] = []
        var cursor: String?
        repeat {
            let page = try world.machine.list(Checks.Params(limit: 10, cursor: cursor))
            seen += page.checks.map(\.config.name)
            cursor = page.next
        } while cursor != nil
        #expect(seen == checks.map(\.name).sorted())
        #expect(throws: RPCError.self) { try world.machine.list(Checks.Params(limit: 0)) }
        #expect(throws: RPCError.self) { try world.machine.list(Checks.Params(cursor: "web/none")) }
    }

    @Test("The same seed gives the same orders, to the last one")
    func deterministic() {
        func run(_ seed: UInt64) -> [HealthAction] {
            var world = HealthWorld(.gateway, seed: seed)
            world.answers["http"] = .refused
            world.pass(.seconds(60))
            return world.actions
        }
        #expect(run(7) == run(7))
        #expect(run(7) != run(8))
    }

    @Test("The incident of a service that was taken out of the settings does not wait for its return")
    func incidentOfAServiceThatIsGone() throws {
        var world = HealthWorld(.gateway)
        let page = Raise.Params(
            service: "gateway", kind: "recovery", severity: .operator, summary: "no token left", incident: "old",
            openedAtMs: 1)
        try world.act { machine, now throws(RPCError) in
            try machine.peerRaised(page, source: "watchdogd", now: now).actions
        }
        world.forget()
        world.act { machine, now in machine.settingsChanged(to: HealthConfig(), now: now) }
        #expect(world.resolved.map(\.kind) == ["recovery"])
        let kept = world.actions.compactMap { if case .keepService(let kept) = $0 { kept } else { nil } }
        #expect(kept.map(\.incident) == [nil], "nor for the next start")
        world.act { machine, now in machine.settingsChanged(to: .gateway, now: now) }
        #expect(try world.machine.health(of: "gateway", now: world.now).incident == nil)
    }
}
