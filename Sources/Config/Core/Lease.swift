package import Time

/// One key of a file that has its value for a time: what takes itself back, and to what. It lies in the ledger, since it
/// must outlive configd and the boot. Values are in the file's own bytes: an `.env` value without its quotes, a JSON text.
package struct Lease: Hashable, Sendable {
    package var key: String
    /// What the key said before the first of the leases that followed each other; nil where it was absent.
    package var before: [UInt8]?
    /// What it says for the time; nil where it was taken out.
    package var value: [UInt8]?
    /// The version that gave it this value.
    package var version: Int64
    package var authorUID: UInt32
    package var reason: String
    /// When it was taken, or last made longer: with the key it tells one lease from the next.
    package var grantedAt: WallTime
    package var term: Term

    package init(
        key: String, before: [UInt8]?, value: [UInt8]?, version: Int64, authorUID: UInt32, reason: String,
        grantedAt: WallTime, term: Term
    ) {
        self.key = key
        self.before = before
        self.value = value
        self.version = version
        self.authorUID = authorUID
        self.reason = reason
        self.grantedAt = grantedAt
        self.term = term
    }
}

/// How long something still has, as it is kept on disk: so much was left at a moment that is noted on both clocks.
///
/// In the boot of the note the monotonic clock counts. In another boot only the wall clock can tell what has passed since,
/// and it may have been set: ahead, and the time ends early; back, and what passed counts as nothing. It never comes to more
/// than was left at the note, and while configd runs the note is renewed, so a clock that is wrong at every boot costs the
/// time between the last note and the boot, and no more.
package struct Term: Hashable, Sendable {
    package var left: Duration
    package var notedAt: Moment
    /// Which boot of the host the note is from.
    package var boot: String

    package init(left: Duration, notedAt: Moment, boot: String) {
        self.left = left
        self.notedAt = notedAt
        self.boot = boot
    }

    /// What is left now, in the boot `boot`; not below zero.
    package func left(now: Moment, boot: String) -> Duration {
        let isSame = boot == self.boot && now.instant >= notedAt.instant
        let byWall = Duration.milliseconds(max(0, now.wall.milliseconds - notedAt.wall.milliseconds))
        return max(.zero, left - (isSame ? now.instant - notedAt.instant : byWall))
    }

    /// The same, noted now.
    package func noted(now: Moment, boot: String) -> Term {
        Term(left: left(now: now, boot: boot), notedAt: now, boot: boot)
    }

    /// When it ends, on the monotonic clock of the boot `boot`, which is this one.
    package func end(now: Moment, boot: String) -> Instant {
        boot == self.boot && now.instant >= notedAt.instant
            ? notedAt.instant + left : now.instant + left(now: now, boot: boot)
    }
}
