import ConfigCore
import Testing
import Time

@Suite struct LintTests {
    /// `LINE: RULE` of each finding, disagreements left out.
    private static func rules(_ file: String, _ readers: [String]) -> [String] {
        let editor = EnvEditor(readers: readers.map(Samples.dialect))
        return Lint.findings(in: Samples.bytes(file), editor: editor).compactMap { finding in
            let key = finding.key.map { " \($0)" } ?? ""
            return switch finding.rule {
            case .unreadable(let reader, _): "\(finding.line)\(key): unreadable \(reader)"
            case .openQuote(let readers): "\(finding.line)\(key): openQuote \(readers.joined(separator: " "))"
            case .byteOrderMark(let readers): "\(finding.line)\(key): mark \(readers.joined(separator: " "))"
            case .carriageReturns(let readers, let lines):
                "\(finding.line)\(key): CR \(lines) \(readers.joined(separator: " "))"
            case .duplicateKey(let line): "\(finding.line)\(key): again in \(line)"
            case .trailingBlanks(let readers): "\(finding.line)\(key): blanks \(readers.joined(separator: " "))"
            case .unreadLine: "\(finding.line)\(key): unread"
            case .disagreement: nil
            }
        }
    }

    @Test(arguments: [
        ("A=1\nB='2'\n# note\n\n", ["node-dotenv", "systemd", "sh"], []),
        ("A=1\nB=2\nA=3\n", ["systemd"], ["1 A: again in 3"]),
        ("\u{FEFF}A=1\n", ["node-dotenv", "systemd"], ["1: mark systemd"]),
        ("A=1\r\nB=2\r\n", ["node-dotenv", "systemd", "sh"], ["1: CR 2 sh"]),
        ("A=1\nB=\"x\nC=2\n", ["systemd"], ["2: openQuote systemd"]),
        ("B=\"x\nC=2\n", ["node-dotenv", "sh"], ["1: unreadable sh", "1: openQuote node-dotenv sh"]),
        ("A=1  \nB='2 '\nC=3\n", ["node-dotenv", "docker"], ["1 A: blanks docker"]),
        ("A=1\nnonsense\n", ["node-dotenv", "systemd"], ["2: unread"]),
        ("A=1\nB\n", ["sh"], ["2: unreadable sh"]),
        ("", ["systemd"], []),
    ])
    func habitsThatEndInTroubleAreTold(_ file: String, _ readers: [String], _ expected: [String]) {
        #expect(Self.rules(file, readers) == expected)
    }

    @Test func anyBytesAreLintedWithinBounds() {
        var random = SeededRandom(seed: 5)
        let editor = EnvEditor(readers: Dialect.all)
        for _ in 0..<2000 {
            let file = Samples.anyBytes(&random)
            let lines = file.count { $0 == 0x0A } + 1
            for finding in Lint.findings(in: file, editor: editor) { #expect((1...lines).contains(finding.line)) }
        }
        let many = Samples.bytes((0..<20_000).map { "K\($0 % 7)=\($0)\n" }.joined())
        #expect(Lint.findings(in: many, editor: editor, limit: 50).count == 50)
    }
}
