import ConfigCore
import Foundation
import Testing
import Time

/// The models held against the real parsers: random files, and random edits of ours, are given to both.
///
/// A parser that is not installed is skipped by name. A shell only gets files that its model calls harmless.
/// `MAINSTAY_READER_CASES` multiplies the number of cases.
@Suite struct ReaderAgreementTests {
    private static let readers = ["node-env-file", "python-dotenv", "systemd", "bash", "dash"]

    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/readers")

    private static let times = Int(ProcessInfo.processInfo.environment["MAINSTAY_READER_CASES"] ?? "") ?? 1

    private static func command(_ reader: String) -> [String] {
        reader == "node-env-file"
            ? ["node", fixtures.appending(path: "node.js").path]
            : ["python3", fixtures.appending(path: "read.py").path, reader]
    }

    private static func dialect(_ reader: String) -> Dialect {
        Samples.dialect(reader == "bash" || reader == "dash" ? "sh" : reader)
    }

    /// What the real reader makes of each case, keys and values in hexadecimal; nil where it is not installed.
    private static func realReadings(_ reader: String, _ cases: [[UInt8]]) throws -> [[String: String]?]? {
        let folder = FileManager.default.temporaryDirectory.appending(path: "readers-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let input = folder.appending(path: "cases")
        try Data(cases.map { hexadecimal($0) + "\n" }.joined().utf8).write(to: input)
        let output = folder.appending(path: "out")
        try Data().write(to: output)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command(reader) + [input.path]
        process.standardOutput = try FileHandle(forWritingTo: output)
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { return nil }
        let lines = String(decoding: try Data(contentsOf: output), as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        return lines.map { line in
            guard line != "!" else { return nil }
            let pairs = line.split(separator: " ").map { $0.split(separator: "=", omittingEmptySubsequences: false) }
            return Dictionary(pairs.map { (String($0[0]), String($0[1])) }, uniquingKeysWith: { $1 })
        }
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
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
        var random = SeededRandom(seed: 11)
        var cases: [[UInt8]] = []
        let wanted = (dialect.name == "sh" ? 400 : 3000) * Self.times
        while cases.count < wanted {
            let file = Array(Samples.file(&random).utf8)
            if dialect.name == "sh", !Self.isHarmless(DialectReader.read(file, as: dialect)) { continue }
            cases.append(file)
        }
        guard let real = try Self.realReadings(reader, cases) else {
            return print("skipped: no \(reader) here")
        }
        try #require(real.count == cases.count)
        for (file, seen) in zip(cases, real) {
            let model = DialectReader.read(file, as: dialect)
            let shown = String(decoding: file, as: UTF8.self).debugDescription
            guard model.failure == nil, let seen else {
                #expect(seen == nil, "the model fails on \(shown), \(reader) does not")
                continue
            }
            for (key, value) in model.effective {
                guard case .text(let bytes) = value else { continue }
                let name = Self.hexadecimal(key.utf8)
                #expect(seen[name] == Self.hexadecimal(bytes), "\(reader), key \(key) of \(shown)")
            }
            #expect(Set(model.effective.keys.map { Self.hexadecimal($0.utf8) }) == Set(seen.keys), "\(shown)")
        }
    }

    @Test("what the editor writes for all readers every real one reads back", arguments: readers)
    func randomEdits(reader: String) throws {
        let editor = EnvEditor(readers: Dialect.unstated)
        var random = SeededRandom(seed: 12)
        var cases: [[UInt8]] = []
        var values: [[UInt8]] = []
        while cases.count < 400 * Self.times {
            let value = Array(Samples.value(&random).utf8)
            let file = Array(Samples.file(&random).utf8)
            guard editor.readings(of: file).allSatisfy(Self.isHarmless),
                let after = try? editor.apply([.set(key: "K", value: value)], to: file)
            else { continue }
            cases.append(after)
            values.append(value)
        }
        guard let real = try Self.realReadings(reader, cases) else {
            return print("skipped: no \(reader) here")
        }
        for (index, seen) in real.enumerated() {
            let shown = String(decoding: cases[index], as: UTF8.self).debugDescription
            #expect(seen?[Self.hexadecimal("K".utf8)] == Self.hexadecimal(values[index]), "\(reader): \(shown)")
        }
    }
}
