import ConfigDaemon
import Foundation
import Runtime
import Testing
import Wire

/// The clients that stand in Protocols/README.md, as they stand there.
@Suite struct ScriptTests {
    /// The fenced block of a language, written to a file that can be run.
    private func script(_ language: String, in folder: String) throws -> URL {
        let readme = ServedDocumentTests.protocols.appending(path: "README.md")
        let text = try String(contentsOf: readme, encoding: .utf8)
        let parts = text.components(separatedBy: "```\(language)\n")
        try #require(parts.count == 2, "one block in \(language)")
        let code = parts[1].components(separatedBy: "\n```")[0] + "\n"
        #expect(code.split(separator: "\n").count < 25, "the block in \(language) is short enough to copy")
        let file = URL(filePath: folder).appending(path: "script.\(language)")
        try code.write(to: file, atomically: true, encoding: .utf8)
        return file
    }

    @Test("The client in bash and python3 prints a reply, a refusal with its remedy, and silence, each with its code")
    func bash() async throws {
        let fixture = try DaemonFixture()
        let watchdogd = try await fixture.start(StandInWatchdogd.self)
        let script = try script("bash", in: fixture.root)
        func ask(_ arguments: String...) async throws -> CommandRun {
            try await CommandRun.of(
                URL(filePath: "/bin/bash"), [script.path] + arguments, sockets: fixture.places.sockets)
        }
        let reply = try await ask("watchdogd", "incidents", #"{"service": "gateway", "limit": 5}"#)
        #expect(reply.status == 0, "\(reply)")
        let incidents = try JSONObject(wire: try JSONReader.read(reply.output))["incidents"]
        #expect(try [JSONObject](wire: incidents ?? .null).count == 1)
        let refusal = try await ask("watchdogd", "incident", #"{"id": "x"}"#)
        #expect(refusal.status == 2)
        #expect(refusal.errors == "no incident \"x\" is kept\n`mainstay incidents` lists the records\n")
        let silence = try await ask("healthd", "status")
        #expect(silence.status == 3)
        #expect(silence.errors.hasPrefix("healthd does not answer: "))
        withExtendedLifetime(watchdogd) {}
    }

    @Test("The script that writes under the lock file keeps configd out, and ends as its command does")
    func lockFile() async throws {
        let fixture = try DaemonFixture()
        let path = "\(fixture.root)/.env"
        try "PORT=1\n".write(toFile: path, atomically: true, encoding: .utf8)
        try fixture.writeService(
            "gateway", "unit: gateway.service\nconfig:\n  files:\n    - path: \(path)\n      readers: [sh]\n")
        let configd = try await fixture.start(Configd.self)
        let script = try script("sh", in: fixture.root)
        let mainstay = CommandRun.built("mainstay").path
        // The first change makes the lock file.
        _ = try await CommandRun.of(["config", "set", "gateway", "PORT=2"], sockets: fixture.places.sockets)
        let refused = try await CommandRun.of(
            URL(filePath: "/bin/sh"), [script.path, "gateway", mainstay, "config", "set", "gateway", "PORT=3"],
            sockets: fixture.places.sockets)
        #expect(refused.status == 2)
        #expect(refused.errors.contains("holds the lock file of gateway"))
        let free = try await CommandRun.of(["config", "set", "gateway", "PORT=3"], sockets: fixture.places.sockets)
        #expect(free.status == 0)
        await DaemonFixture.stop(configd)
    }

    @Test("The client in Node follows events until it has seen enough")
    func node() async throws {
        let fixture = try DaemonFixture()
        let watchdogd = try await fixture.start(StandInWatchdogd.self)
        let script = try script("js", in: fixture.root)
        let node = try #require(
            ["/usr/bin/node", "/usr/local/bin/node"].first { FileManager.default.isExecutableFile(atPath: $0) },
            "the gateway's own Node is there")
        // Several events at once, so that frames arrive joined and cut.
        let publishing = Loop.every(.milliseconds(50)) { watchdogd.program.tell(3) }
        let run = try await CommandRun.of(
            URL(filePath: node), [script.path, "watchdogd", "4"], sockets: fixture.places.sockets)
        publishing.cancel()
        #expect(run.status == 0, "\(run)")
        let events = try run.output.split(separator: "\n").map { try Event(wire: try JSONReader.read(String($0))) }
        #expect(events.count == 4)
        #expect(events.allSatisfy { $0.name == "held" && $0.data["service"] == "gateway" })
        let first = try #require(events.first).sequence
        #expect(events.map(\.sequence) == Array(first..<first + 4))
    }
}
