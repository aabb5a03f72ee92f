package import ConfigAPI
package import Time
package import Wire

/// A change that is in force on trial: it goes back by itself unless somebody confirms it in time.
///
/// It is a row of the ledger, written in one transaction with the intent, so that its deadline is on disk before a file is
/// touched. Each method is one event; what it leaves is written durably before anybody is told, on the thread that asks one
/// after the other. So confirm, cancel and take-back are one compare-and-swap on `id`, and the second of them finds nothing
/// pending any more.
///
/// Its phases:
/// - *recorded*: the intent is on disk, the files are old or new. `written` leads to *applied*, or to *activated* where
///   nothing needs to be done for it. A look that finds the files old voids it.
/// - *applied*: the files are new, whoever runs the service has to bring it to them (`wantsActivation`). `activated` leads to
///   *activated*; `activationLimit` without it, to a take-back.
/// - *activated*: the window is open. `confirm` ends it well; the window's end without it, to a take-back.
/// - *takenBack*: the files are old again, durably. `activated` ends it: the service runs the old ones.
///
/// Whatever is not a confirmation is none: a cancel, silence, somebody else's edit, another boot of the host. A take-back
/// that the disk refuses is tried again for as long as it takes; until then it can be confirmed by nobody.
///
/// Time is the host's monotonic clock together with the boot that it counts from. The wall clock labels and never decides,
/// so stepping it neither confirms nor prolongs.
package struct Trial: Hashable, Sendable {
    /// One file of the transaction.
    package struct File: Hashable, Sendable {
        package var path: String
        /// The version on trial.
        package var version: Int64
        /// That version's place in the chain: a number is used again where its transaction never took place.
        package var chain: Digest
        /// The one that a take-back brings back.
        package var previous: Int64

        package init(path: String, version: Int64, chain: Digest, previous: Int64) {
            self.path = path
            self.version = version
            self.chain = chain
            self.previous = previous
        }
    }

    /// What the ledger holds of one of its files.
    package struct FileSeen: Hashable, Sendable {
        /// Of the version that has the number of the one on trial; nil where there is none.
        package var chain: Digest?
        /// The newest version's number; 0 where there is none.
        package var newest: Int64

        package init(chain: Digest?, newest: Int64) {
            self.chain = chain
            self.newest = newest
        }
    }

    /// Where it stands; see above. `since` is when that began.
    package enum Phase: Hashable, Sendable {
        case recorded
        case applied(since: Moment)
        case activated(since: Moment, invocation: String?)
        /// The take-back is decided and on disk, the files may be new or old.
        case goingBack(since: Moment, PendingEnd)
        case takenBack(since: Moment, PendingEnd)
    }

    /// The transaction's number in the ledger, never used twice.
    package let id: Int64
    package let service: String
    package let files: [File]
    /// How long it may stay unconfirmed once it is activated.
    package let window: Duration
    package let activation: ConfigActivation
    /// How long whoever runs the service may take to bring it to the new files.
    package let activationLimit: Duration
    package let authorUID: UInt32
    package let reason: String
    /// The boot of the host in which it was recorded, and from the take-back on that in which it went back; nil where the
    /// host does not tell, and then no other is the same.
    package internal(set) var boot: String?
    package let recordedAt: Moment
    /// When the newest of what was before it came into force: what is compared with may not be older.
    package let before: WallTime
    package internal(set) var phase = Phase.recorded
    /// When the files came to hold the version on trial; nil before. A process that started later runs it.
    package internal(set) var appliedAt: Moment?

    package init(
        id: Int64, service: String, files: [File], window: Duration, activation: ConfigActivation,
        activationLimit: Duration, authorUID: UInt32, reason: String, boot: String?, before: WallTime,
        now: Moment
    ) {
        self.id = id
        self.service = service
        self.files = files
        self.window = window
        self.activation = activation
        self.activationLimit = activationLimit
        self.authorUID = authorUID
        self.reason = reason
        self.boot = boot
        self.before = before
        recordedAt = now
    }

    /// Why an event is refused; nothing has changed then.
    package enum Refusal: Error, Hashable, Sendable {
        /// It was confirmed or taken back already, or is another one.
        case notPending
        /// The service was not brought to it yet.
        case notActivated
    }

    /// What has to be done about it after an event.
    package enum Order: Hashable, Sendable {
        case nothing
        /// Write the row as it stands now.
        case keep
        /// Write the row, then the previous versions over the files, then say `wentBack`.
        case takeBack
        /// Delete the row: it is over.
        case forget
    }

    // MARK: What it says

    /// Whether it is on trial: neither confirmed nor decided against.
    package var isPending: Bool {
        switch phase {
        case .recorded, .applied, .activated: true
        case .goingBack, .takenBack: false
        }
    }

    /// Whether whoever runs the service has to bring it to the files as they are now.
    package var wantsActivation: Bool {
        switch phase {
        case .applied, .takenBack: activation != .nothing
        case .recorded, .activated, .goingBack: false
        }
    }

    /// When it is over without another word; nil where nothing ends it.
    package var deadline: Moment? {
        switch phase {
        case .recorded: recordedAt.advanced(by: activationLimit)
        case .applied(let since): since.advanced(by: activationLimit)
        case .activated(let since, _): since.advanced(by: window)
        case .goingBack, .takenBack: nil
        }
    }

    /// Whether its times can be compared with now.
    private func isSameBoot(_ now: Moment, _ boot: String?) -> Bool {
        boot != nil && boot == self.boot && now.instant >= recordedAt.instant
    }

    // MARK: Events

    /// The transaction is concluded: the files hold it, durably.
    package mutating func written(now: Moment) -> Order {
        guard case .recorded = phase else { return .nothing }
        appliedAt = now
        // Where nothing has to be done for it, the service may have read it already.
        phase = activation == .nothing ? .activated(since: now, invocation: nil) : .applied(since: now)
        return .keep
    }

    /// The service runs what the files hold. Said again it changes nothing: a window is opened once, however often the
    /// service is restarted in it.
    package mutating func activated(_ id: Int64, invocation: String, now: Moment) throws(Refusal) -> Order {
        guard id == self.id else { throw .notPending }
        switch phase {
        case .recorded, .goingBack: throw .notPending
        case .applied:
            phase = .activated(since: now, invocation: invocation)
            return .keep
        case .activated: return .nothing
        case .takenBack: return .forget
        }
    }

    /// Somebody says that it is good. Whoever is late by a moment is refused, like whoever is late by an hour.
    package mutating func confirm(_ id: Int64, now: Moment, boot: String?) throws(Refusal) -> Order {
        guard id == self.id, isPending, isSameBoot(now, boot) else { throw .notPending }
        guard case .activated = phase else { throw .notActivated }
        if let deadline, now.instant >= deadline.instant { throw .notPending }
        return .forget
    }

    /// Somebody says that it is bad.
    package mutating func cancel(_ id: Int64, reason: String, uid: UInt32, now: Moment) throws(Refusal) -> Order {
        guard id == self.id, isPending else { throw .notPending }
        return goBack(PendingEnd(.cancelled, detail: reason, uid: Int64(uid)), now: now)
    }

    /// The ledger and the clock were looked at: `seen` in the order of `files`. Asked before every other event, at start, at
    /// each look and when the deadline is there.
    package mutating func looked(_ seen: [FileSeen], now: Moment, boot: String?) -> Order {
        switch phase {
        case .goingBack: return .takeBack
        case .takenBack:
            // Whatever runs in another boot was started after this was written.
            return boot == self.boot ? .nothing : .forget
        case .recorded, .applied, .activated: break
        }
        let found = zip(files, seen)
        // Refused, or dropped after a crash: it never took place.
        guard found.allSatisfy({ $0.chain == $1.chain }) else { return .forget }
        guard isSameBoot(now, boot) else { return goBack(PendingEnd(.rebooted), now: now) }
        guard found.allSatisfy({ $0.version == $1.newest }) else { return goBack(PendingEnd(.edited), now: now) }
        if case .recorded = phase { return written(now: now) }
        guard let deadline, now.instant >= deadline.instant else { return .nothing }
        if case .activated = phase { return goBack(PendingEnd(.unconfirmed), now: now) }
        return goBack(PendingEnd(.unactivated), now: now)
    }

    /// The previous versions are in the files again, durably.
    package mutating func wentBack(now: Moment, boot: String?) -> Order {
        guard case .goingBack(_, let end) = phase else { return .nothing }
        self.boot = boot
        phase = .takenBack(since: now, end)
        return activation == .nothing ? .forget : .keep
    }

    private mutating func goBack(_ end: PendingEnd, now: Moment) -> Order {
        phase = .goingBack(since: now, end)
        return .takeBack
    }
}
