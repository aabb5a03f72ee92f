package import Time

/// When leased values go back: the machine on the loop, beside `Keeper`. The leases themselves lie in the ledger, in the
/// hands of the store thread; what a look or a change finds of them comes here, and this says when their time has come.
///
/// The ledger is always right and this is what is known of it: `seen` takes all leases of a file, whatever was known before,
/// so an answer that came too late is made up for by the next look. A take-back that fails is tried again, after 1 s and
/// then after twice as long each time up to a minute, for as long as the ledger holds the lease.
package struct Leases: Hashable, Sendable {
    /// A lease as far as the loop needs it: no value is in it.
    package struct Claim: Hashable, Sendable {
        package var key: String
        package var grantedAt: WallTime
        /// On this boot's monotonic clock.
        package var endsAt: Instant
        package var version: Int64
        package var authorUID: UInt32
        package var reason: String

        package init(
            key: String, grantedAt: WallTime, endsAt: Instant, version: Int64, authorUID: UInt32, reason: String
        ) {
            self.key = key
            self.grantedAt = grantedAt
            self.endsAt = endsAt
            self.version = version
            self.authorUID = authorUID
            self.reason = reason
        }
    }

    /// What the daemon is to do.
    package enum Action: Hashable, Sendable {
        /// Have the store thread take these back; `takeBackEnded` tells of it.
        case takeBack(Keeper.FileID, [Claim])
        /// Have the store thread note how long each lease still has, for the next boot.
        case note
        /// Tell subscribers and the journal of a lease that was taken or made longer.
        case announce(Keeper.FileID, Claim)
        /// Give the id back with `timerFired` at this time.
        case setTimer(TimerID, at: Instant)
    }

    /// The first wait after a take-back that failed; doubled up to `longestWait`.
    package static let firstWait: Duration = .seconds(1)
    /// The longest wait between two tries.
    package static let longestWait: Duration = .seconds(60)
    /// How often what is left is noted: what a clock that is wrong at each boot may add a boot.
    package static let noteInterval: Duration = .seconds(60)

    private struct File: Hashable {
        var claims: [Claim]
        var isTakingBack = false
        /// Take-backs that failed running.
        var failures = 0
        var retryAt: Instant?
    }

    private var files: [Keeper.FileID: File] = [:]
    private var notedAt: Instant?
    private var timers = TimerIDs()
    private var timer: Wake?

    private struct Wake: Hashable {
        var id: TimerID
        var at: Instant
    }

    package init() {}

    /// How many keys are leased, of all files.
    package var count: Int { files.values.reduce(0) { $0 + $1.claims.count } }

    // MARK: Events

    /// The settings name these files and no others: the leases of another wait in the ledger until it is named again.
    package mutating func configured(_ ids: [Keeper.FileID], now: Instant) -> [Action] {
        let wanted = Set(ids)
        for id in files.keys where !wanted.contains(id) { files[id] = nil }
        return due(now)
    }

    /// A look or a change found these leases of a file, all that it has. Those of the first look are no news.
    package mutating func seen(_ id: Keeper.FileID, _ claims: [Claim], now: Instant) -> [Action] {
        guard var file = files[id] else {
            files[id] = File(claims: claims)
            return due(now)
        }
        let known = Set(file.claims.map(Grant.init))
        let news = claims.filter { !known.contains(Grant($0)) }
        file.claims = claims
        files[id] = file
        return news.map { .announce(id, $0) } + due(now)
    }

    /// The store thread has taken back what was due, or could not. `seen` came before with what is left.
    package mutating func takeBackEnded(_ id: Keeper.FileID, failed: Bool, now: Instant) -> [Action] {
        guard var file = files[id] else { return [] }
        file.isTakingBack = false
        if failed {
            let doublings = min(file.failures, 6)
            file.failures += 1
            file.retryAt = now + min(Self.firstWait * (1 << doublings), Self.longestWait)
        } else {
            file.failures = 0
            // What is due still could not go with the rest: it has its turn, but not in a circle without end.
            file.retryAt = file.claims.contains { $0.endsAt <= now } ? now + Self.firstWait : nil
        }
        files[id] = file
        return due(now)
    }

    /// An id that is no longer waited for does nothing.
    package mutating func timerFired(_ id: TimerID, now: Instant) -> [Action] {
        guard timer?.id == id else { return [] }
        timer = nil
        return due(now)
    }

    /// Whether the last take-back of the file failed, and an earlier one had not: news for the journal.
    package func hasBegunToFail(_ id: Keeper.FileID) -> Bool { files[id]?.failures == 1 }

    // MARK: What is due

    private struct Grant: Hashable {
        var key: String
        var at: WallTime

        init(_ claim: Claim) {
            key = claim.key
            at = claim.grantedAt
        }
    }

    private mutating func due(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        for id in files.keys.sorted(by: { ($0.service, $0.path) < ($1.service, $1.path) }) {
            guard let file = files[id], !file.isTakingBack, file.retryAt.map({ $0 <= now }) ?? true else { continue }
            let ended = file.claims.filter { $0.endsAt <= now }
            guard !ended.isEmpty else { continue }
            files[id]?.isTakingBack = true
            files[id]?.retryAt = nil
            actions.append(.takeBack(id, ended))
        }
        actions += note(now)
        return actions + wait(now)
    }

    private mutating func note(_ now: Instant) -> [Action] {
        guard count > 0 else {
            notedAt = nil
            return []
        }
        guard let last = notedAt else {
            // Whoever recorded the lease, or read it at the start, has just noted it.
            notedAt = now
            return []
        }
        guard now - last >= Self.noteInterval else { return [] }
        notedAt = now
        return [.note]
    }

    /// One timer, for whatever comes next.
    private mutating func wait(_ now: Instant) -> [Action] {
        let ends = files.values.filter { !$0.isTakingBack }.compactMap { file -> Instant? in
            guard let first = file.claims.map(\.endsAt).min() else { return nil }
            return file.retryAt.map { max($0, first) } ?? first
        }
        guard let next = (ends + (notedAt.map { [$0 + Self.noteInterval] } ?? [])).min() else {
            timer = nil
            return []
        }
        guard timer?.at != next else { return [] }
        let id = timers.next()
        timer = Wake(id: id, at: next)
        return [.setTimer(id, at: next)]
    }
}
