import CLinux
import Glibc

/// Why a file could not be used: what was done, to which, the kernel's reason, and what a person can do about it.
package struct FileFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package var operation: String
    package var path: String
    package var code: Int32

    package init(_ operation: String, _ path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// No space, or over a quota.
    package var isFull: Bool { code == ENOSPC || code == EDQUOT }

    /// There is no such file.
    package var isMissing: Bool { code == ENOENT }

    package var description: String {
        let reason = strerror(code).map { String(cString: $0) } ?? "error \(code)"
        return "cannot \(operation) \(path): \(reason); \(remedy)"
    }

    private var remedy: String {
        switch code {
        case ENOSPC, EDQUOT: "free space on its file system, or lower the retention in mainstay.yaml"
        case EROFS: "mount its file system writable"
        case EACCES, EPERM: "let the daemon's user use it"
        case ENOENT, ENOTDIR: "make its folder"
        case EIO: "look at the kernel's log for errors of the disk"
        case EWOULDBLOCK: "stop the other program that uses it"
        case EMFILE, ENFILE: "allow more open files"
        default: "look at the kernel's log"
        }
    }
}

/// A file that is read and written at places, never followed through a symbolic link. All of it may block, so none of it is for
/// the loop.
package final class DataFile {
    package let path: String
    private let descriptor: Int32

    /// What opening does.
    package enum Use: Sendable {
        case read
        case write
        /// The file must not exist.
        case make
    }

    package init(_ path: String, for use: Use) throws(FileFailure) {
        self.path = path
        let flags =
            switch use {
            case .read: O_RDONLY
            case .write: O_RDWR
            case .make: O_RDWR | O_CREAT | O_EXCL
            }
        descriptor = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o640)
        guard descriptor >= 0 else { throw FileFailure(use == .make ? "make" : "open", path, code: errno) }
    }

    deinit { close(descriptor) }

    /// Its length, without room that is only reserved.
    package func size() throws(FileFailure) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileFailure("look at", path, code: errno) }
        return Int(status.st_size)
    }

    /// What stands at `offset`: fewer bytes where the file ends before.
    package func read(_ count: Int, at offset: Int) throws(FileFailure) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                guard let start = buffer.baseAddress else { break }
                let read = pread(descriptor, start + filled, count - filled, off_t(offset + filled))
                if read < 0 && errno == EINTR { continue }
                if read < 0 { failure = errno }
                if read <= 0 { break }
                filled += read
            }
        }
        guard failure == 0 else { throw FileFailure("read", path, code: failure) }
        return bytes
    }

    /// Writes all of `bytes`, or fails; then some of them may be there.
    package func write(_ bytes: [UInt8], at offset: Int) throws(FileFailure) {
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { buffer in
                pwrite(descriptor, buffer.baseAddress, buffer.count, off_t(offset + written))
            }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw FileFailure("write", path, code: errno) }
            written += count
        }
    }

    /// Waits until its bytes, and its length, survive a power cut.
    package func sync() throws(FileFailure) {
        guard fdatasync(descriptor) == 0 else { throw FileFailure("make durable", path, code: errno) }
    }

    /// Gives the file another length, and lets go of room that was reserved beyond it.
    package func truncate(to size: Int) throws(FileFailure) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw FileFailure("shorten", path, code: errno) }
    }

    /// Reserves room on the disk, so that writes up to `size` need none that another program may take meanwhile. A file system
    /// that cannot reserve is none the worse for being asked.
    /// - Parameter growing: the room counts as the file's length, zeros for now; otherwise it lies beyond its end.
    package func reserve(_ size: Int, growing: Bool) throws(FileFailure) {
        while mainstay_reserve(descriptor, Int64(size), growing ? 1 : 0) != 0 {
            if errno == EINTR { continue }
            guard errno != EOPNOTSUPP, errno != ENOSYS else { return }
            throw FileFailure("reserve room for", path, code: errno)
        }
    }
}

/// A file that one process at a time holds, for as long as this lives; a process that dies lets go of it.
package final class FileLock: Sendable {
    private let descriptor: Int32

    /// Fails at once where another process holds it.
    package init(_ path: String) throws(FileFailure) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o640)
        guard descriptor >= 0 else { throw FileFailure("open", path, code: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            throw FileFailure("lock", path, code: code)
        }
    }

    deinit { close(descriptor) }
}

/// Names in folders that survive a power cut.
package enum Names {
    /// Waits until the names in a folder do: of files that were made, renamed or removed in it.
    package static func sync(folder: String) throws(FileFailure) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFailure("open", folder, code: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileFailure("make durable", folder, code: errno) }
    }

    /// A name takes another's place in one step.
    package static func move(_ path: String, to other: String) throws(FileFailure) {
        guard rename(path, other) == 0 else { throw FileFailure("rename", path, code: errno) }
    }

    /// A file gets a second name; its bytes are there once.
    package static func link(_ path: String, as other: String) throws(FileFailure) {
        guard Glibc.link(path, other) == 0 else { throw FileFailure("link", path, code: errno) }
    }

    /// Neither the folder nor the files in it are there afterwards. It may hold no other folder.
    package static func removeFolder(_ path: String) throws(FileFailure) {
        for name in Contents.ofFolder(path) ?? [] { try remove("\(path)/\(name)") }
        guard rmdir(path) == 0 || errno == ENOENT else { throw FileFailure("remove", path, code: errno) }
    }

    /// Nothing has this name afterwards.
    package static func remove(_ path: String) throws(FileFailure) {
        guard unlink(path) == 0 || errno == ENOENT else { throw FileFailure("remove", path, code: errno) }
    }
}
