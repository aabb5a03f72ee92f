import Time
import WatchdogAPI
package import Wire

// What people and the service itself ask for.
extension GuardMachine {
    /// The longest hold: 30 days. A service forgotten on hold for longer is one that nobody guards.
    package static let longestHoldMs: Int64 = 30 * 24 * 3_600_000

    /// Why this cannot be done now; nil where it can. Asked before `apply`, which does what it can in any state.
    package func objection(to event: GuardEvent) -> RPCError? {
        switch event {
        case .holdAsked(_, let duration, _):
            guard let duration else { return nil }
            let range = Int64(1)...Self.longestHoldMs
            let ms = duration.milliseconds
            return range.contains(ms) ? nil : WatchdogErrors.outOfRange("forMs", found: ms, allowed: range)
        case .releaseAsked: return hold == nil ? WatchdogErrors.notHeld(service) : nil
        case .restartAsked: return objectionToForce
        case .shutdownAsked(let timeout, _, _):
            let range = Int64(0)...3_600_000
            guard range.contains(timeout.milliseconds) else {
                return WatchdogErrors.outOfRange("timeoutMs", found: timeout.milliseconds, allowed: range)
            }
            if process == nil, state.waitingPlan == nil, objectionToForce == nil {
                return WatchdogErrors.notRunning(service, condition: condition)
            }
            return objectionToForce
        default: return nil
        }
    }

    private var objectionToForce: RPCError? {
        if let hold { return WatchdogErrors.serviceHeld(service, by: hold.by, reason: hold.reason) }
        switch state {
        case .warming, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .backingOff, .halfOpen:
            return nil
        case .waitingForTurn, .collectingEvidence, .draining, .terminating, .killing, .starting, .validating:
            return WatchdogErrors.busy(service, condition: condition, incident: incident?.record.id)
        case .operatorStopped: return WatchdogErrors.notRunning(service, condition: condition)
        case .adopting, .judgingDeath, .held, .operatorActing, .hostStopping:
            return WatchdogErrors.notNow(service, condition: condition)
        }
    }

    mutating func restartAsked(_ order: RestartOrder, by: String, now: Moment) {
        guard objectionToForce == nil else { return }
        let ending: Plan.Ending =
            switch order.way {
            case .graceful: .signal(.SIGTERM, patience: settings.termTimeout)
            case .signal(.SIGKILL), .forced: .kill
            case .signal(let signal): .signal(signal, patience: settings.termTimeout)
            }
        beginAsked(Plan(asked: process == nil ? .none : ending, restarts: true), order.reason, by, now: now)
    }

    mutating func shutdownAsked(timeout: Duration, reason: String?, by: String, now: Moment) {
        guard objectionToForce == nil else { return }
        let ending: Plan.Ending = process == nil ? .none : .signal(.SIGTERM, patience: timeout)
        beginAsked(Plan(asked: ending, restarts: false), reason, by, now: now)
    }

    private mutating func beginAsked(_ plan: Plan, _ reason: String?, _ by: String, now: Moment) {
        endAction(.wait, .abandoned, detail: "\(by) asked for it now", now: now)
        if incident?.record.incidentClass == .saturated { closeIncident(.takenOver, now: now) }
        openIncident(.requested, ClassNumbers(), now: now)
        note(.external, detail: reason.map { "\(by): \($0)" } ?? by, outcome: .done, took: .zero, now: now)
        requestTurn(plan, now: now)
    }

    mutating func holdAsked(_ reason: String, _ duration: Duration?, _ by: String, now: Moment) {
        cancel(.holdEnd)
        let wall = now.wall.milliseconds
        let info = HoldInfo(
            reason: reason, by: by, sinceMs: wall, untilMs: duration.map { wall + $0.milliseconds })
        hold = info
        if let duration { set(.holdEnd, after: duration, now: now) }
        emit(.announce(.held(Held(service: service, hold: info))))
        switch state {
        case .hostStopping, .adopting: break  // Comes into force when it is known how things stand.
        case .warming, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .judgingDeath, .backingOff,
            .waitingForTurn, .collectingEvidence, .draining, .terminating, .killing, .starting, .validating, .halfOpen,
            .held, .operatorActing, .operatorStopped:
            closeIncident(.takenOver, now: now)
            interrupted = nil
            enter(.held, now: now)
            emit(.readUnit)
        }
        keepMemory(now: now)
    }

    mutating func release(by: String, now: Moment) {
        guard hold != nil else { return }
        hold = nil
        cancel(.holdEnd)
        refusals = []
        emit(.announce(.released(Released(service: service, by: by))))
        keepMemory(now: now)
        if case .held = state { lookAgain(nil, now: now) }
    }

    mutating func reset(by: String, now: Moment) {
        budget.reset(settings: settings)
        refusals.removeAll { $0.reason == .budgetEmpty }
        emit(.announce(.budgetReset(BudgetReset(service: service, by: by))))
        keepMemory(now: now)
        switch state {
        case .backingOff(var plan), .halfOpen(var plan):
            plan.isSlowTry = false
            requestTurn(plan, now: now)
        case .adopting, .warming, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .judgingDeath,
            .waitingForTurn, .collectingEvidence, .draining, .terminating, .killing, .starting, .validating, .held,
            .operatorActing, .operatorStopped, .hostStopping:
            break
        }
    }

    mutating func escalationAsked(_ issue: String, _ severity: Severity, now: Moment) {
        page(issue, severity, now: now)
    }

    mutating func recoveryReported(_ action: String, success: Bool, took: Duration?, now: Moment) {
        note(.external, detail: action, outcome: success ? .done : .failed, took: took, now: now)
        emit(
            .announce(
                .recoveryRecorded(
                    RecoveryRecorded(
                        service: service, incident: incident?.record.id, action: action, success: success))))
    }

    mutating func aliasLearnt(_ alias: String) {
        guard var book = incident else { return }
        book.add(alias: alias)
        incident = book
        emit(.recordIncident(book.record))
    }

    /// Something that is over, into the open record.
    private mutating func note(
        _ kind: ActionKind, detail: String, outcome: ActionOutcome, took: Duration?, now: Moment
    ) {
        guard var book = incident else { return }
        book.add(
            ActionRecord(
                kind: kind, startedAtMs: now.wall.milliseconds, tookMs: took?.milliseconds, outcome: outcome,
                detail: detail))
        incident = book
        emit(.recordIncident(book.record))
    }
}
