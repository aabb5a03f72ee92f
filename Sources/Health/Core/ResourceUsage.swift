package import HealthAPI
package import MetricsAPI

/// The seed's `ResourceMetrics` out of metricsd's series. Pure: what was measured comes in, and what is not there is *unknown*.
package enum ResourceUsage {
    /// Over which time the use of the CPU is averaged, in milliseconds; the series given must have a point that long ago.
    package static let spanMs: Int64 = 60_000

    /// What to ask metricsd for, as selectors: the service's own series, then the host's.
    package static func selectors(for service: String) -> [String] {
        ["{service=\"\(service)\"}", "node_load1", "node_load5", "node_load15", "node_memory_MemTotal_bytes"]
    }

    /// The figures of `service` in `series`. The latest point of each counts; where several series of a kind are there, their sum.
    package static func metrics(of service: String, series: [SeriesPoints]) -> ResourceMetrics {
        var known = series.filter { $0.labels["service"] == service || $0.labels["service"] == nil }
        // Where no process runs metricsd's sums are 0: that nothing is used is not what they say.
        if Figures(series: known).sum("namedprocess_namegroup_num_procs") == 0 {
            known.removeAll { $0.name.hasPrefix("namedprocess_") || $0.labels["job"] == "process" }
        }
        let figures = Figures(series: known)
        var found = ResourceMetrics(service: service)
        found.memory.used =
            figures.sum("namedprocess_namegroup_memory_bytes", "memtype", "resident")
            ?? figures.sum("process_resident_memory_bytes", "job", "process")
        let hostMemory = figures.sum("node_memory_MemTotal_bytes")
        let limit = figures.sum("container_spec_memory_limit_bytes")
        // Without a limit, cgroup v1 gives 2^63 less a page, and v2 gives nothing.
        found.memory.total = [limit, hostMemory].compactMap { $0 }.min()
        found.memory.heapUsed = figures.exported(["_heap_used_bytes", "_heap_size_used_bytes"])
        found.memory.heapTotal = figures.exported(["_heap_total_bytes", "_heap_size_total_bytes"])
        found.memory.external = figures.exported(["_external_bytes", "_external_memory_bytes"])
        found.cpu.usage =
            figures.percent("namedprocess_namegroup_cpu_seconds_total")
            ?? figures.percent("process_cpu_seconds_total")
        let loads = ["node_load1", "node_load5", "node_load15"].compactMap(figures.value)
        if loads.count == 3 { found.cpu.loadAverage = loads }
        found.connections.database = figures.exported(["_pool_connections", "_database_connections"])
        found.connections.redis = figures.exported(["_redis_connections"])
        found.connections.http = figures.exported(["_http_connections"])
        found.fileHandles.open =
            figures.sum("namedprocess_namegroup_open_filedesc") ?? figures.sum("process_open_fds", "job", "process")
        found.fileHandles.limit = figures.sum("process_max_fds", "job", "process")
        found.unknown = unknown(in: found)
        return found
    }

    /// A reply in which nothing is known, for one reason.
    package static func nothing(of service: String, because reason: String) -> ResourceMetrics {
        var metrics = ResourceMetrics(service: service, reason: reason)
        metrics.unknown = unknown(in: metrics)
        return metrics
    }

    private static func unknown(in found: ResourceMetrics) -> [String] {
        let known: [(String, Bool)] = [
            ("memory.used", found.memory.used != nil), ("memory.total", found.memory.total != nil),
            ("memory.heapUsed", found.memory.heapUsed != nil), ("memory.heapTotal", found.memory.heapTotal != nil),
            ("memory.external", found.memory.external != nil), ("cpu.usage", found.cpu.usage != nil),
            ("cpu.loadAverage", found.cpu.loadAverage != nil),
            ("connections.database", found.connections.database != nil),
            ("connections.redis", found.connections.redis != nil), ("connections.http", found.connections.http != nil),
            ("fileHandles.open", found.fileHandles.open != nil),
            ("fileHandles.limit", found.fileHandles.limit != nil),
        ]
        return known.filter { !$0.1 }.map(\.0)
    }

    /// Series by name, and what is asked of them.
    private struct Figures {
        private let byName: [String: [SeriesPoints]]

        init(series: [SeriesPoints]) {
            byName = Dictionary(grouping: series.filter { !$0.points.isEmpty }, by: \.name)
        }

        /// The latest values of every series of that name, and with that label, added up; nil where there is none.
        func sum(_ name: String, _ label: String? = nil, _ wanted: String = "") -> Int64? {
            let values = (byName[name] ?? [])
                .filter { series in label.map { series.labels[$0] == wanted } ?? true }
                .compactMap { $0.points.last?.value.value }
            return values.isEmpty ? nil : Int64(exactly: values.reduce(0, +).rounded())
        }

        func value(_ name: String) -> Double? {
            byName[name]?.first?.points.last?.value.value
        }

        /// A figure that the service exports itself, under a name of its own that ends so.
        func exported(_ suffixes: [String]) -> Int64? {
            let names = byName.keys.filter { name in suffixes.contains { name.hasSuffix($0) } }
            return names.min().flatMap { sum($0) }
        }

        /// How fast counters of seconds grow, all of that name together, in per cent of one core; nil without two points.
        func percent(_ name: String) -> Double? {
            let rates = (byName[name] ?? []).compactMap { series -> Double? in
                guard let first = series.points.first, let last = series.points.last, last.timeMs > first.timeMs else {
                    return nil
                }
                // A counter that fell began anew: what it shows now was used since.
                let grown = last.value.value - first.value.value
                return (grown < 0 ? last.value.value : grown) / Double(last.timeMs - first.timeMs) * 100_000
            }
            return rates.isEmpty ? nil : rates.reduce(0, +)
        }
    }
}
