import CLinux
import ConfigCore
import Glibc
import Runtime

/// One file in a folder that may belong to somebody else: every step of reading and replacing it, by descriptors that no
/// symbolic link can lead elsewhere (openat2 with RESOLVE_NO_SYMLINKS; DESIGN §9).
///
/// The folder is opened once and everything happens relative to it. The file must be a regular one with one name. Blocks;
/// on the store thread only. Made anew for each look or change, so that no descriptor outlives a failed fsync.
final class GuardedFile {
    /// RENAME_NOREPLACE of <linux/fs.h>.
    private static let noReplace: UInt32 = 1

    let name: String
    let folder: CInt
    /// The file as it was read; -1 where there is none, or where another closes it.
    private var descriptor: CInt
    /// The file that was begun, before it has a name.
    private var begun: Begun<Result<CInt?, StepFailure>>?
    private let status: stat?

    /// Opens the folder and, where it is there, the file.
    init(path: String) throws(StepFailure) {
        guard let slash = path.lastIndex(of: "/"), path.hasPrefix("/"), path.index(after: slash) < path.endIndex else {
            throw StepFailure(.notPlainFile("no absolute path of a file"), step: "open")
        }
        name = String(path[path.index(after: slash)...])
        let parent = slash == path.startIndex ? "/" : String(path[..<slash])
        let opened = try Self.open(
            AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, resolve: UInt64(RESOLVE_NO_SYMLINKS), step: "open the folder of")
        folder = opened
        do throws(StepFailure) { (descriptor, status) = try Self.openFile(name, in: opened) } catch {
            close(opened)
            throw error
        }
    }

    private static func openFile(_ name: String, in folder: CInt) throws(StepFailure) -> (CInt, stat?) {
        let file: CInt
        do throws(StepFailure) {
            // Non-blocking: the name may be a pipe's, and opening that would wait for a writer.
            file = try open(
                folder, name, O_RDONLY | O_NONBLOCK, resolve: UInt64(RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH),
                step: "open")
        } catch {
            if error.cause == .missing { return (-1, nil) }
            throw error
        }
        do throws(StepFailure) { return (file, try plainStatus(file)) } catch {
            close(file)
            throw error
        }
    }

    deinit {
        // Whoever is at it still uses the descriptors below.
        if case .success(let file?)? = begun?.result() { close(file) }
        if descriptor >= 0 { close(descriptor) }
        close(folder)
    }

    /// Leaves the file's descriptor to whoever closes it; nil where there is none. Nothing may be read from it afterwards.
    func giveUp() -> CInt? {
        defer { descriptor = -1 }
        return descriptor >= 0 ? descriptor : nil
    }

    /// Owner and mode; nil where there is no file.
    var identity: FileIdentity? {
        status.map { FileIdentity(uid: $0.st_uid, gid: $0.st_gid, mode: $0.st_mode & 0o7777) }
    }

    /// What tells this state of the file from others; nil where there is no file.
    var mark: FileMark? {
        status.map { status in
            FileMark(
                device: UInt64(status.st_dev), inode: UInt64(status.st_ino), sizeBytes: Int64(status.st_size),
                modifiedNs: Self.nanoseconds(status.st_mtim), changedNs: Self.nanoseconds(status.st_ctim))
        }
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000).partialValue &+ Int64(time.tv_nsec)
    }

    /// The whole content; nil where there is no file.
    func read() throws(StepFailure) -> [UInt8]? {
        guard let status else { return nil }
        let limit = EnvEditor.largestFileBytes
        guard status.st_size <= limit else { throw StepFailure(.tooLarge(bytes: Int64(status.st_size)), step: "read") }
        return try Self.contents(of: descriptor, atMost: limit, expected: Int(status.st_size))
    }

    // MARK: Replacing

    /// Begins the file that is to take this one's place, on a thread `beside` this one, so that it gets to the disk while the
    /// ledger's record does. It has no name yet: a crash leaves nothing of it. What fails here fails in `writeTemporary`.
    func begin(_ content: [UInt8], identity: FileIdentity, on beside: Worker<Void>) {
        let (folder, replaced) = (folder, descriptor)
        begun = beside.begin { () -> Result<CInt?, StepFailure> in
            let file = mainstay_open_unnamed(folder, 0o600)
            // Some file systems cannot: there the file is made when it gets its name.
            guard file >= 0 else { return .success(nil) }
            do throws(StepFailure) { try Self.fill(file, content, identity, attributesOf: replaced) } catch {
                close(file)
                return .failure(error)
            }
            return .success(file)
        }
    }

    /// Writes `content` under `temporary` beside the file, or gives this name to the file that was begun with it: nobody but
    /// configd can open it until it has its owner and mode, and when this returns it is durable and was read back.
    func writeTemporary(_ temporary: String, _ content: [UInt8], identity: FileIdentity) throws(StepFailure) {
        if let begun {
            self.begun = nil
            if let file = try begun.result().get() {
                defer { close(file) }
                let path = "/proc/self/fd/\(file)"
                guard linkat(AT_FDCWD, path, folder, temporary, AT_SYMLINK_FOLLOW) == 0 else {
                    throw Self.failure("create a file beside")
                }
                return
            }
        }
        let file = openat(folder, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Self.failure("create a file beside") }
        defer { close(file) }
        try Self.fill(file, content, identity, attributesOf: descriptor)
    }

    /// Writes a new file, gives it its owner, mode and attributes, makes it durable, and reads it back. No space is reserved
    /// first: what does not fit is told by the write or by fsync, and nothing has been replaced by then.
    private static func fill(
        _ file: CInt, _ content: [UInt8], _ identity: FileIdentity, attributesOf replaced: CInt
    ) throws(StepFailure) {
        try write(content, to: file)
        // Owner first: a change of owner takes mode bits away, and the mode must not be wider than it before.
        guard fchown(file, identity.uid, identity.gid) == 0 else { throw failure("keep the owner of") }
        guard fchmod(file, identity.mode) == 0 else { throw failure("keep the mode of") }
        try copyAttributes(of: replaced, to: file)
        guard fsync(file) == 0 else { throw failure("make durable what was written beside") }
        let readBack = try contents(of: file, atMost: content.count + 1, expected: content.count)
        guard readBack == content else { throw StepFailure(.readBackDiffers, step: "read back") }
    }

    private static func write(_ content: [UInt8], to file: CInt) throws(StepFailure) {
        var done = 0
        while done < content.count {
            let count = content.withUnsafeBytes { bytes in
                Glibc.write(file, bytes.baseAddress?.advanced(by: done), content.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write beside") }
            done += count
        }
    }

    /// Extended attributes, access lists among them. What the kernel itself labels (`security.`) is taken as it labels it
    /// where it lets nobody else.
    private static func copyAttributes(of descriptor: CInt, to file: CInt) throws(StepFailure) {
        guard descriptor >= 0 else { return }
        let size = flistxattr(descriptor, nil, 0)
        guard size > 0 else { return }
        var names = [CChar](repeating: 0, count: size)
        let length = flistxattr(descriptor, &names, size)
        guard length >= 0 else { throw failure("list the attributes of") }
        for attribute in names[..<length].split(separator: 0) {
            let attribute = Array(attribute) + [0]
            let valueSize = fgetxattr(descriptor, attribute, nil, 0)
            guard valueSize >= 0 else { throw failure("read an attribute of") }
            var value = [UInt8](repeating: 0, count: max(valueSize, 1))
            let count = fgetxattr(descriptor, attribute, &value, valueSize)
            guard count >= 0 else { throw failure("read an attribute of") }
            guard fsetxattr(file, attribute, value, count, 0) != 0 else { continue }
            let isKernels = attribute.starts(with: "security.".utf8.map { CChar(bitPattern: $0) })
            guard isKernels, errno == EPERM || errno == EACCES || errno == ENOTSUP else {
                throw failure("keep an attribute of")
            }
        }
    }

    /// Puts the temporary in the file's place, unless the file is no longer the one that was read. The look and the rename
    /// are two steps: a write of somebody else's that falls between them is lost, as it would be with any editor.
    func replace(with temporary: String) throws(StepFailure) {
        guard status != nil else {
            // Nothing was there: nothing that came meanwhile is replaced.
            guard mainstay_renameat2(folder, temporary, folder, name, Self.noReplace) == 0 else {
                throw errno == EEXIST ? StepFailure(.changedMeanwhile, step: "replace") : Self.failure("replace")
            }
            return
        }
        try compare()
        guard renameat(folder, temporary, folder, name) == 0 else { throw Self.failure("replace") }
    }

    /// Fails with `changedMeanwhile` where the file is no longer the one that was read.
    func compare() throws(StepFailure) {
        var now = stat()
        guard fstatat(folder, name, &now, AT_SYMLINK_NOFOLLOW) == 0 else {
            guard errno == ENOENT else { throw Self.failure("look at") }
            if status == nil { return }
            throw StepFailure(.changedMeanwhile, step: "replace")
        }
        guard let status, Self.isSame(status, now) else { throw StepFailure(.changedMeanwhile, step: "replace") }
    }

    /// Removes the file, if it is still the one that was read.
    func remove() throws(StepFailure) {
        try compare()
        guard unlinkat(folder, name, 0) == 0 || errno == ENOENT else { throw Self.failure("remove") }
    }

    private static func isSame(_ one: stat, _ other: stat) -> Bool {
        one.st_dev == other.st_dev && one.st_ino == other.st_ino && one.st_size == other.st_size
            && one.st_mtim.tv_sec == other.st_mtim.tv_sec && one.st_mtim.tv_nsec == other.st_mtim.tv_nsec
            && one.st_ctim.tv_sec == other.st_ctim.tv_sec && one.st_ctim.tv_nsec == other.st_ctim.tv_nsec
    }

    /// Makes the folder's names durable.
    func syncFolder() throws(StepFailure) {
        guard fsync(folder) == 0 else { throw Self.failure("make durable the folder of") }
    }

    /// Removes, durably, a temporary that may not be there: who forgets its name next must not meet it again after a power cut.
    func removeTemporary(_ temporary: String) throws(StepFailure) {
        guard unlinkat(folder, temporary, 0) == 0 || errno == ENOENT else { throw Self.failure("clear up beside") }
        // Also where it was gone: who took it away may have crashed before the folder was durable.
        try syncFolder()
    }

    // MARK: Small steps

    private static func open(
        _ directory: CInt, _ path: String, _ flags: CInt, resolve: UInt64, step: String
    ) throws(StepFailure) -> CInt {
        let opened = mainstay_openat2(directory, path, UInt64(flags | O_CLOEXEC), 0, resolve)
        guard opened >= 0 else { throw failure(step) }
        return opened
    }

    private static func plainStatus(_ file: CInt) throws(StepFailure) -> stat {
        var status = stat()
        guard fstat(file, &status) == 0 else { throw failure("look at") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            throw StepFailure(.notPlainFile(isFolder ? "a folder" : "a pipe, a socket or a device"), step: "open")
        }
        guard status.st_nlink == 1 else {
            throw StepFailure(.notPlainFile("a file with \(status.st_nlink) names"), step: "open")
        }
        return status
    }

    /// The file from its beginning. A read that gives less than it could is the end: regular files know no other reason.
    private static func contents(of file: CInt, atMost limit: Int, expected: Int) throws(StepFailure) -> [UInt8] {
        var content = [UInt8](repeating: 0, count: expected + 1)
        var filled = 0
        while true {
            let room = content.count - filled
            let count = content.withUnsafeMutableBytes { bytes in
                pread(file, bytes.baseAddress?.advanced(by: filled), room, off_t(filled))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("read") }
            filled += count
            guard filled <= limit else { throw StepFailure(.tooLarge(bytes: Int64(filled)), step: "read") }
            if count < room { return Array(content[..<filled]) }
            content += [UInt8](repeating: 0, count: max(4096, filled))
        }
    }

    private static func failure(_ step: String, _ code: CInt = errno) -> StepFailure {
        StepFailure(cause(code), step: step)
    }

    private static func cause(_ code: CInt) -> StepFailure.Cause {
        switch code {
        case ENOENT: .missing
        case ELOOP: .notPlainFile("reached through a symbolic link")
        case ENOTDIR: .notPlainFile("in no folder")
        // What RESOLVE_BENEATH says of a link that was put there while it was opened.
        case EXDEV: .notPlainFile("reached through a link out of its folder")
        case EISDIR: .notPlainFile("a folder")
        case EBUSY: .mountPoint
        case ENOSPC, EDQUOT: .noSpace
        case EROFS: .readOnly
        case EACCES, EPERM: .notPermitted
        default: .disk(strerror(code).map { String(cString: $0) } ?? "error \(code)")
        }
    }
}
