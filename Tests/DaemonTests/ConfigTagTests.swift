import ConfigAPI
@testable import ConfigDaemon
import Foundation
import Runtime
import Settings
import Testing
import Time
import Wire

/// Names of versions, and the commands over a real configd.
@Suite struct ConfigTagTests {
    private static func withConfigd(
        _ body: (@Sendable (String...) async throws -> CommandRun, _ path: String) async throws -> Void
    ) async throws {
        let fixture = try DaemonFixture()
        let path = "\(fixture.root)/.env"
        try "A=1\n".write(toFile: path, atomically: true, encoding: .utf8)
        try "W=1\n".write(toFile: "\(fixture.root)/worker.env", atomically: true, encoding: .utf8)
        try fixture.writeService(
            "gateway",
            "unit: gateway.service\nconfig:\n  files:\n    - path: \(path)\n    - path: \(fixture.root)/worker.env\n")
        try "configd:\n  versionsKept: 2\n".write(
            toFile: "\(fixture.root)/settings/mainstay.yaml", atomically: true, encoding: .utf8)
        let assembly = try await fixture.start(Configd.self)
        let sockets = fixture.places.sockets
        try await body({ (words: String...) in try await CommandRun.of(["config"] + words, sockets: sockets) }, path)
        await DaemonFixture.stop(assembly)
    }

    private static func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    @Test func aTaggedVersionIsBroughtBackByNameHoweverManyCameAfterIt() async throws {
        try await Self.withConfigd { run, path in
            #expect(try await run("set", "gateway", "--file", path, "A=good").status == 0)
            let tag = try await run("tag", "gateway", "--file", path, "before-upgrade")
            #expect(tag.output == "v2 is called before-upgrade\n", "\(tag)")
            // More than retention keeps.
            for value in 0..<70 { #expect(try await run("set", "gateway", "--file", path, "A=\(value)").status == 0) }
            let gone = try await run("rollback", "gateway", "--file", path, "3")
            #expect(gone.status == 2)
            #expect(gone.errors.contains("unknownVersion"), "\(gone)")
            let back = try await run("rollback", "gateway", "--file", path, "before-upgrade")
            #expect(back.status == 0, "\(back)")
            #expect(try Self.text(path) == "A=good\n")
            let history = try await run("history", "gateway", "--file", path, "--limit", "1000")
            #expect(history.lines.contains { $0.hasSuffix("before-upgrade") && $0.contains("2  ") }, "\(history)")
        }
    }

    @Test func tagsAreListedMovedAndTakenAway() async throws {
        try await Self.withConfigd { run, path in
            let file = ["--file", path]
            #expect(try await run("tag", "gateway", file[0], file[1], "stable").status == 0)
            #expect(try await run("set", "gateway", file[0], file[1], "A=2").status == 0)
            #expect(try await run("tag", "gateway", file[0], file[1], "stable", "2").output == "v2 is called stable\n")
            let tags = try await run("tags", "gateway", file[0], file[1])
            #expect(tags.lines.count { $0.contains("stable") } == 1, "\(tags)")
            #expect(try await run("tag", "gateway", file[0], file[1], "7up").errors.contains("the first no digit"))
            #expect(try await run("tag", "gateway", file[0], file[1], "x", "9").errors.contains("unknownVersion"))
            let unknown = try await run("rollback", "gateway", file[0], file[1], "golden")
            #expect(unknown.errors.contains("unknownTag"), "\(unknown)")
            #expect(try await run("tag", "gateway", file[0], file[1], "--delete", "stable").status == 0)
            #expect(
                try await run("tag", "gateway", file[0], file[1], "--delete", "stable").errors.contains("unknownTag"))
        }
    }

    @Test func severalFilesAreChangedFromOneDocument() async throws {
        try await Self.withConfigd { run, path in
            let worker = path.replacingOccurrences(of: "/.env", with: "/worker.env")
            let changes = "\(path).changes.json"
            try """
            [{"file": "\(path)", "values": {"A": "2"}}, {"file": "\(worker)", "values": {"X": "3"}, "remove": ["W"]}]
            """.write(toFile: changes, atomically: true, encoding: .utf8)
            let tried = try await run("apply", "gateway", changes, "--dry-run", "--force")
            #expect(tried.status == 0, "\(tried)")
            #expect(try Self.text(path) == "A=1\n")
            let done = try await run("apply", "gateway", changes, "--force", "--reason", "both")
            #expect(done.lines.count { $0.contains("v2 is in force, before it v1") } == 2, "\(done)")
            #expect(try Self.text(path) == "A=2\n")
            #expect(try Self.text(worker) == "X=3\n")
            try "[{\"file\": \"\(path)\", \"values\": {\"A\": 2}}]".write(
                toFile: changes, atomically: true, encoding: .utf8)
            let bad = try await run("apply", "gateway", changes)
            #expect(bad.status != 0)
            #expect(bad.errors.contains("expected a string"), "\(bad)")
        }
    }
}
