import ConfigAPI
import ConfigCore
@testable import ConfigDaemon
import Foundation
import Glibc
import Runtime
import Settings
import Testing
import Time
import Wire

/// Changes on trial through configd's socket, on real files.
@Suite struct ConfigConfirmTests {
    private final class Files: Sendable {
        let fixture: DaemonFixture
        let path: String
        let other: String

        init(activation: String) throws {
            fixture = try DaemonFixture()
            path = "\(fixture.root)/.env"
            other = "\(fixture.root)/b.env"
            try write("POOL=10\n")
            try Data("B=1\n".utf8).write(to: URL(filePath: other))
            try fixture.writeService(
                "gateway",
                """
                unit: gateway.service
                config:
                  activation: \(activation)
                  files:
                    - path: \(path)
                      readers: [sh]
                    - path: \(other)
                      readers: [sh]
                """)
        }

        func write(_ text: String) throws { try Data(text.utf8).write(to: URL(filePath: path)) }
        var text: String { get throws { String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self) } }
        var otherText: String {
            get throws { String(decoding: try Data(contentsOf: URL(filePath: other)), as: UTF8.self) }
        }

        func set(_ pool: String, confirmMs: Int64?) -> Config.Set.Params {
            Config.Set.Params(
                target: ConfigFile(service: "gateway", file: path), values: ["POOL": .text(pool)], reason: "test",
                confirmMs: confirmMs)
        }
    }

    private static func withConfigd(
        _ files: Files, _ body: (TestClient) async throws -> Void
    ) async throws {
        let assembly = try await files.fixture.start(Configd.self)
        let client = try await TestClient("configd", files.fixture.places)
        try await body(client)
        await client.close()
        await DaemonFixture.stop(assembly)
    }

    @Loop private static func pending(_ client: TestClient) async throws -> [ConfigPending] {
        try await client.call(Config.Pending.self, .init(service: "gateway")).pending
    }

    @Loop private static func begin(_ client: TestClient, _ files: Files, windowMs: Int64) async throws -> Int64 {
        let outcome = try await client.call(Config.Set.self, files.set("20", confirmMs: windowMs))
        return try #require(outcome.pending)
    }

    @Test func aConfirmedChangeStaysAndIsOver() async throws {
        let files = try Files(activation: "restart")
        try await Self.withConfigd(files) { client in
            let id = try await Self.begin(client, files, windowMs: 60_000)
            #expect(try files.text == "POOL=20\n")
            let applied = try await Self.pending(client)
            #expect(applied.map(\.phase) == [.applied])
            #expect(applied.map(\.wantsActivation) == [true])
            #expect(
                await client.refusal(Config.Confirm.self, .init(service: "gateway", id: id))?.name == "notActivated")
            // Nothing else meanwhile, of none of its files.
            let other = Config.Set.Params(
                target: ConfigFile(service: "gateway", file: files.other), values: ["B": .text("2")])
            #expect(await client.refusal(Config.Set.self, other)?.name == "confirmationPending")
            let open = try await client.call(
                Config.Activated.self, .init(service: "gateway", id: id, invocation: "7@7"))
            #expect(open.phase == .activated)
            #expect(
                await client.refusal(Config.Confirm.self, .init(service: "gateway", id: id + 1))?.name == "notPending")
            let kept = try await client.call(Config.Confirm.self, .init(service: "gateway", id: id))
            #expect(kept.phase == .confirmed)
            #expect(await client.refusal(Config.Cancel.self, .init(service: "gateway", id: id))?.name == "notPending")
            #expect(try await Self.pending(client).isEmpty)
            #expect(try files.text == "POOL=20\n")
            _ = try await client.call(Config.Set.self, other)
        }
    }

    @Test func aCancelledChangeGoesBackAndWaitsForItsService() async throws {
        let files = try Files(activation: "restart")
        try await Self.withConfigd(files) { client in
            let id = try await Self.begin(client, files, windowMs: 60_000)
            _ = try await client.call(Config.Activated.self, .init(service: "gateway", id: id, invocation: "7@7"))
            let back = try await client.call(Config.Cancel.self, .init(service: "gateway", id: id, reason: "slow"))
            #expect(back.phase == .takenBack)
            #expect(back.end == PendingEnd(.cancelled, detail: "slow", uid: Int64(getuid())))
            #expect(try files.text == "POOL=10\n")
            #expect(try await Self.pending(client).map(\.wantsActivation) == [true])
            // The next could not be judged before the service follows; a plain change may be made.
            #expect(
                await client.refusal(Config.Set.self, files.set("30", confirmMs: 5000))?.name == "takeBackUnfollowed")
            _ = try await client.call(Config.Set.self, files.set("30", confirmMs: nil))
            _ = try await client.call(Config.Activated.self, .init(service: "gateway", id: id, invocation: "8@8"))
            #expect(try await Self.pending(client).isEmpty)
            let versions = try await client.call(
                Config.History.self, .init(target: ConfigFile(service: "gateway", file: files.path))
            ).versions
            #expect(versions.map(\.origin) == [.set, .rollback, .set, .baseline])
            #expect(versions[1].restored == 1)
            #expect(versions[1].reason == "cancelled: slow")
        }
    }

    @Test func withoutAWordItGoesBackByItself() async throws {
        let files = try Files(activation: "nothing")
        try await Self.withConfigd(files) { client in
            _ = try await client.call(Common.Subscribe.self, .init(events: ConfigEvents.ofTrials))
            _ = try await Self.begin(client, files, windowMs: 1000)
            #expect(try files.text == "POOL=20\n")
            #expect(try await client.eventually { try await Self.pending(client).isEmpty })
            #expect(try files.text == "POOL=10\n")
            // Its row is gone with its going back, since nothing has to be done for it. That is told all the same.
            #expect(await client.eventually { client.events.last?.name == ConfigEvents.takenBack })
        }
    }

    @Test func severalFilesGoBackTogether() async throws {
        let files = try Files(activation: "nothing")
        try await Self.withConfigd(files) { client in
            let reply = try await client.call(
                Config.Apply.self,
                .init(
                    service: "gateway",
                    changes: [
                        .init(file: files.path, values: ["POOL": .text("20")]),
                        .init(file: files.other, values: ["B": .text("2")]),
                    ], confirmMs: 60_000))
            #expect(Set(reply.files.map(\.pending)).count == 1)
            let id = try #require(reply.files.first?.pending)
            #expect(try await Self.pending(client).first?.files.count == 2)
            _ = try await client.call(Config.Cancel.self, .init(service: "gateway", id: id))
            #expect(try files.text == "POOL=10\n")
            #expect(try files.otherText == "B=1\n")
        }
    }

    @Test func anEditorsChangeMeanwhileTakesItBackAndStaysInTheHistory() async throws {
        let files = try Files(activation: "nothing")
        try await Self.withConfigd(files) { client in
            let id = try await Self.begin(client, files, windowMs: 60_000)
            try files.write("POOL=99\n")
            #expect(await client.refusal(Config.Confirm.self, .init(service: "gateway", id: id))?.name == "notPending")
            #expect(try files.text == "POOL=10\n")
            let versions = try await client.call(
                Config.History.self, .init(target: ConfigFile(service: "gateway", file: files.path))
            ).versions
            #expect(versions.map(\.origin) == [.rollback, .adopted, .set, .baseline])
            #expect(versions.first?.reason == "somebody else changed its file meanwhile")
        }
    }

    @Test func aConfigdThatDiedGoesOnByTheDeadlineOnDisk() async throws {
        let files = try Files(activation: "nothing")
        try await Self.withConfigd(files) { client in _ = try await Self.begin(client, files, windowMs: 60_000) }
        try await Self.withConfigd(files) { client in
            let left = try #require(try await Self.pending(client).first?.leftMs)
            #expect((1...60_000).contains(left))
            #expect(try files.text == "POOL=20\n")
        }
    }

    @Test func whatEndedWhileConfigdWasAwayIsTakenBackAtItsStart() async throws {
        let files = try Files(activation: "restart")
        try await Self.withConfigd(files) { client in _ = try await Self.begin(client, files, windowMs: 60_000) }
        // As another boot finds it.
        try Self.rewrite(files) { $0.replacing(#""boot":"[^"]*""#, with: #""boot":"another""#) }
        try await Self.withConfigd(files) { client in
            #expect(try files.text == "POOL=10\n")
            let back = try await Self.pending(client)
            #expect(back.first?.end?.kind == .rebooted)
        }
    }

    /// Changes the rows of trials as they lie in the ledger.
    private static func rewrite(_ files: Files, _ change: (String) -> String) throws {
        let custody = try Custody(folder: "\(files.fixture.places.state)/configd", beside: DaemonFixture.beside)
        for trial in try custody.allTrials().values {
            let text = change(JSONWriter.text(of: trial))
            try custody.versions.keep(Trial(wire: JSONReader.read(Array(text.utf8))))
        }
        custody.release()
    }

    @Test func aDryRunAndAChangeOfNothingMakeNoTrial() async throws {
        let files = try Files(activation: "restart")
        try await Self.withConfigd(files) { client in
            var params = files.set("20", confirmMs: 5000)
            params.dryRun = true
            let dry = try await client.call(Config.Set.self, params)
            let same = try await client.call(Config.Set.self, files.set("10", confirmMs: 5000))
            #expect([dry.pending, same.pending] == [nil, nil])
            #expect(try await Self.pending(client).isEmpty)
            #expect(
                await client.refusal(Config.Set.self, files.set("20", confirmMs: 10))?.name == "invalidParams")
        }
    }
}

extension String {
    fileprivate func replacing(_ pattern: String, with text: String) -> String {
        replacingOccurrences(of: pattern, with: text, options: .regularExpression)
    }
}
