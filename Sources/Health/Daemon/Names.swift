import Glibc
import NIOCore
import Runtime
import Time

/// A user of the host, as far as a command needs it.
struct Account: Hashable, Sendable {
    var name: String
    var uid: UInt32
    var gid: UInt32
    var home: String
}

/// Looks up hosts and users on threads of their own: both may block for as long as a name server likes. A look-up that is late is
/// no verdict on what was asked for.
@Loop final class Names {
    private let hosts: Worker<Void>
    private let accounts: Worker<Void>

    init(_ context: DaemonContext) {
        hosts = context.worker(name: "hosts", limit: 256, make: {})
        accounts = context.worker(name: "accounts", limit: 256, make: {})
    }

    /// The first address of `host`. Addresses, and `localhost`, which is 127.0.0.1, are answered at once.
    func address(
        of host: String, port: Int, within limit: Duration,
        then: @escaping @Loop @Sendable (Result<SocketAddress, any Error>) -> Void
    ) {
        if let address = try? SocketAddress(ipAddress: host == "localhost" ? "127.0.0.1" : host, port: port) {
            Loop.post { then(.success(address)) }
            return
        }
        hosts.submit(
            deadline: limit, { _ in try SocketAddress.makeAddressResolvingHost(host, port: port) }, then: then)
    }

    /// The user called `name`, or nil where there is none.
    func account(
        _ name: String, within limit: Duration, then: @escaping @Loop @Sendable (Result<Account?, any Error>) -> Void
    ) {
        accounts.submit(deadline: limit, { _ in Self.lookUp(name) }, then: then)
    }

    /// Only ever called on the thread `accounts`: the C library's answer lies in one place for all callers.
    private nonisolated static func lookUp(_ name: String) -> Account? {
        guard let found = getpwnam(name)?.pointee else { return nil }
        return Account(
            name: name, uid: found.pw_uid, gid: found.pw_gid,
            home: found.pw_dir.map { String(cString: $0) } ?? "/")
    }
}
