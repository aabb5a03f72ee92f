import ConfigCore
import Foundation
import Testing
import Time

/// The models held against the real parsers: random files, and random edits of ours, are given to both. Before that, edits
/// held against the models alone, of which some have no real parser here.
///
/// A parser that is not installed is skipped by name. A shell only gets files that its model calls harmless.
/// `MAINSTAY_READER_CASES` multiplies the number of cases, `MAINSTAY_READER_SEED` begins other ones; `Scripts/prove dialects`
/// reads what is printed of them. With `MAINSTAY_READER_UNITS` systemd is asked by units, which it starts on this very host.
@Suite struct ReaderAgreementTests {
    private static let readers = ["node-env-file", "python-dotenv", "systemd", "bash", "dash"]

    private static let environment = ProcessInfo.processInfo.environment
    private static let times = Int(environment["MAINSTAY_READER_CASES"] ?? "") ?? 1
    private static let seed = UInt64(environment["MAINSTAY_READER_SEED"] ?? "") ?? 11

    private static func command(_ reader: String) -> [String] {
        reader == "node-env-file"
            ? ["node", RealReader.fixtures.appending(path: "node.js").path]
            : ["python3", RealReader.fixtures.appending(path: "read.py").path, reader]
    }

    /// As a service gets its environment: by `node --env-file`, by `EnvironmentFile=` of a transient unit.
    private static func door(_ reader: String) -> [String] {
        ["python3", RealReader.fixtures.appending(path: "read.py").path, "\(reader)-itself"]
    }

    private static func dialect(_ reader: String) -> Dialect {
        Samples.dialect(reader == "bash" || reader == "dash" ? "sh" : reader)
    }

    /// What the real reader makes of each case, keys and values in hexadecimal; nil where it is not installed.
    private static func realReadings(_ command: [String], _ cases: [[UInt8]]) throws -> [[String: String]?]? {
        guard let lines = try RealReader.lines(command, cases) else { return nil }
        return lines.map { line in
            guard line != "!" else { return nil }
            let pairs = line.split(separator: " ").map { $0.split(separator: "=", omittingEmptySubsequences: false) }
            return Dictionary(pairs.map { (String($0[0]), String($0[1])) }, uniquingKeysWith: { $1 })
        }
    }

    private static func isHarmless(_ reading: Reading) -> Bool {
        reading.failure == nil
            && reading.bindings.allSatisfy { binding in
                if case .text = binding.value { true } else { false }
            }
    }

    @Test("a model reads random files as the real reader does", arguments: readers)
    func randomFiles(reader: String) throws {
        let dialect = Self.dialect(reader)
        var random = SeededRandom(seed: Self.seed)
        var cases: [[UInt8]] = []
        let wanted = (dialect.name == "sh" ? 400 : 3000) * Self.times
        while cases.count < wanted {
            // Of node's every second file is one that nobody would write: where it ends early, reads on or misreads is its own code's.
            let isStrange = reader == "node-env-file" && cases.count.isMultiple(of: 2)
            let file = isStrange ? Samples.anyText(&random) : Array(Samples.file(&random).utf8)
            if dialect.name == "sh", !Self.isHarmless(DialectReader.read(file, as: dialect)) { continue }
            cases.append(file)
        }
        guard let real = try Self.realReadings(Self.command(reader), cases) else {
            return print("skipped: no \(reader) here")
        }
        Self.tell("files", reader, cases.count)
        try Self.expectAgreement(dialect, cases, real)
    }

    @Test("what a service has in its environment is what the model reads", arguments: ["node-env-file", "systemd"])
    func environmentsOfServices(reader: String) throws {
        guard reader != "systemd" || Self.environment["MAINSTAY_READER_UNITS"] != nil else { return }
        var random = SeededRandom(seed: Self.seed + 1)
        let cases = (0..<8 * Self.times).map { _ in Array(Samples.file(&random).utf8) }
        guard let real = try Self.realReadings(Self.door(reader), cases) else {
            return print("skipped: no \(reader) here")
        }
        Self.tell("environments", reader, cases.count)
        try Self.expectAgreement(Self.dialect(reader), cases, real)
    }

    private static func expectAgreement(
        _ dialect: Dialect, _ cases: [[UInt8]], _ real: [[String: String]?]
    ) throws {
        try #require(real.count == cases.count)
        for (file, seen) in zip(cases, real) {
            let model = DialectReader.read(file, as: dialect)
            let shown = String(decoding: file, as: UTF8.self).debugDescription
            guard model.failure == nil, let seen else {
                #expect(seen == nil, "the model fails on \(shown), \(dialect.name) does not")
                continue
            }
            for (key, value) in model.effective {
                guard case .text(let bytes) = value else { continue }
                let name = RealReader.hexadecimal(key.utf8)
                #expect(seen[name] == RealReader.hexadecimal(bytes), "\(dialect.name), key \(key) of \(shown)")
            }
            #expect(Set(model.effective.keys.map { RealReader.hexadecimal($0.utf8) }) == Set(seen.keys), "\(shown)")
        }
    }

    // MARK: Edits

    /// A change of the key `K`, made for some readers.
    private struct Edit {
        var readers: [Dialect]
        var before: [UInt8]
        var after: [UInt8]
        var value: [UInt8]

        var shown: String { String(decoding: before, as: UTF8.self).debugDescription }
    }

    /// Random edits, until so many were made; what the editor refuses is not counted. `wanted` may turn a file down.
    private static func edits(
        _ count: Int, seed: UInt64, wanted: (EnvEditor, [UInt8]) -> Bool = { _, _ in true },
        for readers: (inout SeededRandom) -> [Dialect]
    ) -> [Edit] {
        var random = SeededRandom(seed: seed)
        var edits: [Edit] = []
        while edits.count < count {
            let editor = EnvEditor(readers: readers(&random))
            let value = Array(Samples.value(&random).utf8)
            let before = Array(Samples.file(&random).utf8)
            guard wanted(editor, before),
                let after = try? editor.apply([.set(key: "K", value: value)], to: before)
            else { continue }
            edits.append(Edit(readers: editor.readers, before: before, after: after, value: value))
        }
        return edits
    }

    /// Whether nothing but the value's own bytes differs: the file is the same but for the value of one assignment, as it
    /// stood to one of the readers, or but for a line at its end that assigns `K`.
    private static func changesOnlyTheValue(_ edit: Edit, _ readings: [Reading]) -> Bool {
        let (before, after) = (edit.before, edit.after)
        guard before != after else { return true }
        let isReplaced = readings.compactMap { $0.binding(of: "K")?.raw }.contains { raw in
            after.count >= before.count - raw.count && after.starts(with: before[..<raw.lowerBound])
                && after.suffix(before.count - raw.upperBound) == before[raw.upperBound...]
        }
        guard !isReplaced else { return true }
        guard after.starts(with: before) else { return false }
        var added = after[before.count...]
        let lineEnds: [[UInt8]] = [[0x0A], [0x0D, 0x0A]]
        if let lineEnd = lineEnds.first(where: added.starts), before.last != 0x0A {
            added = added.dropFirst(lineEnd.count)
        }
        return added.starts(with: "K=".utf8) && added.last == 0x0A
    }

    @Test("an edit changes the value's own bytes alone, and every declared reader's model reads what was meant")
    func modelledEdits() {
        let edits = Self.edits(4000 * Self.times, seed: 13) { random in
            Dialect.all.filter { _ in Bool.random(using: &random) }
        }
        var asked: [String: Int] = [:]
        for edit in edits {
            let editor = EnvEditor(readers: edit.readers)
            let (old, new) = (editor.readings(of: edit.before), editor.readings(of: edit.after))
            #expect(Self.changesOnlyTheValue(edit, old), "\(edit.shown)")
            for (reader, (old, new)) in zip(editor.readers, zip(old, new)) {
                asked[reader.name, default: 0] += 1
                var (others, effective) = (old.effective, new.effective)
                others["K"] = nil
                #expect(effective.removeValue(forKey: "K") == .text(edit.value), "\(reader.name): \(edit.shown)")
                #expect(effective == others, "\(reader.name): \(edit.shown)")
            }
        }
        Self.tell("edits", "all together", edits.count)
        for (reader, count) in asked { Self.tell("edits by model", reader, count) }
    }

    @Test(
        "what the editor writes for all readers every real one reads back, and all else as before", arguments: readers)
    func randomEdits(reader: String) throws {
        let edits = Self.edits(
            200 * Self.times, seed: 12, wanted: { $0.readings(of: $1).allSatisfy(Self.isHarmless) },
            for: { _ in Dialect.unstated })
        guard let before = try Self.realReadings(Self.command(reader), edits.map(\.before)),
            let after = try Self.realReadings(Self.command(reader), edits.map(\.after))
        else { return print("skipped: no \(reader) here") }
        try #require(before.count == edits.count && after.count == edits.count)
        Self.tell("edits", reader, edits.count)
        let key = RealReader.hexadecimal("K".utf8)
        for (edit, (old, new)) in zip(edits, zip(before, after)) {
            #expect(Self.changesOnlyTheValue(edit, EnvEditor(readers: edit.readers).readings(of: edit.before)))
            var (others, seen) = (try #require(old, "\(edit.shown)"), try #require(new, "\(edit.shown)"))
            others[key] = nil
            #expect(seen.removeValue(forKey: key) == RealReader.hexadecimal(edit.value), "\(reader): \(edit.shown)")
            #expect(seen == others, "\(reader): \(edit.shown)")
        }
    }

    /// For `Scripts/prove dialects`.
    private static func tell(_ what: String, _ reader: String, _ cases: Int) {
        let isModelled = Dialect.named(reader)?.isModelled ?? false
        print("dialects: \(what)|\(reader)|\(cases)|\(isModelled ? "modelled" : "real")")
    }
}
