import ConfigCore
import Foundation
import Testing
import Time

/// The tree of a JSON text: nothing is lost, nothing else is taken, and it says what Python's own reader says.
@Suite struct JSONDocumentTests {
    private static func document(_ text: String) throws -> JSONDocument { try JSONDocument(Array(text.utf8)) }

    private static func problem(_ bytes: [UInt8]) -> String {
        do {
            _ = try JSONDocument(bytes)
            return "taken"
        } catch { return "\(error.line):\(error.column): \(error.problem)" }
    }

    @Test func randomTextsAreRenderedByteForByte() throws {
        var samples = JSONSamples(random: SeededRandom(seed: 21))
        for _ in 0..<20_000 {
            let text = samples.blank() + samples.value(depth: 4) + samples.blank()
            #expect(try Self.document(text).rendered == Array(text.utf8), "\(text)")
        }
    }

    @Test(
        "what is no JSON is refused where it goes wrong",
        arguments: [
            ("", "1:1: expected a value, found the end"),
            ("{\n  \"a\": 1,\n}", "3:1: expected a key in double quotes, found '}'"),
            ("[1,]", "1:4: expected a value, found ']'"),
            ("{\"é\" 1}", "1:6: expected ':', found '1'"),
            ("{\"a\": 1} // why", "1:10: expected the end of the text, found '/'"),
            ("\u{FEFF}{}", "1:1: expected no byte-order mark, which JSON readers refuse"),
            ("[01]", "1:3: expected ',' or ']', found '1'"),
            ("[1.]", "1:4: expected a digit, found ']'"),
            ("[tru]", "1:5: expected true, found ']'"),
            ("[NaN]", "1:2: expected a value, found 'N'"),
            ("\"a\nb\"", "1:3: expected an escape such as \\u000a, found the byte 0xa"),
            ("\"\\x\"", "1:3: expected one of \"\\/bfnrtu after '\\', found 'x'"),
            ("\"\\u00G0\"", "1:6: expected a hexadecimal digit, found 'G'"),
            ("\"abc", "1:1: expected a closing double quote before the end"),
        ])
    func refusals(text: String, why: String) {
        #expect(Self.problem(Array(text.utf8)) == why)
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        for bytes: [UInt8] in [[0x80], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]] {
            #expect(
                Self.problem([0x22] + bytes + [0x22]).hasSuffix(
                    "expected UTF-8, found the byte 0x\(String(bytes[0], radix: 16))"))
        }
    }

    @Test func depthAndCountAreBounded() throws {
        let deep = { (levels: Int) in Array(repeating: UInt8(ascii: "["), count: levels) }
        let closed = { (levels: Int) in deep(levels) + Array(repeating: UInt8(ascii: "]"), count: levels) }
        #expect(try JSONDocument(closed(128)).leafCount == 1)
        #expect(Self.problem(closed(129)) == "1:129: expected at most 128 levels")
        #expect(Self.problem(deep(16 << 20)) == "1:129: expected at most 128 levels")
        let many = "[" + String(repeating: "0,", count: JSONDocument.mostNodes) + "0]"
        #expect(Self.problem(Array(many.utf8)).hasSuffix("expected at most 1048576 keys and values"))
    }

    @Test func repeatedKeysAreTold() throws {
        let document = try Self.document("{\"a\": 1, \"b\": {\"x\": 1, \"\\u0078\": 2},\n \"a\": 3}")
        #expect(document.repeated.map { document.text(of: $0) } == [Array("x".utf8), Array("a".utf8)])
        #expect(document.repeated.map { document.line(of: document.nodes[$0].start) } == [1, 2])
        // One letter by two spellings of Unicode is two keys, as to every JSON reader.
        #expect(try Self.document("{\"é\": 1, \"e\u{301}\": 2}").repeated.isEmpty)
    }

    @Test func pointersAreThoseOfTheRFC() throws {
        // RFC 6901, section 5.
        let text = """
            {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\\\j": 5, "k\\"l": 6, " ": 7, "m~n": 8}
            """
        let document = try Self.document(text)
        let values = [
            "/foo": "[\"bar\", \"baz\"]", "/foo/0": "\"bar\"", "/": "0", "/a~1b": "1", "/c%d": "2", "/e^f": "3",
            "/g|h": "4", "/i\\j": "5", "/k\"l": "6", "/ ": "7", "/m~0n": "8", "": text,
        ]
        for (pointer, value) in values {
            let place = try #require(JSONPointer(pointer))
            let node = try #require(document.node(at: place), "\(pointer)")
            #expect(String(decoding: document.raw(node), as: UTF8.self) == value)
            #expect(JSONPointer(pointer)?.text == pointer)
        }
        for none in ["/foo/2", "/foo/-", "/foo/00", "/nope", "/foo/0/x"] {
            let place = try #require(JSONPointer(none))
            #expect(document.node(at: place) == nil, "\(none)")
        }
        for bad in ["foo", "/~", "/~2", "/a~"] { #expect(JSONPointer(bad) == nil, "\(bad)") }
    }

    // MARK: Python's own reader

    /// What `json` of python3 makes of each text, as the fixture prints it; nil where there is no python3.
    static func python(_ texts: [[UInt8]]) throws -> [String]? {
        try RealReader.lines(["python3", RealReader.fixtures.appending(path: "read_json.py").path], texts)
    }

    /// The text's innermost values as the fixture prints them; nil where a key is repeated, of which Python keeps the last
    /// in the place of the first.
    static func model(_ text: [UInt8]) -> String? {
        guard let document = try? JSONDocument(text) else { return "!" }
        guard document.repeated.isEmpty else { return nil }
        var leaves: [String] = []
        document.forEachLeaf { pointer, node in
            let value: [UInt8] =
                switch document.nodes[node].kind {
                case .string: Array("s".utf8) + document.text(of: node)
                case .number: Array("n".utf8) + document.raw(node)
                case .word, .key: Array(document.raw(node))
                case .object: Array("{}".utf8)
                case .array: Array("[]".utf8)
                }
            let slash = [UInt8(ascii: "/")]
            let place = pointer.tokens.flatMap { token in
                slash + token.flatMap { $0 == 0x7E ? Array("~0".utf8) : $0 == 0x2F ? Array("~1".utf8) : [$0] }
            }
            leaves.append("\(RealReader.hexadecimal(place))=\(RealReader.hexadecimal(value))")
            return true
        }
        return leaves.joined(separator: " ")
    }

    @Test func pythonReadsTheSame() throws {
        var samples = JSONSamples(random: SeededRandom(seed: 22))
        var texts: [[UInt8]] = []
        for _ in 0..<4000 {
            let text = samples.blank() + samples.value(depth: 4) + samples.blank()
            texts.append(Array(text.utf8))
            texts.append(samples.broken(text))
        }
        guard let real = try Self.python(texts) else { return print("skipped: no python3 here") }
        try #require(real.count == texts.count)
        var compared = 0
        for (text, seen) in zip(texts, real) {
            guard let model = Self.model(text) else { continue }
            #expect(model == seen, "\(String(decoding: text, as: UTF8.self))")
            compared += 1
        }
        #expect(compared > 6000)
    }
}
