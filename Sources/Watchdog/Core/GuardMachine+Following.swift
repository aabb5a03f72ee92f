import ConfigAPI
import Time
import WatchdogAPI

// Following the configuration: the service is brought to a change on trial, and back to what was before it.
//
// Nothing is remembered over a restart of watchdogd: what is to be done is read off configd's word and the process's start.
// A process that started after the files were written has read them; one that started before the change never read it.
extension GuardMachine {
    /// systemd reads an EnvironmentFile= before it stamps the process's start: a start so shortly after the write proves nothing.
    private static let startDoubt: Duration = .milliseconds(500)
    /// How long a bad service waits for its configuration to go back before it is recovered as it is.
    private static let goingBackPatience: Duration = .seconds(5)

    /// What the guard knows of a change, and did for it.
    struct Following: Hashable, Sendable {
        var change: ServiceChange?
        /// Begun; at most once a change and way, whatever becomes of it.
        var begun: ServiceChange.Key?
        /// Carried out: the process runs what it asks for.
        var done: ServiceChange.Key?
        /// configd was told, in this word of its.
        var isTold = false
        /// The change that was asked back because the service went bad with it.
        var sentBack: Int64?
        /// The call of a reload or a signal that is under way.
        var call: CallID?
        /// A reload or a signal failed: only a restart will do.
        var needsRestart = false
    }

    /// configd's word on the service, nil for no change; said again after each of its silences.
    mutating func changeSeen(_ change: ServiceChange?, now: Moment) {
        if change?.key != following.change?.key { following.needsRestart = false }
        following.change = change
        following.isTold = false
        guard let change, case .onTrial = change.phase, following.sentBack == change.id else { return }
        emit(.cancelChange(change.id, why: "the service went bad with it"))
    }

    /// After every event: what the change that stands asks for now.
    mutating func settleChange(now: Moment) {
        guard let change = following.change, change.wantsActivation, following.call == nil else { return }
        guard !isTrue(change, now: now) else { return tellFollowed(change) }
        guard following.begun != change.key, hold == nil, settings.mayAct, mayBegin(change) else { return }
        following.begun = change.key
        announce(change, .underWay, nil)
        switch following.needsRestart ? .restart : change.activation {
        case .nothing: following.done = change.key
        case .restart: beginRestart(for: change, now: now)
        case .reload:
            let id = nextCall()
            following.call = id
            emit(.reloadUnit(id))
        case .SIGHUP: signal(.SIGHUP, for: change)
        case .SIGUSR1: signal(.SIGUSR1, for: change)
        case .SIGUSR2: signal(.SIGUSR2, for: change)
        }
    }

    // MARK: Whether it is true already

    /// Whether the process runs what the change asks for; of a change on trial, and has proven itself with it.
    private func isTrue(_ change: ServiceChange, now: Moment) -> Bool {
        switch change.phase {
        case .goingBack: return false
        case .onTrial(let since):
            guard case .watching = state, process != nil else { return false }
            guard following.done == change.key || startedAt.map({ $0 >= since + Self.startDoubt }) ?? false else {
                return false
            }
            return !settings.hasProbe || probes.goodInRow >= settings.goodProbesToValidate
        case .takenBack(let since, let appliedAt):
            guard process != nil else { return state.condition == .operatorStopped }
            if following.done == change.key { return true }
            guard let startedAt else { return false }
            // A reload or a signal may have brought an older process to the change.
            let neverRanIt = change.activation == .restart && appliedAt.map { startedAt < $0 } ?? false
            return neverRanIt || startedAt >= since + Self.startDoubt
        }
    }

    private var startedAt: Instant? {
        guard let process, unit?.main == process else { return nil }
        return unit?.mainStartedAt
    }

    private mutating func tellFollowed(_ change: ServiceChange) {
        guard !following.isTold else { return }
        following.isTold = true
        following.done = change.key
        let process = process.map { "\($0.pid)@\($0.startTicks)" } ?? "none"
        emit(.tellActivated(change.id, invocation: unit?.invocation ?? process))
        announce(change, .done, nil)
    }

    // MARK: Beginning

    /// A change on trial is begun on a service that is well: so its trouble afterwards is the change's. A take-back is a cure,
    /// and waits for nothing but what forbids force itself. Where a recovery waits, either is the reason to try now.
    private func mayBegin(_ change: ServiceChange) -> Bool {
        guard starvation == nil else { return false }
        let isBack = change.key.isBack
        switch state {
        case .warming, .watching, .backingOff, .halfOpen: return true
        case .suspecting, .confirming, .saturated, .validating: return isBack
        case .adopting, .waitingForHost, .judgingDeath, .waitingForTurn, .collectingEvidence, .draining, .terminating,
            .killing, .starting, .held, .operatorActing, .operatorStopped, .hostStopping:
            return false
        }
    }

    /// By the guard's own way and turn, at nobody's cost.
    private mutating func beginRestart(for change: ServiceChange, now: Moment) {
        var plan: Plan
        if let waiting = state.waitingPlan {
            plan = waiting
            plan.isSlowTry = false
        } else {
            plan = Plan(asked: process == nil ? .none : restartEnding, restarts: true)
        }
        plan.isAsked = true
        plan.awaitsTakeBack = false
        plan.follows = change.key
        endAction(.wait, .abandoned, detail: "the configuration changed", now: now)
        endAction(.validate, .abandoned, detail: "the configuration changed", now: now)
        requestTurn(plan, now: now)
    }

    /// A loop that answers is drained and asked to end; one that does not is killed, since SIGTERM is only a wait for it.
    private var restartEnding: Plan.Ending { unansweredSince == nil ? .drained : .kill }

    private mutating func signal(_ signal: KillSignal, for change: ServiceChange) {
        guard let process else { return }
        let id = nextCall()
        following.call = id
        emit(.killProcess(id, process, signal: signal))
    }

    /// The end of a reload or a signal; true where the call was one.
    mutating func changeCallFinished(_ id: CallID, _ result: CallResult) -> Bool {
        guard id == following.call else { return false }
        following.call = nil
        guard let change = following.change, following.begun == change.key else { return true }
        switch result {
        case .done:
            following.done = change.key
            // What was answered before says nothing of it.
            probes.forgetVerdicts()
        case .failed, .timedOut:
            let why = if case .failed(let why) = result { why } else { "no answer" }
            announce(change, .failed, "\(change.activation.rawValue): \(why)")
            if change.key.isBack {
                following.needsRestart = true
                following.begun = nil
            } else {
                sendBack(change, why: "\(change.activation.rawValue) failed: \(why)")
            }
        }
        return true
    }

    /// The plan's process is there.
    mutating func planHasProcess(_ plan: Plan) {
        if let key = plan.follows { following.done = key }
    }

    // MARK: Going bad

    /// The service is bad, and runs a change on trial, or may: the configuration goes back before anything else is tried, and
    /// once (DESIGN §7). True where that is waited for.
    mutating func waitsForTakeBack(_ plan: Plan, _ why: IncidentClass, now: Moment) -> Bool {
        guard asksBack(why) else { return false }
        beginAction(.wait, "the configuration goes back first", now: now)
        var waiting = plan
        waiting.awaitsTakeBack = true
        enter(.backingOff(waiting), for: Self.goingBackPatience, now: now)
        return true
    }

    /// configd has not taken it back: the service is recovered as it is, by the ordinary way.
    mutating func takeBackOverdue(_ plan: Plan, now: Moment) {
        endAction(.wait, .timedOut, now: now)
        var overdue = plan
        overdue.awaitsTakeBack = false
        schedule(overdue, now: now)
    }

    /// Asks for what was before, where the service is bad with a change on trial; true where that was not asked before.
    @discardableResult
    mutating func asksBack(_ why: IncidentClass) -> Bool {
        guard let change = following.change, case .onTrial(let since) = change.phase, settings.mayAct,
            following.sentBack != change.id
        else { return false }
        let mayRunIt =
            following.begun == change.key || !change.wantsActivation || startedAt.map { $0 >= since } ?? false
        guard mayRunIt else { return false }
        sendBack(change, why: "the service is \(why.rawValue) with it")
        announce(change, .failed, "\(why.rawValue): it is asked back")
        return true
    }

    private mutating func sendBack(_ change: ServiceChange, why: String) {
        following.sentBack = change.id
        emit(.cancelChange(change.id, why: why))
    }

    private mutating func announce(_ change: ServiceChange, _ outcome: ActionOutcome, _ detail: String?) {
        emit(
            .announce(
                .changeFollowed(
                    ChangeFollowed(
                        service: service, change: change.id, back: change.key.isBack,
                        activation: change.activation.rawValue, outcome: outcome, incident: incident?.record.id,
                        detail: detail))))
    }
}
