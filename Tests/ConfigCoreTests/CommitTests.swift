import ConfigAPI
import ConfigCore
import Testing
import Time

/// A disk with one file, its versions and what a crash may take: enough to run `Commit` and `Recovery` against every crash.
private struct ModelDisk: Hashable {
    /// What programs see.
    var file: String?
    var temporary: String?
    var head: Version?
    var intent: Intent?
    /// What a power cut would leave of the name; nil where that is what programs see.
    var durableFile: String??
    var isTemporaryDurable = false
    var acknowledged = false

    static func version(_ content: String, after previous: Version?) -> Version {
        let draft = Version.Draft(
            origin: previous == nil ? .baseline : .set, content: Digest(of: content.utf8),
            sizeBytes: Int64(content.utf8.count), keys: [], at: WallTime(milliseconds: 0), authorUID: 0, reason: "",
            identity: FileIdentity(uid: 0, gid: 0, mode: 0o600))
        return Version(draft, after: previous)
    }

    init(holding content: String) {
        file = content
        head = Self.version(content, after: nil)
    }

    /// Does what a commit asks for, writing `content`.
    mutating func perform(_ action: Commit.Action, writing content: String) {
        switch action {
        case .recordIntent(let intent): self.intent = intent
        case .writeTemporary:
            temporary = content
            isTemporaryDurable = true
        case .replaceFile:
            durableFile = .some(file)
            file = temporary
            temporary = nil
        case .syncDirectory: durableFile = nil
        case .concludeIntent: conclude()
        case .removeTemporary: temporary = nil
        case .dropIntent: intent = nil
        case .end(.applied): acknowledged = true
        case .end(.refused), .end(.doubtful): break
        }
    }

    private mutating func conclude() {
        head = intent?.version
        intent = nil
    }

    /// What the disk may hold after a kill or a power cut in the middle of `action`.
    func crashes(during action: Commit.Action, writing content: String) -> [ModelDisk] {
        var outcomes: Set<ModelDisk> = [self]
        if case .writeTemporary = action {
            // Torn: nothing, half, all of it, none of it durable.
            for torn in ["", String(content.prefix(content.count / 2)), content] {
                var disk = self
                disk.temporary = torn
                disk.isTemporaryDurable = false
                outcomes.insert(disk)
            }
        }
        var done = self
        done.perform(action, writing: content)
        done.acknowledged = acknowledged
        outcomes.insert(done)
        return outcomes.flatMap { [$0, $0.afterPowerCut()] }
    }

    private func afterPowerCut() -> ModelDisk {
        var disk = self
        if let durable = durableFile { disk.file = durable }
        disk.durableFile = nil
        if !isTemporaryDurable, temporary != nil { disk.temporary = "\u{0}" }
        return disk
    }

    /// Looks at the file and puts right what is found, as the store thread does.
    mutating func recover() {
        let found = Recovery.Found(head: head, intent: intent, content: file.map { Digest(of: $0.utf8) })
        for step in Recovery.steps(for: found) {
            switch step {
            case .syncDirectory: durableFile = nil
            case .concludeIntent: conclude()
            case .dropIntent: intent = nil
            case .removeTemporary: temporary = nil
            case .adopt: head = Self.version(file ?? "", after: head)
            }
        }
    }
}

@Suite struct CommitTests {
    private let failure = StepFailure(.noSpace, step: "write")

    private func start(_ disk: ModelDisk, _ content: String) -> Commit {
        Commit(Intent(version: ModelDisk.version(content, after: disk.head), temporary: ".env.tmp"))
    }

    @Test func theStepsComeInTheOneDurableOrder() {
        var commit = start(ModelDisk(holding: "old"), "new")
        let intent = commit.intent
        var actions = [commit.begin()]
        while actions.count < 6 { actions.append(commit.succeeded()) }
        #expect(
            actions == [
                .recordIntent(intent), .writeTemporary(".env.tmp"), .replaceFile(temporary: ".env.tmp"),
                .syncDirectory, .concludeIntent, .end(.applied(intent.version)),
            ])
    }

    @Test("a crash in any step leaves the old or the new file, and its own version", arguments: [false, true])
    func crashes(backToOlderContent: Bool) {
        var disk = ModelDisk(holding: "old content")
        let content = backToOlderContent ? "old" : "new content, longer"
        var commit = start(disk, content)
        var action = commit.begin()
        var seen: Set<String> = []
        while true {
            for var crashed in disk.crashes(during: action, writing: content) {
                crashed.recover()
                #expect(crashed.file == "old content" || crashed.file == content, "\(action)")
                #expect(crashed.head?.draft.content == crashed.file.map { Digest(of: $0.utf8) }, "\(action)")
                #expect(crashed.head?.number == (crashed.file == content ? 2 : 1), "\(action)")
                #expect(crashed.intent == nil)
                #expect(crashed.temporary == nil)
                #expect(crashed.durableFile == nil, "what is kept as a version is durable")
                if disk.acknowledged {
                    #expect(crashed.file == content)
                    #expect(disk.intent == nil, "nothing that was told hangs on the file, which others write too")
                }
                seen.insert(crashed.file ?? "")
            }
            disk.perform(action, writing: content)
            if case .end = action { break }
            action = commit.succeeded()
        }
        #expect(seen == ["old content", content])
    }

    @Test("a step that fails before the rename is undone", arguments: 0..<3)
    func failuresBeforeTheRename(step: Int) {
        let before = ModelDisk(holding: "old")
        var disk = before
        var commit = start(disk, "new")
        var action = commit.begin()
        for _ in 0..<step {
            disk.perform(action, writing: "new")
            action = commit.succeeded()
        }
        action = commit.failed(failure)
        while true {
            disk.perform(action, writing: "new")
            if case .end(let outcome) = action {
                #expect(outcome == .refused(failure))
                break
            }
            action = commit.succeeded()
        }
        #expect(disk.file == "old")
        #expect(disk.intent == nil)
        #expect(disk.temporary == nil)
    }

    @Test func aFailureWhileUndoingLeavesTheRestToTheNextLook() {
        var disk = ModelDisk(holding: "old")
        var commit = start(disk, "new")
        disk.perform(commit.begin(), writing: "new")
        disk.perform(commit.succeeded(), writing: "new")
        #expect(commit.failed(failure) == .removeTemporary(".env.tmp"))
        #expect(commit.failed(StepFailure(.disk("gone"), step: "remove")) == .dropIntent)
        #expect(commit.failed(StepFailure(.disk("gone"), step: "drop")) == .end(.refused(failure)))
        disk.recover()
        #expect(disk == ModelDisk(holding: "old").withTemporaryDurability(of: disk))
    }

    @Test func aFolderThatCannotBeMadeDurableMakesTheOutcomeDoubtful() {
        var commit = start(ModelDisk(holding: "old"), "new")
        _ = commit.begin()
        for _ in 0..<3 { _ = commit.succeeded() }
        #expect(commit.failed(failure) == .end(.doubtful(failure)))
    }

    @Test func aVersionThatCannotBeNotedIsDoubtfulSinceAnEditorMayWriteTheFileBeforeTheNextLook() {
        var commit = start(ModelDisk(holding: "old"), "new")
        _ = commit.begin()
        for _ in 0..<4 { _ = commit.succeeded() }
        #expect(commit.failed(failure) == .end(.doubtful(failure)))
    }
}

extension ModelDisk {
    fileprivate func withTemporaryDurability(of other: ModelDisk) -> ModelDisk {
        var disk = self
        disk.isTemporaryDurable = other.isTemporaryDurable
        return disk
    }
}

@Suite struct RecoveryTests {
    private let head = ModelDisk.version("old", after: nil)

    private func content(_ text: String) -> Digest { Digest(of: text.utf8) }

    @Test func aFileThatIsItsVersionIsLeftAlone() {
        #expect(Recovery.steps(for: .init(head: head, intent: nil, content: content("old"))) == [])
    }

    @Test func aFileMetForTheFirstTimeIsTheBaseline() {
        #expect(Recovery.steps(for: .init(head: nil, intent: nil, content: content("x"))) == [.adopt(.baseline)])
    }

    @Test func whatSomebodyElseWroteIsAdopted() {
        #expect(Recovery.steps(for: .init(head: head, intent: nil, content: content("x"))) == [.adopt(.adopted)])
    }

    @Test func aMissingFileIsNotBroughtBackByItself() {
        #expect(Recovery.steps(for: .init(head: head, intent: nil, content: nil)) == [])
        #expect(Recovery.steps(for: .init(head: nil, intent: nil, content: nil)) == [])
    }

    @Test func somebodyElsesWriteOverACrashedOneIsAdoptedAfterTheIntentIsDropped() {
        let intent = Intent(version: ModelDisk.version("new", after: head), temporary: "t")
        #expect(
            Recovery.steps(for: .init(head: head, intent: intent, content: content("x")))
                == [.removeTemporary("t"), .dropIntent, .adopt(.adopted)])
    }
}

@Suite struct KeeperTests {
    private let id = Keeper.FileID(service: "gateway", path: "/etc/gateway/.env")
    private let first = ModelDisk.version("old", after: nil)
    private let start = Instant.zero

    @Test func filesAreLookedAtWhenTheyAreNamedAndEachMinute() {
        var keeper = Keeper()
        #expect(keeper.configured([id], now: start) == [.look(id)])
        #expect(keeper.ticked(now: start + .seconds(100)) == [], "one look at a time")
        #expect(keeper.looked(id, .whole(first), versions: [], now: start + .seconds(100)) == [])
        #expect(keeper.ticked(now: start + .seconds(159)) == [])
        #expect(keeper.ticked(now: start + .seconds(160)) == [.look(id)])
        keeper.lookFailed(id, now: start + .seconds(170))
        #expect(keeper.ticked(now: start + .seconds(171)) == [])
        #expect(keeper.ticked(now: start + .seconds(230)) == [.look(id)])
        #expect(keeper.handled == 8)
    }

    @Test func aVersionIsAnnouncedOnceHoweverItsNewsArrives() {
        var keeper = Keeper()
        _ = keeper.configured([id], now: start)
        #expect(keeper.looked(id, .whole(first), versions: [first], now: start) == [.announce(id, first)])
        let second = ModelDisk.version("new", after: first)
        #expect(keeper.announced(of: id) == 1)
        #expect(keeper.changed(id, .whole(second), versions: [second], now: start) == [.announce(id, second)])
        #expect(keeper.looked(id, .whole(second), versions: [second], now: start) == [])
    }

    @Test func versionsFromBeforeTheStartAreNoNews() {
        var keeper = Keeper()
        _ = keeper.configured([id], now: start)
        let second = ModelDisk.version("new", after: first)
        #expect(keeper.looked(id, .whole(second), versions: [], now: start) == [])
        #expect(keeper.announced(of: id) == 2)
    }

    @Test func troubleIsReportedWhenItBeginsAndWhenItEnds() {
        var keeper = Keeper()
        _ = keeper.configured([id], now: start)
        let trouble = Keeper.Condition.troubled(StepFailure(.notPermitted, step: "open"))
        #expect(keeper.looked(id, trouble, versions: [], now: start) == [.reportTrouble(id, trouble)])
        #expect(keeper.looked(id, trouble, versions: [], now: start) == [])
        #expect(keeper.looked(id, .whole(first), versions: [], now: start) == [.reportMended(id)])
        #expect(keeper.looked(id, .missing(first), versions: [], now: start) == [.reportTrouble(id, .missing(first))])
        #expect(keeper.looked(id, .missing(first), versions: [], now: start) == [])
    }

    @Test func aFileThatSettingsDropIsForgotten() {
        var keeper = Keeper()
        _ = keeper.configured([id], now: start)
        #expect(keeper.configured([], now: start) == [])
        #expect(keeper.condition(of: id) == nil)
        #expect(keeper.looked(id, .whole(first), versions: [], now: start) == [])
    }
}
