import Time

/// What the restart budget allows at the most, counted by somebody who knows nothing of the core's own bucket: 5 restarts,
/// one more for every 2 min of service, and beyond that one every 60 s (half-open). It refills while the service serves, the
/// core's while it serves and has proven it, so that only a true excess is found.
struct RestartOracle {
    private static let capacity = 5.0
    private static let refillSeconds = 120.0
    private static let halfOpen: Duration = .seconds(60)
    /// A restart that was decided may have waited its turn: two may stand this much closer.
    private static let tolerance: Duration = .seconds(1)

    private var tokens = RestartOracle.capacity
    private var lastRestart: Instant?

    /// Whether a restart now is beyond what any reading of the rules allows.
    mutating func restarted(now: Instant) -> Bool {
        defer { lastRestart = now }
        if tokens >= 1 {
            tokens -= 1
            return false
        }
        guard let lastRestart else { return false }
        return now - lastRestart < RestartOracle.halfOpen - RestartOracle.tolerance
    }

    /// Whether the core's budget may be empty, so that nobody can ask for a recovery in time: its own count may be up to two
    /// behind, for restarts after which the service served before it was proven well.
    var mayBeEmpty: Bool { tokens < 3 }

    mutating func servedForASecond() {
        tokens = min(RestartOracle.capacity, tokens + 1 / RestartOracle.refillSeconds)
    }

    mutating func reset() { tokens = RestartOracle.capacity }
}
