internal import CLinux
internal import Glibc

/// Tells of the end of processes that are not our children, by pidfd: 54 us after it at the median (FACTS §11). A zombie
/// counts as ended, however long its parent leaves it unreaped: its pidfd is ready from the moment it died.
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

    /// Calls `ended` once, on the thread, when the process `pid` is gone (at once where it is already).
    /// A second call for the same pid replaces the first.
    package nonisolated func watch(_ pid: Int32, _ ended: @escaping @Sendable (Int32) -> Void) {
        thread.post { self.assumeIsolated { $0.begin(pid, ended) } }
    }

    /// Forgets the process; `ended` is not called any more once the thread has seen this.
    package nonisolated func unwatch(_ pid: Int32) {
        thread.post { self.assumeIsolated { $0.end(pid) } }
    }

    private func begin(_ pid: Int32, _ ended: @escaping @Sendable (Int32) -> Void) {
        end(pid)
        let pidfd = mainstay_pidfd_open(pid, 0)
        guard pidfd >= 0 else {
            // ESRCH: it is gone and reaped. Any other error (no descriptors left) must not look like a death.
            if errno == ESRCH {
                ended(pid)
            }
            return
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
