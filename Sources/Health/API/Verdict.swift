import Wire

/// What one check says. *unknown* is an answer of its own: it never clears what was raised and never raises what was not.
package enum Verdict: String, WireValue, CaseIterable {
    /// The check did what was asked.
    case ok
    /// It works, with less room than it should have.
    case warning
    /// It does not work.
    case critical
    /// Nothing could be learnt: the probe itself failed, healthd was late, or whoever reports was silent.
    case unknown
}

/// What the checks of a service, or of a dependency, add up to. The first three are the seed's; *unknown* stands where no check
/// has answered yet, or where those that would have said *healthy* can see nothing.
package enum ServiceHealth: String, WireValue, CaseIterable {
    case healthy
    /// It works, but a check warns, a check that is not critical fails, or a dependency is down.
    case degraded
    /// A critical check of its own fails.
    case unhealthy
    case unknown
}

/// How a check learns its verdict (the seed's four types).
package enum CheckType: String, WireValue, CaseIterable {
    case http
    case tcp
    case command
    /// Somebody else runs it and reports here with `reportCheck`; silence beyond its interval is critical.
    case custom
}
