import ConfigAPI
import ConfigCore
import Glibc
import Runtime
import Time
import Wire

/// Leases on the loop: has the store thread take back what is due, and tells of them.
@Loop final class Leasing {
    private let context: DaemonContext
    private let store: Worker<Custody>
    private let changes: ChangeQueue
    private let file: (Keeper.FileID) -> KeptFile?
    private var leases = Leases()

    /// `file` is what the settings say of one.
    init(
        _ context: DaemonContext, store: Worker<Custody>, changes: ChangeQueue,
        file: @escaping (Keeper.FileID) -> KeptFile?
    ) {
        self.context = context
        self.store = store
        self.changes = changes
        self.file = file
    }

    /// How many keys are leased.
    var count: Int { leases.count }

    /// Before the first look: what is left of each lease is noted in this boot.
    func start() { store.submit { try $0.noteLeases() } }

    func configured(_ ids: [Keeper.FileID]) { perform(leases.configured(ids, now: HostClock.now().instant)) }

    /// A look or a change found these leases, all of the file.
    func seen(_ id: Keeper.FileID, _ claims: [Leases.Claim]?) {
        guard let claims else { return }
        perform(leases.seen(id, claims, now: HostClock.now().instant))
    }

    /// Leases that ended otherwise than by going back.
    func tell(_ news: [Custody.LeaseNews]) {
        for entry in news.map(ConfigJournal.entry) { context.log.write(entry) }
    }

    private func perform(_ actions: [Leases.Action]) {
        for action in actions {
            switch action {
            case .takeBack(let id, let claims): takeBack(id, claims)
            case .note: store.submit { try $0.noteLeases() }
            case .announce(let id, let claim): announce(id, claim)
            case .setTimer(let id, let time):
                Loop.after(time - HostClock.now().instant) { [weak self] in
                    guard let self else { return }
                    perform(leases.timerFired(id, now: HostClock.now().instant))
                }
            }
        }
    }

    private func takeBack(_ id: Keeper.FileID, _ claims: [Leases.Claim]) {
        guard let kept = file(id) else { return }
        let terms = Custody.Terms(authorUID: getuid(), reason: "their time was over", dryRun: context.isDryRun)
        let part = Custody.Part(kept: kept, work: .takeBack(.ended(claims)))
        changes.ask(Custody.Request(terms: terms, parts: [part])) { [weak self] result in
            guard let self else { return }
            var failure: RPCError?
            if case .failure(let error) = result { failure = error }
            let actions = leases.takeBackEnded(id, failed: failure != nil, now: HostClock.now().instant)
            if let failure, leases.hasBegunToFail(id) {
                context.log.write(ConfigJournal.stuck(claims, of: id, failure))
            }
            perform(actions)
        }
    }

    private func announce(_ id: Keeper.FileID, _ claim: Leases.Claim) {
        let now = HostClock.now()
        let left = claim.endsAt - now.instant
        context.log.write(ConfigJournal.leased(claim, for: left, of: id))
        context.publish(
            ConfigEvents.leased,
            ConfigLeased(
                service: id.service, file: id.path, key: claim.key, version: claim.version,
                authorUID: Int64(claim.authorUID), reason: claim.reason,
                expiresAtMs: now.wall.milliseconds + left.milliseconds))
    }
}

extension Configd {
    /// `leases` and `release`.
    func registerLeases() {
        context.server.onLater(Config.Leases.self) { [unowned self] params, caller, responder throws(RPCError) in
            let files = try self.files(of: params.service)
            ask(responder) { custody throws(RPCError) in
                try custody.shownLeases(of: files, mayAct: caller.mayAct)
            }
        }
        context.server.onLater(Config.Release.self) { [unowned self] params, caller, responder throws(RPCError) in
            let terms = Custody.Terms(
                authorUID: caller.uid, reason: params.reason, dryRun: context.isDryRun, lock: params.lock)
            let part = Custody.Part(kept: try file(params.target), work: .takeBack(.released(params.keys)))
            change(Custody.Request(terms: terms, parts: [part]), responder)
        }
    }
}

extension Custody {
    /// What the values of one reply hold at most: half a frame.
    private static let shownBytes = 512 << 10

    /// `leases`.
    func shownLeases(of files: [KeptFile], mayAct: Bool) throws(RPCError) -> Config.Leases.Reply {
        var reply = Config.Leases.Reply(leases: [])
        var bytes = 0
        for kept in files {
            let (leases, identity) = try answering(kept) { () throws(StepFailure) in
                (try self.leases(of: kept), try GuardedFile(path: kept.id.path).identity)
            }
            let hidden = !(mayAct || identity?.isWorldReadable ?? false)
            for lease in leases {
                bytes += (lease.value?.count ?? 0) + (lease.before?.count ?? 0)
                reply.leases.append(shown(lease, of: kept, hidden: hidden || bytes > Self.shownBytes))
            }
        }
        return reply
    }

    private func shown(_ lease: Lease, of kept: KeptFile, hidden: Bool) -> ConfigLease {
        let now = HostClock.now()
        let left = lease.term.left(now: now, boot: bootOrLife).milliseconds
        let values = hidden ? (nil, nil) : (lease.value, lease.before)
        return ConfigLease(
            service: kept.id.service, file: kept.id.path, key: lease.key, version: lease.version,
            authorUID: Int64(lease.authorUID), reason: lease.reason, grantedAtMs: lease.grantedAt.milliseconds,
            expiresAtMs: now.wall.milliseconds + left, leftMs: left,
            value: values.0.map { kept.format.value(standing: $0) },
            before: values.1.map { kept.format.value(standing: $0) },
            isRemoval: lease.value == nil, wasAbsent: lease.before == nil,
            secret: [lease.value, lease.before].contains { value in
                value.map { kept.format.isSecret(lease.key, standing: $0) } ?? false
            })
    }
}
