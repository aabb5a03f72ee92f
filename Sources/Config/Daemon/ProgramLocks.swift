import CLinux
import ConfigCore
import Glibc
import Runtime
import Time

/// Locks against other programs: a file a service, `<service>.lock`, that is never renamed or removed. configd holds it while
/// it writes the service's files, and for whoever holds the service's lock over the socket; any program that may open the
/// file can hold it as well. The lock is an open-file-description lock (fcntl(2), F_OFD_SETLK), which POSIX locks
/// (`fcntl.lockf` of Python, lockf(3)) exclude and are excluded by; BSD's flock(2), and so flock(1), does neither.
///
/// Blocks for a moment; on the store thread only.
final class ProgramLocks {
    /// Whom a lock is held for here: the change under way, or a token.
    typealias Owner = String

    /// Another program holds it.
    struct Held: Error {
        var path: String
        /// Nil where its lock names nobody, as open-file-description locks do.
        var pid: Int32?
    }

    private struct Hold {
        var descriptor: CInt
        var owners: Set<Owner>
    }

    private let folder: String?
    private let group: UInt32?
    private var holds: [String: Hold] = [:]
    /// Since when a take-back waits for a program.
    private var waitingSince: [String: Instant] = [:]

    /// A change waits so long for a program; longer would keep the changes of other services waiting too.
    private static let patience: Duration = .milliseconds(100)
    private static let pauseMs: CInt = 5
    /// So long a program keeps what is due from being taken back, and no longer: it may have been stopped with its lock.
    static let longestDelay: Duration = .seconds(60)

    /// The files lie in `folder`, which is made where it is not there, and belong to `group`. Nil for a dry run, which locks
    /// nothing.
    init(folder: String?, group: UInt32?) {
        self.folder = folder
        self.group = group
    }

    deinit { for hold in holds.values { close(hold.descriptor) } }

    /// Holds the service's file for `owner` until `release`.
    func take(_ service: String, for owner: Owner) throws {
        guard let folder else { return }
        if holds[service] != nil {
            holds[service]?.owners.insert(owner)
            return
        }
        let path = "\(folder)/\(service).lock"
        let descriptor = try open(path, in: folder)
        do { try lock(descriptor, path) } catch {
            close(descriptor)
            throw error
        }
        waitingSince[service] = nil
        holds[service] = Hold(descriptor: descriptor, owners: [owner])
    }

    /// As `take`, for what is due: a program delays it, for `longestDelay` at most.
    func takeForTakeBack(_ service: String, for owner: Owner, now: Instant) throws {
        do { try take(service, for: owner) } catch {
            let since = waitingSince[service] ?? now
            waitingSince[service] = since
            guard now - since >= Self.longestDelay else { throw error }
        }
    }

    /// Without effect where `owner` does not hold it.
    func release(_ service: String, for owner: Owner) {
        guard var hold = holds[service], hold.owners.remove(owner) != nil else { return }
        guard hold.owners.isEmpty else {
            holds[service] = hold
            return
        }
        // With its last descriptor the lock is gone.
        close(hold.descriptor)
        holds[service] = nil
    }

    // MARK: The file

    private func open(_ path: String, in folder: String) throws(StepFailure) -> CInt {
        let flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        let known = Glibc.open(path, flags)
        guard known < 0, errno == ENOENT else { return try Self.opened(known, path) }
        _ = mkdir(folder, 0o755)
        let made = Glibc.open(path, flags | O_CREAT | O_EXCL, 0o600)
        if made >= 0 {
            // An admin's own file keeps its owner, group and mode; ours is for those who may act anyway.
            if let group { _ = fchown(made, uid_t.max, group) }
            _ = fchmod(made, 0o660)
            return made
        }
        return try Self.opened(errno == EEXIST ? Glibc.open(path, flags) : -1, path)
    }

    private static func opened(_ descriptor: CInt, _ path: String) throws(StepFailure) -> CInt {
        guard descriptor >= 0 else {
            let why = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
            throw StepFailure(.disk("\(path): \(why)"), step: "lock")
        }
        return descriptor
    }

    private func lock(_ descriptor: CInt, _ path: String) throws {
        let end = HostClock.now().instant + Self.patience
        while mainstay_ofd_lock(descriptor, 1) != 0 {
            guard errno == EAGAIN || errno == EACCES || errno == EINTR else {
                let why = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
                throw StepFailure(.disk("\(path): \(why)"), step: "lock")
            }
            guard HostClock.now().instant < end else {
                let pid = mainstay_ofd_holder(descriptor)
                throw Held(path: path, pid: pid > 0 ? pid : nil)
            }
            // A pause: a lock that somebody frees wakes nobody who does not sleep in it, and that has no time limit.
            poll(nil, 0, Self.pauseMs)
        }
    }
}
