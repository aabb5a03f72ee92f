import ConfigAPI
import ConfigEtcdAPI
import Testing
import Time
import Wire

@testable import ConfigEtcdCore

/// A follower with an etcd and a configd of a few lines, which answer at once unless a test holds them back.
struct FollowerRig {
    static let file = "/etc/gateway/.env"
    var follower: Follower
    var now = Moment(instant: .zero, wall: WallTime(milliseconds: 1_000_000))
    /// Everything that was ordered.
    private(set) var orders: [FollowerAction] = []
    private var open: [FollowerAction] = []
    private var undone: [FollowerAction] = []
    private var isCarryingOut = false

    // What etcd holds.
    var cluster = "c1"
    var revision: Int64 = 1
    var pairs: [String: (value: String, revision: Int64)] = [:]
    var statusKeys: [String: String] = [:]
    var etcdIsAway = false
    /// The watch that is open.
    private(set) var watch: WorkID?

    // What configd holds.
    var environment: [String: String] = [:]
    var versions: [(number: Int64, reason: String, origin: ConfigOrigin, restored: Int64?)] = []
    var pending: [ConfigPending] = []
    /// Refuses a change that sets this value.
    var badValue = "bad"
    /// Answers every call with this instead.
    var configdError: RPCError?
    /// Answers dry runs, but refuses the change itself.
    var realError: RPCError?
    /// How long a dry run takes.
    var dryRunTakes: Duration = .zero
    private(set) var dryRuns = 0
    private(set) var changes: [Config.Apply.Params] = []
    private(set) var kept: [KeptFollowing] = []
    /// What was kept right before each change.
    private(set) var intents: [KeptFollowing] = []

    init(kept: [KeptFollowing] = [], confirm: Duration? = nil, endpoints: Int = 1) {
        let settings = FollowerSettings(
            endpoints: endpoints, prefix: "/m/", statusPrefix: "/s/", host: "h",
            services: [FollowedService(name: "gateway", files: [Self.file], confirm: confirm)])
        follower = Follower(settings, kept: kept, random: SeededRandom(seed: 1))
    }

    // MARK: Steps

    mutating func start() { take(follower.started(now: now)) }

    /// Puts keys of the service in one transaction, and tells the watch; nil deletes.
    mutating func put(_ values: [(String, String?)], telling: Bool = true) {
        revision += 1
        for (key, value) in values {
            let full = "/m/gateway/env/\(key)"
            pairs[full] = value.map { ($0, revision) }
        }
        let changes = values.map {
            EtcdRevision.Change(key: Array("/m/gateway/env/\($0.0)".utf8), value: $0.1.map { Array($0.utf8) })
        }
        if telling { tell([EtcdRevision(number: revision, changes: changes)]) }
    }

    /// Tells the watch.
    mutating func tell(_ revisions: [EtcdRevision]) {
        guard let watch else { return }
        take(follower.told(watch, .revisions(revisions, head), now: now))
    }

    mutating func endWatch(compacted: Bool) {
        guard let id = watch else { return }
        watch = nil
        take(follower.told(id, .ended(compacted: compacted, "ended"), now: now))
    }

    mutating func breakWatch() {
        guard let id = watch else { return }
        watch = nil
        take(follower.watchEnded(id, EtcdFailure("closed"), now: now))
    }

    /// Moves on, and fires the timers that are open.
    mutating func pass(_ duration: Duration) {
        now = now.advanced(by: duration)
        let timers = open
        open = []
        for case .startTimer(let id, let delay) in timers {
            if delay <= duration {
                take(follower.timerFired(id, now: now))
            } else {
                open.append(.startTimer(id, after: delay - duration))
            }
        }
    }

    mutating func trialTold() { take(follower.trialTold(of: "gateway")) }
    mutating func configdAnswered() { take(follower.configdAnswered(now: now)) }

    var head: EtcdHead { EtcdHead(cluster: cluster, revision: revision) }
    var status: EtcdServiceStatus? { follower.services.first }
    /// What stands under `refused/REVISION`.
    func refusal(_ revision: Int64) throws -> EtcdRefusal {
        let text = try #require(statusKeys["/s/gateway/h/refused/\(revision)"])
        return try EtcdRefusal(wire: try JSONReader.read(text))
    }
    func written() throws -> EtcdServiceStatus {
        try EtcdServiceStatus(wire: try JSONReader.read(try #require(statusKeys["/s/gateway/h"])))
    }
    var listings: Int { orders.count { if case .list = $0 { true } else { false } } }
    var watchesFrom: [Int64] { orders.compactMap { if case .watch(_, _, let from) = $0 { from } else { nil } } }
    func told(_ matches: (FollowerNews) -> Bool) -> Int {
        orders.count { if case .tell(let news) = $0 { matches(news) } else { false } }
    }

    // MARK: The world's answers

    /// In turn, not one inside the other: a thousand answers would be a thousand calls deep.
    private mutating func take(_ actions: [FollowerAction]) {
        orders += actions
        undone += actions
        guard !isCarryingOut else { return }
        isCarryingOut = true
        while !undone.isEmpty {
            let some = undone
            undone = []
            for action in some { carryOut(action) }
        }
        isCarryingOut = false
    }

    private mutating func carryOut(_ action: FollowerAction) {
        switch action {
        case .ask(let id, _):
            take(follower.headed(id, etcdIsAway ? .failure(EtcdFailure("no answer")) : .success(head), now: now))
        case .list(let id, _, let last, let at):
            #expect(at == revision)
            let sorted = pairs.sorted { $0.key < $1.key }.filter {
                last.map { String(decoding: $0, as: UTF8.self) } ?? "" < $0.key
            }
            let page = sorted.prefix(3).map {
                EtcdPair(key: Array($0.key.utf8), value: Array($0.value.value.utf8), revision: $0.value.revision)
            }
            take(follower.paged(id, .success(EtcdPage(head: head, pairs: page, hasMore: sorted.count > 3)), now: now))
        case .watch(let id, _, _):
            watch = id
            take(follower.told(id, .opened(head), now: now))
        case .endWatch(let id): if watch == id { watch = nil }
        case .write(let id, _, let writes):
            guard !etcdIsAway else { return take(follower.written(id, false)) }
            for write in writes {
                statusKeys[String(decoding: write.key, as: UTF8.self)] = write.value.map {
                    String(decoding: $0, as: UTF8.self)
                }
            }
            take(follower.written(id, true))
        case .change(let id, let params): take(follower.changed(id, answer(params), now: now))
        case .find(let id, _):
            if let configdError { return take(follower.found(id, .failure(configdError), now: now)) }
            take(follower.found(id, .success(Findings(versions: shownVersions, pending: pending)), now: now))
        case .keep(let id, let row):
            kept = [row]
            if row.intent != nil { intents.append(row) }
            take(follower.kept(id))
        case .startTimer: open.append(action)
        case .tell: break
        }
    }

    private var shownVersions: [ConfigVersion] {
        versions.reversed().map {
            ConfigVersion(
                version: $0.number, origin: $0.origin, restored: $0.restored, atMs: 0, authorUID: 0, reason: $0.reason,
                sizeBytes: 0, keys: [], fingerprint: "", checksum: nil)
        }
    }

    private mutating func answer(_ params: Config.Apply.Params) -> Result<Config.Apply.Reply, RPCError> {
        if let configdError { return .failure(configdError) }
        let change = params.changes[0]
        for key in change.remove where environment[key] == nil { return .failure(ConfigErrors.unknownKey(key)) }
        for (key, value) in change.values where value == .text(badValue) {
            return .failure(ConfigErrors.unwritable(key: key, reader: "sh", wouldRead: nil))
        }
        if params.dryRun {
            dryRuns += 1
            now = now.advanced(by: dryRunTakes)
        } else {
            if let realError { return .failure(realError) }
            changes.append(params)
        }
        let version = versions.last?.number ?? 1
        var outcome = Config.Outcome(
            service: "gateway", file: Self.file, version: version, previous: nil, keys: [], dryRun: params.dryRun)
        guard !params.dryRun else { return .success(Config.Apply.Reply(files: [outcome])) }
        for (key, value) in change.values { environment[key] = String(decoding: value.content, as: UTF8.self) }
        for key in change.remove { environment[key] = nil }
        outcome.version = version + 1
        outcome.previous = version
        versions.append((version + 1, params.reason, .set, nil))
        if params.confirmMs != nil {
            outcome.pending = version + 1
            pending = [onTrial(version + 1, params.reason, .applied)]
        }
        return .success(Config.Apply.Reply(files: [outcome]))
    }

    func onTrial(_ version: Int64, _ reason: String, _ phase: ConfigPending.Phase, _ end: PendingEnd? = nil)
        -> ConfigPending
    {
        ConfigPending(
            id: version, service: "gateway",
            files: [ConfigPending.File(file: Self.file, version: version, previous: version - 1)], phase: phase,
            activation: .restart, wantsActivation: false, windowMs: 60_000, leftMs: 1, atMs: 0, sinceMs: 0,
            authorUID: 0,
            reason: reason, end: end)
    }
}
