internal import CLinux
internal import Files
internal import Glibc

/// Tells of the end of processes that are not our children, by pidfd: 54 us after it at the median (FACTS §11). A
/// zombie counts as ended, however long its parent leaves it unreaped: its pidfd is ready from the moment it died.
package actor ProcessExits {
    private nonisolated let thread: EventThread
    private var watches: [Int32: Watch] = [:]

    private struct Watch {
        var pidfd: Int32
        var source: EventThread.SourceID
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        thread.asUnownedSerialExecutor()
    }

    package init(on thread: EventThread) {
        self.thread = thread
    }

    /// Calls `ended` once, on the thread, when the process `pid` is gone (at once where it is already, or where the pid
    /// belongs to another process by now: `startTicks` is what `ProcessStart.ticks` said of the one that is meant).
    /// A second call for the same pid replaces the first. `ended` is not called where the host has no descriptor left:
    /// that must not look like a death.
    package nonisolated func watch(
        _ pid: Int32, startTicks: UInt64? = nil, _ ended: @escaping @Sendable (Int32) -> Void
    ) {
        thread.post { self.assumeIsolated { $0.begin(pid, startTicks, ended) } }
    }

    /// Forgets the process; `ended` is not called any more once the thread has seen this.
    package nonisolated func unwatch(_ pid: Int32) {
        thread.post { self.assumeIsolated { $0.end(pid) } }
    }

    /// Sends `signal` to that very process, by pidfd: never to another that has its pid by now. The answer is 0 or
    /// errno; ESRCH where it is gone.
    package nonisolated func signal(
        _ pid: Int32, startTicks: UInt64, signal: Int32, _ answered: @escaping @Sendable (Int32) -> Void
    ) {
        thread.post {
            let pidfd = mainstay_pidfd_open(pid, 0)
            guard pidfd >= 0 else { return answered(errno) }
            defer { close(pidfd) }
            guard ProcessStart.ticks(of: pid) == startTicks else { return answered(ESRCH) }
            answered(mainstay_pidfd_send_signal(pidfd, signal) == 0 ? 0 : errno)
        }
    }

    private func begin(_ pid: Int32, _ startTicks: UInt64?, _ ended: @escaping @Sendable (Int32) -> Void) {
        end(pid)
        let pidfd = mainstay_pidfd_open(pid, 0)
        guard pidfd >= 0 else {
            if errno == ESRCH { ended(pid) }
            return
        }
        // Asked after the open: from here on the pidfd names one process, and this tells which.
        if let startTicks, ProcessStart.ticks(of: pid) != startTicks {
            close(pidfd)
            return ended(pid)
        }
        let source = thread.watch(pidfd, for: .readable) { _ in
            self.end(pid)
            ended(pid)
        }
        guard let source else {
            close(pidfd)
            return
        }
        watches[pid] = Watch(pidfd: pidfd, source: source)
    }

    private func end(_ pid: Int32) {
        guard let watch = watches.removeValue(forKey: pid) else { return }
        thread.unwatch(watch.source)
        close(watch.pidfd)
    }
}

/// When a process started: with its pid, what it cannot be mistaken by.
package enum ProcessStart {
    /// Field 22 of /proc/<pid>/stat, in clock ticks since boot; also of a zombie. Nil where there is no such process.
    package static func ticks(of pid: Int32) -> UInt64? {
        // The second field is the program's name, in parentheses, with whatever bytes it likes: count from its end.
        guard let bytes = Contents.ofFile("/proc/\(pid)/stat", limit: 1024),
            let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19 else { return nil }
        return UInt64(String(decoding: fields[19], as: UTF8.self))
    }
}
