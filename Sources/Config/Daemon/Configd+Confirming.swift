import ConfigAPI
import ConfigCore
import Runtime
import Time
import Wire

/// Changes on trial on the loop: has the store thread settle them when their time has come, answers the methods that are
/// about them, and tells of them.
@Loop final class Confirming {
    private let context: DaemonContext
    private let store: Worker<Custody>
    private let files: (_ service: String) -> [KeptFile]?
    private let announced: ([KeptFile]) -> [Keeper.FileID: Int64]
    private let seen: ([Keeper.FileID: Custody.Seen]) -> Void
    private var trials = Trials()
    private var timers: [TimerID: LoopTimer] = [:]
    /// Services whose take-back failed and was told of.
    private var failing: Set<String> = []
    private static let deadline = ChangeQueue.deadline

    /// `files` are a service's, nil where there is no such service; `announced` is what the loop knows of them; `seen` takes
    /// what a job found of them.
    init(
        _ context: DaemonContext, store: Worker<Custody>, files: @escaping (String) -> [KeptFile]?,
        announced: @escaping ([KeptFile]) -> [Keeper.FileID: Int64],
        seen: @escaping ([Keeper.FileID: Custody.Seen]) -> Void
    ) {
        self.context = context
        self.store = store
        self.files = files
        self.announced = announced
        self.seen = seen
    }

    /// As `pending` and `status` show them.
    var shown: [ConfigPending] { trials.shown(now: HostClock.now()) }

    /// What a change on trial of these files takes; nil where it is not to be one.
    static func terms(_ confirmMs: Int64?, _ parts: [Custody.Part]) -> Custody.TrialTerms? {
        guard let confirmMs, let first = parts.first?.kept else { return nil }
        return Custody.TrialTerms(
            service: first.id.service, window: .milliseconds(confirmMs),
            activation: parts.dropFirst().reduce(first.activation) { $0.joined(with: $1.kept.activation) },
            activationLimit: first.activationLimit)
    }

    // MARK: Orders

    /// Reads the rows and settles what the last life left: what is due goes back before anything else is done. `begun` is
    /// called when that was ordered.
    func start(begun: @escaping @Loop @Sendable () -> Void = {}) {
        store.submit(deadline: Self.deadline, { try $0.allTrials() }) { [weak self] result in
            guard let self else { return }
            switch result {
            case .success(let found):
                let rows = found.values.sorted { $0.service < $1.service }
                perform(trials.found(rows, now: HostClock.now()))
            case .failure:
                // The looks at the files tell what is the matter with the store.
                Loop.after(Trials.retryInterval) { [weak self] in self?.start() }
            }
            begun()
        }
    }

    /// The settings may name other files now.
    func reload() {
        for trial in shown { settle(trial.service) }
    }

    /// A version was announced that may not be the trial's own.
    func versionAnnounced(of service: String) { perform(trials.versionAnnounced(of: service)) }

    /// A job of the store thread began or ended a trial.
    func changed(_ change: Custody.TrialChange) {
        perform(
            trials.changed(
                change.service, to: change.row, ending: change.ending, now: HostClock.now()))
    }

    /// A trial was refused, and may have left its row all the same.
    func doubted(_ service: String) { perform(trials.notAnswered(service)) }

    private func perform(_ actions: [Trials.Action]) {
        for action in actions {
            switch action {
            case .settle(let service): settle(service)
            case .setTimer(let id, let delay):
                timers[id] = Loop.after(delay) { [weak self] in
                    guard let self else { return }
                    timers[id] = nil
                    perform(trials.timerFired(id))
                }
            case .cancelTimer(let id): timers.removeValue(forKey: id)?.cancel()
            case .announce(let news, let trial): announce(news, trial)
            }
        }
    }

    private func settle(_ service: String) {
        let own = files(service) ?? []
        let known = announced(own)
        store.submit(deadline: Self.deadline, { try $0.settle(service, own, announced: known) }) {
            [weak self] result in
            guard let self else { return }
            switch result {
            case .success(let settled): took(settled, of: service)
            case .failure(let error): failed(Configd.error(error), service)
            }
        }
    }

    private func took(_ settled: Custody.Settled, of service: String) {
        seen(settled.seen)
        changed(settled.trial)
        guard let failure = settled.failure else {
            failing.remove(service)
            return
        }
        tellFailure(failure, service)
    }

    private func failed(_ error: RPCError, _ service: String) {
        perform(trials.notAnswered(service))
        tellFailure(error, service)
    }

    /// Once, however often it is tried again.
    private func tellFailure(_ error: RPCError, _ service: String) {
        guard let trial = trials.trial(of: service), failing.insert(service).inserted else { return }
        context.log.write(ConfigJournal.failed(trial, error))
    }

    private func announce(_ news: Trials.News, _ trial: Trial) {
        if let entry = ConfigJournal.entry(for: news, trial) { context.log.write(entry) }
        var shown = trial.shown(now: HostClock.now())
        switch news {
        case .applied: context.publish(ConfigEvents.pending, shown)
        case .activated: context.publish(ConfigEvents.activated, shown)
        case .confirmed:
            shown.phase = .confirmed
            context.publish(ConfigEvents.confirmed, shown)
        case .goingBack: break  // Until it is back there is nothing that anybody could do.
        case .takenBack:
            shown.phase = .takenBack
            context.publish(ConfigEvents.takenBack, shown)
        case .followed:
            shown.wantsActivation = false
            context.publish(ConfigEvents.activated, shown)
        }
    }

    // MARK: Methods

    func register() {
        let server = context.server
        server.onLater(Config.Pending.self) { [unowned self] params, _, responder throws(RPCError) in
            if let service = params.service, files(service) == nil { throw .unknownService(service) }
            // Behind the reading of the rows: that nothing is on trial must not be said of a daemon that does not know yet.
            store.submit(deadline: Self.deadline, { _ = try $0.allTrials() }) { [weak self] result in
                guard let self else { return }
                switch result {
                case .success:
                    let own = shown.filter { $0.service == params.service ?? $0.service }
                    responder.succeed(Config.Pending.Reply(pending: own))
                case .failure(let error): responder.fail(Configd.error(error))
                }
            }
        }
        server.onLater(Config.Activated.self) { [unowned self] params, _, responder throws(RPCError) in
            try say(.activated(invocation: params.invocation), params.id, params.service, responder) { $0 }
        }
        server.onLater(Config.Confirm.self) { [unowned self] params, _, responder throws(RPCError) in
            try say(.confirm, params.id, params.service, responder) { shown in
                var confirmed = shown
                confirmed.phase = .confirmed
                return confirmed
            }
        }
        server.onLater(Config.Cancel.self) { [unowned self] params, caller, responder throws(RPCError) in
            try say(.cancel(reason: params.reason, uid: caller.uid), params.id, params.service, responder) { shown in
                var back = shown
                back.phase = .takenBack
                return back
            }
        }
    }

    /// Has the store thread say a word, and answers its caller. `told` makes the reply of what the trial is afterwards.
    private func say(
        _ word: Custody.Word, _ id: Int64, _ service: String, _ responder: Responder<ConfigPending>,
        told: @escaping @Loop (ConfigPending) -> ConfigPending
    ) throws(RPCError) {
        guard let own = files(service) else { throw .unknownService(service) }
        let known = announced(own)
        store.submit(
            deadline: Self.deadline, { try $0.say(word, on: id, of: service, own, announced: known) },
            then: { [weak self] result in
                switch result {
                case .success(let said):
                    self?.took(said.settled, of: service)
                    responder.give(said.result.map { told($0.shown(now: HostClock.now())) })
                case .failure(let error):
                    self?.failed(Configd.error(error), service)
                    responder.fail(Configd.error(error))
                }
            })
    }
}
