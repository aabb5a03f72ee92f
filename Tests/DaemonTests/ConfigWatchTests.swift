import CLinux
import ConfigAPI
import ConfigCore
@testable import ConfigDaemon
import Foundation
import Glibc
import Runtime
import Settings
import Synchronization
import Testing
import Time
import Wire

/// configd in this process, on a real file that somebody else writes: it is told by the kernel, and nobody asks it anything.
@Suite struct ConfigWatchTests {
    private static let before = (1...8).map { "KEY\($0)='\(String(repeating: "v", count: 60))'\n" }.joined()
    private static let target = ConfigFile(service: "gateway")

    private static func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
    }

    /// As editors do: written beside, and renamed.
    private static func replace(_ text: String, _ path: String) throws {
        try write(text, "\(path).new")
        rename("\(path).new", path)
    }

    private static func text(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? "(none)"
    }

    /// configd on a file of its own, in a folder of its own, with a client that is told of all events.
    private static func withConfigd(
        policy: String = "adopt", beside: (_ path: String) throws -> Void = { _ in },
        _ body: (TestClient, Assembly<Configd>, _ path: String) async throws -> Void
    ) async throws {
        let fixture = try DaemonFixture()
        let folder = "\(fixture.root)/etc/gateway"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = "\(folder)/.env"
        try write(before, path)
        chmod(path, 0o640)
        try beside(path)
        try fixture.writeService(
            "gateway",
            """
            unit: gateway.service
            config:
              files:
                - path: \(path)
                  readers: [node-dotenv, sh]
                  onOutsideChange: \(policy)
            """)
        // No tick comes to its help.
        let assembly = try await fixture.start(Configd.self, tickInterval: .seconds(3600))
        let client = try await TestClient("configd", fixture.places)
        _ = try await client.call(Common.Subscribe.self, .init())
        try await body(client, assembly, path)
        await client.close()
        await DaemonFixture.stop(assembly)
    }

    /// Waits for so many events and gives their names.
    private static func events(
        _ client: TestClient, _ count: Int, within limit: Duration = .seconds(5)
    ) async -> [String] {
        _ = await client.eventually(within: limit) { client.events.count >= count }
        return await client.events.map(\.name)
    }

    /// What `get` is refused with.
    private static func refusal(_ client: TestClient) async -> String {
        do {
            _ = try await client.call(Config.Get.self, .init(target: target))
            return "not refused"
        } catch { return (error as? RPCError)?.name ?? "\(error)" }
    }

    /// A program that renames one content after the other over the file, until it is told to stop.
    private final class BusyEditor: Sendable {
        private let isStopped = Atomic(false)

        init(_ path: String) {
            Thread.detachNewThread { [self] in
                var turn = 0
                while !isStopped.load(ordering: .relaxed) {
                    turn += 1
                    try? ConfigWatchTests.replace("\(ConfigWatchTests.before)TURN=\(turn)\n", path)
                }
            }
        }

        func stop() { isStopped.store(true, ordering: .relaxed) }
    }

    @Test func aFileThatSomebodyChangesBetweenEachReadingAndItsReplacementIsSaidToBeThat() async throws {
        try await Self.withConfigd { client, _, path in
            let editor = BusyEditor(path)
            defer { editor.stop() }
            var refusal: RPCError?
            for turn in 1...200 where refusal?.name != "keepsChanging" {
                let params = Config.Set.Params(target: Self.target, values: ["KEY1": .text("\(turn)")])
                refusal = await client.refusal(Config.Set.self, params)
                #expect([nil, "keepsChanging", "beingWritten"].contains(refusal?.name))
            }
            #expect(refusal?.code == 1240)
            #expect(refusal?.details["path"] == .string(path))
        }
    }

    @Loop private static func counts(_ assembly: Assembly<Configd>) -> (looks: Int64, notices: Int64) {
        (assembly.program.watching.looks, assembly.program.watching.notices)
    }

    @Test func anEditIsAVersionWithinASecondWithoutAnybodyAsking() async throws {
        try await Self.withConfigd { client, _, path in
            for (number, write) in [Self.write, Self.replace].enumerated() {
                let began = ContinuousClock().now
                try write(Self.before.replacing("KEY1='v", with: "KEY1='\(number)"), path)
                #expect(await Self.events(client, number + 1).count == number + 1)
                #expect(ContinuousClock().now - began < .seconds(1))
            }
            #expect(await client.events.map(\.name) == ["adopted", "adopted"])
            #expect(await client.events.map { $0.data["version"] } == [2, 3])
            #expect(await client.events.map { $0.data["keys"] } == [["KEY1"], ["KEY1"]])
        }
    }

    @Test func whereTheSettingsSaySoAnEditIsPutBackAndKept() async throws {
        try await Self.withConfigd(policy: "restore") { client, _, path in
            let edited = Self.before.replacing("KEY1='v", with: "KEY1='w")
            try Self.replace(edited, path)
            chmod(path, 0o644)
            #expect(await Self.events(client, 2) == ["quarantined", "restored"])
            #expect(Self.text(path) == Self.before)
            var status = stat()
            #expect(stat(path, &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o640, "the mode comes back too")
            let kept = try await client.call(Config.Quarantine.self, Self.target).contents
            #expect(kept.map(\.cause) == [.policy])
            #expect(kept.map(\.restored) == [2])
            let shown = try await client.call(Config.Quarantined.self, .init(target: Self.target))
            #expect(shown.content == .text(edited))
            unlink(path)
            #expect(await Self.events(client, 3).last == "restored")
            #expect(Self.text(path) == Self.before)
            let history = try await client.call(Config.History.self, .init(target: Self.target))
            #expect(history.versions.map(\.origin) == [.restored, .restored, .baseline])
            #expect(history.versions.map(\.restored) == [2, 1, nil])
        }
    }

    @Test(arguments: ["", String(repeating: "\0", count: 500), "KEY1='v", String(before.prefix(200))])
    func aTornFileIsPutBackAndItsBytesAreKept(_ torn: String) async throws {
        try await Self.withConfigd { client, _, path in
            let began = ContinuousClock().now
            try Self.write(torn, path)
            #expect(await Self.events(client, 2) == ["quarantined", "restored"])
            #expect(ContinuousClock().now - began < .seconds(2))
            #expect(Self.text(path) == Self.before)
            let kept = try await client.call(Config.Quarantined.self, .init(target: Self.target))
            #expect(kept.content.content == Array(torn.utf8))
            #expect(kept.about.restored == 2)
            #expect(kept.about.checksum == Digest(of: torn.utf8).hexadecimal)
        }
    }

    @Test func aSlowWriteOfAGoodFileIsNoCorruption() async throws {
        try await Self.withConfigd { client, assembly, path in
            let edited = Self.before + "LAST='one'\n"
            let file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
            #expect(file >= 0)
            let parts = stride(from: 0, to: edited.utf8.count, by: edited.utf8.count / 3 + 1)
            for start in parts {
                // It is looked at for longer than it takes until a file that was closed is believed.
                let looks = await Self.counts(assembly).looks
                let isLookedAt = await client.eventually { Self.counts(assembly).looks > looks }
                #expect(isLookedAt)
                let end = ContinuousClock().now + OutsideChange.closedSettle + .milliseconds(50)
                while ContinuousClock().now < end {
                    #expect(await Self.refusal(client) == "beingWritten")
                }
                let part = Array(edited.utf8.dropFirst(start).prefix(edited.utf8.count / 3 + 1))
                #expect(Glibc.write(file, part, part.count) == part.count)
            }
            close(file)
            #expect(await Self.events(client, 1) == ["adopted"])
            #expect(Self.text(path) == edited)
            let kept = try await client.call(Config.Quarantine.self, Self.target)
            #expect(kept.contents.isEmpty)
        }
    }

    @Test func aFolderMovedAwayAndBackIsFollowed() async throws {
        try await Self.withConfigd { client, assembly, path in
            let folder = String(path.dropLast("/.env".count))
            // Its parent: no word of that comes from the folder itself.
            let parent = String(folder.dropLast("/gateway".count))
            for moved in [folder, parent] {
                rename(moved, "\(moved).away")
                let isMissed = await client.eventually { Self.condition(assembly) != "whole" }
                #expect(isMissed)
                rename("\(moved).away", moved)
                let isBack = await client.eventually { Self.condition(assembly) == "whole" }
                #expect(isBack)
            }
            // Another folder in its place, with another file in it.
            rename(folder, "\(folder).old")
            mkdir(folder, 0o755)
            try Self.write(Self.before + "NEW=1\n", path)
            #expect(await Self.events(client, 1) == ["adopted"])
            try Self.write(Self.before, "\(folder).old/.env")
            try Self.write(Self.before + "NEW=2\n", path)
            #expect(await Self.events(client, 2).count == 2)
            let history = try await client.call(Config.History.self, .init(target: Self.target))
            #expect(history.versions.map(\.keys) == [["NEW"], ["NEW"], history.versions.last?.keys])
        }
    }

    @Loop private static func condition(_ assembly: Assembly<Configd>) -> String {
        assembly.program.own.files.first?.condition.rawValue ?? ""
    }

    @Test func whatDeadAttemptsLeftIsClearedAwayAtTheStartAndNothingElse() async throws {
        try await Self.withConfigd(
            beside: { path in
                try Self.write("A=half", "\(path).mainstay-0123456789abcdef")
                try Self.write("A=other", "\(path).mainstay-0123456789abcdef0")
                try Self.write("A=other", "\(path).mainstay-notes")
                mkdir("\(path).mainstay-1", 0o755)
                symlink(path, "\(path).mainstay-2")
            },
            { _, _, path in
                let folder = String(path.dropLast("/.env".count))
                let left = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
                #expect(
                    left == [
                        ".env", ".env.mainstay-0123456789abcdef0", ".env.mainstay-1", ".env.mainstay-2",
                        ".env.mainstay-notes",
                    ])
            })
    }

    @Test func whatConfigdWritesItselfIsNobodyElsesChange() async throws {
        try await Self.withConfigd { client, assembly, path in
            let began = ContinuousClock().now
            for number in 0..<40 {
                let params = Config.Set.Params(target: Self.target, values: ["KEY1": .text("\(number)")])
                _ = try await client.call(Config.Set.self, params)
            }
            let most = Int64((ContinuousClock().now - began) / Keeper.noticeGap) + 2
            #expect(await Self.counts(assembly).looks <= most + 1)
            let isNoticed = await client.eventually { Self.counts(assembly).notices > 0 }
            #expect(isNoticed)
            #expect(await client.events.allSatisfy { $0.name == "applied" })
            let kept = try await client.call(Config.Quarantine.self, Self.target)
            #expect(kept.contents.isEmpty)
        }
    }

    @Test func aTornFileIsTakenOverByWhoMeansIt() async throws {
        try await Self.withConfigd { client, _, path in
            try Self.write("KEY1=1\n", path)
            #expect(await Self.events(client, 2) == ["quarantined", "restored"])
            let outcome = try await client.call(Config.Adopt.self, .init(target: Self.target, ifVersion: 2))
            #expect(outcome.version == 3)
            #expect(Self.text(path) == "KEY1=1\n")
            let isNoted = try await client.eventually {
                try await client.call(Config.Quarantine.self, Self.target).contents.first?.adopted == 3
            }
            #expect(isNoted)
            let version = try await client.call(Config.History.self, .init(target: Self.target)).versions[0]
            #expect(version.origin == .adopted)
            #expect(version.authorUID == Int64(geteuid()))
            do {
                _ = try await client.call(Config.Adopt.self, .init(target: Self.target, quarantine: 99))
                Issue.record("there is no such content")
            } catch let error as RPCError { #expect(error.name == "unknownQuarantine") }
        }
    }

    @Test func whoTearsAFileAgainAndAgainIsNotFoughtForEver() async throws {
        try await Self.withConfigd { client, assembly, path in
            for number in 1...Suspicion.mostRestores {
                try Self.write("KEY\(number)=1\n", path)
                #expect(await Self.events(client, number * 2).count == number * 2)
            }
            try Self.write("KEY9=1\n", path)
            let isTold = await client.eventually { Self.condition(assembly) == "troubled" }
            #expect(isTold)
            #expect(Self.text(path) == "KEY9=1\n")
            #expect(await Self.refusal(client) == "outsideChange")
            // Who says which content is meant ends it.
            let outcome = try await client.call(Config.Adopt.self, .init(target: Self.target, quarantine: 1))
            #expect(outcome.version == 6)
            #expect(Self.text(path) == "KEY1=1\n")
            let kept = try await client.call(Config.Quarantine.self, Self.target).contents
            #expect(kept.map(\.quarantine) == [4, 3, 2, 1])
        }
    }
}
