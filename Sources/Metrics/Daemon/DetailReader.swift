import CLinux
import Files
import Glibc
import MetricsCore

/// What costs too much for each second: the proportional and the private memory of the guarded units' processes (19 ms for a
/// process of 2 GiB, and `smaps_rollup` waits for the process's own memory lock), and what /sys says of network devices.
final class DetailReader {
    private let buffer = ReadBuffer()
    private var round = RoundBuilder()
    private let hierarchy = UnitCgroup.Hierarchy.find()

    func measure(_ watched: [WatchedUnit], withTable: Bool) -> Collection {
        for unit in watched { addMemory(unit) }
        return round.finish(withTable: withTable)
    }

    private func addMemory(_ unit: WatchedUnit) {
        guard let hierarchy, let cgroup = UnitCgroup.find(unit.unit, in: hierarchy) else { return }
        var proportional = 0.0
        var proportionalSwap = 0.0
        var own = 0.0
        for pid in cgroup.processes(buffer: buffer, limit: 256) {
            guard ProcFile("/proc/\(pid)/smaps_rollup").read(into: buffer) else { continue }
            var scanner = ByteScanner(buffer.bytes)
            while !scanner.isAtEnd {
                let name = scanner.word(stop: 0x3a)
                scanner.skip(1)
                let bytes = (scanner.number() ?? 0) * 1024
                if name.equals("Pss") {
                    proportional += bytes
                } else if name.equals("SwapPss") {
                    proportionalSwap += bytes
                } else if name.equals("Private_Clean") || name.equals("Private_Dirty") {
                    own += bytes
                }
                scanner.skipLine()
            }
        }
        add(unit.service, "proportionalResident", proportional)
        add(unit.service, "proportionalSwapped", proportionalSwap)
        add(unit.service, "private", own)
    }

    private func add(_ service: String, _ kind: StaticString, _ value: Double) {
        var service = service
        let key = service.withUTF8 { SeriesKey(kind).adding(UnsafeRawBufferPointer($0)) }
        round.add(value, key: key.value) {
            Labels(
                "namedprocess_namegroup_memory_bytes",
                [Label("groupname", service), Label("service", service), Label("memtype", kind.description)])
        }
    }
}

/// Network devices as /sys/class/net shows them, under node_exporter's names.
final class DeviceReader {
    private static let folder = "/sys/class/net"
    private static let numbers: [(file: String, metric: StaticString, factor: Double)] = [
        ("carrier", "node_network_carrier", 1), ("carrier_changes", "node_network_carrier_changes_total", 1),
        ("mtu", "node_network_mtu_bytes", 1), ("tx_queue_len", "node_network_transmit_queue_length", 1),
        ("speed", "node_network_speed_bytes", 125_000), ("ifindex", "node_network_iface_id", 1),
    ]

    private let buffer = ReadBuffer()
    private var round = RoundBuilder()

    func measure(withTable: Bool) -> Collection {
        for device in (Contents.ofFolder(Self.folder) ?? []).sorted() {
            for number in Self.numbers {
                guard ProcFile("\(Self.folder)/\(device)/\(number.file)").read(into: buffer) else { continue }
                var scanner = ByteScanner(buffer.bytes)
                if let value = scanner.number() { add(device, number.metric, value * number.factor) }
            }
            if ProcFile("\(Self.folder)/\(device)/operstate").read(into: buffer) {
                var scanner = ByteScanner(buffer.bytes)
                add(device, "node_network_up", scanner.word().equals("up") ? 1 : 0)
            }
        }
        return round.finish(withTable: withTable)
    }

    private func add(_ device: String, _ metric: StaticString, _ value: Double) {
        var device = device
        let key = device.withUTF8 { SeriesKey(metric).adding(UnsafeRawBufferPointer($0)) }
        round.add(value, key: key.value) { Labels(metric.description, [Label("device", device)]) }
    }
}

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
    private static let ignoredFolders = ["/dev", "/proc", "/sys", "/run/credentials", "/var/lib/docker"]

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
            let isIgnored = Self.ignoredFolders.contains { folder == $0 || folder.hasPrefix("\($0)/") }
            guard !folder.isEmpty, !isIgnored, !Self.ignoredTypes.contains(type) else { continue }
            let isReadOnly = options.equals("ro") || options.begins(with: "ro,")
            found.append(Mount(device: device, folder: folder, type: type, isReadOnly: isReadOnly))
        }
        return found
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
