import MetricsCore

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
