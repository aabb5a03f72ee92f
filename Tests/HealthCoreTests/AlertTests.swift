import HealthAPI
import HealthCore
import Testing
import Time
import Wire

@Suite("Alerts and incidents are told once") struct AlertTests {
    private let watchdogd = "watchdogd"

    private func raise(_ kind: String, _ incident: String? = nil, openedAtMs: Int64? = nil) -> Raise.Params {
        Raise.Params(
            service: "gateway", kind: kind, severity: .critical, summary: "gateway \(kind)", incident: incident,
            openedAtMs: openedAtMs)
    }

    @Test("Raising the same trouble again counts it; a worse severity is told; its end is told once")
    func counted() throws {
        var world = HealthWorld(.gateway)
        world.pass(.seconds(3))
        world.forget()
        func send(_ params: Raise.Params) throws -> Raise.Reply {
            var reply = Raise.Reply(id: nil, incident: nil)
            try world.act { machine, now throws(RPCError) in
                let answer = try machine.peerRaised(params, source: watchdogd, now: now)
                reply = answer.reply
                return answer.actions
            }
            return reply
        }
        let first = try send(raise("spinning", "w1", openedAtMs: 5))
        #expect(first.incident == "w1")
        #expect(try send(raise("spinning", "w1", openedAtMs: 5)).id == first.id)
        #expect(world.raised.count == 1)
        var worse = raise("spinning", "w1", openedAtMs: 5)
        worse.severity = .operator
        _ = try send(worse)
        #expect(world.raised.map(\.severity) == [.critical, .operator])
        #expect(try world.machine.list(Alerts.Params()).alerts.map(\.count) == [3])
        var over = raise("spinning")
        over.resolved = true
        #expect(try send(over).id == first.id)
        #expect(try send(over).id == nil)
        #expect(world.resolved.count == 1)
        #expect(try world.machine.list(Alerts.Params()).alerts.isEmpty)
        #expect(try world.machine.list(Alerts.Params(resolved: true)).alerts.count == 1)
        #expect(try world.machine.health(of: "gateway", now: world.now).incident == nil)
    }

    @Test("Of what stands, the alerts that somebody must see to are counted apart")
    func urgent() throws {
        var world = HealthWorld(.gateway)
        world.pass(.seconds(3))
        for (kind, severity) in [("slow", .warning), ("spinning", .critical), ("lost", .operator)]
            as [(String, AlertSeverity)]
        {
            var params = raise(kind, "w1", openedAtMs: 5)
            params.severity = severity
            try world.act { machine, now throws(RPCError) in
                try machine.peerRaised(params, source: watchdogd, now: now).actions
            }
        }
        #expect(world.machine.status.alerts == 3)
        #expect(world.machine.status.urgentAlerts == 2)
    }

    @Test("Of two incidents for one service the earlier wins and the later is told once as its alias")
    func aliases() {
        var book = IncidentBook()
        let later = IncidentBook.Open(id: "later", openedAt: WallTime(milliseconds: 20))
        let earlier = IncidentBook.Open(id: "earlier", openedAt: WallTime(milliseconds: 10))
        #expect(book.opened(later, for: "gateway") == .opened)
        #expect(book.opened(later, for: "gateway") == .known)
        #expect(book.opened(earlier, for: "gateway") == .aliased(alias: "later", winner: "earlier"))
        #expect(book.opened(later, for: "gateway") == .known)
        #expect(book.standing(for: "gateway") == "earlier")
        #expect(book.standing(for: "other") == nil)
        book.closed(for: "gateway")
        #expect(book.opened(later, for: "gateway") == .opened)
    }

    @Test("watchdogd's incident and healthd's own become one, the earlier")
    func oneIncident() throws {
        var world = HealthWorld(.gateway)
        world.pass(.seconds(3))
        let began = world.now.wall.milliseconds
        world.answers["http"] = .refused
        world.pass(.seconds(5))
        let own = try #require(world.raised.first?.incident)
        var reply: Raise.Reply?
        try world.act { machine, now throws(RPCError) in
            let answer = try machine.peerRaised(raise("spinning", "w1", openedAtMs: began), source: watchdogd, now: now)
            reply = answer.reply
            return answer.actions
        }
        #expect(reply?.incident == "w1")
        let alias = HealthNews.incidentAliased(service: "gateway", alias: own, winner: "w1")
        #expect(world.news.filter { $0 == alias }.count == 1)
        #expect(try world.machine.health(of: "gateway", now: world.now).incident == "w1")
    }

    @Test("More standing alerts than a host can have are refused, and the last thousand that are over are listed")
    func bounded() {
        var book = AlertBook()
        var random = SeededRandom(seed: 3)
        let now = HealthWorld.start
        func add(_ kind: String) -> AlertBook.Raising {
            book.raised(
                service: "gateway", kind: kind, severity: .warning, summary: "", incident: nil, source: watchdogd,
                now: now, random: &random)
        }
        for number in 0..<AlertBook.standingLimit { _ = add("k\(number)") }
        #expect(add("one more") == .full)
        for number in 0..<AlertBook.standingLimit {
            #expect(book.ended(service: "gateway", kind: "k\(number)", now: now) != nil)
        }
        for number in 0..<100 {
            _ = add("again\(number)")
            _ = book.ended(service: "gateway", kind: "again\(number)", now: now)
        }
        #expect(book.list(of: nil, withResolved: true).count == AlertBook.resolvedLimit)
        #expect(book.standingCount == 0)
    }
}

@Suite("A check that comes over the socket holds together") struct RegistrationRulesTests {
    private func refused(_ change: (inout HealthCheckConfig) -> Void) -> String? {
        var check = HealthCheckConfig(name: "extra", type: .tcp, endpoint: "127.0.0.1:80")
        change(&check)
        do {
            try RegistrationRules.check(check)
            return nil
        } catch {
            guard case .string(let member) = error.details["member"] else { return "?" }
            return member
        }
    }

    @Test("A good check passes; each bad member is named")
    func members() {
        #expect(refused { _ in } == nil)
        #expect(refused { $0.name = "../etc" } == "name")
        #expect(refused { $0.name = "" } == "name")
        #expect(refused { $0.interval = 1 } == "interval")
        #expect(refused { $0.timeout = 0 } == "timeout")
        #expect(refused { $0.interval = 500 } == "timeout")
        #expect(refused { $0.retries = 11 } == "retries")
        #expect(refused { $0.successThreshold = 0 } == "successThreshold")
        #expect(refused { $0.failureThreshold = 21 } == "failureThreshold")
        #expect(refused { $0.endpoint = nil } == "endpoint")
        #expect(refused { $0.command = "/bin/true" } == "command")
        #expect(refused { $0.type = .command } == "command")
        #expect(
            refused {
                $0.type = .command
                $0.endpoint = nil
                $0.command = "/bin/true"
            } == "user")
        #expect(refused { $0.type = .custom } == "endpoint")
    }
}
