import CLinux
import Glibc
package import Time

/// The host's clocks. The only place in a daemon where time is read; machines receive it.
package enum HostClock {
    /// CLOCK_MONOTONIC and CLOCK_REALTIME, read one after the other.
    package static func now() -> Moment {
        Moment(
            instant: Instant(nanoseconds: nanoseconds(of: CLOCK_MONOTONIC)),
            wall: WallTime(milliseconds: nanoseconds(of: CLOCK_REALTIME) / 1_000_000))
    }

    private static func nanoseconds(of clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
