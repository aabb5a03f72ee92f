import Glibc
import NIOCore
import Runtime
import Synchronization
import Testing
import Time

@Suite(.serialized) struct ConnectAttemptTests {
    /// A listener whose backlog is `backlog` + 1 connections long, and which accepts when it is told to.
    private struct Listener: ~Copyable {
        let descriptor: Int32
        let address: SocketAddress

        init(backlog: Int32 = 16) throws {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            self.descriptor = descriptor
            let isBound = try SocketAddress(ipAddress: "127.0.0.1", port: 0).withSockAddr { bytes, count in
                bind(descriptor, bytes, socklen_t(count)) == 0 && listen(descriptor, backlog) == 0
            }
            try #require(isBound)
            var name = [UInt8](repeating: 0, count: 128)
            var size = socklen_t(name.count)
            name.withUnsafeMutableBytes { bytes in
                _ = getsockname(descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, &size)
            }
            // The port lies behind the family, most significant byte first (ip(7)).
            address = try SocketAddress(ipAddress: "127.0.0.1", port: Int(name[2]) << 8 | Int(name[3]))
        }

        deinit { close(descriptor) }
    }

    /// The errno with which an attempt ended.
    private func outcome(of address: SocketAddress) async -> Int32 {
        let code = await withCheckedContinuation { continuation in
            Loop.post { Held.attempt = ConnectAttempt(to: address) { continuation.resume(returning: $0) } }
        }
        await Held.take()?.close()
        return code
    }

    /// Keeps an attempt alive while a test waits for it.
    @Loop private enum Held {
        static var attempt: ConnectAttempt?

        static func take() -> ConnectAttempt? {
            defer { attempt = nil }
            return attempt
        }
    }

    @Test func `a connection that is taken ends with 0`() async throws {
        let listener = try Listener()
        #expect(await outcome(of: listener.address) == 0)
    }

    @Test func `a port that nobody listens on ends with ECONNREFUSED`() async throws {
        let address = try { try Listener().address }()
        #expect(await outcome(of: address) == ECONNREFUSED)
    }

    @Test func `a Unix socket that is not there ends with ENOENT`() async throws {
        #expect(await outcome(of: try SocketAddress(unixDomainSocketPath: "/tmp/no-such-mainstay.sock")) == ENOENT)
    }

    @Test func `while the backlog is full nothing is said, and once there is room the connection stands`() async throws
    {
        let listener = try Listener(backlog: 0)
        #expect(await outcome(of: listener.address) == 0)  // fills the queue: it is closed, but not accepted
        let code = Mutex<Int32?>(nil)
        let attempt = await Task { @Loop in
            ConnectAttempt(to: listener.address) { found in code.withLock { $0 = found } }
        }.value
        // Three looks of 0.1 s each went by when a later timer of the loop fires.
        await passed(.milliseconds(350))
        #expect(code.withLock { $0 } == nil)
        #expect(accept(listener.descriptor, nil, nil) >= 0)
        for _ in 0..<100 where code.withLock({ $0 }) == nil { await passed(.milliseconds(50)) }
        #expect(code.withLock { $0 } == 0)
        await attempt.close()
    }

    @Test func `a closed attempt says nothing any more`() async throws {
        let listener = try Listener()
        let said = Mutex(false)
        await Task { @Loop in
            ConnectAttempt(to: listener.address) { _ in said.withLock { $0 = true } }.close()
        }.value
        await passed(.milliseconds(10))
        #expect(!said.withLock { $0 })
    }

    @Test func `it is made for loopback addresses and Unix sockets alone`() throws {
        let suits = ["127.0.0.1", "127.3.2.1", "::1"]
        let others = ["10.0.0.1", "128.0.0.1", "1.2.3.127", "::", "fe80::1"]
        for text in suits + others {
            let address = try SocketAddress(ipAddress: text, port: 80)
            #expect(ConnectAttempt.suits(address) == suits.contains(text), "\(text)")
        }
    }

    /// Waits until the loop has fired a timer of this length: all that was due before it has been done.
    private func passed(_ time: Duration) async {
        await withCheckedContinuation { continuation in Loop.after(time) { continuation.resume() } }
    }
}
