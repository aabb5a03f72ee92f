import Files
import Glibc

/// How starved the host is for CPU.
enum HostPressure {
    /// `some avg10` of /proc/pressure/cpu, in per cent; nil where the kernel has no such file.
    static func cpuSomeAvg10() -> Double? {
        guard let line = Contents.firstLine("/proc/pressure/cpu"), line.hasPrefix("some ") else { return nil }
        for field in line.split(separator: " ") where field.hasPrefix("avg10=") {
            return Double(field.dropFirst("avg10=".count))
        }
        return nil
    }
}

/// A unit's control group.
enum ControlGroup {
    /// The unit's memory limit in bytes, in the one hierarchy or in the old memory controller's; nil where it has none.
    static func memoryLimit(_ path: String) -> Int64? {
        guard !path.isEmpty else { return nil }
        for file in ["/sys/fs/cgroup\(path)/memory.max", "/sys/fs/cgroup/memory\(path)/memory.limit_in_bytes"] {
            // `max`, and the old controller's 2^63 less a page, both mean none.
            if let limit = Contents.firstLine(file).flatMap({ Int64($0) }), limit < 1 << 60 { return limit }
        }
        return nil
    }
}

extension ProcFile {
    /// The user that a process runs as.
    static func owner(of pid: Int32) -> UInt32? {
        var status = stat()
        return stat("/proc/\(pid)", &status) == 0 ? status.st_uid : nil
    }
}
