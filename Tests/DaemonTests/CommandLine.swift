import Foundation
import Glibc

/// A run of the built `mainstay`, as a shell would make it.
struct CommandRun: Sendable {
    var status: Int32
    var output: String
    var errors: String

    var lines: [String] { output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }

    /// The line of that number, from 0; empty where there are not so many, so that a run that failed is told as such.
    func line(_ number: Int) -> String { lines.indices.contains(number) ? lines[number] : "" }

    private static var executable: URL { built("mainstay") }

    /// A program of the suite: it lies beside the test's own.
    static func built(_ name: String) -> URL {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(path: name)
    }

    /// Runs `mainstay ARGUMENTS` on the sockets of a test and waits for its end.
    static func of(
        _ arguments: [String], sockets: String, input: String = "", environment: [String: String] = [:]
    ) async throws -> CommandRun {
        try await of(executable, arguments, sockets: sockets, input: input, environment: environment)
    }

    /// The same for a command that may never end: it then ends with 124 after so many seconds (timeout(1)).
    static func within(_ seconds: String, _ arguments: [String], sockets: String) async throws -> CommandRun {
        try await of(
            URL(filePath: "/usr/bin/timeout"), [seconds, executable.path] + arguments, sockets: sockets)
    }

    /// Runs another program in the same way: a script that an operator wrote.
    static func of(
        _ program: URL, _ arguments: [String], sockets: String, input: String = "", environment: [String: String] = [:]
    ) async throws -> CommandRun {
        let process = make(program, arguments, sockets, environment)
        let (input, output, errors) = (Pipe.holding(input), Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        // Read while it runs: what is shown may be more than a pipe holds.
        async let shown = output.text()
        async let told = errors.text()
        let status = try await process.ended()
        return CommandRun(status: status, output: await shown, errors: await told)
    }

    /// The same on a terminal of `columns`; what is shown and what is told come mixed, as on a terminal.
    static func onTerminal(
        _ arguments: [String], sockets: String, columns: UInt16 = 100, environment: [String: String] = [:]
    ) async throws -> CommandRun {
        let terminal = try PseudoTerminal(columns: columns)
        let process = make(executable, arguments, sockets, ["TERM": "xterm"].merging(environment) { $1 })
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = terminal.inner
        process.standardError = terminal.inner
        let status = try await process.ended()
        return CommandRun(status: status, output: terminal.read(), errors: "")
    }

    private static func make(
        _ program: URL, _ arguments: [String], _ sockets: String, _ environment: [String: String]
    ) -> Process {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        var all = ProcessInfo.processInfo.environment
        for name in ["NO_COLOR", "TERM"] { all[name] = nil }
        all["MAINSTAY_SOCKETS"] = sockets
        process.environment = all.merging(environment) { $1 }
        return process
    }
}

extension Process {
    /// Shares no standard stream with the tests: a program that a crashed test leaves over must not hold the pipe of whoever
    /// runs them.
    func standApart() {
        standardInput = FileHandle.nullDevice
        standardOutput = FileHandle.nullDevice
        standardError = FileHandle.nullDevice
    }

    fileprivate func ended() async throws -> Int32 {
        try await withCheckedThrowingContinuation { continuation in
            terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try run() } catch {
                terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
    }
}

extension Pipe {
    /// A pipe that holds `text` and then ends.
    fileprivate static func holding(_ text: String) -> Pipe {
        let pipe = Pipe()
        try? pipe.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        try? pipe.fileHandleForWriting.close()
        return pipe
    }

    /// Everything until its end, read on a thread of its own.
    fileprivate func text() async -> String {
        let handle = fileHandleForReading
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(returning: String(decoding: handle.readDataToEndOfFile(), as: UTF8.self))
            }
        }
    }
}

/// A terminal for a program to run on.
private struct PseudoTerminal {
    private let outer: CInt
    let inner: FileHandle

    init(columns: UInt16) throws {
        // Swift's Glibc lacks posix_openpt and its kin, so the ioctls of pts(4) are called, by their numbers.
        let (unlock, number): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
        var locked: CInt = 0
        var index: CUnsignedInt = 0
        outer = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        guard outer >= 0, ioctl(outer, unlock, &locked) == 0, ioctl(outer, number, &index) == 0 else {
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
        var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(outer, UInt(TIOCSWINSZ), &size)
        inner = FileHandle(fileDescriptor: open("/dev/pts/\(index)", O_RDWR | O_NOCTTY), closeOnDealloc: true)
    }

    /// What was written, up to now: the program has ended, so all of it is there.
    func read() -> String {
        _ = fcntl(outer, F_SETFL, O_NONBLOCK)
        defer { close(outer) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = Glibc.read(outer, &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
        return String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: "\r\n", with: "\n")
    }
}
