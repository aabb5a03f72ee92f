import CLinux
import Glibc

/// Why a daemon has no socket to listen on.
package struct SocketError: Error, Hashable, Sendable, CustomStringConvertible {
    package var path: String
    package var problem: String
    package var remedy: String

    package var description: String { "\(path): \(problem). \(remedy)" }
}

/// The daemon's own listening socket: inherited from systemd's descriptor store after a crash, so that no waiting client is
/// lost, or bound anew.
package enum ListeningSocket {
    /// How many connections may wait to be accepted; the kernel caps it at net.core.somaxconn.
    private static let backlog: CInt = 1024

    /// Binds `path`, mode 0666 (who may do what is decided for each call). A dead predecessor's file is replaced; a living
    /// one's is not.
    package static func bind(_ path: String) throws(SocketError) -> CInt {
        if answers(path) {
            throw SocketError(
                path: path, problem: "another process listens here",
                remedy: "Stop it first (ss -xlp names it), or give another --sockets folder")
        }
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw failure(path, "socket") }
        unlink(path)
        let bound = try withAddress(path) { Glibc.bind(descriptor, $0, $1) }
        guard bound == 0, chmod(path, 0o666) == 0, Glibc.listen(descriptor, backlog) == 0 else {
            let error = failure(path, "bind")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Whether an inherited descriptor still is what clients reach under `path`.
    package static func isStillBound(_ descriptor: CInt, to path: String) -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return false }
        var listens: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens == 1
    }

    private static func answers(_ path: String) -> Bool {
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // EAGAIN is a full backlog: somebody listens.
        return (try? withAddress(path) { connect(descriptor, $0, $1) == 0 || errno == EAGAIN }) ?? false
    }

    private static func failure(_ path: String, _ call: String) -> SocketError {
        let remedy =
            switch errno {
            case EACCES: "Run as the daemon's user, or give a --sockets folder that it may write"
            case ENOENT: "Make the folder first (systemd-tmpfiles --create mainstay.conf)"
            default: "See the errno in the manual of \(call)(2)"
            }
        return SocketError(path: path, problem: "\(call): \(String(cString: strerror(errno)))", remedy: remedy)
    }

    /// A connection to the socket at `path` that blocks, each call at most `seconds`: for threads that may wait.
    package static func connection(to path: String, patienceS seconds: Int) throws(SocketError) -> CInt {
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure(path, "socket") }
        var patience = timeval(tv_sec: seconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
        let connected: CInt
        do throws(SocketError) { connected = try withAddress(path) { Glibc.connect(descriptor, $0, $1) } } catch {
            close(descriptor)
            throw error
        }
        guard connected == 0 else {
            let error = failure(path, "connect")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func withAddress<Value>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
    ) throws(SocketError) -> Value {
        var address = sockaddr_un()
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < room else {
            throw SocketError(
                path: path, problem: "the path has \(path.utf8.count) bytes, a Unix socket's at most \(room - 1)",
                remedy: "Give a shorter --sockets folder")
        }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }
}
