import ConfigAPI
import ConfigDaemon
import Foundation
import HealthAPI
import HealthDaemon
import Runtime
import Testing
import Wire

/// C4 from end to end: configd and healthd in this process, a file that somebody empties, and an operator who sees to it.
@Suite struct CorruptionAlertTests {
    @Test func aCorruptedFileIsPutBackAndItsAlertStandsUntilSomebodyHasSeenToIt() async throws {
        let fixture = try DaemonFixture()
        let path = "\(fixture.root)/.env"
        let before = (1...8).map { "KEY\($0)='\(String(repeating: "v", count: 60))'\n" }.joined()
        try Data(before.utf8).write(to: URL(filePath: path))
        try fixture.writeService(
            "gateway", "unit: gateway.service\nconfig:\n  files:\n    - path: \(path)\n      readers: [sh]\n")
        let configd = try await fixture.start(Configd.self)
        let healthd = try await fixture.start(Healthd.self)
        let config = try await TestClient("configd", fixture.places)
        let health = try await TestClient("healthd", fixture.places)
        _ = try await health.call(Common.Subscribe.self, .init(events: [HealthEvents.alertRaised]))

        // What a crash leaves of a write in place.
        try Data().write(to: URL(filePath: path))
        let isRaised = try await health.eventually {
            try await health.call(Alerts.self, .init()).alerts.first?.summary.contains("took its place") == true
        }
        #expect(isRaised)
        #expect(try Data(contentsOf: URL(filePath: path)) == Data(before.utf8))
        let alert = try #require(try await health.call(Alerts.self, .init()).alerts.first)
        #expect(alert.kind == "corrupted:\(path)")
        #expect(alert.severity == .critical)
        #expect(await health.eventually { health.events.contains { $0.name == HealthEvents.alertRaised } })

        let target = ConfigFile(service: "gateway")
        let kept = try await config.call(Config.Quarantine.self, target).contents
        let id = try #require(kept.first?.quarantine)
        #expect(
            await config.refusal(Config.Discard.self, .init(target: target, quarantine: 99))?.name
                == "unknownQuarantine")
        let gone = try await config.call(Config.Discard.self, .init(target: target, quarantine: id))
        #expect(gone.cause == .empty)
        #expect(try await config.call(Config.Quarantine.self, target).contents.isEmpty)
        #expect(try await health.eventually { try await health.call(Alerts.self, .init()).alerts.isEmpty })

        await config.close()
        await health.close()
        await DaemonFixture.stop(healthd)
        await DaemonFixture.stop(configd)
    }
}
