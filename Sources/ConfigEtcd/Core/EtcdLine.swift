import Time

/// The line to etcd: one member at a time, asked who it is, then listed where needed, then watched.
///
/// It rests between two tries. It begins by *asking* a member who it is, which costs one key-less answer and tells apart what is
/// alike to a watch: the cluster that was followed before, another one under the same address, and one that was set back. Where
/// the store is known and still keeps everything since, it goes on *watching* from the next revision, so that no revision is
/// missed and each has its verdict; otherwise it is *listing* first, at one revision, page by page. While it watches, it asks
/// again every few seconds: a watch is silent by nature, and a stopped etcd looks the same as a quiet one.
///
/// Any failure ends it: the next member is asked, after a wait that grows once all were asked.
struct EtcdLine: Hashable, Sendable {
    /// Up to where everything was delivered.
    struct Cursor: Hashable, Sendable {
        var cluster: String
        var revision: Int64
    }

    private enum State: Hashable, Sendable {
        case resting(WorkID)
        case asking(WorkID)
        case listing(WorkID, EtcdHead, [EtcdPair], bytes: Int)
        case watching(WorkID, EtcdHead, isOpen: Bool, life: Life)
    }

    /// How the member is known to live while it is watched.
    private enum Life: Hashable, Sendable {
        case resting(WorkID)
        case asking(WorkID)
    }

    /// What follows from an event.
    enum Output: Hashable, Sendable {
        case action(FollowerAction)
        case listed(EtcdHead, [EtcdPair])
        case told([EtcdRevision])
        /// The line stands, or does no more.
        case turned(Bool)
    }

    /// The first wait, doubled up to the longest, and how much each is changed at random: many hosts follow one etcd, and must not
    /// come back to it as one.
    private static let firstRest: Duration = .milliseconds(200)
    private static let longestRest: Duration = .seconds(5)
    private static let jitter = 0.2
    /// How often a member that is watched is asked whether it lives.
    private static let lifeInterval: Duration = .seconds(5)
    /// What a listing may hold. A prefix beyond this is no configuration.
    private static let mostBytes = 64 << 20

    private var ids = WorkIDs(.line)
    private var random: SeededRandom
    private let endpoints: Int
    private var state: State?
    private var failures = 0
    private(set) var cursor: Cursor?
    /// The member that is asked.
    private(set) var endpoint = 0
    /// Whether it is watched, and everything of the past was heard.
    private(set) var stands = false
    /// Why it does not.
    private(set) var problem: String?

    /// `cursor`: what was followed before; nil where the keys must be listed first.
    init(endpoints: Int, cursor: Cursor?, random: SeededRandom) {
        self.endpoints = endpoints
        self.cursor = cursor
        self.random = random
    }

    mutating func started() -> [Output] { askWho() }

    private mutating func askWho() -> [Output] {
        let id = ids.next()
        state = .asking(id)
        return [.action(.ask(id, endpoint: endpoint))]
    }

    // MARK: Answers

    mutating func headed(_ id: WorkID, _ result: Result<EtcdHead, EtcdFailure>) -> [Output] {
        switch state {
        case .asking(id):
            switch result {
            case .failure(let failure): return fail(failure.message)
            case .success(let head):
                guard let cursor, cursor.cluster == head.cluster, cursor.revision <= head.revision else {
                    return list(head, after: nil, [], bytes: 0)
                }
                return watch(head)
            }
        case .watching(let call, let head, let isOpen, .asking(id)):
            switch result {
            case .failure(let failure): return fail(failure.message)
            case .success(let now):
                guard now.cluster == head.cluster else { return fail("another cluster answers at this address") }
                guard isOpen else { return fail("the watch was not opened in time") }
                failures = 0
                return restAlive(call, head, isOpen: isOpen)
            }
        case .resting, .asking, .listing, .watching, nil: return []
        }
    }

    mutating func paged(_ id: WorkID, _ result: Result<EtcdPage, EtcdFailure>) -> [Output] {
        guard case .listing(id, let head, var pairs, var bytes) = state else { return [] }
        switch result {
        case .failure(let failure): return fail(failure.message)
        case .success(let page):
            pairs += page.pairs
            bytes += page.pairs.reduce(0) { $0 + $1.key.count + $1.value.count }
            guard bytes <= Self.mostBytes else {
                return fail("the prefix holds more than \(Self.mostBytes >> 20) MiB, which is no configuration")
            }
            if page.hasMore, let last = page.pairs.last {
                return list(head, after: last.key, pairs, bytes: bytes)
            }
            cursor = Cursor(cluster: head.cluster, revision: head.revision)
            return [.listed(head, pairs)] + watch(head)
        }
    }

    mutating func told(_ id: WorkID, _ told: EtcdTold) -> [Output] {
        guard case .watching(id, let head, let isOpen, let life) = state else { return [] }
        switch told {
        case .opened(let now):
            guard now.cluster == head.cluster else { return fail("another cluster answers at this address") }
            state = .watching(id, head, isOpen: true, life: life)
            stands = true
            problem = nil
            return isOpen ? [] : [.turned(true), .action(.tell(.connected(endpoint: endpoint, now)))]
        case .revisions(let revisions, let now):
            // Of its own head a watch says only without events that everything before it was told.
            let reached = revisions.last?.number ?? now.revision
            if let cursor, reached > cursor.revision { self.cursor?.revision = reached }
            return revisions.isEmpty ? [] : [.told(revisions)]
        case .ended(compacted: true, _):
            // What was missed is gone for good; what is there now is not.
            cursor = nil
            return leave() + askWho()
        case .ended(compacted: false, let why): return fail(why)
        }
    }

    mutating func watchEnded(_ id: WorkID, _ failure: EtcdFailure) -> [Output] {
        guard case .watching(id, _, _, _) = state else { return [] }
        return fail(failure.message)
    }

    mutating func timerFired(_ id: WorkID) -> [Output] {
        switch state {
        case .resting(id): return askWho()
        case .watching(let call, let head, let isOpen, .resting(id)):
            let ask = ids.next()
            state = .watching(call, head, isOpen: isOpen, life: .asking(ask))
            return [.action(.ask(ask, endpoint: endpoint))]
        case .resting, .asking, .listing, .watching, nil: return []
        }
    }

    // MARK: Steps

    private mutating func list(_ head: EtcdHead, after last: [UInt8]?, _ pairs: [EtcdPair], bytes: Int) -> [Output] {
        let id = ids.next()
        state = .listing(id, head, pairs, bytes: bytes)
        return [.action(.list(id, endpoint: endpoint, after: last, revision: head.revision))]
    }

    private mutating func watch(_ head: EtcdHead) -> [Output] {
        let id = ids.next()
        let from = (cursor?.revision ?? head.revision) + 1
        return [.action(.watch(id, endpoint: endpoint, from: from))] + restAlive(id, head, isOpen: false)
    }

    private mutating func restAlive(_ call: WorkID, _ head: EtcdHead, isOpen: Bool) -> [Output] {
        let timer = ids.next()
        state = .watching(call, head, isOpen: isOpen, life: .resting(timer))
        return [.action(.startTimer(timer, after: Self.lifeInterval))]
    }

    /// Ends the watch, where there is one.
    private mutating func leave() -> [Output] {
        var outputs: [Output] = []
        if case .watching(let call, _, _, _) = state { outputs.append(.action(.endWatch(call))) }
        if stands { outputs.append(.turned(false)) }
        stands = false
        return outputs
    }

    private mutating func fail(_ why: String) -> [Output] {
        var outputs = leave()
        // Once, until it stands again: a host without its etcd must not fill its journal.
        if problem == nil { outputs.append(.action(.tell(.silent(endpoint: endpoint, why)))) }
        problem = why
        failures += 1
        endpoint = (endpoint + 1) % endpoints
        let rounds = failures / endpoints
        var rest = Self.firstRest
        if rounds > 0 { rest = min(Self.longestRest, Self.firstRest * (1 << min(rounds - 1, 8))) }
        let id = ids.next()
        state = .resting(id)
        let factor = 1 + Self.jitter * (2 * random.unit() - 1)
        outputs.append(.action(.startTimer(id, after: rest * factor)))
        return outputs
    }
}
