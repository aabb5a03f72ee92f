import ConfigAPI
import ConfigCore
import Runtime
import Systemd
import Time
import Wire

/// What configd counts of changes by somebody else, and how the threads that see them reach the loop.
@Loop final class Watching {
    /// Set once configd is made.
    var onFolders: ([FolderWatch.News]) -> Void = { _ in }
    var onQuarantine: (OutsideWatch.News) -> Void = { _ in }
    private(set) lazy var folders = FolderWatch { [weak self] news in Loop.post { self?.onFolders(news) } }

    var notices: Int64 = 0
    var looks: Int64 = 0
    var setAside: Int64 = 0
    var adopted: Int64 = 0
    var restored: Int64 = 0

    /// What the store thread takes along.
    var outside: @Sendable () -> OutsideWatch {
        let folders = folders
        return { [weak self] in
            OutsideWatch(folders: folders) { news in Loop.post { self?.onQuarantine(news) } }
        }
    }
}

/// Changes by somebody else: what is noticed of them, and the methods of the quarantine.
extension Configd {
    func registerWatching() {
        watching.onFolders = { [weak self] in self?.told($0) }
        watching.onQuarantine = { [weak self] in self?.told($0) }
        registerQuarantine()
        let figures = context.figures
        let watching = watching
        figures.add("mainstay_config_notices_total", .counter) { Double(watching.notices) }
        figures.add("mainstay_config_looks_total", .counter) { Double(watching.looks) }
        figures.add("mainstay_config_outside_changes_adopted_total", .counter) { Double(watching.adopted) }
        figures.add("mainstay_config_quarantined_total", .counter) { Double(watching.setAside) }
        figures.add("mainstay_config_restored_total", .counter) { Double(watching.restored) }
        figures.add("mainstay_config_unwatched_files", .gauge) { [unowned self] in Double(keeper.blindCount) }
        if let thread = watching.folders.thread {
            context.watchThread { now in
                let load = thread.load
                let busy = load.busySince.map { now - $0 } ?? .zero
                return ThreadState(
                    name: "watch", stuck: busy > .seconds(10), waiting: load.waiting, busyMs: busy.milliseconds)
            }
        }
    }

    private func registerQuarantine() {
        let server = context.server
        server.onLater(Config.Quarantine.self) { [unowned self] params, caller, responder throws(RPCError) in
            let file = try file(params)
            ask(responder) { custody throws(RPCError) in try custody.quarantine(file, mayAct: caller.mayAct) }
        }
        server.onLater(Config.Quarantined.self) { [unowned self] params, _, responder throws(RPCError) in
            let file = try file(params.target)
            ask(responder) { custody throws(RPCError) in try custody.quarantined(file, params) }
        }
        server.onLater(Config.Adopt.self) { [unowned self] params, caller, responder throws(RPCError) in
            try adopt(params, caller, responder)
        }
        server.onLater(Config.Discard.self) { [unowned self] params, caller, responder throws(RPCError) in
            try discard(params, caller, responder)
        }
    }

    /// Finds the content, makes it a version, and notes that with it.
    private func adopt(
        _ params: Config.Adopt.Params, _ caller: Caller, _ responder: Responder<Config.Outcome>
    ) throws(RPCError) {
        let kept = try file(params.target)
        let isDryRun = context.isDryRun
        find(params.quarantine, of: kept) { [weak self] found in
            guard let self else { return }
            switch found {
            case .failure(let error): responder.fail(error)
            case .success(let id):
                let reason = params.reason.isEmpty ? "taken over from the quarantine: \(id)" : params.reason
                let terms = Custody.Terms(
                    authorUID: caller.uid, reason: reason, force: params.force, dryRun: isDryRun,
                    lock: params.lock)
                let part = Custody.Part(kept: kept, work: .adopt(quarantine: id), ifVersion: params.ifVersion)
                changes.ask(Custody.Request(terms: terms, parts: [part])) { [weak self] result in
                    if case .success(let outcomes) = result, let made = outcomes.first, !made.dryRun {
                        self?.store.submit { custody in try custody.note(adopted: made.version, from: id) }
                    }
                    responder.give(
                        result.flatMap { outcomes in
                            outcomes.first.map { .success($0) } ?? .failure(.internalError("a change of no file"))
                        })
                }
            }
        }
    }

    private func find(
        _ id: Int64?, of kept: KeptFile, then: @escaping @Loop @Sendable (Result<Int64, RPCError>) -> Void
    ) {
        store.submit(
            deadline: ChangeQueue.deadline,
            { custody in
                do throws(RPCError) {
                    let found = try custody.held(id, kept).entry.id
                    custody.outside.pardon(kept.id)
                    return Result<Int64, RPCError>.success(found)
                } catch { return .failure(error) }
            },
            then: { result in
                switch result {
                case .success(let found): then(found)
                case .failure(let error): then(.failure(Self.error(error)))
                }
            })
    }

    // MARK: News

    private func told(_ news: [FolderWatch.News]) {
        let now = HostClock.now().instant
        for one in news {
            switch one {
            case .noticed(let ids):
                watching.notices += 1
                perform(keeper.noticed(ids, now: now))
            case .blinded(let id, let why): perform(keeper.blinded(id, why, now: now))
            case .sighted(let id): perform(keeper.sighted(id))
            }
        }
    }

    private func told(_ news: OutsideWatch.News) {
        switch news {
        case .setAside(let entry, let dropped):
            watching.setAside += 1
            context.log.write(ConfigJournal.quarantined(entry))
            if !dropped.isEmpty { context.log.write(ConfigJournal.quarantineDropped(entry, dropped)) }
            context.publish(ConfigEvents.quarantined, entry)
        }
    }

    /// A version was announced that nobody asked for.
    func count(_ origin: ConfigOrigin) {
        if origin == .adopted { watching.adopted += 1 }
        if origin == .restored { watching.restored += 1 }
    }

    func countLook() { watching.looks += 1 }

    /// The keeper's timer: the one that was started last counts.
    func startTimer(_ id: TimerID, at time: Instant) {
        Loop.after(time - HostClock.now().instant) { [weak self] in
            guard let self else { return }
            perform(keeper.timerFired(id, now: HostClock.now().instant))
        }
    }
}
