import ConfigAPI
import ConfigCore
import Testing
import Wire

/// Flags: what they take, how files say them, and what a change does to them.
@Suite struct FlagTests {
    private static let env = FileFormat.env(EnvEditor(readers: []))
    private static let json = FileFormat.json(.usual)

    private static func flag(
        _ kind: Flag.Kind, standard: JSON? = nil, key: String = "F", chaos: Bool = false
    ) -> Flag {
        Flag(name: "f", kind: kind, standard: standard, file: "/x", key: key, isChaos: chaos)
    }

    /// What a flag is in `file` once it was set to `value`: nil where the flag cannot be that.
    private static func after(_ kind: Flag.Kind, _ value: JSON, _ format: FileFormat, _ file: String) throws -> String?
    {
        let key = if case .json = format { "/f" } else { "F" }
        let flag = flag(kind, key: key)
        guard let accepted = flag.accepted(value) else { return nil }
        let after = try format.apply([flag.change(to: accepted, in: format)], to: Array(file.utf8))
        let reading = flag.reading(of: after, format)
        #expect(reading.value == accepted, "reads back as it was meant")
        #expect(reading.source == .file)
        return String(decoding: after, as: UTF8.self)
    }

    @Test func aFlagIsWrittenInItsFilesOwnWordsAndReadBack() throws {
        let texts = Flag.Kind.truth(on: "1", off: "0")
        let plain = Flag.Kind.truth(on: nil, off: nil)
        #expect(try Self.after(texts, true, Self.env, "A=1\n") == "A=1\nF=1\n")
        #expect(try Self.after(plain, false, Self.env, "# why\nF=true\n") == "# why\nF=false\n")
        #expect(try Self.after(texts, true, Self.json, "{\"f\": \"0\"}") == "{\"f\": \"1\"}")
        #expect(try Self.after(plain, true, Self.json, "{\"f\": false}") == "{\"f\": true}")
        #expect(try Self.after(.integer(-5...100), -5, Self.json, "{\"f\": 1}") == "{\"f\": -5}")
        #expect(try Self.after(.integer(0...100), 7, Self.env, "F=1\n") == "F=7\n")
        #expect(try Self.after(.number(0...1), .number(0.25), Self.json, "{}") == "{\n  \"f\": 0.25\n}")
        #expect(try Self.after(.number(0...9), 3, Self.env, "F=1\n") == "F=3\n")
        #expect(try Self.after(.string, "a b", Self.env, "F=1\n") == "F='a b'\n")
        #expect(
            try Self.after(.choice(["slow", "fast"]), "fast", Self.json, "{\"f\": \"slow\"}") == "{\"f\": \"fast\"}")
    }

    @Test func whatAFlagCannotBeIsNotTaken() {
        let refused: [(Flag.Kind, JSON)] = [
            (.truth(on: "1", off: "0"), "1"), (.integer(1...5), 6), (.integer(1...5), .number(1.5)),
            (.number(0...1), .number(1.5)), (.number(0...1), .number(.nan)), (.string, 1), (.string, .null),
            (.choice(["a"]), "b"), (.truth(on: nil, off: nil), []),
        ]
        for (kind, value) in refused { #expect(Self.flag(kind).accepted(value) == nil, "\(kind) \(value)") }
    }

    @Test func aFileThatSaysNothingMeansTheDefaultAndNonsenseMeansNothing() {
        func reading(_ kind: Flag.Kind, _ file: String, standard: JSON? = nil) -> Flag.Reading {
            Self.flag(kind, standard: standard).reading(of: Array(file.utf8), Self.env)
        }
        #expect(reading(.integer(0...9), "A=1\n", standard: 3) == Flag.Reading(value: 3, source: .standard))
        #expect(reading(.integer(0...9), "A=1\n") == Flag.Reading(value: nil, source: .unset))
        for nonsense in ["F=10\n", "F=0x1\n", "F=1.0\n", "F=\n", "F=one\n"] {
            #expect(reading(.integer(0...9), nonsense, standard: 3).source == .unreadable, "\(nonsense)")
        }
        #expect(reading(.truth(on: "1", off: "0"), "F=true\n").source == .unreadable)
        let broken = Self.flag(.integer(0...9), standard: 3, key: "/f").reading(of: [0x7B], Self.json)
        #expect(broken.source == .unreadable)
        let text = Self.flag(.integer(0...9), key: "/f").reading(of: Array("{\"f\": \"1\"}".utf8), Self.json)
        #expect(text.source == .unreadable, "a JSON string is no number")
    }

    @Test func aFlagBringsTheObjectsAroundIt() throws {
        let flags = ["/chaos/net/latencyMs", "/chaos/net/loss"].map { Self.flag(.integer(0...9), key: $0) }
        let changes = flags.map { $0.change(to: 5, in: Self.json) }
        let after = try Self.json.apply(changes, to: Array("{\"a\": 1}".utf8))
        #expect(
            String(decoding: after, as: UTF8.self)
                == "{\"a\": 1, \"chaos\": {\"net\": {\"latencyMs\": 5, \"loss\": 5}}}")
        #expect(throws: EditRefusal.missingParent(key: "/a/b")) {
            try Self.json.apply(
                [Self.flag(.integer(0...9), key: "/a/b").change(to: 5, in: Self.json)], to: Array("{\"a\": 1}".utf8))
        }
    }

    @Test func takingAFlagOutOfItsFileMayBeRepeated() throws {
        let flag = Self.flag(.integer(0...9), standard: 3)
        let once = try Self.env.apply([flag.change(to: nil, in: Self.env)], to: Array("A=1\nF=2\n".utf8))
        #expect(String(decoding: once, as: UTF8.self) == "A=1\n")
        #expect(try Self.env.apply([flag.change(to: nil, in: Self.env)], to: once) == once)
    }

    @Test func aChangeOfAFileIsAChangeOfItsFlags() {
        let flags = [
            Self.flag(.integer(0...9), standard: 3, key: "/f"),
            Self.flag(.truth(on: nil, off: nil), standard: false, key: "/g", chaos: true),
        ]
        func changes(_ old: String?, _ new: String) -> [String] {
            FlagChange.all(of: flags, from: old.map { Array($0.utf8) }, to: Array(new.utf8), Self.json).map { change in
                let values = [change.before.value, change.after.value].map { $0.map { JSONWriter.text(of: $0) } ?? "-" }
                return "\(change.flag.key) \(values[0]) \(values[1])"
            }
        }
        #expect(changes("{\"f\": 1}", "{\"f\": 2, \"g\": true}") == ["/f 1 2", "/g false true"])
        #expect(changes("{\"f\": 1}", "{}") == ["/f 1 3"])
        #expect(changes("{}", "{\"f\": 3, \"g\": false}").isEmpty, "the default in words is no change")
        #expect(changes("{\"f\": 1}", "{\"f\": \"x\"}") == ["/f 1 -"])
        #expect(changes(nil, "{\"f\": 1}") == ["/f - 1", "/g - false"])
    }

    @Test func aChangeIsHeldToItsFlags() throws {
        let flags = [
            Self.flag(.integer(0...9), key: "/f"), Self.flag(.integer(0...9), standard: 0, key: "/c", chaos: true),
        ]
        func check(_ old: String, _ new: String, allowed: Bool = false) -> String {
            do throws(FlagChange.Refusal) {
                try FlagChange.check(
                    flags, from: Array(old.utf8), to: Array(new.utf8), Self.json, chaosAllowed: allowed)
                return "taken"
            } catch {
                switch error {
                case .invalidValue(let flag): return "invalid \(flag.key)"
                case .chaosNotAllowed(let flag): return "chaos \(flag.key)"
                }
            }
        }
        #expect(check("{\"f\": 1}", "{\"f\": 10}") == "invalid /f")
        #expect(check("{\"f\": 11}", "{\"f\": 10}") == "invalid /f")
        #expect(check("{\"f\": 11}", "{\"f\": 11, \"x\": 1}") == "taken", "what was wrong is no matter of this change")
        #expect(check("{}", "{\"c\": 1}") == "chaos /c")
        #expect(check("{}", "{\"c\": 1}", allowed: true) == "taken")
        #expect(check("{\"c\": 1}", "{\"c\": 1, \"f\": 1}") == "taken", "what was on may stay on")
        #expect(check("{\"c\": 1}", "{\"c\": 2}") == "chaos /c")
        #expect(check("{\"c\": 1}", "{\"c\": 0}") == "taken")
    }

    @Test func aVersionsKeysSayWhichFlagsToLookAt() {
        let flag = Self.flag(.string, key: "/a/b")
        #expect(flag.mayHaveChanged(["/a/b"]))
        #expect(flag.mayHaveChanged(["/a"]))
        #expect(flag.mayHaveChanged([""]))
        #expect(flag.mayHaveChanged((0..<500).map { "/x\($0)" }), "no more are noted")
        #expect(!flag.mayHaveChanged(["/a/bc", "/a/c", "/b"]))
    }
}
