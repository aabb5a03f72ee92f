package import Time

/// How often and how soon a service may be restarted: a token bucket that only *validated* health refills, a back-off that
/// grows and resets, and the slow tries of an empty bucket.
///
/// Refilling by the clock alone would give a service that never comes up a restart each two minutes for ever (monit's
/// and systemd's users ask for neither that nor "failed for ever", FACTS §7): so health refills, and half-open tries at
/// 60 to 300 s keep a broken service from being given up.
package struct RestartBudget: Hashable, Sendable {
    /// Restarts left.
    package private(set) var tokens: Double
    /// Restarts since health last stood for `backoffReset`: the exponent of the next wait.
    package private(set) var backoffLevel = 0
    /// Slow tries since then.
    package private(set) var halfOpenLevel = 0
    /// Validated health without a break, as far as it is settled.
    package private(set) var healthy: Duration = .zero
    private var healthySince: Instant?

    /// A full bucket.
    package init(settings: GuardSettings) {
        tokens = Double(settings.budgetCapacity)
    }

    /// Takes up what was kept. Time that watchdogd did not see refills nothing.
    package init(restoring memory: GuardMemory, settings: GuardSettings) {
        tokens = min(max(memory.budgetTokens, 0), Double(settings.budgetCapacity))
        backoffLevel = Int(min(max(memory.backoffLevel, 0), Self.highestLevel))
        halfOpenLevel = Int(min(max(memory.halfOpenLevel, 0), Self.highestLevel))
        healthy = .milliseconds(max(memory.healthyMs, 0))
    }

    /// Levels stop here: every cap is reached long before.
    private static let highestLevel: Int64 = 30

    /// Whether a restart may be paid for.
    package var allowsRestart: Bool { tokens >= 1 }

    /// Whether there is anything that a restart of watchdogd could lose.
    package func isWorthKeeping(settings: GuardSettings) -> Bool {
        tokens < Double(settings.budgetCapacity) || backoffLevel > 0
    }

    /// Health was validated: from now on it counts. Called again while it lasts it changes nothing.
    package mutating func healthBegan(at now: Instant) {
        if healthySince == nil { healthySince = now }
    }

    /// Health has ended: what came before is counted, and the run of health begins anew.
    package mutating func healthEnded(at now: Instant, settings: GuardSettings) {
        settle(at: now, settings: settings)
        healthySince = nil
        healthy = .zero
    }

    /// Counts the health up to now.
    package mutating func settle(at now: Instant, settings: GuardSettings) {
        guard let since = healthySince, now > since else { return }
        let span = now - since
        healthySince = now
        healthy += span
        if settings.budgetRefill > .zero {
            let refilled = tokens + span.inSeconds / settings.budgetRefill.inSeconds
            tokens = min(refilled, Double(settings.budgetCapacity))
        }
        if healthy >= settings.backoffReset {
            backoffLevel = 0
            halfOpenLevel = 0
        }
    }

    /// Pays for a restart.
    package mutating func takeRestart() {
        tokens = max(0, tokens - 1)
        backoffLevel = min(backoffLevel + 1, Int(Self.highestLevel))
    }

    /// A slow try costs nothing: it is what an empty bucket has left.
    package mutating func takeSlowTry() {
        halfOpenLevel = min(halfOpenLevel + 1, Int(Self.highestLevel))
    }

    /// An operator's `reset`.
    package mutating func reset(settings: GuardSettings) {
        tokens = Double(settings.budgetCapacity)
        backoffLevel = 0
        halfOpenLevel = 0
    }

    /// The wait before the next restart: none after validated health, then `backoffFirst` growing up to `backoffCap`,
    /// ± the jitter, so that services that failed together do not start together: `spread`, from 0 to 1, says where in between.
    package func wait(settings: GuardSettings, spread: Double) -> Duration {
        guard backoffLevel > 0 else { return .zero }
        let plain = Self.grown(
            settings.backoffFirst, by: settings.backoffFactor, times: backoffLevel - 1, cap: settings.backoffCap)
        let jitter = settings.backoffJitterPercent / 100
        return .milliseconds(Int64(Double(plain.milliseconds) * (1 - jitter + 2 * jitter * spread)))
    }

    /// The wait before the next slow try.
    package func slowWait(settings: GuardSettings) -> Duration {
        Self.grown(settings.halfOpenFirst, by: 2, times: halfOpenLevel, cap: settings.halfOpenCap)
    }

    private static func grown(_ first: Duration, by factor: Double, times: Int, cap: Duration) -> Duration {
        var value = first
        for _ in 0..<times where value < cap { value = value * factor }
        return min(value, cap)
    }
}
