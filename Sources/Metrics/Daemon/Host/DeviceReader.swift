import Files
import MetricsCore

/// Network devices as /sys/class/net shows them, under node_exporter's names. A file that a device does not have, or does not
/// show while it is down, gives nothing.
final class DeviceReader {
    private static let numbers: [(file: String, metric: StaticString, factor: Double)] = [
        ("addr_assign_type", "node_network_address_assign_type", 1), ("carrier", "node_network_carrier", 1),
        ("carrier_changes", "node_network_carrier_changes_total", 1),
        ("carrier_down_count", "node_network_carrier_down_changes_total", 1),
        ("carrier_up_count", "node_network_carrier_up_changes_total", 1),
        ("dev_id", "node_network_device_id", 1), ("dormant", "node_network_dormant", 1),
        ("flags", "node_network_flags", 1), ("ifindex", "node_network_iface_id", 1),
        ("iflink", "node_network_iface_link", 1), ("link_mode", "node_network_iface_link_mode", 1),
        ("mtu", "node_network_mtu_bytes", 1), ("name_assign_type", "node_network_name_assign_type", 1),
        ("netdev_group", "node_network_net_dev_group", 1), ("speed", "node_network_speed_bytes", 125_000),
        ("statistics/rx_nohandler", "node_network_receive_nohandler_total", 1),
        ("tx_queue_len", "node_network_transmit_queue_length", 1), ("type", "node_network_protocol_type", 1),
    ]
    /// What names a device, as labels of `node_network_info`.
    private static let names: [(file: String, label: String)] = [
        ("address", "address"), ("broadcast", "broadcast"), ("duplex", "duplex"), ("ifalias", "ifalias"),
        ("operstate", "operstate"),
    ]

    private let folder: String
    private let buffer = ReadBuffer()
    private var round = RoundBuilder()

    init(folder: String = "/sys/class/net") {
        self.folder = folder
    }

    func measure(withTable: Bool) -> Collection {
        // Beside devices there may be files of drivers, as `bonding_masters`: they have none of the files below.
        for device in (Contents.ofFolder(folder) ?? []).sorted() {
            for number in Self.numbers {
                guard ProcFile("\(folder)/\(device)/\(number.file)").read(into: buffer) else { continue }
                var scanner = ByteScanner(buffer.bytes)
                if let value = scanner.prefixedNumber() {
                    round.add(number.metric, value * number.factor, "device", device)
                }
            }
            addNames(device)
        }
        return round.finish(withTable: withTable)
    }

    /// `node_network_info`, and whether the device is up.
    private func addNames(_ device: String) {
        var pairs = [Label("device", device)]
        for name in Self.names {
            guard ProcFile("\(folder)/\(device)/\(name.file)").read(into: buffer) else { continue }
            var scanner = ByteScanner(buffer.bytes)
            let value = scanner.line()
            pairs.append(Label(name.label, value.text))
            if name.file == "operstate" {
                round.add("node_network_up", value.equals("up") ? 1 : 0, "device", device)
            }
        }
        guard pairs.count > 1 else { return }
        var key = SeriesKey("node_network_info")
        for pair in pairs {
            var value = pair.value
            key = value.withUTF8 { key.adding(UnsafeRawBufferPointer($0)) }.adding(0)
        }
        round.add(1, key: key.value) { Labels("node_network_info", pairs) }
    }
}
