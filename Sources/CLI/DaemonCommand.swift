import ArgumentParser
import Glibc
import Wire

/// A command that asks daemons: what it shows goes to standard output, why it could not to standard error.
protocol DaemonCommand: AsyncParsableCommand {
    var common: AskOptions { get }
    /// Asks, shows and says how it ended. An `RPCError` thrown is reported for it.
    func answer(on screen: Screen) async throws -> Outcome
}

extension DaemonCommand {
    mutating func run() async throws {
        let screen = Screen.ofStandardOutput()
        let outcome: Outcome
        do { outcome = try await answer(on: screen) } catch let error as RPCError {
            outcome = Outcome(error)
            report(error, on: screen)
        }
        if outcome != .good { throw ExitCode(outcome.rawValue) }
    }

    /// Says why a call failed: for people on standard error, for programs on standard output as well.
    func report(_ error: RPCError, on screen: Screen) {
        StandardError.tell(error)
        if common.json { screen.show(JSON.object(["error": error.json])) }
    }

    /// A connection to a daemon.
    func conversation(with daemon: DaemonName) async -> Conversation {
        await Conversation(with: daemon, common)
    }
}

extension WireObject {
    /// The message as JSON, as it travels.
    var json: JSON { (try? JSONReader.read(JSONWriter.bytes(of: self))) ?? .null }
}

/// Where complaints go.
enum StandardError {
    /// `mainstay: what happened (name)` and, on the line below, what to do about it.
    static func tell(_ error: RPCError) {
        var text = "mainstay: \(error.message.printable) (\(error.name.printable))\n"
        if !error.remedy.isEmpty { text += "          \(error.remedy.printable)\n" }
        write(text)
    }

    /// The same for several daemons of which the rest was shown: one line for all that are silent.
    static func tell(_ failures: [(DaemonName, RPCError)]) {
        for (_, error) in failures where !error.isSilence { tell(error) }
        let silent = failures.filter(\.1.isSilence).map(\.0.rawValue)
        guard !silent.isEmpty else { return }
        write(
            """
            mainstay: no answer from \(silent.joined(separator: ", ")) (peerSilent)
                      systemctl status \(silent.map { "mainstay-\($0)" }.joined(separator: " "))

            """)
    }

    static func write(_ text: String) {
        _ = Descriptor.writeAll(2, Array(text.utf8))
    }
}

/// Writing to a descriptor of the process.
enum Descriptor {
    /// Writes all of `bytes`; false where the other end is gone or the disk is full.
    static func writeAll(_ descriptor: CInt, _ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Reads to the end, `limit` bytes at most; nil where it cannot be read or holds more.
    static func readAll(_ descriptor: CInt, limit: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= limit {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return count == 0 ? bytes : nil }
            bytes.append(contentsOf: chunk[..<count])
        }
        return nil
    }
}
