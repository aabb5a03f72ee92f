import Files

/// How many connections wait to be accepted at a listening TCP socket: 39 behind a saturated gateway, 20 behind a hung
/// one (FACTS §4).
enum AcceptQueues {
    /// Of the sockets in our own network namespace that listen on `port`, the longest queue; nil where none does, or
    /// the kernel cannot say.
    static func waiting(port: UInt16, _ kernel: inout InetDiag) -> Int64? {
        kernel.sockets(port: port, .listen)?.map(\.receiveQueue).max()
    }

    /// The same for a process in another network namespace, from the table that /proc shows of it.
    static func waiting(port: UInt16, in pid: Int32) -> Int64? {
        ["tcp", "tcp6"].compactMap { table in
            SocketTable.read("/proc/\(pid)/net/\(table)")
                .filter { $0.state == .listen && $0.localPort == port }.map(\.receiveQueue).max()
        }.max()
    }
}

/// The lines of /proc/<pid>/net/tcp and tcp6.
struct SocketTable {
    /// The kernel's states of a TCP socket, by the numbers of that table (include/net/tcp_states.h).
    enum State: UInt8 {
        case established = 1
        case synSent, synReceived, finWait1, finWait2, timeWait, close, closeWait, lastAck, listen, closing
    }

    struct Line {
        var state: State
        var localPort: UInt16
        /// Address and port as the table has them, in hexadecimal.
        var local: String
        var remote: String
        /// Bytes unread; of a listening socket, connections not accepted.
        var receiveQueue: Int64
        var sendQueue: Int64
        var inode: UInt64
    }

    /// At most `limit` bytes of the table are read: a busy host's is many megabytes.
    static func read(_ path: String, limit: Int = 4 << 20) -> [Line] {
        guard let bytes = Contents.ofFile(path, limit: limit) else { return [] }
        return bytes.split(separator: UInt8(ascii: "\n")).dropFirst().compactMap { line($0) }
    }

    private static func line(_ bytes: ArraySlice<UInt8>) -> Line? {
        let fields = bytes.split(separator: UInt8(ascii: " "))
        guard fields.count > 9 else { return nil }
        let local = String(decoding: fields[1], as: UTF8.self)
        let queues = fields[4].split(separator: UInt8(ascii: ":"))
        guard let port = local.split(separator: ":").last.flatMap({ UInt16($0, radix: 16) }),
            let state = UInt8(String(decoding: fields[3], as: UTF8.self), radix: 16).flatMap({ State(rawValue: $0) }),
            queues.count == 2,
            let send = Int64(String(decoding: queues[0], as: UTF8.self), radix: 16),
            let receive = Int64(String(decoding: queues[1], as: UTF8.self), radix: 16),
            let inode = UInt64(String(decoding: fields[9], as: UTF8.self))
        else { return nil }
        return Line(
            state: state, localPort: port, local: local, remote: String(decoding: fields[2], as: UTF8.self),
            receiveQueue: receive, sendQueue: send, inode: inode)
    }
}
