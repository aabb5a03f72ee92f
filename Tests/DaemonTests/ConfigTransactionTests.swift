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

/// Changes over several files, and many changes in one write.
@Suite struct ConfigTransactionTests {
    /// Three files of one service in two folders.
    private final class Files: Sendable {
        let fixture: DaemonFixture
        let paths: [String]

        init() throws {
            fixture = try DaemonFixture()
            let root = fixture.root
            paths = ["\(root)/one/.env", "\(root)/one/b.env", "\(root)/two/.env"]
            for folder in ["one", "two"] { mkdir("\(root)/\(folder)", 0o755) }
            for (path, text) in zip(paths, ["A=1\n", "B=1\n", "C=1\n"]) { try write(text, path) }
            let files = paths.map { "    - path: \($0)\n      readers: [sh]\n" }.joined()
            try fixture.writeService("gateway", "unit: gateway.service\nconfig:\n  files:\n\(files)")
        }

        func write(_ text: String, _ path: String) throws { try Data(text.utf8).write(to: URL(filePath: path)) }

        var texts: [String] {
            get throws { try paths.map { String(decoding: try Data(contentsOf: URL(filePath: $0)), as: UTF8.self) } }
        }

        func names(_ folder: String) throws -> Set<String> {
            Set(try FileManager.default.contentsOfDirectory(atPath: "\(fixture.root)/\(folder)"))
        }

        func change(_ place: Int, _ key: String, _ value: String, ifVersion: Int64? = nil) -> Config.Apply.FileChange {
            Config.Apply.FileChange(file: paths[place], values: [key: .text(value)], ifVersion: ifVersion)
        }

        func params(_ changes: Config.Apply.FileChange..., dryRun: Bool = false) -> Config.Apply.Params {
            Config.Apply.Params(service: "gateway", changes: changes, reason: "test", dryRun: dryRun)
        }
    }

    private static func withConfigd(
        _ files: Files, _ body: (TestClient, Assembly<Configd>) async throws -> Void
    ) async throws {
        let assembly = try await files.fixture.start(Configd.self)
        let client = try await TestClient("configd", files.fixture.places)
        try await body(client, assembly)
        await client.close()
        await DaemonFixture.stop(assembly)
    }

    /// The refusal of a call.
    @Loop private static func refusal(_ client: TestClient, _ params: Config.Apply.Params) async -> RPCError? {
        do {
            _ = try await client.call(Config.Apply.self, params, deadline: .seconds(60))
            return nil
        } catch { return error as? RPCError }
    }

    @Test func aChangeOfThreeFilesIsOneChange() async throws {
        let files = try Files()
        try await Self.withConfigd(files) { client, _ in
            let reply = try await client.call(
                Config.Apply.self,
                files.params(files.change(2, "C", "2"), files.change(0, "A", "2"), files.change(1, "B", "2")))
            #expect(reply.files.map(\.file) == [files.paths[2], files.paths[0], files.paths[1]])
            #expect(reply.files.map(\.version) == [2, 2, 2])
            #expect(try files.texts == ["A=2\n", "B=2\n", "C=2\n"])
            #expect(try files.names("one") == [".env", "b.env"])
        }
    }

    @Test func oneRefusedFileRefusesAll() async throws {
        let files = try Files()
        try await Self.withConfigd(files) { client, _ in
            let stale = files.params(files.change(0, "A", "2"), files.change(2, "C", "2", ifVersion: 7))
            #expect(await Self.refusal(client, stale)?.name == "versionConflict")
            let twice = files.params(files.change(0, "A", "2"), files.change(0, "A", "3"))
            #expect(await Self.refusal(client, twice)?.name == "fileNamedTwice")
            let strange = Config.Apply.Params(service: "gateway", changes: [.init(file: "/etc/passwd")])
            #expect(await Self.refusal(client, strange)?.name == "unknownFile")
            let tried = try await client.call(
                Config.Apply.self, files.params(files.change(0, "A", "2"), files.change(1, "B", "2"), dryRun: true))
            #expect(tried.files.map(\.keys) == [["A"], ["B"]])
            #expect(tried.files.map(\.version) == [1, 1])
            #expect(try files.texts == ["A=1\n", "B=1\n", "C=1\n"])
        }
    }

    @Test func whatTheDiskRefusesOfTheLastFileIsTakenBackFromTheFirst() async throws {
        let files = try Files()
        try await Self.withConfigd(files) { client, _ in
            // A rename onto a mount is refused, after the others went well.
            let last = files.paths[2]
            guard mount(last, last, nil, UInt(MS_BIND), nil) == 0 else { return }
            defer { umount(last) }
            let error = await Self.refusal(
                client, files.params(files.change(0, "A", "2"), files.change(1, "B", "2"), files.change(2, "C", "2")))
            #expect(error?.name == "mountPoint")
            #expect(error?.message.contains(last) == true, "the error names the file that refused")
            #expect(try files.texts == ["A=1\n", "B=1\n", "C=1\n"])
            #expect(try files.names("one") == [".env", "b.env"])
            #expect(try files.names("two") == [".env"])
            let history = try await client.call(
                Config.History.self, .init(target: ConfigFile(service: "gateway", file: files.paths[0])))
            #expect(history.versions.map(\.version) == [1])
        }
    }

    // MARK: Many changes, one write

    private static func request(
        _ kept: KeptFile, _ key: String, _ value: String, ifVersion: Int64? = nil, dryRun: Bool = false
    ) -> Custody.Request {
        Custody.Request(
            terms: Custody.Terms(authorUID: 0, reason: "", dryRun: dryRun),
            parts: [
                Custody.Part(kept: kept, work: .edit(Custody.changes([key: .text(value)], [])), ifVersion: ifVersion)
            ])
    }

    @Test func changesThatWaitTogetherAreOneWriteAndAVersionEach() throws {
        let files = try Files()
        let custody = try Custody(folder: files.fixture.places.state, beside: DaemonFixture.beside)
        let kept = try #require(KeptFile.all(try files.fixture.settings()).first)
        let changed = custody.change(
            [
                Self.request(kept, "A", "2", ifVersion: 1), Self.request(kept, "A", "stale", ifVersion: 1),
                Self.request(kept, "D", "only seen", dryRun: true), Self.request(kept, "B", "3"),
                Self.request(kept, "B", "3"), Self.request(kept, "1", "no key"),
                Self.request(kept, "A", "4", ifVersion: 3),
            ], announced: [kept.id: 1])
        let told = changed.results.map { result in
            switch result {
            case .success(let outcomes): "v\(outcomes[0].version)"
            case .failure(let error): error.name
            }
        }
        #expect(told == ["v2", "versionConflict", "v2", "v3", "v3", "invalidKey", "v4"])
        #expect(changed.seen[kept.id]?.versions.map(\.number) == [2, 3, 4])
        #expect(try files.texts[0] == "A=4\nB=3\n")
        let history = try custody.history(kept, below: nil, limit: 10)
        #expect(history.map(\.number) == [4, 3, 2, 1])
        let second = try #require(history.first { $0.number == 2 })
        #expect(try custody.content(of: second) == Array("A=2\n".utf8))
    }

    @Test func aWriteThatFailsFailsEveryChangeInItAndNoOther() throws {
        let files = try Files()
        let custody = try Custody(folder: files.fixture.places.state, beside: DaemonFixture.beside)
        let kept = try #require(KeptFile.all(try files.fixture.settings()).first)
        _ = custody.change([Self.request(kept, "A", "2")], announced: [:])
        guard mount(files.paths[0], files.paths[0], nil, UInt(MS_BIND), nil) == 0 else { return }
        defer { umount(files.paths[0]) }
        let changed = custody.change(
            [
                Self.request(kept, "A", "stale", ifVersion: 1), Self.request(kept, "A", "3"),
                Self.request(kept, "A", "stale", ifVersion: 2),
            ], announced: [:])
        let told = changed.results.map { result in
            if case .failure(let error) = result { error.name } else { "" }
        }
        #expect(told == ["versionConflict", "mountPoint", "mountPoint"])
        #expect(try files.texts[0] == "A=2\n")
    }

    @Test("a write of more versions than are kept leaves the one in force, for when it fails")
    func retentionLeavesTheVersionInForce() throws {
        let files = try Files()
        let custody = try Custody(folder: files.fixture.places.state, beside: DaemonFixture.beside)
        var kept = try #require(KeptFile.all(try files.fixture.settings()).first)
        kept.versionsKept = 2
        for value in 2...30 { _ = custody.change([Self.request(kept, "A", "\(value)")], announced: [:]) }
        guard mount(files.paths[0], files.paths[0], nil, UInt(MS_BIND), nil) == 0 else { return }
        let refused = custody.change((31...64).map { Self.request(kept, "A", "\($0)") }, announced: [:])
        umount(files.paths[0])
        #expect(
            refused.results.allSatisfy {
                if case .failure(let error) = $0 { error.name == "mountPoint" } else { false }
            })
        let inForce = try #require(try custody.history(kept, below: nil, limit: 1).first)
        #expect(inForce.number == 30)
        #expect(try custody.content(of: inForce) == Array("A=30\n".utf8))
        let next = custody.change([Self.request(kept, "A", "100")], announced: [:])
        #expect(next.seen[kept.id]?.versions.map(\.number) == [31])
    }

    @Test func retentionDropsTheOldestAndHistoryStaysWhole() throws {
        let files = try Files()
        let custody = try Custody(folder: files.fixture.places.state, beside: DaemonFixture.beside)
        var kept = try #require(KeptFile.all(try files.fixture.settings()).first)
        kept.versionsKept = 3
        for value in 2...80 { _ = custody.change([Self.request(kept, "A", "\(value % 50)")], announced: [:]) }
        // What goes gathers, so that not every change pays for it.
        let history = try custody.history(kept, below: nil, limit: 100).map(\.number)
        #expect(history == (65...80).reversed())
        #expect(try custody.version(64, of: kept) == nil)
        let oldest = try #require(try custody.version(65, of: kept))
        #expect(try custody.content(of: oldest) == Array("A=15\n".utf8))
    }

    @Test("what a change asks of the database does not grow with the versions that are kept")
    func retentionAsksOfWhatGoesOnly() throws {
        /// The steps of 64 changes of a file that has as many versions as are kept.
        func steps(keeping kept: Int64) throws -> Int64 {
            let files = try Files()
            let custody = try Custody(folder: files.fixture.places.state, beside: DaemonFixture.beside)
            var file = try #require(KeptFile.all(try files.fixture.settings()).first)
            file.versionsKept = kept
            func change(_ values: Range<Int64>) {
                let requests = values.map { Self.request(file, "A", "\($0)") }
                for first in stride(from: 0, to: requests.count, by: 64) {
                    _ = custody.change(Array(requests[first..<min(first + 64, requests.count)]), announced: [:])
                }
            }
            change(100..<100 + kept + 64)
            let before = custody.versions.steps
            change(100_000..<100_064)
            return custody.versions.steps - before
        }
        let (few, many) = (try steps(keeping: 64), try steps(keeping: 2048))
        #expect(few > 0)
        #expect(many < few * 3 / 2, "\(few) steps at 64 versions, \(many) at 2,048")
    }
}
