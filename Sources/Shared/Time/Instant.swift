/// A point on the host's monotonic clock, in nanoseconds since an arbitrary origin (CLOCK_MONOTONIC, so it stands still
/// while the host is suspended and never steps). Only differences mean anything; it is not comparable across boots.
///
/// Sums stop at the ends of Int64, 292 years away: a figure out of a damaged file may be absurd, and must not end a daemon.
package struct Instant: InstantProtocol, Hashable, Comparable, Sendable {
    /// Nanoseconds since the clock's origin.
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// The clock's origin: what tests and simulations count from.
    package static let zero = Instant(nanoseconds: 0)

    package func advanced(by duration: Duration) -> Instant {
        let step = duration.nanoseconds
        return Instant(nanoseconds: held(nanoseconds.addingReportingOverflow(step), orIsBelow: step < 0))
    }

    package func duration(to other: Instant) -> Duration {
        .nanoseconds(held(other.nanoseconds.subtractingReportingOverflow(nanoseconds), orIsBelow: other < self))
    }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    package static func + (instant: Instant, duration: Duration) -> Instant {
        instant.advanced(by: duration)
    }

    package static func - (instant: Instant, duration: Duration) -> Instant {
        let step = duration.nanoseconds
        return Instant(nanoseconds: held(instant.nanoseconds.subtractingReportingOverflow(step), orIsBelow: step > 0))
    }

    /// The time from `right` to `left`; negative where `left` is earlier.
    package static func - (left: Instant, right: Instant) -> Duration {
        right.duration(to: left)
    }
}

extension Duration {
    /// Whole nanoseconds, cut toward zero; of a duration beyond 292 years, the most that Int64 holds.
    package var nanoseconds: Int64 { whole(perSecond: 1_000_000_000) }

    /// Whole milliseconds, cut toward zero; the same beyond 292 million years.
    package var milliseconds: Int64 { whole(perSecond: 1000) }

    @inline(__always)
    private func whole(perSecond units: Int64) -> Int64 {
        let (seconds, attoseconds) = components
        let whole = seconds.multipliedReportingOverflow(by: units)
        let part = attoseconds / (1_000_000_000_000_000_000 / units)
        guard !whole.overflow else { return seconds < 0 ? .min : .max }
        return held(whole.partialValue.addingReportingOverflow(part), orIsBelow: seconds < 0)
    }

    /// Seconds with their fraction, for formulas; never for deadlines.
    package var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}

/// A sum, or the end of Int64 that it went beyond.
@inline(__always)
private func held(_ sum: (partialValue: Int64, overflow: Bool), orIsBelow isBelow: Bool) -> Int64 {
    guard sum.overflow else { return sum.partialValue }
    return isBelow ? .min : .max
}
