import Files
import MetricsCore

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

/// /proc/net/snmp6: what IPv6 and the protocols above it counted, one figure a line; few are wanted.
enum NextProtocolLines {
    /// What node_exporter gives by default: the kernel's name, and the metric.
    private static let fields: [(name: StaticString, metric: StaticString)] = [
        ("Ip6InOctets", "node_netstat_Ip6_InOctets"), ("Ip6OutOctets", "node_netstat_Ip6_OutOctets"),
        ("Icmp6InMsgs", "node_netstat_Icmp6_InMsgs"), ("Icmp6OutMsgs", "node_netstat_Icmp6_OutMsgs"),
        ("Icmp6InErrors", "node_netstat_Icmp6_InErrors"), ("Udp6InDatagrams", "node_netstat_Udp6_InDatagrams"),
        ("Udp6OutDatagrams", "node_netstat_Udp6_OutDatagrams"), ("Udp6NoPorts", "node_netstat_Udp6_NoPorts"),
        ("Udp6InErrors", "node_netstat_Udp6_InErrors"), ("Udp6RcvbufErrors", "node_netstat_Udp6_RcvbufErrors"),
        ("Udp6SndbufErrors", "node_netstat_Udp6_SndbufErrors"), ("UdpLite6InErrors", "node_netstat_UdpLite6_InErrors"),
    ]

    static func add(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        var scanner = ByteScanner(bytes)
        while !scanner.isAtEnd {
            let name = scanner.word()
            for field in fields where name.equals(field.name) {
                if let value = scanner.number() { round.add(field.metric, value) }
            }
            scanner.skipLine()
        }
    }
}
