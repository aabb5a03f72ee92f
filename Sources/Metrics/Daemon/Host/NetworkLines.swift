import MetricsCore

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
