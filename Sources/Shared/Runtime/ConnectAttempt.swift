import Glibc
package import NIOCore
import Time

/// One connection to an address of this host, made to see whether somebody takes it (what HAProxy calls a layer 4
/// check), without a channel: a connection that carries nothing needs no buffers, handlers and readiness events, which
/// took a third more CPU than the rest of a probe together (perf, guarding 20 services at a 1 s probe).
///
/// On the loopback interface the kernel ends the handshake within the call of connect(2), so the second call tells how
/// it went. Where the listener's backlog is full it drops the SYN, and sends the next one after a second: then it is
/// asked again at times.
@Loop package final class ConnectAttempt {
    /// How often a connection that is not taken is looked at; between two SYNs lies a second and more (tcp(7)).
    private static let lookInterval: Duration = .milliseconds(100)

    private let address: SocketAddress
    private var descriptor: Int32
    private var ended: (@Loop (Int32) -> Void)?
    private var timer: LoopTimer?

    /// Whether the address is one that this class is made for: a loopback address or a Unix socket.
    package nonisolated static func suits(_ address: SocketAddress) -> Bool {
        switch address {
        case .v4: address.ipAddress?.hasPrefix("127.") == true
        case .v6: address.ipAddress == "::1"
        case .unixDomainSocket: true
        }
    }

    /// Connects. `ended` is called at most once, never within this call and never after `close()`: with 0 where the
    /// connection stands, else with the errno of socket(2) or connect(2). The connection stays open until `close()`.
    package init(to address: SocketAddress, ended: @escaping @Loop (Int32) -> Void) {
        self.address = address
        self.ended = ended
        descriptor = socket(
            address.protocol.rawValue, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let code = descriptor < 0 ? errno : connect()
        if code == EINPROGRESS { look() } else { Loop.post { self.end(code) } }
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    /// Ends the connection, and says no more.
    package func close() {
        ended = nil
        timer?.cancel()
        timer = nil
        guard descriptor >= 0 else { return }
        // The number is free again after close(2), whatever it answers.
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// 0, or the errno: EALREADY while the kernel waits for the other side.
    private func connect() -> Int32 {
        address.withSockAddr { bytes, count in
            Glibc.connect(descriptor, bytes, socklen_t(count)) == 0 ? 0 : errno
        }
    }

    private func look() {
        let code = connect()
        guard code == EALREADY || code == EINPROGRESS else { return Loop.post { self.end(code) } }
        timer = Loop.after(Self.lookInterval) { [weak self] in self?.look() }
    }

    private func end(_ code: Int32) {
        let ended = self.ended
        self.ended = nil
        ended?(code == EISCONN ? 0 : code)
    }
}
