import ConfigAPI
@testable import ConfigDaemon
import Foundation
import Runtime
import Settings
import Synchronization
import Testing
import Time
import Wire

/// Feature flags and chaos settings, in an .env file and a JSON file of one service.
@Suite struct ConfigFlagTests {
    /// What a daemon wrote to its journal.
    private final class Journal: Sendable {
        private let entries = Mutex<[String]>([])

        var log: Log { Log(sink: { [self] entry in entries.withLock { $0.append(entry.message) } }) }

        func holds(_ text: String) -> Bool { entries.withLock { $0.contains { $0.contains(text) } } }
    }

    private static func settings(_ root: String, chaosAllowed: Bool) -> String {
        """
        unit: gateway.service
        config:
          chaosAllowed: \(chaosAllowed)
          files:
            - path: \(root)/.env
            - path: \(root)/x.json
              format: json
          flags:
            - name: checkout
              type: bool
              default: false
              description: the new one
              render: {file: \(root)/.env, key: CHECKOUT, true: "1", false: "0"}
            - name: pool
              type: integer
              minimum: 1
              maximum: 100
              render: {file: \(root)/x.json, pointer: /db/pool}
            - name: latencyMs
              type: integer
              minimum: 0
              default: 0
              chaos: true
              render: {file: \(root)/x.json, pointer: /chaos}
        """
    }

    private static func withConfigd(
        chaosAllowed: Bool = false, journal: Journal = Journal(),
        _ body: (TestClient, _ folder: String) async throws -> Void
    ) async throws {
        let fixture = try DaemonFixture()
        let root = fixture.root
        try write("A=1\n", "\(root)/.env")
        try write("{\"db\": {\"pool\": 10}, \"chaos\": 0}\n", "\(root)/x.json")
        try fixture.writeService("gateway", settings(root, chaosAllowed: chaosAllowed))
        let assembly = try await fixture.start(Configd.self, log: journal.log)
        let client = try await TestClient("configd", fixture.places)
        try await body(client, root)
        await client.close()
        await DaemonFixture.stop(assembly)
    }

    private static func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
    }

    private static func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }

    private static func setFlags(_ flags: [String: JSON]) -> Config.SetFlags.Params {
        Config.SetFlags.Params(service: "gateway", flags: flags)
    }

    @Loop private static func values(_ client: TestClient) async throws -> [String] {
        try await client.call(Config.Flags.self, ServiceParams(service: "gateway")).flags.map { flag in
            "\(flag.flag)=\(flag.value.map { JSONWriter.text(of: $0) } ?? "-") \(flag.source.rawValue)"
        }
    }

    @Test func flagsAreWhatTheirFilesSay() async throws {
        try await Self.withConfigd { client, folder in
            #expect(try await Self.values(client) == ["checkout=false default", "pool=10 file", "latencyMs=0 file"])
            let reply = try await client.call(
                Config.SetFlags.self, Self.setFlags(["checkout": true, "pool": 20]), deadline: .seconds(60))
            #expect(reply.files.map(\.keys) == [["CHECKOUT"], ["/db/pool"]])
            #expect(reply.files.map(\.version) == [2, 2])
            #expect(try Self.text("\(folder)/.env") == "A=1\nCHECKOUT=1\n")
            #expect(try Self.text("\(folder)/x.json") == "{\"db\": {\"pool\": 20}, \"chaos\": 0}\n")
            let state = try await client.call(Config.State.self, .init(service: "gateway", file: "\(folder)/x.json"))
            #expect(state.featureFlags == ["checkout": true])
            _ = try await client.call(Config.SetFlags.self, Self.setFlags(["checkout": .null]), deadline: .seconds(60))
            #expect(try Self.text("\(folder)/.env") == "A=1\n")
            try Self.write("{\"db\": {\"pool\": \"many\"}}", "\(folder)/x.json")
            let isSeen = try await client.eventually {
                try await Self.values(client) == ["checkout=false default", "pool=- unreadable", "latencyMs=0 default"]
            }
            #expect(isSeen)
        }
    }

    @Test func whatAFlagCannotBeIsRefusedByWhateverWayItComes() async throws {
        try await Self.withConfigd { client, folder in
            let flags = { (flags: [String: JSON]) in
                await client.refusal(Config.SetFlags.self, Self.setFlags(flags))?.name
            }
            #expect(await flags(["pool": 101]) == "invalidFlagValue")
            #expect(await flags(["checkout": true, "pool": "20"]) == "invalidFlagValue")
            #expect(await flags(["pol": 20]) == "unknownFlag")
            #expect(await flags(["latencyMs": 250]) == "chaosNotAllowed")
            let json = ConfigFile(service: "gateway", file: "\(folder)/x.json")
            let byKey = Config.Set.Params(target: json, values: ["/db/pool": .json("0")])
            #expect(await client.refusal(Config.Set.self, byKey)?.name == "invalidFlagValue")
            let chaos = Config.Set.Params(target: json, values: ["/chaos": .json("5")])
            #expect(await client.refusal(Config.Set.self, chaos)?.name == "chaosNotAllowed")
            let whole = Config.Put.Params(target: json, content: .text("{\"db\": {\"pool\": 0}}"), force: true)
            #expect(await client.refusal(Config.Put.self, whole)?.name == "invalidFlagValue")
            let twice = Config.SetFlags.Params(
                service: "gateway", flags: ["pool": 20],
                changes: [.init(file: "\(folder)/x.json", values: ["/db/pool": .json("30")])])
            #expect(await client.refusal(Config.SetFlags.self, twice)?.name == "keyNamedTwice")
            #expect(await client.refusal(Config.Flags.self, ServiceParams(service: "no"))?.name == "unknownService")
            let texts = [try Self.text("\(folder)/x.json"), try Self.text("\(folder)/.env")]
            #expect(texts == ["{\"db\": {\"pool\": 10}, \"chaos\": 0}\n", "A=1\n"])
        }
    }

    @Test func everyChangeOfAFlagIsPushedOnceHoweverItCame() async throws {
        try await Self.withConfigd { client, folder in
            _ = try await client.call(Common.Subscribe.self, .init(events: [ConfigEvents.flagChanged]))
            _ = try await client.call(Config.SetFlags.self, Self.setFlags(["pool": 20]), deadline: .seconds(60))
            let json = ConfigFile(service: "gateway", file: "\(folder)/x.json")
            _ = try await client.call(Config.Set.self, .init(target: json, values: ["/other": .json("1")]))
            _ = try await client.call(Config.Set.self, .init(target: json, values: ["/db/pool": .json("30")]))
            _ = try await client.call(Config.Rollback.self, .init(target: json, version: 1))
            try Self.write("{\"db\": {\"pool\": 40}, \"chaos\": 0}\n", "\(folder)/x.json")
            let came = await client.eventually { client.events.count >= 4 }
            #expect(came)
            let told = await client.events.map { event in
                [event.data["previous"], event.data["value"], event.data["version"]].map { value in
                    value.map { JSONWriter.text(of: $0) } ?? "-"
                }.joined(separator: " ")
            }
            #expect(told == ["10 20 2", "20 30 4", "30 10 5", "10 40 6"])
            #expect(await client.events.allSatisfy { $0.data["flag"] == "pool" && $0.data["chaos"] == .bool(false) })
        }
    }

    @Test func chaosIsToldInTheJournal() async throws {
        let journal = Journal()
        try await Self.withConfigd(chaosAllowed: true, journal: journal) { client, folder in
            _ = try await client.call(Config.SetFlags.self, Self.setFlags(["latencyMs": 250]), deadline: .seconds(60))
            let isOn = await client.eventually { journal.holds("the chaos setting latencyMs is on, 250") }
            #expect(isOn)
            _ = try await client.call(Config.SetFlags.self, Self.setFlags(["latencyMs": .null]), deadline: .seconds(60))
            let isOff = await client.eventually { journal.holds("the chaos setting latencyMs is off again") }
            #expect(isOff)
            let text = try Self.text("\(folder)/x.json")
            #expect(text == "{\"db\": {\"pool\": 10}}\n")
        }
    }

    @Test func theSeedsWordsChangeValuesFlagsAndChaosInOneStep() async throws {
        try await Self.withConfigd(chaosAllowed: true) { client, folder in
            let env = ConfigFile(service: "gateway", file: "\(folder)/.env")
            var changes = Config.Changes(
                environmentVars: ["A": .text("2")], featureFlags: ["checkout": true], chaosConfig: ["latencyMs": 5])
            let reply = try await client.call(
                Config.UpdateConfig.self, .init(target: env, changes: changes), deadline: .seconds(60))
            #expect(reply.first.keys == ["A", "CHECKOUT"])
            #expect(reply.files.map(\.file) == ["\(folder)/.env", "\(folder)/x.json"])
            #expect(try Self.text("\(folder)/.env") == "A=2\nCHECKOUT=1\n")
            changes.featureFlags = ["latencyMs": 5]
            let wrongKind = Config.UpdateConfig.Params(target: env, changes: changes)
            #expect(await client.refusal(Config.UpdateConfig.self, wrongKind)?.name == "unknownFlag")
            let onlyFlags = Config.Changes(featureFlags: ["checkout": false])
            let flags = Config.UpdateConfig.Params(target: ConfigFile(service: "gateway"), changes: onlyFlags)
            #expect(try await client.call(Config.UpdateConfig.self, flags).first.keys == ["CHECKOUT"])
            let asked = Config.ValidateConfig.Params(
                target: env, config: Config.Changes(environmentVars: ["A": .text("3")], chaosConfig: ["latencyMs": 7]))
            #expect(try await client.call(Config.ValidateConfig.self, asked).valid)
            let bad = Config.Validate.Params(target: env, values: ["CHECKOUT": .text("maybe")])
            #expect(
                try await client.call(Config.Validate.self, bad).findings.map(\.name) == ["invalidFlagValue"])
        }
    }
}
