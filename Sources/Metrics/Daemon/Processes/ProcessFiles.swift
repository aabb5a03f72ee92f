import CLinux
import Files
import Glibc

/// What one process uses, as its files under /proc say it. Times in seconds, sizes in bytes.
struct ProcessFigures {
    var state: UInt8 = 0
    var parent: pid_t = 0
    /// Clock ticks since the boot: with the pid it names a process for good.
    var startTicks: UInt64 = 0
    var userSeconds = 0.0
    var systemSeconds = 0.0
    var minorFaults = 0.0
    var majorFaults = 0.0
    var threads = 0.0
    var virtualBytes = 0.0
    var residentBytes = 0.0
    var swapBytes = 0.0
    var voluntarySwitches = 0.0
    var forcedSwitches = 0.0
    var readBytes = 0.0
    var writtenBytes = 0.0
    var readCalls = 0.0
    var writeCalls = 0.0
    var openFiles = 0.0
    var mostOpenFiles = 0.0
    var owner: UInt32 = 0
}

/// The files of one process, kept open: a descriptor belongs to that process and never to a later one with the same pid.
final class ProcessFiles {
    private static let ticksPerSecond = Double(max(1, sysconf(CInt(_SC_CLK_TCK))))
    private static let pageBytes = Double(max(1, sysconf(CInt(_SC_PAGESIZE))))
    /// The limit on open files seldom changes: it is read once in so many rounds.
    private static let roundsPerLimit = 30

    let pid: pid_t
    private let stat: ProcFile
    private let status: ProcFile
    private let io: ProcFile
    private let limits: ProcFile
    private var openFiles: OpaquePointer?
    private var rounds = 0
    private(set) var figures = ProcessFigures()

    init(_ pid: pid_t) {
        self.pid = pid
        stat = ProcFile("/proc/\(pid)/stat")
        status = ProcFile("/proc/\(pid)/status")
        io = ProcFile("/proc/\(pid)/io")
        limits = ProcFile("/proc/\(pid)/limits")
    }

    deinit {
        if let openFiles { closedir(openFiles) }
    }

    /// Reads everything; false where the process is gone.
    func measure(buffer: ReadBuffer) -> Bool {
        guard stat.read(into: buffer), readStat(buffer.bytes) else { return false }
        if status.read(into: buffer) { readStatus(buffer.bytes) }
        // Not allowed for another user's process without CAP_SYS_PTRACE: then these stay 0.
        if io.read(into: buffer) { readIO(buffer.bytes) }
        countOpenFiles()
        if rounds % Self.roundsPerLimit == 0, limits.read(into: buffer) { readLimits(buffer.bytes) }
        rounds += 1
        return true
    }

    /// `pid (name) state ppid …`; the name may hold anything, so fields are counted from its last parenthesis (proc(5)).
    private func readStat(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let close = bytes.lastIndex(of: 0x29) else { return false }
        var scanner = ByteScanner(UnsafeRawBufferPointer(rebasing: bytes[(close + 1)...]))
        guard let state = scanner.word().first else { return false }
        figures.state = state
        figures.parent = pid_t(truncatingIfNeeded: scanner.unsigned() ?? 0)
        // Fields 5 to 24 (proc(5)): three of them may be negative.
        var fields = [Double](repeating: 0, count: 25)
        for field in 5...24 { fields[field] = scanner.number() ?? 0 }
        figures.minorFaults = fields[10]
        figures.majorFaults = fields[12]
        figures.userSeconds = fields[14] / Self.ticksPerSecond
        figures.systemSeconds = fields[15] / Self.ticksPerSecond
        figures.threads = fields[20]
        figures.startTicks = UInt64(max(0, fields[22]))
        figures.virtualBytes = fields[23]
        figures.residentBytes = fields[24] * Self.pageBytes
        return true
    }

    private func readStatus(_ bytes: UnsafeRawBufferPointer) {
        var scanner = ByteScanner(bytes)
        while !scanner.isAtEnd {
            let name = scanner.word(stop: 0x3a)
            scanner.skip(1)
            if name.equals("VmSwap") {
                figures.swapBytes = (scanner.number() ?? 0) * 1024
            } else if name.equals("Uid") {
                figures.owner = UInt32(truncatingIfNeeded: scanner.unsigned() ?? 0)
            } else if name.equals("voluntary_ctxt_switches") {
                figures.voluntarySwitches = scanner.number() ?? 0
            } else if name.equals("nonvoluntary_ctxt_switches") {
                figures.forcedSwitches = scanner.number() ?? 0
            }
            scanner.skipLine()
        }
    }

    private func readIO(_ bytes: UnsafeRawBufferPointer) {
        var scanner = ByteScanner(bytes)
        while !scanner.isAtEnd {
            let name = scanner.word(stop: 0x3a)
            scanner.skip(1)
            let value = scanner.number() ?? 0
            if name.equals("read_bytes") {
                figures.readBytes = value
            } else if name.equals("write_bytes") {
                figures.writtenBytes = value
            } else if name.equals("syscr") {
                figures.readCalls = value
            } else if name.equals("syscw") {
                figures.writeCalls = value
            }
            scanner.skipLine()
        }
    }

    /// Counts the entries of `fd`: its size tells only on newer kernels.
    private func countOpenFiles() {
        if openFiles == nil { openFiles = opendir("/proc/\(pid)/fd") }
        guard let openFiles else { return }
        rewinddir(openFiles)
        var count = 0
        while readdir(openFiles) != nil { count += 1 }
        figures.openFiles = Double(max(0, count - 2))
    }

    private func readLimits(_ bytes: UnsafeRawBufferPointer) {
        var scanner = ByteScanner(bytes)
        while !scanner.isAtEnd {
            var line = ByteScanner(scanner.line())
            guard line.word().equals("Max"), line.word().equals("open"), line.word().equals("files") else { continue }
            figures.mostOpenFiles = line.number() ?? .infinity
            return
        }
    }
}
