import ConfigAPI
@testable import ConfigDaemon
import Foundation
import Runtime
import Settings
import Synchronization
import Testing
import Time
import Wire

/// A schema holds changes up, tells what is wrong already, and lint tells the rest.
@Suite struct ConfigSchemaTests {
    private static let schema = """
              schema:
                keys:
                  PORT: {type: port, required: true, description: the proxy forwards there}
                  POOL_MIN: {type: integer}
                  POOL_MAX: {type: integer}
                  PIN: {pattern: "[0-9]{4}", secret: true}
                rules:
                  - less: [POOL_MIN, POOL_MAX]

        """

    private static let target = ConfigFile(service: "gateway")

    private static func withConfigd(
        _ file: String, readers: String = "[node-dotenv, systemd]", log: Log = Log(sink: { _ in }),
        _ body: (TestClient, Assembly<Configd>, _ path: String, _ fixture: borrowing DaemonFixture) async throws -> Void
    ) async throws {
        let fixture = try DaemonFixture()
        let path = "\(fixture.root)/.env"
        try Data(file.utf8).write(to: URL(filePath: path))
        try fixture.writeService(
            "gateway",
            "unit: gateway.service\nconfig:\n  files:\n    - path: \(path)\n      readers: \(readers)\n"
                + schema)
        let assembly = try await fixture.start(Configd.self, log: log)
        let client = try await TestClient("configd", fixture.places)
        try await body(client, assembly, path, fixture)
        await client.close()
        await DaemonFixture.stop(assembly)
    }

    private static func set(_ values: [String: String], force: Bool = false) -> Config.Set.Params {
        Config.Set.Params(target: target, values: values.mapValues { .text($0) }, force: force)
    }

    private static func refusal(_ client: TestClient, _ params: Config.Set.Params) async -> RPCError? {
        do { _ = try await client.call(Config.Set.self, params) } catch { return error as? RPCError }
        return nil
    }

    @Test func aChangeThatViolatesTheSchemaIsRefusedWithEveryFinding() async throws {
        let file = "PORT=3000\nPOOL_MIN=1\nPOOL_MAX=10\nPIN=1234\n"
        try await Self.withConfigd(file) { client, _, path, _ in
            let changes = ["PORT": "70000", "POOL_MIN": "20", "PIN": "canary"]
            let error = try #require(await Self.refusal(client, Self.set(changes)))
            #expect(error.name == "schemaViolated")
            let findings = try [ConfigFinding](wire: try #require(error.details["findings"]))
            #expect(findings.map(\.key) == ["PIN", "PORT", "POOL_MIN"])
            #expect(findings.map(\.rule) == ["pattern", "type", "less"])
            #expect(findings.map(\.line) == [4, 1, 2])
            #expect(findings[1].found == "\"70000\"")
            #expect(findings[1].remedy == "the proxy forwards there")
            #expect(!"\(error)".contains("canary"), "PIN is a secret by the schema")
            #expect(await Self.refusal(client, Self.set(changes, force: true))?.name == "schemaViolated")
            #expect(try String(contentsOfFile: path, encoding: .utf8) == file)
            #expect(await Self.refusal(client, Self.set(["POOL_MIN": "5", "POOL_MAX": "6"])) == nil)
            let removal = Config.Set.Params(target: Self.target, values: [:], remove: ["PORT"])
            #expect(await Self.refusal(client, removal)?.name == "schemaViolated")
        }
    }

    @Test func whatWasWrongBeforeIsToldAndDoesNotStandInTheWay() async throws {
        try await Self.withConfigd("PORT=http\nPOOL_MIN=9\nPOOL_MAX=1\n") { client, _, _, _ in
            let reply = try await client.call(Config.Validate.self, .init(target: Self.target))
            #expect(reply.findings.map(\.rule) == ["type", "less"])
            #expect(!reply.valid)
            #expect(await Self.refusal(client, Self.set(["POOL_MAX": "10"])) == nil)
            #expect(await Self.refusal(client, Self.set(["OTHER": "1"])) == nil)
            #expect(await Self.refusal(client, Self.set(["PORT": "https"]))?.name == "schemaViolated")
            // The first version has what the schema forbids: only who means it brings it back.
            var back = Config.Rollback.Params(target: Self.target, version: 1)
            do {
                _ = try await client.call(Config.Rollback.self, back)
                Issue.record("a rollback into a violation has to be meant")
            } catch let error as RPCError { #expect(error.name == "schemaViolated") }
            back.force = true
            #expect(try await client.call(Config.Rollback.self, back).version == 4)
        }
    }

    @Test func aFileThatIsWrongIsToldOnceAtStartAndWhenSomebodyElseMakesItSo() async throws {
        let journal = Journal()
        try await Self.withConfigd("PORT=http\n", log: Log(sink: { journal.add($0) })) {
            client, assembly, path, fixture in
            func told() -> Int { journal.messages.count { $0.contains("is not what its schema expects, in PORT") } }
            #expect(await client.eventually { told() == 1 })
            _ = try await client.call(Common.Subscribe.self, .init(events: [ConfigEvents.invalid]))
            #expect(await Self.refusal(client, Self.set(["OTHER": "1"])) == nil)
            try Data("PORT=\n".utf8).write(to: URL(filePath: path))
            _ = try await client.call(Config.Get.self, .init(target: Self.target))
            #expect(await Self.refusal(client, Self.set(["OTHER": "2"])) == nil)
            #expect(await client.eventually { client.events.count == 1 })
            let event = try await ConfigInvalid(wire: .object(try #require(client.events.first).data))
            #expect(event.findings.map(\.rule) == ["required"])
            #expect(event.findings.map(\.line) == [1])
            let settings = try fixture.settings()
            await reload(assembly, settings)
            #expect(await client.eventually { client.events.count == 2 })
            #expect(told() == 3, "\(journal.messages)")
        }
    }

    @Loop private func reload(_ assembly: Assembly<Configd>, _ settings: AllSettings) {
        assembly.reload(.success(settings))
    }

    @Test func lintTellsWhatReadersMakeOfEachLine() async throws {
        let file = "PORT=3000\nMODE=a#b\nPIN=1#2\nMODE=c # d\nnonsense\n"
        try await Self.withConfigd(file) { client, _, _, fixture in
            let reply = try await client.call(Config.Lint.self, Self.target)
            #expect(!reply.valid)
            #expect(
                reply.findings.map(\.name) == ["schemaViolated"] + [
                    "duplicateKey", "readersDisagree", "readersDisagree", "unreadLine",
                ])
            let pin = try #require(reply.findings.first { $0.name == "readersDisagree" && $0.key == "PIN" })
            #expect(pin.message.hasPrefix("node-dotenv reads (secret "))
            let mode = try #require(reply.findings.first { $0.name == "readersDisagree" && $0.key == "MODE" })
            #expect(mode.message == "node-dotenv reads \"c\"; systemd reads \"c # d\"")
            #expect(mode.line == 4)
            let sockets = fixture.places.sockets
            let shown = try await CommandRun.of(["config", "lint", "gateway"], sockets: sockets)
            #expect(shown.status == 1, "\(shown)")
            #expect(shown.output.contains("line 4: warning (readersDisagree) MODE: node-dotenv reads"), "\(shown)")
            let loose = "\(fixture.root)/loose"
            try Data("A=\"x\nB=2\n".utf8).write(to: URL(filePath: loose))
            let other = try await CommandRun.of(
                ["config", "lint", "--path", loose, "--reader", "systemd"], sockets: sockets)
            #expect(other.status == 1)
            #expect(other.line(0) == "line 1: error (openQuote) the quote never closes, by systemd", "\(other)")
            try Data("A=x\n".utf8).write(to: URL(filePath: loose))
            let good = try await CommandRun.of(["config", "lint", "--path", loose, "--json"], sockets: sockets)
            #expect(good.status == 0)
            #expect(try Config.Validate.Reply(wire: try JSONReader.read(good.output)).readers.count == 5)
            let unknown = try await CommandRun.of(
                ["config", "lint", "--path", loose, "--reader", "bash"], sockets: sockets)
            #expect(unknown.status == 2)
            #expect(unknown.errors.contains("unknownReader"))
        }
    }

    private final class Journal: Sendable {
        private let entries = Mutex<[String]>([])
        var messages: [String] { entries.withLock { $0 } }
        func add(_ entry: LogEntry) { entries.withLock { $0.append(entry.message) } }
    }
}
