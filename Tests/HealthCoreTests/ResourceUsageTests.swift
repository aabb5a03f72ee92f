import HealthAPI
import HealthCore
import MetricsAPI
import Testing

@Suite("What a service uses, out of metricsd's series") struct ResourceUsageTests {
    private func series(_ name: String, _ labels: [String: String], _ values: [Double]) -> SeriesPoints {
        let points = values.enumerated().map { index, value in
            Point(timeMs: Int64(index) * ResourceUsage.spanMs, value: value)
        }
        return SeriesPoints(name: name, labels: labels, points: points)
    }

    private let gateway = ["service": "gateway"]

    @Test("Every field of the seed, where everything is measured")
    func everything() {
        let resident = ["service": "gateway", "memtype": "resident"]
        let main = ["service": "gateway", "job": "process"]
        let found = ResourceUsage.metrics(
            of: "gateway",
            series: [
                series("namedprocess_namegroup_memory_bytes", resident, [90e6, 100e6]),
                series(
                    "namedprocess_namegroup_memory_bytes", ["service": "gateway", "memtype": "virtual"], [9e9, 9e9]),
                series("container_spec_memory_limit_bytes", gateway, [9.223372036854772e18]),
                series("node_memory_MemTotal_bytes", [:], [8e9]),
                series("gateway_heap_used_bytes", gateway, [40e6]), series("gateway_heap_total_bytes", gateway, [60e6]),
                series("gateway_external_bytes", gateway, [2e6]),
                series("namedprocess_namegroup_cpu_seconds_total", ["service": "gateway", "mode": "user"], [10, 40]),
                series("namedprocess_namegroup_cpu_seconds_total", ["service": "gateway", "mode": "system"], [1, 7]),
                series("node_load1", [:], [0.5]), series("node_load5", [:], [0.4]), series("node_load15", [:], [0.3]),
                series("gateway_pool_connections", gateway, [8]), series("gateway_redis_connections", gateway, [1]),
                series("gateway_http_connections", gateway, [17]),
                series("namedprocess_namegroup_open_filedesc", gateway, [41]),
                series("process_max_fds", main, [1024]),
            ])
        #expect(
            found.memory
                == .init(
                    used: 100_000_000, total: 8_000_000_000, heapUsed: 40_000_000, heapTotal: 60_000_000,
                    external: 2_000_000))
        #expect(abs((found.cpu.usage ?? 0) - 60) < 0.001)
        #expect(found.cpu.loadAverage == [0.5, 0.4, 0.3])
        #expect(found.connections == .init(database: 8, redis: 1, http: 17))
        #expect(found.fileHandles == .init(open: 41, limit: 1024))
        #expect(found.unknown.isEmpty)
    }

    @Test("What is not measured is named as unknown, and is never 0")
    func partial() {
        let found = ResourceUsage.metrics(
            of: "gateway",
            series: [
                series("node_load1", [:], [0.5]), series("node_load5", [:], [0.4]),
                series("gateway_heap_used_bytes", ["service": "other"], [40e6]),
                series("namedprocess_namegroup_open_filedesc", gateway, []),
            ])
        #expect(found.unknown.count == 12)
        #expect(found.memory.heapUsed == nil && found.cpu.loadAverage == nil && found.fileHandles.open == nil)
    }

    @Test("A service without a process uses not nothing, but nobody knows what")
    func notRunning() {
        let found = ResourceUsage.metrics(
            of: "gateway",
            series: [
                series("namedprocess_namegroup_num_procs", gateway, [0]),
                series("namedprocess_namegroup_memory_bytes", ["service": "gateway", "memtype": "resident"], [0]),
                series("namedprocess_namegroup_open_filedesc", gateway, [0]),
                series("namedprocess_namegroup_cpu_seconds_total", gateway, [0, 0]),
                series("node_memory_MemTotal_bytes", [:], [8e9]),
            ])
        #expect(found.memory == .init(total: 8_000_000_000))
        #expect(found.cpu.usage == nil && found.fileHandles.open == nil)
    }

    @Test("A counter that began anew counts from its restart; one point is no rate")
    func restarted() {
        let counted = ["service": "gateway", "mode": "user"]
        let name = "namedprocess_namegroup_cpu_seconds_total"
        #expect(ResourceUsage.metrics(of: "gateway", series: [series(name, counted, [100, 6])]).cpu.usage == 10)
        #expect(ResourceUsage.metrics(of: "gateway", series: [series(name, counted, [100])]).cpu.usage == nil)
    }

    @Test("A silent metricsd leaves everything unknown, with the reason")
    func silent() {
        let nothing = ResourceUsage.nothing(of: "gateway", because: "metricsd does not answer")
        #expect(nothing.unknown.count == 12)
        #expect(nothing.reason == "metricsd does not answer")
    }
}
