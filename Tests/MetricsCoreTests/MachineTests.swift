import MetricsAPI
import MetricsCore
import Testing
import Time

/// metricsd's machine in a world of its own: a clock, timers, collectors that answer as told, and a disk.
private struct World {
    var machine = MetricsMachine()
    var now = at(0)
    var disk = FakeDisk()
    var timers: [TimerID: Instant] = [:]
    var reports: [MetricsMachine.Report] = []
    var collecting: [(name: String, round: UInt64)] = []
    var committing: Batch?
    var isReading = false
    var reads = 0
    var lists = 0
    var dropped: [Int64] = []
    var roomsMade = 0
    var isTableWanted: Set<String> = []
    var value = 0.0
    /// What a collector does with a round: values, a failure, or nothing at all.
    var answer: [String: String] = [:]
    var diskAnswers = true
    var diskWrites = true
    var diskOpens = true

    static let plans = [
        CollectorPlan(name: "process", level: .process, interval: .seconds(1), deadline: .milliseconds(500)),
        CollectorPlan(name: "system", level: .system, interval: .seconds(1), deadline: .milliseconds(500)),
    ]

    mutating func perform(_ actions: [MetricsMachine.Action]) {
        for action in actions {
            switch action {
            case .setTimer(let id, let due): timers[id] = due
            case .cancelTimer(let id): timers[id] = nil
            case .collect(let name, let round): collecting.append((name, round))
            case .sendTable(let name): isTableWanted.insert(name)
            case .readStore:
                #expect(!isReading, "one reading at a time")
                isReading = true
                reads += 1
            case .commit(let batch):
                #expect(!isReading, "nothing is written to a store that was not read")
                #expect(committing == nil, "one commit at a time")
                committing = batch
            case .listSegments: lists += 1
            case .drop(let segments): dropped += segments
            case .dropOldest: roomsMade += 1
            case .report(let report): reports.append(report)
            }
        }
    }

    mutating func answerReading() {
        guard diskAnswers, isReading else { return }
        isReading = false
        perform(
            diskOpens
                ? machine.storeRead(disk.content, now: now)
                : machine.storeNotRead(reason: "cannot open", now: now))
    }

    mutating func answerAll() {
        answerReading()
        while !collecting.isEmpty {
            let (name, round) = collecting.removeFirst()
            switch answer[name] {
            case nil:
                value += 1
                let table = isTableWanted.remove(name) == nil ? nil : [Labels("m", [Label("of", name)])]
                perform(machine.collected(name, round: round, Collection(table: table, values: [value]), now: now))
            case "silent": break
            case .some(let reason): perform(machine.failed(name, round: round, reason: reason, now: now))
            }
        }
        guard diskAnswers, let batch = committing else { return }
        committing = nil
        if diskWrites {
            disk.write(batch)
            perform(machine.committed(sequence: batch.sequence, now: now))
        } else {
            perform(machine.commitFailed(sequence: batch.sequence, reason: "no space left", now: now))
        }
    }

    mutating func run(_ milliseconds: Int64) {
        let end = now.instant + .milliseconds(milliseconds)
        while let next = timers.min(by: { ($0.value, $0.key.value) < ($1.value, $1.key.value) }), next.value <= end {
            timers[next.key] = nil
            if next.value > now.instant { now = now.advanced(by: next.value - now.instant) }
            perform(machine.timerFired(next.key, now: now))
            answerAll()
        }
        now = now.advanced(by: end - now.instant)
    }

    func shown(_ name: String) -> [Int64: Double?] {
        shown(name, in: machine.head, uncommitted: machine.showsUncommitted)
    }

    func shown(_ name: String, in head: Head, uncommitted: Bool = false) -> [Int64: Double?] {
        let labels = Labels("m", [Label("of", name)])
        var all = visible(head, labels, uncommitted: uncommitted)
        for (time, value) in disk.sealedValues(of: head.index.number(of: labels)) { all[time] = value }
        return all
    }
}

@Suite("metricsd's machine")
struct MachineTests {
    @Test("Each second is measured and within two seconds on disk")
    func steady() {
        var world = World()
        world.perform(world.machine.started(World.plans, now: world.now))
        world.run(60_400)
        #expect(world.shown("system").count == 58)
        #expect(world.machine.head.uncommittedRounds <= 4)
        let newest = world.machine.head.committedToMs ?? 0
        #expect(world.now.wall.milliseconds - (newest + 1000) <= 1500, "the round after the newest is not older")
        #expect(world.reports.isEmpty)
        #expect(world.machine.status.store == .working)
        #expect(
            world.machine.ownFigures(withTable: true).table?.count
                == world.machine.ownFigures(withTable: false).values.count)
    }

    @Test("A collector that hangs, and one that fails, hold up no other")
    func independence() {
        var world = World()
        world.answer["process"] = "silent"
        world.perform(world.machine.started(World.plans, now: world.now))
        world.run(30_000)
        #expect(world.shown("system").count >= 28)
        #expect(
            world.reports == [
                .collectorDown("process", level: .process, reason: "no answer in 500 ms", attempts: 5)
            ])
        #expect(world.machine.collectorStates.map(\.condition) == [.stuck, .up])
    }

    @Test("A failing collector goes down after five attempts, its series end, and it comes back")
    func failing() {
        var world = World()
        world.perform(world.machine.started(World.plans, now: world.now))
        world.run(5000)
        world.answer["process"] = "refused"
        world.run(10_000)
        #expect(world.machine.failure(of: "process") == "refused")
        let ended = world.shown("process").values.filter { $0 == nil }.count
        #expect(ended == 1)
        world.answer["process"] = nil
        world.run(5000)
        #expect(world.reports.count == 2)
        #expect(world.machine.failure(of: "process") == nil)
        #expect(world.shown("system").count >= 18)
    }

    @Test("A query's flush commits at once and waits for one commit only")
    func flush() {
        var world = World()
        world.perform(world.machine.started(World.plans, now: world.now))
        world.run(1000)
        #expect(world.shown("system").isEmpty)
        world.perform(world.machine.flushAsked(now: world.now))
        #expect(world.machine.isFlushing)
        world.answerAll()
        #expect(!world.machine.isFlushing)
        #expect(world.shown("system").count == 1)
    }

    @Test("While the disk refuses everything is kept, shown, and written when it takes again")
    func refusingDisk() {
        var world = World()
        world.perform(world.machine.started(World.plans, now: world.now))
        world.run(10_000)
        world.diskWrites = false
        world.run(120_000)
        #expect(world.machine.status.store == .failing)
        #expect(world.machine.storeProblem == "no space left")
        #expect(world.shown("system").count >= 128, "uncommitted values are shown meanwhile")
        world.diskWrites = true
        world.run(10_000)
        #expect(world.machine.status.store == .working)
        #expect(world.reports.count == 2)
        let restored = world.disk.restored()
        #expect(restored.damaged == 0)
        #expect(world.shown("system", in: restored.head).count >= 136)
    }

    @Test("A store that cannot be read holds up nothing; it is told once, and taken up when it can be read")
    func unreadableStore() {
        var before = World()
        before.perform(before.machine.started(World.plans, now: before.now))
        before.run(15_000)
        var world = World()
        world.now = before.now
        world.value = 100
        world.disk = before.disk
        world.diskOpens = false
        world.perform(world.machine.started(World.plans, now: world.now))
        world.run(60_000)
        #expect(world.machine.status.store == .failing)
        #expect(world.reports == [.storeFailing(reason: "cannot open")])
        #expect(!world.machine.isStoreRead)
        #expect(visible(world.machine.head, Labels("m", [Label("of", "system")]), uncommitted: true).count >= 58)
        world.diskOpens = true
        world.run(5000)
        #expect(world.machine.status.store == .working)
        #expect(world.reports.count == 2)
        for head in [world.machine.head, world.disk.restored().head] {
            let shown = world.shown("system", in: head)
            #expect(shown.count >= 13 + 62)
            for (time, value) in before.shown("system") { #expect(shown[time] == .some(value)) }
        }
    }

    @Test("While the store cannot be read memory stays bounded")
    func unreadableStoreIsBounded() {
        var settings = MetricsMachine.Settings()
        settings.head.blockTicks = 20
        settings.head.retryBytes = 500
        settings.head.waitingBytes = 20_000
        var world = World()
        world.machine = MetricsMachine(settings: settings)
        world.diskOpens = false
        world.perform(world.machine.started(World.plans, now: world.now))
        world.run(4_000_000)
        #expect(world.machine.head.droppedBlocks > 0)
        #expect(world.machine.head.sizeBytes < 30_000)
        world.diskOpens = true
        world.run(5000)
        #expect(world.machine.status.store == .working)
        #expect(world.disk.restored().damaged == 0)
    }

    @Test("A reading that does not come back is waited for, and asked once")
    func hangingReading() {
        var world = World()
        world.diskAnswers = false
        world.perform(world.machine.started(World.plans, now: world.now))
        world.run(30_000)
        #expect(world.reads == 1)
        #expect(world.reports == [.storeFailing(reason: "reading it takes more than 2000 ms")])
        world.diskAnswers = true
        world.answerAll()
        world.run(5000)
        #expect(world.machine.status.store == .working)
        #expect(world.shown("system").count >= 32)
    }

    @Test("A commit that does not come back is waited for, and collecting goes on")
    func hangingDisk() {
        var world = World()
        world.perform(world.machine.started(World.plans, now: world.now))
        world.run(10_000)
        world.diskAnswers = false
        world.run(60_000)
        #expect(world.machine.status.store == .failing)
        #expect(!world.machine.isFlushing, "queries do not wait for it")
        world.diskAnswers = true
        world.answerAll()
        world.run(5000)
        #expect(world.machine.status.store == .working)
        #expect(world.shown("system").count >= 72)
    }

    @Test("Whatever a query showed survives a kill at any moment", arguments: 0..<25 as Range<UInt64>)
    func killLosesNothingShown(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var world = World()
        world.perform(world.machine.started(World.plans, now: world.now))
        for _ in 0..<40 {
            world.run(Int64(random.next() % 60_000))
            world.diskAnswers = random.next() % 4 > 0
            world.answer["process"] = random.next() % 5 == 0 ? "refused" : nil
            if random.next() % 3 == 0 { world.perform(world.machine.flushAsked(now: world.now)) }
            guard !world.machine.showsUncommitted else { continue }
            let shown = ["process", "system"].map { world.shown($0) }
            let restored = world.disk.restored()
            for (name, values) in zip(["process", "system"], shown) {
                let again = world.shown(name, in: restored.head)
                for (time, value) in values { #expect(again[time] == .some(value), "\(name) at \(time)") }
            }
        }
    }

    @Test("Values that do not fit their table count as a failure, and the table is asked for")
    func wrongWidth() {
        var world = World()
        world.perform(world.machine.started(World.plans, now: world.now))
        world.run(1500)
        world.isTableWanted = []
        world.perform(world.machine.collectAsked(.system, now: world.now))
        let round = world.collecting.removeFirst().round
        let wrong = Collection(table: nil, values: [1, 2, 3])
        world.perform(world.machine.collected("system", round: round, wrong, now: world.now))
        #expect(world.isTableWanted == ["system"])
        #expect(world.machine.failure(of: "system") == "its values do not fit its table")
        world.run(2000)
        #expect(world.machine.failure(of: "system") == nil)
    }

    @Test("A limit that is reached and a series that is named twice are told apart")
    func refusals() throws {
        var settings = MetricsMachine.Settings()
        settings.head.series = 1
        var world = World()
        world.machine = MetricsMachine(settings: settings)
        world.perform(world.machine.started([World.plans[0]], now: world.now))
        world.perform(world.machine.collectAsked(.process, now: world.now))
        let round = try #require(world.collecting.first).round
        let table = [Labels("a"), Labels("b"), Labels("a"), Labels("c")]
        let values = Collection(table: table, values: [1, 2, 3, 4])
        world.perform(world.machine.collected("process", round: round, values, now: world.now))
        #expect(
            world.reports == [
                .seriesRefused(collector: "process", count: 2, example: "b"),
                .seriesRepeated(collector: "process", count: 1, example: "a"),
            ])
    }

    @Test("Every event that the machine takes shows as progress, a late and a stale one too")
    func progress() {
        var world = World()
        var taken = world.machine.eventsTaken
        func hasRisen() -> Bool {
            defer { taken = world.machine.eventsTaken }
            return world.machine.eventsTaken > taken
        }
        #expect(!hasRisen())
        world.perform(world.machine.started(World.plans, now: world.now))
        #expect(hasRisen())
        world.perform(world.machine.ticked(now: world.now))
        #expect(hasRisen())
        world.perform(world.machine.timerFired(TimerID(999), now: world.now))
        #expect(hasRisen())
        world.perform(world.machine.committed(sequence: 999, now: world.now))
        #expect(hasRisen())
        world.perform(world.machine.flushAsked(now: world.now))
        #expect(hasRisen())
        _ = world.machine.status
        #expect(!hasRisen())
    }

    @Test("New settings are in force at once: more series are taken in, and fewer end none that are known")
    func newLimits() {
        var settings = MetricsMachine.Settings()
        settings.head.series = 1
        var world = World()
        world.machine = MetricsMachine(settings: settings)
        world.perform(world.machine.started(World.plans, now: world.now))
        world.run(5000)
        #expect(world.machine.head.index.count == 1)
        settings.head.series = 2
        settings.retention = Retention(ageMs: 1, sizeBytes: 2)
        world.perform(world.machine.reconfigured(settings, plans: World.plans, now: world.now))
        #expect(world.machine.settings == settings)
        world.run(5000)
        #expect(world.machine.head.index.count == 2)
        #expect(world.shown("system").count >= 3 && world.shown("process").count >= 3)
        #expect(world.reports.count == 1, "\(world.reports)")
        settings.head.series = 1
        world.perform(world.machine.reconfigured(settings, plans: World.plans, now: world.now))
        world.run(5000)
        #expect(world.machine.head.liveSeries == 2)
        #expect(world.reports.count == 1)
    }

    @Test("A removed collector's series end, and the store's segments are listed for retention")
    func removal() {
        var world = World()
        world.perform(world.machine.started(World.plans, now: world.now))
        world.run(5000)
        world.perform(world.machine.collectorRemoved("process", now: world.now))
        world.run(700_000)
        #expect(world.shown("process").values.filter { $0 == nil }.count == 1)
        #expect(world.machine.collectors(of: .process).isEmpty)
        #expect(world.lists == 2)
        let old = StoredSegment(number: 1, toMs: 5, sizeBytes: 10)
        let new = StoredSegment(number: 2, toMs: world.now.wall.milliseconds, sizeBytes: 10)
        world.run(3_000_000)
        world.perform(world.machine.segmentsListed([old, new], now: world.now))
        #expect(world.dropped == [1])
    }

    @Test("A clock that jumps deletes nothing for its age until it has gone right for an hour")
    func clockStep() {
        var world = World()
        world.perform(world.machine.started(World.plans, now: world.now))
        let block = StoredSegment(number: 1, toMs: world.now.wall.milliseconds, sizeBytes: 10)
        func list() {
            world.dropped = []
            world.perform(world.machine.segmentsListed([block], now: world.now))
        }
        func pass(minutes: Int) {
            for _ in 0..<minutes {
                world.now = world.now.advanced(by: .seconds(60))
                world.perform(world.machine.ticked(now: world.now))
            }
        }
        pass(minutes: 120)
        list()
        #expect(world.dropped == [], "it is two hours old")
        world.now.wall.milliseconds += 400 * 86_400_000
        list()
        #expect(world.dropped == [])
        pass(minutes: 59)
        list()
        #expect(world.dropped == [])
        pass(minutes: 2)
        list()
        #expect(world.dropped == [1])
    }

    @Test("A start believes no clock at once, and the limit of size holds whatever the clock says")
    func clockAtStart() {
        var settings = MetricsMachine.Settings()
        settings.retention.sizeBytes = 15
        var world = World()
        world.machine = MetricsMachine(settings: settings)
        world.now.wall.milliseconds += 400 * 86_400_000
        world.perform(world.machine.started(World.plans, now: world.now))
        let blocks = (1...3).map { StoredSegment(number: Int64($0), toMs: Int64($0), sizeBytes: 5) }
        world.perform(world.machine.segmentsListed(blocks, now: world.now))
        #expect(world.dropped == [])
        let large = StoredSegment(number: 4, toMs: 4, sizeBytes: 5)
        world.perform(world.machine.segmentsListed(blocks + [large], now: world.now))
        #expect(world.dropped == [1])
    }
}
