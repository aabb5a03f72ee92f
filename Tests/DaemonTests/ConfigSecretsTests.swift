import ConfigAPI
@testable import ConfigDaemon
import Foundation
import Runtime
import Settings
import Synchronization
import Testing
import Time
import Wire

/// Diffs, and that nothing but a plain question for a value is ever answered with a secret.
@Suite struct ConfigSecretsTests {
    private static let canary = "canary-5up3r"
    private static let pem = """
        -----BEGIN PRIVATE KEY-----
        MIIEvgIBADANBgkqhkiG9w0BAQEFAASC\(canary)
        Z2F0ZXdheQ=
        -----END PRIVATE KEY-----
        """
    private static let before = """
        # was: DB_PASSWORD=\(canary)-old
        PORT=3000
        DB_PASSWORD='\(canary)-1'
        TLS="\(pem)"
        URL=postgres://app:\(canary)@db/app
        KEEP=1

        """

    private static let target = ConfigFile(service: "gateway")

    /// Starts configd on a file with secrets, and hands over a client that has subscribed, and the journal.
    private static func withConfigd(
        readers: String = "[node-dotenv, systemd]", config: String = "",
        _ body: (TestClient, _ path: String, _ sockets: String, _ journal: @Sendable () -> [LogEntry]) async throws ->
            Void
    ) async throws {
        let fixture = try DaemonFixture()
        let path = "\(fixture.root)/.env"
        try Data(before.utf8).write(to: URL(filePath: path))
        chmod(path, 0o600)
        try fixture.writeService(
            "gateway",
            "unit: gateway.service\nconfig:\n\(config)  files:\n    - path: \(path)\n      readers: \(readers)\n")
        let entries = Entries()
        let assembly = try await fixture.start(Configd.self, log: Log(sink: { entries.add($0) }))
        let client = try await TestClient("configd", fixture.places)
        _ = try await client.call(Common.Subscribe.self, .init())
        try await body(client, path, fixture.places.sockets, { entries.all })
        await client.close()
        await DaemonFixture.stop(assembly)
    }

    private final class Entries: Sendable {
        private let entries = Mutex<[LogEntry]>([])
        var all: [LogEntry] { entries.withLock { $0 } }
        func add(_ entry: LogEntry) { entries.withLock { $0.append(entry) } }
    }

    /// What a call was answered, refusals and their figures included, as it travels.
    @Loop private static func told<Method: RPCMethod>(
        _ client: TestClient, _ method: Method.Type, _ params: Method.Params
    ) async -> String {
        do {
            let reply = try await client.call(method, params, deadline: .seconds(60))
            return String(decoding: JSONWriter.bytes(of: reply), as: UTF8.self)
        } catch {
            guard let refusal = error as? RPCError else { return "\(error)" }
            return String(decoding: JSONWriter.bytes(of: refusal), as: UTF8.self)
        }
    }

    private static func set(_ values: [String: String], dryRun: Bool = false) -> Config.Set.Params {
        Config.Set.Params(target: target, values: values.mapValues { .text($0) }, dryRun: dryRun)
    }

    @Test func aDiffShowsTheBytesAndKeepsSecretsBack() async throws {
        try await Self.withConfigd { client, _, _, _ in
            let dry = try await client.call(
                Config.Set.self, Self.set(["PORT": "3001", "DB_PASSWORD": "\(Self.canary)-2"], dryRun: true))
            let planned = try #require(dry.difference)
            #expect(planned.to == nil)
            _ = try await client.call(Config.Set.self, Self.set(["PORT": "3001", "DB_PASSWORD": "\(Self.canary)-2"]))
            var diff = try await client.call(Config.Diff.self, .init(target: Self.target, context: 0))
            #expect(diff.from == 1)
            #expect(diff.to == 2)
            #expect(diff.changes.map(\.key) == ["DB_PASSWORD", "PORT"])
            #expect(diff.changes.map(\.secret) == [true, false])
            #expect(diff.changes[1].after == .text("3001"))
            #expect(diff.changes[0].after == nil)
            let lines = diff.hunks.flatMap(\.lines)
            #expect(lines.count == 4)
            #expect(lines[0] == .text("-PORT=3000"))
            let sum = try #require(diff.changes[0].beforeFingerprint).prefix(16)
            #expect(lines[1] == .text("-DB_PASSWORD='(secret \(sum))'"))
            #expect(planned.hunks.flatMap(\.lines).filter(lines.contains) == lines, "the dry run said the same")
            diff = try await client.call(Config.Diff.self, .init(target: Self.target, from: 0, to: 1))
            #expect(diff.hunks.map(\.fromLines) == [0])
            #expect(diff.hunks[0].toLines == 9)
            let same = try await client.call(Config.Diff.self, .init(target: Self.target, from: 2, to: 2))
            #expect(same.changes.isEmpty && same.hunks.isEmpty)
            let shown = try await client.call(Config.Diff.self, .init(target: Self.target, reveal: true))
            #expect(shown.hunks.flatMap(\.lines).contains(.text("+DB_PASSWORD='\(Self.canary)-2'")))
            #expect(shown.changes[0].after == .text("\(Self.canary)-2"))
            #expect(
                await Self.told(client, Config.Diff.self, .init(target: Self.target, from: 9)).contains(
                    "unknownVersion"))
        }
    }

    @Test func whoMayNotSeeValuesIsShownKeysAndSums() throws {
        let fixture = try DaemonFixture()
        let path = "\(fixture.root)/.env"
        try Data(Self.before.utf8).write(to: URL(filePath: path))
        chmod(path, 0o600)
        try fixture.writeService("gateway", "unit: g.service\nconfig:\n  files:\n    - path: \(path)\n")
        let custody = try Custody(folder: nil, beside: DaemonFixture.beside)
        let kept = try #require(KeptFile.all(try fixture.settings()).first)
        let diff = try custody.difference(kept, .init(target: Self.target, from: 0, to: 1), mayAct: false)
        #expect(diff.hidden)
        #expect(diff.hunks.isEmpty)
        #expect(diff.changes.map(\.key) == ["DB_PASSWORD", "KEEP", "PORT", "TLS", "URL"])
        #expect(diff.changes.allSatisfy { $0.after == nil && $0.afterFingerprint != nil })
    }

    @Test func noReplyEventOrJournalEntryHoldsASecret() async throws {
        try await Self.withConfigd(readers: "[node-dotenv, systemd, node-env-file]") { client, path, _, journal in
            var told: [String] = []
            for values in [
                ["DB_PASSWORD": "\(Self.canary)-2"], ["DB_PASSWORD": "\(Self.canary)\n'\"`$x"],
                ["API_KEY": "\(Self.canary)\nx"], ["NAME": "https://u:\(Self.canary)@h/\nx"], ["TLS": Self.pem],
                ["A-\u{0}B": Self.canary], ["TOKEN": "\(Self.canary)\u{0}"],
                ["TOKEN": Self.canary + String(repeating: "x", count: 140_000)],
            ] {
                told.append(await Self.told(client, Config.Set.self, Self.set(values, dryRun: true)))
                told.append(await Self.told(client, Config.Set.self, Self.set(values)))
                told.append(
                    await Self.told(
                        client, Config.Validate.self,
                        .init(target: Self.target, values: values.mapValues { .text($0) })))
            }
            // Somebody else breaks a quote, so that readers swallow what follows it.
            let broken = Self.before.replacing("PORT=3000", with: "PORT=\"3000")
            try Data(broken.utf8).write(to: URL(filePath: path))
            told.append(await Self.told(client, Config.Set.self, Self.set(["PORT": "1"])))
            told.append(await Self.told(client, Config.Set.self, Self.set(["KEEP": "2"])))
            told.append(await Self.told(client, Config.Validate.self, .init(target: Self.target)))
            for from in 0...3 as ClosedRange<Int64> {
                told.append(await Self.told(client, Config.Diff.self, .init(target: Self.target, from: from)))
            }
            told.append(await Self.told(client, Config.Rollback.self, .init(target: Self.target, version: 1)))
            told.append(await Self.told(client, Config.History.self, .init(target: Self.target)))
            told.append(await Self.told(client, Common.Status<ConfigStatus>.self, NoFields()))
            let events = await client.events.map { "\($0)" }
            #expect(events.count >= 2)
            for text in told + events + journal().map({ "\($0)" }) {
                #expect(!text.contains(Self.canary), "\(text)")
                #expect(!text.contains("MIIEvg"), "\(text)")
            }
            #expect(told.contains { $0.contains("unwritable") })
            #expect(journal().count >= 4)
        }
    }

    @Test func theCommandShowsADiffAndListsNoSecret() async throws {
        try await Self.withConfigd(config: "  secrets: [\"*_PASSWORD\", PORT]\n") { client, _, sockets, _ in
            func run(_ arguments: String...) async throws -> CommandRun {
                try await CommandRun.of(arguments, sockets: sockets)
            }
            let dry = try await run("config", "set", "gateway", "KEEP=2", "--dry-run")
            #expect(dry.status == 0, "\(dry)")
            #expect(dry.lines.contains("+KEEP=2"), "\(dry)")
            #expect(dry.lines.contains { $0.hasPrefix("+++") && $0.hasSuffix("(dry run)") })
            #expect(try await run("config", "set", "gateway", "KEEP=2", "PORT=3001").status == 0)
            let diff = try await run("config", "diff", "gateway")
            #expect(diff.lines.contains("-KEEP=1"))
            #expect(diff.lines.contains { $0.hasPrefix("+PORT=(secret ") }, "settings name it")
            #expect(!diff.output.contains("3001"))
            #expect(try await run("config", "diff", "gateway", "--reveal").output.contains("+PORT=3001"))
            let list = try await run("config", "get", "gateway")
            #expect(list.lines.contains { $0.hasPrefix("DB_PASSWORD  (secret) ") }, "\(list)")
            #expect(!list.output.contains("\(Self.canary)-1"))
            #expect(try await run("config", "get", "gateway", "--reveal").output.contains("\(Self.canary)-1"))
            #expect(try await run("config", "get", "gateway", "DB_PASSWORD").output == "\(Self.canary)-1\n")
            let colours = try await CommandRun.onTerminal(["config", "diff", "gateway"], sockets: sockets)
            #expect(colours.output.contains("\u{1B}[32m+KEEP=2"))
        }
    }
}
