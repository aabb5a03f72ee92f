import Testing

/// What the units in systemd/ and the daemons must agree about.
@Suite struct UnitFileTests {
    private func common() throws -> [Substring] {
        try #require(project.text("systemd/mainstay-.service.d/common.conf")).split(separator: "\n")
    }

    /// The whole seconds that stand behind `prefix` in the first line that has it.
    private func seconds(after prefix: String, in lines: [Substring]) throws -> Int {
        let found = lines.compactMap { line in line.firstRange(of: prefix).map { line[$0.upperBound...] } }.first
        let figures = try #require(found, "\(prefix)").prefix { $0.isNumber }
        return try #require(Int(figures))
    }

    /// The shell's line that systemd runs when a daemon has ended.
    private func afterwards() throws -> String {
        let prefix = "ExecStopPost=+/bin/sh -c '"
        let line = try common().first { $0.hasPrefix(prefix) }
        return String(try #require(line).dropFirst(prefix.count).dropLast()).replacing("$$", with: "$")
    }

    @Test(arguments: [
        ("exited", "0", ""), ("killed", "KILL", ""), ("killed", "TERM", ""), ("dumped", "ABRT", ""),
        ("exited", "64", "4"), ("exited", "70", "4"), ("exited", "71", "4"), ("exited", "78", "4"),
        ("exited", "127", "4"), ("exited", "226", "4"),
    ])
    func `what only a change mends is tried again slowly, what crashed at once`(
        code: String, status: String, waits: String
    ) throws {
        let shell = "sleep() { printf %s \"$1\"; }; \(try afterwards())"
        let run = try Program.run(
            "/usr/bin/env", "EXIT_CODE=\(code)", "EXIT_STATUS=\(status)", "/bin/sh", "-c", shell)
        #expect(run.status == 0)
        #expect(run.output == waits)
    }

    @Test func `systemd waits longer for a stop than a daemon takes, and longer than the wait after it`() throws {
        let source = try #require(project.text("Sources/Shared/Runtime/StartUp.swift")).split(separator: "\n")
        let own = try seconds(after: "stopLimit: Duration = .seconds(", in: source)
        let allowed = try seconds(after: "TimeoutStopSec=", in: try common())
        #expect(allowed >= own + 2)
        #expect(try seconds(after: "sleep ", in: try common()) < allowed)
    }
}
