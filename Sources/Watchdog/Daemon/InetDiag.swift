import CLinux
import Glibc
import Time

/// The kernel's TCP sockets of our own network namespace, asked by inet_diag (sock_diag(7)) for one local port and some
/// states, so that a host with 100,000 connections to other ports costs no more.
struct InetDiag {
    /// States of a TCP socket, as bits (include/net/tcp_states.h).
    struct States: OptionSet {
        let rawValue: UInt32
        static let established = States(rawValue: 1 << 1)
        static let finWait1 = States(rawValue: 1 << 4)
        static let finWait2 = States(rawValue: 1 << 5)
        static let closeWait = States(rawValue: 1 << 8)
        static let listen = States(rawValue: 1 << 10)
    }

    struct Socket {
        /// The kernel's own name for it, never given twice.
        var cookie: UInt64
        /// Bytes unread; of a listening socket, connections not accepted.
        var receiveQueue: Int64
        /// Bytes written by the process and not yet acknowledged by the other end.
        var sendQueue: Int64
        /// Bytes that the other end has acknowledged; nil where it was not asked for.
        var acknowledged: Int64?
    }

    /// How many sockets are read at most: what is beyond is left out.
    private static let limit = 20_000
    private var netlink: Int32 = -1
    private var buffer = [UInt8](repeating: 0, count: 32 << 10)

    /// Nil where the kernel cannot say.
    mutating func sockets(port: UInt16, _ states: States, withBytes: Bool = false) -> [Socket]? {
        if netlink < 0 {
            netlink = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_SOCK_DIAG)
            guard netlink >= 0 else { return nil }
        }
        var found: [Socket] = []
        for family in [AF_INET, AF_INET6] {
            guard ask(family: UInt8(family), port: port, states, withBytes: withBytes) else { return nil }
            guard take(port: port, into: &found) else { break }
        }
        return found
    }

    private func ask(family: UInt8, port: UInt16, _ states: States, withBytes: Bool) -> Bool {
        var request = Request()
        let size = MemoryLayout<Request>.size
        request.header.nlmsg_len = UInt32(size)
        request.header.nlmsg_type = UInt16(SOCK_DIAG_BY_FAMILY)
        request.header.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_DUMP)
        request.query.sdiag_family = family
        request.query.sdiag_protocol = UInt8(IPPROTO_TCP)
        request.query.idiag_states = states.rawValue
        request.query.idiag_ext = withBytes ? 1 << (Self.infoAttribute - 1) : 0
        request.query.id.idiag_sport = port.bigEndian
        return withUnsafeBytes(of: &request) { send(netlink, $0.baseAddress, size, 0) } == size
    }

    /// Reads one dump to its end; false where it was cut at the limit.
    private mutating func take(port: UInt16, into found: inout [Socket]) -> Bool {
        while true {
            // A dump's next part is ready when its last one was taken: this never waits.
            let count = recv(netlink, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count > 0, read(count, port: port, into: &found) else { return true }
            if found.count >= Self.limit {
                close(netlink)  // With the rest of the dump.
                netlink = -1
                return false
            }
        }
    }

    /// Reads one datagram of a dump; false at its end.
    private func read(_ count: Int, port: UInt16, into found: inout [Socket]) -> Bool {
        let headerSize = MemoryLayout<nlmsghdr>.size
        return buffer.withUnsafeBytes { bytes in
            var offset = 0
            while offset + headerSize <= count {
                let header = bytes.loadUnaligned(fromByteOffset: offset, as: nlmsghdr.self)
                let end = offset + Int(header.nlmsg_len)
                guard header.nlmsg_type == UInt16(SOCK_DIAG_BY_FAMILY), Int(header.nlmsg_len) >= headerSize,
                    end <= count
                else { return false }
                let body = UnsafeRawBufferPointer(rebasing: bytes[(offset + headerSize)..<end])
                if let socket = Self.read(body, port: port) { found.append(socket) }
                offset = (end + 3) & ~3
            }
            return true
        }
    }

    /// INET_DIAG_INFO, an attribute that holds a `tcp_info`.
    private static let infoAttribute: UInt8 = 2
    /// Where `tcpi_bytes_acked` is in it (linux/tcp.h, since 4.1); glibc's own declaration ends before it.
    private static let acknowledgedOffset = 120

    private static func read(_ body: UnsafeRawBufferPointer, port: UInt16) -> Socket? {
        let messageSize = MemoryLayout<inet_diag_msg>.size
        guard body.count >= messageSize else { return nil }
        let message = body.loadUnaligned(as: inet_diag_msg.self)
        // Asked for already; kernels differ in whether they heed it for every state.
        guard UInt16(bigEndian: message.id.idiag_sport) == port else { return nil }
        let cookie = UInt64(message.id.idiag_cookie.1) << 32 | UInt64(message.id.idiag_cookie.0)
        var socket = Socket(
            cookie: cookie, receiveQueue: Int64(message.idiag_rqueue), sendQueue: Int64(message.idiag_wqueue))
        var offset = (messageSize + 3) & ~3
        while offset + 4 <= body.count {
            let length = Int(body.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            let type = body.loadUnaligned(fromByteOffset: offset + 2, as: UInt16.self)
            guard length >= 4, offset + length <= body.count else { break }
            if type == UInt16(infoAttribute), length >= 4 + acknowledgedOffset + 8 {
                let place = offset + 4 + acknowledgedOffset
                socket.acknowledged = Int64(clamping: body.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            }
            offset += (length + 3) & ~3
        }
        return socket
    }

    private struct Request {
        var header = nlmsghdr()
        var query = inet_diag_req_v2()
    }
}

/// How many answers a service has written to its clients, told without its help: each connection to its port on which
/// the process has written more since the last look counts as one.
///
/// It is the proof of service that a saturated one can always give. A probe may wait for minutes: Node takes one
/// connection from its queue in each turn of its loop, and with 40 clients of 60 ms a turn takes 2.4 s (seen: an answer
/// after 29 s, the next not within 30 s). The service's own counter cannot be read meanwhile either, since reading it
/// is a connection, too. What the kernel still sends of an old answer does not count: that was written before.
struct AnswersWritten {
    /// After a longer pause a look only begins a new count: what was written in between says nothing of now.
    private static let longestPause: Duration = .seconds(10)

    private var written: [UInt64: Int64] = [:]
    private var lastLook: Instant?
    private(set) var total: Int64 = 0

    /// Takes the sockets of the service's port as they are now.
    mutating func looked(_ sockets: [InetDiag.Socket], at now: Instant) {
        let isFirst = lastLook.map { now - $0 > Self.longestPause } ?? true
        var seen: [UInt64: Int64] = [:]
        for socket in sockets {
            guard let acknowledged = socket.acknowledged else { continue }
            let count = acknowledged + socket.sendQueue
            seen[socket.cookie] = count
            // Of a new connection, more than the one that a kernel may count for the handshake.
            if !isFirst, count > written[socket.cookie, default: 1] { total += 1 }
        }
        written = seen
        lastLook = now
    }
}
