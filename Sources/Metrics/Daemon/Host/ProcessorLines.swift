import CLinux
import Glibc
import MetricsCore

/// /proc/stat: one line a processor, then what the kernel counts since its start (proc(5)).
enum ProcessorLines {
    private static let ticksPerSecond = Double(max(1, sysconf(CInt(_SC_CLK_TCK))))
    /// The columns of a `cpu` line (proc(5)); the two guest columns have a metric of their own.
    private static let modes: [StaticString] = [
        "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal",
    ]
    private static let guestModes: [StaticString] = ["user", "nice"]
    /// The columns of the `softirq` line (kernel/softirq.c).
    private static let softirqs: [StaticString] = [
        "hi", "timer", "net_tx", "net_rx", "block", "irq_poll", "tasklet", "sched", "hrtimer", "rcu",
    ]

    static func add(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        var scanner = ByteScanner(bytes)
        while !scanner.isAtEnd {
            let name = scanner.word()
            if name.begins(with: "cpu") {
                if name.count > 3 { add(&scanner, UnsafeRawBufferPointer(rebasing: name[3...]), to: &round) }
            } else if name.equals("softirq") {
                addSoftirqs(&scanner, to: &round)
            } else if let metric = metric(name), let value = scanner.number() {
                round.add(metric, value)
            }
            scanner.skipLine()
        }
    }

    /// The lines with one figure; boot time in seconds since 1970.
    private static func metric(_ name: UnsafeRawBufferPointer) -> StaticString? {
        if name.equals("intr") { return "node_intr_total" }
        if name.equals("ctxt") { return "node_context_switches_total" }
        if name.equals("btime") { return "node_boot_time_seconds" }
        if name.equals("processes") { return "node_forks_total" }
        if name.equals("procs_running") { return "node_procs_running" }
        return name.equals("procs_blocked") ? "node_procs_blocked" : nil
    }

    private static func add(
        _ scanner: inout ByteScanner, _ number: UnsafeRawBufferPointer, to round: inout RoundBuilder
    ) {
        for mode in modes {
            guard let ticks = scanner.number() else { return }
            round.add(ticks / ticksPerSecond, key: SeriesKey(mode).adding(number).value) {
                Labels("node_cpu_seconds_total", [Label("cpu", number.text), Label("mode", mode.description)])
            }
        }
        for mode in guestModes {
            guard let ticks = scanner.number() else { return }
            round.add(ticks / ticksPerSecond, key: SeriesKey(mode).adding(1).adding(number).value) {
                Labels("node_cpu_guest_seconds_total", [Label("cpu", number.text), Label("mode", mode.description)])
            }
        }
    }

    private static func addSoftirqs(_ scanner: inout ByteScanner, to round: inout RoundBuilder) {
        _ = scanner.unsigned()
        for vector in softirqs {
            guard let count = scanner.number() else { return }
            round.add(count, key: SeriesKey(vector).value) {
                Labels("node_softirqs_total", [Label("vector", vector.description)])
            }
        }
    }
}

/// /proc/schedstat: how long a processor ran tasks, and how long tasks waited for it (Documentation/scheduler/sched-stats.rst);
/// there where the kernel has CONFIG_SCHEDSTATS.
enum SchedulerLines {
    static func add(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        var scanner = ByteScanner(bytes)
        while !scanner.isAtEnd {
            let name = scanner.word()
            if name.begins(with: "cpu"), name.count > 3 {
                add(&scanner, UnsafeRawBufferPointer(rebasing: name[3...]), to: &round)
            }
            scanner.skipLine()
        }
    }

    /// The last three of nine columns: running and waiting in ns, and how many turns there were.
    private static func add(
        _ scanner: inout ByteScanner, _ number: UnsafeRawBufferPointer, to round: inout RoundBuilder
    ) {
        for _ in 0..<6 { _ = scanner.number() }
        guard let running = scanner.number(), let waiting = scanner.number(), let turns = scanner.number()
        else { return }
        round.add("node_schedstat_running_seconds_total", running / 1e9, "cpu", number)
        round.add("node_schedstat_waiting_seconds_total", waiting / 1e9, "cpu", number)
        round.add("node_schedstat_timeslices_total", turns, "cpu", number)
    }
}
