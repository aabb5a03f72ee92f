package import Wire

/// What watchdogd is doing about one service. WatchdogCore's `GuardMachine` tells in prose where each can go.
package enum GuardCondition: String, WireValue, CaseIterable {
    /// watchdogd has just started: it asks systemd and its own memory how things stand.
    case adopting
    /// The process runs and has not answered yet; failures do not count until it has, or its start time is over.
    case warming
    /// It answers.
    case watching
    /// The last sign was bad. Figures are gathered; nothing is wrong yet.
    case suspecting
    /// The figures name a class; a second look decides.
    case confirming
    /// It answers late. Nothing is done that costs requests.
    case saturated
    /// The host is starved: what looks hung may only be waiting. At most 20 s.
    case waitingForHost
    /// The process ended; systemd is asked whether that was somebody's order.
    case judgingDeath
    /// The next start waits, longer each time.
    case backingOff
    /// Too many services of the host are being restarted: this one waits.
    case waitingForTurn
    /// At most 500 ms, before force.
    case collectingEvidence
    /// It may end what it is serving.
    case draining
    /// SIGTERM was sent.
    case terminating
    /// SIGKILL was sent.
    case killing
    /// systemd was told to start it.
    case starting
    /// It runs again and must prove it.
    case validating
    /// The restart budget is empty: one slow try after another, and an operator was called.
    case halfOpen
    /// An operator holds it: watched, never touched.
    case held
    /// A job of somebody else is under way on the unit.
    case operatorActing
    /// Somebody stopped the unit: nothing to do until it is started again.
    case operatorStopped
    /// The host is shutting down.
    case hostStopping
}

/// An operator's hold.
package struct HoldInfo: WireObject {
    package var reason: String
    /// Who asked: `uid 0`.
    package var by: String
    package var sinceMs: Int64
    /// When it ends by itself; nil for never.
    package var untilMs: Int64?

    package init(reason: String, by: String, sinceMs: Int64, untilMs: Int64? = nil) {
        self.reason = reason
        self.by = by
        self.sinceMs = sinceMs
        self.untilMs = untilMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        reason = try fields.value("reason")
        by = try fields.value("by")
        sinceMs = try fields.value("sinceMs")
        untilMs = try fields.optional("untilMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("reason", reason)
        object.member("by", by)
        object.member("sinceMs", sinceMs)
        object.member("untilMs", untilMs)
    }
}

/// One guarded service at a glance.
package struct ServiceSummary: WireObject {
    package var service: String
    package var unit: String
    package var condition: GuardCondition
    /// Since when it is in that condition, in milliseconds since 1970.
    package var sinceMs: Int64
    /// The main process; nil where there is none.
    package var pid: Int64?
    /// The last good answer of the liveness probe.
    package var lastGoodMs: Int64?
    /// The open incident.
    package var incident: String?
    /// The open incident's class.
    package var incidentClass: IncidentClass?
    /// Restarts left in the budget: refilled by validated health, one in 2 min.
    package var restartsLeft: Double
    package var hold: HoldInfo?
    /// What in the unit's own settings stands in the guard's way, with its remedy; nil for nothing.
    package var warning: String?

    package init(
        service: String, unit: String, condition: GuardCondition, sinceMs: Int64, pid: Int64? = nil,
        lastGoodMs: Int64? = nil, incident: String? = nil, incidentClass: IncidentClass? = nil, restartsLeft: Double,
        hold: HoldInfo? = nil, warning: String? = nil
    ) {
        self.service = service
        self.unit = unit
        self.condition = condition
        self.sinceMs = sinceMs
        self.pid = pid
        self.lastGoodMs = lastGoodMs
        self.incident = incident
        self.incidentClass = incidentClass
        self.restartsLeft = restartsLeft
        self.hold = hold
        self.warning = warning
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        unit = try fields.value("unit")
        condition = try fields.value("condition")
        sinceMs = try fields.value("sinceMs")
        pid = try fields.optional("pid")
        lastGoodMs = try fields.optional("lastGoodMs")
        incident = try fields.optional("incident")
        incidentClass = try fields.optional("class")
        restartsLeft = try fields.value("restartsLeft")
        hold = try fields.optional("hold")
        warning = try fields.optional("warning")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("unit", unit)
        object.member("condition", condition)
        object.member("sinceMs", sinceMs)
        object.member("pid", pid)
        object.member("lastGoodMs", lastGoodMs)
        object.member("incident", incident)
        object.member("class", incidentClass)
        object.member("restartsLeft", restartsLeft)
        object.member("hold", hold)
        object.member("warning", warning)
    }
}

/// How one probe went.
package enum ProbeVerdict: String, WireValue, CaseIterable {
    case good
    /// An answer that is not the one wanted, in time.
    case wrong
    /// Nobody listens.
    case refused
    /// Answered after the deadline.
    case late
    /// Not answered.
    case unanswered
    /// Nothing can be said: watchdogd itself was held up, or the probe could not be sent.
    case unknown
}

/// One probe.
package struct ProbeNote: WireObject {
    /// When it was sent.
    package var atMs: Int64
    package var verdict: ProbeVerdict
    /// Until the answer; nil where none came.
    package var tookMs: Int64?
    /// `200`, `503`, `connection refused`.
    package var detail: String?

    package init(atMs: Int64, verdict: ProbeVerdict, tookMs: Int64? = nil, detail: String? = nil) {
        self.atMs = atMs
        self.verdict = verdict
        self.tookMs = tookMs
        self.detail = detail
    }

    package init(from fields: inout Fields) throws(WireError) {
        atMs = try fields.value("atMs")
        verdict = try fields.value("verdict")
        tookMs = try fields.optional("tookMs")
        detail = try fields.optional("detail")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("atMs", atMs)
        object.member("verdict", verdict)
        object.member("tookMs", tookMs)
        object.member("detail", detail)
    }
}

/// The main process, as last read. Only what could be read is there.
package struct ProcessFigures: WireObject {
    package var pid: Int64
    /// When the process started.
    package var startedAtMs: Int64?
    /// The kernel's letter for the main thread.
    package var state: String?
    package var threads: Int64?
    package var residentBytes: Int64?
    /// Of one CPU, over the last reading: 200 is two busy CPUs.
    package var cpuPercent: Double?
    package var openFiles: Int64?
    package var openFilesLimit: Int64?
    /// When they were read.
    package var atMs: Int64

    package init(
        pid: Int64, startedAtMs: Int64? = nil, state: String? = nil, threads: Int64? = nil, residentBytes: Int64? = nil,
        cpuPercent: Double? = nil, openFiles: Int64? = nil, openFilesLimit: Int64? = nil, atMs: Int64
    ) {
        self.pid = pid
        self.startedAtMs = startedAtMs
        self.state = state
        self.threads = threads
        self.residentBytes = residentBytes
        self.cpuPercent = cpuPercent
        self.openFiles = openFiles
        self.openFilesLimit = openFilesLimit
        self.atMs = atMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        pid = try fields.value("pid")
        startedAtMs = try fields.optional("startedAtMs")
        state = try fields.optional("state")
        threads = try fields.optional("threads")
        residentBytes = try fields.optional("residentBytes")
        cpuPercent = try fields.optional("cpuPercent")
        openFiles = try fields.optional("openFiles")
        openFilesLimit = try fields.optional("openFilesLimit")
        atMs = try fields.value("atMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("pid", pid)
        object.member("startedAtMs", startedAtMs)
        object.member("state", state)
        object.member("threads", threads)
        object.member("residentBytes", residentBytes)
        object.member("cpuPercent", cpuPercent)
        object.member("openFiles", openFiles)
        object.member("openFilesLimit", openFilesLimit)
        object.member("atMs", atMs)
    }
}

/// Everything watchdogd knows of one service.
package struct ServiceReport: WireObject {
    package var summary: ServiceSummary
    package var process: ProcessFigures?
    /// The last five, oldest first.
    package var probes: [ProbeNote]
    /// Restarts since health was last validated for 10 min: the next waits 0, 1, 2, 4 … 30 s.
    package var backoffLevel: Int64
    /// When the wait of `backingOff` or `halfOpen` ends.
    package var nextActMs: Int64?
    /// Whether the main thread was seen at work while good answers came; only then does its silence prove anything.
    /// Nil until known.
    package var mainThreadServes: Bool?
    /// Why nothing is being done, as it stands now.
    package var refusals: [Refusal]
    package var dependenciesDown: [String]
    package var lastHeartbeatMs: Int64?
    /// The last incident that was closed.
    package var lastIncident: String?

    package init(
        summary: ServiceSummary, process: ProcessFigures? = nil, probes: [ProbeNote] = [], backoffLevel: Int64,
        nextActMs: Int64? = nil, mainThreadServes: Bool? = nil, refusals: [Refusal] = [],
        dependenciesDown: [String] = [], lastHeartbeatMs: Int64? = nil, lastIncident: String? = nil
    ) {
        self.summary = summary
        self.process = process
        self.probes = probes
        self.backoffLevel = backoffLevel
        self.nextActMs = nextActMs
        self.mainThreadServes = mainThreadServes
        self.refusals = refusals
        self.dependenciesDown = dependenciesDown
        self.lastHeartbeatMs = lastHeartbeatMs
        self.lastIncident = lastIncident
    }

    package init(from fields: inout Fields) throws(WireError) {
        summary = try fields.value("summary")
        process = try fields.optional("process")
        probes = try fields.value("probes", or: [])
        backoffLevel = try fields.value("backoffLevel")
        nextActMs = try fields.optional("nextActMs")
        mainThreadServes = try fields.optional("mainThreadServes")
        refusals = try fields.value("refusals", or: [])
        dependenciesDown = try fields.value("dependenciesDown", or: [])
        lastHeartbeatMs = try fields.optional("lastHeartbeatMs")
        lastIncident = try fields.optional("lastIncident")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("summary", summary)
        object.member("process", process)
        object.member("probes", probes)
        object.member("backoffLevel", backoffLevel)
        object.member("nextActMs", nextActMs)
        object.member("mainThreadServes", mainThreadServes)
        object.member("refusals", refusals)
        object.member("dependenciesDown", dependenciesDown)
        object.member("lastHeartbeatMs", lastHeartbeatMs)
        object.member("lastIncident", lastIncident)
    }
}

/// The seed's `ProcessHealth`: the process and whether it answers.
package struct ProcessHealth: WireObject {
    package var service: String
    /// A process is there and is no zombie.
    package var alive: Bool
    /// The last probe was answered well and in time.
    package var responsive: Bool
    package var condition: GuardCondition
    package var process: ProcessFigures?
    package var lastGoodMs: Int64?
    package var lastProbe: ProbeNote?
    package var incidentClass: IncidentClass?

    package init(
        service: String, alive: Bool, responsive: Bool, condition: GuardCondition, process: ProcessFigures? = nil,
        lastGoodMs: Int64? = nil, lastProbe: ProbeNote? = nil, incidentClass: IncidentClass? = nil
    ) {
        self.service = service
        self.alive = alive
        self.responsive = responsive
        self.condition = condition
        self.process = process
        self.lastGoodMs = lastGoodMs
        self.lastProbe = lastProbe
        self.incidentClass = incidentClass
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        alive = try fields.value("alive")
        responsive = try fields.value("responsive")
        condition = try fields.value("condition")
        process = try fields.optional("process")
        lastGoodMs = try fields.optional("lastGoodMs")
        lastProbe = try fields.optional("lastProbe")
        incidentClass = try fields.optional("class")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("alive", alive)
        object.member("responsive", responsive)
        object.member("condition", condition)
        object.member("process", process)
        object.member("lastGoodMs", lastGoodMs)
        object.member("lastProbe", lastProbe)
        object.member("class", incidentClass)
    }
}

/// watchdogd's own part of `status`.
package struct WatchdogStatus: WireObject {
    package var services: [ServiceSummary]
    /// Force is held back, since the host lacks CPU.
    package var hostStarved: Bool
    package var hostStopping: Bool
    /// Services that hold one of the host's turns now.
    package var restartsUnderWay: Int64
    package var restartsWaiting: Int64

    package init(
        services: [ServiceSummary], hostStarved: Bool, hostStopping: Bool, restartsUnderWay: Int64,
        restartsWaiting: Int64
    ) {
        self.services = services
        self.hostStarved = hostStarved
        self.hostStopping = hostStopping
        self.restartsUnderWay = restartsUnderWay
        self.restartsWaiting = restartsWaiting
    }

    package init(from fields: inout Fields) throws(WireError) {
        services = try fields.value("services")
        hostStarved = try fields.value("hostStarved")
        hostStopping = try fields.value("hostStopping")
        restartsUnderWay = try fields.value("restartsUnderWay")
        restartsWaiting = try fields.value("restartsWaiting")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("services", services)
        object.member("hostStarved", hostStarved)
        object.member("hostStopping", hostStopping)
        object.member("restartsUnderWay", restartsUnderWay)
        object.member("restartsWaiting", restartsWaiting)
    }
}
