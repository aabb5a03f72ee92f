import ConfigCore
import Testing

/// The measured table of what each reader makes of one-construct files.
@Suite struct DialectTests {
    /// What a reader makes of the key `K` (of `export K`, too).
    enum Seen: Hashable {
        case text(String)
        case unset
        case refused
        case expanded
    }

    private static func seen(_ file: String, by name: String) -> Seen? {
        guard let dialect = Dialect.named(name) else { return nil }
        let reading = DialectReader.read(Array(file.utf8), as: dialect)
        if reading.failure != nil { return .refused }
        switch reading.effective["K"] {
        case .text(let bytes): return .text(String(decoding: bytes, as: UTF8.self))
        case .depends: return .expanded
        case nil: return .unset
        }
    }

    private static let columns = [
        "node-dotenv", "node-env-file", "python-dotenv", "systemd", "sh", "docker", "compose",
    ]

    private static let rows: [(file: String, seen: [Seen])] = [
        (
            "K=val # note\n",
            [
                .text("val"), .text("val"), .text("val"), .text("val # note"), .text("val"), .text("val # note"),
                .text("val"),
            ]
        ),
        (
            "K=abc#123\n",
            [
                .text("abc"), .text("abc"), .text("abc#123"), .text("abc#123"), .text("abc#123"), .text("abc#123"),
                .text("abc#123"),
            ]
        ),
        (
            "K=   # note\n",
            [.text(""), .text(""), .text("# note"), .text("# note"), .text(""), .text("   # note"), .text("# note")]
        ),
        (
            "K=\"a\" # c\n",
            [.text("a"), .text("a"), .text("a"), .text("a# c"), .text("a"), .text("\"a\" # c"), .text("a")]
        ),
        (
            "K=\"a\\nb\"\n",
            [
                .text("a\nb"), .text("a\nb"), .text("a\nb"), .text("a\\nb"), .text("a\\nb"), .text("\"a\\nb\""),
                .text("a\nb"),
            ]
        ),
        (
            "K=\"a\\\"b\"\n",
            [
                .text("a\\\"b"), .text("a\\"), .text("a\"b"), .text("a\"b"), .text("a\"b"), .text("\"a\\\"b\""),
                .text("a\"b"),
            ]
        ),
        (
            "K=\"p$X\"\n",
            [.text("p$X"), .text("p$X"), .text("p$X"), .text("p$X"), .expanded, .text("\"p$X\""), .expanded]
        ),
        ("export K=v\n", [.text("v"), .text("v"), .text("v"), .unset, .text("v"), .refused, .text("v")]),
        ("K: v\n", [.text("v"), .unset, .unset, .unset, .refused, .refused, .text("v")]),
        ("\u{FEFF}K=v\n", [.text("v"), .unset, .unset, .unset, .refused, .text("v"), .text("v")]),
        (
            "K=v\r\n",
            [.text("v"), .text("v"), .text("v"), .text("v"), .text("v\r"), .text("v"), .text("v")]
        ),
        (
            "K=\"abc\nL=x\n",
            [.text("\"abc"), .text("\"abc"), .unset, .text("abc\nL=x\n"), .refused, .text("\"abc"), .refused]
        ),
    ]

    @Test("each reader's model gives the measured table", arguments: rows)
    func measuredTable(file: String, seen: [Seen]) {
        for (name, expected) in zip(Self.columns, seen) {
            #expect(Self.seen(file, by: name) == expected, "\(name) on \(file.debugDescription)")
        }
    }

    @Test("node names a key of spaces after the line end before it")
    func nodeReadsInFrontOfAKeyOfSpaces() {
        for (file, keys) in [
            ("A=1\n =2\n", ["A", "\n"]), ("A='1'\n  =2\nB=3\n", ["A", "\n", "B"]), ("#\n =2\n", ["\n"]),
            ("A=1\nexport  =2\n", ["A", "export"]), (" =2\n", []), ("A=1\n=2\nB=3\n", ["A"]),
        ] {
            let reading = DialectReader.read(Array(file.utf8), as: .nodeEnvFile)
            #expect(reading.bindings.map(\.key) == keys, "\(file.debugDescription)")
        }
    }

    @Test("to python-dotenv a key that stands alone has no value, whatever stood before")
    func pythonUnsetsAKeyThatStandsAlone() {
        for (file, keys) in [
            ("K=1\nK\n", []), ("K=1\nK", []), ("K=1\n export K # note\n", []), ("'K'=1\nK\n", []), ("K\nK=1\n", ["K"]),
            ("K=1\nL=2\nK\n", ["L"]), ("K=1\nK L\n", ["K"]), ("K=1\n# K\n", ["K"]),
        ] {
            let reading = DialectReader.read(Array(file.utf8), as: .pythonDotenv)
            #expect(reading.bindings.map(\.key) == keys, "\(file.debugDescription)")
        }
    }

    @Test func aPrivateKeyOverManyLinesIsOneValueToEveryReaderWithQuotes() {
        let file = "A=1\nK=\"\(Samples.privateKey)\"\nB=2\n"
        for name in Self.columns where name != "docker" {
            #expect(Self.seen(file, by: name) == .text(Samples.privateKey), "\(name)")
        }
    }

    @Test func theTableHasNoTwoRowsOfOneName() {
        #expect(Set(Dialect.all.map(\.name)).count == Dialect.all.count)
    }
}
