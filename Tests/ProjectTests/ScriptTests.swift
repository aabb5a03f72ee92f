import Testing

/// What the scripts refuse, and what they must leave alone.
@Suite struct ScriptTests {
    /// Lines of bash with the parts of Scripts/machine at hand and a folder of machines of their own, of which one, `up`, is there.
    private func withMachines(_ lines: String) throws -> Program {
        try Program.run(
            "/bin/bash", "-c",
            """
            set -euo pipefail
            work=$(mktemp -d /tmp/mainstay-test.XXXXXX)
            machines=$work/run/machines
            mkdir -p "$machines/up"
            echo 1 > "$machines/up/mark"
            source '\(project.root)/Scripts/lib/machine-parts'
            status=0
            ( \(lines) ) || status=$?
            echo "exit $status: $(cd "$work/run" && find . -type f -o -type d -empty)"
            rm -r "$work"
            """)
    }

    @Test func `a machine whose name is taken is not touched by who asks for that name`() throws {
        let taken = try withMachines("claim_machine up")
        #expect(taken.output.contains("is there a machine up already?"))
        #expect(taken.output.hasSuffix("exit 1: ./machines/up/mark\n"), "\(taken.output)")
    }

    @Test func `a machine that was begun is cleared away with the shell that began it, unless it is to stay`() throws {
        let cut = try withMachines("claim_machine new; false")
        #expect(cut.output.hasSuffix("exit 1: ./machines/up/mark\n"), "\(cut.output)")
        let staying = try withMachines("claim_machine new; trap - EXIT")
        #expect(staying.output.contains("./machines/new"), "\(staying.output)")
    }

    @Test(arguments: ["", ".", "..", "a/b", "-a"])
    func `a name that would lead out of the folder of machines is refused`(name: String) throws {
        let run = try withMachines("check_name '\(name)'; stop_machine '\(name)'")
        #expect(run.output.hasSuffix("exit 64: ./machines/up/mark\n"), "\(run.output)")
    }

    @Test(arguments: [
        ["up", "--dwon"], ["up", "--build"], ["machine", "--start"], ["machine", "--nmae", "x"], ["test", "--fsat"],
        ["fuzz", "--second"],
    ])
    func `a word that means nothing, and an option without its value, end with the usage`(words: [String]) throws {
        let run = try Program.run(["\(project.root)/Scripts/\(words[0])"] + words.dropFirst())
        #expect(run.status == 64)
        #expect(run.output.contains("Scripts/\(words[0])"), "\(run.output)")
    }

    @Test func `every script that calls the toolchain finds it in the same way`() {
        let callers = (project.files(under: "Scripts") + project.files(under: ".ci")).filter { path in
            project.text(path)?.split(separator: "\n").contains { $0.trimmed.hasPrefix("swift ") } == true
        }
        #expect(callers.count >= 3)
        for path in callers {
            #expect(project.text(path)?.contains("source Scripts/lib/swift") == true, "\(path)")
        }
    }
}
