import CLinux
import Glibc

/// How many connections wait to be accepted at a listening TCP socket: 39 behind a saturated gateway, 20 behind a hung one
/// (FACTS §4). Asked by inet_diag for listening sockets alone, so that a host with 100,000 connections costs no more.
struct AcceptQueues {
    private var netlink: Int32 = -1
    private var buffer = [UInt8](repeating: 0, count: 32 << 10)

    /// Of the sockets in our own network namespace that listen on `port`, the longest queue; nil where none does, or the
    /// kernel cannot say.
    mutating func waiting(port: UInt16) -> Int64? {
        if netlink < 0 {
            netlink = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_SOCK_DIAG)
            guard netlink >= 0 else { return nil }
        }
        let found = [AF_INET, AF_INET6].compactMap { ask(family: UInt8($0), port: port) }
        return found.max()
    }

    private mutating func ask(family: UInt8, port: UInt16) -> Int64? {
        var request = Request()
        request.header.nlmsg_len = UInt32(MemoryLayout<Request>.size)
        request.header.nlmsg_type = UInt16(SOCK_DIAG_BY_FAMILY)
        request.header.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_DUMP)
        request.query.sdiag_family = family
        request.query.sdiag_protocol = UInt8(IPPROTO_TCP)
        request.query.idiag_states = 1 << 10  // TCP_LISTEN
        let size = MemoryLayout<Request>.size
        guard withUnsafeBytes(of: &request, { send(netlink, $0.baseAddress, size, 0) }) == size else { return nil }
        var longest: Int64?
        while true {
            // The answer to a dump is ready when `send` returns: this never waits.
            let count = recv(netlink, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { return longest }
            if !read(count, port: port, longest: &longest) { return longest }
        }
    }

    /// Reads one datagram of the dump; false at its end.
    private func read(_ count: Int, port: UInt16, longest: inout Int64?) -> Bool {
        let headerSize = MemoryLayout<nlmsghdr>.size
        return buffer.withUnsafeBytes { bytes in
            var offset = 0
            while offset + headerSize <= count {
                let header = bytes.loadUnaligned(fromByteOffset: offset, as: nlmsghdr.self)
                guard header.nlmsg_type == UInt16(SOCK_DIAG_BY_FAMILY), header.nlmsg_len >= UInt32(headerSize) else {
                    return false
                }
                if Int(header.nlmsg_len) >= headerSize + MemoryLayout<inet_diag_msg>.size,
                    offset + Int(header.nlmsg_len) <= count
                {
                    let message = bytes.loadUnaligned(fromByteOffset: offset + headerSize, as: inet_diag_msg.self)
                    if UInt16(bigEndian: message.id.idiag_sport) == port {
                        longest = max(longest ?? 0, Int64(message.idiag_rqueue))
                    }
                }
                offset += (Int(header.nlmsg_len) + 3) & ~3
            }
            return true
        }
    }

    private struct Request {
        var header = nlmsghdr()
        var query = inet_diag_req_v2()
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
        guard let bytes = ProcFile.contents(path, limit: limit) else { return [] }
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
