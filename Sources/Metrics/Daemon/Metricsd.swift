import Files
package import MetricsAPI
import MetricsCore
package import Runtime
package import Settings
package import Time
import Wire

/// metricsd: measures the host, the guarded units, the services' own figures and the suite, each second, keeps them, and answers
/// queries. The decisions are `MetricsMachine`'s; here is what carries them out. Threads: `proc` (the host), `process` (guarded
/// units), `detail` (what may wait for a sick process), `mounts` (statvfs), `scrape` (parsing), `store` (commits), `query` (reads),
/// `remote1`… (receivers of remote write).
@Loop package final class Metricsd: DaemonProgram {
    package nonisolated static let name = "metricsd"
    /// What it publishes, all of its API.
    package nonisolated static let events = MetricsEvents.all

    let context: DaemonContext
    private(set) var machine: MetricsMachine
    private var timers: [TimerID: LoopTimer] = [:]
    private let store: Worker<StoreThread>
    /// What the disk holds, as of the last commit.
    private var stored = SampleStore.State()
    private let collecting: Collecting
    private let queries: Queries
    private let notices: Notices
    private let remotes: RemoteWriting
    private var settings: AllSettings
    private var isRunning = false
    /// Calls that wait for a commit or for a level's rounds; each looks again after every event.
    private var waiting: [@Loop () -> Bool] = []
    private var stopped: (@Loop () -> Void)?

    /// Runs metricsd as this process until it is told to stop.
    package nonisolated static func run() -> Never {
        // Figures are made on the readers' threads, kept by the loop and freed by the store's.
        Heap.useOneArena()
        StartUp.run(Metricsd.self)
    }

    package init(_ context: DaemonContext, settings: AllSettings) throws {
        self.context = context
        self.settings = settings
        machine = MetricsMachine(settings: MetricsMachine.Settings(settings.mainstay.metricsd))
        let folder = StoreFolder(path: context.places.state)
        let limits = SampleStore.Limits(machine.settings.retention)
        store = context.worker(name: "store") { StoreThread(folder, limits) }
        queries = Queries(context)
        collecting = Collecting(context)
        notices = Notices(context)
        remotes = RemoteWriting(context, notices)
        collecting.metricsd = self
        remotes.metricsd = self
        addMethods()
        addFigures()
        context.server.ownerOfService = { [collecting] service in collecting.owners[service] }
    }

    /// Ready at once: what the disk refuses, or has to be waited for, holds up no measuring.
    package func start(started: @escaping @Loop () -> Void) {
        isRunning = true
        collecting.watch(settings)
        handle { machine, now in machine.started(collecting.plans(settings), now: now) }
        remotes.watch(settings.mainstay.metricsd.remoteWrite)
        started()
    }

    package func reload(_ settings: AllSettings) {
        self.settings = settings
        guard isRunning else { return }
        collecting.watch(settings)
        let limits = SampleStore.Limits(MetricsMachine.Settings(settings.mainstay.metricsd).retention)
        store.submit { thread in thread.limits = limits }
        handle { machine, now in
            machine.reconfigured(
                MetricsMachine.Settings(settings.mainstay.metricsd), plans: collecting.plans(settings), now: now)
        }
        remotes.watch(settings.mainstay.metricsd.remoteWrite)
    }

    /// Hands the tick to the machine, and answers how many events it has taken.
    package func tick(now: Moment) -> UInt64 {
        handle { machine, now in machine.ticked(now: now) }
        return machine.eventsTaken
    }

    package var own: MetricsStatus {
        var status = machine.status
        status.remotes = remotes.states
        return status
    }

    package func stop(stopped: @escaping @Loop () -> Void) {
        guard isRunning else { return stopped() }
        isRunning = false
        for timer in timers.values { timer.cancel() }
        timers.removeAll()
        collecting.stop()
        remotes.stop()
        self.stopped = stopped
        handle { machine, now in machine.flushAsked(now: now) }
        finishIfFlushed()
    }

    private func finishIfFlushed() {
        guard let stopped, !machine.isFlushing else { return }
        self.stopped = nil
        store.submit(deadline: .seconds(3)) { thread in
            thread.end()
        } then: { _ in
            stopped()
        }
    }

    // MARK: The store's content

    /// The job itself tells how it went, however late, as a commit's does.
    private func readStore() {
        store.submit(deadline: .seconds(60)) { [weak self] thread in
            let result = Result { try thread.begin() }
            Loop.post { self?.storeRead(result) }
        } then: { [weak self] result in
            if case .failure(let error) = result, !Self.isLate(error) { self?.storeRead(.failure(error)) }
        }
    }

    private func storeRead(_ result: Result<(StoredContent, SampleStore.State), any Error>) {
        guard isRunning else { return }
        switch result {
        case .success(let (content, state)):
            take(state)
            handle { machine, now in
                machine.storeRead(content, now: now)
            }
            if machine.damagedRecords > 0 { notices.recordsLeftOut(machine.damagedRecords) }
        case .failure(let error):
            handle { machine, now in machine.storeNotRead(reason: "\(error)", now: now) }
        }
    }

    /// Before the machine learns of a change: what leaves the head is found in the store at once.
    private func take(_ state: SampleStore.State) {
        stored = state
        queries.segments = state.segments
    }

    /// What is on disk, of the head what is not handed on yet; nil before the store was read.
    func committed(after progress: RemoteProgress?) -> RemoteFeed.Content? {
        guard isRunning, machine.isStoreRead else { return nil }
        return RemoteFeed.Content(
            index: machine.head.index, head: machine.head.committedBlocks(after: progress), segments: stored.segments)
    }

    // MARK: Events and actions

    /// Hands an event to the machine and carries out what it answers.
    func handle(_ event: (inout MetricsMachine, Moment) -> [MetricsMachine.Action]) {
        context.enterCore()
        let actions = event(&machine, HostClock.now())
        for action in actions { perform(action) }
        wake()
    }

    private func perform(_ action: MetricsMachine.Action) {
        switch action {
        case .setTimer(let id, let instant):
            timers[id] = Loop.after(instant - HostClock.now().instant) { [weak self] in self?.fire(id) }
        case .cancelTimer(let id):
            timers.removeValue(forKey: id)?.cancel()
        case .collect(let name, let round):
            collecting.collect(name, round: round)
        case .sendTable(let name):
            collecting.sendTable(name)
        case .readStore:
            readStore()
        case .commit(let batch):
            commit(batch)
        case .listSegments:
            let segments = stored.segments.map(\.stored)
            Loop.post { [weak self] in self?.handle { machine, now in machine.segmentsListed(segments, now: now) } }
        case .drop(let segments):
            drop { store throws(FileFailure) in try store.drop(segments) }
        case .dropOldest:
            drop { store throws(FileFailure) in try store.dropOldest() }
        case .report(let report):
            notices.write(report)
            notices.publish(report)
        }
    }

    private func fire(_ id: TimerID) {
        timers[id] = nil
        guard isRunning else { return }
        handle { machine, now in machine.timerFired(id, now: now) }
    }

    /// The job itself tells how it went, however late: a commit is never taken for lost while it may still succeed.
    private func commit(_ batch: Batch) {
        let sequence = batch.sequence
        let hasBlocks = !batch.sealed.isEmpty
        store.submit(deadline: .seconds(2)) { [weak self] thread in
            let result = Result { try thread.commit(batch) }
            Loop.post {
                self?.committed(sequence, result)
                // When the head has let go of blocks that are on disk.
                if hasBlocks { self?.store.submit { _ in Heap.giveBack() } }
            }
        } then: { [weak self] result in
            if case .failure(let error) = result, !Self.isLate(error) { self?.committed(sequence, .failure(error)) }
        }
    }

    /// Whether a job's own answer is still to come.
    static func isLate(_ error: any Error) -> Bool {
        if case WorkerError.deadlineExceeded = error { true } else { false }
    }

    private func committed(_ sequence: UInt64, _ result: Result<SampleStore.State, any Error>) {
        switch result {
        case .success(let state):
            take(state)
            handle { machine, now in machine.committed(sequence: sequence, now: now) }
        case .failure(let error):
            let isFull = (error as? FileFailure)?.isFull ?? false
            if isFull { stored.isFull = true }
            handle { machine, now in
                machine.commitFailed(sequence: sequence, reason: "\(error)", isFull: isFull, now: now)
            }
        }
        finishIfFlushed()
    }

    private func drop(_ body: @escaping @Sendable (inout SampleStore) throws(FileFailure) -> [SeriesID]) {
        store.submit(deadline: .seconds(30)) { thread in
            try thread.drop(body)
        } then: { [weak self] result in
            guard case .success(let (orphans, state)) = result else { return }
            self?.take(state)
            self?.handle { machine, now in machine.segmentsDropped(lastOf: orphans, now: now) }
        }
    }

    // MARK: Calls that wait

    /// Looks at `isDone` now and after every event until it says true; the caller's own deadline ends it otherwise.
    private func wait(_ isDone: @escaping @Loop () -> Bool) {
        if !isDone() { waiting.append(isDone) }
    }

    private func wake() {
        guard !waiting.isEmpty else { return }
        let looked = waiting
        waiting = []
        let kept = looked.filter { !$0() }
        waiting += kept
    }

    private func addMethods() {
        let server = context.server
        server.onLater(QueryRange.self, alsoNamed: [QueryMetrics.name]) {
            [unowned self] params, _, responder throws(RPCError) in
            let plan = try RangePlan(
                params, now: HostClock.now().wall.milliseconds, patterns: QueryPatterns.compile)
            whenRestored { [unowned self] in
                whenCommitted(to: plan.window.toMs) { [unowned self] in queries.run(plan, machine, responder) }
            }
        }
        server.onLater(Query.self) { [unowned self] params, _, responder throws(RPCError) in
            let plan = try QueryPlan(
                params, now: HostClock.now().wall.milliseconds, patterns: QueryPatterns.compile)
            whenRestored { [unowned self] in
                whenCommitted(to: plan.steps.endMs) { [unowned self] in
                    queries.run(plan, { [unowned self] in machine }, responder)
                }
            }
        }
        server.onLater(ListSeries.self) { [unowned self] params, _, responder in
            whenRestored { [unowned self] in
                do throws(RPCError) {
                    responder.succeed(try machine.listSeries(params, patterns: QueryPatterns.compile))
                } catch {
                    responder.fail(error)
                }
            }
        }
        server.onLater(Exposed.self) { [unowned self] params, _, responder in
            whenRestored { [unowned self] in
                do throws(RPCError) {
                    responder.succeed(try machine.exposition(params, patterns: QueryPatterns.compile))
                } catch {
                    responder.fail(error)
                }
            }
        }
        addStoreMethods()
        server.on(Levels.self) { [unowned self] _, _ in Levels.Reply(collectors: machine.collectorStates) }
        server.onLater(Collect.self) { [unowned self] params, _, responder in
            whenRestored { [unowned self] in
                do throws(RPCError) {
                    try collect(params, responder)
                } catch {
                    responder.fail(error)
                }
            }
        }
        server.on(PushMetrics.self, alsoNamed: [PersistMetrics.name]) { [unowned self] params, _ throws(RPCError) in
            guard settings.service(params.service) != nil else { throw .unknownService(params.service) }
            return try collecting.push(params)
        }
    }

    private func addStoreMethods() {
        let server = context.server
        server.onLater(ExportSamples.self) { [unowned self] params, _, responder throws(RPCError) in
            let plan = try RangePlan(
                QueryRange.Params(
                    selector: params.selector, fromMs: params.fromMs, toMs: params.toMs, cursor: params.cursor),
                now: HostClock.now().wall.milliseconds, patterns: QueryPatterns.compile)
            whenRestored { [unowned self] in
                whenCommitted(to: plan.window.toMs) { [unowned self] in
                    queries.run(plan, machine, params, responder)
                }
            }
        }
        server.onLater(ImportSamples.self) { [unowned self] params, _, responder in
            whenRestored { [unowned self] in importSamples(params, responder) }
        }
        server.onLater(VerifyStore.self) { [unowned self] params, _, responder in queries.verify(params, responder) }
        server.onLater(BackupStore.self) { [unowned self] _, _, responder in
            whenRestored { [unowned self] in backup(responder) }
        }
    }

    /// Runs `body` once what an earlier life measured can be shown, or cannot for now; at once, but for the first moments
    /// of a start.
    private func whenRestored(_ body: @escaping @Loop () -> Void) {
        wait { [unowned self] in
            guard machine.isStoreRead || machine.storeProblem != nil else { return false }
            body()
            return true
        }
    }

    /// Runs `body` once what was measured up to `toMs` is on disk, or a quarter of a second later.
    private func whenCommitted(to toMs: Int64, _ body: @escaping @Loop () -> Void) {
        guard toMs > machine.head.committedToMs ?? 0, !machine.showsUncommitted else { return body() }
        handle { machine, now in machine.flushAsked(now: now) }
        let patience = Patience(for: .milliseconds(250))
        if machine.isFlushing { Loop.after(.milliseconds(251)) { [weak self] in self?.wake() } }
        wait { [unowned self] in
            guard !machine.isFlushing || patience.isOver else { return false }
            body()
            return true
        }
    }

    /// The text is read on the thread `query`: it may be long.
    private func importSamples(_ params: ImportSamples.Params, _ responder: Responder<ImportSamples.Reply>) {
        queries.read(params, responder) { [unowned self] series in
            do throws(RPCError) { try machine.checkImport(series, now: HostClock.now()) } catch {
                return responder.fail(error)
            }
            handle { machine, now in machine.imported(series, now: now) }
            wait { [unowned self] in
                if let problem = machine.storeProblem {
                    responder.fail(MetricsErrors.storeUnavailable(problem))
                    return true
                }
                guard !machine.isFlushing else { return false }
                responder.succeed(
                    ImportSamples.Reply(samples: series.reduce(0) { $0 + $1.run.count }, series: series.count))
                return true
            }
        }
    }

    /// What was measured up to now is in it.
    private func backup(_ responder: Responder<BackupStore.Reply>) {
        whenCommitted(to: HostClock.now().wall.milliseconds) { [unowned self] in
            store.submit(deadline: responder.deadline) { thread in
                try thread.backup()
            } then: { result in
                switch result {
                case .success(let reply): responder.succeed(reply)
                case .failure(let error): responder.fail(MetricsErrors.storeUnavailable("\(error)"))
                }
            }
        }
    }

    private func collect(_ params: Collect.Params, _ responder: Responder<Collect.Reply>) throws(RPCError) {
        try machine.checkCollect(params)
        guard params.cursor == nil else { return responder.succeed(machine.collected(params)) }
        let names = machine.collectors(of: params.level)
        handle { machine, now in machine.collectAsked(params.level, now: now) }
        var isFlushAsked = false
        wait { [unowned self] in
            guard !names.contains(where: { machine.isCollecting($0) }) else { return false }
            if !isFlushAsked {
                isFlushAsked = true
                handle { machine, now in machine.flushAsked(now: now) }
            }
            guard !machine.isFlushing else { return false }
            responder.succeed(machine.collected(params))
            return true
        }
    }

    private func addFigures() {
        let figures = context.figures
        figures.add("mainstay_metrics_series", .gauge) { [weak self] in Double(self?.machine.head.index.count ?? 0) }
        figures.add("mainstay_metrics_live_series", .gauge) { [weak self] in Double(self?.machine.head.liveSeries ?? 0)
        }
        figures.add("mainstay_metrics_head_bytes", .gauge) { [weak self] in Double(self?.machine.head.sizeBytes ?? 0) }
        figures.add("mainstay_metrics_uncommitted_rounds", .gauge) { [weak self] in
            Double(self?.machine.head.uncommittedRounds ?? 0)
        }
        figures.add("mainstay_metrics_commits_total", .counter) { [weak self] in Double(self?.machine.commits ?? 0) }
        figures.add("mainstay_metrics_commit_failures_total", .counter) { [weak self] in
            Double(self?.machine.commitFailures ?? 0)
        }
        figures.add("mainstay_metrics_refused_values_total", .counter) { [weak self] in
            Double(self?.machine.head.refusedValues ?? 0)
        }
        figures.add("mainstay_metrics_refused_samples_total", .counter) { [weak self] in
            Double(self?.machine.refusedSamples ?? 0)
        }
        figures.add("mainstay_metrics_dropped_blocks_total", .counter) { [weak self] in
            Double(self?.machine.head.droppedBlocks ?? 0)
        }
        figures.add("mainstay_metrics_store_bytes", .gauge) { [weak self] in Double(self?.stored.sizeBytes ?? 0) }
        figures.add("mainstay_metrics_reserved_bytes", .gauge) { [weak self] in Double(self?.stored.reservedBytes ?? 0)
        }
        figures.add("mainstay_metrics_disk_full", .gauge) { [weak self] in self?.stored.isFull == true ? 1 : 0 }
        figures.add("mainstay_metrics_store_up", .gauge) { [weak self] in self?.machine.showsUncommitted == true ? 0 : 1
        }
    }
}

/// A wait that ends by itself.
private struct Patience {
    private let end: Instant

    init(for duration: Duration) {
        end = HostClock.now().instant + duration
    }

    var isOver: Bool { HostClock.now().instant >= end }
}

extension MetricsMachine.Settings {
    /// What mainstay.yaml says, in the machine's terms.
    init(_ settings: MetricsdSettings) {
        self.init()
        head.series = settings.maximumSeries
        // A quarter of what a power cut may cost is left for the commit itself.
        commitWait = .milliseconds(settings.flushInterval.milliseconds * 3 / 4)
        retention = Retention(ageMs: settings.retention.time.milliseconds, sizeBytes: settings.retention.size)
    }
}
