import ConfigAPI
package import ConfigEtcdAPI
import ConfigEtcdCore
import Glibc
package import Runtime
package import Settings
package import Time
import Wire

/// configd-etcd: follows a prefix of etcd's and has configd make what it says. It runs the follower's orders and decides nothing.
@Loop package final class ConfigdEtcd: DaemonProgram {
    package nonisolated static let name = "configd-etcd"
    /// Its verdicts stand in etcd and in configd's history; it streams none.
    package nonisolated static let events: [String] = []

    /// Runs configd-etcd as this process.
    package nonisolated static func run() -> Never { StartUp.run(ConfigdEtcd.self) }

    private let context: DaemonContext
    private let store: FollowStore
    private let files: Worker<Void>
    private let configd: Peer
    private var settings: AllSettings
    private var client: EtcdClient
    private var follower: Follower
    /// Counts followers: what comes back for one that is gone is dropped.
    private var life = 0
    private var isStarted = false
    private var isWritingFailing = false
    private var timers: [WorkID: LoopTimer] = [:]
    private var watches: [WorkID: EtcdClient.Stream] = [:]
    /// Since when etcd is followed, or is not.
    private var since = HostClock.now()
    private static let etcdDeadline: Duration = .seconds(3)
    private static let pageDeadline: Duration = .seconds(10)
    /// A change waits for the disk and for whatever judges it.
    private static let changeDeadline: Duration = .seconds(30)
    private static let questionDeadline: Duration = .seconds(5)
    /// Versions that are looked through for a change.
    private static let versionsRead: Int64 = 100

    package init(_ context: DaemonContext, settings: AllSettings) throws {
        try Self.mustFollow(settings, context.places.settings)
        self.context = context
        self.settings = settings
        store = FollowStore(context)
        files = context.worker(name: "files", make: {})
        configd = context.peer("configd")
        client = EtcdClient(settings.mainstay.etcd, files: files)
        follower = Self.follower(settings, [])
        let figures = context.figures
        figures.add("mainstay_etcd_up", .gauge) { [weak self] in self?.follower.stands ?? false ? 1 : 0 }
        figures.add("mainstay_etcd_revision", .gauge) { [weak self] in Double(self?.follower.revision ?? 0) }
        figures.add("mainstay_etcd_revisions_waiting", .gauge) { [weak self] in Double(self?.follower.waiting ?? 0) }
        figures.add("mainstay_etcd_status_unwritten", .gauge) { [weak self] in Double(self?.follower.unwritten ?? 0) }
    }

    private static func mustFollow(_ settings: AllSettings, _ folder: String) throws {
        guard settings.mainstay.etcd.endpoints.isEmpty else { return }
        throw SettingsRefused(problems: [
            SettingsProblem(
                file: "\(folder)/mainstay.yaml", mark: nil, key: "etcd.endpoints",
                message:
                    "expected the members of an etcd cluster, found none: there is nothing to follow. Name them, and the "
                    + "services under etcd.services; or stop mainstay-configd-etcd.service, which nothing else needs")
        ])
    }

    private static func follower(_ settings: AllSettings, _ kept: [KeptFollowing]) -> Follower {
        let etcd = settings.mainstay.etcd
        let services = etcd.services.map { followed in
            FollowedService(
                name: followed.name,
                files: settings.service(followed.name)?.config.files.map(\.path) ?? [], confirm: followed.confirm)
        }
        return Follower(
            FollowerSettings(
                endpoints: max(1, etcd.endpoints.count), prefix: etcd.prefix, statusPrefix: etcd.statusPrefix,
                host: etcd.host ?? ownName(), services: services),
            kept: kept, random: SeededRandom(seed: UInt64.random(in: .min ... .max)))
    }

    private static func ownName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Ready without etcd and without configd: both may be away for long.
    package func start(started: @escaping @Loop () -> Void) {
        store.load { [self] kept in
            follower = Self.follower(settings, kept)
            isStarted = true
            followConfigd()
            perform(follower.started(now: HostClock.now()))
            started()
        }
    }

    private func followConfigd() {
        configd.onChange = { [weak self] answers in
            guard let self, answers else { return }
            perform(follower.configdAnswered(now: HostClock.now()))
        }
        configd.onEvent = { [weak self] event in
            guard let self, case .string(let service)? = event.data["service"] else { return }
            perform(follower.trialTold(of: service))
        }
        // Events were lost: what became of a change on trial is asked for.
        configd.onGap = { [weak self] _ in
            guard let self else { return }
            for service in settings.mainstay.etcd.services { perform(follower.trialTold(of: service.name)) }
        }
        // `rolledBack` too: it tells of the file, the other two of the trial, and whichever comes first is heard.
        configd.follow([ConfigEvents.confirmed, ConfigEvents.takenBack, ConfigEvents.rolledBack])
        configd.start()
    }

    /// A follower of its own for new settings, from what the old one knows.
    package func reload(_ settings: AllSettings) {
        do { try Self.mustFollow(settings, context.places.settings) } catch {
            return context.log.write(.error, "\(error); the settings before stay in force")
        }
        let isSame = Self.shape(settings) == Self.shape(self.settings)
        self.settings = settings
        guard isStarted, !isSame else { return }
        life += 1
        dropEverything()
        client = EtcdClient(settings.mainstay.etcd, files: files)
        follower = Self.follower(settings, follower.allKept)
        since = HostClock.now()
        perform(follower.started(now: since))
    }

    /// What of the settings makes a follower.
    private static func shape(_ settings: AllSettings) -> [AnyHashable] {
        [settings.mainstay.etcd, settings.services.map { [$0.name] + $0.config.files.map(\.path) }]
    }

    private func dropEverything() {
        for timer in timers.values { timer.cancel() }
        for watch in watches.values { watch.cancel() }
        timers = [:]
        watches = [:]
    }

    package func tick(now: Moment) -> UInt64 {
        context.enterCore()
        follower.ticked()
        return follower.eventsTaken
    }

    package var own: EtcdStatus {
        EtcdStatus(
            endpoint: client.names[follower.endpoint], answers: follower.stands, sinceMs: since.wall.milliseconds,
            problem: follower.problem, revision: follower.revision, unwritten: follower.unwritten,
            services: follower.services)
    }

    package func stop(stopped: @escaping @Loop () -> Void) {
        life += 1
        dropEverything()
        store.settled(stopped)
    }

    // MARK: Orders

    /// The one place where decisions become effects.
    private func perform(_ actions: [FollowerAction]) {
        let life = life
        for action in actions {
            switch action {
            case .ask(let id, let endpoint):
                ask(id, endpoint)
            case .list(let id, let endpoint, let last, let revision):
                list(id, endpoint, after: last, revision)
            case .watch(let id, let endpoint, let revision):
                watch(id, endpoint, from: revision)
            case .endWatch(let id):
                watches.removeValue(forKey: id)?.cancel()
            case .write(let id, let endpoint, let writes):
                write(id, endpoint, writes)
            case .change(let id, let params):
                change(id, params)
            case .find(let id, let question):
                find(id, question)
            case .keep(let id, let kept):
                store.keep(kept) { [weak self] in self?.take(life) { $0.kept(id) } }
            case .startTimer(let id, let delay):
                timers[id] = Loop.after(delay) { [weak self] in self?.fired(id) }
            case .tell(let news):
                tell(news)
            }
        }
    }

    /// Hands an event to the follower that asked for it, and carries out what follows.
    private func take(_ life: Int, _ event: (inout Follower) -> [FollowerAction]) {
        guard life == self.life else { return }
        perform(event(&follower))
    }

    private func fired(_ id: WorkID) {
        timers[id] = nil
        perform(follower.timerFired(id, now: HostClock.now()))
    }

    private func tell(_ news: FollowerNews) {
        switch news {
        case .connected, .silent: since = HostClock.now()
        case .applied, .refused, .takenBack, .confirmed, .waiting, .goesOn: break
        }
        context.log.write(EtcdJournal.entry(for: news, members: client.names))
    }

    // MARK: etcd

    private var prefix: [UInt8] { Array(settings.mainstay.etcd.prefix.utf8) }

    private func ask(_ id: WorkID, _ endpoint: Int) {
        client.call("/v3/kv/range", EtcdRequest.head(prefix: prefix), at: endpoint, deadline: Self.etcdDeadline) {
            [weak self, life] result in
            self?.take(life) { $0.headed(id, Self.page(result).map(\.head), now: HostClock.now()) }
        }
    }

    private func list(_ id: WorkID, _ endpoint: Int, after last: [UInt8]?, _ revision: Int64) {
        let body = EtcdRequest.page(prefix: prefix, after: last, revision: revision)
        client.call("/v3/kv/range", body, at: endpoint, deadline: Self.pageDeadline) { [weak self, life] result in
            self?.take(life) { $0.paged(id, Self.page(result), now: HostClock.now()) }
        }
    }

    private nonisolated static func page(_ result: Result<JSON, EtcdFailure>) -> Result<EtcdPage, EtcdFailure> {
        result.flatMap { json in
            do throws(EtcdFailure) { return .success(try EtcdAnswer.page(json)) } catch { return .failure(error) }
        }
    }

    private func watch(_ id: WorkID, _ endpoint: Int, from revision: Int64) {
        let body = EtcdRequest.watch(prefix: prefix, from: revision)
        watches[id] = client.stream("/v3/watch", body, at: endpoint, deadline: Self.etcdDeadline) {
            [weak self, life] json in
            do throws(EtcdFailure) {
                let told = try EtcdAnswer.told(json)
                self?.take(life) { $0.told(id, told, now: HostClock.now()) }
            } catch {
                self?.take(life) { $0.watchEnded(id, error, now: HostClock.now()) }
            }
        } ended: { [weak self, life] failure in
            self?.watches[id] = nil
            self?.take(life) { $0.watchEnded(id, failure, now: HostClock.now()) }
        }
    }

    private func write(_ id: WorkID, _ endpoint: Int, _ writes: [StatusWrite]) {
        if context.isDryRun { return Loop.post { [weak self, life] in self?.take(life) { $0.written(id, true) } } }
        client.call("/v3/kv/txn", EtcdRequest.write(writes), at: endpoint, deadline: Self.etcdDeadline) {
            [weak self, life] result in
            guard let self else { return }
            noteWriting(result)
            take(life) { $0.written(id, (try? result.get()) != nil) }
        }
    }

    /// Tells the first failure and the first success after it: it is tried each second.
    private func noteWriting(_ result: Result<JSON, EtcdFailure>) {
        switch result {
        case .success:
            if isWritingFailing { context.log.write(.notice, "etcd takes status keys again") }
            isWritingFailing = false
        case .failure(let failure):
            if !isWritingFailing { context.log.write(.warning, "etcd does not take status keys: \(failure.message)") }
            isWritingFailing = true
        }
    }

    // MARK: configd

    private func change(_ id: WorkID, _ params: Config.Apply.Params) {
        var params = params
        if context.isDryRun {
            params.dryRun = true
            params.confirmMs = nil
        }
        configd.call(Config.Apply.self, params, deadline: Self.changeDeadline) { [weak self, life] result in
            // From a later turn of the loop: a call that cannot even be sent is answered at once, inside `perform`.
            Loop.post { [weak self] in self?.take(life) { $0.changed(id, result, now: HostClock.now()) } }
        }
    }

    private func find(_ id: WorkID, _ question: Question) {
        let give: @Loop @Sendable (Result<Findings, RPCError>) -> Void = { [weak self, life] result in
            Loop.post { [weak self] in self?.take(life) { $0.found(id, result, now: HostClock.now()) } }
        }
        let history = Config.History.Params(
            target: ConfigFile(service: question.service, file: question.file), limit: Self.versionsRead)
        // First what is on trial, then the history: a change that ends in between is in the history by then.
        configd.call(
            Config.Pending.self, .init(service: question.service), deadline: Self.questionDeadline
        ) { [weak self] pending in
            switch pending {
            case .failure(let error): give(.failure(error))
            case .success(let reply):
                self?.configd.call(Config.History.self, history, deadline: Self.questionDeadline) { versions in
                    give(versions.map { Findings(versions: $0.versions, pending: reply.pending) })
                }
            }
        }
    }
}
