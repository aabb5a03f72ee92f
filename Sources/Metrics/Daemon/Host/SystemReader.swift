import Files
import MetricsCore

/// The host's figures of each second, under node_exporter's names (1.5.0 is what they were compared with). One round reads some
/// twenty small files that are kept open, and makes no string unless a device, a field or a file appears or goes. A file that
/// this kernel does not have gives nothing.
final class SystemReader {
    /// What reads a file's text.
    private typealias Lines = (UnsafeRawBufferPointer, inout RoundBuilder) -> Void

    private var round = RoundBuilder()
    private let buffer = ReadBuffer()
    private let files: [(file: ProcFile, add: Lines)] = [
        (ProcFile("/proc/stat"), { ProcessorLines.add($0, to: &$1) }),
        (ProcFile("/proc/meminfo"), { MemoryLines.add($0, to: &$1) }),
        (ProcFile("/proc/loadavg"), { LoadLines.add($0, to: &$1) }),
        (ProcFile("/proc/diskstats"), { DiskLines.add($0, to: &$1) }),
        (ProcFile("/proc/net/dev"), { NetworkLines.add($0, to: &$1) }),
        (ProcFile("/proc/pressure/cpu"), { PressureLines.add($0, PressureLines.ofCPU, to: &$1) }),
        (ProcFile("/proc/pressure/io"), { PressureLines.add($0, PressureLines.ofIO, to: &$1) }),
        (ProcFile("/proc/pressure/memory"), { PressureLines.add($0, PressureLines.ofMemory, to: &$1) }),
        (ProcFile("/proc/vmstat"), { VirtualMemoryLines.add($0, to: &$1) }),
        (ProcFile("/proc/sys/fs/file-nr"), { FileLines.add($0, to: &$1) }),
        (ProcFile("/proc/net/sockstat"), { SocketLines.add($0, to: &$1) }),
        (ProcFile("/proc/net/sockstat6"), { SocketLines.add($0, to: &$1) }),
        (ProcFile("/proc/net/snmp6"), { NextProtocolLines.add($0, to: &$1) }),
        (ProcFile("/proc/net/softnet_stat"), { SoftnetLines.add($0, to: &$1) }),
    ]
    private let protocols = [PairedLines("/proc/net/snmp"), PairedLines("/proc/net/netstat")]
    /// Files that hold one number.
    private let singles: [(file: ProcFile, metric: StaticString)] = [
        (ProcFile("/proc/sys/kernel/random/entropy_avail"), "node_entropy_available_bits"),
        (ProcFile("/proc/sys/kernel/random/poolsize"), "node_entropy_pool_size_bits"),
        (ProcFile("/proc/sys/net/netfilter/nf_conntrack_count"), "node_nf_conntrack_entries"),
        (ProcFile("/proc/sys/net/netfilter/nf_conntrack_max"), "node_nf_conntrack_entries_limit"),
        (ProcFile("/proc/uptime"), "mainstay_host_uptime_seconds"),
    ]

    /// Measures everything once.
    /// - Parameter wallSeconds: the host's clock, for `node_time_seconds`.
    func measure(wallSeconds: Double, withTable: Bool) -> Collection {
        for one in files where one.file.read(into: buffer) { one.add(buffer.bytes, &round) }
        for file in protocols { file.add(to: &round, buffer: buffer) }
        for single in singles where single.file.read(into: buffer) {
            var scanner = ByteScanner(buffer.bytes)
            if let value = scanner.decimal() { round.add(single.metric, value) }
        }
        round.add("node_time_seconds", wallSeconds)
        return round.finish(withTable: withTable)
    }
}

/// /proc/sys/fs/file-nr: open files of the host, free ones (none since Linux 2.6), and the most there may be.
enum FileLines {
    static func add(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        var scanner = ByteScanner(bytes)
        guard let allocated = scanner.number(), scanner.number() != nil, let most = scanner.number() else { return }
        round.add("node_filefd_allocated", allocated)
        round.add("node_filefd_maximum", most)
    }
}
