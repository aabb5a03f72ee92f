package import Time
package import WatchdogAPI

/// The guard of one service. `apply` takes an event and answers with the actions that it leads to; see GuardState for the
/// states in prose, GuardEvent and GuardAction for what goes in and comes out.
package struct GuardMachine: Hashable, Sendable {
    /// What a timer is for. One of each at most is pending.
    enum Purpose: Int, Hashable, Sendable, CaseIterable {
        /// The next probe.
        case probe
        /// The probe under way is late.
        case deadline
        /// The late probe has been open for as long as it may be.
        case patience
        /// Nobody was answered for as long as the settings bear.
        case despair
        /// The next look at the counters, while something is suspected.
        case look
        /// The state has lasted for as long as it may.
        case step
        /// The next look at memory, CPU and files.
        case resources
        /// The operator's hold ends.
        case holdEnd
        /// The unit is read again, in case that a signal was lost.
        case unit
    }

    struct Pending: Hashable, Sendable {
        let id: TimerID
        let due: Instant
    }

    /// The timers that are waited for: a place for each purpose, since they are set and looked for at every event.
    struct Timers: Hashable, Sendable {
        private var places: [Pending?] = Array(repeating: nil, count: Purpose.allCases.count)

        subscript(purpose: Purpose) -> Pending? {
            get { places[purpose.rawValue] }
            set { places[purpose.rawValue] = newValue }
        }

        var all: [Pending] { places.compactMap { $0 } }
        var isEmpty: Bool { places.allSatisfy { $0 == nil } }

        func purpose(of id: TimerID) -> Purpose? {
            places.firstIndex { $0?.id == id }.flatMap(Purpose.init)
        }
    }

    /// What the service said that it had served, and when it was told.
    struct Served: Hashable, Sendable {
        let total: Int64
        let at: Instant
    }

    /// The service's name in the settings.
    package let service: String
    var settings: GuardSettings
    var state: GuardState = .adopting
    var stateSince: Moment

    /// The unit as last seen, and when.
    var unit: UnitView?
    var unitSeenAt: Instant?
    /// The main process that runs and is watched; nil for none.
    var process: ProcessIdentity?
    /// The last one that ended: systemd may show it for a while.
    var lastProcess: ProcessIdentity?
    /// When it ended.
    var endedAt: Moment?
    /// The process that gave the last good answer.
    var provenProcess: ProcessIdentity?
    /// The unit is stopped because we stopped it, and is owed a start.
    var stoppedByUs = false

    var probes: ProbeWindow
    /// When the first of the probes was sent that nothing has answered since; nil while there are answers.
    var unansweredSince: Instant?
    var progress = ProgressWindow()
    var limits = LimitWatch()
    var lastGood: Moment?
    var lastHeartbeat: Moment?
    var lastServed: Instant?
    var served: Served?
    var dependenciesDown: [String] = []
    /// Why the host is held to be starved; nil where it is not.
    var starvation: String?

    var budget: RestartBudget
    var incident: IncidentBook?
    var lastIncident: String?
    /// The wall time in the last id: ids of one service never repeat.
    var lastIncidentMs: Int64 = 0
    var hold: HoldInfo?
    /// Refusals that stand: each is told once.
    var refusals: [Refusal] = []
    /// The plan that a death interrupted, until the death is judged.
    var interrupted: Plan?

    var memoryKnown = false
    var isAdopted = false
    var memoryKeptAt: Instant?
    /// The call whose end this state waits for.
    var call: CallID?
    var killTries = 0
    /// The change of the configuration that is followed.
    var following = Following()
    /// How often in a row the order to start was not answered.
    var startUnanswered = 0

    private var lastCall: UInt64 = 0
    private var timerIDs = TimerIDs()
    private var timers = Timers()
    private var out: [GuardAction] = []

    /// A guard that knows nothing yet.
    package init(service: String, settings: GuardSettings, now: Moment) {
        self.service = service
        self.settings = settings
        stateSince = now
        budget = RestartBudget(settings: settings)
        probes = ProbeWindow(keeps: settings.failureWindow)
    }

    /// What the guard is doing, by the state's name on the wire.
    package var condition: GuardCondition { state.condition }

    /// Whether it waits for one of the host's turns.
    package var wantsTurn: Bool {
        if case .waitingForTurn = state { return true }
        return false
    }

    /// Whether it uses one. A process that cannot be killed does not keep its turn from others.
    package var holdsTurn: Bool { state.isActing && killTries <= Self.killTriesInTurn }

    static let killTriesInTurn = 3

    /// Begins: the first orders.
    package mutating func start(now: Moment) -> [GuardAction] {
        emit(.restoreMemory)
        emit(.readUnit)
        set(.step, after: .seconds(1), now: now)
        set(.unit, after: .seconds(2), now: now)
        return taken()
    }

    /// Something happened. Never traps, whatever comes when.
    package mutating func apply(_ event: GuardEvent, now: Moment) -> [GuardAction] {
        switch event {
        case .timerFired(let id): timerFired(id, now: now)
        case .memoryRestored(let memory, let record): memoryRestored(memory, record, now: now)
        case .probeFinished(let id, let result): probeFinished(id, result, now: now)
        case .progressSampled(let sample): progressSampled(sample, now: now)
        case .resourcesSampled(let sample): resourcesSampled(sample, now: now)
        case .sampleFailed: break  // Without figures nothing is concluded from figures.
        case .evidenceCollected(let id, let note): evidenceCollected(id, note, now: now)
        case .callFinished(let id, let result): callFinished(id, result, now: now)
        case .unitSeen(let view): unitSeen(view, now: now)
        case .foreignJobEnded: foreignJobEnded(now: now)
        case .unitUnreadable(let reason): unitUnreadable(reason, now: now)
        case .processExited(let identity): processExited(identity, now: now)
        case .managerSeen(let stopping): managerSeen(stopping: stopping, now: now)
        case .heartbeatReceived: lastHeartbeat = now
        case .servedRequestsSeen(let total): servedRequestsSeen(total, now: now)
        case .dependenciesSeen(let down): dependenciesSeen(down)
        case .dependenciesUnknown: dependenciesSeen([])
        case .settingsChanged(let settings):
            self.settings = settings
            probes.keeps = settings.failureWindow
        case .holdAsked(let reason, let duration, let by): holdAsked(reason, duration, by, now: now)
        case .releaseAsked(let by): release(by: by, now: now)
        case .resetAsked(let by): reset(by: by, now: now)
        case .restartAsked(let order, let by): restartAsked(order, by: by, now: now)
        case .shutdownAsked(let timeout, let reason, let by):
            shutdownAsked(timeout: timeout, reason: reason, by: by, now: now)
        case .escalationAsked(let issue, let severity): escalationAsked(issue, severity, now: now)
        case .recoveryReported(let action, let success, let took):
            recoveryReported(action, success: success, took: took, now: now)
        case .aliasLearnt(let alias): aliasLearnt(alias)
        case .hostStarved(let starved, let detail): hostStarved(starved, detail: detail, now: now)
        case .ownDelaySeen: ownDelaySeen(now: now)
        case .turnGranted: turnGranted(now: now)
        case .changeSeen(let change): changeSeen(change, now: now)
        }
        settleChange(now: now)
        return taken()
    }

    /// The service is not guarded any more: everything that is pending is given up, nothing else is touched.
    package mutating func letGo() -> [GuardAction] {
        for purpose in Purpose.allCases { cancel(purpose) }
        for id in probes.void() { emit(.abandonProbe(id)) }
        emit(.unwatchProcess)
        return taken()
    }

    /// How late a timer is that fires now; nil for one that is not waited for.
    package func lateness(of id: TimerID, now: Moment) -> Duration? {
        timers.purpose(of: id).flatMap { timers[$0] }.map { now.instant - $0.due }
    }

    /// The timers that are waited for.
    var pendingTimers: Set<TimerID> { Set(timers.all.map(\.id)) }

    /// Whether something will happen by itself: always true between events.
    package var hasTimer: Bool { !timers.isEmpty }

    // MARK: Actions, calls, timers

    mutating func emit(_ action: GuardAction) { out.append(action) }

    private mutating func taken() -> [GuardAction] {
        defer { out = [] }
        return out
    }

    mutating func nextCall() -> CallID {
        lastCall += 1
        return CallID(lastCall)
    }

    func isPending(_ purpose: Purpose) -> Bool { timers[purpose] != nil }

    func due(_ purpose: Purpose) -> Instant? { timers[purpose]?.due }

    mutating func set(_ purpose: Purpose, after wait: Duration, now: Moment) {
        cancel(purpose)
        let id = timerIDs.next()
        timers[purpose] = Pending(id: id, due: now.instant + wait)
        emit(.setTimer(id, after: wait))
    }

    mutating func cancel(_ purpose: Purpose) {
        guard let pending = timers[purpose] else { return }
        timers[purpose] = nil
        emit(.cancelTimer(pending.id))
    }

    private mutating func timerFired(_ id: TimerID, now: Moment) {
        guard let purpose = timers.purpose(of: id) else { return }
        timers[purpose] = nil
        switch purpose {
        case .probe: probeDue(now: now)
        case .deadline: probeTimedOut(now: now)
        case .patience: patienceOver()
        case .despair: despaired(now: now)
        case .look: lookDue(now: now)
        case .step: stepOver(now: now)
        case .resources: resourcesDue(now: now)
        case .holdEnd: release(by: "its time", now: now)
        case .unit: unitDue(now: now)
        }
    }

    // MARK: States

    /// Enters a state, for `step` at most. Probes begin or pause as the state wants.
    mutating func enter(_ new: GuardState, for step: Duration? = nil, now: Moment) {
        cancel(.step)
        call = nil
        if state.condition != new.condition { stateSince = now }
        state = new
        if let step { set(.step, after: step, now: now) }
        if !new.looksClosely { cancel(.look) }
        settleProbing(now: now)
        let next = now.instant + unitInterval
        if due(.unit).map({ $0 > next }) ?? true { set(.unit, after: unitInterval, now: now) }
    }

    /// Probes run exactly while the state wants them and a process is there.
    mutating func settleProbing(now: Moment) {
        if state.probes && process != nil {
            if !isPending(.probe) { set(.probe, after: .zero, now: now) }
        } else {
            cancel(.probe)
            cancel(.deadline)
            if let id = probes.pause() { emit(.abandonProbe(id)) }
        }
    }

    /// How long until the unit is read again although nothing was reported of it.
    var unitInterval: Duration {
        switch state {
        case .adopting, .starting: .seconds(2)
        case .operatorActing, .judgingDeath, .killing, .terminating: .seconds(5)
        case .operatorStopped, .held, .hostStopping, .halfOpen, .backingOff, .waitingForTurn: .seconds(30)
        case .warming, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .collectingEvidence, .draining,
            .validating:
            .seconds(60)
        }
    }

    private mutating func unitDue(now: Moment) {
        emit(.readUnit)
        if case .starting = state, startUnanswered > 0, call == nil { orderStart() }
        set(.unit, after: unitInterval, now: now)
    }

    /// The state has lasted for as long as it may.
    private mutating func stepOver(now: Moment) {
        switch state {
        case .adopting:
            memoryKnown = true
            adopt(now: now)
        case .warming, .confirming: enter(.suspecting, now: now)
        case .waitingForHost:
            starvation = nil
            lookAnew(now: now)
        case .judgingDeath: judgeAgain(now: now)
        case .backingOff(let plan) where plan.awaitsTakeBack: takeBackOverdue(plan, now: now)
        case .backingOff(let plan), .halfOpen(let plan): requestTurn(plan, now: now)
        case .waitingForTurn:
            refuse(.hostStorm, detail: "too many restarts at once on this host", now: now)
            set(.step, after: .seconds(5), now: now)
        case .collectingEvidence(let plan):
            endAction(.collectEvidence, .timedOut, now: now)
            endProcess(plan, now: now)
        case .draining(let plan):
            endAction(.drain, .timedOut, now: now)
            terminate(plan, .SIGTERM, patience: settings.termTimeout, now: now)
        case .terminating(let plan):
            endAction(.terminate, .timedOut, now: now)
            endAction(.signal, .timedOut, now: now)
            kill(plan, now: now)
        case .killing(let plan): killAgain(plan, now: now)
        case .starting(let plan):
            endAction(.start, .timedOut, now: now)
            attemptFailed(plan, now: now)
        case .validating(let plan):
            endAction(.validate, .timedOut, detail: validationDetail, now: now)
            attemptFailed(plan, now: now)
        case .watching, .suspecting, .saturated, .held, .operatorActing, .operatorStopped, .hostStopping: break
        }
    }
}
