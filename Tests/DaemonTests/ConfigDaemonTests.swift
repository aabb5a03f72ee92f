import CLinux
import ConfigAPI
@testable import ConfigDaemon
import Foundation
import Glibc
import Runtime
import Settings
import Store
import Testing
import Time
import Wire

/// configd in this process, on a real file in a folder of its own.
@Suite struct ConfigDaemonTests {
    private static let before = "# gateway\r\nPORT=3000\r\nKEY='two\nlines'\r\nURL = \"http://x\" # why\r\nnonsense\r\n"

    private static func service(_ path: String, readers: String = "[node-dotenv, node-env-file]") -> String {
        "unit: gateway.service\nconfig:\n  files:\n    - path: \(path)\n      readers: \(readers)\n"
    }

    private static func write(_ text: String, _ path: String, mode: mode_t = 0o640) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
        chmod(path, mode)
    }

    private static func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }

    private static let target = ConfigFile(service: "gateway")

    private static func set(_ key: String, _ value: String, ifVersion: Int64? = nil) -> Config.Set.Params {
        Config.Set.Params(target: target, values: [key: .text(value)], ifVersion: ifVersion, reason: "test")
    }

    /// Starts configd on `path` and hands over a client.
    private static func withConfigd(
        readers: String = "[node-dotenv, node-env-file]", file: String? = before, mode: mode_t = 0o640,
        _ body: (TestClient, Assembly<Configd>, _ path: String, _ root: String) async throws -> Void
    ) async throws {
        let fixture = try DaemonFixture()
        let path = "\(fixture.root)/.env"
        if let file { try write(file, path, mode: mode) }
        try fixture.writeService("gateway", service(path, readers: readers))
        let assembly = try await fixture.start(Configd.self)
        let client = try await TestClient("configd", fixture.places)
        try await body(client, assembly, path, fixture.root)
        await client.close()
        await DaemonFixture.stop(assembly)
    }

    @Test func aChangeTouchesOneValueAndIsAVersion() async throws {
        try await Self.withConfigd { client, _, path, _ in
            let first = try await client.call(Config.Get.self, .init(target: Self.target))
            #expect(first.version.version == 1)
            #expect(first.version.origin == .baseline)
            #expect(first.entries.map(\.key) == ["PORT", "KEY", "URL"])
            #expect(first.entries.map(\.line) == [2, 3, 5])
            #expect(first.entries[1].value == .text("two\nlines"))
            let outcome = try await client.call(Config.Set.self, Self.set("PORT", "3001", ifVersion: 1))
            #expect(outcome.version == 2)
            #expect(outcome.keys == ["PORT"])
            #expect(try Self.text(path) == Self.before.replacing("3000", with: "3001"))
            let again = try await client.call(Config.Set.self, Self.set("PORT", "3001"))
            #expect(again.version == 2, "what the file says already is no new version")
            #expect(again.previous == nil)
        }
    }

    @Test func aChangeOfAnOlderVersionIsRefused() async throws {
        try await Self.withConfigd { client, _, path, _ in
            _ = try await client.call(Config.Set.self, Self.set("PORT", "3001", ifVersion: 1))
            #expect(
                await client.refusal(Config.Set.self, Self.set("PORT", "3002", ifVersion: 1))?.name == "versionConflict"
            )
            #expect(try Self.text(path).contains("3001"))
        }
    }

    @Test func historyShowRollbackAndStateTellOneStory() async throws {
        try await Self.withConfigd { client, _, path, _ in
            _ = try await client.call(Config.Set.self, Self.set("PORT", "3001"))
            _ = try await client.call(Config.Set.self, Self.set("URL", "http://y"))
            let back = try await client.call(Config.Rollback.self, .init(target: Self.target, version: 1))
            #expect(back.version == 4)
            #expect(back.keys == ["PORT", "URL"])
            #expect(try Self.text(path) == Self.before)
            let history = try await client.call(Config.History.self, .init(target: Self.target, limit: 3))
            #expect(history.versions.map(\.version) == [4, 3, 2])
            #expect(history.versions.map(\.origin) == [.rollback, .set, .set])
            #expect(history.versions[0].restored == 1)
            #expect(history.next == 2)
            let rest = try await client.call(
                Config.History.self, .init(target: Self.target, limit: 3, cursor: history.next))
            #expect(rest.versions.map(\.version) == [1])
            #expect(rest.next == nil)
            #expect(rest.versions[0].checksum == history.versions[0].checksum)
            let shown = try await client.call(Config.Show.self, .init(target: Self.target, version: 2))
            #expect(shown.entries.first?.value == .text("3001"))
            let state = try await client.call(Config.State.self, Self.target)
            #expect(state.version == "4")
            #expect(state.environment?["PORT"] == .text("3000"))
            #expect(state.backup == "3")
            let last = try await client.call(Config.Rollback.self, .init(target: Self.target))
            #expect(last.version == 5)
            #expect(try Self.text(path).contains("http://y"))
            #expect(
                await client.refusal(Config.Show.self, .init(target: Self.target, version: 9))?.name == "unknownVersion"
            )
        }
    }

    @Test func theSeedsNamesDoTheSame() async throws {
        try await Self.withConfigd { client, _, path, _ in
            let changes = Config.Changes(environmentVars: ["PORT": .text("3001")])
            let updated = try await client.call(
                Config.UpdateConfig.self, .init(target: Self.target, changes: changes))
            #expect(updated.first.version == 2)
            let valid = try await client.call(Config.ValidateConfig.self, .init(target: Self.target, config: changes))
            #expect(valid.valid)
            #expect(try Self.text(path).contains("PORT=3001"))
        }
    }

    @Test func ownerModeAndAttributesAreKept() async throws {
        try await Self.withConfigd(mode: 0o604) { client, _, path, _ in
            let mark: [UInt8] = Array("kept".utf8)
            let hasAttributes = setxattr(path, "user.mainstay", mark, mark.count, 0) == 0
            let isRoot = geteuid() == 0
            if isRoot { chown(path, 12, 34) }
            var forced = Self.set("PORT", "3001")
            // The versions record the owner of before: that it changed has to be meant.
            if isRoot { #expect(await client.refusal(Config.Set.self, forced)?.name == "ownerChanged") }
            forced.force = true
            _ = try await client.call(Config.Set.self, forced)
            var status = stat()
            #expect(stat(path, &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o604)
            if isRoot { #expect([status.st_uid, status.st_gid] == [12, 34]) }
            var value = [UInt8](repeating: 0, count: 16)
            if hasAttributes { #expect(getxattr(path, "user.mainstay", &value, 16) == 4) }
            _ = try await client.call(Config.Set.self, Self.set("PORT", "3002"))
        }
    }

    @Test func whatIsNoPlainFileIsRefusedAndUntouched() async throws {
        try await Self.withConfigd { client, _, path, root in
            let set = Self.set("PORT", "1")
            link(path, "\(root)/second-name")
            #expect(await client.refusal(Config.Set.self, set)?.name == "notPlainFile")
            unlink("\(root)/second-name")
            rename(path, "\(root)/elsewhere")
            symlink("\(root)/elsewhere", path)
            #expect(await client.refusal(Config.Set.self, set)?.name == "notPlainFile")
            unlink(path)
            mkfifo(path, 0o600)
            #expect(await client.refusal(Config.Get.self, .init(target: Self.target))?.name == "notPlainFile")
            unlink(path)
            #expect(await client.refusal(Config.Set.self, set)?.name == "fileMissing")
            let elsewhere = try Self.text("\(root)/elsewhere")
            #expect(elsewhere == Self.before)
        }
    }

    @Test func aMissingFileComesBackWithItsOwnerAndMode() async throws {
        try await Self.withConfigd(mode: 0o600) { client, _, path, _ in
            unlink(path)
            let back = try await client.call(Config.Rollback.self, .init(target: Self.target, version: 1))
            #expect(back.version == 2)
            #expect(try Self.text(path) == Self.before)
            var status = stat()
            #expect(stat(path, &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o600)
        }
    }

    @Test func whatSomebodyElseWroteBecomesAVersionAndAnEvent() async throws {
        try await Self.withConfigd { client, _, path, _ in
            _ = try await client.call(Common.Subscribe.self, .init())
            try Self.write(Self.before.replacing("3000", with: "9"), path)
            #expect(
                await client.refusal(Config.Set.self, Self.set("PORT", "10", ifVersion: 1))?.name == "versionConflict")
            _ = try await client.call(Config.Set.self, Self.set("PORT", "10", ifVersion: 2))
            _ = try await client.call(Config.Rollback.self, .init(target: Self.target, version: 1))
            let came = await client.eventually { client.events.count == 3 }
            #expect(came)
            #expect(await client.events.map(\.name) == ["adopted", "applied", "rolledBack"])
            #expect(await client.events.map { $0.data["version"] } == [2, 3, 4])
            #expect(try Self.text(path) == Self.before)
        }
    }

    @Test func aChangeThatLosesMuchMustBeForced() async throws {
        let many = (1...10).map { "KEY\($0)='\(String(repeating: "v", count: 60))'\n" }.joined()
        try await Self.withConfigd(file: many) { client, _, path, _ in
            var params = Config.Set.Params(target: Self.target, values: [:], remove: (1...5).map { "KEY\($0)" })
            #expect(await client.refusal(Config.Set.self, params)?.name == "shrinkRefused")
            #expect(try Self.text(path) == many)
            params.force = true
            params.dryRun = true
            let dry = try await client.call(Config.Set.self, params)
            #expect(dry.dryRun)
            #expect(dry.keys.count == 5)
            #expect(try Self.text(path) == many)
            params.dryRun = false
            #expect(try await client.call(Config.Set.self, params).version == 2)
        }
    }

    @Test func refusalsNameTheReader() async throws {
        try await Self.withConfigd(readers: "[systemd, docker]", file: "A=1\n") { client, _, path, _ in
            let params = Self.set("KEY", "two\nlines")
            do {
                _ = try await client.call(Config.Set.self, params)
                Issue.record("docker reads no value over two lines")
            } catch let error as RPCError {
                #expect(error.name == "unwritable")
                #expect(error.details["reader"] == "docker")
            }
            let reply = try await client.call(
                Config.Validate.self,
                .init(target: Self.target, values: ["KEY": .text("two\nlines"), "a b": .text("")]))
            #expect(!reply.valid)
            #expect(reply.findings.map(\.name) == ["unwritable", "invalidKey"])
            #expect(reply.readers == ["systemd", "docker"])
            #expect(try Self.text(path) == "A=1\n")
        }
    }

    @Test func unknownServicesAndFilesAreRefusedByName() async throws {
        try await Self.withConfigd { client, _, _, _ in
            let get = { (target: ConfigFile) in
                await client.refusal(Config.Get.self, Config.Get.Params(target: target))?.name
            }
            #expect(await get(ConfigFile(service: "nobody")) == "unknownService")
            #expect(await get(ConfigFile(service: "gateway", file: "/etc/other")) == "unknownFile")
            let key = Config.Get.Params(target: Self.target, keys: ["NOPE"])
            #expect(await client.refusal(Config.Get.self, key)?.name == "unknownKey")
        }
    }

    @Test func aSecondConfigdIsKeptOut() async throws {
        let fixture = try DaemonFixture()
        let path = "\(fixture.root)/.env"
        try Self.write("A=1\n", path)
        try fixture.writeService("gateway", Self.service(path))
        let lock = open("\(fixture.places.state)/lock-holder", O_RDWR | O_CREAT, 0o600)
        try FileManager.default.createDirectory(
            atPath: "\(fixture.places.state)/configd", withIntermediateDirectories: true)
        let held = open("\(fixture.places.state)/configd/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        #expect(mainstay_ofd_lock(held, 1) == 0)
        let assembly = try await fixture.start(Configd.self)
        let client = try await TestClient("configd", fixture.places)
        #expect(await client.refusal(Config.Set.self, Self.set("A", "2"))?.name == "versionsUnavailable")
        let status = try await client.call(Common.Status<ConfigStatus>.self, NoFields())
        #expect(status.own.files.map(\.condition) == [.troubled])
        close(held)
        close(lock)
        #expect(try await client.call(Config.Set.self, Self.set("A", "2")).version == 2)
        await client.close()
        await DaemonFixture.stop(assembly)
    }

    @Test func versionsOutliveTheDaemon() async throws {
        let fixture = try DaemonFixture()
        let path = "\(fixture.root)/.env"
        try Self.write("A=0\n", path)
        try fixture.writeService("gateway", Self.service(path))
        for round in 0..<2 {
            let assembly = try await fixture.start(Configd.self)
            let client = try await TestClient("configd", fixture.places)
            for step in 1...3 {
                _ = try await client.call(Config.Set.self, Self.set("A", "\(round * 3 + step)"))
            }
            let history = try await client.call(Config.History.self, .init(target: Self.target))
            #expect(history.versions.map(\.version) == (1...Int64(round * 3 + 4)).reversed())
            await client.close()
            await DaemonFixture.stop(assembly)
        }
    }

    @Test(
        arguments: [
            "UPDATE version SET reason = 'another' WHERE number = 2", "UPDATE version SET uid = 7 WHERE number = 4",
            "UPDATE version SET content = (SELECT content FROM version WHERE number = 1) WHERE number = 2",
            "DELETE FROM version WHERE number = 2", "DELETE FROM version WHERE number = 3",
        ])
    func aRecordThatWasChangedOrDroppedShows(_ tampering: String) async throws {
        let fixture = try DaemonFixture()
        try Self.write(Self.before, "\(fixture.root)/.env")
        try fixture.writeService("gateway", Self.service("\(fixture.root)/.env"))
        var assembly = try await fixture.start(Configd.self)
        var client = try await TestClient("configd", fixture.places)
        for step in 1...3 { _ = try await client.call(Config.Set.self, Self.set("PORT", "\(step)")) }
        let whole = try await client.call(Config.History.self, .init(target: Self.target))
        #expect(whole.versions.map(\.version) == [4, 3, 2, 1])
        await client.close()
        await DaemonFixture.stop(assembly)
        try Store(path: "\(fixture.places.state)/configd/versions.db").execute(tampering)
        assembly = try await fixture.start(Configd.self)
        client = try await TestClient("configd", fixture.places)
        #expect(await client.refusal(Config.History.self, .init(target: Self.target))?.name == "versionsUnavailable")
        await client.close()
        await DaemonFixture.stop(assembly)
    }

    @Test func valuesOfASecretFileAreForWhoMayAct() throws {
        let fixture = try DaemonFixture()
        let path = "\(fixture.root)/.env"
        try Self.write("A=secret\nB=secret\n", path)
        try fixture.writeService("gateway", Self.service(path))
        let custody = try Custody(folder: "\(fixture.places.state)/configd", beside: DaemonFixture.beside)
        let kept = try #require(KeptFile.all(try fixture.settings()).first)
        let hidden = try custody.entries(kept, version: nil, keys: nil, cursor: nil, mayAct: false)
        #expect(hidden.hidden)
        #expect(hidden.version.checksum == nil)
        #expect(hidden.entries.map(\.value) == [nil, nil])
        #expect(hidden.entries[0].fingerprint == hidden.entries[1].fingerprint)
        #expect(try custody.state(kept, mayAct: false).environment == nil)
        #expect(
            try custody.entries(kept, version: nil, keys: ["A"], cursor: nil, mayAct: true).entries[0].value
                == .text("secret"))
        chmod(path, 0o644)
        #expect(try !custody.entries(kept, version: nil, keys: nil, cursor: nil, mayAct: false).hidden)
        #expect(
            try custody.entries(kept, version: 1, keys: nil, cursor: nil, mayAct: false).hidden, "version 1 was secret")
    }

    @Test func aLargeFileIsReadInPages() async throws {
        let value = String(repeating: "v", count: 60_000)
        let many = (1...10).map { "KEY\($0)=\(value)\n" }.joined()
        try await Self.withConfigd(file: many) { client, _, _, _ in
            let limit = Duration.seconds(60)
            var page = try await client.call(Config.Get.self, .init(target: Self.target), deadline: limit)
            var keys = page.entries.map(\.key)
            while let next = page.next {
                page = try await client.call(
                    Config.Show.self, .init(target: Self.target, version: 1, cursor: next), deadline: limit)
                keys += page.entries.map(\.key)
            }
            #expect(keys == (1...10).map { "KEY\($0)" })
            #expect(page.entries.last?.line == 10)
            #expect(await client.refusal(Config.State.self, Self.target)?.name == "environmentTooLarge")
            let flood = Config.Set.Params(
                target: Self.target, values: Dictionary(uniqueKeysWithValues: (0...256).map { ("N\($0)", .text("1")) }))
            #expect(await client.refusal(Config.Set.self, flood)?.name == "tooManyChanges")
        }
    }

    @Test func aDryRunLeavesNothingBehind() throws {
        let fixture = try DaemonFixture()
        let path = "\(fixture.root)/.env"
        try Self.write("A=1\n", path)
        try fixture.writeService("gateway", Self.service(path))
        let custody = try Custody(folder: nil, beside: DaemonFixture.beside)
        let kept = try #require(KeptFile.all(try fixture.settings()).first)
        let part = Custody.Part(kept: kept, work: .edit(Custody.changes(["A": .text("2")], [])), ifVersion: 1)
        let request = Custody.Request(
            terms: Custody.Terms(authorUID: 0, reason: "", dryRun: true), parts: [part])
        let changed = custody.change([request], announced: [:])
        #expect(try changed.results[0].get().map(\.keys) == [["A"]])
        #expect(try Self.text(path) == "A=1\n")
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.places.state).isEmpty)
        #expect(!FileManager.default.fileExists(atPath: ":memory:"))
    }

    /// Adds one to COUNT by compare-and-swap, as often as it takes.
    private static func increment(_ client: TestClient) async throws {
        while true {
            let now = try await client.call(Config.Get.self, .init(target: target, keys: ["COUNT"]))
            guard case .text(let text)? = now.entries.first?.value, let count = Int(text) else { return }
            let change = set("COUNT", "\(count + 1)", ifVersion: now.version.version)
            do {
                _ = try await client.call(Config.Set.self, change)
                return
            } catch let error as RPCError where error.name == "versionConflict" { continue }
        }
    }

    @Test func simultaneousChangesComeOneAfterTheOtherAndNoneIsLost() async throws {
        let fixture = try DaemonFixture()
        let path = "\(fixture.root)/.env"
        try Self.write("COUNT=0\n", path)
        try fixture.writeService("gateway", Self.service(path))
        let assembly = try await fixture.start(Configd.self)
        let places = fixture.places
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<6 {
                group.addTask {
                    let client = try await TestClient("configd", places)
                    for _ in 0..<4 { try await Self.increment(client) }
                    _ = try await client.call(Config.Set.self, Self.set("OWN\(number)", "\(number)"))
                    await client.close()
                }
            }
            try await group.waitForAll()
        }
        let client = try await TestClient("configd", places)
        let history = try await client.call(Config.History.self, .init(target: Self.target, limit: 100))
        #expect(history.versions.map(\.version) == (1...31).reversed())
        let entries = try await client.call(Config.Get.self, .init(target: Self.target)).entries
        #expect(entries.first { $0.key == "COUNT" }?.value == .text("24"))
        #expect(entries.count == 7)
        await client.close()
        await DaemonFixture.stop(assembly)
    }
}
