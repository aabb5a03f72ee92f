import ConfigAPI
import ConfigCore
import Time

/// Changes on trial in the simulated configd: the real `Trial` and `Trials`, over a ledger whose row outlives every death.
extension SimulatedConfig {
    /// What the ledger, and the loop of this life, hold of trials.
    struct Trialling {
        /// Outlives configd.
        var row: Trial?
        var lastID: Int64 = 0
        var boot = 1
        var trials = Trials()
        /// Changes that somebody confirmed, and those that went back: never the same.
        var confirmed: Set<Int64> = []
        var wentBack: Set<Int64> = []
        /// For how long a change was on trial past all its time while configd could have taken it back.
        var overdue: Duration = .zero
    }

    /// What a word on a trial came to.
    enum Answer: Hashable {
        case taken
        case refused
        /// Nobody answers.
        case silent
    }

    /// The key whose value ails whoever reads it.
    static let ailingKey = "AILS"
    private static let window: Duration = .seconds(60)
    private static let activationLimit: Duration = .seconds(55)
    /// A take-back's own time, and that of a look before it.
    private static let margin: Duration = .seconds(5)

    var isRunning: Bool { keeper != nil && !isHalted }

    /// Whether the ledger still has that change.
    func isOnTrial(_ id: Int64) -> Bool { trialling.row?.id == id }

    /// As `pending` shows it; nil for none.
    var pending: ConfigPending? { trialling.trials.shown(now: timeline.moment).first }

    /// What the file does to a process that reads it now.
    var ailment: String { Self.ailment(of: folder.file) }

    static func ailment(of content: SimulatedFolder.Content) -> String {
        let lines = content.bytes.split(separator: UInt8(ascii: "\n"))
        let line = lines.last { $0.starts(with: Array("\(ailingKey)=".utf8)) }
        return line.map { String(decoding: $0.dropFirst(ailingKey.utf8.count + 1), as: UTF8.self) } ?? "none"
    }

    // MARK: Beginning

    /// A client changes the configuration on trial.
    func beginsTrial(ailing ailment: String) {
        ask { [self] condition in
            guard case .whole(let head) = condition else { return refused("in trouble") }
            guard trialling.row == nil else { return refused("on trial") }
            let old = folder.file
            let id = trialling.lastID + 1
            let changes = [(Self.ailingKey, ailment), ("TRIAL", "\(id)")]
            guard
                let bytes = try? editor.apply(
                    changes.map { .set(key: $0.0, value: Array($0.1.utf8)) }, to: old.bytes)
            else { return refused("it cannot be written so") }
            trialling.lastID = id
            let new = SimulatedFolder.Content(bytes)
            let version = version(new, .set)
            let write = Write(Commit(intent(version, from: old)), old: old, new: new) { [self] outcome in
                trialWritten(outcome, version)
            }
            write.trial = Trial(
                id: id, service: Self.id.service,
                files: [
                    .init(path: Self.id.path, version: version.number, chain: version.chain, previous: head.number)
                ],
                window: Self.window, activation: .restart, activationLimit: Self.activationLimit, authorUID: 1000,
                reason: "", boot: "\(trialling.boot)", before: head.draft.at, now: timeline.moment)
            judge.began(from: old.digest, to: new.digest)
            perform(write.commit.begin(), of: write)
        }
    }

    private func trialWritten(_ outcome: Commit.Outcome, _ version: Version) {
        guard case .applied = outcome else { return end(outcome) }
        judge.acknowledged(version)
        perform(keeper?.changed(Self.id, .whole(version), versions: [version], now: timeline.now) ?? [])
        if var trial = trialling.row {
            let order = trial.written(now: timeline.moment)
            if order == .keep, !host.diskIsFull { trialling.row = trial }
            tell(trialling.row)
        }
        ended()
    }

    /// A write has failed: whether its trial took place is found out by looking.
    func settleLater() {
        if trialling.row != nil { perform([.settle(service: Self.id.service)]) }
    }

    /// Another change is refused while one is on trial or goes back.
    var refusesChanges: Bool {
        switch trialling.row?.phase {
        case nil, .takenBack: false
        case .recorded, .applied, .activated, .goingBack: true
        }
    }

    // MARK: Settling

    func perform(_ actions: [Trials.Action]) {
        for action in actions {
            switch action {
            case .settle: ask { [self] condition in settle(condition) { [self] in ended() } }
            case .setTimer(let id, let time):
                after(time) { [self] in perform(trialling.trials.timerFired(id)) }
            case .cancelTimer: break  // What fires all the same, the machine knows by its id.
            case .announce(let news, let trial):
                onNews("trial \(trial.id) \(news)")
                var shown = trial.shown(now: timeline.moment)
                if news == .confirmed { shown.phase = .confirmed }
                if news == .followed { shown.wantsActivation = false }
                if news != .goingBack { onTrial(shown) }
            }
        }
    }

    private func tell(_ row: Trial?, _ ending: Trials.Ending? = nil) {
        perform(trialling.trials.changed(Self.id.service, to: row, ending: ending, now: timeline.moment))
    }

    private func settle(_ condition: Keeper.Condition, _ done: @escaping () -> Void) {
        guard var trial = trialling.row else {
            tell(nil)
            return done()
        }
        guard case .whole(let head) = condition else {
            perform(trialling.trials.notAnswered(Self.id.service))
            return done()
        }
        let number = trial.files[0].version
        let chain = folder.versions.count >= number ? folder.versions[Int(number) - 1].chain : nil
        let order = trial.looked(
            [.init(chain: chain, newest: head.number)], now: timeline.moment, boot: "\(trialling.boot)")
        carryOut(order, trial, done)
    }

    private func carryOut(_ order: Trial.Order, _ trial: Trial, _ done: @escaping () -> Void) {
        guard order == .nothing || !host.diskIsFull else {
            perform(trialling.trials.notAnswered(Self.id.service))
            return done()
        }
        switch order {
        case .nothing: break
        case .keep, .takeBack: trialling.row = trial
        case .forget: trialling.row = nil
        }
        guard order == .takeBack else {
            tell(trialling.row)
            return done()
        }
        tell(trial)
        takeBack(trial, done)
    }

    private func takeBack(_ trial: Trial, _ done: @escaping () -> Void) {
        let previous = Int(trial.files[0].previous)
        guard folder.versions.count >= previous,
            let content = folder.contents[folder.versions[previous - 1].draft.content]
        else { return onBroken("config: what was before trial \(trial.id) is gone") }
        if trialling.confirmed.contains(trial.id) { onBroken("config: trial \(trial.id) was confirmed and goes back") }
        guard content != folder.file else { return wentBack(trial, done) }
        let old = folder.file
        let version = version(content, .rollback)
        let write = Write(Commit(intent(version, from: old)), old: old, new: content) { [self] outcome in
            guard case .applied = outcome else {
                tell(trial)
                return done()
            }
            judge.acknowledged(version)
            perform(keeper?.changed(Self.id, .whole(version), versions: [version], now: timeline.now) ?? [])
            wentBack(trial, done)
        }
        judge.began(from: old.digest, to: content.digest)
        perform(write.commit.begin(), of: write)
    }

    private func wentBack(_ trial: Trial, _ done: @escaping () -> Void) {
        var trial = trial
        let order = trial.wentBack(now: timeline.moment, boot: "\(trialling.boot)")
        if !host.diskIsFull {
            trialling.row = order == .forget ? nil : trial
            trialling.wentBack.insert(trial.id)
        }
        tell(trialling.row, trialling.row == nil ? .takenBack(trial) : nil)
        done()
    }

    // MARK: Words

    /// What a peer says of the trial `id`.
    func say(_ word: SimulatedWatchdog.Word, on id: Int64, _ answered: @escaping (Answer) -> Void) {
        guard isRunning else { return answered(.silent) }
        ask { [self] condition in
            settle(condition) { [self] in
                guard var trial = trialling.row, !host.diskIsFull else {
                    answered(host.diskIsFull ? .silent : .refused)
                    return ended()
                }
                let now = timeline.moment
                let order: Trial.Order?
                switch word {
                case .activated(let invocation): order = try? trial.activated(id, invocation: invocation, now: now)
                case .cancel(let why): order = try? trial.cancel(id, reason: why, uid: 990, now: now)
                case .confirm: order = try? trial.confirm(id, now: now, boot: "\(trialling.boot)")
                }
                answered(order == nil ? .refused : .taken)
                guard let order else { return ended() }
                if case .confirm = word {
                    if trialling.wentBack.contains(id) { onBroken("config: trial \(id) went back and is confirmed") }
                    trialling.confirmed.insert(id)
                    trialling.row = nil
                    tell(nil, .confirmed)
                    return ended()
                }
                carryOut(order, trial) { [self] in ended() }
            }
        }
    }

    // MARK: What must hold

    /// Once a second: a change that nobody confirmed is not in force past its time and what a take-back takes, the time aside
    /// in which configd could not have taken it back.
    func lookAtTrial() {
        guard let row = trialling.row, row.isPending || row.isGoingBack else {
            trialling.overdue = .zero
            return
        }
        let time = Self.activationLimit + Self.window + Self.margin
        guard timeline.now - row.recordedAt.instant > time, isRunning, !host.diskIsFull else { return }
        trialling.overdue += .seconds(1)
        if trialling.overdue == Self.margin { onBroken("config: trial \(row.id) is in force past its time") }
    }
}

extension Trial {
    fileprivate var isGoingBack: Bool {
        if case .goingBack = phase { true } else { false }
    }
}
