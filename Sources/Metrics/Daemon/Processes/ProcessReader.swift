import CLinux
import Files
import Glibc
import MetricsCore

/// A guarded service, as the collectors of processes see it.
struct WatchedUnit: Hashable, Sendable {
    var service: String
    var unit: String
}

/// The figures of every guarded unit's processes: the whole tree under process-exporter's names, the main process under those of
/// Prometheus's client libraries, the cgroup under cAdvisor's. All carry the label `service`.
final class ProcessReader {
    /// Processes of one unit that are read each round; more are counted, not read.
    private static let mostProcesses = 256
    /// A unit without a cgroup is looked for once in so many rounds: it does not run.
    private static let roundsPerSearch = 5

    private let buffer = ReadBuffer()
    private var round = RoundBuilder()
    private var groupRound = RoundBuilder()
    private var hierarchy: UnitCgroup.Hierarchy?
    private var units: [UnitState] = []
    private var rounds = 0
    private let bootSeconds: Double

    /// - Parameter hierarchy: where the host's cgroups are; found where it is not given.
    init(hierarchy: UnitCgroup.Hierarchy? = nil) {
        self.hierarchy = hierarchy ?? UnitCgroup.Hierarchy.find()
        bootSeconds = Self.bootTime()
    }

    /// What is measured of one unit, and the totals of processes that are gone.
    private final class UnitState {
        let watched: WatchedUnit
        var cgroup: UnitCgroup?
        var group: CgroupFiles?
        var processes: [pid_t: ProcessFiles] = [:]
        var totals = ProcessTotals()

        init(_ watched: WatchedUnit) {
            self.watched = watched
        }
    }

    /// What a round tells beside its values: which user each service runs as, for the access class *self*.
    struct Measured: Sendable {
        var collection: Collection
        var owners: [String: UInt32]
    }

    /// Measures every unit's processes.
    func measure(_ watched: [WatchedUnit], withTable: Bool) -> Measured {
        follow(watched)
        var owners: [String: UInt32] = [:]
        for unit in units {
            locate(unit)
            measure(unit)
            if let main = Self.main(of: unit.processes) { owners[unit.watched.service] = main.figures.owner }
        }
        rounds += 1
        return Measured(collection: round.finish(withTable: withTable), owners: owners)
    }

    /// Measures every unit's cgroup, where the round of processes found one.
    func measureGroups(_ watched: [WatchedUnit], withTable: Bool) -> Collection {
        follow(watched)
        for unit in units { unit.group?.add(to: &groupRound, service: unit.watched.service, buffer: buffer) }
        return groupRound.finish(withTable: withTable)
    }

    private func follow(_ watched: [WatchedUnit]) {
        if watched != units.map(\.watched) {
            let known = Dictionary(units.map { ($0.watched, $0) }) { first, _ in first }
            units = watched.map { known[$0] ?? UnitState($0) }
        }
        if hierarchy == nil { hierarchy = UnitCgroup.Hierarchy.find() }
    }

    private func locate(_ unit: UnitState) {
        if let known = unit.cgroup, known.exists { return }
        let isNew = unit.cgroup == nil
        unit.cgroup = nil
        unit.group = nil
        guard let hierarchy, !isNew || rounds % Self.roundsPerSearch == 0 else { return }
        unit.cgroup = UnitCgroup.find(unit.watched.unit, in: hierarchy)
        unit.group = unit.cgroup.map { CgroupFiles($0, isUnified: hierarchy.isUnified) }
    }

    private func measure(_ unit: UnitState) {
        let pids = unit.cgroup?.processes(buffer: buffer, limit: Self.mostProcesses) ?? []
        let present = Set(pids)
        for gone in unit.processes.keys where !present.contains(gone) { unit.processes[gone] = nil }
        for pid in pids {
            let files = unit.processes[pid] ?? ProcessFiles(pid)
            let before = unit.processes[pid]?.figures
            guard files.measure(buffer: buffer) else {
                unit.processes[pid] = nil
                continue
            }
            unit.totals.add(files.figures, before: before)
            unit.processes[pid] = files
        }
        addTree(unit)
        if let main = Self.main(of: unit.processes) { addMain(unit.watched.service, main.figures) }
    }

    /// The unit's main process: the oldest whose parent is not of the unit. (Process 1 knows it for certain, but may not answer.)
    private static func main(of processes: [pid_t: ProcessFiles]) -> ProcessFiles? {
        processes.values.filter { processes[$0.figures.parent] == nil }
            .min { ($0.figures.startTicks, $0.pid) < ($1.figures.startTicks, $1.pid) }
    }

    private func add(
        _ service: String, _ metric: StaticString, _ value: Double, _ label: (StaticString, StaticString)? = nil
    ) {
        var key = SeriesKey(metric)
        if let label { key = key.adding(SeriesKey(label.1).value) }
        var service = service
        key = service.withUTF8 { key.adding(UnsafeRawBufferPointer($0)) }
        round.add(value, key: key.value) {
            var labels = [Label("groupname", service), Label("service", service)]
            if let label { labels.append(Label(label.0.description, label.1.description)) }
            return Labels(metric.description, labels)
        }
    }

    private func addTree(_ unit: UnitState) {
        let name = unit.watched.service
        let all = unit.processes.values.map(\.figures)
        func sum(_ field: KeyPath<ProcessFigures, Double>) -> Double { all.reduce(0) { $0 + $1[keyPath: field] } }
        let totals = unit.totals
        add(name, "namedprocess_namegroup_num_procs", Double(all.count))
        add(name, "namedprocess_namegroup_num_threads", sum(\.threads))
        add(name, "namedprocess_namegroup_cpu_seconds_total", totals.userSeconds, ("mode", "user"))
        add(name, "namedprocess_namegroup_cpu_seconds_total", totals.systemSeconds, ("mode", "system"))
        add(name, "namedprocess_namegroup_memory_bytes", sum(\.residentBytes), ("memtype", "resident"))
        add(name, "namedprocess_namegroup_memory_bytes", sum(\.virtualBytes), ("memtype", "virtual"))
        add(name, "namedprocess_namegroup_memory_bytes", sum(\.swapBytes), ("memtype", "swapped"))
        add(name, "namedprocess_namegroup_open_filedesc", sum(\.openFiles))
        let worst = all.map { $0.mostOpenFiles > 0 ? $0.openFiles / $0.mostOpenFiles : 0 }.max() ?? 0
        add(name, "namedprocess_namegroup_worst_fd_ratio", worst)
        add(
            name, "namedprocess_namegroup_context_switches_total", totals.voluntarySwitches,
            ("ctxswitchtype", "voluntary"))
        add(
            name, "namedprocess_namegroup_context_switches_total", totals.forcedSwitches,
            ("ctxswitchtype", "nonvoluntary"))
        add(name, "namedprocess_namegroup_minor_page_faults_total", totals.minorFaults)
        add(name, "namedprocess_namegroup_major_page_faults_total", totals.majorFaults)
        add(name, "namedprocess_namegroup_read_bytes_total", totals.readBytes)
        add(name, "namedprocess_namegroup_write_bytes_total", totals.writtenBytes)
        add(name, "namedprocess_namegroup_read_syscalls_total", totals.readCalls)
        add(name, "namedprocess_namegroup_write_syscalls_total", totals.writeCalls)
        if let oldest = all.map(\.startTicks).min() {
            add(name, "namedprocess_namegroup_oldest_start_time_seconds", startSeconds(oldest))
        }
        for (state, letters) in Self.states {
            let count = all.reduce(0.0) { $0 + (letters.contains($1.state) ? 1 : 0) }
            add(name, "namedprocess_namegroup_states", count, ("state", state))
        }
    }

    /// process-exporter's names of states, and the letters of proc(5) that belong to each.
    private static let states: [(StaticString, [UInt8])] = [
        ("Running", [UInt8(ascii: "R")]), ("Sleeping", [UInt8(ascii: "S")]), ("Waiting", [UInt8(ascii: "D")]),
        ("Zombie", [UInt8(ascii: "Z")]),
        ("Other", [UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: "I"), UInt8(ascii: "X")]),
    ]

    private func addMain(_ service: String, _ figures: ProcessFigures) {
        func add(_ metric: StaticString, _ value: Double) {
            var service = service
            let key = service.withUTF8 { SeriesKey(metric).adding(1).adding(UnsafeRawBufferPointer($0)) }
            round.add(value, key: key.value) {
                Labels(metric.description, [Label("job", "process"), Label("service", service)])
            }
        }
        add("process_cpu_seconds_total", figures.userSeconds + figures.systemSeconds)
        add("process_resident_memory_bytes", figures.residentBytes)
        add("process_virtual_memory_bytes", figures.virtualBytes)
        add("process_threads", figures.threads)
        add("process_open_fds", figures.openFiles)
        add("process_max_fds", figures.mostOpenFiles)
        add("process_start_time_seconds", startSeconds(figures.startTicks))
    }

    private func startSeconds(_ ticks: UInt64) -> Double {
        bootSeconds + Double(ticks) / Double(max(1, sysconf(CInt(_SC_CLK_TCK))))
    }

    private static func bootTime() -> Double {
        let buffer = ReadBuffer()
        guard ProcFile("/proc/stat").read(into: buffer) else { return 0 }
        var scanner = ByteScanner(buffer.bytes)
        while !scanner.isAtEnd {
            if scanner.word().equals("btime") { return scanner.number() ?? 0 }
            scanner.skipLine()
        }
        return 0
    }
}

/// Counters of a unit that never go back, although its processes come and go: each process adds what it has used since it was last
/// seen (process-exporter's rule).
struct ProcessTotals {
    var userSeconds = 0.0
    var systemSeconds = 0.0
    var minorFaults = 0.0
    var majorFaults = 0.0
    var voluntarySwitches = 0.0
    var forcedSwitches = 0.0
    var readBytes = 0.0
    var writtenBytes = 0.0
    var readCalls = 0.0
    var writeCalls = 0.0

    /// - Parameter before: what the process had used when it was last seen; nil where it is new.
    mutating func add(_ now: ProcessFigures, before: ProcessFigures?) {
        let old = before ?? ProcessFigures()
        userSeconds += max(0, now.userSeconds - old.userSeconds)
        systemSeconds += max(0, now.systemSeconds - old.systemSeconds)
        minorFaults += max(0, now.minorFaults - old.minorFaults)
        majorFaults += max(0, now.majorFaults - old.majorFaults)
        voluntarySwitches += max(0, now.voluntarySwitches - old.voluntarySwitches)
        forcedSwitches += max(0, now.forcedSwitches - old.forcedSwitches)
        readBytes += max(0, now.readBytes - old.readBytes)
        writtenBytes += max(0, now.writtenBytes - old.writtenBytes)
        readCalls += max(0, now.readCalls - old.readCalls)
        writeCalls += max(0, now.writeCalls - old.writeCalls)
    }
}
