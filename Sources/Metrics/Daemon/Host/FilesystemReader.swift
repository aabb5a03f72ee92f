import CLinux
import Files
import Glibc
import MetricsCore

/// How full file systems are, under node_exporter's names: as process 1 sees them, since in metricsd's own sandbox all of them are
/// read-only, /home is empty and /tmp is another. statvfs(2) on a dead network mount never returns: that is why this has a
/// thread of its own.
final class FilesystemReader {
    /// node_exporter's defaults (1.5.0): what is no storage.
    private static let ignoredTypes: Set<String> = [
        "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "fusectl",
        "hugetlbfs", "iso9660", "mqueue", "nsfs", "overlay", "proc", "procfs", "pstore", "rpc_pipefs", "securityfs",
        "selinuxfs", "squashfs", "sysfs", "tracefs",
    ]
    private static let ignoredFolders = ["/dev", "/proc", "/sys"]
    /// What lies under these is a container's or a credential; they themselves may be on a disk of their own.
    private static let ignoredUnder = ["/run/credentials", "/var/lib/docker", "/var/lib/containers/storage"]

    /// The mounts of one process, and the folder under which their paths lead there.
    private struct View {
        var mounts: ProcFile
        var root: String

        /// A process's mounts may be read by anybody, its root only by whom the kernel lets trace it (ptrace(2), "access mode
        /// checking").
        var isPermitted: Bool {
            var status = statvfs()
            return statvfs("\(root)/", &status) == 0
        }
    }

    private struct Mount: Hashable {
        var device: String
        var folder: String
        var type: String
        var isReadOnly: Bool
    }

    private let buffer = ReadBuffer()
    private let host: View
    private let own = View(mounts: ProcFile("/proc/self/mounts"), root: "")
    private var round = RoundBuilder()

    /// - Parameter process: the folder in /proc of the process whose view counts, where that is permitted: not in a run by hand.
    init(process: String = "/proc/1") {
        host = View(mounts: ProcFile("\(process)/mounts"), root: "\(process)/root")
    }

    func measure(withTable: Bool) -> Collection {
        var seen: Set<String> = []
        let view = host.isPermitted && host.mounts.read(into: buffer) ? host : own
        for mount in list(view) where seen.insert(mount.folder).inserted {
            var status = statvfs()
            let failed = statvfs(view.root + mount.folder, &status) != 0
            add(mount, "node_filesystem_device_error", failed ? 1 : 0)
            add(mount, "node_filesystem_readonly", mount.isReadOnly ? 1 : 0)
            guard !failed else { continue }
            let size = Double(status.f_frsize)
            add(mount, "node_filesystem_size_bytes", Double(status.f_blocks) * size)
            add(mount, "node_filesystem_free_bytes", Double(status.f_bfree) * size)
            add(mount, "node_filesystem_avail_bytes", Double(status.f_bavail) * size)
            add(mount, "node_filesystem_files", Double(status.f_files))
            add(mount, "node_filesystem_files_free", Double(status.f_ffree))
        }
        return round.finish(withTable: withTable)
    }

    private func list(_ view: View) -> [Mount] {
        guard view.mounts.read(into: buffer) else { return [] }
        var found: [Mount] = []
        var scanner = ByteScanner(buffer.bytes)
        while !scanner.isAtEnd {
            let device = scanner.word().text
            let folder = Self.unescaped(scanner.word())
            let type = scanner.word().text
            let options = scanner.word()
            scanner.skipLine()
            guard !folder.isEmpty, !Self.isIgnored(folder), !Self.ignoredTypes.contains(type) else { continue }
            let isReadOnly = options.equals("ro") || options.begins(with: "ro,")
            found.append(Mount(device: device, folder: folder, type: type, isReadOnly: isReadOnly))
        }
        return found
    }

    static func isIgnored(_ folder: String) -> Bool {
        ignoredFolders.contains { folder == $0 || folder.hasPrefix("\($0)/") }
            || ignoredUnder.contains { folder.hasPrefix("\($0)/") }
    }

    /// The kernel writes blanks and backslashes in names as three octal digits.
    static func unescaped(_ word: UnsafeRawBufferPointer) -> String {
        guard word.contains(0x5c) else { return word.text }
        var bytes: [UInt8] = []
        var index = 0
        while index < word.count {
            let digits = word[min(index + 1, word.count)..<min(index + 4, word.count)]
            if word[index] == 0x5c, digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }) {
                bytes.append(digits.reduce(0) { $0 &* 8 &+ ($1 - 0x30) })
                index += 4
            } else {
                bytes.append(word[index])
                index += 1
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func add(_ mount: Mount, _ metric: StaticString, _ value: Double) {
        var folder = mount.folder
        let key = folder.withUTF8 { SeriesKey(metric).adding(UnsafeRawBufferPointer($0)) }
        round.add(value, key: key.value) {
            Labels(
                metric.description,
                [Label("device", mount.device), Label("fstype", mount.type), Label("mountpoint", mount.folder)])
        }
    }
}
