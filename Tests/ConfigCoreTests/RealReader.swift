import Foundation
import Testing

/// A reader in its own language, asked by a script of Tests/Fixtures/readers.
enum RealReader {
    static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/readers")

    /// What `command` prints of each case, a line each; nil where it, or the reader that it asks, is not installed.
    static func lines(_ command: [String], _ cases: [[UInt8]]) throws -> [String]? {
        let folder = FileManager.default.temporaryDirectory.appending(path: "readers-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let input = folder.appending(path: "cases")
        try Data(cases.map { hexadecimal($0) + "\n" }.joined().utf8).write(to: input)
        let output = folder.appending(path: "out")
        try Data().write(to: output)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command + [input.path]
        process.standardOutput = try FileHandle(forWritingTo: output)
        try process.run()
        process.waitUntilExit()
        // What `env` says of a command that is not there, and the scripts of a reader. Any other failure is one.
        guard process.terminationStatus != 127 else { return nil }
        try #require(process.terminationStatus == 0, "\(command)")
        return String(decoding: try Data(contentsOf: output), as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
