import ConfigAPI
import ConfigCore
import Time

/// Others who write the file, well or badly, and what the simulated configd makes of it: the real verdict, over a folder
/// whose every change is noticed while configd runs.
extension SimulatedConfig {
    /// From a change to the notice of it.
    private static let noticeDelay: Duration = .milliseconds(10)
    /// Between the parts of a slow write.
    private static let partDelay: Duration = .milliseconds(400)

    /// What others do to the file, and what configd knows of it.
    struct Outside {
        /// Counts changes, as a file's times do.
        private(set) var changes: Int64 = 0
        private(set) var changedAt = Instant.zero
        private(set) var writer = OutsideChange.Writer.unknown
        /// An editor is between two parts of its write: others leave the file alone, and a second write waits for no one.
        private(set) var isBeingWritten = false
        private var suspicion = Suspicion()
        private var isMet = false

        var mark: FileMark {
            FileMark(device: 1, inode: 1, sizeBytes: 0, modifiedNs: changes, changedNs: changes)
        }

        mutating func changed(_ writer: OutsideChange.Writer, isBeingWritten: Bool, now: Instant) {
            changes += 1
            changedAt = now
            self.writer = writer
            self.isBeingWritten = isBeingWritten
        }

        mutating func died() {
            suspicion = Suspicion()
            isMet = false
            writer = .unknown
        }

        mutating func editorDied() { isBeingWritten = false }

        mutating func isWhole() {
            isMet = true
            suspicion.cleared()
        }

        mutating func stillness(now: Instant) -> OutsideChange.Stillness {
            defer { isMet = true }
            return suspicion.seen(mark, writer: writer, age: isMet ? nil : now - changedAt, now: now)
        }

        func mayRestore(now: Instant) -> Bool { suspicion.mayRestore(now: now) }
        mutating func restored(now: Instant) { suspicion.restored(now: now) }
    }

    // MARK: The others

    /// A change of one value by an editor that writes well.
    func edits(_ key: String, _ value: [UInt8]) {
        guard let edited = edited(key, value) else { return }
        judge.edited(edited.digest)
        writes(edited, .gone, isBeingWritten: false)
    }

    /// The same by one that truncates the file, writes half of it, and then the rest.
    func editsSlowly(_ key: String, _ value: [UInt8]) {
        guard let edited = edited(key, value), edited.digest != folder.file.digest else { return }
        let half = SimulatedFolder.Content(Array(edited.bytes.prefix(edited.bytes.count / 3)))
        let nothing = SimulatedFolder.Content([])
        for part in [nothing, half] { judge.passes(part.digest) }
        writes(nothing, .present, isBeingWritten: true)
        let write = outside.changes
        timeline.after(Self.partDelay) { [self] in
            guard outside.isBeingWritten, outside.changes == write else { return }
            writes(half, .present, isBeingWritten: true)
            timeline.after(Self.partDelay) { [self] in
                guard outside.isBeingWritten, outside.changes == write + 1 else { return }
                judge.edited(edited.digest)
                writes(edited, .gone, isBeingWritten: false)
            }
        }
    }

    /// An editor that dies half-way, or a file system that forgets.
    func tears() {
        guard !outside.isBeingWritten, isSound else { return }
        let bytes = folder.file.bytes
        let torn: [UInt8] =
            switch Int.random(in: 0..<3, using: &random) {
            case 0: []
            case 1: [UInt8](repeating: 0, count: bytes.count)
            default: Array(bytes.prefix(Int.random(in: 1..<bytes.count / 2, using: &random)))
            }
        let content = SimulatedFolder.Content(torn)
        judge.tore(content.digest)
        writes(content, .gone, isBeingWritten: false)
    }

    /// Nobody edits a file that is torn.
    private var isSound: Bool { folder.file.bytes.count > 256 && !folder.file.bytes.contains(0) }

    private func edited(_ key: String, _ value: [UInt8]) -> SimulatedFolder.Content? {
        guard !outside.isBeingWritten, isSound else { return nil }
        return (try? editor.apply([.set(key: key, value: value)], to: folder.file.bytes))
            .map(SimulatedFolder.Content.init)
    }

    private func writes(_ content: SimulatedFolder.Content, _ writer: OutsideChange.Writer, isBeingWritten: Bool) {
        folder.edit(content)
        outside.changed(writer, isBeingWritten: isBeingWritten, now: timeline.now)
        after(Self.noticeDelay) { [self] in perform(keeper?.noticed([Self.id], now: timeline.now) ?? []) }
    }

    // MARK: configd

    /// The file holds what no version does.
    func meet(
        _ origin: ConfigOrigin, made: [Version], _ done: @escaping (Keeper.Condition, [Version]) -> Void
    ) {
        guard origin == .adopted, let head = folder.versions.last,
            let good = folder.contents[head.draft.content]
        else { return adopt(origin, made: made, done) }
        let damage = OutsideChange.damage(
            from: good.bytes, to: folder.file.bytes, format: .env(editor), limitPercent: 30)
        switch OutsideChange.verdict(on: damage, policy: .adopt, outside.stillness(now: timeline.now)) {
        case .adopt: adopt(origin, made: made, done)
        case .wait(let again): done(.troubled(StepFailure(.beingWritten(again: again), step: "read")), made)
        case .bringBack: onBroken("config: a file that is there was brought back")
        case .restore: restore(good, made: made, done)
        }
    }

    private func restore(
        _ good: SimulatedFolder.Content, made: [Version], _ done: @escaping (Keeper.Condition, [Version]) -> Void
    ) {
        guard outside.mayRestore(now: timeline.now) else {
            return done(.troubled(StepFailure(.outsideChange("is torn again", remedy: ""), step: "put back")), made)
        }
        let torn = folder.file
        after(.milliseconds(2)) { [self] in
            if host.diskIsFull { return done(.troubled(StepFailure(.noSpace, step: "set aside")), made) }
            if let problem = judge.setAside(torn.digest) { onBroken(problem) }
            folder.setAside(torn)
            let write = Write(Commit(intent(version(good, .restored), from: torn)), old: torn, new: good) {
                [self] outcome in
                switch outcome {
                case .applied:
                    outside.restored(now: timeline.now)
                    guard let version = folder.versions.last else { return onBroken("config: nothing was concluded") }
                    judge.acknowledged(version)
                    recover([], made: made + [version], done)
                case .refused(let failure) where failure.cause == .changedMeanwhile:
                    done(.troubled(StepFailure(.beingWritten(again: .milliseconds(100)), step: "put back")), made)
                case .refused(let failure), .doubtful(let failure): done(.troubled(failure), made)
                }
            }
            judge.began(from: torn.digest, to: good.digest)
            perform(write.commit.begin(), of: write)
        }
    }
}
