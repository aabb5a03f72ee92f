import CLinux
import Glibc
import MetricsCore

/// /proc/net/sockstat and sockstat6: sockets by protocol. `TCP: inuse 1 orphan 0 …`; memory is in pages.
enum SocketLines {
    private static let pageBytes = Double(max(1, sysconf(CInt(_SC_PAGESIZE))))

    static func add(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        var scanner = ByteScanner(bytes)
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
}

/// /proc/net/softnet_stat: one line a processor, in hexadecimal: packets processed, dropped, and how often the time was up.
enum SoftnetLines {
    private static let columns: [StaticString] = [
        "node_softnet_processed_total", "node_softnet_dropped_total", "node_softnet_times_squeezed_total",
    ]

    static func add(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        var scanner = ByteScanner(bytes)
        var processor: UInt64 = 0
        while !scanner.isAtEnd {
            for metric in columns {
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

/// /proc/net/udp and udp6: how many bytes wait in the queues of all UDP sockets, sent (`tx`) and not read (`rx`).
enum QueueLines {
    static func add(_ bytes: UnsafeRawBufferPointer, _ version: StaticString, to round: inout RoundBuilder) {
        var scanner = ByteScanner(bytes)
        scanner.skipLine()
        var sent: UInt64 = 0
        var unread: UInt64 = 0
        while !scanner.isAtEnd {
            // The number, both addresses and the state; then `TX:RX` in hexadecimal.
            for _ in 0..<4 { _ = scanner.word() }
            let waiting = scanner.hexadecimal()
            scanner.skip(1)
            if let waiting, let more = scanner.hexadecimal() {
                sent &+= waiting
                unread &+= more
            }
            scanner.skipLine()
        }
        add(sent, "tx", version, to: &round)
        add(unread, "rx", version, to: &round)
    }

    private static func add(
        _ bytes: UInt64, _ queue: StaticString, _ version: StaticString, to round: inout RoundBuilder
    ) {
        round.add(Double(bytes), key: SeriesKey(queue).adding(SeriesKey(version).value).value) {
            Labels("node_udp_queues", [Label("ip", version.description), Label("queue", queue.description)])
        }
    }
}

/// /proc/net/arp: how many neighbours each device knows by their address.
enum NeighbourLines {
    static func add(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        var counts: [(device: UnsafeRawBufferPointer, count: Double)] = []
        var scanner = ByteScanner(bytes)
        scanner.skipLine()
        while !scanner.isAtEnd {
            // Address, hardware's kind, flags, its address, mask, device.
            for _ in 0..<5 { _ = scanner.word() }
            let device = scanner.word()
            scanner.skipLine()
            guard !device.isEmpty else { continue }
            if let known = counts.firstIndex(where: { $0.device.elementsEqual(device) }) {
                counts[known].count += 1
            } else {
                counts.append((device, 1))
            }
        }
        for (device, count) in counts { round.add("node_arp_entries", count, "device", device) }
    }
}

/// /proc/net/stat/nf_conntrack: what connection tracking counted, one line a processor in hexadecimal; here their sums.
enum ConnectionLines {
    /// The columns that node_exporter gives, by their place (net/netfilter/nf_conntrack_standalone.c).
    private static let columns: [(place: Int, metric: StaticString)] = [
        (2, "node_nf_conntrack_stat_found"), (4, "node_nf_conntrack_stat_invalid"),
        (5, "node_nf_conntrack_stat_ignore"), (8, "node_nf_conntrack_stat_insert"),
        (9, "node_nf_conntrack_stat_insert_failed"), (10, "node_nf_conntrack_stat_drop"),
        (11, "node_nf_conntrack_stat_early_drop"), (16, "node_nf_conntrack_stat_search_restart"),
    ]
    private static let columnCount = 17

    static func add(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        var sums = [UInt64](repeating: 0, count: columnCount)
        var processors = 0
        var scanner = ByteScanner(bytes)
        scanner.skipLine()
        while !scanner.isAtEnd {
            var column = 0
            while column < columnCount, let value = scanner.hexadecimal() {
                sums[column] &+= value
                column += 1
            }
            if column == columnCount { processors += 1 }
            scanner.skipLine()
        }
        guard processors > 0 else { return }
        for column in columns { round.add(column.metric, Double(sums[column.place])) }
    }
}
