import Testing

/// What Scripts/prove must not take for measured.
@Suite struct ProveTests {
    /// Lines of Python that see Scripts/prove as the module `prove`, and `folder`, a folder of their own.
    private func python(_ lines: String) throws -> Program {
        try Program.run(
            "/usr/bin/python3", "-B", "-c",
            """
            import importlib.machinery, importlib.util, pathlib, tempfile, types
            loader = importlib.machinery.SourceFileLoader("prove", "\(project.root)/Scripts/prove")
            prove = importlib.util.module_from_spec(importlib.util.spec_from_loader("prove", loader))
            loader.exec_module(prove)
            with tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name)
            \(lines.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n"))
            """)
    }

    @Test func `results of other executables, or of a tree that is not committed, are not taken over`() throws {
        let run = try python(
            """
            module = types.SimpleNamespace(PROGRAMS=("configd",))
            def results(text, commit):
                (folder / "configd").write_text(text)
                prove.commit = lambda: commit
                partial = prove.Partial(folder / "line.json", prove.build_hash(folder, module), fresh=False, keep=True)
                found = sorted(partial.results)
                partial.add(f"{text} {commit}", [{}])
                return found
            print(results("one", "abc"), results("one", "abc"))
            print(results("two", "abc"), results("two", "abd"))
            print(results("two", "abd-dirty"), results("two", "abd-dirty"), results("two", "unknown"))
            """)
        #expect(run.status == 0)
        let shown = run.output.split(separator: "\n").filter { $0.hasPrefix("[") }
        #expect(shown == ["[] ['one abc']", "[] []", "[] [] []"], "\(run.output)")
        #expect(run.output.contains("line: what was measured before is not taken over: that was of other executables"))
    }

    @Test func `a line that is no run's figures ends its case with an error, and only its case`() throws {
        let run = try python(
            """
            class Machine:
                def __init__(self, said): self.said = said
                def command(self, *words): return ["/bin/echo", self.said]
            module = types.SimpleNamespace(__name__="line")
            for said in ('{"s": 1}', "a warning", "7", '{"error": "it broke"}'):
                print(said, prove.run_case(module, Machine(said), "case", 1, False))
            module.OUTSIDE, module.outside = {"case"}, lambda *_: iter([int("x")])
            print("outside", prove.run_case(module, None, "case", 1, False)[1])
            """)
        #expect(run.status == 0)
        #expect(run.output.contains("{\"s\": 1} ([{'s': 1}], None)"), "\(run.output)")
        #expect(run.output.contains("a warning ([], \"not a run's figures: a warning\")"))
        #expect(run.output.contains("7 ([], \"not a run's figures: 7\")"))
        #expect(run.output.contains("it broke\"} ([], 'it broke')"))
        #expect(run.output.contains("outside ValueError: invalid literal"))
    }

    @Test func `words that name no line, no case or no number of runs are refused, with what there is`() throws {
        let prove = "\(project.root)/Scripts/prove"
        let typo = try Program.run(prove, "upgrade", "--case", "typo")
        #expect(typo.status == 64)
        #expect(typo.output.contains("upgrade: all four daemons, one after another"), "\(typo.output)")
        #expect(try Program.run(prove, "upgrde").status == 64)
        #expect(try Program.run(prove, "upgrade", "--runs", "0").status == 64)
        #expect(try Program.run(prove, "upgrade", "--case", "one after", "--list").status == 0)
    }

    @Test func `a value of an option is no line for bench, which tries all words before it installs anything`() throws {
        let bench = "\(project.root)/Scripts/bench"
        let typo = try Program.run(bench, "--runs", "3", "--case", "typo")
        #expect(typo.status == 64)
        let lines = typo.output.split(separator: "\n").dropFirst().map { $0.prefix { $0 != ":" } }
        #expect(lines == ["wire", "rest", "notice", "configspeed"], "\(typo.output)")
        for words in [["wiry"], ["--runs"], ["wire", "--runs", "0"], ["--brieff"]] {
            #expect(try Program.status(of: [bench] + words) == 64, "\(words)")
        }
    }
}
