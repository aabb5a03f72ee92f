import Time

/// Whether the host lacks CPU, so that a service which looks hung may only be waiting for its turn: killing it then makes
/// matters worse (all of Fedora's watchdog aborts were starved hosts, systemd PR #13843).
///
/// Starved is: pressure above the limit (the kernel's own 10 s average), or a timer of ours much too late. It clears with
/// hysteresis, and it holds force back for 30 s (the settings' `hold`) at most: a host that is always starved must not mean a service that is
/// never recovered.
struct HostGate: Hashable, Sendable {
    /// How long a late timer of ours is remembered.
    static let delayRemembered: Duration = .seconds(5)
    /// Pressure has to fall this much below the limit to clear.
    static let clearance = 10.0

    /// The longest that force is held back.
    var longestHold: Duration = .seconds(30)
    private var pressure: Double?
    private var lastDelay: Stamp?
    private var since: Instant?

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
        let threshold = since == nil ? limit : limit - Self.clearance
        let isPressed = pressure.map { $0 > threshold } ?? false
        if isLate || isPressed {
            if since == nil { since = now }
        } else {
            since = nil
        }
    }

    /// Whether force is held back now.
    func holds(at now: Instant) -> Bool {
        guard let since else { return false }
        return now - since < longestHold
    }

    /// Whether delays of ours void what is under way: not for ever, on a host that is always starved.
    func voidsProbes(at now: Instant) -> Bool { since == nil || holds(at: now) }

    var detail: String {
        if let pressure, pressure > 0 { return "cpu some avg10 = \(Int(pressure)) %" }
        if let lastDelay { return "watchdogd itself was \(lastDelay.delay.milliseconds) ms late" }
        return "enough CPU"
    }
}
