import ConfigAPI
import ConfigCore
@testable import ConfigDaemon
import Foundation
import Runtime
import Settings
import Testing
import Time
import Wire

/// configd on files of each format: JSON by pointer, anything as a whole.
@Suite struct ConfigFormatTests {
    private static let json = "{\n  \"server\": {\"port\": 3000, \"rate\": 1.50},\n  \"hosts\": [\"a\", \"b\"]\n}\n"

    /// Starts configd on an .env file, a JSON file and a file that is kept whole, in one folder.
    private static func withConfigd(
        json: String = json, _ body: (TestClient, _ folder: String) async throws -> Void
    ) async throws {
        let fixture = try DaemonFixture()
        let root = fixture.root
        for (name, text) in [(".env", "A=1\n"), ("x.json", json), ("x.toml", "[a]\n")] {
            try write(text, "\(root)/\(name)")
        }
        try fixture.writeService(
            "gateway",
            """
            unit: gateway.service
            config:
              files:
                - path: \(root)/.env
                - path: \(root)/x.json
                  format: json
                - path: \(root)/x.toml
                  format: whole
            """)
        let assembly = try await fixture.start(Configd.self)
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

    @Test func aJSONFileIsChangedByPointer() async throws {
        try await Self.withConfigd { client, folder in
            let target = ConfigFile(service: "gateway", file: "\(folder)/x.json")
            let outcome = try await client.call(
                Config.Set.self,
                .init(
                    target: target, values: ["/server/port": .json("8080"), "/hosts/-": .text("c")],
                    remove: ["/hosts/0"])
            )
            #expect(outcome.keys == ["/hosts/0", "/hosts/1", "/server/port"])
            #expect(
                try Self.text("\(folder)/x.json")
                    == "{\n  \"server\": {\"port\": 8080, \"rate\": 1.50},\n  \"hosts\": [\"b\", \"c\"]\n}\n")
            let all = try await client.call(Config.Get.self, .init(target: target))
            #expect(all.entries.map(\.key) == ["/server/port", "/server/rate", "/hosts/0", "/hosts/1"])
            #expect(all.entries.map(\.value) == [.json("8080"), .json("1.50"), .text("b"), .text("c")])
            let one = try await client.call(Config.Get.self, .init(target: target, keys: ["/hosts"]))
            #expect(one.entries.map(\.value) == [.json("[\"b\", \"c\"]")])
            let state = try await client.call(Config.State.self, target)
            #expect(state.environment?["/server/rate"] == .json("1.50"))
            _ = try await client.call(Config.Rollback.self, .init(target: target, version: 1))
            #expect(try Self.text("\(folder)/x.json") == Self.json)
        }
    }

    @Test func whatIsNoJSONIsRefusedAndTold() async throws {
        try await Self.withConfigd { client, folder in
            let target = ConfigFile(service: "gateway", file: "\(folder)/x.json")
            let set = { (key: String, value: ConfigValue) in
                await client.refusal(Config.Set.self, .init(target: target, values: [key: value]))?.name
            }
            #expect(await set("/server/port", .json("8080 8081")) == "invalidJSONValue")
            #expect(await set("server", .text("")) == "invalidPointer")
            #expect(await set("/tls/port", .json("1")) == "missingParent")
            #expect(await client.refusal(Config.Get.self, .init(target: target, keys: ["/no"]))?.name == "unknownKey")
            #expect(try Self.text("\(folder)/x.json") == Self.json)
            // Somebody else's editor leaves half a file. Taken over, it is a version like any other, and not changed by key.
            try Self.write("{\n  \"a\": 1,\n  \"a\": 2", "\(folder)/x.json")
            let isSetAside = try await client.eventually {
                try await client.call(Config.Quarantine.self, target).contents.first?.restored != nil
            }
            #expect(isSetAside)
            #expect(try Self.text("\(folder)/x.json") == Self.json)
            _ = try await client.call(Config.Adopt.self, .init(target: target))
            #expect(await set("/a", .json("3")) == "invalidJSON")
            #expect(await client.refusal(Config.Get.self, .init(target: target))?.name == "invalidJSON")
            let checked = try await client.call(Config.Validate.self, .init(target: target))
            #expect(checked.findings.map(\.name) == ["invalidJSON"])
            #expect(checked.readers.isEmpty)
            let history = try await client.call(Config.History.self, .init(target: target))
            #expect(history.versions.first?.keys == [""], "of what is no JSON no key is known")
            try Self.write("{\n  \"a\": 1,\n  \"a\": 2}", "\(folder)/x.json")
            #expect(await set("/a", .json("3")) == "repeatedKey")
            let warned = try await client.call(Config.Validate.self, .init(target: target))
            #expect(warned.valid)
            #expect(warned.findings.map(\.name) == ["repeatedKey"])
            #expect(warned.findings.map(\.line) == [3])
        }
    }

    @Test func aFileWithoutKeysIsChangedAsAWhole() async throws {
        try await Self.withConfigd { client, folder in
            let target = ConfigFile(service: "gateway", file: "\(folder)/x.toml")
            let set = Config.Set.Params(target: target, values: ["a": .text("1")])
            #expect(await client.refusal(Config.Set.self, set)?.name == "keptWhole")
            let put = try await client.call(
                Config.Put.self, .init(target: target, content: .bytes([0x5B, 0xFF, 0x00]), ifVersion: 1))
            #expect(put.version == 2)
            #expect(put.keys == [""])
            let content = try await client.call(Config.Content.self, .init(target: target))
            #expect(content.content == .bytes([0x5B, 0xFF, 0x00]))
            #expect(content.next == nil)
            let first = try await client.call(Config.Content.self, .init(target: target, version: 1))
            #expect(first.content == .text("[a]\n"))
            let shown = try await client.call(Config.Show.self, .init(target: target, version: 1))
            #expect(shown.entries.map(\.key) == [""])
            _ = try await client.call(Config.Rollback.self, .init(target: target))
            #expect(try Self.text("\(folder)/x.toml") == "[a]\n")
        }
    }

    @Test func aWholeContentIsHeldToTheFormatAndTheShrinkGuard() async throws {
        try await Self.withConfigd { client, folder in
            let put = { (file: String, content: String, force: Bool) in
                await client.refusal(
                    Config.Put.self,
                    .init(
                        target: ConfigFile(service: "gateway", file: "\(folder)/\(file)"), content: .text(content),
                        force: force))?.name
            }
            #expect(await put("x.json", "{", true) == "invalidJSON")
            #expect(await put("x.json", "{}", false) == "shrinkRefused")
            #expect(await put("x.json", "{}", true) == nil)
            #expect(await put(".env", "A=2\n", false) == nil)
            let texts = try ["x.json", ".env"].map { try Self.text("\(folder)/\($0)") }
            #expect(texts == ["{}", "A=2\n"])
        }
    }

    @Test func aContentLargerThanAFrameComesInParts() async throws {
        try await Self.withConfigd { client, folder in
            let target = ConfigFile(service: "gateway", file: "\(folder)/x.toml")
            let large = (0..<1_500_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
            for start in stride(from: 0, to: large.count, by: 400_000) {
                let part = Array(large[start..<min(start + 400_000, large.count)])
                let reply = try await client.call(
                    Config.Stage.self,
                    .init(target: target, upload: "u", offset: Int64(start), content: .bytes(part)))
                #expect(reply.stagedBytes == Int64(start + part.count))
            }
            let gap = Config.Stage.Params(target: target, upload: "u", offset: 7, content: .text("x"))
            #expect(await client.refusal(Config.Stage.self, gap)?.name == "stagingGap")
            let put = Config.Put.Params(target: target, staged: "u")
            #expect(try await client.call(Config.Put.self, put, deadline: .seconds(60)).version == 2)
            #expect(try Array(Data(contentsOf: URL(filePath: "\(folder)/x.toml"))) == large)
            #expect(await client.refusal(Config.Put.self, put)?.name == "nothingStaged")
            var params = Config.Content.Params(target: target)
            var content: [UInt8] = []
            repeat {
                let reply = try await client.call(Config.Content.self, params)
                content += reply.content.content
                params.version = reply.version.version
                params.cursor = reply.next
            } while params.cursor != nil
            #expect(content == large)
        }
    }
}
