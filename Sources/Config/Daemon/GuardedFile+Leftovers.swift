import CLinux
import ConfigCore
import Glibc

/// The names that content is first written under beside a file, and what is left of them by attempts that nobody knows of
/// any more: a crash in the middle of clearing up, or a ledger that was lost or brought back from a backup.
extension GuardedFile {
    /// Entries of a folder that are looked through for leftovers; a folder with more is no place for settings.
    private static let mostEntries = 10_000
    /// The digits after the stem: a number of 64 bits, in base 16.
    private static let mostDigits = 16

    /// A name for a new content beside the file at `path`, of no attempt before.
    static func temporary(beside path: String) -> String {
        var random = SystemRandomNumberGenerator()
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        return stem(of: name) + String(random.next() as UInt64, radix: 16)
    }

    private static func stem(of name: String) -> String {
        (name.hasPrefix(".") ? name : ".\(name)") + ".mainstay-"
    }

    /// Removes what attempts without an intent left beside the file; true where there was any. Only for names of this form
    /// that are regular files with one name: whatever else is there is somebody's own.
    func removeLeftovers() throws(StepFailure) -> Bool {
        let stem = Array(Self.stem(of: name).utf8)
        var found = false
        for entry in try entries() where Self.isLeftover(entry, stem) {
            var status = stat()
            let name = String(decoding: entry, as: UTF8.self)
            guard fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFREG,
                status.st_nlink == 1
            else { continue }
            try removeTemporary(name)
            found = true
        }
        return found
    }

    private static func isLeftover(_ entry: [UInt8], _ stem: [UInt8]) -> Bool {
        let digits = entry.dropFirst(stem.count)
        return entry.starts(with: stem) && (1...mostDigits).contains(digits.count)
            && digits.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private func entries() throws(StepFailure) -> [[UInt8]] {
        // A description of its own: the folder's place in its list is not shared with anybody.
        let opened = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard opened >= 0, let stream = fdopendir(opened) else {
            if opened >= 0 { close(opened) }
            throw StepFailure(.notPermitted, step: "list the folder of")
        }
        defer { closedir(stream) }
        var entries: [[UInt8]] = []
        while entries.count < Self.mostEntries, let entry = readdir(stream) {
            entries.append(withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) })
        }
        return entries
    }
}
