import ConfigCore
import Store
import Time

/// What becomes of a lease with a change.
enum LeaseChange: Sendable {
    /// It is taken, or made longer.
    case grant(Lease)
    /// It is over, and the key's value stays what the change makes it.
    case end(key: String)
}

/// Leased keys in the ledger. A row with an intent is what the leases will be once that is concluded, so that they change
/// with the file, whatever crashes; rows in force have none (0, which no intent has).
extension VersionStore {
    static let leaseTable =
        """
        CREATE TABLE lease (
            intent INTEGER NOT NULL, file INTEGER NOT NULL REFERENCES file (id), key TEXT NOT NULL,
            isEnd INTEGER NOT NULL, before BLOB, value BLOB, version INTEGER NOT NULL, author INTEGER NOT NULL,
            reason TEXT NOT NULL, grantedAtMs INTEGER NOT NULL, leftNs INTEGER NOT NULL, notedAtNs INTEGER NOT NULL,
            notedAtMs INTEGER NOT NULL, boot TEXT NOT NULL, PRIMARY KEY (intent, file, key)) WITHOUT ROWID;
        """

    private static let inForce: Int64 = 0

    /// The leases in force of the file at `path`, by their keys.
    func leases(of path: String) throws(StoreError) -> [Lease] {
        let rows = try statement(
            """
            SELECT key, before, value, version, author, reason, grantedAtMs, leftNs, notedAtNs, notedAtMs, boot
            FROM lease WHERE intent = \(Self.inForce) AND file = (SELECT id FROM file WHERE path = ?) ORDER BY key
            """)
        rows.bind(path, at: 1)
        var leases: [Lease] = []
        try rows.rows { row in
            leases.append(
                Lease(
                    key: row.text(0), before: row.isNull(1) ? nil : row.bytes(1),
                    value: row.isNull(2) ? nil : row.bytes(2), version: row.integer(3),
                    authorUID: UInt32(truncatingIfNeeded: row.integer(4)), reason: row.text(5),
                    grantedAt: WallTime(milliseconds: row.integer(6)),
                    term: Term(
                        left: .nanoseconds(row.integer(7)),
                        notedAt: Moment(
                            instant: Instant(nanoseconds: row.integer(8)),
                            wall: WallTime(milliseconds: row.integer(9))), boot: row.text(10))))
        }
        return leases
    }

    /// Records what `intent` makes of leases of the file at `path`; at once where it is nil. Inside `transaction`.
    func record(_ changes: [LeaseChange], of path: String, intent: Intent?) throws(StoreError) {
        for change in changes {
            switch change {
            case .grant(let lease): try put(lease, of: path, intent: intent?.id ?? Self.inForce, isEnd: false)
            case .end(let key):
                guard let intent else {
                    let row = try statement(
                        """
                        DELETE FROM lease WHERE intent = \(Self.inForce)
                        AND file = (SELECT id FROM file WHERE path = ?) AND key = ?
                        """)
                    row.bind(path, at: 1)
                    row.bind(key, at: 2)
                    try row.run()
                    continue
                }
                let term = Term(left: .zero, notedAt: Moment(instant: .zero, wall: WallTime(milliseconds: 0)), boot: "")
                let none = Lease(
                    key: key, before: nil, value: nil, version: 0, authorUID: 0, reason: "",
                    grantedAt: term.notedAt.wall,
                    term: term)
                try put(none, of: path, intent: intent.id, isEnd: true)
            }
        }
    }

    private func put(_ lease: Lease, of path: String, intent: Int64, isEnd: Bool) throws(StoreError) {
        let row = try statement(
            """
            INSERT OR REPLACE INTO lease VALUES (
                ?1, (SELECT id FROM file WHERE path = ?2), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
            """)
        row.bind(intent, at: 1)
        row.bind(path, at: 2)
        row.bind(lease.key, at: 3)
        row.bind(isEnd ? 1 : 0 as Int64, at: 4)
        if let before = lease.before { row.bind(before, at: 5) } else { row.bindNull(at: 5) }
        if let value = lease.value { row.bind(value, at: 6) } else { row.bindNull(at: 6) }
        row.bind(lease.version, at: 7)
        row.bind(Int64(lease.authorUID), at: 8)
        row.bind(lease.reason, at: 9)
        row.bind(lease.grantedAt.milliseconds, at: 10)
        row.bind(lease.term.left.nanoseconds, at: 11)
        row.bind(lease.term.notedAt.instant.nanoseconds, at: 12)
        row.bind(lease.term.notedAt.wall.milliseconds, at: 13)
        row.bind(lease.term.boot, at: 14)
        try row.run()
    }

    /// The intent took place, and with it what it makes of leases. Inside `transaction`.
    func concludeLeases(of intent: Intent) throws(StoreError) {
        guard try hasLeases(intent) else { return }
        for sql in [
            """
            DELETE FROM lease WHERE intent = \(Self.inForce) AND EXISTS (
                SELECT 1 FROM lease AS next WHERE next.intent = ? AND next.file = lease.file AND next.key = lease.key)
            """,
            "DELETE FROM lease WHERE intent = ? AND isEnd",
            "UPDATE lease SET intent = \(Self.inForce) WHERE intent = ?",
        ] {
            let rows = try statement(sql)
            rows.bind(intent.id, at: 1)
            try rows.run()
        }
    }

    /// The intent did not take place: the leases are what they were. Inside `transaction`.
    func dropLeases(of intent: Intent) throws(StoreError) {
        guard try hasLeases(intent) else { return }
        let rows = try statement("DELETE FROM lease WHERE intent = ?")
        rows.bind(intent.id, at: 1)
        try rows.run()
    }

    private func hasLeases(_ intent: Intent) throws(StoreError) -> Bool {
        let rows = try statement("SELECT 1 FROM lease WHERE intent = ? LIMIT 1")
        rows.bind(intent.id, at: 1)
        var has = false
        try rows.rows { _ in has = true }
        return has
    }

    /// Notes how long each lease in force still has.
    func noteLeases(now: Moment, boot: String) throws(StoreError) {
        var terms: [(file: Int64, key: String, term: Term)] = []
        try statement(
            "SELECT file, key, leftNs, notedAtNs, notedAtMs, boot FROM lease WHERE intent = \(Self.inForce)"
        ).rows { row in
            let term = Term(
                left: .nanoseconds(row.integer(2)),
                notedAt: Moment(
                    instant: Instant(nanoseconds: row.integer(3)), wall: WallTime(milliseconds: row.integer(4))),
                boot: row.text(5))
            terms.append((row.integer(0), row.text(1), term.noted(now: now, boot: boot)))
        }
        guard !terms.isEmpty else { return }
        try transaction { () throws(StoreError) in
            for (file, key, term) in terms {
                let row = try statement(
                    """
                    UPDATE lease SET leftNs = ?, notedAtNs = ?, notedAtMs = ?, boot = ?
                    WHERE intent = \(Self.inForce) AND file = ? AND key = ?
                    """)
                row.bind(term.left.nanoseconds, at: 1)
                row.bind(term.notedAt.instant.nanoseconds, at: 2)
                row.bind(term.notedAt.wall.milliseconds, at: 3)
                row.bind(term.boot, at: 4)
                row.bind(file, at: 5)
                row.bind(key, at: 6)
                try row.run()
            }
        }
    }
}
