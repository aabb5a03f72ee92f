package import ConfigAPI
import ConfigCore
package import Runtime
package import Settings
package import Time
import Wire

/// configd: runs the keeper's orders and answers its socket; files and versions are in the hands of the thread `store`.
@Loop package final class Configd: DaemonProgram {
    package nonisolated static let name = "configd"
    /// What it publishes, all of its API.
    package nonisolated static let events = ConfigEvents.all

    /// Runs configd as this process.
    package nonisolated static func run() -> Never { StartUp.run(Configd.self) }

    let context: DaemonContext
    let store: Worker<Custody>
    let watching = Watching()
    private(set) lazy var changes = ChangeQueue(
        store: store, validating: Validating(context, store: store), keeper: { [unowned self] in keeper },
        refusal: { [unowned self] in locking.refusal(of: $0) },
        ended: { [unowned self] requests, changed in self.changed(requests, changed) })
    private lazy var confirming = Confirming(
        context, store: store,
        files: { [unowned self] service in
            services.contains(service) ? declaredFiles(of: service) : nil
        },
        announced: { [unowned self] files in
            Dictionary(
                files.compactMap { file in keeper.announced(of: file.id).map { (file.id, $0) } },
                uniquingKeysWith: { $1 })
        },
        seen: { [unowned self] in saw($0) })
    let locking: Locking
    private lazy var leasing = Leasing(
        context, store: store, changes: changes, file: { [unowned self] id in file(id) })
    private var files: [KeptFile]
    /// The names of all services, with files or without.
    private var services: Set<String>
    var keeper = Keeper()
    /// The flags of every service.
    private(set) var flags: [String: KeptFlags] = [:]
    var staging = Staging()
    private var refusals: Int64 = 0
    private var applied: Int64 = 0
    /// What was last told of files that violate their schemas.
    var toldInvalid: [Keeper.FileID: ConfigInvalid] = [:]
    private static let jobDeadline = ChangeQueue.deadline

    package init(_ context: DaemonContext, settings: AllSettings) throws {
        self.context = context
        files = KeptFile.all(settings)
        services = Set(settings.services.map(\.name))
        flags = Self.flags(settings)
        // A dry run keeps its versions in memory: it changes nothing that outlives it.
        let folder = context.isDryRun ? nil : context.places.state
        let outside = watching.outside
        // Beside the socket: what is there goes with the boot, as locks do.
        let locks = context.isDryRun ? nil : "\(context.places.sockets)/configd"
        let group = context.server.principals.actors
        let beside = context.worker(name: "beside") {}
        store = context.worker(name: "store") {
            try Custody(
                folder: folder, outside: outside(), locks: ProgramLocks(folder: locks, group: group), beside: beside)
        }
        locking = Locking(context, store: store)
        registerReading()
        registerChanging()
        registerDiff()
        registerChecks()
        registerContent()
        confirming.register()
        registerTags()
        registerWatching()
        registerLeases()
        registerLocks()
        registerFlags()
        registerBackup()
        registerSeedBackups()
        context.figures.add("mainstay_config_files", .gauge) { [unowned self] in Double(files.count) }
        context.figures.add("mainstay_config_versions_applied_total", .counter) { [unowned self] in Double(applied) }
        context.figures.add("mainstay_config_changes_refused_total", .counter) { [unowned self] in Double(refusals) }
        context.figures.add("mainstay_config_leased_keys", .gauge) { [unowned self] in Double(leasing.count) }
        context.figures.add("mainstay_config_writes_total", .counter) { [unowned self] in Double(changes.groups) }
        context.figures.add("mainstay_config_changes_written_total", .counter) { [unowned self] in
            Double(changes.requests)
        }
    }

    package func start(started: @escaping @Loop () -> Void) {
        leasing.start()
        perform(keeper.configured(files.map(\.id), now: HostClock.now().instant))
        confirming.start { [self] in
            judge(files)
            // The thread takes jobs in order: when this one ends, every file was looked at, and what was due is back.
            store.submit(deadline: Self.jobDeadline, { _ in }) { _ in started() }
        }
    }

    package func reload(_ settings: AllSettings) {
        files = KeptFile.all(settings)
        services = Set(settings.services.map(\.name))
        flags = Self.flags(settings)
        let ids = files.map(\.id)
        store.submit { $0.outside.keep(only: Set(ids)) }
        perform(keeper.configured(ids, now: HostClock.now().instant))
        leasing.configured(ids)
        confirming.reload()
        toldInvalid = [:]
        judge(files)
    }

    package func tick(now: Moment) -> UInt64 {
        context.enterCore()
        perform(keeper.ticked(now: now.instant))
        staging.ticked(now: now.instant)
        return keeper.handled
    }

    package var own: ConfigStatus {
        ConfigStatus(
            files: files.map(status), pending: confirming.shown, leasedKeys: Int64(leasing.count),
            locks: locking.shown)
    }

    package func stop(stopped: @escaping @Loop () -> Void) {
        // What was begun is ended first.
        let folders = watching.folders
        store.submit(
            deadline: .seconds(4),
            { custody in
                folders.stop()
                // A note that fails is one older.
                try? custody.noteLeases()
                custody.release()
            }, then: { _ in stopped() })
    }

    // MARK: Orders

    func perform(_ actions: [Keeper.Action]) {
        for action in actions {
            switch action {
            case .look(let id): look(id)
            case .announce(let id, let version): announce(version, of: id)
            case .reportTrouble(let id, let condition):
                context.log.write(ConfigJournal.troubled(id, problem(condition, id) ?? "in trouble"))
            case .reportMended(let id): context.log.write(ConfigJournal.mended(id))
            case .reportBlind(let id, let why): context.log.write(ConfigJournal.unwatched(id, why))
            case .reportSighted(let id, let why): context.log.write(ConfigJournal.watched(id, why))
            case .startTimer(let id, let time): startTimer(id, at: time)
            }
        }
    }

    private func look(_ id: Keeper.FileID) {
        guard let file = file(id) else { return }
        countLook()
        let announced = keeper.announced(of: id)
        store.submit(deadline: Self.jobDeadline, { $0.seen(file, announced: announced) }) { [weak self] result in
            self?.looked(id, result)
        }
    }

    private func looked(_ id: Keeper.FileID, _ result: Result<Custody.Seen, any Error>) {
        let now = HostClock.now().instant
        switch result {
        case .success(let seen):
            if seen.cleared { context.log.write(ConfigJournal.repaired(id)) }
            perform(keeper.looked(id, seen.condition, versions: seen.versions, now: now))
            leasing.seen(id, seen.leases)
        case .failure(let error as StepFailure):
            perform(keeper.looked(id, .troubled(error), versions: [], now: now))
        case .failure: keeper.lookFailed(id, now: now)
        }
    }

    private func announce(_ version: Version, of id: Keeper.FileID) {
        let draft = version.draft
        applied += 1
        count(draft.origin)
        context.log.write(ConfigJournal.entry(for: version, of: id))
        let event =
            switch draft.origin {
            case .baseline, .set: ConfigEvents.applied
            case .rollback: ConfigEvents.rolledBack
            case .adopted: ConfigEvents.adopted
            case .restored: ConfigEvents.restored
            case .expired: ConfigEvents.expired
            }
        if draft.origin == .adopted || draft.origin == .rollback { judge(files.filter { $0.id == id }) }
        context.publish(
            event,
            ConfigApplied(
                service: id.service, file: id.path, version: version.number,
                previous: version.number > 1 ? version.number - 1 : nil, origin: draft.origin,
                restored: draft.restored, keys: draft.keys, authorUID: draft.authorUID.map(Int64.init),
                reason: draft.reason))
        confirming.versionAnnounced(of: id.service)
        announceFlags(version, of: id)
    }

    private func status(_ file: KeptFile) -> ConfigFileStatus {
        let condition = keeper.condition(of: file.id) ?? .unknown
        var version: Version?
        var shown = ConfigFileStatus.Condition.unknown
        switch condition {
        case .unknown: break
        case .whole(let head): (shown, version) = (.whole, head)
        case .missing(let head): (shown, version) = (.missing, head)
        case .troubled: shown = .troubled
        }
        return ConfigFileStatus(
            service: file.id.service, file: file.id.path, format: file.format.name, condition: shown,
            version: version?.number ?? 0,
            atMs: version?.draft.at.milliseconds ?? 0, readers: file.readers, problem: problem(condition, file.id))
    }

    private func problem(_ condition: Keeper.Condition, _ id: Keeper.FileID) -> String? {
        switch condition {
        case .unknown, .whole: nil
        case .missing: ConfigErrors.fileMissing(id.path).sentence
        case .troubled(let failure): Refusals.error(failure, path: id.path).sentence
        }
    }

    // MARK: Methods

    private func registerReading() {
        let server = context.server
        server.onLater(Config.Get.self) { [unowned self] params, caller, responder throws(RPCError) in
            let file = try file(params.target)
            ask(responder) { custody throws(RPCError) in
                try custody.entries(
                    file, version: nil, keys: params.keys, cursor: params.cursor, mayAct: caller.mayAct)
            }
        }
        server.onLater(Config.Show.self) { [unowned self] params, caller, responder throws(RPCError) in
            let file = try file(params.target)
            ask(responder) { custody throws(RPCError) in
                try custody.entries(
                    file, version: params.version, keys: nil, cursor: params.cursor, mayAct: caller.mayAct)
            }
        }
        server.onLater(Config.History.self) { [unowned self] params, caller, responder throws(RPCError) in
            let file = try file(params.target)
            ask(responder) { custody throws(RPCError) in
                try custody.history(file, params, mayAct: caller.mayAct)
            }
        }
        server.onLater(Config.State.self) { [unowned self] params, caller, responder throws(RPCError) in
            let file = try file(params)
            let declared = try declaredFlags(of: params.service)
            let own = declaredFiles(of: params.service)
            ask(responder) { custody throws(RPCError) in
                var reply = try custody.state(file, mayAct: caller.mayAct)
                reply.featureFlags = custody.featureFlags(
                    own, service: params.service, declared, mayAct: caller.mayAct)
                return reply
            }
        }
        server.onLater(Config.Validate.self) { [unowned self] params, caller, responder throws(RPCError) in
            try validate(params, caller, responder)
        }
    }

    private func validate(
        _ params: Config.Validate.Params, _ caller: Caller, _ responder: Responder<Config.Validate.Reply>
    ) throws(RPCError) {
        let file = try file(params.target)
        let changes = Custody.changes(params.values, params.remove)
        ask(responder) { custody throws(RPCError) in try custody.validate(changes, file, mayAct: caller.mayAct) }
    }

    private func registerChanging() {
        let server = context.server
        server.onLater(Config.Set.self) { [unowned self] params, caller, responder throws(RPCError) in
            try set(params, caller, responder)
        }
        server.onLater(Config.Rollback.self, alsoNamed: [Config.rollbackConfigName]) {
            [unowned self] params, caller, responder throws(RPCError) in
            var terms = Custody.Terms(
                authorUID: caller.uid, reason: params.reason, force: params.force, dryRun: context.isDryRun,
                lock: params.lock)
            let goal = params.tag.map(Custody.Goal.tag) ?? params.version.map(Custody.Goal.version) ?? .previous
            let part = Custody.Part(
                kept: try file(params.target), work: .rollback(to: goal), ifVersion: params.ifVersion)
            terms.trial = Confirming.terms(params.confirmMs, [part])
            change(Custody.Request(terms: terms, parts: [part]), responder)
        }
        server.onLater(Config.Apply.self) { [unowned self] params, caller, responder throws(RPCError) in
            try apply(params, caller, responder)
        }
    }

    private func set(
        _ params: Config.Set.Params, _ caller: Caller, _ responder: Responder<Config.Outcome>
    ) throws(RPCError) {
        var terms = Custody.Terms(
            authorUID: caller.uid, reason: params.reason, force: params.force,
            dryRun: params.dryRun || context.isDryRun, lock: params.lock)
        terms.lease = params.forMs.map { .milliseconds($0) }
        let part = Custody.Part(
            kept: try file(params.target), work: .edit(Custody.changes(params.values, params.remove)),
            ifVersion: params.ifVersion)
        terms.trial = Confirming.terms(params.confirmMs, [part])
        change(Custody.Request(terms: terms, parts: [part]), responder)
    }

    private func apply(
        _ params: Config.Apply.Params, _ caller: Caller, _ responder: Responder<Config.Apply.Reply>
    ) throws(RPCError) {
        var terms = Custody.Terms(
            authorUID: caller.uid, reason: params.reason, force: params.force,
            dryRun: params.dryRun || context.isDryRun, lock: params.lock)
        var parts: [Custody.Part] = []
        for change in params.changes {
            let kept = try file(ConfigFile(service: params.service, file: change.file))
            guard !parts.contains(where: { $0.kept.id == kept.id }) else {
                throw ConfigErrors.fileNamedTwice(kept.id.path)
            }
            let isWhole = change.content != nil || change.staged != nil
            let work: Custody.Work =
                isWhole
                ? .replace(try whole(change.content, change.staged, caller, kept))
                : .edit(Custody.changes(change.values, change.remove))
            parts.append(Custody.Part(kept: kept, work: work, ifVersion: change.ifVersion))
        }
        terms.trial = Confirming.terms(params.confirmMs, parts)
        changes.ask(Custody.Request(terms: terms, parts: parts)) { result in
            responder.give(result.map { Config.Apply.Reply(files: $0) })
        }
    }

    /// The files of a service, or all.
    func files(of service: String?) throws(RPCError) -> [KeptFile] {
        guard let service else { return files }
        guard services.contains(service) else { throw .unknownService(service) }
        return declaredFiles(of: service)
    }

    nonisolated private static func flags(_ settings: AllSettings) -> [String: KeptFlags] {
        Dictionary(settings.services.map { ($0.name, KeptFlags($0)) }, uniquingKeysWith: { first, _ in first })
    }

    /// The files of a service, in the settings' order; none where there is no such service.
    func declaredFiles(of service: String) -> [KeptFile] { files.filter { $0.id.service == service } }

    func file(_ id: Keeper.FileID) -> KeptFile? { files.first { $0.id == id } }

    /// The file that a call means.
    func file(_ target: ConfigFile) throws(RPCError) -> KeptFile {
        let own = declaredFiles(of: target.service)
        guard !own.isEmpty || services.contains(target.service) else { throw .unknownService(target.service) }
        let named = own.filter { target.file == nil || $0.id.path == target.file }
        guard named.count == 1 else {
            throw ConfigErrors.unknownFile(
                service: target.service, file: target.file, known: own.map(\.id.path))
        }
        return named[0]
    }

    /// Asks the store thread and answers the call.
    func ask<Reply: WireObject>(
        _ responder: Responder<Reply>, _ question: @escaping @Sendable (Custody) throws(RPCError) -> Reply
    ) {
        ask(question) { responder.give($0) }
    }

    /// Asks the store thread; `then` is told what it answered.
    func ask<Value: Sendable>(
        _ question: @escaping @Sendable (Custody) throws(RPCError) -> Value,
        then: @escaping @Loop @Sendable (Result<Value, RPCError>) -> Void
    ) {
        store.submit(
            deadline: Self.jobDeadline,
            { custody in
                do throws(RPCError) { return Result<Value, RPCError>.success(try question(custody)) } catch {
                    return .failure(error)
                }
            },
            then: { result in
                switch result {
                case .success(let answer): then(answer)
                case .failure(let error): then(.failure(Self.error(error)))
                }
            })
    }

    /// Has the store thread make a change of one file, and answers the call.
    func change(_ request: Custody.Request, _ responder: Responder<Config.Outcome>) {
        changes.ask(request) { result in
            responder.give(
                result.flatMap { files in
                    files.first.map { .success($0) } ?? .failure(.internalError("a change of no file"))
                })
        }
    }

    /// What the store thread did of changes: for the journal and the keeper.
    private func changed(_ requests: [Custody.Request], _ changed: Custody.Changed) {
        for (request, result) in zip(requests, changed.results) {
            guard !request.isOwn, case .failure(let error) = result, let id = request.parts.first?.kept.id else {
                continue
            }
            refusals += 1
            // Who lost a race, or met another program's lock, tries again; that is no news for the journal.
            if !["versionConflict", "lockedByOther"].contains(error.name) {
                context.log.write(ConfigJournal.entry(refusing: error, of: id, uid: request.terms.authorUID))
            }
        }
        saw(changed.seen)
        changed.trials.forEach(confirming.changed)
        changed.doubtfulTrial.map(confirming.doubted)
        leasing.tell(changed.leases)
    }

    /// What a job of the store thread found of files.
    private func saw(_ files: [Keeper.FileID: Custody.Seen]) {
        let now = HostClock.now().instant
        for (id, seen) in files.sorted(by: { $0.key.path < $1.key.path }) {
            if seen.cleared { context.log.write(ConfigJournal.repaired(id)) }
            perform(keeper.changed(id, seen.condition, versions: seen.versions, now: now))
            leasing.seen(id, seen.leases)
        }
    }

    nonisolated static func error(_ error: any Error) -> RPCError {
        switch error {
        case let failure as StepFailure: Refusals.error(failure, path: "the store of versions")
        case WorkerError.full: .limitExceeded("too many changes wait for the disk already")
        default:
            ConfigErrors.versionsUnavailable(
                "the thread store is stuck", remedy: "`status` shows it; look at the disk of /var/lib/mainstay")
        }
    }
}

extension RPCError {
    /// What happened and what to do, for `status` and the journal.
    fileprivate var sentence: String { remedy.isEmpty ? message : "\(message). \(remedy)" }
}
