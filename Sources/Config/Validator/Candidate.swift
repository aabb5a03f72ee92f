import Glibc

/// The content to look at, as a file that only the validator's user can read, in a folder of its own. Under systemd the
/// folder lies in the unit's private /tmp and is gone with it.
struct Candidate {
    let folder: String
    let path: String

    /// `file` is the path of the file that it would replace: the candidate has its name, since programs go by endings.
    init(_ content: [UInt8], named file: String, of user: HostUser) throws(ValidatorProgram.Problem) {
        var template = Array("/tmp/mainstay-validate-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } != nil }
        guard made else { throw .ofCall("make a folder in /tmp") }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        path = "\(folder)/\(file.split(separator: "/").last ?? "candidate")"
        // Everything is done before the folder is the user's, who could put something else in its way.
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .ofCall("make \(path)") }
        defer { close(descriptor) }
        var done = 0
        while done < content.count {
            let count = content.withUnsafeBytes {
                write(descriptor, $0.baseAddress?.advanced(by: done), content.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .ofCall("write \(path)") }
            done += count
        }
        guard fchown(descriptor, user.uid, user.gid) == 0, chown(folder, user.uid, user.gid) == 0 else {
            throw .ofCall("give \(path) to \(user.name)")
        }
    }

    /// What else the validator left there goes with the unit's /tmp.
    func remove() {
        unlink(path)
        rmdir(folder)
    }
}
