import CLinux
import Files
import Glibc
import MetricsCore

/// A unit's cgroup under cAdvisor's names: v2 files, or those of v1's controllers where the host has them.
final class CgroupFiles {
    private let path: String
    private let isUnified: Bool
    private let memory: ProcFile
    private let memoryStat: ProcFile
    private let cpu: ProcFile
    private let tasks: ProcFile
    private let mostMemory: ProcFile

    init(_ cgroup: UnitCgroup, isUnified: Bool) {
        path = cgroup.path
        self.isUnified = isUnified
        if isUnified {
            memory = ProcFile("\(cgroup.folder)/memory.current")
            memoryStat = ProcFile("\(cgroup.folder)/memory.stat")
            cpu = ProcFile("\(cgroup.folder)/cpu.stat")
            tasks = ProcFile("\(cgroup.folder)/pids.current")
            mostMemory = ProcFile("\(cgroup.folder)/memory.max")
        } else {
            memory = ProcFile("/sys/fs/cgroup/memory\(path)/memory.usage_in_bytes")
            memoryStat = ProcFile("/sys/fs/cgroup/memory\(path)/memory.stat")
            cpu = ProcFile("/sys/fs/cgroup/cpuacct\(path)/cpuacct.usage")
            tasks = ProcFile("/sys/fs/cgroup/pids\(path)/pids.current")
            mostMemory = ProcFile("/sys/fs/cgroup/memory\(path)/memory.limit_in_bytes")
        }
    }

    /// Adds what the files say; a controller that the unit does not have gives nothing.
    func add(to round: inout RoundBuilder, service: String, buffer: ReadBuffer) {
        if let bytes = number(memory, buffer) { add("container_memory_usage_bytes", bytes, to: &round, service) }
        if let bytes = number(mostMemory, buffer) {
            add("container_spec_memory_limit_bytes", bytes, to: &round, service)
        }
        if let count = number(tasks, buffer) { add("container_threads", count, to: &round, service) }
        if memoryStat.read(into: buffer) { addMemory(buffer.bytes, to: &round, service) }
        if isUnified {
            if cpu.read(into: buffer) { addProcessor(buffer.bytes, to: &round, service) }
        } else if let nanoseconds = number(cpu, buffer) {
            add("container_cpu_usage_seconds_total", nanoseconds / 1e9, to: &round, service)
        }
    }

    private func number(_ file: ProcFile, _ buffer: ReadBuffer) -> Double? {
        guard file.read(into: buffer) else { return nil }
        var scanner = ByteScanner(buffer.bytes)
        return scanner.number()
    }

    private func add(_ metric: StaticString, _ value: Double, to round: inout RoundBuilder, _ service: String) {
        var service = service
        let key = service.withUTF8 { SeriesKey(metric).adding(UnsafeRawBufferPointer($0)) }
        round.add(value, key: key.value) {
            Labels(metric.description, [Label("id", path), Label("name", service), Label("service", service)])
        }
    }

    private func addMemory(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder, _ service: String) {
        var scanner = ByteScanner(bytes)
        while !scanner.isAtEnd {
            let name = scanner.word()
            if name.equals(isUnified ? "anon" : "total_rss"), let value = scanner.number() {
                add("container_memory_rss", value, to: &round, service)
            } else if name.equals(isUnified ? "file" : "total_cache"), let value = scanner.number() {
                add("container_memory_cache", value, to: &round, service)
            } else if name.equals(isUnified ? "swap" : "total_swap"), let value = scanner.number() {
                add("container_memory_swap", value, to: &round, service)
            }
            scanner.skipLine()
        }
    }

    private func addProcessor(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder, _ service: String) {
        var scanner = ByteScanner(bytes)
        while !scanner.isAtEnd {
            let name = scanner.word()
            let metric: StaticString? =
                if name.equals("usage_usec") {
                    "container_cpu_usage_seconds_total"
                } else if name.equals("user_usec") {
                    "container_cpu_user_seconds_total"
                } else if name.equals("system_usec") {
                    "container_cpu_system_seconds_total"
                } else if name.equals("throttled_usec") {
                    "container_cpu_cfs_throttled_seconds_total"
                } else { nil }
            if let metric, let value = scanner.number() { add(metric, value / 1e6, to: &round, service) }
            scanner.skipLine()
        }
    }
}
