package import Time

/// Whether the settable clock may be believed where something is deleted for its age.
///
/// It may once it has gone with the monotonic clock for an hour. A step begins the hour again, and so does a start: what the
/// clock did before is not known, and a host whose battery is empty starts in another year.
package struct ClockWatch: Hashable, Sendable {
    /// How long the clocks must agree.
    package static let patience: Duration = .seconds(3600)
    /// How far they may come apart between two looks. A clock that is slewed stays far below it (the kernel's adjtime 0.05 %,
    /// chrony at most 8.3 % of the time between them), and so does a reading that was held up between one clock and the other.
    package static let tolerance: Duration = .seconds(10)

    private var last: Moment?
    private var steadySince: Instant?

    package init() {}

    /// A look at both clocks; to be taken each minute or oftener.
    package mutating func looked(now: Moment) {
        defer { last = now }
        guard let last, steadySince != nil else {
            steadySince = now.instant
            return
        }
        let passed = (now.instant - last.instant).milliseconds
        let shown = now.wall.milliseconds &- last.wall.milliseconds
        if (shown &- passed).magnitude > UInt64(Self.tolerance.milliseconds) { steadySince = now.instant }
    }

    /// Whether they have agreed for long enough.
    package func isBelieved(now: Moment) -> Bool {
        steadySince.map { now.instant - $0 >= Self.patience } ?? false
    }
}
