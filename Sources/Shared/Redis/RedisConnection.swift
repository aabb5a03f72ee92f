internal import CHiredis
package import Deadlines
internal import Glibc

/// A connection to a Redis server through hiredis, in its non-blocking form: each call ends at its deadline, whatever the server
/// does. RESP 2, without TLS. Not for two threads at once, and not for the loop.
package final class RedisConnection {
    /// Where a server listens.
    package enum Place: Hashable, Sendable {
        /// An address, not a name: a look-up could block past any deadline.
        case tcp(address: String, port: Int)
        /// A Unix stream socket.
        case unix(path: String)
    }

    /// An answer without elements; errors are thrown.
    package enum Reply: Hashable, Sendable {
        /// A bulk or a simple string, as its bytes.
        case text([UInt8])
        case whole(Int64)
        /// There is no such thing.
        case nothing
    }

    /// The longest answer that is taken, bytes.
    package static let longestReply = 4 << 20

    private let context: UnsafeMutablePointer<redisContext>

    /// Connects; `timedOut` and `unreachable` are the errors.
    package init(to place: Place, before deadline: Deadline) throws(RedisFailure) {
        let made =
            switch place {
            case .tcp(let address, let port): redisConnectNonBlock(address, Int32(clamping: port))
            case .unix(let path): redisConnectUnixNonBlock(path)
            }
        guard let made else { throw .unreachable("no memory") }
        context = made
        guard made.pointee.err == 0 else { throw .unreachable(problem) }
        guard deadline.isReady(made.pointee.fd, for: .writing) else { throw .timedOut }
        var failure: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(made.pointee.fd, SOL_SOCKET, SO_ERROR, &failure, &size)
        guard failure == 0 else { throw .unreachable(String(cString: strerror(failure))) }
    }

    deinit { redisFree(context) }

    /// Says who we are: `AUTH`, with a user where the server has such (Redis 6 and later).
    package func authenticate(user: String?, password: String, before deadline: Deadline) throws(RedisFailure) {
        _ = try ask(["AUTH"] + (user.map { [$0] } ?? []) + [password], before: deadline)
    }

    /// Sends one command and waits for its answer.
    package func ask(_ words: [String], before deadline: Deadline) throws(RedisFailure) -> Reply {
        try send(words, before: deadline)
        let answer = try receive(before: deadline)
        defer { freeReplyObject(answer) }
        let reply = answer.pointee
        let bytes = reply.str.map { Array(UnsafeRawBufferPointer(start: $0, count: reply.len)) } ?? []
        switch reply.type {
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS: return .text(bytes)
        case REDIS_REPLY_INTEGER: return .whole(reply.integer)
        case REDIS_REPLY_NIL: return .nothing
        case REDIS_REPLY_ERROR: throw .refused(String(decoding: bytes.prefix(200), as: UTF8.self))
        default: throw .unexpected("of type \(reply.type)")
        }
    }

    private func send(_ words: [String], before deadline: Deadline) throws(RedisFailure) {
        let texts = words.map { Array($0.utf8CString) }
        let lengths = texts.map { $0.count - 1 }
        // One after the other in one room, so that hiredis gets pointers into it.
        let room = texts.flatMap { $0 }
        let isTaken = room.withUnsafeBufferPointer { room in
            var start = room.baseAddress
            let pointers = texts.map { text in
                defer { start = start?.advanced(by: text.count) }
                return start
            }
            var arguments = pointers
            return redisAppendCommandArgv(context, Int32(words.count), &arguments, lengths) == REDIS_OK
        }
        guard isTaken else { throw .lost(problem) }
        var isSent: Int32 = 0
        while isSent == 0 {
            guard deadline.isReady(context.pointee.fd, for: .writing) else { throw .timedOut }
            guard redisBufferWrite(context, &isSent) == REDIS_OK else { throw .lost(problem) }
        }
    }

    private func receive(before deadline: Deadline) throws(RedisFailure) -> UnsafeMutablePointer<redisReply> {
        while true {
            var reply: UnsafeMutableRawPointer?
            guard redisGetReplyFromReader(context, &reply) == REDIS_OK else { throw .unexpected(problem) }
            if let reply { return reply.assumingMemoryBound(to: redisReply.self) }
            guard deadline.isReady(context.pointee.fd, for: .reading) else { throw .timedOut }
            guard redisBufferRead(context) == REDIS_OK else { throw .lost(problem) }
            try checkBuffer()
        }
    }

    /// What is held of an answer that is not whole. An array is never asked for, and hiredis would make room for as many
    /// elements as it says to have.
    private func checkBuffer() throws(RedisFailure) {
        let reader = context.pointee.reader.pointee
        guard reader.len <= Self.longestReply else { throw .unexpected("of more than \(Self.longestReply) bytes") }
        if reader.ridx < 0, reader.pos < reader.len, reader.buf[reader.pos] == CChar(bitPattern: UInt8(ascii: "*")) {
            throw .unexpected("a list")
        }
    }

    /// hiredis' last error, in its words.
    private var problem: String {
        withUnsafeBytes(of: context.pointee.errstr) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
