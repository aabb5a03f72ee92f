internal import Glibc
internal import Time

/// Until when a conversation with a server may take: whatever waits on a socket waits through it, so that no trickle of bytes
/// makes it longer. For threads that may block, never for the loop.
package struct Deadline: Hashable, Sendable {
    private let end: Instant

    /// `after` from now, on CLOCK_MONOTONIC.
    package init(after duration: Duration) {
        end = Self.now() + duration
    }

    /// What a socket is waited for.
    package enum Readiness: Hashable, Sendable {
        case reading
        case writing
    }

    /// Waits until a socket can be read or written, or has failed, which the next call on it tells.
    /// - Returns: false where the time is up first.
    package func isReady(_ descriptor: Int32, for readiness: Readiness) -> Bool {
        var waited = pollfd(fd: descriptor, events: Int16(readiness == .reading ? POLLIN : POLLOUT), revents: 0)
        while true {
            let left = end - Self.now()
            guard left > .zero else { return false }
            // A millisecond more than it is, or the last one would be spent in turns.
            let count = poll(&waited, 1, Int32(clamping: left.milliseconds + 1))
            if count > 0 { return true }
            if count < 0 && errno != EINTR { return true }
        }
    }

    private static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
