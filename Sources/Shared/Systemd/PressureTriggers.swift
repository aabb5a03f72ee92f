internal import CLinux
internal import Glibc
internal import Time

/// The kernel's pressure stall triggers (Documentation/accounting/psi.rst): a notice within the window in which tasks
/// stalled longer than a threshold, without polling.
package actor PressureTriggers {
    private nonisolated let thread: EventThread
    private var sources: [Int32: EventThread.SourceID] = [:]

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        thread.asUnownedSerialExecutor()
    }

    package init(on thread: EventThread) {
        self.thread = thread
    }

    /// Calls `crossed` on the thread at most once a window while `file` (as /proc/pressure/cpu) is over `stall` in
    /// `window`. The kernel takes windows of 0.5 to 10 s, and from an unprivileged caller only multiples of 2 s.
    /// `refused` is called instead, with errno, where the kernel has no such pressure file or refuses the trigger.
    package nonisolated func watch(
        _ file: String, stall: Duration, window: Duration, refused: @escaping @Sendable (Int32) -> Void,
        crossed: @escaping @Sendable () -> Void
    ) {
        thread.post { self.assumeIsolated { $0.begin(file, stall, window, refused, crossed) } }
    }

    private func begin(
        _ file: String, _ stall: Duration, _ window: Duration, _ refused: @Sendable (Int32) -> Void,
        _ crossed: @escaping @Sendable () -> Void
    ) {
        let descriptor = open(file, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            refused(errno)
            return
        }
        let trigger = "some \(stall.nanoseconds / 1000) \(window.nanoseconds / 1000)"
        let written = trigger.withCString { write(descriptor, $0, strlen($0) + 1) }
        guard written > 0 else {
            refused(errno)
            close(descriptor)
            return
        }
        sources[descriptor] = thread.watch(descriptor, for: .exceptional) { bits in
            guard bits & EPOLLERR.rawValue == 0 else {
                self.end(descriptor)
                return
            }
            crossed()
        }
    }

    /// A trigger in error (its cgroup is gone) would be ready for ever.
    private func end(_ descriptor: Int32) {
        guard let source = sources.removeValue(forKey: descriptor) else { return }
        thread.unwatch(source)
        close(descriptor)
    }
}
