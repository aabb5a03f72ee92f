import Files
import MetricsCore

/// /sys/class/thermal: zones with their temperature, and what cools them (Documentation/driver-api/thermal/sysfs-api.rst).
struct ThermalReader {
    private let folder: String

    init(folder: String = "/sys/class/thermal") {
        self.folder = folder
    }

    func add(to round: inout RoundBuilder, buffer: ReadBuffer) {
        for name in (Contents.ofFolder(folder) ?? []).sorted() {
            if name.hasPrefix("thermal_zone") {
                let zone = Label("zone", String(name.dropFirst("thermal_zone".count)))
                // In thousandths of a degree Celsius.
                add(name, "temp", "node_thermal_zone_temp", 1000, zone, to: &round, buffer)
            } else if name.hasPrefix("cooling_device") {
                let device = Label("name", String(name.dropFirst("cooling_device".count)))
                add(name, "cur_state", "node_cooling_device_cur_state", 1, device, to: &round, buffer)
                add(name, "max_state", "node_cooling_device_max_state", 1, device, to: &round, buffer)
            }
        }
    }

    private func add(
        _ name: String, _ file: String, _ metric: StaticString, _ division: Double, _ label: Label,
        to round: inout RoundBuilder, _ buffer: ReadBuffer
    ) {
        guard ProcFile("\(folder)/\(name)/\(file)").read(into: buffer) else { return }
        var scanner = ByteScanner(buffer.bytes)
        guard let value = scanner.number(), let type = Contents.firstLine("\(folder)/\(name)/type") else { return }
        var text = "\(name) \(type)"
        let key = text.withUTF8 { SeriesKey(metric).adding(UnsafeRawBufferPointer($0)) }
        round.add(value / division, key: key.value) { Labels(metric.description, [label, Label("type", type)]) }
    }
}
