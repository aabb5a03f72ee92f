import CLinux
import Files
import Glibc
package import Time
package import Wire

/// A daemon's own figures, as `metrics` answers them. Each is read when it is asked for; the table changes only when a
/// figure is added or taken away.
@Loop package final class Figures {
    private struct Figure {
        var description: MetricDescription
        var read: @Loop () -> Double
    }

    private var figures: [Figure] = []
    private var descriptions: [MetricDescription] = []
    /// Begins at the start time, so that a restarted daemon never repeats a generation that a client still holds.
    private var generation: Int64

    package init() {
        generation = HostClock.now().wall.milliseconds
    }

    /// Adds a figure; `read` is called for every reply and must not block.
    package func add(
        _ name: String, labels: [String: String] = [:], _ kind: MetricDescription.Kind,
        _ read: @escaping @Loop () -> Double
    ) {
        let description = MetricDescription(name: name, labels: labels, kind: kind)
        figures.append(Figure(description: description, read: read))
        descriptions.append(description)
        generation += 1
    }

    /// Takes away every figure with this label, as when a service is no longer guarded.
    package func remove(where label: String, is value: String) {
        figures.removeAll { $0.description.labels[label] == value }
        descriptions = figures.map(\.description)
        generation += 1
    }

    /// Takes away every figure whose name begins so, as when settings name others.
    package func remove(whereNamed prefix: String) {
        figures.removeAll { $0.description.name.hasPrefix(prefix) }
        descriptions = figures.map(\.description)
        generation += 1
    }

    /// The reply to `metrics` for a caller that holds `known`.
    package func reply(known: Int64, now: Moment) -> Common.Metrics.Reply {
        Common.Metrics.Reply(
            generation: generation, atMs: now.wall.milliseconds, series: known == generation ? nil : descriptions,
            values: figures.map { Self.text($0.read()) })
    }

    /// Prometheus's spelling of a value.
    package nonisolated static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return Int64(value).description }
        return value.description
    }

    /// The figures of the process itself, under the names that Prometheus's client libraries give them.
    package func addProcess() {
        let pageBytes = Double(sysconf(CInt(_SC_PAGESIZE)))
        let startSeconds = Double(HostClock.now().wall.milliseconds) / 1000
        add("process_start_time_seconds", .gauge) { startSeconds }
        add("process_cpu_seconds_total", .counter) { Self.cpuSeconds() }
        add("process_resident_memory_bytes", .gauge) { Self.statm(field: 1) * pageBytes }
        add("process_virtual_memory_bytes", .gauge) { Self.statm(field: 0) * pageBytes }
    }

    private static func cpuSeconds() -> Double {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return .nan }
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    private static func statm(field: Int) -> Double {
        let fields = Contents.ofFile("/proc/self/statm", limit: 128)?.split(separator: UInt8(ascii: " ")) ?? []
        guard field < fields.count else { return .nan }
        return Double(String(decoding: fields[field], as: UTF8.self)) ?? .nan
    }
}
