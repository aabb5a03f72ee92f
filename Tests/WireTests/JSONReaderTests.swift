import Testing
import Time
import Wire

/// What the reader takes and what it refuses. Where an expectation names a byte, an operator is told that byte.
@Suite struct JSONReaderTests {
    @Test(
        arguments: [
            ("null", JSON.null),
            (" true ", .bool(true)),
            ("-0", .integer(0)),
            ("9007199254740992", .integer(9_007_199_254_740_992)),
            ("-9007199254740992", .integer(-9_007_199_254_740_992)),
            ("1.5e-3", .number(0.0015)),
            ("1e3", .number(1000)),
            ("\"\\u00e9\\ud83d\\ude00\\n\\/\"", .string("é😀\n/")),
            ("\"é😀\"", .string("é😀")),
            ("[]", .array([])),
            ("[1,[2,{}]]", .array([1, .array([2, [:]])])),
            ("{\"b\":1,\"a\":{\"c\":null}}", ["b": 1, "a": ["c": .null]]),
        ] as [(String, JSON)])
    func aStrictDocumentIsRead(_ text: String, _ value: JSON) throws {
        #expect(try JSONReader.read(text) == value)
    }

    @Test(
        arguments: [
            ("", "byte 0: expected a value, found the end"),
            ("\u{FEFF}1", "byte 0: expected a value, found byte 0xef"),
            ("[1,]", "byte 3: expected a value, found byte 0x5d"),
            ("{\"a\":1,}", "byte 7: expected a key, found byte 0x7d"),
            ("{\"a\":1,\"a\":2}", "byte 7: expected unique keys, found \"a\" twice"),
            ("1 2", "byte 2: expected the end of the message, found byte 0x32"),
            ("01", "byte 1: expected the end of the message, found byte 0x31"),
            ("1.", "byte 2: expected a digit, found the end"),
            ("-", "byte 1: expected a digit, found the end"),
            ("+1", "byte 0: expected a value, found byte 0x2b"),
            (".5", "byte 0: expected a value, found byte 0x2e"),
            ("9007199254740993", "byte 0: expected an integer within ±2^53"),
            ("123456789012345678901234567890", "byte 0: expected an integer within ±2^53"),
            ("1e999", "byte 0: expected a number within the range of a double"),
            ("nul", "byte 0: expected null, found byte 0x6e"),
            ("NaN", "byte 0: expected a value, found byte 0x4e"),
            ("\"a", "byte 2: expected '\"', found the end"),
            ("\"\\x\"", "byte 2: expected one of \"\\/bfnrtu after '\\', found byte 0x78"),
            ("\"\\ud800\"", "byte 7: expected a trail surrogate, found byte 0x22"),
            ("\"\\udc00\"", "byte 7: expected paired surrogates before this, found byte 0x22"),
            ("\"\\ud800\\u0041\"", "byte 13: expected a trail surrogate before this, found byte 0x22"),
            ("\"\u{01}\"", "byte 1: expected control characters to be escaped, found byte 0x1"),
            ("// x\n1", "byte 0: expected a value, found byte 0x2f"),
        ] as [(String, String)])
    func whatIsNotStrictJSONIsRefusedWithItsPlace(_ text: String, _ message: String) {
        let error = #expect(throws: WireError.self) { try JSONReader.read(text) }
        #expect(error?.description == message)
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        for bytes in [[0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22]] as [[UInt8]] {
            #expect(throws: WireError.self) { try JSONReader.read(bytes) }
        }
    }

    @Test func sixtyFourLevelsAreReadAndSixtyFiveAreNot() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try JSONReader.read(nested(64))
        #expect(throws: WireError.self) { try JSONReader.read(nested(65)) }
        #expect(throws: WireError.self) { try JSONReader.read(String(repeating: "[", count: 1 << 20)) }
    }

    @Test func manyKeysAreReadAndTheirDuplicateFound() throws {
        let keys = (0..<20_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
        #expect(try JSONReader.read("{\(keys)}").kind == "an object")
        #expect(throws: WireError.self) { try JSONReader.read("{\(keys),\"k9\":0}") }
    }

    /// Ten thousand random values written and read back: the writer's bytes are the reader's value, and one writing of it
    /// is always the same bytes.
    @Test func whatIsWrittenReadsBackTheSame() throws {
        var random = SeededRandom(seed: 20_261_124)
        for _ in 0..<10_000 {
            let value = randomValue(depth: 0, &random)
            let bytes = JSONWriter.bytes(of: value)
            #expect(try JSONReader.read(bytes) == value)
            #expect(JSONWriter.bytes(of: try JSONReader.read(bytes)) == bytes)
        }
    }

    private func randomValue(depth: Int, _ random: inout SeededRandom) -> JSON {
        switch Int.random(in: 0..<(depth < 4 ? 8 : 5), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2: return .integer(Int64.random(in: -JSON.largestInteger...JSON.largestInteger, using: &random))
        case 3:
            // A fraction always: whole doubles are written as such and come back as numbers, never as integers.
            let value = Double.random(in: -1e9...1e9, using: &random) + 0.1234567
            return .number(value)
        case 4: return .string(randomText(&random))
        case 5, 6:
            return .array(
                (0..<Int.random(in: 0..<4, using: &random)).map { _ in randomValue(depth: depth + 1, &random) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0..<12, using: &random) {
                object[randomText(&random)] = randomValue(depth: depth + 1, &random)
            }
            return .object(object)
        }
    }

    private func randomText(_ random: inout SeededRandom) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0..<12, using: &random) {
            guard let scalar = Unicode.Scalar(UInt32.random(in: 0..<0x11_0000, using: &random)) else { continue }
            text.unicodeScalars.append(
                Bool.random(using: &random) ? scalar : Unicode.Scalar(UInt8(scalar.value & 0x7F)))
        }
        return text
    }
}
