package import Wire

/// What is the matter with a service. Each class has its own way (see WatchdogCore's GuardMachine) and is decided
/// from figures that the incident keeps in `numbers`.
package enum IncidentClass: String, WireValue, CaseIterable {
    /// The process ended by itself, or is a zombie.
    case dead
    /// The process is in state T and no debugger holds it.
    case stopped
    /// The main thread burns CPU, makes no system call of work, and answers nobody.
    case spinning
    /// The main thread sleeps in one call and does not come back.
    case blocked
    /// The process is busy, yet answers nobody for 30 s: a log storm, for example.
    case livelocked
    /// It answers, only late: there is more work than it can do. Never restarted.
    case saturated
    /// It answers in time, and wrongly; or it refuses connections while it runs.
    case failing
    /// It is over a limit of its settings for memory, CPU or open files.
    case overLimit
    /// Nothing is the matter: an operator asked for a restart.
    case requested
    /// It answers nobody, and no figure tells why (no figures, or they cannot be read).
    case unknown
}

/// How an incident ended, or that it has not.
package enum IncidentOutcome: String, WireValue, CaseIterable {
    /// Under way.
    case open
    /// An action of ours brought it back, and validation proved it.
    case recovered
    /// It came back before any force was used.
    case recoveredAlone
    /// The operator stopped, restarted or held it: theirs from there on.
    case takenOver
    /// It was saturated and then hung: another incident tells the rest.
    case becameWorse
    /// It was shut down as an operator asked.
    case shutDown
}

/// What was done, in the order in which a way may do it.
package enum ActionKind: String, WireValue, CaseIterable {
    case collectEvidence
    case drain
    /// SIGTERM to the unit's processes.
    case terminate
    /// SIGKILL to the unit's processes.
    case kill
    /// The signal that the operator named.
    case signal
    /// The unit's start was ordered from systemd.
    case start
    /// The unit was stopped, so that systemd does not start it before the wait is over.
    case stopUnit
    case validate
    /// A wait before the next start: back-off, or the slow retry of an empty budget.
    case wait
    /// An operator was called.
    case page
    /// Reported to us by `recordRecoveryEvent`.
    case external
}

/// How an action ended, or that it has not.
package enum ActionOutcome: String, WireValue, CaseIterable {
    case underWay
    case done
    case failed
    case timedOut
    /// Something else came first: it recovered, it died, the operator took over.
    case abandoned
}

/// Why nothing was done although something is the matter.
package enum RefusalReason: String, WireValue, CaseIterable {
    /// Requests are still served: a restart would make it worse.
    case saturated
    /// The whole host lacks CPU: what looks hung may only be waiting for its turn.
    case starvedHost
    /// A debugger holds the process.
    case debugged
    /// A service that it depends on is down: a restart would not help.
    case dependencyDown
    /// Restarts have not helped lately: the next comes slowly.
    case budgetEmpty
    /// An operator holds the service.
    case held
    /// Its settings, or `--dry-run`, say to watch only.
    case observing
    /// The host is shutting down.
    case hostStopping
    /// Too many services of this host are being restarted at once: it waits for its turn.
    case hostStorm
}

/// The figures from which a class was decided. Only those that were known are there; all are of the window
/// `windowMs`.
package struct ClassNumbers: WireObject {
    /// The length of the window over which the figures were counted.
    package var windowMs: Int64?
    /// How long the main thread had made no progress of its own.
    package var silentMs: Int64?
    /// How long the oldest open probe had waited.
    package var unansweredMs: Int64?
    /// After how long a probe that had timed out was answered all the same.
    package var lateAnswerMs: Int64?
    /// Of the last five probes, those not answered in time.
    package var probesTimedOut: Int64?
    /// Of the last five probes, those answered wrongly or refused.
    package var probesWrong: Int64?
    /// What the last probe brought: `503 Service Unavailable`, `connection refused`.
    package var probe: String?
    /// The kernel's letter for the main thread: R, S, D, T, t, Z.
    package var processState: String?
    /// Read system calls of the main thread.
    package var readCalls: Int64?
    /// Write system calls of the main thread.
    package var writeCalls: Int64?
    /// CPU of the main thread in user mode.
    package var userCpuMs: Int64?
    /// CPU of the main thread in the kernel.
    package var kernelCpuMs: Int64?
    /// CPU of all other threads of the process.
    package var othersCpuMs: Int64?
    /// How often the main thread gave up the CPU of itself.
    package var voluntarySwitches: Int64?
    /// Connections that wait at the listening socket.
    package var acceptQueue: Int64?
    /// Requests that the service says it served.
    package var servedRequests: Int64?
    /// The exit code of a process that ended by itself.
    package var exitCode: Int64?
    /// The signal that ended it: `SIGSEGV`.
    package var exitSignal: String?
    /// systemd's word for that end: `exit-code`, `signal`, `core-dump`, `oom-kill`, `watchdog`.
    package var unitResult: String?
    /// The limit that was passed: `memory`, `cpu`, `files`.
    package var limit: String?
    /// The limit, in bytes, per cent or files.
    package var limitValue: Double?
    /// What was measured against it.
    package var measured: Double?

    package init(
        windowMs: Int64? = nil, silentMs: Int64? = nil, unansweredMs: Int64? = nil, lateAnswerMs: Int64? = nil,
        probesTimedOut: Int64? = nil, probesWrong: Int64? = nil, probe: String? = nil, processState: String? = nil,
        readCalls: Int64? = nil, writeCalls: Int64? = nil, userCpuMs: Int64? = nil, kernelCpuMs: Int64? = nil,
        othersCpuMs: Int64? = nil, voluntarySwitches: Int64? = nil, acceptQueue: Int64? = nil,
        servedRequests: Int64? = nil, exitCode: Int64? = nil, exitSignal: String? = nil, unitResult: String? = nil,
        limit: String? = nil, limitValue: Double? = nil, measured: Double? = nil
    ) {
        self.windowMs = windowMs
        self.silentMs = silentMs
        self.unansweredMs = unansweredMs
        self.lateAnswerMs = lateAnswerMs
        self.probesTimedOut = probesTimedOut
        self.probesWrong = probesWrong
        self.probe = probe
        self.processState = processState
        self.readCalls = readCalls
        self.writeCalls = writeCalls
        self.userCpuMs = userCpuMs
        self.kernelCpuMs = kernelCpuMs
        self.othersCpuMs = othersCpuMs
        self.voluntarySwitches = voluntarySwitches
        self.acceptQueue = acceptQueue
        self.servedRequests = servedRequests
        self.exitCode = exitCode
        self.exitSignal = exitSignal
        self.unitResult = unitResult
        self.limit = limit
        self.limitValue = limitValue
        self.measured = measured
    }

    package init(from fields: inout Fields) throws(WireError) {
        windowMs = try fields.optional("windowMs")
        silentMs = try fields.optional("silentMs")
        unansweredMs = try fields.optional("unansweredMs")
        lateAnswerMs = try fields.optional("lateAnswerMs")
        probesTimedOut = try fields.optional("probesTimedOut")
        probesWrong = try fields.optional("probesWrong")
        probe = try fields.optional("probe")
        processState = try fields.optional("processState")
        readCalls = try fields.optional("readCalls")
        writeCalls = try fields.optional("writeCalls")
        userCpuMs = try fields.optional("userCpuMs")
        kernelCpuMs = try fields.optional("kernelCpuMs")
        othersCpuMs = try fields.optional("othersCpuMs")
        voluntarySwitches = try fields.optional("voluntarySwitches")
        acceptQueue = try fields.optional("acceptQueue")
        servedRequests = try fields.optional("servedRequests")
        exitCode = try fields.optional("exitCode")
        exitSignal = try fields.optional("exitSignal")
        unitResult = try fields.optional("unitResult")
        limit = try fields.optional("limit")
        limitValue = try fields.optional("limitValue")
        measured = try fields.optional("measured")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("windowMs", windowMs)
        object.member("silentMs", silentMs)
        object.member("unansweredMs", unansweredMs)
        object.member("lateAnswerMs", lateAnswerMs)
        object.member("probesTimedOut", probesTimedOut)
        object.member("probesWrong", probesWrong)
        object.member("probe", probe)
        object.member("processState", processState)
        object.member("readCalls", readCalls)
        object.member("writeCalls", writeCalls)
        object.member("userCpuMs", userCpuMs)
        object.member("kernelCpuMs", kernelCpuMs)
        object.member("othersCpuMs", othersCpuMs)
        object.member("voluntarySwitches", voluntarySwitches)
        object.member("acceptQueue", acceptQueue)
        object.member("servedRequests", servedRequests)
        object.member("exitCode", exitCode)
        object.member("exitSignal", exitSignal)
        object.member("unitResult", unitResult)
        object.member("limit", limit)
        object.member("limitValue", limitValue)
        object.member("measured", measured)
    }
}

/// What was kept before force was used.
package struct EvidenceNote: WireObject {
    /// The bundle on disk; nil where only the figures in the journal were kept.
    package var path: String?
    /// The bundle's size.
    package var bytes: Int64
    /// How long it took; never over 500 ms.
    package var tookMs: Int64
    /// False where the time ran out before everything was read.
    package var complete: Bool
    /// The few lines worth reading first: `wchan`, `syscall`, `threads`, `openFiles`.
    package var facts: [String: String]

    package init(path: String? = nil, bytes: Int64, tookMs: Int64, complete: Bool, facts: [String: String] = [:]) {
        self.path = path
        self.bytes = bytes
        self.tookMs = tookMs
        self.complete = complete
        self.facts = facts
    }

    package init(from fields: inout Fields) throws(WireError) {
        path = try fields.optional("path")
        bytes = try fields.value("bytes")
        tookMs = try fields.value("tookMs")
        complete = try fields.value("complete")
        facts = try fields.value("facts", or: [:])
    }

    package func write(to object: inout ObjectWriter) {
        object.member("path", path)
        object.member("bytes", bytes)
        object.member("tookMs", tookMs)
        object.member("complete", complete)
        object.member("facts", facts)
    }
}

/// One action of an incident.
package struct ActionRecord: WireObject {
    package var kind: ActionKind
    /// When it was ordered, in milliseconds since 1970.
    package var startedAtMs: Int64
    /// How long it took; nil while it is under way.
    package var tookMs: Int64?
    package var outcome: ActionOutcome
    /// The signal, the wait, systemd's answer.
    package var detail: String?

    package init(
        kind: ActionKind, startedAtMs: Int64, tookMs: Int64? = nil, outcome: ActionOutcome, detail: String? = nil
    ) {
        self.kind = kind
        self.startedAtMs = startedAtMs
        self.tookMs = tookMs
        self.outcome = outcome
        self.detail = detail
    }

    package init(from fields: inout Fields) throws(WireError) {
        kind = try fields.value("kind")
        startedAtMs = try fields.value("startedAtMs")
        tookMs = try fields.optional("tookMs")
        outcome = try fields.value("outcome")
        detail = try fields.optional("detail")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("kind", kind)
        object.member("startedAtMs", startedAtMs)
        object.member("tookMs", tookMs)
        object.member("outcome", outcome)
        object.member("detail", detail)
    }
}

/// A reason for doing nothing, noted once while it stands.
package struct Refusal: WireObject {
    package var reason: RefusalReason
    package var atMs: Int64
    /// `postgres is down`, `some avg10 = 83 %`.
    package var detail: String?

    package init(reason: RefusalReason, atMs: Int64, detail: String? = nil) {
        self.reason = reason
        self.atMs = atMs
        self.detail = detail
    }

    package init(from fields: inout Fields) throws(WireError) {
        reason = try fields.value("reason")
        atMs = try fields.value("atMs")
        detail = try fields.optional("detail")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("reason", reason)
        object.member("atMs", atMs)
        object.member("detail", detail)
    }
}

/// The proof that a recovery took.
package struct ValidationRecord: WireObject {
    /// Good answers in a row.
    package var goodProbes: Int64
    /// When the first of them came, in milliseconds since 1970.
    package var firstGoodAtMs: Int64
    /// From the start of the validation to its last probe.
    package var tookMs: Int64

    package init(goodProbes: Int64, firstGoodAtMs: Int64, tookMs: Int64) {
        self.goodProbes = goodProbes
        self.firstGoodAtMs = firstGoodAtMs
        self.tookMs = tookMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        goodProbes = try fields.value("goodProbes")
        firstGoodAtMs = try fields.value("firstGoodAtMs")
        tookMs = try fields.value("tookMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("goodProbes", goodProbes)
        object.member("firstGoodAtMs", firstGoodAtMs)
        object.member("tookMs", tookMs)
    }
}

/// One trouble of one service, from the first sign to its end: what was seen, what was done, what came of it.
package struct IncidentRecord: WireObject {
    package var id: String
    package var service: String
    /// When the class was decided, in milliseconds since 1970.
    package var openedAtMs: Int64
    /// When it was over; nil while it is open.
    package var closedAtMs: Int64?
    /// As first decided; later attempts of the same incident add actions, not classes.
    package var incidentClass: IncidentClass
    /// The figures for that class.
    package var numbers: ClassNumbers
    /// From the last good sign of the service to the decision: the most that detection can have taken. Nil where no
    /// good sign was ever seen.
    package var detectionMs: Int64?
    /// From the last good sign to the first good answer of the validation: the most that a client can have waited.
    /// Nil until then.
    package var recoveryMs: Int64?
    package var outcome: IncidentOutcome
    package var evidence: EvidenceNote?
    package var actions: [ActionRecord]
    /// Actions beyond the first 20 and the last 60, which are not kept: a crash loop of days stays one record.
    package var actionsLeftOut: Int64
    package var refusals: [Refusal]
    package var validation: ValidationRecord?
    /// Ids under which other daemons know the same trouble.
    package var aliases: [String]

    package init(
        id: String, service: String, openedAtMs: Int64, closedAtMs: Int64? = nil, incidentClass: IncidentClass,
        numbers: ClassNumbers, detectionMs: Int64? = nil, recoveryMs: Int64? = nil, outcome: IncidentOutcome,
        evidence: EvidenceNote? = nil, actions: [ActionRecord] = [], actionsLeftOut: Int64 = 0,
        refusals: [Refusal] = [], validation: ValidationRecord? = nil, aliases: [String] = []
    ) {
        self.id = id
        self.service = service
        self.openedAtMs = openedAtMs
        self.closedAtMs = closedAtMs
        self.incidentClass = incidentClass
        self.numbers = numbers
        self.detectionMs = detectionMs
        self.recoveryMs = recoveryMs
        self.outcome = outcome
        self.evidence = evidence
        self.actions = actions
        self.actionsLeftOut = actionsLeftOut
        self.refusals = refusals
        self.validation = validation
        self.aliases = aliases
    }

    package init(from fields: inout Fields) throws(WireError) {
        id = try fields.value("id")
        service = try fields.value("service")
        openedAtMs = try fields.value("openedAtMs")
        closedAtMs = try fields.optional("closedAtMs")
        incidentClass = try fields.value("class")
        numbers = try fields.value("numbers")
        detectionMs = try fields.optional("detectionMs")
        recoveryMs = try fields.optional("recoveryMs")
        outcome = try fields.value("outcome")
        evidence = try fields.optional("evidence")
        actions = try fields.value("actions", or: [])
        actionsLeftOut = try fields.value("actionsLeftOut", or: 0)
        refusals = try fields.value("refusals", or: [])
        validation = try fields.optional("validation")
        aliases = try fields.value("aliases", or: [])
    }

    package func write(to object: inout ObjectWriter) {
        object.member("id", id)
        object.member("service", service)
        object.member("openedAtMs", openedAtMs)
        object.member("closedAtMs", closedAtMs)
        object.member("class", incidentClass)
        object.member("numbers", numbers)
        object.member("detectionMs", detectionMs)
        object.member("recoveryMs", recoveryMs)
        object.member("outcome", outcome)
        object.member("evidence", evidence)
        object.member("actions", actions)
        object.member("actionsLeftOut", actionsLeftOut)
        object.member("refusals", refusals)
        object.member("validation", validation)
        object.member("aliases", aliases)
    }
}
