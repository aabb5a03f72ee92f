import ConfigAPI
import ConfigCore
import Time

/// configd in the simulated world: the real keeper, commit, recovery and editor, over a simulated folder whose every step
/// takes its time. It can be killed within any step, with or without what was not yet durable; stopped; and its disk can be
/// full.
final class SimulatedConfig {
    /// How often the daemon ticks; a look at the file is due each minute.
    private static let tickInterval: Duration = .seconds(30)
    static let id = Keeper.FileID(service: "gateway", path: "/srv/gateway/.env")
    static let identity = FileIdentity(uid: 1000, gid: 1000, mode: 0o600)
    private static let keys = ["API_TOKEN", "DATABASE_URL", "GREETING", "MAX_CLIENTS", "PORT"]
    private static let values = [
        "4711", "postgres://gateway@127.0.0.1:5432/gateway?sslmode=disable", "it's", "a b  c", "p@ss#word", "$HOME",
        "say \"yes\"", "", "two\nlines", "back\\slash", "caf\u{e9}",
    ]

    /// Something the store thread has to do.
    private enum Job {
        case look
        case change(expected: Int64, key: String, value: [UInt8])
        /// After a look; it calls `ended` when it is done.
        case task((Keeper.Condition) -> Void)
    }

    /// One write under way.
    final class Write {
        var commit: Commit
        let old: SimulatedFolder.Content
        let new: SimulatedFolder.Content
        /// What follows, where that is not an answer to a client.
        let ended: ((Commit.Outcome) -> Void)?
        /// The trial that is recorded with its intent.
        var trial: Trial?

        init(
            _ commit: Commit, old: SimulatedFolder.Content, new: SimulatedFolder.Content,
            ended: ((Commit.Outcome) -> Void)? = nil
        ) {
            self.commit = commit
            self.old = old
            self.new = new
            self.ended = ended
        }
    }

    let timeline: Timeline
    let host: SimulatedHost
    var random: SeededRandom
    let editor = EnvEditor(readers: ["node-dotenv", "systemd"].compactMap(Dialect.named))
    var folder = SimulatedFolder(holding: Array(EnvSample.text.utf8))
    var keeper: Keeper?
    private var life = 0
    private var isStopped = false
    var isHalted: Bool { isStopped }
    private var waiting: [() -> Void] = []
    private var jobs: [Job] = []
    private var isBusy = false
    /// In which step of the next commit it dies, and whether what is not durable outlives it.
    private var doom: (step: Fault.CommitStep, isPowerCut: Bool)?
    var judge = ConfigJudge()
    /// What others do to the file, and what configd knows of it.
    var outside = Outside()
    var trialling = Trialling()

    /// What subscribers, the journal and clients are told.
    var onNews: (String) -> Void = { _ in }
    /// What subscribers are told of a trial.
    var onTrial: (ConfigPending) -> Void = { _ in }
    /// It answers again: who follows it asks anew.
    var onStart: () -> Void = {}
    /// An invariant is broken.
    var onBroken: (String) -> Void = { _ in }

    init(timeline: Timeline, host: SimulatedHost, random: SeededRandom) {
        self.timeline = timeline
        self.host = host
        self.random = random
    }

    /// What is wrong with it at the end of a healed run; nil where all is well.
    var problemAtEnd: String? {
        if keeper == nil || isStopped { return "configd is not running" }
        guard case .whole = keeper?.condition(of: Self.id) else { return "the file is not whole" }
        return judge.fullHistory(folder)
    }

    // MARK: The daemon's life

    func start() {
        life += 1
        keeper = Keeper()
        trialling.trials = Trials()
        perform(keeper?.configured([Self.id], now: timeline.now) ?? [])
        let kept = trialling.row.map { [$0] } ?? []
        perform(trialling.trials.found(kept, now: timeline.moment))
        tick(life)
        after(.milliseconds(100)) { [self] in onStart() }
    }

    /// It ends now; systemd starts it again.
    private func dies(isPowerCut: Bool) {
        if isPowerCut {
            trialling.boot += 1
            folder.losesPower()
            outside.editorDied()
            judge.editorDied()
        }
        outside.died()
        judge.died()
        keeper = nil
        isStopped = false
        waiting = []
        jobs = []
        isBusy = false
        doom = nil
        life += 1
        let life = life
        onNews("died")
        timeline.after(.milliseconds(700)) { [self] in if life == self.life { start() } }
    }

    /// Kills it: at rest now, otherwise within that step of a change that a client asks for now.
    func killed(in step: Fault.CommitStep, isPowerCut: Bool) {
        guard keeper != nil, !isStopped else { return }
        guard step != .rest else { return dies(isPowerCut: isPowerCut) }
        doom = (step, isPowerCut)
        clientChanges(.set)
    }

    /// Stops it; systemd kills what does not answer after 10 s.
    func stops() {
        guard keeper != nil, !isStopped else { return }
        isStopped = true
        let life = life
        timeline.after(.seconds(10)) { [self] in if life == self.life { dies(isPowerCut: false) } }
    }

    private func tick(_ life: Int) {
        after(Self.tickInterval) { [self] in
            perform(keeper?.ticked(now: timeline.now) ?? [])
            tick(life)
        }
    }

    /// Runs `body` later in this life; while stopped, it waits.
    func after(_ delay: Duration, _ body: @escaping () -> Void) {
        let life = life
        timeline.after(delay) { [self] in
            guard life == self.life else { return }
            if isStopped { waiting.append(body) } else { body() }
        }
    }

    func perform(_ actions: [Keeper.Action]) {
        for action in actions {
            switch action {
            case .look: enqueue(.look)
            case .announce(_, let version):
                if let problem = judge.announced(version) { onBroken(problem) }
                // Where a run begins is no news.
                guard version.draft.origin != .baseline else { continue }
                onNews("version \(version.number) \(version.draft.origin.rawValue)")
                perform(trialling.trials.versionAnnounced(of: Self.id.service))
            case .reportTrouble(_, .troubled(let failure)): onNews("in trouble: \(failure.step): \(failure.cause)")
            case .reportTrouble: onNews("in trouble")
            case .reportMended: onNews("mended")
            case .reportBlind, .reportSighted: break
            case .startTimer(let id, let time):
                after(time - timeline.now) { [self] in
                    perform(keeper?.timerFired(id, now: timeline.now) ?? [])
                }
            }
        }
    }

    // MARK: Clients

    /// A client, or an operator with an editor, changes one value.
    func clientChanges(_ kind: Fault.ChangeKind) {
        let key = Self.keys[Int.random(in: 0..<Self.keys.count, using: &random)]
        let value = Array(Self.values[Int.random(in: 0..<Self.values.count, using: &random)].utf8)
        let head = folder.versions.last?.number ?? 0
        switch kind {
        case .set: ask(.change(expected: head, key: key, value: value))
        case .stale: ask(.change(expected: head - 1, key: key, value: value))
        case .byHand: edits(key, value)
        case .slowly: editsSlowly(key, value)
        case .torn: tears()
        case .trialGood: beginsTrial(ailing: "none")
        case .trialSlow: beginsTrial(ailing: "slow")
        case .trialFailing: beginsTrial(ailing: "failing")
        case .trialSpinning: beginsTrial(ailing: "spinning")
        }
    }

    private func ask(_ job: Job) {
        guard keeper != nil else { return }
        after(.microseconds(200)) { [self] in enqueue(job) }
    }

    /// Has the store thread do something after a look.
    func ask(_ task: @escaping (Keeper.Condition) -> Void) { ask(.task(task)) }

    // MARK: The store thread

    private func enqueue(_ job: Job) {
        jobs.append(job)
        if !isBusy { next() }
    }

    private func next() {
        isBusy = !jobs.isEmpty
        guard isBusy else { return }
        let job = jobs.removeFirst()
        let steps = folder.intent.map { Recovery.steps(for: $0, contents: [folder.file.digest]) } ?? []
        recover(steps[...], made: []) { [self] condition, made in
            switch job {
            case .look:
                let versions = news(made)
                perform(keeper?.looked(Self.id, condition, versions: versions, now: timeline.now) ?? [])
                next()
            case .change(let expected, let key, let value):
                let versions = news(made)
                perform(keeper?.changed(Self.id, condition, versions: versions, now: timeline.now) ?? [])
                guard case .whole(let head) = condition else { return refused("in trouble") }
                guard !refusesChanges else { return refused("on trial") }
                guard head.number == expected else { return refused("version \(head.number), not \(expected)") }
                change(key, value, after: head)
            case .task(let task):
                let versions = news(made)
                perform(keeper?.changed(Self.id, condition, versions: versions, now: timeline.now) ?? [])
                task(condition)
            }
        }
    }

    /// Versions that were not announced; at the first look, those that it made.
    private func news(_ made: [Version]) -> [Version] {
        guard let announced = keeper?.announced(of: Self.id) else { return made }
        return Array(folder.versions[Int(announced)...])
    }

    func recover(
        _ steps: ArraySlice<Recovery.Step>, made: [Version],
        _ done: @escaping (Keeper.Condition, [Version]) -> Void
    ) {
        guard let step = steps.first else {
            if let origin = Recovery.adoption(head: folder.versions.last, content: folder.file.digest) {
                return meet(origin, made: made, done)
            }
            outside.isWhole()
            guard let head = folder.versions.last else { return done(.missing(nil), made) }
            if let problem = judge.recovered(folder, editor) { onBroken(problem) }
            return done(.whole(head), made)
        }
        after(.milliseconds(2)) { [self] in
            var made = made
            switch step {
            case .syncFolder: folder.sync()
            case .concludeIntent(let intent):
                made += intent.files.flatMap(\.versions)
                folder.concludeIntent()
            // With one file there is nothing to take back: it shows the change, or it does not.
            case .takeBack: onBroken("config: one file was taken back")
            case .removeTemporary: folder.removeTemporary()
            case .dropIntent:
                if host.diskIsFull { return done(.troubled(StepFailure(.noSpace, step: "drop")), made) }
                folder.dropIntent()
            }
            recover(steps.dropFirst(), made: made, done)
        }
    }

    func adopt(
        _ origin: ConfigOrigin, made: [Version], _ done: @escaping (Keeper.Condition, [Version]) -> Void
    ) {
        after(.milliseconds(2)) { [self] in
            if host.diskIsFull { return done(.troubled(StepFailure(.noSpace, step: "record")), made) }
            let version = version(folder.file, origin)
            folder.adopt(version)
            recover([], made: made + [version], done)
        }
    }

    func version(_ content: SimulatedFolder.Content, _ origin: ConfigOrigin) -> Version {
        let draft = Version.Draft(
            origin: origin, content: content.digest, sizeBytes: Int64(content.bytes.count), keys: [],
            at: timeline.moment.wall, authorUID: 1000, reason: "", identity: Self.identity)
        return Version(draft, after: folder.versions.last)
    }

    func refused(_ reason: String) {
        onNews("change refused: \(reason)")
        ended()
    }

    func ended() {
        if let doom { return dies(isPowerCut: doom.isPowerCut) }
        next()
    }

    // MARK: A commit

    private func change(_ key: String, _ value: [UInt8], after head: Version) {
        let old = folder.file
        do {
            let bytes = try editor.apply([.set(key: key, value: value)], to: old.bytes)
            guard bytes != old.bytes else { return refused("nothing to change") }
            let new = SimulatedFolder.Content(bytes)
            let write = Write(Commit(intent(version(new, .set), from: old)), old: old, new: new)
            judge.began(from: old.digest, to: new.digest)
            perform(write.commit.begin(), of: write)
        } catch { refused("\(key) cannot be written so") }
    }

    func intent(_ version: Version, from old: SimulatedFolder.Content) -> Intent {
        let file = FileIntent(
            path: Self.id.path, versions: [version], temporary: ".env.mainstay-1", before: old.digest)
        return Intent(id: 1, files: [file])
    }

    func perform(_ action: Commit.Action, of write: Write) {
        if case .end(let outcome) = action { return write.ended?(outcome) ?? end(outcome) }
        let step = Fault.CommitStep(action)
        after(.milliseconds(step == .writeTemporary ? 5 : 2)) { [self] in
            if let doom, doom.step == step {
                if random.next() & 1 == 0 { _ = carryOut(action, of: write, isCut: true) }
                check()
                return dies(isPowerCut: doom.isPowerCut)
            }
            let failure = carryOut(action, of: write, isCut: false)
            check()
            perform(failure.map { write.commit.failed($0) } ?? write.commit.succeeded(), of: write)
        }
    }

    private func check() {
        if let problem = judge.looked(at: folder) { onBroken(problem) }
    }

    /// Does a step, or, where it is cut off, as much of it as a crash may leave.
    private func carryOut(_ action: Commit.Action, of write: Write, isCut: Bool) -> StepFailure? {
        switch action {
        case .recordIntent(let intent):
            // A transaction whose commit failed may have reached the disk all the same.
            if !host.diskIsFull || random.next() & 3 == 0 {
                folder.record(intent, holding: write.new)
                if let trial = write.trial { trialling.row = trial }
            }
            return host.diskIsFull ? StepFailure(.noSpace, step: "record") : nil
        case .writeTemporary:
            guard host.diskIsFull || isCut else {
                folder.writeTemporary(write.new, isDurable: true)
                return nil
            }
            let length = Int.random(in: 0...write.new.bytes.count, using: &random)
            folder.writeTemporary(SimulatedFolder.Content(Array(write.new.bytes.prefix(length))), isDurable: false)
            return StepFailure(.noSpace, step: "write")
        case .replaceFile:
            guard folder.file == write.old else { return StepFailure(.changedMeanwhile, step: "replace") }
            folder.replaceFile()
        case .compareFile, .takeBack: return StepFailure(.disk("not a step of one file"), step: "write")
        case .syncFolder:
            if host.diskIsFull, random.next() & 1 == 0 { return StepFailure(.noSpace, step: "make durable") }
            folder.sync()
        case .concludeIntent:
            if host.diskIsFull { return StepFailure(.noSpace, step: "conclude") }
            folder.concludeIntent()
        case .removeTemporary: folder.removeTemporary()
        case .dropIntent:
            if host.diskIsFull { return StepFailure(.noSpace, step: "drop") }
            folder.dropIntent()
        case .end: break
        }
        return nil
    }

    func end(_ outcome: Commit.Outcome) {
        switch outcome {
        case .applied:
            guard let version = folder.versions.last else { return onBroken("config: no version was concluded") }
            judge.acknowledged(version)
            perform(
                keeper?.changed(Self.id, .whole(version), versions: [version], now: timeline.now) ?? [])
            ended()
        case .refused(let failure):
            settleLater()
            refused("\(failure.step): \(failure.cause)")
        case .doubtful(let failure):
            settleLater()
            perform(keeper?.changed(Self.id, .troubled(failure), versions: [], now: timeline.now) ?? [])
            refused("in doubt: \(failure.step): \(failure.cause)")
        }
    }
}

extension Fault.CommitStep {
    /// The step that an action is; what clears away after a failure is no step that a kill is aimed at.
    init(_ action: Commit.Action) {
        switch action {
        case .recordIntent: self = .recordIntent
        case .writeTemporary: self = .writeTemporary
        case .replaceFile: self = .replaceFile
        case .syncFolder: self = .syncDirectory
        case .concludeIntent: self = .concludeIntent
        case .compareFile, .takeBack, .removeTemporary, .dropIntent, .end: self = .rest
        }
    }
}
