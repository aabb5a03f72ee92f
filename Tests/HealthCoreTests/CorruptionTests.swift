import ConfigAPI
import HealthAPI
import HealthCore
import Testing
import Time

/// The alert of a declared file that was found corrupted.
@Suite struct CorruptionTests {
    private static let file = "/etc/gateway/.env"

    private static func content(
        _ id: Int64, _ cause: ConfigQuarantineCause = .empty, restored: Int64? = 13, adopted: Int64? = nil
    ) -> ConfigQuarantined {
        ConfigQuarantined(
            service: "gateway", file: file, quarantine: id, atMs: 1, cause: cause, message: "nothing was left in it",
            sizeBytes: 0, fingerprint: "f", checksum: nil, ownerUID: 0, restored: restored, adopted: adopted)
    }

    private static func world() -> HealthWorld {
        var world = HealthWorld(.gateway)
        world.pass(.seconds(3))
        world.forget()
        return world
    }

    private static func see(_ contents: [ConfigQuarantined], _ world: inout HealthWorld) {
        world.act { machine, now in machine.setAsideSeen(contents, of: file, service: "gateway", now: now) }
    }

    @Test func itStandsUntilTheContentIsTakenOverOrLetGoOf() throws {
        for handled in [[Self.content(7, adopted: 14)], []] {
            var world = Self.world()
            Self.see([Self.content(7)], &world)
            let alert = try #require(world.raised.first)
            #expect(alert.severity == .critical)
            #expect(alert.source == "configd")
            #expect(alert.kind == "corrupted:\(Self.file)")
            #expect(
                alert.summary.hasPrefix(
                    "\(Self.file) was corrupted: nothing was left in it; version 13 took its place."))
            #expect(alert.summary.contains("mainstay config quarantine gateway 7"))
            Self.see([Self.content(7)], &world)
            #expect(try world.machine.list(Alerts.Params()).alerts.map(\.count) == [1], "asked again, told once")
            Self.see(handled, &world)
            #expect(world.resolved.map(\.kind) == [alert.kind])
            #expect(try world.machine.list(Alerts.Params()).alerts.isEmpty)
        }
    }

    @Test func anotherCorruptionBeforeSomebodyCameIsTheSameAlertWithACount() throws {
        var world = Self.world()
        Self.see([Self.content(7)], &world)
        Self.see([Self.content(8, restored: nil), Self.content(7)], &world)
        let alert = try #require(try world.machine.list(Alerts.Params()).alerts.first)
        #expect(alert.count == 2)
        #expect(
            alert.summary.contains("no good version could be put back yet. What it held is kept as 8, as are 1 older"))
        Self.see([Self.content(7)], &world)
        #expect(world.resolved.isEmpty)
    }

    @Test func aSoundEditThatThePolicyPutBackIsNone() {
        var world = Self.world()
        Self.see([Self.content(7, .policy)], &world)
        #expect(world.raised.isEmpty)
    }

    @Test func itOutlivesHealthdAndEndsWithItsFilesDeclaration() throws {
        var world = Self.world()
        Self.see([Self.content(7)], &world)
        let kept = try world.machine.list(Alerts.Params()).alerts
        var next = HealthWorld(.gateway, kept: KeptHealth(alerts: kept))
        next.forget()
        Self.see([Self.content(7)], &next)
        #expect(next.raised.isEmpty)
        next.act { machine, now in machine.filesDeclared(["gateway": [Self.file]], now: now) }
        #expect(next.resolved.isEmpty)
        next.act { machine, now in machine.filesDeclared(["gateway": ["/etc/gateway/other"]], now: now) }
        #expect(next.resolved.map(\.id) == kept.map(\.id))
    }

    @Test func itHoldsNoIncidentOpen() throws {
        var world = Self.world()
        let raise = Raise.Params(
            service: "gateway", kind: "dead", severity: .critical, summary: "gateway dead", incident: "w1",
            openedAtMs: 5)
        var over = raise
        over.resolved = true
        try world.act { machine, now in try machine.peerRaised(raise, source: "watchdogd", now: now).actions }
        Self.see([Self.content(7)], &world)
        #expect(world.raised.last?.incident == "w1", "what came within an incident is of its story")
        try world.act { machine, now in try machine.peerRaised(over, source: "watchdogd", now: now).actions }
        #expect(try world.machine.health(of: "gateway", now: world.now).incident == nil)
        #expect(try world.machine.list(Alerts.Params()).alerts.count == 1)
    }
}
