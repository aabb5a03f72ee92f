import ConfigCore
import Testing
import Time

/// Edits of JSON files: what they make, and what they leave alone.
@Suite struct JSONEditorTests {
    private static func edited(_ file: String, _ changes: [KeyChange]) -> String {
        do throws(EditRefusal) {
            return String(decoding: try JSONEditor.apply(changes, to: Array(file.utf8)), as: UTF8.self)
        } catch { return "\(error)" }
    }

    private static func set(_ key: String, _ value: String) -> KeyChange {
        .set(key: key, value: Array(value.utf8))
    }

    @Test(
        "a change follows the file's own layout",
        arguments: [
            // (file, pointer, value, after)
            ("{\"a\": 1}", "/a", "2", "{\"a\": 2}"),
            ("{\"a\": 1}", "/b", "2", "{\"a\": 1, \"b\": 2}"),
            ("{\"a\":1}", "/b", "2", "{\"a\":1,\"b\":2}"),
            ("{ \"a\": 1 }", "/b", "2", "{ \"a\": 1, \"b\": 2 }"),
            ("{\n  \"a\": 1\n}\n", "/b", "2", "{\n  \"a\": 1,\n  \"b\": 2\n}\n"),
            ("{\r\n\t\"a\" : 1\r\n}", "/b", "2", "{\r\n\t\"a\" : 1,\r\n\t\"b\" : 2\r\n}"),
            ("{\n  \"a\": 1,\n\n  \"b\": 2\n}", "/c", "3", "{\n  \"a\": 1,\n\n  \"b\": 2,\n\n  \"c\": 3\n}"),
            ("{ \"a\": 1\n, \"b\": 2\n}", "/c", "3", "{ \"a\": 1\n, \"b\": 2\n, \"c\": 3\n}"),
            ("{}", "/a", "1", "{\n  \"a\": 1\n}"),
            ("{\n    \"a\": {}\n}", "/a/b", "1", "{\n    \"a\": {\n        \"b\": 1\n    }\n}"),
            ("{\"a\":{}}", "/a/b", "1", "{\"a\":{\"b\":1}}"),
            ("[1, 2]", "/-", "3", "[1, 2, 3]"),
            ("[1,2]", "/2", "3", "[1,2,3]"),
            ("[]", "/0", "3", "[\n  3\n]"),
            ("{\"a\": [\n  1\n]}", "/a/-", "{\"x\":1}", "{\"a\": [\n  1,\n  {\"x\":1}\n]}"),
            ("{\"a\": 1.50}", "/a", "1.5", "{\"a\": 1.5}"),
            ("{\"a\": \"x\\/y\"}", "/a", "\"x/y\"", "{\"a\": \"x\\/y\"}"),
            ("{\"a\": [1,2]}", "/a", " [1, 2] ", "{\"a\": [1,2]}"),
            ("7", "", "[ 8 ]", "[ 8 ]"),
            ("{\"a\": 1}", "/é~1\"", "2", "{\"a\": 1, \"é/\\\"\": 2}"),
        ])
    func settings(file: String, pointer: String, value: String, after: String) {
        #expect(Self.edited(file, [Self.set(pointer, value)]) == after)
    }

    @Test(
        "a removal takes its comma along",
        arguments: [
            ("{\"a\": 1, \"b\": 2, \"c\": 3}", "/a", "{\"b\": 2, \"c\": 3}"),
            ("{\"a\": 1, \"b\": 2, \"c\": 3}", "/b", "{\"a\": 1, \"c\": 3}"),
            ("{\"a\": 1, \"b\": 2, \"c\": 3}", "/c", "{\"a\": 1, \"b\": 2}"),
            ("{\n  \"a\": 1,\n  \"b\": 2\n}\n", "/a", "{\n  \"b\": 2\n}\n"),
            ("{\n  \"a\": 1,\n  \"b\": 2\n}\n", "/b", "{\n  \"a\": 1\n}\n"),
            ("{\n  \"a\": 1\n}\n", "/a", "{}\n"),
            ("{ \"a\": 1\n, \"b\": 2\n}", "/b", "{ \"a\": 1\n}"),
            ("[1, 2, 3]", "/1", "[1, 3]"),
            ("{\"a\": 1, \"b\": 2, \"a\": 3}", "/a", "{\"b\": 2}"),
            ("{\"b\": 2, \"a\": 1, \"a\": 3}", "/a", "{\"b\": 2}"),
            ("{\"a\": 1, \"a\": 3}", "/a", "{}"),
        ])
    func removals(file: String, pointer: String, after: String) {
        #expect(Self.edited(file, [.remove(key: pointer)]) == after)
    }

    @Test func whatCannotBeIsRefused() {
        let file = "{\"a\": 1, \"list\": [1], \"twice\": {\"x\": 1,\n\"x\": 2}}"
        let refusals = { (change: KeyChange) -> EditRefusal? in
            do throws(EditRefusal) { _ = try JSONEditor.apply([change], to: Array(file.utf8)) } catch { return error }
            return nil
        }
        #expect(refusals(Self.set("a", "1")) == .invalidPointer(key: "a"))
        #expect(refusals(Self.set("/a/b", "1")) == .missingParent(key: "/a/b"))
        #expect(refusals(Self.set("/no/b", "1")) == .missingParent(key: "/no/b"))
        #expect(refusals(Self.set("/list/2", "1")) == .missingParent(key: "/list/2"))
        #expect(refusals(Self.set("/twice/x", "1")) == .repeatedKey(key: "/twice/x", line: 2))
        #expect(refusals(.remove(key: "")) == .invalidPointer(key: ""))
        #expect(refusals(.remove(key: "/b")) == .unknownKey(key: "/b"))
        if case .invalidJSONValue(let key, let problem) = refusals(Self.set("/a", "1 2")) {
            #expect(key == "/a")
            #expect(problem.column == 3)
        } else {
            Issue.record("two values are no value")
        }
        let deep = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        if case .invalidJSON = refusals(Self.set("/a", deep)) {} else { Issue.record("129 levels are too many") }
        #expect(Self.edited("{\"a\": 1,}", [Self.set("/a", "2")]).contains("expected a key"))
        #expect(Self.edited(file, [Self.set("/a", "2"), .remove(key: "/b")]) == "\(EditRefusal.unknownKey(key: "/b"))")
    }

    @Test func aValueMayBeAsLargeAsTheFile() throws {
        let text = "\"" + String(repeating: "x", count: 1 << 20) + "\""
        #expect(Self.edited("{\"a\": 1}", [Self.set("/a", text)]) == "{\"a\": \(text)}")
        let full = Array("{\"a\": \"".utf8) + [UInt8](repeating: 0x78, count: 16 << 20) + Array("\"}".utf8)
        #expect(throws: EditRefusal.fileTooLarge(bytes: full.count)) { try JSONEditor.apply([], to: full) }
    }

    // MARK: Random edits

    /// Replacing any value of any text changes that value's bytes and no other, and both readers then read the new value
    /// there and everything else as before.
    @Test func replacingTouchesTheValueAlone() throws {
        var samples = JSONSamples(random: SeededRandom(seed: 31))
        var edits = 0
        while edits < 5000 {
            let text = samples.blank() + samples.value(depth: 4) + samples.blank()
            let before = try JSONDocument(Array(text.utf8))
            guard before.repeated.isEmpty else { continue }
            var leaves: [(JSONPointer, Int)] = []
            before.forEachLeaf { pointer, node in
                leaves.append((pointer, node))
                return true
            }
            let (pointer, node) = leaves[Int.random(in: 0..<leaves.count, using: &samples.random)]
            // Half a surrogate pair cannot be named in a message.
            guard JSONPointer(pointer.text) == pointer else { continue }
            let value = Array(samples.value(depth: 1).utf8)
            let after = try JSONEditor.apply([.set(key: pointer.text, value: value)], to: before.bytes)
            let head = before.bytes[..<before.nodes[node].start]
            let tail = before.bytes[before.nodes[node].end...]
            #expect(
                after.starts(with: head) && after.reversed().starts(with: tail.reversed()), "\(text) \(pointer.text)")
            #expect(
                after == before.bytes || after[head.count..<(after.count - tail.count)].elementsEqual(value), "\(text)")
            edits += 1
        }
    }

    /// Putting something in and taking it out again gives back a file laid out by a program, byte for byte, but for what
    /// an empty object or array held.
    @Test func addingAndRemovingGivesTheFileBack() throws {
        var samples = JSONSamples(random: SeededRandom(seed: 32))
        for _ in 0..<5000 {
            let text = Array(samples.laidOut().utf8)
            let before = try JSONDocument(text)
            let containers = before.nodes.indices.filter {
                before.nodes[$0].kind == .object || before.nodes[$0].kind == .array
            }
            guard !containers.isEmpty else { continue }
            let pointers = Self.pointers(of: before)
            let container = containers[Int.random(in: 0..<containers.count, using: &samples.random)]
            let place = try #require(pointers[container])
            let isObject = before.nodes[container].kind == .object
            let key = place + (isObject ? "/new" : "/-")
            let added = try JSONEditor.apply([.set(key: key, value: Array("[1]".utf8))], to: text)
            let after = try JSONDocument(added)
            #expect(after.nodes.count == before.nodes.count + (isObject ? 3 : 2))
            let shown = String(decoding: added, as: UTF8.self)
            #expect(
                added.filter { !" \t\r\n".utf8.contains($0) }.count - text.filter { !" \t\r\n".utf8.contains($0) }.count
                    == (isObject ? 9 : 3) + (Self.isEmpty(container, before) ? 0 : 1), "\(shown)")
            let itsPlace = isObject ? key : "\(place)/\(before.elementCount(of: container))"
            let removed = try JSONEditor.apply([.remove(key: itsPlace)], to: added)
            #expect(removed == text, "\(shown)")
        }
    }

    private static func isEmpty(_ container: Int, _ document: JSONDocument) -> Bool {
        document.nodes[container].past == container + 1
    }

    /// The pointer of every object and array.
    private static func pointers(of document: JSONDocument) -> [Int: String] {
        var pointers: [Int: String] = [:]
        document.forEachLeaf { pointer, _ in
            var tokens = pointer.tokens
            while true {
                let place = JSONPointer(tokens: tokens)
                if let node = document.node(at: place) { pointers[node] = place.text }
                guard tokens.popLast() != nil else { return true }
            }
        }
        return pointers
    }

    /// What the editor writes, Python reads as the editor's own tree does.
    @Test func pythonReadsWhatIsWritten() throws {
        var samples = JSONSamples(random: SeededRandom(seed: 33))
        var texts: [[UInt8]] = []
        while texts.count < 3000 {
            let text = Array(samples.laidOut().utf8)
            let document = try JSONDocument(text)
            var pointers = Array(Self.pointers(of: document).values.sorted())
            if pointers.isEmpty { pointers = [""] }
            let place = pointers[Int.random(in: 0..<pointers.count, using: &samples.random)]
            let value = Array(samples.value(depth: 1).utf8)
            let changes: [KeyChange] = [
                .set(key: place + "/k0", value: value), .set(key: place + "/-", value: value),
                .set(key: place + "/0", value: value), .remove(key: place + "/k1"), .remove(key: place + "/1"),
            ]
            for change in changes { if let after = try? JSONEditor.apply([change], to: text) { texts.append(after) } }
        }
        guard let real = try JSONDocumentTests.python(texts) else { return print("skipped: no python3 here") }
        try #require(real.count == texts.count)
        for (text, seen) in zip(texts, real) {
            guard let model = JSONDocumentTests.model(text) else { continue }
            #expect(model != "!" && model == seen, "\(String(decoding: text, as: UTF8.self))")
        }
    }
}
