import Time
import WatchdogAPI

// The states of one guard, in prose.
//
//  A guard begins by *adopting*: it asks its memory and systemd how things stand, and touches nothing. A running unit leads
//  to *warming* (its process is young: failures do not count until it has answered, or its start time is over) or straight to
//  *watching*. A dead one leads to *operatorStopped* (somebody's decision, or it was never started) or, if it died by itself
//  or owes us a start, into a recovery. An incident of an earlier life goes on in *suspecting* or *validating*.
//
//  *watching* is the rest state: a probe each interval. A bad sign leads to *suspecting*, where figures are gathered more
//  often; a good answer leads back. From there: *confirming* (the process is in state T: one more look), *saturated* (it
//  answers, late: an incident, and nothing done), *waitingForHost* (there is a verdict, but the host is starved), or a
//  recovery. Where something is the matter and nothing may be done (a debugger, a dependency that is down, settings that
//  say to watch only) it stays *suspecting* with a refusal that stands.
//
//  The end of the process leads to *judgingDeath*: systemd is asked whether it was somebody's order (a stop: to
//  *operatorStopped*; a job: to *operatorActing*) or a death (a recovery).
//
//  A recovery is one plan, carried from state to state: *backingOff* (waits), or *halfOpen* (waits long, for the budget is
//  empty, and an operator was called), then *waitingForTurn* (the host's limit on restarts at once), *collectingEvidence*
//  (500 ms at most), *draining*, *terminating*, *killing* as the plan says, *starting*, *validating*. It ends in
//  *watching*. An attempt that fails makes the next plan of the same incident. While it waits, the process may come back
//  by itself: then nothing is done.
//
//  The operator is above all: *held* is entered from every state but *hostStopping*, *operatorActing* whenever somebody
//  else's job is on the unit, *operatorStopped* when it was stopped. After each of them the guard looks again, as in
//  *adopting*. *hostStopping* holds everything until systemd says otherwise.
//
//  Every state has a timer, so that a lost signal can delay the guard and never trap it.

/// A state, with what only that state needs.
enum GuardState: Hashable, Sendable {
    /// Waits for the memory (1 s at most) and the unit's view. To any state below.
    case adopting
    /// Runs, has not answered. To watching, suspecting (the time is over), confirming, judgingDeath.
    case warming
    /// Answers. To suspecting, confirming, judgingDeath, a recovery (limits).
    case watching
    /// The last sign was bad. To watching, confirming, saturated, waitingForHost, judgingDeath, a recovery.
    case suspecting
    /// Seen in state T once. To suspecting (it runs again), a recovery.
    case confirming
    /// Answers late. To watching (good answers in a row), waitingForHost, judgingDeath, a recovery (it hangs after all).
    case saturated
    /// The verdict stands, the host is starved. To suspecting after 30 s or as soon as the host has CPU: looked at anew.
    case waitingForHost(IncidentClass)
    /// The process ended; whose doing was it? To operatorActing, operatorStopped, warming (somebody restarted it), a
    /// recovery.
    case judgingDeath
    /// To waitingForTurn when the wait is over, or to watching if it comes back.
    case backingOff(Plan)
    /// To collectingEvidence or starting when the turn is granted.
    case waitingForTurn(Plan)
    /// To draining, terminating, killing or starting; to suspecting if an answer comes after all.
    case collectingEvidence(Plan)
    /// To terminating.
    case draining(Plan)
    /// To killing, or to starting (or operatorStopped) when the process ends.
    case terminating(Plan)
    /// To starting (or operatorStopped) when the process ends; otherwise it stays, and an operator is called.
    case killing(Plan)
    /// To validating when systemd shows a new process; to the next plan when it does not.
    case starting(Plan)
    /// To watching when enough good answers came in a row; to judgingDeath, or to the next plan when the time is over.
    case validating(Plan)
    /// As backingOff, with longer waits.
    case halfOpen(Plan)
    /// To adopting when released.
    case held
    /// To adopting when the job has gone.
    case operatorActing
    /// To warming when the unit runs again.
    case operatorStopped
    /// To adopting if the shutdown is called off.
    case hostStopping

    /// The state's name on the wire.
    var condition: GuardCondition {
        switch self {
        case .adopting: .adopting
        case .warming: .warming
        case .watching: .watching
        case .suspecting: .suspecting
        case .confirming: .confirming
        case .saturated: .saturated
        case .waitingForHost: .waitingForHost
        case .judgingDeath: .judgingDeath
        case .backingOff: .backingOff
        case .waitingForTurn: .waitingForTurn
        case .collectingEvidence: .collectingEvidence
        case .draining: .draining
        case .terminating: .terminating
        case .killing: .killing
        case .starting: .starting
        case .validating: .validating
        case .halfOpen: .halfOpen
        case .held: .held
        case .operatorActing: .operatorActing
        case .operatorStopped: .operatorStopped
        case .hostStopping: .hostStopping
        }
    }

    /// Whether probes are sent while a process runs. Not while evidence is collected or the process is being ended.
    var probes: Bool {
        switch self {
        case .warming, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .backingOff, .waitingForTurn,
            .validating, .halfOpen, .held:
            true
        case .adopting, .judgingDeath, .collectingEvidence, .draining, .terminating, .killing, .starting,
            .operatorActing, .operatorStopped, .hostStopping:
            false
        }
    }

    /// Whether the counters are looked at between probes.
    var looksClosely: Bool {
        switch self {
        case .suspecting, .confirming: true
        case .adopting, .warming, .watching, .saturated, .waitingForHost, .judgingDeath, .backingOff, .waitingForTurn,
            .collectingEvidence, .draining, .terminating, .killing, .starting, .validating, .halfOpen, .held,
            .operatorActing, .operatorStopped, .hostStopping:
            false
        }
    }

    /// The plan that is being carried out, for as long as it can be dropped without harm.
    var waitingPlan: Plan? {
        switch self {
        case .backingOff(let plan), .waitingForTurn(let plan), .halfOpen(let plan): plan
        case .adopting, .warming, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .judgingDeath,
            .collectingEvidence, .draining, .terminating, .killing, .starting, .validating, .held, .operatorActing,
            .operatorStopped, .hostStopping:
            nil
        }
    }

    /// Whether force is being used: what the host's limit counts, and what must never be begun twice.
    var isActing: Bool {
        switch self {
        case .collectingEvidence, .draining, .terminating, .killing, .starting, .validating: true
        case .adopting, .warming, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .judgingDeath,
            .backingOff, .waitingForTurn, .halfOpen, .held, .operatorActing, .operatorStopped, .hostStopping:
            false
        }
    }
}

/// One attempt: how the process is ended, and whether a new one is started.
struct Plan: Hashable, Sendable {
    /// How the process is ended, where there is one.
    enum Ending: Hashable, Sendable {
        /// It has ended already.
        case none
        /// SIGKILL: for a loop that does not turn, SIGTERM is only a wait (90 s for a spinning Node, FACTS §11).
        case kill
        /// Drain, SIGTERM, SIGKILL: for a loop that answers.
        case drained
        /// A signal of the operator's, then SIGKILL after this long.
        case signal(KillSignal, patience: Duration)
    }

    var why: IncidentClass
    var ending: Ending
    /// False for `gracefulShutdown`.
    var restarts = true
    /// The operator asked: costs no budget, waits for nothing but its turn.
    var isAsked = false
    /// A slow try of an empty budget: costs none.
    var isSlowTry = false
    /// The budget was charged: when force begins, not before.
    var isPaid = false
    /// The change of the configuration that it is for.
    var follows: ServiceChange.Key?
    /// It waits for the configuration to go back, and not yet for its own time.
    var awaitsTakeBack = false

    /// The way of a class (DESIGN §7).
    init(for why: IncidentClass, processRuns: Bool) {
        self.why = why
        switch why {
        case .dead:
            ending = .none
        case .stopped, .spinning, .blocked, .livelocked, .unknown:
            ending = .kill
        case .failing, .overLimit, .requested:
            ending = .drained
        case .saturated:
            preconditionFailure("a saturated service is never restarted")
        }
        if !processRuns { ending = .none }
    }

    /// An operator's order.
    init(asked ending: Ending, restarts: Bool) {
        why = .requested
        self.ending = ending
        self.restarts = restarts
        isAsked = true
    }

    /// Whether evidence is kept first: not where the operator asked for the gentle way.
    var wantsEvidence: Bool {
        switch ending {
        case .none: false
        case .kill, .drained: true
        case .signal(let signal, _): signal != .SIGTERM
        }
    }
}
