import ConfigAPI
import ConfigCore
@testable import ConfigDaemon
import Foundation
import Glibc
import Runtime
import Settings
import Store
import Synchronization
import Testing
import Time
import Wire

/// Values for a time, in configd in this process, on a real file.
@Suite struct ConfigLeaseTests {
    private static let before = "# gateway\nPORT=3000\nLEVEL='info'\nURL=http://x # y\n"
    private static let target = ConfigFile(service: "gateway")

    /// One configd after another on the same file and ledger.
    private final class World: Sendable {
        let fixture: DaemonFixture
        let path: String
        private let entries = Mutex<[LogEntry]>([])

        init(format: String = "readers: [node-dotenv, systemd]", content: String = before, name: String = ".env") throws
        {
            fixture = try DaemonFixture()
            path = "\(fixture.root)/\(name)"
            try Data(content.utf8).write(to: URL(filePath: path))
            try fixture.writeService(
                "gateway", "unit: gateway.service\nconfig:\n  files:\n    - path: \(path)\n      \(format)\n")
        }

        var text: String {
            get throws { String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self) }
        }

        func write(_ text: String) throws { try Data(text.utf8).write(to: URL(filePath: path)) }

        var journal: [String] { entries.withLock { $0.map(\.message) } }

        func withConfigd(_ body: (TestClient) async throws -> Void) async throws {
            let log = Log(sink: { [self] entry in entries.withLock { $0.append(entry) } })
            let assembly = try await fixture.start(Configd.self, log: log)
            let client = try await TestClient("configd", fixture.places)
            _ = try await client.call(Common.Subscribe.self, .init())
            try await body(client)
            await client.close()
            await DaemonFixture.stop(assembly)
        }

        /// Runs SQL on the ledger of a configd that has ended.
        func ledger(_ sql: String) throws {
            try Store(path: "\(fixture.places.state)/configd/versions.db").execute(sql)
        }

        func kept() throws -> KeptFile { try #require(KeptFile.all(try fixture.settings()).first) }
        var state: String { "\(fixture.places.state)/configd" }
    }

    private static func set(
        _ values: [String: String], remove: [String] = [], forMs: Int64? = nil
    ) -> Config.Set.Params {
        Config.Set.Params(
            target: target, values: values.mapValues { .text($0) }, remove: remove, reason: "test", forMs: forMs)
    }

    private static let long: Int64 = 600_000

    @Test("A value for a time goes back by itself, byte for byte, as a version that nobody asked for")
    func goesBack() async throws {
        let world = try World()
        try await world.withConfigd { client in
            let outcome = try await client.call(
                Config.Set.self, Self.set(["LEVEL": "debug", "TRACE": "1"], remove: ["PORT"], forMs: Self.long))
            #expect(outcome.version == 2)
            #expect(outcome.leasedUntilMs != nil)
            #expect(try world.text.contains("LEVEL='debug'"))
            let leases = try await client.call(Config.Leases.self, .init()).leases
            #expect(leases.map(\.key) == ["LEVEL", "PORT", "TRACE"])
            #expect(leases.map(\.before) == [.text("info"), .text("3000"), nil])
            #expect(leases.map(\.wasAbsent) == [false, false, true])
            #expect(leases.map(\.isRemoval) == [false, true, false])
            #expect(try await client.call(Common.Status<ConfigStatus>.self, .init()).own.leasedKeys == 3)
            _ = try await client.call(Config.Release.self, .init(target: Self.target, keys: ["PORT"]))
            // Not so long after all: what is leased already has the new time.
            let shorter = Self.set(["LEVEL": "debug", "TRACE": "1"], forMs: 1000)
            _ = try await client.call(Config.Set.self, shorter)
            let back = try await client.eventually { try !world.text.contains("debug") }
            #expect(back)
            let text = try world.text
            #expect(text.contains("LEVEL='info'"))
            #expect(text.contains("PORT=3000"))
            #expect(!text.contains("TRACE"))
            let told = await client.eventually { client.events.map(\.name).contains("expired") }
            #expect(told)
            #expect(await client.events.count { $0.name == "leased" } == 5, "three leases, and two of them anew")
            let newest = try await client.call(Config.History.self, .init(target: Self.target)).versions[0]
            #expect(newest.origin == .expired)
            #expect(newest.authorUID == nil)
            #expect(try await client.call(Config.Leases.self, .init()).leases.isEmpty)
        }
        #expect(world.journal.contains { $0.contains("had a value for a time and went back") })
    }

    @Test("What somebody wrote into the file meanwhile is left alone, and said so")
    func leftAlone() async throws {
        let world = try World()
        try await world.withConfigd { client in
            _ = try await client.call(Config.Set.self, Self.set(["LEVEL": "debug", "PORT": "1"], forMs: Self.long))
            try world.write(try world.text.replacing("debug", with: "warn"))
            let released = try await client.call(Config.Release.self, .init(target: Self.target))
            #expect(released.leftAlone == ["LEVEL"])
            #expect(released.keys == ["PORT"])
            #expect(try world.text == Self.before.replacing("info", with: "warn"))
            #expect(await client.refusal(Config.Release.self, .init(target: Self.target))?.name == "notLeased")
        }
        #expect(world.journal.contains { $0.contains("LEVEL") && $0.contains("what somebody set meanwhile stays") })
    }

    @Test("A second lease of a key is longer and keeps what was before the first")
    func extended() async throws {
        let world = try World()
        try await world.withConfigd { client in
            _ = try await client.call(Config.Set.self, Self.set(["LEVEL": "debug"], forMs: Self.long))
            _ = try await client.call(Config.Set.self, Self.set(["LEVEL": "trace"], forMs: Self.long))
            let same = try await client.call(Config.Set.self, Self.set(["LEVEL": "trace"], forMs: 2 * Self.long))
            #expect(same.previous == nil, "a longer time alone is no version")
            let lease = try #require(try await client.call(Config.Leases.self, .init()).leases.first)
            #expect(lease.value == .text("trace"))
            #expect(lease.before == .text("info"))
            #expect(lease.leftMs > Self.long)
            _ = try await client.call(Config.Release.self, .init(target: Self.target, keys: ["LEVEL"]))
            #expect(try world.text == Self.before)
        }
    }

    @Test("Who sets a leased key without a time makes it stay; a rollback over it ends the lease too")
    func overridden() async throws {
        let world = try World()
        try await world.withConfigd { client in
            _ = try await client.call(Config.Set.self, Self.set(["LEVEL": "debug", "PORT": "1"], forMs: Self.long))
            let same = try await client.call(Config.Set.self, Self.set(["LEVEL": "debug"]))
            #expect(same.previous == nil)
            #expect(try await client.call(Config.Leases.self, .init()).leases.map(\.key) == ["PORT"])
            _ = try await client.call(Config.Rollback.self, .init(target: Self.target, version: 1))
            #expect(try await client.call(Config.Leases.self, .init()).leases.isEmpty)
            _ = try await client.call(Config.Set.self, Self.set(["LEVEL": "debug"], forMs: Self.long))
            _ = try await client.call(Config.Set.self, Self.set(["LEVEL": "info"], forMs: Self.long))
            #expect(
                try await client.call(Config.Leases.self, .init()).leases.isEmpty, "it says what it would go back to")
        }
        #expect(world.journal.contains { $0.contains("the lease of LEVEL") && $0.contains("is over") })
    }

    @Test("What could not be told or put back later is refused now")
    func notLeasable() async throws {
        let world = try World()
        try await world.withConfigd { client in
            #expect(await client.refusal(Config.Set.self, Self.set(["URL": "u"], forMs: 1000))?.name == "notLeasable")
            #expect(await client.refusal(Config.Set.self, Self.set(["A": "1"], forMs: 10))?.name == "invalidParams")
            #expect(
                await client.refusal(Config.Release.self, .init(target: Self.target, keys: ["PORT"]))?.name
                    == "notLeased")
            let text = try world.text
            #expect(text == Self.before)
        }
    }

    @Test("A lease outlives configd, and what came due while it was gone goes back at its start")
    func afterACrash() async throws {
        let world = try World()
        try await world.withConfigd { client in
            _ = try await client.call(Config.Set.self, Self.set(["LEVEL": "debug"], forMs: Self.long))
        }
        try await world.withConfigd { client in
            let lease = try #require(try await client.call(Config.Leases.self, .init()).leases.first)
            #expect(lease.leftMs <= Self.long && lease.leftMs > Self.long - 60_000)
        }
        // As if the lease's end had come while nobody ran.
        try world.ledger("UPDATE lease SET notedAtNs = notedAtNs - leftNs - 1")
        try await world.withConfigd { client in
            let back = try await client.eventually { try world.text == Self.before }
            #expect(back)
        }
    }

    @Test("After a reboot the wall clock decides, and one that was set back adds nothing")
    func afterAReboot() async throws {
        let world = try World()
        try await world.withConfigd { client in
            _ = try await client.call(Config.Set.self, Self.set(["LEVEL": "debug"], forMs: Self.long))
            _ = try await client.call(Config.Set.self, Self.set(["PORT": "1"], forMs: Self.long))
        }
        // Another boot: its monotonic clock says nothing. One was noted in the future, one an hour ago.
        try world.ledger(
            """
            UPDATE lease SET boot = 'another', notedAtNs = notedAtNs + 1000000000000000,
                notedAtMs = notedAtMs + iif(key = 'LEVEL', 1, -1) * 3600000
            """)
        try await world.withConfigd { client in
            let back = try await client.eventually { try world.text.contains("PORT=3000") }
            #expect(back)
            #expect(try world.text.contains("debug"))
            let lease = try #require(try await client.call(Config.Leases.self, .init()).leases.first)
            #expect(lease.key == "LEVEL")
            #expect(lease.leftMs <= Self.long)
        }
    }

    @Test("A take-back that the disk refuses is tried until it succeeds, and the journal hears of it once")
    func refusedByTheDisk() async throws {
        let world = try World()
        try await world.withConfigd { client in
            _ = try await client.call(Config.Set.self, Self.set(["LEVEL": "debug"], forMs: Self.long))
            guard mount(world.path, world.path, nil, UInt(MS_BIND), nil) == 0 else { return }
            // A shorter time alone writes no file.
            _ = try await client.call(Config.Set.self, Self.set(["LEVEL": "debug"], forMs: 1000))
            let stuck = await client.eventually { world.journal.contains { $0.contains("cannot be taken back yet") } }
            umount(world.path)
            #expect(stuck)
            let back = try await client.eventually { try world.text == Self.before }
            #expect(back)
            #expect(world.journal.count { $0.contains("cannot be taken back yet") } == 1)
            #expect(!world.journal.contains { $0.contains("was refused") })
        }
    }

    // MARK: The ledger

    private static func request(_ kept: KeptFile, _ values: [String: String], forMs: Int64?) -> Custody.Request {
        Custody.Request(
            terms: Custody.Terms(authorUID: 0, reason: "", lease: forMs.map { .milliseconds($0) }),
            parts: [
                Custody.Part(
                    kept: kept, work: .edit(Custody.changes(values.mapValues { .text($0) }, [])), ifVersion: nil)
            ])
    }

    @Test("A lease is in force with its version, and not where the write was refused")
    func refusedWrite() throws {
        let world = try World()
        let custody = try Custody(folder: world.state, beside: DaemonFixture.beside)
        let kept = try world.kept()
        _ = custody.change([Self.request(kept, ["LEVEL": "debug"], forMs: 9000)], announced: [:])
        guard mount(world.path, world.path, nil, UInt(MS_BIND), nil) == 0 else { return }
        defer { umount(world.path) }
        let refused = custody.change([Self.request(kept, ["LEVEL": "trace", "A": "1"], forMs: 99_000)], announced: [:])
        guard case .failure(let error)? = refused.results.first else {
            Issue.record("a rename onto a mount went well")
            return
        }
        #expect(error.name == "mountPoint")
        let leases = try custody.leases(of: kept)
        #expect(leases.map(\.key) == ["LEVEL"])
        #expect(leases.first?.term.left == .seconds(9))
    }

    @Test("A crash after the rename leaves the lease in force; one before it leaves none")
    func crashes() throws {
        for hasRenamed in [true, false] {
            let world = try World()
            let kept = try world.kept()
            let after = Self.before.replacing("info", with: "debug")
            do {
                let custody = try Custody(folder: world.state, beside: DaemonFixture.beside)
                let head = try #require(try custody.look(kept).head)
                let version = Version(
                    Version.Draft(
                        origin: .set, content: Digest(of: Array(after.utf8)), sizeBytes: Int64(after.utf8.count),
                        keys: ["LEVEL"], at: HostClock.now().wall, authorUID: 0, reason: "",
                        identity: head.draft.identity), after: head)
                let intent = Intent(
                    id: 1,
                    files: [
                        FileIntent(
                            path: kept.id.path, versions: [version], temporary: ".x", before: head.draft.content)
                    ])
                let lease = Lease(
                    key: "LEVEL", before: Array("info".utf8), value: Array("debug".utf8), version: 2, authorUID: 0,
                    reason: "", grantedAt: HostClock.now().wall,
                    term: Term(left: .seconds(9), notedAt: HostClock.now(), boot: custody.bootOrLife))
                try custody.versions.transaction { () throws(StoreError) in
                    try custody.versions.record(intent, contents: [version.draft.content: Array(after.utf8)])
                    try custody.versions.record([.grant(lease)], of: kept.id.path, intent: intent)
                }
                #expect(try custody.leases(of: kept).isEmpty)
                custody.release()
            }
            if hasRenamed { try world.write(after) }
            let custody = try Custody(folder: world.state, beside: DaemonFixture.beside)
            let sight = try custody.look(kept)
            #expect(sight.head?.number == (hasRenamed ? 2 : 1))
            #expect(try custody.leases(of: kept).map(\.key) == (hasRenamed ? ["LEVEL"] : []))
        }
    }

    // MARK: Other formats

    @Test("A JSON value goes back to its own spelling")
    func json() async throws {
        let content = "{\n  \"server\": {\"port\": 8.080e3, \"name\": \"a\"}\n}\n"
        let world = try World(format: "format: json", content: content, name: "routes.json")
        try await world.withConfigd { client in
            let params = Config.Set.Params(
                target: Self.target, values: ["/server/port": .json("9090"), "/server/debug": .json("true")],
                remove: ["/server/name"], forMs: Self.long)
            _ = try await client.call(Config.Set.self, params)
            let leases = try await client.call(Config.Leases.self, .init(service: "gateway")).leases
            #expect(leases.map(\.key) == ["/server/debug", "/server/name", "/server/port"])
            #expect(leases.map(\.before) == [nil, .text("a"), .json("8.080e3")])
            let back = try await client.call(Config.Release.self, .init(target: Self.target))
            #expect(back.keys == ["/server/debug", "/server/name", "/server/port"])
            #expect(try world.text == content)
        }
    }
}
