import Time

/// Whether the host lacks CPU, so that a service which looks hung may only be waiting for its turn: killing it then makes
/// matters worse (all of Fedora's watchdog aborts were starved hosts, systemd PR #13843).
///
/// Starved is: pressure above the limit (the kernel's own 10 s average), or a timer of ours much too late. It clears with
/// hysteresis, and it holds force back for 20 s (the settings' `hold`) at most: a host that is always starved must not
/// mean a service that is never recovered. Nor must one that is starved on and off: spells with less than a minute of
/// calm between them share the one hold. (On a host where pressure swung around the limit, a hold of its own for each
/// spell kept a spinning service waiting for 135 s.)
struct HostGate: Hashable, Sendable {
    /// How long a late timer of ours is remembered.
    static let delayRemembered: Duration = .seconds(5)
    /// Pressure has to fall this much below the limit to clear.
    static let clearance = 10.0

    /// Calm for this long ends the spells that share a hold.
    static let calm: Duration = .seconds(60)

    /// The longest that force is held back.
    var longestHold: Duration = .seconds(20)
    private var pressure: Double?
    private var lastDelay: Stamp?
    /// When the first of the spells began that share a hold; nil after a minute of calm.
    private var since: Instant?
    private var isStarved = false
    private var lastStarved: Instant?

    private struct Stamp: Hashable, Sendable {
        var at: Instant
        var delay: Duration
    }

    mutating func pressureSeen(_ percent: Double?, limit: Double, at now: Instant) {
        pressure = percent
        update(limit: limit, at: now)
    }

    mutating func delaySeen(_ delay: Duration, limit: Double, at now: Instant) {
        lastDelay = Stamp(at: now, delay: delay)
        update(limit: limit, at: now)
    }

    /// Time has passed.
    mutating func update(limit: Double, at now: Instant) {
        let isLate = lastDelay.map { now - $0.at < Self.delayRemembered } ?? false
        let threshold = isStarved ? limit - Self.clearance : limit
        let isPressed = pressure.map { $0 > threshold } ?? false
        if let lastStarved, now - lastStarved >= Self.calm { since = nil }
        isStarved = isLate || isPressed
        if isStarved {
            if since == nil { since = now }
            lastStarved = now
        }
    }

    /// Whether force is held back now.
    func holds(at now: Instant) -> Bool { isStarved && hasHoldLeft(at: now) }

    /// Whether delays of ours void what is under way: not for ever, on a host that is always starved.
    func voidsProbes(at now: Instant) -> Bool { hasHoldLeft(at: now) }

    private func hasHoldLeft(at now: Instant) -> Bool { since.map { now - $0 < longestHold } ?? true }

    var detail: String {
        if let pressure, pressure > 0 { return "cpu some avg10 = \(Int(pressure)) %" }
        if let lastDelay { return "watchdogd itself was \(lastDelay.delay.milliseconds) ms late" }
        return "enough CPU"
    }
}
