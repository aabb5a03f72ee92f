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
}
