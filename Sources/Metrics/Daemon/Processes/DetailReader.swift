import CLinux
import Files
import Glibc
import MetricsCore

/// What costs too much for each second: the proportional and the private memory of the guarded units' processes (19 ms for a
/// process of 2 GiB, and `smaps_rollup` waits for the process's own memory lock).
final class DetailReader {
    private let buffer = ReadBuffer()
    private var round = RoundBuilder()
    private let hierarchy = UnitCgroup.Hierarchy.find()

    func measure(_ watched: [WatchedUnit], withTable: Bool) -> Collection {
        for unit in watched { addMemory(unit) }
        return round.finish(withTable: withTable)
    }

    private func addMemory(_ unit: WatchedUnit) {
        guard let hierarchy, let cgroup = UnitCgroup.find(unit.unit, in: hierarchy) else { return }
        var proportional = 0.0
        var proportionalSwap = 0.0
        var own = 0.0
        for pid in cgroup.processes(buffer: buffer, limit: 256) {
            guard ProcFile("/proc/\(pid)/smaps_rollup").read(into: buffer) else { continue }
            var scanner = ByteScanner(buffer.bytes)
            while !scanner.isAtEnd {
                let name = scanner.word(stop: 0x3a)
                scanner.skip(1)
                let bytes = (scanner.number() ?? 0) * 1024
                if name.equals("Pss") {
                    proportional += bytes
                } else if name.equals("SwapPss") {
                    proportionalSwap += bytes
                } else if name.equals("Private_Clean") || name.equals("Private_Dirty") {
                    own += bytes
                }
                scanner.skipLine()
            }
        }
        add(unit.service, "proportionalResident", proportional)
        add(unit.service, "proportionalSwapped", proportionalSwap)
        add(unit.service, "private", own)
    }

    private func add(_ service: String, _ kind: StaticString, _ value: Double) {
        var service = service
        let key = service.withUTF8 { SeriesKey(kind).adding(UnsafeRawBufferPointer($0)) }
        round.add(value, key: key.value) {
            Labels(
                "namedprocess_namegroup_memory_bytes",
                [Label("groupname", service), Label("service", service), Label("memtype", kind.description)])
        }
    }
}
