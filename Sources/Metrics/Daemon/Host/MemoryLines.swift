import MetricsCore

/// /proc/meminfo: one figure a line, most of them in KiB.
enum MemoryLines {
    static func add(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        var scanner = ByteScanner(bytes)
        while !scanner.isAtEnd {
            let name = scanner.word(stop: 0x3a)
            scanner.skip(1)
            if !name.isEmpty, let value = scanner.number() {
                let isKilobytes = scanner.word().equals("kB")
                let key = SeriesKey("node_memory").adding(name).value
                round.add(isKilobytes ? value * 1024 : value, key: key) {
                    Labels("node_memory_\(self.name(name.text))\(isKilobytes ? "_bytes" : "")")
                }
            }
            scanner.skipLine()
        }
    }

    /// `Active(anon)` as node_exporter writes it: `Active_anon`.
    private static func name(_ field: String) -> String {
        field.replacing("(", with: "_").replacing(")", with: "")
    }
}

/// /proc/vmstat: everything in it. node_exporter gives a part of these fields by default, and with `--collector.vmstat.fields`
/// all, under the same names.
enum VirtualMemoryLines {
    static func add(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        var scanner = ByteScanner(bytes)
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
}
