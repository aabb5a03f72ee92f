import CLinux
import Files
import Glibc
import MetricsCore

/// The host's figures, under node_exporter's names (1.5.0 is what they were compared with). One round reads some fifteen small
/// files that are kept open, and makes no string unless a device, a field or a file appears or goes.
final class SystemReader {
    private var round = RoundBuilder()
    private let buffer = ReadBuffer()
    private let stat = ProcFile("/proc/stat")
    private let memory = ProcFile("/proc/meminfo")
    private let load = ProcFile("/proc/loadavg")
    private let disks = ProcFile("/proc/diskstats")
    private let network = ProcFile("/proc/net/dev")
    private let pressureOfCPU = ProcFile("/proc/pressure/cpu")
    private let pressureOfIO = ProcFile("/proc/pressure/io")
    private let pressureOfMemory = ProcFile("/proc/pressure/memory")
    private let virtualMemory = ProcFile("/proc/vmstat")
    private let files = ProcFile("/proc/sys/fs/file-nr")
    private let sockets = [ProcFile("/proc/net/sockstat"), ProcFile("/proc/net/sockstat6")]
    private let softnet = ProcFile("/proc/net/softnet_stat")
    private let uptime = ProcFile("/proc/uptime")
    private let singles: [(file: ProcFile, metric: StaticString)] = [
        (ProcFile("/proc/sys/kernel/random/entropy_avail"), "node_entropy_available_bits"),
        (ProcFile("/proc/sys/kernel/random/poolsize"), "node_entropy_pool_size_bits"),
        (ProcFile("/proc/sys/net/netfilter/nf_conntrack_count"), "node_nf_conntrack_entries"),
        (ProcFile("/proc/sys/net/netfilter/nf_conntrack_max"), "node_nf_conntrack_entries_limit"),
    ]
    private let protocols: [PairedLines]
    private let ticksPerSecond = Double(max(1, sysconf(CInt(_SC_CLK_TCK))))
    private let pageBytes = Double(max(1, sysconf(CInt(_SC_PAGESIZE))))
    private let host: Labels

    init() {
        protocols = [PairedLines("/proc/net/snmp"), PairedLines("/proc/net/netstat")]
        host = Self.uname()
    }

    /// Measures everything once.
    /// - Parameter wallSeconds: the host's clock, for `node_time_seconds`.
    func measure(wallSeconds: Double, withTable: Bool) -> Collection {
        if stat.read(into: buffer) { addProcessors() }
        if memory.read(into: buffer) { addMemory() }
        if load.read(into: buffer) { addLoad() }
        if disks.read(into: buffer) { DiskLines.add(buffer.bytes, to: &round) }
        if network.read(into: buffer) { NetworkLines.add(buffer.bytes, to: &round) }
        addPressure()
        if virtualMemory.read(into: buffer) { addVirtualMemory() }
        if files.read(into: buffer) { addFiles() }
        for file in sockets where file.read(into: buffer) { addSockets() }
        for file in protocols { file.add(to: &round, buffer: buffer) }
        if softnet.read(into: buffer) { addSoftnet() }
        for single in singles where single.file.read(into: buffer) {
            var scanner = ByteScanner(buffer.bytes)
            if let value = scanner.number() { add(single.metric, value) }
        }
        if uptime.read(into: buffer) {
            var scanner = ByteScanner(buffer.bytes)
            if let value = scanner.decimal() { add("mainstay_host_uptime_seconds", value) }
        }
        add("node_time_seconds", wallSeconds)
        let host = host
        round.add(1, key: SeriesKey("node_uname_info").value) { host }
        return round.finish(withTable: withTable)
    }

    private func add(_ metric: StaticString, _ value: Double) {
        round.add(value, key: SeriesKey(metric).value) { Labels(metric.description) }
    }

    private static func uname() -> Labels {
        var names = utsname()
        Glibc.uname(&names)
        func text(_ field: some Any) -> String {
            withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return Labels(
            "node_uname_info",
            [
                Label("sysname", text(names.sysname)), Label("nodename", text(names.nodename)),
                Label("release", text(names.release)), Label("version", text(names.version)),
                Label("machine", text(names.machine)), Label("domainname", text(names.__domainname)),
            ])
    }

    // MARK: /proc/stat

    /// The columns of a `cpu` line (proc(5)); the two guest columns have a metric of their own.
    private static let modes: [StaticString] = [
        "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal",
    ]
    private static let guestModes: [StaticString] = ["user", "nice"]
    /// The columns of the `softirq` line (kernel/softirq.c).
    private static let softirqs: [StaticString] = [
        "hi", "timer", "net_tx", "net_rx", "block", "irq_poll", "tasklet", "sched", "hrtimer", "rcu",
    ]

    private func addProcessors() {
        var scanner = ByteScanner(buffer.bytes)
        while !scanner.isAtEnd {
            let name = scanner.word()
            if name.begins(with: "cpu") {
                if name.count > 3 { addProcessor(&scanner, UnsafeRawBufferPointer(rebasing: name[3...])) }
            } else if name.equals("intr") {
                addFirst(&scanner, "node_intr_total")
            } else if name.equals("ctxt") {
                addFirst(&scanner, "node_context_switches_total")
            } else if name.equals("btime") {
                addFirst(&scanner, "node_boot_time_seconds")
            } else if name.equals("processes") {
                addFirst(&scanner, "node_forks_total")
            } else if name.equals("procs_running") {
                addFirst(&scanner, "node_procs_running")
            } else if name.equals("procs_blocked") {
                addFirst(&scanner, "node_procs_blocked")
            } else if name.equals("softirq") {
                addSoftirqs(&scanner)
            }
            scanner.skipLine()
        }
    }

    private func addFirst(_ scanner: inout ByteScanner, _ metric: StaticString) {
        if let value = scanner.number() { add(metric, value) }
    }

    private func addProcessor(_ scanner: inout ByteScanner, _ number: UnsafeRawBufferPointer) {
        for mode in Self.modes {
            guard let ticks = scanner.number() else { return }
            round.add(ticks / ticksPerSecond, key: SeriesKey(mode).adding(number).value) {
                Labels("node_cpu_seconds_total", [Label("cpu", number.text), Label("mode", mode.description)])
            }
        }
        for mode in Self.guestModes {
            guard let ticks = scanner.number() else { return }
            round.add(ticks / ticksPerSecond, key: SeriesKey(mode).adding(1).adding(number).value) {
                Labels("node_cpu_guest_seconds_total", [Label("cpu", number.text), Label("mode", mode.description)])
            }
        }
    }

    private func addSoftirqs(_ scanner: inout ByteScanner) {
        _ = scanner.unsigned()
        for vector in Self.softirqs {
            guard let count = scanner.number() else { return }
            round.add(count, key: SeriesKey(vector).value) {
                Labels("node_softirqs_total", [Label("vector", vector.description)])
            }
        }
    }

    // MARK: Memory, load, pressure

    private func addMemory() {
        var scanner = ByteScanner(buffer.bytes)
        while !scanner.isAtEnd {
            let name = scanner.word(stop: 0x3a)
            scanner.skip(1)
            if let value = scanner.number() {
                let isKilobytes = scanner.word().equals("kB")
                let key = SeriesKey("node_memory").adding(name).value
                round.add(isKilobytes ? value * 1024 : value, key: key) {
                    Labels("node_memory_\(Self.memoryName(name.text))\(isKilobytes ? "_bytes" : "")")
                }
            }
            scanner.skipLine()
        }
    }

    /// `Active(anon)` as node_exporter writes it: `Active_anon`.
    private static func memoryName(_ field: String) -> String {
        field.replacing("(", with: "_").replacing(")", with: "")
    }

    private func addLoad() {
        var scanner = ByteScanner(buffer.bytes)
        for metric in ["node_load1", "node_load5", "node_load15"] as [StaticString] {
            guard let value = scanner.decimal() else { return }
            add(metric, value)
        }
    }

    private func addPressure() {
        if pressureOfCPU.read(into: buffer) { addPressure("node_pressure_cpu_waiting_seconds_total", nil) }
        if pressureOfIO.read(into: buffer) {
            addPressure("node_pressure_io_waiting_seconds_total", "node_pressure_io_stalled_seconds_total")
        }
        if pressureOfMemory.read(into: buffer) {
            addPressure("node_pressure_memory_waiting_seconds_total", "node_pressure_memory_stalled_seconds_total")
        }
    }

    /// `some avg10=… avg60=… avg300=… total=MICROSECONDS`, then the same for `full`.
    private func addPressure(_ some: StaticString, _ full: StaticString?) {
        var scanner = ByteScanner(buffer.bytes)
        while !scanner.isAtEnd {
            let metric = scanner.word().equals("some") ? some : full
            while let next = scanner.peek, next != 0x0a {
                let name = scanner.word(stop: 0x3d)
                scanner.skip(1)
                if name.equals("total"), let metric, let value = scanner.number() {
                    add(metric, value / 1_000_000)
                } else {
                    _ = scanner.word()
                }
            }
            scanner.skipLine()
        }
    }

    /// Everything in /proc/vmstat. node_exporter gives a part of these fields by default, and with
    /// `--collector.vmstat.fields` all, under the same names.
    private func addVirtualMemory() {
        var scanner = ByteScanner(buffer.bytes)
        while !scanner.isAtEnd {
            let name = scanner.word()
            if !name.isEmpty, let value = scanner.number() {
                round.add(value, key: SeriesKey("node_vmstat").adding(name).value) {
                    Labels("node_vmstat_\(name.text)")
                }
            }
            scanner.skipLine()
        }
    }

    // MARK: Files, sockets, network queues

    private func addFiles() {
        var scanner = ByteScanner(buffer.bytes)
        guard let allocated = scanner.number(), scanner.number() != nil, let most = scanner.number() else { return }
        add("node_filefd_allocated", allocated)
        add("node_filefd_maximum", most)
    }

    /// `TCP: inuse 1 orphan 0 …`; memory is in pages.
    private func addSockets() {
        var scanner = ByteScanner(buffer.bytes)
        while !scanner.isAtEnd {
            let kind = scanner.word(stop: 0x3a)
            scanner.skip(1)
            while let next = scanner.peek, next != 0x0a {
                let name = scanner.word()
                guard !name.isEmpty, let value = scanner.number() else { break }
                let key = SeriesKey("node_sockstat").adding(kind).adding(name)
                round.add(value, key: key.value) { Labels("node_sockstat_\(kind.text)_\(name.text)") }
                guard name.equals("mem") else { continue }
                round.add(value * pageBytes, key: key.adding(1).value) {
                    Labels("node_sockstat_\(kind.text)_\(name.text)_bytes")
                }
            }
            scanner.skipLine()
        }
    }

    /// One line a processor, in hexadecimal: processed, dropped, squeezed.
    private func addSoftnet() {
        var scanner = ByteScanner(buffer.bytes)
        var processor: UInt64 = 0
        while !scanner.isAtEnd {
            for metric in [
                "node_softnet_processed_total", "node_softnet_dropped_total", "node_softnet_times_squeezed_total",
            ]
                as [StaticString]
            {
                guard let value = scanner.hexadecimal() else { break }
                round.add(Double(value), key: SeriesKey(metric).adding(processor).value) {
                    Labels(metric.description, [Label("cpu", "\(processor)")])
                }
            }
            scanner.skipLine()
            processor += 1
        }
    }
}

/// /proc/diskstats: one line a device (Documentation/admin-guide/iostats.rst).
enum DiskLines {
    /// The columns after the device's name, with what turns each into the unit of its metric: sectors are 512 bytes, times ms.
    private static let columns: [(metric: StaticString, factor: Double)] = [
        ("node_disk_reads_completed_total", 1), ("node_disk_reads_merged_total", 1),
        ("node_disk_read_bytes_total", 512), ("node_disk_read_time_seconds_total", 0.001),
        ("node_disk_writes_completed_total", 1), ("node_disk_writes_merged_total", 1),
        ("node_disk_written_bytes_total", 512), ("node_disk_write_time_seconds_total", 0.001),
        ("node_disk_io_now", 1), ("node_disk_io_time_seconds_total", 0.001),
        ("node_disk_io_time_weighted_seconds_total", 0.001), ("node_disk_discards_completed_total", 1),
        ("node_disk_discards_merged_total", 1), ("node_disk_discarded_sectors_total", 1),
        ("node_disk_discard_time_seconds_total", 0.001), ("node_disk_flush_requests_total", 1),
        ("node_disk_flush_requests_time_seconds_total", 0.001),
    ]

    static func add(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        var scanner = ByteScanner(bytes)
        while !scanner.isAtEnd {
            _ = scanner.word()
            _ = scanner.word()
            let device = scanner.word()
            if !isIgnored(device) {
                for column in columns {
                    guard let value = scanner.number() else { break }
                    // Divided, not multiplied by 0.001: so the quotient is the nearest there is, as node_exporter's.
                    let scaled = column.factor < 1 ? value / 1000 : value * column.factor
                    round.add(scaled, key: SeriesKey(column.metric).adding(device).value) {
                        Labels(column.metric.description, [Label("device", device.text)])
                    }
                }
            }
            scanner.skipLine()
        }
    }

    /// node_exporter's default: RAM disks, loops, floppies and partitions are left out.
    static func isIgnored(_ device: UnsafeRawBufferPointer) -> Bool {
        guard let last = device.last, (0x30...0x39).contains(last) else { return device.isEmpty }
        var end = device.count
        while end > 0, (0x30...0x39).contains(device[end - 1]) { end -= 1 }
        let stem = UnsafeRawBufferPointer(rebasing: device[..<end])
        if stem.equals("ram") || stem.equals("loop") || stem.equals("fd") { return true }
        let kinds: [StaticString] = ["hd", "sd", "vd", "xvd"]
        for kind in kinds where stem.begins(with: kind) && stem.count == kind.utf8CodeUnitCount + 1 { return true }
        return stem.begins(with: "nvme") && stem.last == 0x70
    }
}

/// /proc/net/dev: one line a device, received columns, then sent ones.
enum NetworkLines {
    private static let columns: [StaticString] = [
        "node_network_receive_bytes_total", "node_network_receive_packets_total", "node_network_receive_errs_total",
        "node_network_receive_drop_total", "node_network_receive_fifo_total", "node_network_receive_frame_total",
        "node_network_receive_compressed_total", "node_network_receive_multicast_total",
        "node_network_transmit_bytes_total", "node_network_transmit_packets_total", "node_network_transmit_errs_total",
        "node_network_transmit_drop_total", "node_network_transmit_fifo_total", "node_network_transmit_colls_total",
        "node_network_transmit_carrier_total", "node_network_transmit_compressed_total",
    ]

    static func add(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        var scanner = ByteScanner(bytes)
        scanner.skipLine()
        scanner.skipLine()
        while !scanner.isAtEnd {
            let device = scanner.word(stop: 0x3a)
            scanner.skip(1)
            for metric in columns {
                guard !device.isEmpty, let value = scanner.number() else { break }
                round.add(value, key: SeriesKey(metric).adding(device).value) {
                    Labels(metric.description, [Label("device", device.text)])
                }
            }
            scanner.skipLine()
        }
    }
}

/// /proc/net/snmp and /proc/net/netstat: pairs of lines, names and then values, of which few are wanted. Which columns those are is
/// kept as long as the line of names stays the same.
final class PairedLines {
    private struct Layout {
        var key: UInt64
        var wanted: [(column: Int, key: UInt64)]
    }

    /// What node_exporter gives by default (`--collector.netstat.fields`).
    private static let fields: Set<String> = [
        "Icmp_InErrors", "Icmp_InMsgs", "Icmp_OutMsgs", "IpExt_InOctets", "IpExt_OutOctets", "Ip_Forwarding",
        "TcpExt_ListenDrops", "TcpExt_ListenOverflows", "TcpExt_SyncookiesFailed", "TcpExt_SyncookiesRecv",
        "TcpExt_SyncookiesSent", "TcpExt_TCPOFOQueue", "TcpExt_TCPRcvQDrop", "TcpExt_TCPSynRetrans",
        "TcpExt_TCPTimeouts", "Tcp_ActiveOpens", "Tcp_CurrEstab", "Tcp_InErrs", "Tcp_InSegs", "Tcp_OutRsts",
        "Tcp_OutSegs", "Tcp_PassiveOpens", "Tcp_RetransSegs", "UdpLite_InErrors", "Udp_InDatagrams", "Udp_InErrors",
        "Udp_NoPorts", "Udp_OutDatagrams", "Udp_RcvbufErrors", "Udp_SndbufErrors",
    ]

    private let file: ProcFile
    private var layouts: [Layout] = []

    init(_ path: String) {
        file = ProcFile(path)
    }

    func add(to round: inout RoundBuilder, buffer: ReadBuffer) {
        guard file.read(into: buffer) else { return }
        var scanner = ByteScanner(buffer.bytes)
        var pair = 0
        while !scanner.isAtEnd {
            let names = scanner.line()
            let values = scanner.line()
            let key = SeriesKey().adding(names).value
            if pair >= layouts.count { layouts.append(Layout(key: 0, wanted: [])) }
            if layouts[pair].key != key { layouts[pair] = Self.layout(names, key: key) }
            add(values, names, layouts[pair], to: &round)
            pair += 1
        }
    }

    private func add(
        _ values: UnsafeRawBufferPointer, _ names: UnsafeRawBufferPointer, _ layout: Layout,
        to round: inout RoundBuilder
    ) {
        var scanner = ByteScanner(values)
        _ = scanner.word()
        var column = 0
        for wanted in layout.wanted {
            while column < wanted.column {
                _ = scanner.word()
                column += 1
            }
            guard let value = scanner.number() else { return }
            column += 1
            round.add(value, key: wanted.key) { Labels("node_netstat_\(Self.name(names, column: wanted.column))") }
        }
    }

    private static func layout(_ names: UnsafeRawBufferPointer, key: UInt64) -> Layout {
        var wanted: [(column: Int, key: UInt64)] = []
        var scanner = ByteScanner(names)
        let kind = scanner.word(stop: 0x3a).text
        scanner.skip(1)
        var column = 0
        while !scanner.isAtEnd {
            let name = scanner.word()
            guard !name.isEmpty else { break }
            if fields.contains("\(kind)_\(name.text)") {
                wanted.append((column, SeriesKey("node_netstat").adding(key).adding(UInt64(column)).value))
            }
            column += 1
        }
        return Layout(key: key, wanted: wanted)
    }

    private static func name(_ names: UnsafeRawBufferPointer, column: Int) -> String {
        var scanner = ByteScanner(names)
        let kind = scanner.word(stop: 0x3a).text
        scanner.skip(1)
        for _ in 0..<column { _ = scanner.word() }
        return "\(kind)_\(scanner.word().text)"
    }
}
