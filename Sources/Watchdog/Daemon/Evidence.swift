import Files
import Glibc
import Runtime
import Time
import WatchdogAPI
import WatchdogCore
import Wire

/// What is kept of a sick process before force is used: one JSON object that a person reads in the morning. Read from
/// /proc alone, on a thread of its own, within a time and a size; whatever was not read by then is named as missing.
///
/// Left out on purpose: `cmdline`, `environ`, `maps` and `smaps` wait for a lock that a process stuck in the kernel may
/// hold for ever, and the environment holds secrets.
struct Evidence {
    /// How much of it, for how long.
    struct Bounds {
        var time: Duration
        var bytes: Int
        var threads = 512
        var openFiles = 4096
        /// Single links and sockets that are listed; all are counted.
        var listed = 256
    }

    /// What was gathered.
    struct Bundle: Sendable {
        var bytes: [UInt8]
        var facts: [String: String]
        var took: Duration
        var isComplete: Bool
    }

    /// What the daemon adds: the last probes and figures, as it knows them.
    struct Context {
        var service: String
        var incident: String
        var atMs: Int64
        var controlGroup: String
        var report: JSON
    }

    private let process: ProcessIdentity
    private let bounds: Bounds
    private let start: Instant
    private var size = 0
    private var missing: [String] = []
    private var bundle = JSONObject()
    private var facts: [String: String] = [:]

    /// Reads everything that the bounds allow.
    static func gather(_ process: ProcessIdentity, _ context: Context, _ bounds: Bounds) -> Bundle {
        var evidence = Evidence(process: process, bounds: bounds, start: HostClock.now().instant)
        evidence.bundle = [
            "service": .string(context.service), "incident": .string(context.incident), "atMs": .integer(context.atMs),
            "pid": .integer(Int64(process.pid)), "startTicks": .integer(Int64(clamping: process.startTicks)),
            "report": context.report,
        ]
        // The most telling first: what is last may fall to the time limit.
        evidence.part("threads") { $0.threads() }
        evidence.part("status") { $0.text("status") }
        evidence.part("io") { $0.text("io") }
        evidence.part("openFiles") { $0.openFiles() }
        evidence.part("sockets") { $0.sockets() }
        evidence.part("limits") { $0.text("limits") }
        evidence.part("cgroup") { $0.controlGroup(context.controlGroup) }
        evidence.part("host") { $0.host() }
        return evidence.finished()
    }

    private init(process: ProcessIdentity, bounds: Bounds, start: Instant) {
        self.process = process
        self.bounds = bounds
        self.start = start
    }

    private var hasRoom: Bool {
        HostClock.now().instant - start < bounds.time && size < bounds.bytes
    }

    private mutating func part(_ name: String, _ read: (inout Evidence) -> JSON?) {
        guard hasRoom, let json = read(&self) else {
            missing.append(name)
            return
        }
        bundle[name] = json
        size += JSONWriter.bytes(of: json).count
        if !hasRoom { missing.append("the rest of \(name)") }
    }

    private mutating func finished() -> Bundle {
        let took = HostClock.now().instant - start
        bundle["tookMs"] = .integer(took.milliseconds)
        bundle["missing"] = .array(missing.map { .string($0) })
        return Bundle(
            bytes: JSONWriter.bytes(of: JSON.object(bundle)), facts: facts, took: took, isComplete: missing.isEmpty)
    }

    private func text(_ name: String) -> JSON? {
        Contents.ofFile("/proc/\(process.pid)/\(name)").map { .string(String(decoding: $0, as: UTF8.self)) }
    }

    // MARK: Parts

    private mutating func threads() -> JSON? {
        let folder = "/proc/\(process.pid)/task"
        guard let tasks = Contents.ofFolder(folder, limit: bounds.threads) else { return nil }
        var list: [JSON] = []
        var states: [String: Int] = [:]
        for task in tasks.sorted(by: { (Int($0) ?? 0) < (Int($1) ?? 0) }) {
            guard hasRoom else { break }
            guard let bytes = Contents.ofFile("\(folder)/\(task)/stat"), let stat = ProcStat(bytes[...]) else {
                continue
            }
            let wchan = Contents.firstLine("\(folder)/\(task)/wchan") ?? ""
            let call = Contents.firstLine("\(folder)/\(task)/syscall") ?? ""
            states[String(stat.state), default: 0] += 1
            list.append([
                "thread": .string(task), "name": .string(Contents.firstLine("\(folder)/\(task)/comm") ?? ""),
                "state": .string(String(stat.state)), "wchan": .string(wchan), "syscall": .string(call),
                "userTicks": .integer(stat.userTicks), "kernelTicks": .integer(stat.kernelTicks),
            ])
            if task == "\(process.pid)" {
                facts["state"] = String(stat.state)
                facts["wchan"] = wchan == "0" ? "none: it runs" : wchan
                facts["syscall"] = call
            }
        }
        facts["threads"] = states.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        return .array(list)
    }

    private mutating func openFiles() -> JSON? {
        let folder = "/proc/\(process.pid)/fd"
        guard let names = Contents.ofFolder(folder, limit: bounds.openFiles) else { return nil }
        var kinds: [String: Int] = [:]
        var listed = JSONObject()
        for name in names.sorted(by: { (Int($0) ?? 0) < (Int($1) ?? 0) }) {
            guard hasRoom else { break }
            guard let target = Contents.ofLink("\(folder)/\(name)") else { continue }
            kinds[Self.kind(of: target), default: 0] += 1
            if listed.count < bounds.listed { listed[name] = .string(target) }
        }
        facts["openFiles"] = "\(names.count)"
        let counts = kinds.sorted { $0.key < $1.key }.map { ($0.key, JSON.integer(Int64($0.value))) }
        return ["count": .integer(Int64(names.count)), "kinds": .object(JSONObject(counts)), "open": .object(listed)]
    }

    /// `socket`, `pipe`, `anon_inode:[eventpoll]`, `/dev`, `file`, `deleted`.
    private static func kind(of target: String) -> String {
        if target.hasPrefix("/") {
            if target.hasSuffix(" (deleted)") { return "deleted" }
            return target.hasPrefix("/dev/") ? "device" : "file"
        }
        if target.hasPrefix("anon_inode:") { return target }
        return String(target.prefix { $0 != ":" })
    }

    private mutating func sockets() -> JSON? {
        guard let names = Contents.ofFolder("/proc/\(process.pid)/fd", limit: bounds.openFiles) else { return nil }
        var own: Set<UInt64> = []
        for name in names {
            guard hasRoom, let target = Contents.ofLink("/proc/\(process.pid)/fd/\(name)"), target.hasPrefix("socket:[")
            else { continue }
            if let inode = UInt64(target.dropFirst("socket:[".count).dropLast()) { own.insert(inode) }
        }
        var counts: [String: Int] = [:]
        var listed: [JSON] = []
        var waiting: Int64?
        for table in ["tcp", "tcp6"] where hasRoom {
            for line in SocketTable.read("/proc/\(process.pid)/net/\(table)") where own.contains(line.inode) {
                counts["\(line.state)", default: 0] += 1
                if line.state == .listen { waiting = max(waiting ?? 0, line.receiveQueue) }
                guard listed.count < bounds.listed else { continue }
                listed.append([
                    "table": .string(table), "state": .string("\(line.state)"), "local": .string(line.local),
                    "remote": .string(line.remote), "receiveQueue": .integer(line.receiveQueue),
                    "sendQueue": .integer(line.sendQueue),
                ])
            }
        }
        facts["acceptQueue"] = waiting.map { "\($0)" }
        let states = counts.sorted { $0.key < $1.key }.map { ($0.key, JSON.integer(Int64($0.value))) }
        return ["states": .object(JSONObject(states)), "listed": .array(listed)]
    }

    /// The figures of the unit's control group: of the one hierarchy, or of the old ones where a controller is bound
    /// there.
    private func controlGroup(_ path: String) -> JSON? {
        guard let membership = Contents.ofFile("/proc/\(process.pid)/cgroup") else { return nil }
        var figures: JSONObject = ["membership": .string(String(decoding: membership, as: UTF8.self))]
        guard !path.isEmpty else { return .object(figures) }
        let files = [
            ("", "memory.current"), ("", "memory.peak"), ("", "memory.max"), ("", "memory.events"), ("", "memory.stat"),
            ("", "cpu.stat"), ("", "cpu.pressure"), ("", "memory.pressure"), ("", "io.pressure"), ("", "pids.current"),
            ("/unified", "cpu.stat"), ("/unified", "cpu.pressure"), ("/unified", "memory.pressure"),
            ("/memory", "memory.usage_in_bytes"), ("/memory", "memory.failcnt"), ("/pids", "pids.current"),
        ]
        for (hierarchy, file) in files {
            guard let bytes = Contents.ofFile("/sys/fs/cgroup\(hierarchy)\(path)/\(file)", limit: 8192) else {
                continue
            }
            figures["\(hierarchy.dropFirst())\(hierarchy.isEmpty ? "" : "/")\(file)"] = .string(
                String(decoding: bytes, as: UTF8.self))
        }
        return .object(figures)
    }

    private func host() -> JSON? {
        var figures = JSONObject()
        for file in ["loadavg", "pressure/cpu", "pressure/memory", "pressure/io"] {
            guard let bytes = Contents.ofFile("/proc/\(file)", limit: 4096) else { continue }
            figures[file] = .string(String(decoding: bytes, as: UTF8.self))
        }
        return .object(figures)
    }
}
