import HeapModule
package import Time

/// What will happen, in order: the world's only clock. Of two events at one instant the one that was planned first comes
/// first, so a run is the same whenever its seed is.
package final class Timeline {
    /// What the heap moves about: numbers alone, since a closure would be retained and released at each move.
    private struct Entry: Comparable {
        let at: Instant
        let order: UInt64
        /// Where its body lies in `bodies`.
        let place: Int

        static func < (left: Entry, right: Entry) -> Bool {
            (left.at.nanoseconds, left.order) < (right.at.nanoseconds, right.order)
        }
    }

    /// What an event does. In a struct, since a closure that is an array's element itself is wrapped in another.
    private struct Body {
        let run: () -> Void
    }

    /// The instant of the event that runs.
    package private(set) var now: Instant
    /// How far the settable clock is from the monotonic one; faults step it.
    package var wallOffsetMs: Int64 = 1_790_000_000_000
    /// Events that have run.
    package private(set) var steps = 0

    private var entries = Heap<Entry>()
    private var bodies: [Body] = []
    /// Places in `bodies` that nothing planned uses any more.
    private var free: [Int] = []
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
        let place: Int
        if let used = free.popLast() {
            place = used
            bodies[place] = Body(run: body)
        } else {
            place = bodies.endIndex
            bodies.append(Body(run: body))
        }
        entries.insert(Entry(at: now + max(.zero, delay), order: planned, place: place))
    }

    /// Runs everything up to `end`, calling `afterEach` after each event.
    package func run(until end: Instant, afterEach: () -> Void = {}) {
        while let next = entries.min, next.at <= end {
            entries.removeMin()
            now = next.at
            steps += 1
            let body = bodies[next.place]
            // What the body holds is let go of as soon as it has run.
            bodies[next.place] = Body {}
            free.append(next.place)
            body.run()
            afterEach()
        }
        now = end
    }
}
