import Time
import WatchdogAPI

// The unit: adoption, death, and other people's jobs.
extension GuardMachine {
    private static let judgeFirst: Duration = .milliseconds(250)
    private static let judgeNext: Duration = .seconds(1)

    /// The main process that a view shows and that is not known to be dead.
    func liveMain(of view: UnitView) -> ProcessIdentity? {
        view.main.flatMap { $0 == lastProcess ? nil : $0 }
    }

    /// A job of somebody else that stops or starts the unit. systemd's own restart out of `auto-restart` is none.
    private func foreignJob(in view: UnitView) -> UnitView.Job? {
        guard let job = view.job, !job.ours, view.sub != "auto-restart" else { return nil }
        switch job.kind {
        case "stop", "restart", "try-restart", "start": return job
        default: return nil
        }
    }

    mutating func unitSeen(_ view: UnitView, now: Moment) {
        unit = view
        unitSeenAt = now.instant
        switch state {
        case .hostStopping: return
        case .adopting: return adopt(now: now)
        case .held: return seenWhileHeld(view, now: now)
        case .operatorActing:
            if foreignJob(in: view) == nil { lookAgain(view, now: now) }
            return
        case .warming, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .judgingDeath, .backingOff,
            .waitingForTurn, .collectingEvidence, .draining, .terminating, .killing, .starting, .validating, .halfOpen,
            .operatorStopped:
            break
        }
        if foreignJob(in: view) != nil { return operatorActs(now: now) }
        switch state {
        case .judgingDeath: judge(view, now: now)
        case .starting(let plan): seenWhileStarting(view, plan, now: now)
        case .operatorStopped: seenWhileStopped(view, now: now)
        case .backingOff(let plan), .waitingForTurn(let plan), .halfOpen(let plan):
            seenWhileWaiting(view, plan, now: now)
        case .warming, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .validating:
            if let main = liveMain(of: view), main != process { replaced(by: main, view, now: now) }
        case .collectingEvidence, .draining, .terminating, .killing, .adopting, .held, .operatorActing, .hostStopping:
            break
        }
    }

    mutating func unitUnreadable(_ reason: String, now: Moment) {
        switch state {
        case .judgingDeath:
            page("systemd does not answer: \(reason)", .critical, now: now)
        case .adopting, .warming, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .backingOff,
            .waitingForTurn, .collectingEvidence, .draining, .terminating, .killing, .starting, .validating, .halfOpen,
            .held, .operatorActing, .operatorStopped, .hostStopping:
            break  // The timers ask again.
        }
    }

    // MARK: Adoption

    mutating func memoryRestored(_ memory: GuardMemory?, _ record: IncidentRecord?, now: Moment) {
        guard case .adopting = state, !memoryKnown else { return }
        memoryKnown = true
        if let memory {
            budget = RestartBudget(restoring: memory, settings: settings)
            progress = ProgressWindow(
                worth: ProgressWindow.Worth(
                    readCallsSpeak: memory.readCallsSpeak, switchesSpeak: memory.switchesSpeak))
            stoppedByUs = memory.stoppedByUs
            lastIncident = memory.lastIncident
            if let pid = memory.provenPid.flatMap({ Int32(exactly: $0) }), let ticks = memory.provenStartTicks {
                provenProcess = ProcessIdentity(pid: pid, startTicks: UInt64(max(ticks, 0)))
            }
            if let record, record.id == memory.openIncident, record.outcome == .open {
                incident = IncidentBook(resuming: record, now: now)
            }
            if let kept = memory.hold { take(kept, now: now) }
        }
        adopt(now: now)
    }

    /// A hold that was kept: what is left of it.
    private mutating func take(_ kept: HoldInfo, now: Moment) {
        guard let until = kept.untilMs else {
            hold = kept
            return
        }
        let left = until - now.wall.milliseconds
        guard left > 0 else { return }
        hold = kept
        set(.holdEnd, after: .milliseconds(left), now: now)
    }

    /// Finds its place from the memory and the unit's view: at the start, after a hold, after somebody else's job.
    mutating func adopt(now: Moment) {
        guard case .adopting = state, memoryKnown, let view = unit else { return }
        if let main = liveMain(of: view), main != process { watch(main, now: now) }
        if !isAdopted {
            isAdopted = true
            emit(
                .announce(
                    .adopted(
                        Adopted(
                            service: service, pid: process.map { Int64($0.pid) }, incident: incident?.record.id,
                            warning: unitWarning))))
        }
        if hold != nil {
            enter(.held, now: now)
            return seenWhileHeld(view, now: now)
        }
        if foreignJob(in: view) != nil { return operatorActs(now: now) }
        if let process { return adoptRunning(process, view, now: now) }
        switch view.active {
        case .activating where view.sub == "auto-restart": died(view, now: now)
        case .failed: view.result == "timeout" ? operatorStopped(now: now) : died(view, now: now)
        case .inactive, .missing: stoppedByUs ? died(view, now: now) : operatorStopped(now: now)
        case .active, .reloading, .activating, .deactivating, .maintenance:
            break  // On its way: the unit is read again each 2 s.
        }
    }

    private mutating func adoptRunning(_ process: ProcessIdentity, _ view: UnitView, now: Moment) {
        stoppedByUs = false
        if let book = incident {
            if book.record.incidentClass == .saturated { return enter(.saturated, now: now) }
            // Before force was used the figures decide; after it a process must prove itself.
            if !book.usedForce { return lookAnew(now: now) }
            return validate(Plan(for: book.record.incidentClass, processRuns: true), now: now)
        }
        let graceEnds = (view.mainStartedAt ?? now.instant) + settings.startTimeout
        if process == provenProcess || graceEnds <= now.instant {
            enter(.watching, now: now)
        } else {
            enter(.warming, for: graceEnds - now.instant, now: now)
        }
    }

    /// Looks at the unit as if watchdogd had just started.
    mutating func lookAgain(_ view: UnitView?, now: Moment) {
        let before = process
        let wasActing = state.condition == .operatorActing
        unit = view
        interrupted = nil
        enter(.adopting, now: now)
        if view == nil { emit(.readUnit) }
        adopt(now: now)
        guard wasActing else { return }
        if state.condition == .warming || state.condition == .watching, process != before {
            operatorActed(lastProcess == nil ? "started" : "restarted")
        }
    }

    /// Another process is the unit's main one now.
    mutating func watch(_ main: ProcessIdentity, now: Moment) {
        if let process, process != main { lastProcess = process }
        for id in probes.void() { emit(.abandonProbe(id)) }
        cancel(.deadline)
        cancel(.patience)
        cancel(.despair)
        unansweredSince = nil
        probes.forgetVerdicts()
        progress.forget()
        limits.forget()
        process = main
        emit(.watchProcess(main))
        set(.resources, after: .seconds(1), now: now)
        settleProbing(now: now)
    }

    /// Somebody, or systemd, put another process in its place.
    private mutating func replaced(by main: ProcessIdentity, _ view: UnitView, now: Moment) {
        if case .validating(let plan) = state {
            watch(main, now: now)
            return validate(plan, now: now)
        }
        closeIncident(.takenOver, now: now)
        watch(main, now: now)
        operatorActed("restarted")
        adoptRunning(main, view, now: now)
    }

    // MARK: Death

    mutating func processExited(_ identity: ProcessIdentity, now: Moment) {
        guard identity == process else { return }
        process = nil
        lastProcess = identity
        endedAt = now
        for id in probes.void() { emit(.abandonProbe(id)) }
        unansweredSince = nil
        for purpose in [Purpose.deadline, .patience, .despair, .probe, .look, .resources] { cancel(purpose) }
        emit(.unwatchProcess)
        switch state {
        case .draining(let plan), .terminating(let plan), .killing(let plan):
            endAction(.drain, .done, now: now)
            endAction(.terminate, .done, now: now)
            endAction(.signal, .done, now: now)
            endAction(.kill, .done, now: now)
            killTries = 0
            startOrFinish(plan, now: now)
        case .collectingEvidence(let plan):
            endAction(.collectEvidence, .abandoned, detail: "it ended", now: now)
            interrupted = plan
            judgeDeath(now: now)
        case .waitingForTurn(let plan):
            if plan.isAsked { interrupted = plan }
            judgeDeath(now: now)
        case .warming, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .backingOff, .halfOpen,
            .validating:
            judgeDeath(now: now)
        case .held: emit(.readUnit)
        case .adopting, .judgingDeath, .starting, .operatorActing, .operatorStopped, .hostStopping: break
        }
    }

    private mutating func judgeDeath(now: Moment) {
        endAction(.validate, .failed, detail: "it ended", now: now)
        endAction(.wait, .abandoned, detail: "it ended", now: now)
        enter(.judgingDeath, for: Self.judgeFirst, now: now)
        emit(.readUnit)
    }

    /// Whose doing was it?
    private mutating func judge(_ view: UnitView, now: Moment) {
        if let main = liveMain(of: view) {
            // Faster than systemd's own delay: somebody restarted it.
            closeIncident(.takenOver, now: now)
            watch(main, now: now)
            operatorActed("restarted")
            return adoptRunning(main, view, now: now)
        }
        switch view.active {
        case .activating where view.sub == "auto-restart": died(view, now: now)
        case .failed: view.result == "timeout" ? operatorStopped(now: now) : died(view, now: now)
        case .inactive, .missing: stoppedByUs ? died(view, now: now) : operatorStopped(now: now)
        case .active, .reloading, .activating, .deactivating, .maintenance:
            break  // systemd has not come to it yet: its next signal tells, or the step's time ends.
        }
    }

    /// No verdict in time. A unit that systemd still shows with its dead process is one that nobody reaps: dead, by itself.
    mutating func judgeAgain(now: Moment) {
        let isFresh = unitSeenAt.map { seen in endedAt.map { seen > $0.instant } ?? true } ?? false
        if let view = unit, isFresh, view.active == .active, liveMain(of: view) == nil, view.job == nil {
            return died(view, now: now)
        }
        emit(.readUnit)
        set(.step, after: Self.judgeNext, now: now)
    }

    /// It ended by itself, or is owed a start.
    private mutating func died(_ view: UnitView, now: Moment) {
        var numbers = ClassNumbers()
        numbers.exitCode = view.exitCode.map { Int64($0) }
        numbers.exitSignal = view.exitSignal.map(Self.signalName)
        numbers.unitResult = view.result == "success" ? nil : view.result
        if let plan = interrupted { return startOrFinish(plan, now: now) }
        guard incident == nil || incident?.record.incidentClass == .saturated else {
            guard settings.mayAct else { return enter(.judgingDeath, for: .seconds(5), now: now) }
            return schedule(Plan(for: .dead, processRuns: false), now: now)
        }
        decide(.dead, numbers, now: now)
    }

    /// The names that signal(7) gives on Linux, for those that end processes.
    static func signalName(_ number: Int32) -> String {
        let names: [Int32: String] = [
            1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
            9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
            24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
        ]
        return names[number] ?? "signal \(number)"
    }

    // MARK: Somebody else

    /// A job of somebody else is on the unit: theirs from here on.
    private mutating func operatorActs(now: Moment) {
        closeIncident(.takenOver, now: now)
        interrupted = nil
        for id in probes.void() { emit(.abandonProbe(id)) }
        cancel(.patience)
        enter(.operatorActing, now: now)
        set(.unit, after: unitInterval, now: now)
    }

    private mutating func operatorStopped(now: Moment) {
        let wasRunning = state.condition == .judgingDeath || lastProcess != nil
        closeIncident(.takenOver, now: now)
        interrupted = nil
        stoppedByUs = false
        endedAt = nil
        enter(.operatorStopped, now: now)
        if wasRunning { operatorActed("stopped") }
    }

    private mutating func operatorActed(_ what: String) {
        emit(.announce(.operatorActed(OperatorActed(service: service, what: what))))
    }

    private mutating func seenWhileStopped(_ view: UnitView, now: Moment) {
        if let main = liveMain(of: view) {
            watch(main, now: now)
            operatorActed("started")
            return adoptRunning(main, view, now: now)
        }
        // While a stop of ours is under way this is the restart that it cancels.
        if call == nil && view.active == .activating && view.sub == "auto-restart" { died(view, now: now) }
    }

    /// While a plan waits, the unit may be started by somebody, or stopped.
    private mutating func seenWhileWaiting(_ view: UnitView, _ plan: Plan, now: Moment) {
        if let main = liveMain(of: view), main != process {
            endAction(.wait, .abandoned, detail: "it was started", now: now)
            watch(main, now: now)
            stoppedByUs = false
            return validate(plan, now: now)
        }
        if process == nil, view.active == .inactive, view.job == nil, !stoppedByUs { operatorStopped(now: now) }
    }

    /// Somebody else's job on the unit has ended. On a unit that we stopped for a wait a `systemctl stop` changes nothing
    /// that its views could show; but its job was there.
    mutating func foreignJobEnded(now: Moment) {
        guard state.waitingPlan != nil, process == nil, stoppedByUs, unit?.active == .inactive else { return }
        operatorStopped(now: now)
    }

    private mutating func seenWhileHeld(_ view: UnitView, now: Moment) {
        if let main = liveMain(of: view), main != process {
            stoppedByUs = false
            return watch(main, now: now)
        }
        guard process == nil, view.sub == "auto-restart", foreignJob(in: view) == nil, settings.mayAct else { return }
        refuse(.held, detail: hold?.reason, now: now)
        guard !stoppedByUs else { return }
        stoppedByUs = true
        emit(.stopUnit(nextCall()))
        keepMemory(now: now)
    }

    mutating func managerSeen(stopping: Bool, now: Moment) {
        if stopping {
            guard state.condition != .hostStopping else { return }
            for id in probes.void() { emit(.abandonProbe(id)) }
            cancel(.patience)
            interrupted = nil
            enter(.hostStopping, now: now)
            keepMemory(now: now)
        } else if case .hostStopping = state {
            lookAgain(nil, now: now)
        }
    }
}
