package import ConfigAPI
package import ConfigEtcdAPI
package import Time
package import Wire

/// What is followed, and what this host is called there.
package struct FollowerSettings: Hashable, Sendable {
    /// How many members the cluster has; the daemon knows their addresses.
    package var endpoints: Int
    package var prefix: String
    package var statusPrefix: String
    package var host: String
    package var services: [FollowedService]

    package init(
        endpoints: Int, prefix: String, statusPrefix: String, host: String, services: [FollowedService]
    ) {
        self.endpoints = endpoints
        self.prefix = prefix
        self.statusPrefix = statusPrefix
        self.host = host
        self.services = services
    }
}

/// configd-etcd's decisions: the line to etcd, a follower for each service, and the board of what is to be written back. Each is
/// a machine of its own; this one brings an event to whom it belongs and hands on what follows. With etcd gone nothing follows:
/// the files stay what they are.
package struct Follower: Hashable, Sendable {
    private let settings: FollowerSettings
    private let keySpace: KeySpace
    private var line: EtcdLine
    private var board = StatusBoard()
    private var followers: [String: ServiceFollower]
    /// Events that were taken, for the keepalive.
    package private(set) var eventsTaken: UInt64 = 0

    /// `kept` is what was kept of services before; of those that are not followed any more nothing is made.
    package init(_ settings: FollowerSettings, kept: [KeptFollowing], random: SeededRandom) {
        self.settings = settings
        keySpace = KeySpace(prefix: settings.prefix, services: settings.services)
        let known = Dictionary(kept.map { ($0.service, $0) }, uniquingKeysWith: { $1 })
        followers = Dictionary(
            settings.services.map { ($0.name, ServiceFollower($0, kept: known[$0.name])) }, uniquingKeysWith: { $1 })
        line = EtcdLine(
            endpoints: settings.endpoints, cursor: Self.cursor(Array(followers.values)), random: random)
    }

    /// From where all services can go on; nil where one of them has never been listed, or another cluster was followed.
    private static func cursor(_ followers: [ServiceFollower]) -> EtcdLine.Cursor? {
        guard let cluster = followers.first?.kept.cluster, !cluster.isEmpty,
            followers.allSatisfy({ !$0.isNew && $0.kept.cluster == cluster }),
            let revision = followers.map(\.kept.decided).min()
        else { return nil }
        return EtcdLine.Cursor(cluster: cluster, revision: revision)
    }

    // MARK: Events

    /// The daemon runs.
    package mutating func started(now: Moment) -> [FollowerAction] {
        eventsTaken += 1
        var actions: [FollowerAction] = []
        for name in followers.keys.sorted() {
            actions += take(followers[name]?.started(now: now) ?? [], of: name)
        }
        return actions + follow(line.started(), now: now)
    }

    /// The daemon's own tick: the loop and this machine live.
    package mutating func ticked() { eventsTaken += 1 }

    /// The answer to `ask`.
    package mutating func headed(
        _ id: WorkID, _ result: Result<EtcdHead, EtcdFailure>, now: Moment
    ) -> [FollowerAction] {
        eventsTaken += 1
        return follow(line.headed(id, result), now: now)
    }

    /// The answer to `list`.
    package mutating func paged(
        _ id: WorkID, _ result: Result<EtcdPage, EtcdFailure>, now: Moment
    ) -> [FollowerAction] {
        eventsTaken += 1
        return follow(line.paged(id, result), now: now)
    }

    /// A line of a watch.
    package mutating func told(_ id: WorkID, _ told: EtcdTold, now: Moment) -> [FollowerAction] {
        eventsTaken += 1
        return follow(line.told(id, told), now: now)
    }

    /// A watch that ended, or was never there.
    package mutating func watchEnded(_ id: WorkID, _ failure: EtcdFailure, now: Moment) -> [FollowerAction] {
        eventsTaken += 1
        return follow(line.watchEnded(id, failure), now: now)
    }

    /// The answer to `write`.
    package mutating func written(_ id: WorkID, _ isDone: Bool) -> [FollowerAction] {
        eventsTaken += 1
        return board.written(id, isDone)
    }

    /// The answer to `change`.
    package mutating func changed(
        _ id: WorkID, _ result: Result<Config.Apply.Reply, RPCError>, now: Moment
    ) -> [FollowerAction] {
        ask(id) { $0.changed(id, result, now: now) }
    }

    /// The answer to a question.
    package mutating func found(
        _ id: WorkID, _ result: Result<Findings, RPCError>, now: Moment
    ) -> [FollowerAction] {
        ask(id) { $0.found(id, result, now: now) }
    }

    /// The disk took what was to be kept, or did not.
    package mutating func kept(_ id: WorkID) -> [FollowerAction] { ask(id) { $0.kept(id) } }

    /// configd tells that a change of `service` was confirmed or went back.
    package mutating func trialTold(of service: String) -> [FollowerAction] {
        eventsTaken += 1
        return take(followers[service]?.trialTold() ?? [], of: service)
    }

    /// configd answers again.
    package mutating func configdAnswered(now: Moment) -> [FollowerAction] {
        eventsTaken += 1
        return followers.keys.sorted().flatMap { name in
            take(followers[name]?.configdAnswered(now: now) ?? [], of: name)
        }
    }

    /// A timer's time has come.
    package mutating func timerFired(_ id: WorkID, now: Moment) -> [FollowerAction] {
        switch id.owner {
        case .line:
            eventsTaken += 1
            return follow(line.timerFired(id), now: now)
        case .board:
            eventsTaken += 1
            return board.timerFired(id)
        case .service: return ask(id) { $0.timerFired(id, now: now) }
        }
    }

    // MARK: State

    /// What is kept of each service, for a follower with other settings.
    package var allKept: [KeptFollowing] { followers.values.map(\.kept) }

    /// The member that is asked.
    package var endpoint: Int { line.endpoint }
    /// Whether etcd is followed.
    package var stands: Bool { line.stands }
    /// Why it is not.
    package var problem: String? { line.problem }
    /// The newest revision that was heard of.
    package var revision: Int64 { line.cursor?.revision ?? 0 }
    /// Status keys that are still to be written.
    package var unwritten: Int { board.count }
    /// Revisions that wait for their round.
    package var waiting: Int { followers.values.reduce(0) { $0 + $1.waitingCount } }
    /// By their names.
    package var services: [EtcdServiceStatus] {
        followers.keys.sorted().compactMap { followers[$0]?.kept.status }
    }

    // MARK: What follows

    private mutating func ask(
        _ id: WorkID, _ event: (inout ServiceFollower) -> [ServiceFollower.Output]
    ) -> [FollowerAction] {
        eventsTaken += 1
        guard case .service(let name) = id.owner, var follower = followers[name] else { return [] }
        let outputs = event(&follower)
        followers[name] = follower
        return take(outputs, of: name)
    }

    private mutating func follow(_ outputs: [EtcdLine.Output], now: Moment) -> [FollowerAction] {
        var actions: [FollowerAction] = []
        for output in outputs {
            switch output {
            case .action(let action): actions.append(action)
            case .turned(let stands): actions += board.lineTurned(stands ? line.endpoint : nil)
            case .listed(let head, let pairs): actions += list(head, pairs, now: now)
            case .told(let revisions): actions += tell(revisions, now: now)
            }
        }
        return actions
    }

    /// Sorts a listing by the revisions that made it.
    private mutating func list(_ head: EtcdHead, _ pairs: [EtcdPair], now: Moment) -> [FollowerAction] {
        var revisions: [Int64: [EtcdRevision.Change]] = [:]
        var there: [String: Set<FileKey>] = [:]
        for pair in pairs {
            revisions[pair.revision, default: []].append(EtcdRevision.Change(key: pair.key, value: pair.value))
            if case .key(let service, let key, _) = keySpace.meaning(of: pair.key) {
                there[service, default: []].insert(key)
            }
        }
        let parts = parts(revisions.sorted { $0.key < $1.key }.map { EtcdRevision(number: $0.key, changes: $0.value) })
        return followers.keys.sorted().flatMap { name in
            take(
                followers[name]?.listed(head, parts[name] ?? [], there[name] ?? [], now: now) ?? [], of: name)
        }
    }

    private mutating func tell(_ revisions: [EtcdRevision], now: Moment) -> [FollowerAction] {
        let parts = parts(revisions)
        return parts.keys.sorted().flatMap { name in
            take(followers[name]?.told(parts[name] ?? [], now: now) ?? [], of: name)
        }
    }

    private func parts(_ revisions: [EtcdRevision]) -> [String: [ServiceRevision]] {
        var parts: [String: [ServiceRevision]] = [:]
        for revision in revisions {
            for (service, part) in keySpace.parts(of: revision) { parts[service, default: []].append(part) }
        }
        return parts
    }

    private mutating func take(_ outputs: [ServiceFollower.Output], of service: String) -> [FollowerAction] {
        var actions: [FollowerAction] = []
        for output in outputs {
            switch output {
            case .action(let action): actions.append(action)
            case .status(let status): board.put(StatusWrite(key: key(service), value: JSONWriter.bytes(of: status)))
            case .refusal(let refusal):
                board.put(
                    StatusWrite(key: key(service, refusal.revision), value: JSONWriter.bytes(of: refusal)))
            case .forget(let revision): board.put(StatusWrite(key: key(service, revision), value: nil))
            }
        }
        return actions + board.flush()
    }

    private func key(_ service: String, _ refused: Int64? = nil) -> [UInt8] {
        let head = "\(settings.statusPrefix)\(service)/\(settings.host)"
        return Array((refused.map { "\(head)/refused/\($0)" } ?? head).utf8)
    }
}
