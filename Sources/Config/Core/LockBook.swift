package import Time

/// Who keeps whom from changing a service's files: the seed's `withConfigLock`, as a machine on the loop.
///
/// A lock is *free* or *held*. It is held by a connection, for a time: the holder's connection closing frees it at once, which
/// the kernel sees to when the holder dies; the time frees it from a holder that hangs. Its token is what a change shows to be
/// let through, from whatever connection; a token whose lock is over lets nothing through, since another may have
/// changed the files meanwhile. Nothing of it is on disk: with configd all connections end, and all locks with them.
package struct LockBook: Hashable, Sendable {
    /// Who holds a lock, by what the kernel says of its connection.
    package struct Holder: Hashable, Sendable {
        /// Of all connections in configd's life.
        package var connection: UInt64
        package var pid: Int32
        package var uid: UInt32

        package init(connection: UInt64, pid: Int32, uid: UInt32) {
            self.connection = connection
            self.pid = pid
            self.uid = uid
        }
    }

    /// A lock that is held.
    package struct Lock: Hashable, Sendable {
        package var service: String
        package var token: String
        package var holder: Holder
        package var reason: String
        /// When it was taken; making it longer changes nothing of that.
        package var takenAt: Instant
        package var endsAt: Instant
        fileprivate var timer: TimerID
    }

    /// How a lock ended.
    package enum End: Hashable, Sendable {
        case released
        /// The holder's connection closed.
        case disconnected
        /// Its time passed, and nobody made it longer.
        case expired
    }

    /// What the daemon is to do.
    package enum Action: Hashable, Sendable {
        /// Give the id back with `timerFired` at this time.
        case setTimer(TimerID, at: Instant)
        /// The lock is free again: let other programs in, and tell of it.
        case free(Lock, End)
    }

    /// Why a lock is not given, or a change not let through.
    package enum Refusal: Error, Hashable, Sendable {
        /// Somebody else holds it.
        case held(Lock)
        /// The token's lock is over.
        case lost(service: String)
    }

    private var locks: [String: Lock] = [:]
    private var ids = TimerIDs()

    package init() {}

    /// All that are held, by their service.
    package var held: [Lock] { locks.values.sorted { $0.service < $1.service } }

    /// The lock with this token.
    package func lock(_ token: String) -> Lock? { locks.values.first { $0.token == token } }

    // MARK: Events

    /// Gives `holder` the service's lock for `time`. `token` is a secret that nobody can guess.
    package mutating func lockAsked(
        _ service: String, by holder: Holder, for time: Duration, reason: String, token: String, now: Instant
    ) throws(Refusal) -> [Action] {
        // A timer may be late: what is over by the clock keeps nobody out.
        var freed: [Action] = []
        if let lock = locks[service] {
            guard lock.endsAt <= now else { throw .held(lock) }
            freed = free(lock, .expired)
        }
        let id = ids.next()
        locks[service] = Lock(
            service: service, token: token, holder: holder, reason: reason, takenAt: now, endsAt: now + time, timer: id)
        return freed + [.setTimer(id, at: now + time)]
    }

    /// Makes the lock of `token` last until `time` from now; shorter it can become too.
    package mutating func renewalAsked(_ token: String, of service: String, for time: Duration, now: Instant)
        throws(Refusal) -> [Action]
    {
        guard var lock = locks[service], lock.token == token, lock.endsAt > now else { throw .lost(service: service) }
        lock.timer = ids.next()
        lock.endsAt = now + time
        locks[service] = lock
        return [.setTimer(lock.timer, at: lock.endsAt)]
    }

    /// Its holder needs it no more.
    package mutating func unlockAsked(_ token: String) -> [Action]? {
        lock(token).map { free($0, .released) }
    }

    /// The locks that the connection held are free.
    package mutating func disconnected(_ connection: UInt64) -> [Action] {
        held.filter { $0.holder.connection == connection }.flatMap { free($0, .disconnected) }
    }

    /// An id that is no longer waited for does nothing.
    package mutating func timerFired(_ id: TimerID, now: Instant) -> [Action] {
        guard let lock = locks.values.first(where: { $0.timer == id }), lock.endsAt <= now else { return [] }
        return free(lock, .expired)
    }

    /// Whether a change of the service's files may be made by whoever shows `token`. The token of another service's lock says
    /// nothing here: a command that runs under one may change other services too.
    package func changeAsked(of service: String, showing token: String?, now: Instant) throws(Refusal) {
        let lock = locks[service].flatMap { $0.endsAt > now ? $0 : nil }
        if let lock {
            guard lock.token != token else { return }
            let isOthers = token.flatMap { self.lock($0) } != nil
            throw token == nil || isOthers ? .held(lock) : .lost(service: service)
        }
        guard let token, self.lock(token).map({ $0.endsAt <= now || $0.service == service }) ?? true else { return }
        throw .lost(service: service)
    }

    private mutating func free(_ lock: Lock, _ end: End) -> [Action] {
        locks[lock.service] = nil
        return [.free(lock, end)]
    }
}
