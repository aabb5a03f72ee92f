package import MetricsAPI
package import Time

/// What one round of a collector measured.
package struct Collection: Hashable, Sendable {
    /// Which series the values are of, in their order; nil where they are those of the round before.
    package var table: [Labels]?
    /// A stale marker where a series could not be measured in this round.
    package var values: [Double]
    /// Samples that were left out because their series cannot be read or is beyond `SeriesBounds`.
    package var refused: Int

    package init(table: [Labels]?, values: [Double], refused: Int = 0) {
        self.table = table
        self.values = values
        self.refused = refused
    }
}

/// metricsd's decisions: when each collector runs, what becomes of its values, when they are committed, what the disk's refusal
/// means, and what is dropped. Its effects are `Action`s; it holds the head of the store and nothing else of it.
///
/// The store is *unread* at first: collectors run, and what they measure stays in memory until what an earlier life wrote
/// was read; a reading that fails is tried again after `readRetry`, and one that does not come back is waited for. Then the
/// store is *quiet* (nothing to write), *gathering* (values wait for the commit's timer or for a query that wants them), or
/// *committing* (one batch is under way; there is never a second). A commit that fails goes back to gathering and is tried again
/// after the same time, with everything in it. One that does not come back makes the store count as failing, but is waited
/// for: whether it wrote is not known, and the disk is asked nothing twice.
package struct MetricsMachine: Sendable {
    /// What the settings decide.
    package struct Settings: Hashable, Sendable {
        package var head = Head.Limits()
        /// From a value's round to the commit that holds it: with the commit's own time under two seconds.
        package var commitWait: Duration = .milliseconds(1500)
        /// After this long a commit or a reading under way counts as failing.
        package var commitDeadline: Duration = .seconds(2)
        /// How long until a store that could not be read is tried again.
        package var readRetry: Duration = .seconds(2)
        package var retention = Retention()
        /// How often retention is applied.
        package var retentionInterval: Duration = .seconds(600)
        /// How often the oldest segment goes while a full disk refuses even what was reserved. Another program may take the room
        /// that this gives back, so it is done seldom.
        package var roomInterval: Duration = .seconds(60)

        package init() {}
    }

    /// What people are told: the journal, and subscribers.
    package enum Report: Hashable, Sendable {
        case collectorDown(String, level: Level, reason: String, attempts: Int)
        case collectorUp(String, level: Level, downFor: Duration)
        case storeFailing(reason: String)
        case storeWorking(failedFor: Duration)
        /// The limit of how many series there may be is reached.
        case seriesRefused(collector: String, count: Int, example: String)
        /// A collector names series twice in one round.
        case seriesRepeated(collector: String, count: Int, example: String)
    }

    /// What the daemon carries out.
    package enum Action: Hashable, Sendable {
        case setTimer(TimerID, at: Instant)
        case cancelTimer(TimerID)
        /// Measure, and answer `collected` or `failed` with this round.
        case collect(String, round: UInt64)
        /// The collector's next round must bring its table.
        case sendTable(String)
        /// Read what the store holds, and answer `storeRead` or `storeNotRead`.
        case readStore
        case commit(Batch)
        /// List the store's segments, and answer `segmentsListed`.
        case listSegments
        /// Drop these, and answer `segmentsDropped`.
        case drop(segments: [Int64])
        /// Drop the oldest segment but the one that takes blocks, and answer `segmentsDropped`.
        case dropOldest
        case report(Report)
    }

    struct Collector: Sendable {
        var schedule: CollectorSchedule
        var group: Int
        var rounds: UInt64 = 0
        var failures: UInt64 = 0
    }

    private enum StoreState: Sendable {
        /// With the timer of the reading's deadline or of the next attempt; without one before the start.
        case unread(TimerID?, isReading: Bool)
        case quiet
        case gathering(TimerID)
        case committing(Batch, since: Instant, deadline: TimerID)
    }

    package private(set) var settings: Settings
    package private(set) var head: Head
    /// Events that it has taken, stale ones too: what the keepalive watches.
    package private(set) var eventsTaken: UInt64 = 0
    private(set) var collectors: [String: Collector] = [:]
    private var timers = TimerIDs()
    private var owners: [TimerID: String] = [:]
    private var store = StoreState.unread(nil, isReading: false)
    private var isFlushWanted = false
    private(set) var failingSince: Instant?
    private(set) var failingReason: String?
    private var retentionTimer: TimerID?
    /// When room was last made on a full disk.
    private var madeRoomAt: Instant?
    private var clock = ClockWatch()
    /// Commits since the start, and those that the disk refused.
    package private(set) var commits: UInt64 = 0
    package private(set) var commitFailures: UInt64 = 0
    /// Records that the last start could not read.
    package private(set) var damagedRecords = 0
    /// Samples that collectors left out, since the start.
    package private(set) var refusedSamples: UInt64 = 0
    private var figuresTable: [Labels] = []

    package init(settings: Settings = Settings()) {
        self.settings = settings
        head = Head(limits: settings.head)
    }

    // MARK: Start and settings

    /// The daemon runs: the store is read, and collectors begin.
    package mutating func started(_ plans: [CollectorPlan], now: Moment) -> [Action] {
        eventsTaken += 1
        clock.looked(now: now)
        let timer = timers.next()
        retentionTimer = timer
        return readStore(now: now) + [.setTimer(timer, at: now.instant + .seconds(30))]
            + plans.flatMap { collectorAdded($0, now: now) }
    }

    /// The daemon's tick, each minute or oftener: proof that the loop and this machine work, and a look at the clocks.
    package mutating func ticked(now: Moment) -> [Action] {
        eventsTaken += 1
        clock.looked(now: now)
        return []
    }

    /// A collector with a new name begins; one that is known goes on with its new plan.
    package mutating func collectorAdded(_ plan: CollectorPlan, now: Moment) -> [Action] {
        eventsTaken += 1
        if let known = collectors[plan.name] {
            guard known.schedule.plan != plan else { return [] }
            return collectorRemoved(plan.name, now: now) + collectorAdded(plan, now: now)
        }
        var schedule = CollectorSchedule(plan: plan)
        let actions = schedule.started(now: now, timers: &timers)
        collectors[plan.name] = Collector(schedule: schedule, group: head.group(plan.name))
        figuresTable = []
        return act(actions, collector: plan.name, now: now) + [.sendTable(plan.name)]
    }

    /// What the collector measures is gone: its series end.
    package mutating func collectorRemoved(_ name: String, now: Moment) -> [Action] {
        eventsTaken += 1
        guard var collector = collectors.removeValue(forKey: name) else { return [] }
        figuresTable = []
        let actions = collector.schedule.stopped()
        head.appendStale(group: collector.group, time: now.wall.milliseconds)
        return act(actions, collector: name, now: now) + gather(now: now)
    }

    /// The settings were read again. Where more series are allowed, those that were refused get another chance.
    package mutating func reconfigured(_ settings: Settings, plans: [CollectorPlan], now: Moment) -> [Action] {
        eventsTaken += 1
        let isWider = settings.head.series > head.limits.series
        self.settings = settings
        head.limitsChanged(to: settings.head)
        let kept = Set(plans.map(\.name))
        let gone = collectors.keys.filter { !kept.contains($0) }.sorted()
        let actions = gone.flatMap { collectorRemoved($0, now: now) } + plans.flatMap { collectorAdded($0, now: now) }
        return actions + (isWider ? collectors.keys.sorted().map { Action.sendTable($0) } : [])
    }

    // MARK: Rounds

    /// A timer that the machine asked for has fired; an old one does nothing.
    package mutating func timerFired(_ id: TimerID, now: Moment) -> [Action] {
        eventsTaken += 1
        if id == retentionTimer { return retain(now: now) }
        if let name = owners.removeValue(forKey: id) {
            guard let actions = collectors[name]?.schedule.timerFired(id, now: now, timers: &timers) else { return [] }
            return act(actions, collector: name, now: now)
        }
        switch store {
        case .unread(.some(id), let isReading): return waitedForReading(isReading, now: now)
        case .gathering(id): return commit(now: now)
        case .committing(_, _, id):
            return fail("a commit takes more than \(settings.commitDeadline.milliseconds) ms", now: now)
        case .unread, .quiet, .gathering, .committing: return []
        }
    }

    /// A collector's round brought values.
    package mutating func collected(_ name: String, round: UInt64, _ collection: Collection, now: Moment) -> [Action] {
        eventsTaken += 1
        guard let group = collectors[name]?.group else { return [] }
        let width = collection.table?.count ?? head.width(of: group)
        guard width == collection.values.count else {
            return failed(name, round: round, reason: "its values do not fit its table", now: now) + [.sendTable(name)]
        }
        guard let (since, actions) = collectors[name]?.schedule.collected(round: round, now: now, timers: &timers)
        else { return [] }
        guard let since else {
            // A late round's table was not taken, so the next one has to bring it again.
            return act(actions, collector: name, now: now) + [.sendTable(name)]
        }
        var refusals: [Action] = []
        if let table = collection.table { refusals = define(table, collector: name, group: group) }
        head.append(group: group, time: since.wall.milliseconds, values: collection.values)
        collectors[name]?.rounds += 1
        refusedSamples += UInt64(collection.refused)
        return act(actions, collector: name, now: now) + refusals + gather(now: now)
    }

    private mutating func define(_ table: [Labels], collector: String, group: Int) -> [Action] {
        let refused = head.define(group: group, series: table)
        var reports: [Action] = []
        if let example = refused.overLimit.first?.description {
            let count = refused.overLimit.count
            reports.append(.report(.seriesRefused(collector: collector, count: count, example: example)))
        }
        if let example = refused.repeated.first?.description {
            let count = refused.repeated.count
            reports.append(.report(.seriesRepeated(collector: collector, count: count, example: example)))
        }
        return reports
    }

    /// A collector's round brought none.
    package mutating func failed(_ name: String, round: UInt64, reason: String, now: Moment) -> [Action] {
        eventsTaken += 1
        guard let actions = collectors[name]?.schedule.failed(round: round, reason: reason, now: now, timers: &timers)
        else { return [] }
        collectors[name]?.failures += 1
        return act(actions, collector: name, now: now)
    }

    /// Somebody wants a level measured now. The collectors of the level are those of `collectors(of:)`.
    package mutating func collectAsked(_ level: Level, now: Moment) -> [Action] {
        eventsTaken += 1
        return collectors(of: level).flatMap { name -> [Action] in
            guard let actions = collectors[name]?.schedule.asked(now: now, timers: &timers) else { return [] }
            return act(actions, collector: name, now: now)
        }
    }

    private mutating func act(_ actions: [CollectorSchedule.Action], collector name: String, now: Moment) -> [Action] {
        let level = collectors[name]?.schedule.plan.level ?? .suite
        return actions.flatMap { action -> [Action] in
            switch action {
            case .setTimer(let id, let at):
                owners[id] = name
                return [.setTimer(id, at: at)]
            case .cancelTimer(let id):
                owners[id] = nil
                return [.cancelTimer(id)]
            case .collect(let round):
                return [.collect(name, round: round)]
            case .markStale:
                guard let group = collectors[name]?.group else { return [] }
                head.appendStale(group: group, time: now.wall.milliseconds)
                return gather(now: now)
            case .reportDown(let reason, let attempts):
                return [.report(.collectorDown(name, level: level, reason: reason, attempts: attempts))]
            case .reportUp(let downFor):
                return [.report(.collectorUp(name, level: level, downFor: downFor))]
            }
        }
    }

    // MARK: The store

    /// Whether what an earlier life wrote is known; before that queries can show what this one measured and no more.
    package var isStoreRead: Bool {
        switch store {
        case .unread: false
        case .quiet, .gathering, .committing: true
        }
    }

    private mutating func readStore(now: Moment) -> [Action] {
        let timer = timers.next()
        store = .unread(timer, isReading: true)
        return [.readStore, .setTimer(timer, at: now.instant + settings.commitDeadline)]
    }

    private mutating func waitedForReading(_ isReading: Bool, now: Moment) -> [Action] {
        // What has come together meanwhile is kept within the bounds that hold for a disk which refuses.
        if let batch = head.takeBatch() { head.failedToCommit(batch) }
        guard isReading else { return readStore(now: now) }
        let timer = timers.next()
        store = .unread(timer, isReading: true)
        return fail("reading it takes more than \(settings.commitDeadline.milliseconds) ms", now: now)
            + [.setTimer(timer, at: now.instant + settings.readRetry)]
    }

    /// What the store holds was read. What was measured meanwhile goes on from there, and every collector's table is asked for:
    /// there may be less room for series than it seemed.
    package mutating func storeRead(_ content: StoredContent, now: Moment) -> [Action] {
        eventsTaken += 1
        guard case .unread(let timer, _) = store else { return [] }
        damagedRecords = head.restoreBeneath(content)
        store = .quiet
        let cancel = timer.map { [Action.cancelTimer($0)] } ?? []
        let tables = collectors.keys.sorted().map { Action.sendTable($0) }
        guard failingSince != nil else { return cancel + tables + gather(now: now) }
        return cancel + tables + (head.hasUncommitted ? commit(now: now) : work(now: now))
    }

    /// The store could not be read: collectors go on, and it is tried again.
    package mutating func storeNotRead(reason: String, now: Moment) -> [Action] {
        eventsTaken += 1
        guard case .unread(let timer, isReading: true) = store else { return [] }
        let next = timers.next()
        store = .unread(next, isReading: false)
        let cancel = timer.map { [Action.cancelTimer($0)] } ?? []
        return cancel + fail(reason, now: now) + [.setTimer(next, at: now.instant + settings.readRetry)]
    }

    private mutating func gather(now: Moment) -> [Action] {
        guard case .quiet = store, head.hasUncommitted else { return [] }
        let timer = timers.next()
        store = .gathering(timer)
        return [.setTimer(timer, at: now.instant + settings.commitWait)]
    }

    private mutating func commit(now: Moment) -> [Action] {
        guard let batch = head.takeBatch() else {
            store = .quiet
            return []
        }
        let deadline = timers.next()
        store = .committing(batch, since: now.instant, deadline: deadline)
        isFlushWanted = false
        return [.commit(batch), .setTimer(deadline, at: now.instant + settings.commitDeadline)]
    }

    /// Takes in samples of another origin. They are on disk when `isFlushing` ends.
    package mutating func imported(_ series: [ImportedSeries], now: Moment) -> [Action] {
        eventsTaken += 1
        head.takeIn(series)
        switch store {
        case .unread: return []
        case .quiet: return commit(now: now)
        case .gathering(let timer): return [.cancelTimer(timer)] + commit(now: now)
        case .committing:
            isFlushWanted = true
            return []
        }
    }

    /// A query wants everything that was measured up to now. It waits for `committed` or `commitFailed` while `isFlushing`.
    package mutating func flushAsked(now: Moment) -> [Action] {
        eventsTaken += 1
        switch store {
        case .unread, .quiet: return []
        case .gathering(let timer): return [.cancelTimer(timer)] + commit(now: now)
        case .committing:
            isFlushWanted = head.hasUncommitted
            return []
        }
    }

    /// Whether a query that asked for a flush should still wait: not while the disk refuses.
    package var isFlushing: Bool {
        guard failingSince == nil else { return false }
        switch store {
        case .committing: return true
        case .unread, .quiet, .gathering: return false
        }
    }

    /// The batch is on disk.
    package mutating func committed(sequence: UInt64, now: Moment) -> [Action] {
        eventsTaken += 1
        guard case .committing(let batch, _, let deadline) = store, batch.sequence == sequence else { return [] }
        head.committed(batch)
        commits += 1
        store = .quiet
        return [.cancelTimer(deadline)] + work(now: now) + (isFlushWanted ? commit(now: now) : gather(now: now))
    }

    private mutating func work(now: Moment) -> [Action] {
        guard let since = failingSince else { return [] }
        failingSince = nil
        failingReason = nil
        return [.report(.storeWorking(failedFor: now.instant - since))]
    }

    /// The batch was not written; it is part of the next one.
    /// - Parameter isFull: the disk has no room left, and none that was reserved.
    package mutating func commitFailed(
        sequence: UInt64, reason: String, isFull: Bool = false, now: Moment
    ) -> [Action] {
        eventsTaken += 1
        guard case .committing(let batch, _, let deadline) = store, batch.sequence == sequence else { return [] }
        head.failedToCommit(batch)
        commitFailures += 1
        store = .quiet
        isFlushWanted = false
        return [.cancelTimer(deadline)] + fail(reason, now: now) + (isFull ? makeRoom(now: now) : [])
            + gather(now: now)
    }

    private mutating func makeRoom(now: Moment) -> [Action] {
        if let madeRoomAt, now.instant - madeRoomAt < settings.roomInterval { return [] }
        madeRoomAt = now.instant
        return [.dropOldest]
    }

    private mutating func fail(_ reason: String, now: Moment) -> [Action] {
        failingReason = reason
        guard failingSince == nil else { return [] }
        failingSince = now.instant
        return [.report(.storeFailing(reason: reason))]
    }

    private mutating func retain(now: Moment) -> [Action] {
        let timer = timers.next()
        retentionTimer = timer
        return (isStoreRead ? [.listSegments] : []) + [.setTimer(timer, at: now.instant + settings.retentionInterval)]
    }

    /// The store's segments were listed: what retention wants gone goes.
    package mutating func segmentsListed(_ segments: [StoredSegment], now: Moment) -> [Action] {
        eventsTaken += 1
        clock.looked(now: now)
        let nowMs = clock.isBelieved(now: now) ? now.wall.milliseconds : nil
        let expired = settings.retention.expired(segments, nowMs: nowMs)
        return expired.isEmpty ? [] : [.drop(segments: expired)]
    }

    /// Segments are gone, and with them all that the store held of these series.
    package mutating func segmentsDropped(lastOf series: [SeriesID], now: Moment) -> [Action] {
        eventsTaken += 1
        head.storeForgot(series)
        return gather(now: now)
    }

    /// How collecting itself goes: the round of the collector `self`. The table is part of it only where the collectors changed
    /// since the last time, or `withTable` asks for it.
    package mutating func ownFigures(withTable: Bool) -> Collection {
        let ordered = collectors.values.sorted { $0.schedule.plan.name < $1.schedule.plan.name }
        let isNew = figuresTable.isEmpty || withTable
        if isNew { figuresTable = Self.ownTable(ordered.map { $0.schedule.plan }) }
        var values: [Double] = []
        values.reserveCapacity(figuresTable.count)
        for collector in ordered {
            values.append(collector.schedule.condition == .up ? 1 : 0)
            values.append(collector.schedule.lastDuration?.inSeconds ?? Staleness.value)
            values.append(Double(head.seriesCount(of: collector.group)))
            values.append(Double(collector.failures))
        }
        return Collection(table: isNew ? figuresTable : nil, values: values)
    }

    private static func ownTable(_ plans: [CollectorPlan]) -> [Labels] {
        plans.flatMap { plan in
            let labels = [Label("collector", plan.name), Label("level", plan.level.rawValue)]
            return [
                Labels("up", labels), Labels("scrape_duration_seconds", labels),
                Labels("scrape_samples_scraped", labels), Labels("scrape_failures_total", labels),
            ]
        }
    }
}
