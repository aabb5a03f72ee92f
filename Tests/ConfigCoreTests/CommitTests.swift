import ConfigAPI
import ConfigCore
import Testing
import Time
import Wire

/// A disk with some files, their versions and what a crash may take: enough to run `Commit` and `Recovery` against every
/// crash. Files of a path's first letter share a folder.
private struct ModelDisk: Hashable {
    struct File: Hashable {
        /// What programs see; nil: no file.
        var content: String?
        var temporary: String?
        var isTemporaryDurable = false
        /// What a power cut may leave of the name, where that is not `content`.
        var durable: String??
        var head: Version?
    }

    var files: [String: File] = [:]
    var intent: Intent?
    /// What a power cut may bring back: the intent as it was before its conclusion, with the heads of then.
    private var unconcluded: Unconcluded?
    var acknowledged = false

    private struct Unconcluded: Hashable {
        var intent: Intent
        var heads: [String: Version]
    }

    static func version(_ content: String, after previous: Version?) -> Version {
        let draft = Version.Draft(
            origin: previous == nil ? .baseline : .set, content: Digest(of: content.utf8),
            sizeBytes: Int64(content.utf8.count), keys: [], at: WallTime(milliseconds: 0), authorUID: 0, reason: "",
            identity: FileIdentity(uid: 0, gid: 0, mode: 0o600))
        return Version(draft, after: previous)
    }

    /// Of "" there is no file, and its version is of another time.
    init(holding contents: [String: String]) {
        for (path, content) in contents {
            files[path] = File(
                content: content.isEmpty ? nil : content,
                head: Self.version(content.isEmpty ? "gone" : content, after: nil))
        }
    }

    /// A transaction that makes each path hold the last of its contents, with a version for each.
    func intent(_ contents: [(path: String, contents: [String])]) -> Intent {
        Intent(
            id: 1,
            files: contents.map { path, contents in
                var versions: [Version] = []
                for content in contents {
                    versions.append(Self.version(content, after: versions.last ?? files[path]?.head))
                }
                return FileIntent(
                    path: path, versions: versions, temporary: "\(path).tmp",
                    before: files[path]?.content.map { Digest(of: $0.utf8) })
            })
    }

    /// Does what a commit asks for; `contents` knows every content by its digest.
    mutating func perform(_ action: Commit.Action, _ contents: [Digest: String]) {
        switch action {
        case .recordIntent(let intent): self.intent = intent
        case .writeTemporary(let file):
            files[file.path]?.temporary = file.after.flatMap { contents[$0] }
            files[file.path]?.isTemporaryDurable = true
        case .compareFile: break
        case .replaceFile(let file): replace(file.path, by: files[file.path]?.temporary)
        case .syncFolder(let file): sync(file.path)
        case .concludeIntent(let intent): conclude(intent)
        case .takeBack(let file): takeBack(file, contents)
        case .removeTemporary(let file): files[file.path]?.temporary = nil
        case .dropIntent: intent = nil
        case .end(.applied): acknowledged = true
        case .end(.refused), .end(.doubtful): break
        }
    }

    private mutating func replace(_ path: String, by content: String?) {
        guard var file = files[path] else { return }
        if file.durable == nil { file.durable = .some(file.content) }
        file.content = content
        file.temporary = nil
        files[path] = file
    }

    private mutating func sync(_ path: String) {
        for other in files.keys where other.first == path.first { files[other]?.durable = nil }
    }

    private mutating func takeBack(_ file: FileIntent, _ contents: [Digest: String]) {
        files[file.path]?.content = file.before.flatMap { contents[$0] }
        files[file.path]?.temporary = nil
        sync(file.path)
    }

    private mutating func conclude(_ intent: Intent) {
        unconcluded = Unconcluded(intent: intent, heads: files.compactMapValues(\.head))
        for file in intent.files { files[file.path]?.head = file.versions.last }
        self.intent = nil
    }

    /// What the disk may hold after a kill or a power cut in the middle of `action`.
    func crashes(during action: Commit.Action, _ contents: [Digest: String]) -> [ModelDisk] {
        var outcomes: Set<ModelDisk> = [self]
        if case .writeTemporary(let file) = action {
            // Torn: nothing, half, all of it, none of it durable.
            let content = file.after.flatMap { contents[$0] } ?? ""
            for torn in ["", String(content.prefix(content.count / 2)), content] {
                var disk = self
                disk.files[file.path]?.temporary = torn
                disk.files[file.path]?.isTemporaryDurable = false
                outcomes.insert(disk)
            }
        }
        var done = self
        done.perform(action, contents)
        done.acknowledged = acknowledged
        outcomes.insert(done)
        return outcomes.flatMap { [$0] + $0.afterPowerCuts() }
    }

    /// Of the renames that are not durable each may be lost or not, and so may the conclusion.
    func afterPowerCuts() -> [ModelDisk] {
        var disks = [self]
        if let unconcluded {
            var open = self
            open.intent = unconcluded.intent
            for (path, head) in unconcluded.heads { open.files[path]?.head = head }
            disks.append(open)
        }
        for place in disks.indices { disks[place].unconcluded = nil }
        for (path, file) in files.sorted(by: { $0.key < $1.key }) {
            disks = disks.flatMap { disk in
                var lost = disk
                if let durable = file.durable {
                    lost.files[path]?.content = durable
                }
                return [disk, lost].map { disk in
                    var disk = disk
                    disk.files[path]?.durable = nil
                    if !file.isTemporaryDurable, file.temporary != nil { disk.files[path]?.temporary = "\u{0}" }
                    return disk
                }
            }
        }
        return disks
    }

    /// Looks at the files and puts right what is found, as the store thread does.
    mutating func recover(_ contents: [Digest: String]) {
        if let intent {
            let found = intent.files.map { files[$0.path]?.content.map { Digest(of: $0.utf8) } }
            for step in Recovery.steps(for: intent, contents: found) {
                switch step {
                case .syncFolder(let file): sync(file.path)
                case .concludeIntent(let intent): conclude(intent)
                case .takeBack(let file): takeBack(file, contents)
                case .dropIntent: self.intent = nil
                case .removeTemporary(let file): files[file.path]?.temporary = nil
                }
            }
        }
        for (path, file) in files
        where Recovery.adoption(head: file.head, content: file.content.map { Digest(of: $0.utf8) }) != nil {
            files[path]?.head = Self.version(file.content ?? "", after: file.head)
        }
    }

    /// The content of every file; "" where there is none.
    var shown: [String: String] { files.mapValues { $0.content ?? "" } }
}

@Suite struct CommitTests {
    private static let failure = StepFailure(.noSpace, step: "write")

    /// What a test writes: what the files hold, what becomes of them.
    struct Plan: Sendable, CustomTestStringConvertible {
        var name: String
        var before: [String: String]
        var writes: [(path: String, contents: [String])]

        var testDescription: String { name }

        var after: [String: String] {
            before.merging(writes.map { ($0.path, $0.contents.last ?? "") }) { $1 }
        }

        var contents: [Digest: String] {
            let all = Array(before.values) + writes.flatMap(\.contents)
            return Dictionary(all.map { (Digest(of: $0.utf8), $0) }, uniquingKeysWith: { $1 })
        }
    }

    static let plans = [
        Plan(name: "one file", before: ["a/1": "old content"], writes: [("a/1", ["new content, longer"])]),
        Plan(name: "a prefix of what was", before: ["a/1": "old content"], writes: [("a/1", ["old"])]),
        Plan(name: "a file that was gone", before: ["a/1": ""], writes: [("a/1", ["new"])]),
        Plan(name: "three changes in one write", before: ["a/1": "old"], writes: [("a/1", ["1", "2", "new"])]),
        Plan(name: "changes that end where they began", before: ["a/1": "old"], writes: [("a/1", ["1", "old"])]),
        Plan(
            name: "three files in two folders", before: ["a/1": "old 1", "a/2": "old 2", "b/1": "old 3"],
            writes: [("a/1", ["new 1"]), ("a/2", ["new 2"]), ("b/1", ["new 3"])]),
        Plan(
            name: "one that was gone and one that ends where it began", before: ["a/1": "", "b/1": "old"],
            writes: [("a/1", ["new"]), ("b/1", ["1", "old"])]),
    ]

    @Test func theStepsOfOneFileComeInTheOneDurableOrder() {
        let intent = ModelDisk(holding: ["a/1": "old"]).intent([("a/1", ["new"])])
        let file = intent.files[0]
        var commit = Commit(intent)
        var actions = [commit.begin()]
        while actions.count < 6 { actions.append(commit.succeeded()) }
        #expect(
            actions == [
                .recordIntent(intent), .writeTemporary(file), .replaceFile(file), .syncFolder(of: file),
                .concludeIntent(intent), .end(.applied),
            ])
    }

    @Test func ofSeveralFilesNoneIsReplacedBeforeAllAreWrittenAndFoundUnchanged() {
        let plan = Self.plans[5]
        let intent = ModelDisk(holding: plan.before).intent(plan.writes)
        let files = intent.files
        var commit = Commit(intent)
        var actions = [commit.begin()]
        while actions.last != .end(.applied) { actions.append(commit.succeeded()) }
        #expect(
            actions == [.recordIntent(intent)] + files.map(Commit.Action.writeTemporary)
                + files.map(Commit.Action.compareFile) + files.map(Commit.Action.replaceFile)
                + [.syncFolder(of: files[0]), .syncFolder(of: files[2]), .concludeIntent(intent), .end(.applied)])
    }

    @Test("a crash in any step leaves all files old or all new, each its own version", arguments: plans)
    func crashes(plan: Plan) {
        var disk = ModelDisk(holding: plan.before)
        let contents = plan.contents
        let intent = disk.intent(plan.writes)
        var commit = Commit(intent)
        var action = commit.begin()
        var seen: Set<[String: String]> = []
        while true {
            for var crashed in disk.crashes(during: action, contents) {
                crashed.recover(contents)
                #expect(crashed.shown == plan.before || crashed.shown == plan.after, "\(action)")
                seen.insert(crashed.shown)
                expectSettled(crashed, intent, "\(action)")
                if disk.acknowledged {
                    #expect(crashed.shown == plan.after)
                    #expect(crashed.files.allSatisfy { $0.value.head == disk.files[$0.key]?.head })
                }
            }
            disk.perform(action, contents)
            if case .end = action { break }
            action = commit.succeeded()
        }
        #expect(disk.acknowledged)
        #expect(seen == [plan.before, plan.after])
    }

    @Test("a version that was told outlives an editor's write and a power cut", arguments: plans)
    func editorAndPowerCut(plan: Plan) {
        let contents = plan.contents
        let (disk, outcome) = run(plan, failing: [])
        #expect(outcome == .applied)
        for (path, _) in plan.writes {
            var edited = disk
            edited.files[path]?.content = "by hand"
            for var cut in edited.afterPowerCuts() {
                cut.recover(contents)
                let told = disk.files[path]?.head
                #expect(cut.files[path]?.content == "by hand")
                #expect(cut.files[path]?.head == ModelDisk.version("by hand", after: told))
                for (other, file) in disk.files where other != path { #expect(cut.files[other]?.head == file.head) }
            }
        }
    }

    /// Nothing is left of a write, and every file is a durable version.
    private func expectSettled(_ disk: ModelDisk, _ intent: Intent, _ when: Comment) {
        #expect(disk.intent == nil, when)
        for (path, file) in disk.files {
            #expect(file.temporary == nil, when)
            #expect(file.durable == nil || file.durable == .some(file.content), "what is kept as a version is durable")
            if let content = file.content { #expect(file.head?.draft.content == Digest(of: content.utf8), when) }
            let mine = intent.files.first { $0.path == path }
            #expect(file.head?.number == 1 || file.head == mine?.versions.last, when)
        }
    }

    /// Runs a commit whose steps of these numbers, from 0, fail.
    private func run(_ plan: Plan, failing: Set<Int>) -> (ModelDisk, Commit.Outcome) {
        var disk = ModelDisk(holding: plan.before)
        var commit = Commit(disk.intent(plan.writes))
        var action = commit.begin()
        var step = 0
        while true {
            if case .end(let outcome) = action { return (disk, outcome) }
            if failing.contains(step) {
                action = commit.failed(Self.failure)
            } else {
                disk.perform(action, plan.contents)
                action = commit.succeeded()
            }
            step += 1
        }
    }

    @Test("a step that fails before the last rename is undone, on every file", arguments: plans)
    func failuresBeforeTheLastRename(plan: Plan) {
        let files = plan.writes.count
        let lastRename = files == 1 ? 2 : 3 * files
        for step in 0...lastRename {
            let (disk, outcome) = run(plan, failing: [step])
            #expect(outcome == .refused(Self.failure), "step \(step)")
            #expect(disk.shown == plan.before, "step \(step)")
            expectSettled(disk, ModelDisk(holding: plan.before).intent(plan.writes), "step \(step)")
        }
        for step in lastRename + 1...lastRename + 2 {
            let (disk, outcome) = run(plan, failing: [step])
            #expect(outcome == .doubtful(Self.failure), "step \(step)")
            #expect(disk.shown == plan.after, "step \(step)")
        }
    }

    @Test("whatever else fails while undoing, the next look finishes", arguments: plans)
    func failuresWhileUndoing(plan: Plan) {
        for first in 0..<16 {
            for second in first + 1..<20 {
                var (disk, _) = run(plan, failing: [first, second])
                let acknowledged = disk.acknowledged
                disk.recover(plan.contents)
                #expect(disk.shown == plan.before || disk.shown == plan.after, "steps \(first), \(second)")
                #expect(!acknowledged || disk.shown == plan.after)
                expectSettled(disk, ModelDisk(holding: plan.before).intent(plan.writes), "steps \(first), \(second)")
            }
        }
    }

    @Test func whatCannotBeWrittenBackMakesTheOutcomeDoubtful() {
        // The second rename fails, and then the taking back of the first.
        let plan = Self.plans[5]
        let (disk, outcome) = run(plan, failing: [8, 9])
        #expect(outcome == .doubtful(Self.failure))
        #expect(disk.intent != nil)
        #expect(disk.shown["a/1"] == "new 1")
    }
}

@Suite struct RecoveryTests {
    private let head = ModelDisk.version("old", after: nil)

    private func content(_ text: String) -> Digest { Digest(of: text.utf8) }

    @Test func aFileThatIsItsVersionIsLeftAlone() {
        #expect(Recovery.adoption(head: head, content: content("old")) == nil)
    }

    @Test func aFileMetForTheFirstTimeIsTheBaseline() {
        #expect(Recovery.adoption(head: nil, content: content("x")) == .baseline)
    }

    @Test func whatSomebodyElseWroteIsAdopted() {
        #expect(Recovery.adoption(head: head, content: content("x")) == .adopted)
    }

    @Test func aMissingFileIsNotBroughtBackByItself() {
        #expect(Recovery.adoption(head: head, content: nil) == nil)
        #expect(Recovery.adoption(head: nil, content: nil) == nil)
    }

    @Test func somebodyElsesWriteStaysWhetherTheTransactionTookPlaceOrNot() {
        let disk = ModelDisk(holding: ["a/1": "old 1", "a/2": "old 2", "b/1": "old 3"])
        let intent = disk.intent([("a/1", ["new 1"]), ("a/2", ["new 2"]), ("b/1", ["new 3"])])
        let steps = Recovery.steps(for: intent, contents: [content("x"), content("new 2"), content("old 3")])
        #expect(
            steps == [.takeBack(intent.files[1])] + intent.files.map(Recovery.Step.removeTemporary)
                + [.dropIntent(intent)])
        let after = Recovery.steps(for: intent, contents: [content("x"), content("new 2"), content("new 3")])
        #expect(after.last == .concludeIntent(intent), "no rename was cut off: it was done before that write")
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
