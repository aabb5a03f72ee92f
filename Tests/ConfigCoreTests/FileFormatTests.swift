import ConfigAPI
import ConfigCore
import Testing

/// What the three formats make of changes, comparisons and keys.
@Suite struct FileFormatTests {
    private static let json = FileFormat.json(.usual)
    private static let env = FileFormat.env(EnvEditor(readers: []))

    private static func after(_ format: FileFormat, _ file: String, _ changes: ValueChange...) throws -> String {
        String(decoding: try format.apply(changes, to: Array(file.utf8)), as: UTF8.self)
    }

    @Test func aValueIsWhatTheFormatTakes() throws {
        let file = "{\"a\": 1}"
        #expect(
            try Self.after(Self.json, file, .set(key: "/a", value: .text("x\"\n\u{1}")))
                == "{\"a\": \"x\\\"\\n\\u0001\"}")
        #expect(try Self.after(Self.json, file, .set(key: "/a", value: .json("1e400"))) == "{\"a\": 1e400}")
        #expect(throws: EditRefusal.self) { try Self.after(Self.json, file, .set(key: "/a", value: .bytes([0xFF]))) }
        #expect(try Self.after(Self.env, "A=1\n", .set(key: "A", value: .text("2"))) == "A=2\n")
        #expect(throws: EditRefusal.textOnly(key: "A")) {
            try Self.after(Self.env, "A=1\n", .set(key: "A", value: .json("1")))
        }
        #expect(throws: EditRefusal.keptWhole) { try Self.after(.whole, "A", .set(key: "A", value: .text("1"))) }
        #expect(throws: EditRefusal.keptWhole) { try Self.after(.whole, "A", .remove(key: "A")) }
    }

    @Test func aWholeContentMustBeWhatTheFormatReads() throws {
        try FileFormat.whole.check([0, 0xFF])
        try Self.json.check(Array("[]".utf8))
        #expect(throws: EditRefusal.self) { try Self.json.check(Array("[".utf8)) }
        #expect(throws: EditRefusal.self) { try Self.env.check(Array("A=(\n".utf8)) }
        let full = [UInt8](repeating: 0x23, count: EnvEditor.largestFileBytes + 1)
        #expect(throws: EditRefusal.fileTooLarge(bytes: full.count)) { try FileFormat.whole.check(full) }
    }

    @Test func changedKeysAreThePlacesThatDiffer() {
        let keys = { (old: String, new: String) in
            Self.json.changedKeys(from: Array(old.utf8), to: Array(new.utf8))
        }
        #expect(keys("{\"a\": 1, \"b\": {\"c\": 2}}", "{ \"b\": {\"c\": 3}, \"a\":1 }") == ["/b/c"])
        #expect(keys("{\"a\": 1}", "{\"b\": {\"c\": 3}}") == ["/a", "/b"])
        #expect(keys("[1, 2, 3]", "[1, 4]") == ["/1", "/2"])
        #expect(keys("{\"a\": \"x\\/y\"}", "{\"a\": \"x/y\"}").isEmpty)
        #expect(keys("{\"a\": 1}", "7") == [""])
        #expect(keys("{\"a\": 1}", "{") == [FileFormat.wholeKey])
        #expect(keys("{\"a\": 1, \"a\": 2}", "{\"a\": 3, \"a\": 2}").isEmpty)
        #expect(FileFormat.whole.changedKeys(from: [1], to: [2]) == [FileFormat.wholeKey])
    }

    private static func entries(_ format: FileFormat, _ file: String, keys: [String]? = nil, from first: Int = 0)
        throws -> [String]
    {
        var shown: [String] = []
        try format.forEachEntry(of: Array(file.utf8), named: keys, from: first) { place, entry in
            let value =
                switch entry.value {
                case .text(let text): text
                case .json(let text): "json \(text)"
                case .bytes(let bytes): "\(bytes)"
                case nil: "?"
                }
            shown.append("\(place) \(entry.line) \(entry.key)=\(value)")
            return true
        }
        return shown
    }

    @Test func entriesAreTheInnermostValuesOrWhatIsAskedFor() throws {
        let file = "{\n\"a\": [1,\n\"x\"],\n\"b\": {}, \"half\": \"\\ud800\"}"
        #expect(
            try Self.entries(Self.json, file) == [
                "3 2 /a/0=json 1", "4 3 /a/1=x", "6 4 /b=json {}", "8 4 /half=json \"\\ud800\"",
            ])
        #expect(try Self.entries(Self.json, file, from: 6).count == 2)
        #expect(
            try Self.entries(Self.json, file, keys: ["/b", "/a"]) == ["2 2 /a=json [1,\n\"x\"]", "6 4 /b=json {}"])
        #expect(throws: EditRefusal.unknownKey(key: "/c")) { try Self.entries(Self.json, file, keys: ["/c"]) }
        #expect(try Self.entries(.whole, "x\ny") == ["0 1 =x\ny"])
        #expect(throws: EditRefusal.unknownKey(key: "A")) { try Self.entries(.whole, "x", keys: ["A"]) }
        #expect(try Self.entries(Self.env, "A=1\nB=2\nA=3\n") == ["1 2 B=2", "2 3 A=3"])
        #expect(try Self.entries(Self.json, "7") == ["0 1 =json 7"])
    }

    @Test func repeatedKeysAreToldWithTheirPlace() {
        let file = "{\"l\": [0, {\"x\": 1,\n\"x\": 2}],\n\"a\": 1, \"a\": 3}"
        #expect(
            RepeatedKey.all(in: Array(file.utf8)) == [
                RepeatedKey(pointer: "/l/1/x", line: 2), RepeatedKey(pointer: "/a", line: 3),
            ])
    }

    @Test func theShrinkGuardCountsWhatTheFormatKnows() {
        let list = { (count: Int) in Array("{\"list\": [\((0..<count).map { "\($0)" }.joined(separator: ","))]}".utf8) }
        #expect(ShrinkGuard.loss(from: list(10), to: list(5), format: Self.json, limitPercent: 30)?.keysAfter == 5)
        #expect(ShrinkGuard.loss(from: list(10), to: list(8), format: Self.json, limitPercent: 30) == nil)
        let bytes = { (count: Int) in [UInt8](repeating: 7, count: count) }
        #expect(ShrinkGuard.loss(from: bytes(1000), to: bytes(600), format: .whole, limitPercent: 30)?.keysBefore == 0)
        #expect(ShrinkGuard.loss(from: bytes(1000), to: bytes(800), format: .whole, limitPercent: 30) == nil)
    }

    @Test func whatIsSecretInAJSONFileIsApart() throws {
        let file = Array(
            """
            {
              "db": {"password": "hunter2", "url": "pg://me:pw@host"},
              "tokens": ["t1", "t2"],
              "port": 3000
            }
            """.utf8)
        var secrets: [String: Bool] = [:]
        try Self.json.forEachEntry(of: file) { _, entry in
            secrets[entry.key] = entry.isSecret
            return true
        }
        #expect(
            secrets == ["/db/password": true, "/db/url": true, "/tokens/0": true, "/tokens/1": true, "/port": false])
        let changed = try Self.json.apply(
            [
                .set(key: "/db/password", value: .text("hunter3")), .set(key: "/port", value: .json("1")),
                .set(key: "/new", value: .json("{\"apiKey\": \"k9\"}")),
            ], to: file)
        let diff = Self.json.diff(from: file, to: changed)
        #expect(diff.keys.map(\.key) == ["/db/password", "/new", "/port"])
        #expect(diff.keys.map(\.isSecret) == [true, true, false])
        let plain = diff.hunks.flatMap(\.lines).flatMap(\.pieces).compactMap { piece -> String? in
            if case .plain(let bytes) = piece { String(decoding: bytes, as: UTF8.self) } else { nil }
        }.joined()
        #expect(plain.contains("\"port\": 1"))
        for secret in ["hunter", "me:pw", "t1", "k9"] { #expect(!plain.contains(secret), "\(secret)") }
    }

    @Test func aFileThatIsKeptWholeIsShownToWhoeverAsksForSecrets() {
        let (old, new) = (Array("[a]\nx = 1\n".utf8), Array("[a]\nx = 2\n".utf8))
        let kept = FileFormat.whole.diff(from: old, to: new)
        #expect(kept.keys.map(\.key) == [""])
        #expect(kept.keys.map(\.isSecret) == [true])
        let plain = kept.hunks.flatMap(\.lines).flatMap(\.pieces).filter { piece in
            if case .plain = piece { true } else { false }
        }
        #expect(plain.isEmpty)
        let shown = FileFormat.whole.diff(from: old, to: new, reveal: true)
        #expect(shown.hunks.flatMap(\.lines).map(\.kind) == [.same, .removed, .added])
    }
}
