import Time
import WatchdogAPI

// Acting: a plan from its turn to the proof that it helped.
extension GuardMachine {
    /// SIGKILL ends a process in milliseconds; after this it is sent again, past systemd.
    private static let killPatience: Duration = .seconds(2)

    /// The host lets this service be restarted now.
    mutating func turnGranted(now: Moment) {
        guard case .waitingForTurn(let plan) = state else { return }
        if waitsForDependency(plan, now: now) { return }
        killTries = 0
        guard let process else { return startOrFinish(plan, now: now) }
        if plan.ending == .none { return validate(plan, now: now) }
        guard plan.wantsEvidence, let book = incident else { return endProcess(plan, now: now) }
        beginAction(.collectEvidence, now: now)
        emit(.collectEvidence(incident: book.record.id, process))
        enter(.collectingEvidence(plan), for: settings.evidenceTimeout, now: now)
    }

    /// Force begins: the budget is charged, once a plan, and that is on its way to the disk before anything is done.
    private mutating func pay(_ plan: Plan, now: Moment) -> Plan {
        guard !plan.isPaid else { return plan }
        var paid = plan
        paid.isPaid = true
        if plan.isSlowTry {
            budget.takeSlowTry()
        } else if !plan.isAsked {
            budget.takeRestart()
        }
        keepMemory(now: now)
        return paid
    }

    mutating func evidenceCollected(_ id: String, _ note: EvidenceNote, now: Moment) {
        guard var book = incident, book.record.id == id else { return }
        book.add(note)
        incident = book
        emit(.announce(.evidenceCollected(EvidenceCollected(service: service, incident: id, evidence: note))))
        guard case .collectingEvidence(let plan) = state else { return emit(.recordIncident(book.record)) }
        endAction(.collectEvidence, .done, now: now)
        endProcess(plan, now: now)
    }

    /// Ends the process as the plan says.
    mutating func endProcess(_ asPlanned: Plan, now: Moment) {
        let plan = pay(asPlanned, now: now)
        switch plan.ending {
        case .none: startOrFinish(plan, now: now)
        case .kill, .signal(.SIGKILL, _): kill(plan, now: now)
        case .drained:
            guard settings.canDrain else {
                return terminate(plan, .SIGTERM, patience: settings.termTimeout, now: now)
            }
            beginAction(.drain, now: now)
            enter(.draining(plan), for: settings.drainTimeout, now: now)
            let id = nextCall()
            call = id
            emit(.drain(id))
        case .signal(let signal, let patience): terminate(plan, signal, patience: patience, now: now)
        }
    }

    mutating func terminate(_ plan: Plan, _ signal: KillSignal, patience: Duration, now: Moment) {
        beginAction(signal == .SIGTERM ? .terminate : .signal, signal.rawValue, now: now)
        var sent = plan
        sent.ending = .signal(signal, patience: patience)
        enter(.terminating(sent), for: patience, now: now)
        let id = nextCall()
        call = id
        emit(.killUnit(id, signal: signal))
    }

    mutating func kill(_ plan: Plan, now: Moment) {
        killTries = 1
        beginAction(.kill, "SIGKILL", now: now)
        enter(.killing(plan), for: Self.killPatience, now: now)
        let id = nextCall()
        call = id
        emit(.killUnit(id, signal: .SIGKILL))
    }

    /// It is still there: past systemd, to the process itself. One that sleeps in the kernel for good (state D) can't be
    /// ended by anybody; an operator is called, and it is tried again, slowly.
    mutating func killAgain(_ plan: Plan, now: Moment) {
        guard let process else { return startOrFinish(plan, now: now) }
        killTries += 1
        let isStuck = killTries > Self.killTriesInTurn
        if isStuck { page("the process does not end at SIGKILL: it sleeps in the kernel", .critical, now: now) }
        enter(.killing(plan), for: isStuck ? .seconds(10) : Self.killPatience, now: now)
        let id = nextCall()
        call = id
        emit(.killProcess(id, process, signal: .SIGKILL))
    }

    /// The process has ended: the next one is started, or, after `gracefulShutdown`, none.
    mutating func startOrFinish(_ asPlanned: Plan, now: Moment) {
        let plan = pay(asPlanned, now: now)
        interrupted = nil
        guard plan.restarts else {
            beginAction(.stopUnit, now: now)
            let id = nextCall()
            emit(.stopUnit(id))
            endAction(.stopUnit, .done, now: now)
            closeIncident(.shutDown, now: now)
            enter(.operatorStopped, now: now)
            // Until the stop is done systemd may still show the restart that it cancels.
            call = id
            return
        }
        stoppedByUs = false
        startUnanswered = 0
        beginAction(.start, now: now)
        enter(.starting(plan), for: settings.startTimeout, now: now)
        orderStart()
    }

    mutating func orderStart() {
        let id = nextCall()
        call = id
        emit(.startUnit(id))
    }

    mutating func callFinished(_ id: CallID, _ result: CallResult, now: Moment) {
        if changeCallFinished(id, result) { return }
        guard id == call else { return }
        call = nil
        switch state {
        case .draining(let plan):
            endAction(.drain, result == .done ? .done : .failed, now: now)
            terminate(plan, .SIGTERM, patience: settings.termTimeout, now: now)
        case .terminating(let plan):
            guard result != .done, let process, case .signal(let signal, _) = plan.ending else { return }
            emit(.killProcess(nextCall(), process, signal: signal))
        case .killing:
            guard result != .done, let process else { return }
            emit(.killProcess(nextCall(), process, signal: .SIGKILL))
        case .starting(let plan): startFinished(plan, result, now: now)
        case .adopting, .warming, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .judgingDeath,
            .backingOff, .waitingForTurn, .collectingEvidence, .validating, .halfOpen, .held, .operatorActing,
            .operatorStopped, .hostStopping:
            break
        }
    }

    private mutating func startFinished(_ plan: Plan, _ result: CallResult, now: Moment) {
        switch result {
        case .done:
            startUnanswered = 0
            emit(.readUnit)
        case .failed(let why):
            endAction(.start, .failed, detail: why, now: now)
            attemptFailed(plan, now: now)
        case .timedOut:
            // systemd is silent, or is being restarted itself. It is told again when the unit is read again, each 2 s, until
            // the state's own time is over.
            startUnanswered += 1
            if startUnanswered > 1 { page("systemd does not answer", .critical, now: now) }
            set(.unit, after: unitInterval, now: now)
        }
    }

    /// A view of the unit while we wait for the new process.
    mutating func seenWhileStarting(_ view: UnitView, _ plan: Plan, now: Moment) {
        if let main = liveMain(of: view) {
            endAction(.start, .done, detail: "pid \(main.pid)", now: now)
            watch(main, now: now)
            return validate(plan, now: now)
        }
        // Before the job's end the view may still be the old one.
        guard call == nil, startUnanswered == 0 else { return }
        let isComing = view.job != nil || view.active == .activating && view.sub != "auto-restart"
        guard !isComing else { return }
        endAction(.start, .failed, detail: "\(view.sub), \(view.result)", now: now)
        attemptFailed(plan, now: now)
    }

    // MARK: Proof

    var validationBegan: Instant { stateSince.instant }

    var validationDetail: String {
        let last = probes.notes.last.map { $0.detail ?? $0.verdict.rawValue } ?? "no answer"
        return "\(probes.goodInRow) good in a row, last: \(last)"
    }

    /// A process runs; now it must prove itself.
    mutating func validate(_ plan: Plan, now: Moment) {
        planHasProcess(plan)
        endAction(.validate, .abandoned, now: now)
        beginAction(.validate, now: now)
        stateSince = now
        enter(.validating(plan), for: settings.startTimeout, now: now)
        set(.probe, after: .zero, now: now)
    }

    /// Enough good answers in a row.
    mutating func validated(firstGood: Moment, now: Moment) {
        if var book = incident {
            let proof = ValidationRecord(
                goodProbes: Int64(probes.goodInRow), firstGoodAtMs: firstGood.wall.milliseconds,
                tookMs: (now.instant - validationBegan).milliseconds)
            book.validated(proof, firstGood: firstGood.instant)
            incident = book
            endAction(.validate, .done, now: now)
            emit(
                .announce(
                    .validated(
                        Validated(
                            service: service, incident: book.record.id, validation: proof,
                            recoveryMs: book.record.recoveryMs))))
        }
        closeIncident(.recovered, now: now)
        budget.healthBegan(at: now.instant)
        keepMemory(now: now)
        enter(.watching, now: now)
    }

    /// The attempt did not help: the next one of the same incident, with what is known now.
    mutating func attemptFailed(_ plan: Plan, now: Moment) {
        endAction(.start, .failed, now: now)
        endAction(.validate, .failed, detail: validationDetail, now: now)
        guard plan.restarts else { return startOrFinish(plan, now: now) }
        let why: IncidentClass = probes.wrong > probes.unanswered ? .failing : .unknown
        let next = Plan(for: process == nil ? .dead : why, processRuns: process != nil)
        if plan.follows != nil { openIncident(next.why, completed(ClassNumbers(), now: now), now: now) }
        if waitsForDependency(next, now: now) { return }
        schedule(next, now: now)
    }
}
