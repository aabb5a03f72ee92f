import Glibc
import Testing

/// The cases that need a real systemd: one run of each, in a throwaway machine, by `Scripts/prove --brief`. They take minutes and
/// root, so `Scripts/test` asks for them by MAINSTAY_MACHINES=1, alone, after everything else: two cores would not bear both.
@Suite(.serialized, .enabled(if: getenv("MAINSTAY_MACHINES") != nil, "Scripts/test runs these"))
struct SystemCaseTests {
    /// The lines of `Scripts/prove`, as it lists them.
    static let lines = [
        "faults", "busy", "independence", "journal", "upgrade", "powers", "config", "sockets", "powercuts",
        "filesystems", "swaps", "contention", "dialects", "etcd", "confirm", "exporters",
        "promql", "store", "remotewrite",
    ]
    /// Those that measure speed or memory: on a machine that just ran everything else their figures would mean nothing.
    static let benches = ["wire", "rest", "notice", "configspeed", "floors", "simulation", "prometheus", "drift"]

    @Test(.timeLimit(.minutes(15)), arguments: lines)
    func `every case of the line is shown on a real systemd`(line: String) throws {
        #expect(try Program.status(of: ["\(project.root)/Scripts/prove", line, "--brief"]) == 0)
    }
}

@Suite struct SystemCaseListTests {
    @Test func `the lines are those that prove lists, but for its benches`() throws {
        let source = try #require(project.text("Scripts/prove"))
        for line in SystemCaseTests.lines + SystemCaseTests.benches { #expect(source.contains("    \"\(line)\": \"")) }
        let listed = source.split(separator: "\n").drop { !$0.hasPrefix("LINES = {") }.dropFirst().prefix { $0 != "}" }
        #expect(listed.count == SystemCaseTests.lines.count + SystemCaseTests.benches.count)
    }
}
