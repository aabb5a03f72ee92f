import MetricsAPI
import MetricsCore
import Time

/// metricsd in the simulated world: the real machine over simulated collectors that fail and hang, and a store that a full
/// disk refuses and a kill cuts off. Ten small collectors a minute stand for the real ones' rounds each second.
final class SimulatedMetrics {
    static let collectors = (0..<10).map { "collector-\($0)" }
    private static let interval: Duration = .seconds(60)
    private static let series = 2
    /// The head may not take more: what may wait, and open blocks of 20 rounds in ten groups.
    private static let mostHeadBytes = settings.head.waitingBytes + 32 << 10

    /// Small limits, so that a run comes to all of them.
    private static let settings: MetricsMachine.Settings = {
        var settings = MetricsMachine.Settings()
        settings.head.blockTicks = 20
        settings.head.retryBytes = 2 << 10
        settings.head.waitingBytes = 16 << 10
        settings.retention = Retention(ageMs: 12 * 3_600_000, sizeBytes: 1 << 20)
        return settings
    }()

    private let timeline: Timeline
    private let host: SimulatedHost
    private var random: SeededRandom
    private var machine: MetricsMachine?
    private var store = SimulatedStore()
    private var life = 0
    private var isStopped = false
    /// It dies as its next commit begins.
    private var isDoomed = false
    private var waiting: [() -> Void] = []
    private var live: Set<TimerID> = []
    private var ailments: [String: Fault.CollectorAilment] = [:]
    /// Rounds that hang.
    private var hanging: [String: UInt64] = [:]
    /// Collectors whose table this life has been sent.
    private var tables: Set<String> = []
    private var judge = MetricsJudge(interval: interval)

    /// What the journal is told.
    var onNews: (String) -> Void = { _ in }
    /// An invariant is broken.
    var onBroken: (String) -> Void = { _ in }

    init(timeline: Timeline, host: SimulatedHost, random: SeededRandom) {
        self.timeline = timeline
        self.host = host
        self.random = random
    }

    /// What is wrong with it at the end of a healed run; nil where all is well.
    var problemAtEnd: String? {
        guard let machine, !isStopped else { return "metricsd is not running" }
        if let problem = machine.storeProblem { return "the store does not work: \(problem)" }
        return machine.collectorStates.first { $0.condition != .up }.map { "\($0.name) is \($0.condition)" }
    }

    // MARK: The daemon's life

    func start() {
        life += 1
        machine = MetricsMachine(settings: Self.settings)
        judge.started(Self.collectors, now: timeline.now)
        for name in ailments.keys { judge.ailed(name) }
        let plans = Self.collectors.map {
            CollectorPlan(name: $0, level: .system, interval: Self.interval, deadline: .seconds(2))
        }
        act { $0.started(plans, now: self.timeline.moment) }
        look(life)
    }

    /// KILL, and systemd starts it again.
    private func dies() {
        machine = nil
        isStopped = false
        isDoomed = false
        waiting = []
        live = []
        hanging = [:]
        tables = []
        life += 1
        let life = life
        onNews("died")
        timeline.after(.milliseconds(700)) { [self] in if life == self.life { start() } }
    }

    /// Kills it: now, or as its next commit begins, when a client has just asked.
    func killed() {
        guard machine != nil, !isStopped else { return }
        if random.next() & 1 == 0 { dies() } else { isDoomed = true }
    }

    /// Stops it; systemd kills what does not answer after 10 s.
    func stops() {
        guard machine != nil, !isStopped else { return }
        isStopped = true
        for name in Self.collectors { judge.ailed(name) }
        let life = life
        timeline.after(.seconds(10)) { [self] in if life == self.life { dies() } }
    }

    /// The settable clock was set.
    func clockStepped(byMs step: Int64) { judge.clockStepped(byMs: step, now: timeline.now) }

    /// Something ails a collector for a while.
    func ails(_ name: String, _ ailment: Fault.CollectorAilment, for lasts: Duration) {
        guard ailments[name] == nil else { return }
        ailments[name] = ailment
        judge.ailed(name)
        timeline.after(lasts) { [self] in
            ailments[name] = nil
            judge.healed(name, now: timeline.now + Self.interval)
            guard let round = hanging.removeValue(forKey: name) else { return }
            answer(name, round, "it hung")
        }
    }

    private func act(_ body: @escaping (inout MetricsMachine) -> [MetricsMachine.Action]) {
        guard var current = machine else { return }
        guard !isStopped else {
            waiting.append { [self] in act(body) }
            return
        }
        machine = nil
        let actions = body(&current)
        machine = current
        let life = life
        for action in actions where life == self.life { perform(action) }
    }

    private func after(_ delay: Duration, _ body: @escaping () -> Void) {
        let life = life
        timeline.after(delay) { [self] in if life == self.life { body() } }
    }

    private func tell(_ problem: String?) { if let problem { onBroken(problem) } }

    /// Once a minute a look at what must hold, and now and then a client's query that wants the newest values.
    private func look(_ life: Int) {
        after(.seconds(61)) { [self] in
            if !isStopped {
                act { $0.ticked(now: self.timeline.moment) }
                if random.next() & 7 == 0 {
                    act { $0.flushAsked(now: self.timeline.moment) }
                    after(.milliseconds(20)) { [self] in query() }
                }
                tell(judge.looked(now: timeline.now))
            }
            look(life)
        }
    }

    private func query() {
        guard let machine, !isStopped else { return }
        if machine.head.sizeBytes > Self.mostHeadBytes {
            onBroken("metrics: \(machine.head.sizeBytes) bytes in the head")
        }
        // While the disk refuses clients see what is not promised, and are told so.
        guard !machine.showsUncommitted else { return }
        for series in store.series {
            guard let view = machine.head.chunks(of: series.id, includingUncommitted: false).last else { continue }
            judge.showed(view)
        }
    }

    // MARK: Effects

    private func perform(_ action: MetricsMachine.Action) {
        switch action {
        case .setTimer(let timer, let at):
            live.insert(timer)
            after(at - timeline.now + host.timerDelay) { [self] in
                guard live.remove(timer) != nil else { return }
                act { $0.timerFired(timer, now: self.timeline.moment) }
            }
        case .cancelTimer(let timer): live.remove(timer)
        case .collect(let name, let round): collect(name, round)
        case .sendTable(let name): tables.remove(name)
        case .readStore: readStore()
        case .commit(let batch): commit(batch)
        case .listSegments:
            after(.milliseconds(2)) { [self] in
                act { $0.segmentsListed(self.store.segments, now: self.timeline.moment) }
            }
        case .drop(let segments):
            tell(judge.dropped(segments, of: store, keeps: Self.settings.retention.sizeBytes, now: timeline.now))
            drop(segments)
        case .dropOldest: drop(store.oldest.map { [$0] } ?? [])
        case .report(let report): heard(report)
        }
    }

    private func drop(_ segments: [Int64]) {
        judge.gone(segments)
        let orphans = store.drop(segments: segments)
        after(.milliseconds(2)) { [self] in
            act { $0.segmentsDropped(lastOf: orphans, now: self.timeline.moment) }
        }
    }

    private func heard(_ report: MetricsMachine.Report) {
        switch report {
        case .collectorDown(let name, _, let reason, let attempts):
            onNews("\(name) is down after \(attempts) attempts: \(reason)")
            if hanging[name] != nil { judge.hung(name) }
        case .collectorUp(let name, _, _): onNews("\(name) is up")
        case .storeFailing(let reason): onNews("the store fails: \(reason)")
        case .storeWorking: onNews("the store works")
        case .seriesRefused(let name, let count, _), .seriesRepeated(let name, let count, _):
            onBroken("metrics: \(count) series of \(name) were refused")
        }
    }

    private func collect(_ name: String, _ round: UInt64) {
        tell(judge.ordered(name, now: timeline.now))
        switch ailments[name] {
        case nil:
            let value = Double(timeline.moment.wall.milliseconds)
            let delay = Duration.microseconds(Int64.random(in: 500...5000, using: &random))
            after(delay) { [self] in
                act { [self] machine in
                    tell(judge.answered(name, isGood: true, isTold: true))
                    let table = (0..<Self.series).map { Labels("value", [Label("of", "\(name)-\($0)")]) }
                    let values = [Double](repeating: value, count: Self.series)
                    let isNew = tables.insert(name).inserted
                    return machine.collected(
                        name, round: round, Collection(table: isNew ? table : nil, values: values),
                        now: timeline.moment)
                }
            }
        case .fails: after(.milliseconds(1)) { [self] in answer(name, round, "connection refused") }
        case .hangs: hanging[name] = round
        }
    }

    private func answer(_ name: String, _ round: UInt64, _ reason: String) {
        act { [self] machine in
            let actions = machine.failed(name, round: round, reason: reason, now: timeline.moment)
            let isTold = machine.collectorStates.contains { $0.name == name && $0.condition == .down }
            tell(judge.answered(name, isGood: false, isTold: isTold))
            return actions
        }
    }

    /// A full disk lets no database be opened: its log needs a file beside it.
    private func readStore() {
        after(.milliseconds(Int64.random(in: 2...900, using: &random))) { [self] in
            act { [self] machine in
                guard !host.diskIsFull else { return machine.storeNotRead(reason: "no space", now: timeline.moment) }
                let actions = store.restore(&machine, now: timeline.moment)
                if machine.damagedRecords > 0 {
                    onBroken("metrics: \(machine.damagedRecords) records cannot be read")
                }
                tell(judge.restored(machine, store))
                return actions
            }
        }
    }

    private func commit(_ batch: Batch) {
        // A query that waits for nothing may come while values are not on disk.
        if isDoomed || random.next() & 7 == 0 { query() }
        let takes = Duration.milliseconds(Int64.random(in: 2...8, using: &random))
        // A kill within the commit finds it written or not, and never a part of it.
        let isEarly = random.next() & 1 == 0
        let isFull = host.diskIsFull
        if isEarly, !isFull { store.write(batch) }
        if isDoomed { return dies() }
        after(takes) { [self] in
            if !isEarly, !isFull { store.write(batch) }
            act { machine in
                isFull
                    ? machine.commitFailed(
                        sequence: batch.sequence, reason: "no space", isFull: true, now: self.timeline.moment)
                    : machine.committed(sequence: batch.sequence, now: self.timeline.moment)
            }
        }
    }
}
