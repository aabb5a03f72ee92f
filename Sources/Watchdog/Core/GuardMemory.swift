package import WatchdogAPI
package import Wire

/// What outlives watchdogd for one service: written by `keepMemory`, given back by `memoryRestored`. Times are wall
/// times, since the monotonic clock begins anew at a boot; they only refill budgets, and never by more than their
/// capacity, so a stepped clock does no harm.
package struct GuardMemory: WireObject {
    /// When it was written.
    package var keptAtMs: Int64
    /// Restarts left.
    package var budgetTokens: Double
    /// Restarts since health was last validated for `backoffReset`.
    package var backoffLevel: Int64
    /// Slow tries since then.
    package var halfOpenLevel: Int64
    /// Validated health without a break, when it was written.
    package var healthyMs: Int64
    /// The incident to go on with.
    package var openIncident: String?
    /// An operator's hold.
    package var hold: HoldInfo?
    /// The unit is stopped because we stopped it for a wait, and owe it a start.
    package var stoppedByUs: Bool
    /// Whether the main thread's read and write calls were seen to move while good answers came.
    package var readCallsSpeak: Bool?
    /// The same of its voluntary context switches.
    package var switchesSpeak: Bool?
    /// The process that last gave a good answer: adopted without grace.
    package var provenPid: Int64?
    /// Its start, so that the pid is not mistaken.
    package var provenStartTicks: Int64?
    /// The last incident that was closed.
    package var lastIncident: String?

    package init(
        keptAtMs: Int64, budgetTokens: Double, backoffLevel: Int64, halfOpenLevel: Int64, healthyMs: Int64,
        openIncident: String? = nil, hold: HoldInfo? = nil, stoppedByUs: Bool, readCallsSpeak: Bool? = nil,
        switchesSpeak: Bool? = nil, provenPid: Int64? = nil, provenStartTicks: Int64? = nil, lastIncident: String? = nil
    ) {
        self.keptAtMs = keptAtMs
        self.budgetTokens = budgetTokens
        self.backoffLevel = backoffLevel
        self.halfOpenLevel = halfOpenLevel
        self.healthyMs = healthyMs
        self.openIncident = openIncident
        self.hold = hold
        self.stoppedByUs = stoppedByUs
        self.readCallsSpeak = readCallsSpeak
        self.switchesSpeak = switchesSpeak
        self.provenPid = provenPid
        self.provenStartTicks = provenStartTicks
        self.lastIncident = lastIncident
    }

    package init(from fields: inout Fields) throws(WireError) {
        keptAtMs = try fields.value("keptAtMs")
        budgetTokens = try fields.value("budgetTokens")
        backoffLevel = try fields.value("backoffLevel")
        halfOpenLevel = try fields.value("halfOpenLevel")
        healthyMs = try fields.value("healthyMs")
        openIncident = try fields.optional("openIncident")
        hold = try fields.optional("hold")
        stoppedByUs = try fields.value("stoppedByUs")
        readCallsSpeak = try fields.optional("readCallsSpeak")
        switchesSpeak = try fields.optional("switchesSpeak")
        provenPid = try fields.optional("provenPid")
        provenStartTicks = try fields.optional("provenStartTicks")
        lastIncident = try fields.optional("lastIncident")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("keptAtMs", keptAtMs)
        object.member("budgetTokens", budgetTokens)
        object.member("backoffLevel", backoffLevel)
        object.member("halfOpenLevel", halfOpenLevel)
        object.member("healthyMs", healthyMs)
        object.member("openIncident", openIncident)
        object.member("hold", hold)
        object.member("stoppedByUs", stoppedByUs)
        object.member("readCallsSpeak", readCallsSpeak)
        object.member("switchesSpeak", switchesSpeak)
        object.member("provenPid", provenPid)
        object.member("provenStartTicks", provenStartTicks)
        object.member("lastIncident", lastIncident)
    }
}
