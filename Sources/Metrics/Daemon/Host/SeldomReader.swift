import Files
import MetricsCore

/// The host's figures that seldom change, or for which the kernel walks a table, under node_exporter's names: each 15 s, on the
/// thread that may wait for /sys and for the disk.
final class SeldomReader {
    private var round = RoundBuilder()
    private let buffer = ReadBuffer()
    private let scheduler = ProcFile("/proc/schedstat")
    private let neighbours = ProcFile("/proc/net/arp")
    private let connections = ProcFile("/proc/net/stat/nf_conntrack")
    private let queues: [(file: ProcFile, version: StaticString)] = [
        (ProcFile("/proc/net/udp"), "v4"), (ProcFile("/proc/net/udp6"), "v6"),
    ]
    private let clock = ClockReader()
    private let temperatures = ThermalReader()

    func measure(withTable: Bool) -> Collection {
        if scheduler.read(into: buffer) { SchedulerLines.add(buffer.bytes, to: &round) }
        if neighbours.read(into: buffer) { NeighbourLines.add(buffer.bytes, to: &round) }
        if connections.read(into: buffer) { ConnectionLines.add(buffer.bytes, to: &round) }
        for queue in queues where queue.file.read(into: buffer) {
            QueueLines.add(buffer.bytes, queue.version, to: &round)
        }
        clock.add(ClockReader.now(), to: &round, buffer: buffer)
        temperatures.add(to: &round, buffer: buffer)
        addSecurity()
        HostNames.addKernel(to: &round)
        // Opened anew: an upgrade puts another file in its place.
        if ProcFile("/etc/os-release").read(into: buffer) || ProcFile("/usr/lib/os-release").read(into: buffer) {
            HostNames.addSystem(buffer.bytes, to: &round)
        }
        return round.finish(withTable: withTable)
    }

    /// SELinux: whether there is any, and whether it enforces (1) or only warns (0).
    private func addSecurity() {
        guard ProcFile("/sys/fs/selinux/enforce").read(into: buffer) else {
            return round.add("node_selinux_enabled", 0)
        }
        var scanner = ByteScanner(buffer.bytes)
        round.add("node_selinux_enabled", 1)
        if let mode = scanner.number() { round.add("node_selinux_current_mode", mode) }
    }
}
