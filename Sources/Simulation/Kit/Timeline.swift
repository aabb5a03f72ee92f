import HeapModule
package import Time

/// What will happen, in order: the world's only clock. Of two events at one instant the one that was planned first comes
/// first, so a run is the same whenever its seed is.
package final class Timeline {
    private struct Entry: Comparable {
        var at: Instant
        var order: UInt64
        var body: () -> Void

        static func < (left: Entry, right: Entry) -> Bool { (left.at, left.order) < (right.at, right.order) }
        static func == (left: Entry, right: Entry) -> Bool { (left.at, left.order) == (right.at, right.order) }
    }

    /// The instant of the event that runs.
    package private(set) var now: Instant
    /// How far the settable clock is from the monotonic one; faults step it.
    package var wallOffsetMs: Int64 = 1_790_000_000_000
    /// Events that have run.
    package private(set) var steps = 0

    private var entries = Heap<Entry>()
    private var planned: UInt64 = 0

    package init(start: Instant = Instant(nanoseconds: 3_600_000_000_000)) {
        now = start
    }

    /// Now on both clocks.
    package var moment: Moment {
        Moment(instant: now, wall: WallTime(milliseconds: now.nanoseconds / 1_000_000 + wallOffsetMs))
    }

    /// Runs `body` after `delay`; at once in order where that is zero or less.
    package func after(_ delay: Duration, _ body: @escaping () -> Void) {
        planned += 1
        entries.insert(Entry(at: now + max(.zero, delay), order: planned, body: body))
    }

    /// Runs everything up to `end`, calling `afterEach` after each event.
    package func run(until end: Instant, afterEach: () -> Void = {}) {
        while let next = entries.min, next.at <= end {
            entries.removeMin()
            now = next.at
            steps += 1
            next.body()
            afterEach()
        }
        now = end
    }
}
