import Time
import WatchdogAPI

// Deciding: from a class to an incident, a refusal or a plan.
extension GuardMachine {
    /// The host's own limit ends the wait earlier; this is for a core that never hears of it.
    private static let longestStarvation: Duration = .seconds(600)

    /// The class is decided; what follows from it?
    mutating func decide(_ why: IncidentClass, _ figures: ClassNumbers, now: Moment) {
        guard hold == nil, !state.isActing else { return }
        let numbers = completed(figures, now: now)
        if why != .dead, let tracer = progress.latest?.tracerPid, tracer != 0 {
            refuse(.debugged, detail: "process \(tracer) traces it", now: now)
            if why == .livelocked || why == .unknown || why == .blocked {
                page("it does not answer, and a debugger holds it", .critical, now: now)
            }
            return enter(.suspecting, now: now)
        }
        if why == .saturated {
            openIncident(why, numbers, now: now)
            asksBack(why)
            refuse(.saturated, detail: "late answers, not none", now: now)
            return enter(.saturated, now: now)
        }
        if let starvation, why != .dead {
            refuse(.starvedHost, detail: starvation, now: now)
            return enter(.waitingForHost(why), for: Self.longestStarvation, now: now)
        }
        openIncident(why, numbers, now: now)
        if why == .failing, waitsForDependency(Plan(for: why, processRuns: process != nil), now: now) { return }
        guard settings.mayAct else {
            refuse(.observing, detail: nil, now: now)
            return process == nil ? enter(.judgingDeath, for: .seconds(5), now: now) : enter(.suspecting, now: now)
        }
        schedule(Plan(for: why, processRuns: process != nil), now: now)
    }

    /// A service that answers with errors while what it needs is down would answer the same after a restart: it is only
    /// watched. Asked before each plan and again at its turn, since the dependency may have gone down meanwhile.
    mutating func waitsForDependency(_ plan: Plan, now: Moment) -> Bool {
        guard plan.why == .failing, !plan.isAsked, process != nil, !dependenciesDown.isEmpty else { return false }
        endAction(.wait, .abandoned, now: now)
        refuse(.dependencyDown, detail: "\(dependenciesDown.joined(separator: ", ")) is down", now: now)
        enter(.suspecting, now: now)
        return true
    }

    func completed(_ figures: ClassNumbers, now: Moment) -> ClassNumbers {
        var numbers = figures
        guard settings.hasProbe else { return numbers }
        numbers.probesTimedOut = Int64(probes.unanswered)
        numbers.probesWrong = Int64(probes.wrong)
        numbers.probe = probes.notes.last?.detail
        if let answer = probes.lastLateAnswer, now.instant - answer.at <= settings.livelockedAfter {
            numbers.lateAnswerMs = answer.after.milliseconds
        }
        return numbers
    }

    /// Carries a plan out when its time has come: at once, after the back-off, or slowly.
    mutating func schedule(_ plan: Plan, now: Moment) {
        guard !plan.isAsked else { return requestTurn(plan, now: now) }
        if waitsForTakeBack(plan, plan.why, now: now) { return }
        budget.healthEnded(at: now.instant, settings: settings)
        guard budget.allowsRestart else {
            var slow = plan
            slow.isSlowTry = true
            let wait = budget.slowWait(settings: settings)
            refuse(.budgetEmpty, detail: "the next try is in \(wait.milliseconds) ms", now: now)
            page("restarts have not helped: from now on one slow try after another", .critical, now: now)
            beginAction(.wait, "\(wait.milliseconds) ms, the restart budget is empty", now: now)
            keepStopped(for: wait, now: now)
            return enter(.halfOpen(slow), for: wait, now: now)
        }
        let wait = budget.wait(settings: settings, spread: spread(now: now))
        guard wait > .zero else { return requestTurn(plan, now: now) }
        beginAction(.wait, "\(wait.milliseconds) ms, back-off \(budget.backoffLevel)", now: now)
        keepStopped(for: wait, now: now)
        enter(.backingOff(plan), for: wait, now: now)
    }

    /// systemd would start a dead unit before a long wait is over: it is stopped. Before a short one it is not, so that an
    /// operator's own stop stays visible.
    private mutating func keepStopped(for wait: Duration, now: Moment) {
        guard process == nil, wait > settings.systemdRestartDelay - .seconds(5), !stoppedByUs else { return }
        stoppedByUs = true
        beginAction(.stopUnit, "so that the wait is kept", now: now)
        emit(.stopUnit(nextCall()))
        endAction(.stopUnit, .done, now: now)
        keepMemory(now: now)
    }

    mutating func requestTurn(_ plan: Plan, now: Moment) {
        endAction(.wait, .done, now: now)
        enter(.waitingForTurn(plan), for: .seconds(1), now: now)
    }

    /// Where in its ±20 % a wait lies: from the service's name and the moment (FNV-1a, then SplitMix64), so that services
    /// that failed together spread, and the same trace always waits the same.
    private func spread(now: Moment) -> Double {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in service.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        var source = SeededRandom(seed: hash ^ UInt64(bitPattern: now.instant.nanoseconds))
        return source.unit()
    }

    // MARK: The incident

    /// Opens an incident, unless one is open. A saturated service that hangs after all gets one of its own.
    mutating func openIncident(_ why: IncidentClass, _ numbers: ClassNumbers, now: Moment) {
        if let open = incident {
            guard open.record.incidentClass == .saturated, why != .saturated else { return }
            closeIncident(.becameWorse, now: now)
        }
        lastIncidentMs = max(now.wall.milliseconds, lastIncidentMs + 1)
        let id = "\(service)-\(String(lastIncidentMs, radix: 36))"
        // A process that ended was there until it ended; one that hangs was last well when it last answered.
        let sign = why == .dead ? endedAt?.instant : lastGood?.instant
        let book = IncidentBook(
            id: id, service: service, why: why, numbers: numbers, lastSign: why == .requested ? nil : sign, now: now)
        incident = book
        refusals = []
        emit(.recordIncident(book.record))
        emit(
            .announce(
                .incidentOpened(
                    IncidentOpened(
                        service: service, incident: id, incidentClass: why, numbers: numbers,
                        detectionMs: book.record.detectionMs))))
        keepMemory(now: now)
    }

    mutating func closeIncident(_ outcome: IncidentOutcome, now: Moment) {
        guard var book = incident else { return }
        for action in book.abandonActions(now: now) { announce(action, of: book) }
        book.close(outcome, now: now)
        incident = nil
        lastIncident = book.record.id
        refusals = []
        emit(.recordIncident(book.record))
        emit(
            .announce(
                .incidentClosed(
                    IncidentClosed(
                        service: service, incident: book.record.id, incidentClass: book.record.incidentClass,
                        outcome: outcome, lastedMs: now.wall.milliseconds - book.record.openedAtMs))))
        keepMemory(now: now)
    }

    mutating func beginAction(_ kind: ActionKind, _ detail: String? = nil, now: Moment) {
        guard var book = incident else { return }
        let action = book.begin(kind, detail: detail, now: now)
        incident = book
        emit(.recordIncident(book.record))
        announce(action, of: book)
    }

    mutating func endAction(_ kind: ActionKind, _ outcome: ActionOutcome, detail: String? = nil, now: Moment) {
        guard var book = incident, let action = book.end(kind, outcome, detail: detail, now: now) else { return }
        incident = book
        emit(.recordIncident(book.record))
        announce(action, of: book)
    }

    private mutating func announce(_ action: ActionRecord, of book: IncidentBook) {
        emit(.announce(.actionTaken(ActionTaken(service: service, incident: book.record.id, action: action))))
    }

    /// Something is the matter and nothing is done: told once while the reason stands.
    mutating func refuse(_ reason: RefusalReason, detail: String?, now: Moment) {
        guard !refusals.contains(where: { $0.reason == reason }) else { return }
        let refusal = Refusal(reason: reason, atMs: now.wall.milliseconds, detail: detail)
        refusals.append(refusal)
        if var book = incident {
            book.add(refusal)
            incident = book
            emit(.recordIncident(book.record))
        }
        emit(
            .announce(
                .refused(
                    Refused(service: service, incident: incident?.record.id, reason: reason, detail: detail))))
    }

    /// Calls an operator: once an incident and issue.
    mutating func page(_ issue: String, _ severity: Severity, now: Moment) {
        if var book = incident {
            guard book.pages(for: issue) else { return }
            book.add(
                ActionRecord(
                    kind: .page, startedAtMs: now.wall.milliseconds, tookMs: 0, outcome: .done, detail: issue))
            incident = book
            emit(.recordIncident(book.record))
        }
        emit(
            .announce(
                .operatorCalled(
                    OperatorCalled(
                        service: service, incident: incident?.record.id, severity: severity, issue: issue))))
    }

    // MARK: Memory

    mutating func keepMemory(now: Moment) {
        memoryKeptAt = now.instant
        emit(.keepMemory(memory(now: now)))
    }

    func memory(now: Moment) -> GuardMemory {
        GuardMemory(
            keptAtMs: now.wall.milliseconds, budgetTokens: budget.tokens, backoffLevel: Int64(budget.backoffLevel),
            halfOpenLevel: Int64(budget.halfOpenLevel), healthyMs: budget.healthy.milliseconds,
            openIncident: incident?.record.id, hold: hold, stoppedByUs: stoppedByUs,
            readCallsSpeak: progress.worth.readCallsSpeak, switchesSpeak: progress.worth.switchesSpeak,
            provenPid: provenProcess.map { Int64($0.pid) },
            provenStartTicks: provenProcess.map { Int64(clamping: $0.startTicks) }, lastIncident: lastIncident)
    }
}
