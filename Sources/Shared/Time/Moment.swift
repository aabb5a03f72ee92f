/// Milliseconds since 1970-01-01 UTC on the host's settable clock. It may step in either direction, so it labels what
/// people read and what is kept over a boot; it never decides anything.
package struct WallTime: Hashable, Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    package static func < (left: WallTime, right: WallTime) -> Bool {
        left.milliseconds < right.milliseconds
    }
}

/// Now, on both clocks, as every event method receives it: decisions use `instant`, records carry `wall`.
package struct Moment: Hashable, Sendable {
    package var instant: Instant
    package var wall: WallTime

    package init(instant: Instant, wall: WallTime) {
        self.instant = instant
        self.wall = wall
    }

    /// This moment moved on by `duration` on both clocks (what tests and simulations step with).
    package func advanced(by duration: Duration) -> Moment {
        Moment(
            instant: instant + duration,
            wall: WallTime(milliseconds: wall.milliseconds + duration.milliseconds))
    }
}
