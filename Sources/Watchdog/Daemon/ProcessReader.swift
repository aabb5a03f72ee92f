import Files
import Glibc
import Runtime
import Time
import WatchdogCore

/// What the thread `proc` owns: the files of /proc of each guarded process, kept open between readings.
struct ProcessReader {
    private var processes: [ProcessIdentity: OpenProcess] = [:]
    private var kernel = InetDiag()
    private var answers: [ProcessIdentity: AnswersWritten] = [:]
    private var buffer = [UInt8](repeating: 0, count: 8192)
    private let millisecondsPerTick = 1000 / Int64(max(1, sysconf(Int32(_SC_CLK_TCK))))
    private let pageBytes = Int64(sysconf(Int32(_SC_PAGESIZE)))

    /// The process is gone, or is not the one meant.
    struct Gone: Error {}

    private struct OpenProcess {
        var stat: ProcFile
        var taskStat: ProcFile
        var taskStatus: ProcFile
        /// Nil without CAP_SYS_PTRACE over the process: its calls cannot be counted then.
        var taskIO: ProcFile?
        var statm: ProcFile?
        var openFilesLimit: Int64?
        var sharesOurNetwork: Bool
    }

    /// The main thread's counters, and the queue of the socket listening on `port`, where one is given.
    mutating func progress(_ identity: ProcessIdentity, port: UInt16?) throws -> ProgressSample {
        let process = try openProcess(identity)
        guard let bytes = process.stat.read(into: &buffer), let whole = ProcStat(bytes) else { throw gone(identity) }
        guard let bytes = process.taskStat.read(into: &buffer), let main = ProcStat(bytes) else { throw gone(identity) }
        guard let bytes = process.taskStatus.read(into: &buffer) else { throw gone(identity) }
        let status = ProcFields(bytes)
        let io = process.taskIO?.read(into: &buffer).map { ProcFields($0) }
        let queue: Int64? =
            if let port {
                process.sharesOurNetwork
                    ? AcceptQueues.waiting(port: port, &kernel) : AcceptQueues.waiting(port: port, in: identity.pid)
            } else { nil }
        return ProgressSample(
            process: identity, taken: HostClock.now().instant, state: main.state, threads: whole.threads,
            readCalls: io?.number("syscr"), writeCalls: io?.number("syscw"),
            userCpuMs: main.userTicks * millisecondsPerTick, kernelCpuMs: main.kernelTicks * millisecondsPerTick,
            processCpuMs: (whole.userTicks + whole.kernelTicks) * millisecondsPerTick,
            voluntarySwitches: status.number("voluntary_ctxt_switches"),
            tracerPid: Int32(clamping: status.number("TracerPid") ?? 0), acceptQueue: queue)
    }

    /// Memory, CPU and open files.
    mutating func resources(_ identity: ProcessIdentity) throws -> ResourceSample {
        let process = try openProcess(identity)
        guard let bytes = process.stat.read(into: &buffer), let whole = ProcStat(bytes) else { throw gone(identity) }
        let resident = process.statm?.read(into: &buffer).flatMap { bytes -> Int64? in
            let fields = bytes.split(separator: UInt8(ascii: " "))
            return fields.count > 1 ? ProcFields.number(fields[1]).map { $0 * pageBytes } : nil
        }
        return ResourceSample(
            process: identity, taken: HostClock.now().instant, residentBytes: resident,
            processCpuMs: (whole.userTicks + whole.kernelTicks) * millisecondsPerTick,
            openFiles: Self.countOpenFiles(identity.pid), openFilesLimit: process.openFilesLimit)
    }

    /// How many answers were seen to be written to clients of `port`, in all looks; nil where its sockets cannot be
    /// seen from here, as in another network namespace.
    mutating func answersWritten(_ identity: ProcessIdentity, port: UInt16) throws -> Int64? {
        guard try openProcess(identity).sharesOurNetwork,
            let sockets = kernel.sockets(
                port: port, [.established, .closeWait, .finWait1, .finWait2], withBytes: true)
        else { return nil }
        answers[identity, default: AnswersWritten()].looked(sockets, at: HostClock.now().instant)
        return answers[identity]?.total
    }

    /// Closes what is open for the process.
    mutating func forget(_ identity: ProcessIdentity) {
        processes[identity] = nil
        answers[identity] = nil
    }

    private mutating func gone(_ identity: ProcessIdentity) -> Gone {
        forget(identity)
        return Gone()
    }

    private mutating func openProcess(_ identity: ProcessIdentity) throws -> OpenProcess {
        if let process = processes[identity] { return process }
        let folder = "/proc/\(identity.pid)"
        guard let stat = ProcFile(onceOpened: "\(folder)/stat"),
            let taskStat = ProcFile(onceOpened: "\(folder)/task/\(identity.pid)/stat"),
            let taskStatus = ProcFile(onceOpened: "\(folder)/task/\(identity.pid)/status"),
            // The descriptors name one process from here on; its start time tells whether it is the one meant.
            let bytes = stat.read(into: &buffer), ProcStat(bytes)?.startTicks == identity.startTicks
        else { throw Gone() }
        let process = OpenProcess(
            stat: stat, taskStat: taskStat, taskStatus: taskStatus,
            taskIO: ProcFile(onceOpened: "\(folder)/task/\(identity.pid)/io"),
            statm: ProcFile(onceOpened: "\(folder)/statm"),
            openFilesLimit: Self.openFilesLimit(identity.pid),
            sharesOurNetwork: Contents.ofLink("\(folder)/ns/net").map { $0 == Contents.ofLink("/proc/self/ns/net") }
                ?? true
        )
        processes[identity] = process
        return process
    }

    /// Newer kernels give the count as the directory's size, older ones 0: then the entries are counted.
    private static func countOpenFiles(_ pid: Int32) -> Int64? {
        var status = stat()
        guard stat("/proc/\(pid)/fd", &status) == 0 else { return nil }
        if status.st_size > 0 { return Int64(status.st_size) }
        return Contents.ofFolder("/proc/\(pid)/fd").map { Int64($0.count) }
    }

    private static func openFilesLimit(_ pid: Int32) -> Int64? {
        guard let bytes = Contents.ofFile("/proc/\(pid)/limits") else { return nil }
        for line in bytes.split(separator: UInt8(ascii: "\n")) where line.starts(with: "Max open files".utf8) {
            return ProcFields.number(line.dropFirst("Max open files".utf8.count))
        }
        return nil
    }
}
