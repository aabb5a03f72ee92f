import Files
import MetricsAPI
import MetricsCore
import NIOCore
import Runtime
import Settings
import Time
import Wire

/// Carries out rounds: each kind of collector has its thread or its connection, so that none can hold up another.
@Loop final class Collecting {
    /// Who measures a collector.
    private enum Source {
        case host
        case processes
        case groups
        case detail
        case devices
        case seldom
        case units
        case filesystems
        /// How collecting itself goes.
        case collectors
        case pushed
        /// metricsd's own figures.
        case own
        case peer(Peer)
        case scrape(Scraper)
        case server(ServerTarget)
        /// Whether the servers answer.
        case servers
    }

    /// What one thread measures in turn; if one of them hangs, the other is late too.
    private struct SlowReaders {
        var devices = DeviceReader()
        var seldom = SeldomReader()
    }

    weak var metricsd: Metricsd?
    /// The user that each guarded service runs as.
    private(set) var owners: [String: UInt32] = [:]

    private let context: DaemonContext
    private let host: Worker<SystemReader>
    private let processes: Worker<ProcessReader>
    private let detail: Worker<DetailReader>
    private let devices: Worker<SlowReaders>
    private let mounts: Worker<FilesystemReader>
    private let unitStates = UnitReader()
    private let parsers: Worker<[String: ScrapeParser]>
    private let servers: Servers
    private var sources: [String: Source] = [:]
    private var deadlines: [String: Duration] = [:]
    /// Collectors whose next round must bring its table.
    private var tables: Set<String> = []
    /// The generation of each peer's table that the head has.
    private var generations: [String: Int64] = [:]
    /// Rounds in which a peer gave nothing, since it last answered.
    private var silentRounds: [String: Int] = [:]
    private var units: [WatchedUnit] = []
    private var board = PushBoard()
    private var interval: Duration = .seconds(1)
    private var search: LoopRepeat?

    /// How often new sockets are looked for.
    private static let searchInterval: Duration = .seconds(5)
    /// Rounds until a silent peer is asked more seldom: once in so many.
    private static let patience = 10
    /// How long a peer's answer, or a thread's round, may take at an interval of a second.
    private static let deadline: Duration = .milliseconds(500)

    init(_ context: DaemonContext) {
        self.context = context
        host = context.worker(name: "proc") { SystemReader() }
        processes = context.worker(name: "process") { ProcessReader() }
        detail = context.worker(name: "detail") { DetailReader() }
        devices = context.worker(name: "devices") { SlowReaders() }
        mounts = context.worker(name: "mounts") { FilesystemReader() }
        parsers = context.worker(name: "scrape") { [:] }
        servers = Servers(context)
    }

    // MARK: Which collectors there are

    /// Takes the guarded units from the settings, and looks for peers from now on.
    func watch(_ settings: AllSettings) {
        units = settings.services.map { WatchedUnit(service: $0.name, unit: $0.unit) }
        interval = settings.mainstay.metricsd.interval
        search?.cancel()
        search = Loop.every(Self.searchInterval) { [weak self] in self?.searchPeers() }
        searchPeers()
    }

    func stop() {
        search?.cancel()
        search = nil
        unitStates.stop()
    }

    /// The collectors that the settings ask for, and the peers found so far.
    func plans(_ settings: AllSettings) -> [CollectorPlan] {
        let own = settings.mainstay.metricsd
        let deadline = min(Self.deadline, interval / 2)
        var plans: [CollectorPlan] = []
        func plan(_ name: String, _ level: Level, _ source: Source, every: Duration, within: Duration) {
            sources[name] = source
            deadlines[name] = within
            plans.append(CollectorPlan(name: name, level: level, interval: every, deadline: within))
        }
        let kept = sources.filter { if case .peer = $0.value { true } else { false } }
        sources = kept
        plan("system", .system, .host, every: interval, within: deadline)
        plan("process", .process, .processes, every: interval, within: deadline)
        plan("container", .container, .groups, every: interval, within: deadline)
        plan("collectors", .suite, .collectors, every: interval, within: deadline)
        plan("own", .suite, .own, every: interval, within: deadline)
        plan("pushed", .application, .pushed, every: interval, within: deadline)
        plan("filesystem", .system, .filesystems, every: max(interval, .seconds(5)), within: .seconds(2))
        plan("devices", .system, .devices, every: max(interval, .seconds(15)), within: .seconds(2))
        plan("seldom", .system, .seldom, every: max(interval, .seconds(15)), within: .seconds(2))
        plan("units", .system, .units, every: max(interval, .seconds(15)), within: .seconds(3))
        plan("detail", .process, .detail, every: own.detailInterval, within: min(own.detailInterval, .seconds(10)))
        for service in settings.services {
            guard let scrape = service.metrics else { continue }
            let scraper = Scraper(
                service: service.name, place: scrape.scrape, timeout: scrape.timeout, parsers: parsers)
            // The collector's own deadline comes after the scraper's, so that the reason is the scraper's.
            plan(
                "scrape:\(service.name)", .application, .scrape(scraper), every: scrape.interval,
                within: scrape.timeout + .milliseconds(200))
        }
        let targets = ServerTarget.all(settings)
        servers.watch(targets)
        for target in targets {
            plan(
                target.collector, .infrastructure, .server(target), every: target.interval,
                within: target.timeout + Servers.grace)
        }
        if !targets.isEmpty {
            plan("servers", .infrastructure, .servers, every: interval, within: deadline)
        }
        return plans + kept.keys.sorted().map { peerPlan($0) }
    }

    private func peerPlan(_ name: String) -> CollectorPlan {
        let deadline = min(Self.deadline, interval / 2)
        deadlines[name] = deadline
        return CollectorPlan(name: name, level: .suite, interval: interval, deadline: deadline + .milliseconds(100))
    }

    /// Every socket in the folder is a daemon that answers `metrics`; so none has to be named here.
    private func searchPeers() {
        let folder = context.places.sockets
        host.submit(deadline: .seconds(2)) { _ in
            (Contents.ofFolder(folder) ?? []).filter { $0.hasSuffix(".sock") }.map { String($0.dropLast(5)) }
        } then: { [weak self] result in
            guard case .success(let names) = result else { return }
            for name in names.sorted() { self?.found(name) }
        }
    }

    private func found(_ daemon: String) {
        let name = "peer:\(daemon)"
        guard daemon != context.name, sources[name] == nil, search != nil else { return }
        sources[name] = .peer(context.peer(daemon))
        let plan = peerPlan(name)
        metricsd?.handle { machine, now in machine.collectorAdded(plan, now: now) }
    }

    // MARK: Rounds

    func sendTable(_ name: String) { tables.insert(name) }

    func push(_ params: PushMetrics.Params) throws(RPCError) -> PushMetrics.Reply {
        PushMetrics.Reply(taken: try board.push(params, now: HostClock.now().instant))
    }

    func collect(_ name: String, round: UInt64) {
        let withTable = tables.remove(name) != nil
        let deadline = deadlines[name] ?? Self.deadline
        let units = units
        switch sources[name] {
        case .host:
            let seconds = Double(HostClock.now().wall.milliseconds) / 1000
            run(host, name, round, deadline) { $0.measure(wallSeconds: seconds, withTable: withTable) }
        case .processes:
            measureProcesses(name, round, deadline, withTable: withTable)
        case .groups:
            run(processes, name, round, deadline) { $0.measureGroups(units, withTable: withTable) }
        case .detail:
            run(detail, name, round, deadline) { $0.measure(units, withTable: withTable) }
        case .devices:
            run(devices, name, round, deadline) { $0.devices.measure(withTable: withTable) }
        case .seldom:
            run(devices, name, round, deadline) { $0.seldom.measure(withTable: withTable) }
        case .units:
            unitStates.measure(units, withTable: withTable) { [weak self] in self?.finish(name, round, $0) }
        case .filesystems:
            run(mounts, name, round, deadline) { $0.measure(withTable: withTable) }
        case .collectors:
            metricsd?.handle { machine, now in
                let figures = machine.ownFigures(withTable: withTable)
                return machine.collected(name, round: round, figures, now: now)
            }
        case .pushed:
            finish(name, round, .success(board.round(withTable: withTable, now: HostClock.now().instant)))
        case .own:
            take(
                context.figures.reply(known: generation(name, withTable), now: HostClock.now()), of: name, context.name,
                round)
        case .peer(let peer):
            ask(peer, name, round, deadline, known: generation(name, withTable))
        case .scrape(let scraper):
            scraper.scrape(withTable: withTable) { [weak self] result in self?.finish(name, round, result) }
        case .server(let target):
            servers.measure(target, withTable: withTable) { [weak self] in self?.finish(name, round, $0) }
        case .servers:
            guard let metricsd else { return }
            let figures = servers.health(withTable: withTable) { metricsd.machine.answered($0) }
            finish(name, round, .success(figures))
        case nil:
            finish(name, round, .failure(CollectingError.noSource))
        }
    }

    private enum CollectingError: Error, CustomStringConvertible {
        case noSource
        case silent
        case refused(RPCError)
        case notANumber(String)

        var description: String {
            switch self {
            case .noSource: "nothing measures it any more"
            case .silent: "still silent"
            case .refused(let error): error.message
            case .notANumber(let text): "a figure is no number: \(text.prefix(50))"
            }
        }
    }

    /// Measures on a thread. The job itself tells how it went, however late: until then the thread counts as taken.
    private func run<Reader>(
        _ worker: Worker<Reader>, _ name: String, _ round: UInt64, _ deadline: Duration,
        _ measure: @escaping @Sendable (inout Reader) throws -> Collection
    ) {
        worker.submit(deadline: deadline) { [weak self] reader in
            let result = Result { try measure(&reader) }
            Loop.post { self?.finish(name, round, result) }
        } then: { [weak self] result in
            if case .failure(let error) = result, !Metricsd.isLate(error) { self?.finish(name, round, .failure(error)) }
        }
    }

    private func measureProcesses(_ name: String, _ round: UInt64, _ deadline: Duration, withTable: Bool) {
        let units = units
        run(processes, name, round, deadline) { [weak self] reader in
            let measured = reader.measure(units, withTable: withTable)
            let owners = measured.owners
            Loop.post { self?.owners = owners }
            return measured.collection
        }
    }

    private func finish(_ name: String, _ round: UInt64, _ result: Result<Collection, any Error>) {
        metricsd?.handle { machine, now in
            switch result {
            case .success(let collection): machine.collected(name, round: round, collection, now: now)
            case .failure(let error): machine.failed(name, round: round, reason: "\(error)", now: now)
            }
        }
    }

    // MARK: The suite's own figures

    private func generation(_ name: String, _ withTable: Bool) -> Int64 { withTable ? 0 : generations[name] ?? 0 }

    private func ask(_ peer: Peer, _ name: String, _ round: UInt64, _ deadline: Duration, known: Int64) {
        let silent = silentRounds[name, default: 0]
        guard peer.answers || silent < Self.patience || silent % Self.patience == 0 else {
            // A stopped peer reads nothing: calls that pile up in its socket would be memory of ours.
            silentRounds[name] = silent + 1
            peer.connectOnce { _ in }
            return finish(name, round, .failure(CollectingError.silent))
        }
        peer.call(Common.Metrics.self, .init(generation: known), deadline: deadline) { [weak self] result in
            switch result {
            case .success(let reply):
                self?.silentRounds[name] = nil
                self?.take(reply, of: name, peer.daemon, round)
            case .failure(let error):
                self?.silentRounds[name, default: 0] += 1
                // Not connected, or no more: the next attempt finds a connection, if there is one to be had.
                peer.connectOnce { _ in }
                self?.finish(name, round, .failure(CollectingError.refused(error)))
            }
        }
    }

    private func take(_ reply: Common.Metrics.Reply, of name: String, _ daemon: String, _ round: UInt64) {
        generations[name] = reply.generation
        let table = reply.series?.map { series in
            Labels(name: series.name, map: series.labels).adding("daemon", daemon).adding("job", "mainstay")
        }
        var values: [Double] = []
        values.reserveCapacity(reply.values.count)
        for text in reply.values {
            guard let value = SampleValue.number(text) else {
                return finish(name, round, .failure(CollectingError.notANumber(text)))
            }
            values.append(value)
        }
        finish(name, round, .success(Collection(table: table, values: values)))
    }
}
