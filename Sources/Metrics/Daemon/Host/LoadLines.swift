import MetricsCore

/// How much waits: /proc/loadavg.
enum LoadLines {
    static func add(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        var scanner = ByteScanner(bytes)
        for metric in ["node_load1", "node_load5", "node_load15"] as [StaticString] {
            guard let value = scanner.decimal() else { return }
            round.add(metric, value)
        }
    }
}

/// For how long work waited: the files of /proc/pressure (Documentation/accounting/psi.rst).
enum PressureLines {
    /// Which metric a file's two lines are. The host's whole is never stalled for want of CPU: that line has no metric.
    typealias Metrics = (some: StaticString, full: StaticString?)

    static let ofCPU: Metrics = ("node_pressure_cpu_waiting_seconds_total", nil)
    static let ofIO: Metrics = ("node_pressure_io_waiting_seconds_total", "node_pressure_io_stalled_seconds_total")
    static let ofMemory: Metrics = (
        "node_pressure_memory_waiting_seconds_total", "node_pressure_memory_stalled_seconds_total"
    )

    /// `some avg10=… avg60=… avg300=… total=MICROSECONDS`, then the same for `full`.
    static func add(_ bytes: UnsafeRawBufferPointer, _ metrics: Metrics, to round: inout RoundBuilder) {
        var scanner = ByteScanner(bytes)
        while !scanner.isAtEnd {
            let kind = scanner.word()
            let metric = kind.equals("some") ? metrics.some : kind.equals("full") ? metrics.full : nil
            while let next = scanner.peek, next != 0x0a {
                let name = scanner.word(stop: 0x3d)
                scanner.skip(1)
                if name.equals("total"), let metric, let value = scanner.number() {
                    round.add(metric, value / 1_000_000)
                } else {
                    _ = scanner.word()
                }
            }
            scanner.skipLine()
        }
    }
}
