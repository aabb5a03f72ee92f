import ConfigCore
import Store
import Time
import Wire

/// What was set aside, in the ledger. Contents lie here apart from those of versions: no version refers to them, and they
/// go by rules of their own.
extension VersionStore {
    /// The tables, as a step of the schema.
    static let quarantineTables = """
        CREATE TABLE quarantine (
            id INTEGER PRIMARY KEY AUTOINCREMENT, file INTEGER NOT NULL REFERENCES file (id), atMs INTEGER NOT NULL,
            cause TEXT NOT NULL, message TEXT NOT NULL, digest BLOB NOT NULL, bytes BLOB NOT NULL,
            sizeBytes INTEGER NOT NULL, owner INTEGER NOT NULL, restored INTEGER, adopted INTEGER);
        CREATE INDEX quarantineByFile ON quarantine (file, id);
        """

    /// A content that was set aside, without its bytes.
    struct SetAside: Hashable, Sendable {
        var id: Int64
        var at: WallTime
        var cause: String
        var message: String
        var digest: Digest
        var sizeBytes: Int64
        var ownerUID: UInt32
        /// The version that was to take its place. It did where the file has that version.
        var restored: Int64?
        var adopted: Int64?
    }

    /// How much is kept of one file.
    enum QuarantineBounds {
        static let contents: Int64 = 20
        static let bytes: Int64 = 32 << 20
    }

    /// Keeps a content, durably, and drops the oldest ones of the file that are too many; the newest stays, whatever its
    /// size. Answers its number and those that were dropped.
    func setAside(
        _ content: [UInt8], cause: String, message: String, ownerUID: UInt32, at: WallTime, path: String
    ) throws(StoreError) -> (id: Int64, dropped: [Int64]) {
        try transaction { () throws(StoreError) in
            let row = try statement(
                """
                INSERT INTO quarantine (file, atMs, cause, message, digest, bytes, sizeBytes, owner)
                VALUES ((SELECT id FROM file WHERE path = ?), ?, ?, ?, ?, ?, ?, ?) RETURNING id
                """)
            row.bind(path, at: 1)
            row.bind(at.milliseconds, at: 2)
            row.bind(cause, at: 3)
            row.bind(message, at: 4)
            row.bind(Digest(of: content).bytes, at: 5)
            row.bind(content, at: 6)
            row.bind(Int64(content.count), at: 7)
            row.bind(Int64(ownerUID), at: 8)
            var id: Int64 = 0
            try row.rows { row in id = row.integer(0) }
            return (id, try dropFromQuarantine(path))
        }
    }

    private func dropFromQuarantine(_ path: String) throws(StoreError) -> [Int64] {
        let statement = try statement(
            """
            DELETE FROM quarantine WHERE id IN (
                SELECT id FROM (
                    SELECT id, row_number() OVER newest AS place, sum(sizeBytes) OVER newest AS bytes FROM quarantine
                    WHERE file = (SELECT id FROM file WHERE path = ?1) WINDOW newest AS (ORDER BY id DESC))
                WHERE place > 1 AND (place > ?2 OR bytes > ?3))
            RETURNING id
            """)
        statement.bind(path, at: 1)
        statement.bind(QuarantineBounds.contents, at: 2)
        statement.bind(QuarantineBounds.bytes, at: 3)
        var dropped: [Int64] = []
        try statement.rows { row in dropped.append(row.integer(0)) }
        return dropped.sorted()
    }

    /// What is kept of the file at `path`, the newest first.
    func quarantine(of path: String) throws(StoreError) -> [SetAside] {
        let statement = try statement(
            """
            SELECT id, atMs, cause, message, digest, sizeBytes, owner, restored, adopted FROM quarantine
            WHERE file = (SELECT id FROM file WHERE path = ?) ORDER BY id DESC
            """)
        statement.bind(path, at: 1)
        var kept: [SetAside] = []
        try statement.rows { row throws(StoreError) in
            guard let digest = Digest(stored: row.bytes(4)) else {
                hasDamage = true
                return
            }
            kept.append(
                SetAside(
                    id: row.integer(0), at: WallTime(milliseconds: row.integer(1)), cause: row.text(2),
                    message: row.text(3), digest: digest, sizeBytes: row.integer(5),
                    ownerUID: UInt32(truncatingIfNeeded: row.integer(6)),
                    restored: row.isNull(7) ? nil : row.integer(7),
                    adopted: row.isNull(8) ? nil : row.integer(8)))
        }
        return kept
    }

    /// The bytes of a content that was set aside; nil where they are not what its digest says.
    func content(of kept: SetAside) throws(StoreError) -> [UInt8]? {
        let statement = try statement("SELECT bytes FROM quarantine WHERE id = ?")
        statement.bind(kept.id, at: 1)
        var content: [UInt8]?
        try statement.rows { row in content = row.bytes(0) }
        guard let content, Digest(of: content) == kept.digest else { return nil }
        return content
    }

    /// Lets go of a content that was set aside.
    func discard(_ kept: SetAside) throws(StoreError) {
        let statement = try statement("DELETE FROM quarantine WHERE id = ?")
        statement.bind(kept.id, at: 1)
        try statement.run()
    }

    /// Notes which version is to take its place. Inside `transaction`.
    func note(restored version: Int64, insteadOf id: Int64) throws(StoreError) {
        let statement = try statement("UPDATE quarantine SET restored = ? WHERE id = ?")
        statement.bind(version, at: 1)
        statement.bind(id, at: 2)
        try statement.run()
    }

    /// Notes which version it became after all. Inside `transaction`.
    func note(adopted version: Int64, from id: Int64) throws(StoreError) {
        let statement = try statement("UPDATE quarantine SET adopted = ? WHERE id = ?")
        statement.bind(version, at: 1)
        statement.bind(id, at: 2)
        try statement.run()
    }
}
