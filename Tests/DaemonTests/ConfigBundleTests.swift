import ConfigAPI
@testable import ConfigDaemon
import Foundation
import Runtime
import Settings
import Store
import Testing
import Time
import Wire

/// `backup`, `verify` and `restore`, by the command on configd: out of one host's folder into another's.
@Suite(.serialized) struct ConfigBundleTests {
    private static let env = "# the gateway's\nPORT=3000\nDB_PASSWORD=canary-5up3r\n"
    private static let json = "{\n  \"rate\": 1.50\n}\n"

    /// A host: a folder with a configd on three files of a service.
    private final class Host: Sendable {
        let fixture: DaemonFixture
        let assembly: Assembly<Configd>
        let client: TestClient

        init(_ fixture: consuming DaemonFixture) async throws {
            self.fixture = fixture
            assembly = try await self.fixture.start(Configd.self)
            client = try await TestClient("configd", self.fixture.places)
        }

        var root: String { fixture.root }

        func target(_ name: String) -> ConfigFile { ConfigFile(service: "gateway", file: "\(root)/\(name)") }

        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: URL(filePath: "\(root)/\(name)")), as: UTF8.self)
        }

        func run(_ arguments: String...) async throws -> CommandRun {
            try await CommandRun.of(["config"] + arguments, sockets: fixture.places.sockets)
        }

        func stop() async {
            await client.close()
            await DaemonFixture.stop(assembly)
        }
    }

    private static func fixture(
        files: [String: String] = [".env": env, "x.json": json, "x.bin": ""], configd: String = ""
    ) throws -> DaemonFixture {
        let fixture = try DaemonFixture()
        try Data(configd.utf8).write(to: URL(filePath: "\(fixture.places.settings)/mainstay.yaml"))
        for (name, text) in files {
            try Data(text.utf8).write(to: URL(filePath: "\(fixture.root)/\(name)"))
            chmod("\(fixture.root)/\(name)", 0o600)
        }
        try fixture.writeService(
            "gateway",
            """
            unit: gateway.service
            config:
              files:
                - path: \(fixture.root)/.env
                - path: \(fixture.root)/x.json
                  format: json
                - path: \(fixture.root)/x.bin
                  format: whole
            """)
        return fixture
    }

    private static func maps(_ from: Host, _ to: Host) -> [String] {
        [".env", "x.json", "x.bin"].flatMap { ["--map", "\(from.root)/\($0)=\(to.root)/\($0)"] }
    }

    /// A whole content that is staged in parts, since it is too large for one call; it is no text.
    private static let large = (0..<140_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    /// Makes some history, and a bundle of it at the answered path.
    private static func backedUp(_ host: Host) async throws -> String {
        for port in 3001...3003 {
            _ = try await host.client.call(
                Config.Set.self, .init(target: host.target(".env"), values: ["PORT": .text("\(port)")]))
        }
        _ = try await host.client.call(
            Config.Tag.self, .init(target: host.target(".env"), name: "stable", version: 2))
        for start in stride(from: 0, to: large.count, by: 100_000) {
            let part = Array(large[start..<min(start + 100_000, large.count)])
            _ = try await host.client.call(
                Config.Stage.self,
                .init(target: host.target("x.bin"), upload: "a", offset: Int64(start), content: .bytes(part)))
        }
        _ = try await host.client.call(Config.Put.self, .init(target: host.target("x.bin"), staged: "a"))
        let bundle = "\(host.root)/bundle"
        let run = try await host.run("backup", "gateway", "-o", bundle)
        #expect(run.status == 0, "\(run)")
        #expect(run.output.contains("3 files, 7 versions"), "\(run)")
        var status = stat()
        #expect(stat(bundle, &status) == 0 && status.st_mode & 0o777 == 0o600)
        return bundle
    }

    @Test("A bundle moves to another host: the newest of each file, in one transaction")
    func restoreElsewhere() async throws {
        let one = try await Host(try Self.fixture())
        let bundle = try await Self.backedUp(one)
        let other = try await Host(try Self.fixture(files: [".env": "PORT=1\n", "x.json": "{}", "x.bin": "x"]))
        let maps = Self.maps(one, other)

        let undeclared = try await other.run("restore", bundle)
        #expect(undeclared.status == 2)
        #expect(undeclared.errors.contains("bundleNotDeclared") && undeclared.errors.contains("--map"), "\(undeclared)")

        let dry = try await CommandRun.of(
            ["config", "restore", bundle, "--dry-run"] + maps, sockets: other.fixture.places.sockets)
        #expect(dry.status == 0, "\(dry)")
        #expect(dry.output.contains("+PORT=3003") && dry.output.contains("DB_PASSWORD=(secret"), "\(dry)")
        #expect(!dry.output.contains("canary"))
        #expect(try other.text(".env") == "PORT=1\n")

        let run = try await CommandRun.of(
            ["config", "restore", bundle, "gateway"] + maps, sockets: other.fixture.places.sockets)
        #expect(run.status == 0, "\(run)")
        #expect(!run.output.contains("canary"))
        for name in [".env", "x.json"] { #expect(try other.text(name) == one.text(name)) }
        #expect(try Data(contentsOf: URL(filePath: "\(other.root)/x.bin")) == Data(Self.large))
        let history = try await other.client.call(Config.History.self, .init(target: other.target(".env")))
        #expect(history.versions.map(\.version) == [2, 1])
        #expect(history.versions.first?.reason.hasPrefix("restored from bundle of ") == true)
        await other.stop()
        await one.stop()
    }

    @Test("An earlier version by its tag or number, of one file alone")
    func restoreAt() async throws {
        let host = try await Host(try Self.fixture())
        let bundle = try await Self.backedUp(host)
        let lacking = try await host.run("restore", bundle, "--at", "stable")
        #expect(lacking.status == 2 && lacking.errors.contains("bundleLacks"), "\(lacking)")
        let tagged = try await host.run("restore", bundle, "--at", "stable", "--only", "\(host.root)/.env")
        #expect(tagged.status == 0, "\(tagged)")
        #expect(try host.text(".env").contains("PORT=3001"))
        let first = try await host.run(
            "restore", bundle, "--at", "1", "--only", "\(host.root)/.env", "--reason", "as it was")
        #expect(first.status == 0, "\(first)")
        #expect(try host.text(".env") == Self.env)
        let history = try await host.client.call(Config.History.self, .init(target: host.target(".env")))
        #expect(history.versions.first?.reason.hasPrefix("as it was: restored from bundle of ") == true)
        let unknown = try await host.run("restore", bundle, "worker")
        #expect(unknown.status == 2 && unknown.errors.contains("bundleLacks"), "\(unknown)")
        await host.stop()
    }

    @Test("Nothing is changed by a damaged or cut bundle, by one refused file of several, or where a file never was")
    func restoreRefused() async throws {
        let host = try await Host(try Self.fixture())
        let bundle = try await Self.backedUp(host)
        let bytes = try Data(contentsOf: URL(filePath: bundle))
        let before = try host.text(".env")
        var damaged = bytes
        damaged[bytes.count / 2] ^= 1
        for (content, name) in [(damaged, "bundleDamaged"), (bytes.dropLast(1000), "bundleCut")] {
            try Data(content).write(to: URL(filePath: "\(host.root)/bad"))
            let run = try await host.run("restore", "\(host.root)/bad", "--at", "1", "--force")
            #expect(run.status == 2 && run.errors.contains(name), "\(run)")
            let checked = try await host.run("verify", "--bundle", "\(host.root)/bad")
            #expect(checked.status == 2 && checked.errors.contains(name), "\(checked)")
        }
        #expect(try host.text(".env") == before)

        // x.bin would lose all of its bytes: the shrink guard stops the whole transaction.
        let shrunk = try await host.run("restore", bundle, "--at", "1")
        #expect(shrunk.status == 2 && shrunk.errors.contains("shrinkRefused"), "\(shrunk)")
        #expect(try host.text(".env") == before)

        let fresh = try await Host(try Self.fixture(files: [".env": "A=1\n", "x.json": "{}"]))
        let run = try await CommandRun.of(
            ["config", "restore", bundle] + Self.maps(host, fresh), sockets: fresh.fixture.places.sockets)
        #expect(run.status == 2 && run.errors.contains("install -m 600"), "\(run)")
        #expect(try fresh.text(".env") == "A=1\n")
        await fresh.stop()
        await host.stop()
    }

    @Test("A bundle is checked without a daemon, and says what it holds")
    func verifyBundle() async throws {
        let host = try await Host(try Self.fixture())
        let bundle = try await Self.backedUp(host)
        await host.stop()
        let run = try await host.run("verify", "--bundle", bundle)
        #expect(run.status == 0, "\(run)")
        #expect(run.lines.contains { $0.contains(".env") && $0.contains("v4") && $0.contains("stable") }, "\(run)")
        #expect(run.lines.contains { $0.contains("x.bin") && $0.contains("good") })
        let json = try await host.run("verify", "--bundle", bundle, "--json")
        #expect(json.output.contains("\"good\":true"))
        #expect(!run.output.contains("canary") && !json.output.contains("canary"))
    }

    @Test("Newest alone: one version a file, and no flaw for what was left out")
    func backupOfTheNewest() async throws {
        let host = try await Host(try Self.fixture())
        _ = try await Self.backedUp(host)
        let run = try await host.run("backup", "--versions", "newest", "-o", "\(host.root)/newest", "--json")
        #expect(run.status == 0 && run.output.contains("\"versions\":3"), "\(run)")
        #expect(try await host.run("verify", "--bundle", "\(host.root)/newest").status == 0)
        let piped = try await host.run("backup", "gateway")
        #expect(piped.status == 0)
        #expect(piped.lines.count(where: { $0.contains("\"record\"") }) == 7)
        await host.stop()
    }

    @Test(
        "verify names the version that was tampered with",
        arguments: [
            (
                "UPDATE content SET bytes = x'00' WHERE digest = (SELECT content FROM version WHERE number = 2)",
                ConfigFlaw.Kind.contentDamaged, Int64(2)
            ),
            ("DELETE FROM content WHERE digest = (SELECT content FROM version WHERE number = 2)", .contentMissing, 2),
            ("UPDATE version SET reason = 'another' WHERE number = 2", .recordDamaged, 2),
            ("UPDATE version SET keys = 'x' WHERE number = 2", .recordDamaged, 2),
            ("UPDATE version SET previousChain = randomblob(32) WHERE number = 3", .recordDamaged, 3),
            ("DELETE FROM version WHERE number = 2", .versionsMissing, 2),
            ("UPDATE tag SET version = 99", .tagLost, 99),
        ])
    func verifyNames(tampering: String, kind: ConfigFlaw.Kind, version: Int64) async throws {
        let fixture = try Self.fixture()
        let (root, state, places) = (fixture.root, fixture.places.state, fixture.places)
        let target = ConfigFile(service: "gateway", file: "\(root)/.env")
        let first = try await fixture.start(Configd.self)
        var client = try await TestClient("configd", places)
        for port in 3001...3003 {
            _ = try await client.call(Config.Set.self, .init(target: target, values: ["PORT": .text("\(port)")]))
        }
        _ = try await client.call(Config.Tag.self, .init(target: target, name: "stable", version: 3))
        let sound = try await client.call(Config.Verify.self, .init(target: target))
        #expect(sound.flaws.isEmpty)
        #expect(sound.versions == 4 && sound.newest == 4 && sound.next == nil)
        await client.close()
        await DaemonFixture.stop(first)
        try Store(path: "\(state)/configd/versions.db").execute(tampering)
        let second = try await fixture.start(Configd.self)
        client = try await TestClient("configd", places)
        let found = try await client.call(Config.Verify.self, .init(target: target))
        let flaw = try #require(found.flaws.first { $0.kind == kind }, "\(found.flaws)")
        #expect(flaw.version == version)
        #expect(!flaw.remedy.isEmpty)
        let run = try await CommandRun.of(["config", "verify", "gateway"], sockets: places.sockets)
        #expect(run.status == 1 && run.output.contains(kind.rawValue), "\(run)")
        // What is whole is saved all the same; the bundle says what is not.
        if kind != .tagLost {
            let backup = try await CommandRun.of(
                ["config", "backup", "-o", "\(root)/bundle"], sockets: places.sockets)
            #expect(backup.status < 2, "\(backup)")
            let checked = try await CommandRun.of(
                ["config", "verify", "--bundle", "\(root)/bundle"], sockets: places.sockets)
            #expect(checked.status == 1, "\(checked)")
        }
        await client.close()
        await DaemonFixture.stop(second)
    }

    @Test("verify follows the chain over pages, and past what retention let go")
    func verifyPages() async throws {
        let host = try await Host(try Self.fixture(configd: "configd:\n  versionsKept: 260\n"))
        for port in 0..<300 {
            _ = try await host.client.call(
                Config.Set.self, .init(target: host.target(".env"), values: ["PORT": .text("\(port)")]))
        }
        var params = Config.Verify.Params(target: host.target(".env"))
        var reply = try await host.client.call(Config.Verify.self, params)
        #expect(reply.next != nil)
        var versions = reply.versions
        while let next = reply.next {
            #expect(reply.flaws.isEmpty)
            params.cursor = next
            reply = try await host.client.call(Config.Verify.self, params)
            versions += reply.versions
        }
        #expect(reply.flaws.isEmpty)
        #expect(versions >= 260 && versions < 301)
        let run = try await host.run("backup", "-o", "\(host.root)/bundle")
        #expect(run.status == 0, "\(run)")
        let checked = try await host.run("verify", "--bundle", "\(host.root)/bundle")
        #expect(checked.status == 0, "\(checked)")
        await host.stop()
    }

    @Test("A version can be had and verified while its file is gone")
    func withoutTheFile() async throws {
        let host = try await Host(try Self.fixture())
        _ = try await Self.backedUp(host)
        unlink("\(host.root)/.env")
        let content = try await host.client.call(Config.Content.self, .init(target: host.target(".env"), version: 1))
        #expect(content.content == .text(Self.env))
        let rest = try await host.client.call(
            Config.Content.self, .init(target: host.target(".env"), version: 1, cursor: 5))
        #expect(rest.content == .text(String(Self.env.dropFirst(5))) && rest.next == nil)
        let past = try await host.client.call(
            Config.Content.self, .init(target: host.target(".env"), version: 1, cursor: 5000))
        #expect(past.content == .text("") && past.next == nil)
        #expect(
            await host.client.refusal(Config.Content.self, .init(target: host.target(".env"), version: 99))?.name
                == "unknownVersion")
        let reply = try await host.client.call(Config.Verify.self, .init(target: host.target(".env")))
        #expect(reply.flaws.map(\.kind) == [.fileMissing])
        let run = try await host.run("backup", "-o", "\(host.root)/bundle")
        #expect(run.status == 1 && run.errors.contains("is not there"), "\(run)")
        #expect(try await host.run("restore", "\(host.root)/bundle").status == 0)
        #expect(try host.text(".env").contains("PORT=3003"))
        await host.stop()
    }

    @Test("The seed's backup names all files at once, and its restore brings all of them back")
    func seedBackup() async throws {
        let host = try await Host(try Self.fixture(files: [".env": Self.env, "x.json": Self.json]))
        let backup = try await host.client.call(Config.BackupConfig.self, ServiceParams(service: "gateway"))
        #expect(backup.versions == ["\(host.root)/.env": 1, "\(host.root)/x.json": 1], "x.bin never was there")
        _ = try await host.client.call(
            Config.Set.self, .init(target: host.target(".env"), values: ["PORT": .text("1")]))
        _ = try await host.client.call(
            Config.Set.self, .init(target: host.target("x.json"), values: ["/rate": .json("2")]))
        let restored = try await host.client.call(
            Config.RestoreConfig.self, .init(service: "gateway", backupId: backup.backupId, reason: "back"))
        #expect(restored.files.map(\.version) == [3, 3])
        #expect(try host.text(".env") == Self.env)
        #expect(try host.text("x.json") == Self.json)
        let refusal = await host.client.refusal(
            Config.RestoreConfig.self, .init(service: "gateway", backupId: "other"))
        #expect(refusal?.name == "unknownTag")
        await host.stop()
    }
}
