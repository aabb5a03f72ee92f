import Glibc
import Wire

/// Where complaints go.
enum StandardError {
    /// `mainstay: what happened (name)` and, on the line below, what to do about it.
    static func tell(_ error: RPCError) {
        var text = "mainstay: \(error.message.printable) (\(error.name.printable))\n"
        if !error.remedy.isEmpty { text += "          \(error.remedy.printable)\n" }
        write(text)
    }

    /// The same for several daemons of which the rest was shown: what several say is said once, and all that are silent stand
    /// on one line.
    static func tell(_ failures: [(DaemonName, RPCError)]) {
        var told: Set<RPCError> = []
        for (_, error) in failures where !error.isSilence && told.insert(error).inserted { tell(error) }
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
