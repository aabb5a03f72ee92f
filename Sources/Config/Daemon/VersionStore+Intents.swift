import ConfigCore
import Store
import Wire

/// Transactions that were recorded and not concluded, and what is dropped of what was.
extension VersionStore {
    struct Remembered {
        /// The newest concluded version of one file.
        var head: (path: String, version: Version)?
        /// The numbers of all transactions that are not concluded.
        var intents: Set<Int64>?
    }

    /// The transaction that has versions of the file at `path` in it; nil where there is none.
    func intent(of path: String) throws(StoreError) -> Intent? {
        guard try !intents().isEmpty else { return nil }
        let statement = try statement(
            // The + keeps SQLite from walking through all versions of the file in place of the few with an intent.
            "SELECT intent FROM version WHERE intent IS NOT NULL AND +file = (SELECT id FROM file WHERE path = ?)")
        statement.bind(path, at: 1)
        var id: Int64?
        try statement.rows { row in id = row.integer(0) }
        return try id.map { id throws(StoreError) in Intent(id: id, files: try files(of: id)) }
    }

    private func files(of intent: Int64) throws(StoreError) -> [FileIntent] {
        let statement = try statement(
            """
            SELECT \(Self.columns), path, temporary, contentBefore
            FROM version JOIN file ON file.id = version.file
            WHERE intent = ? ORDER BY path, number
            """)
        statement.bind(intent, at: 1)
        var files: [FileIntent] = []
        try statement.rows { row throws(StoreError) in
            guard let version = Self.version(row), version.isWhole else {
                hasDamage = true
                return
            }
            let path = row.text(14)
            if files.last?.path == path {
                files[files.count - 1].versions.append(version)
            } else {
                let before = row.isNull(16) ? nil : Digest(stored: row.bytes(16))
                files.append(FileIntent(path: path, versions: [version], temporary: row.text(15), before: before))
            }
        }
        return files
    }

    /// The numbers of all transactions that are not concluded.
    private func intents() throws(StoreError) -> Set<Int64> {
        if let known = remembered.intents { return known }
        var found: Set<Int64> = []
        try statement("SELECT DISTINCT intent FROM version WHERE intent IS NOT NULL").rows { row in
            found.insert(row.integer(0))
        }
        remembered.intents = found
        return found
    }

    /// A number that no transaction on record has.
    func freeIntent() throws(StoreError) -> Int64 {
        max(0, try intents().max() ?? 0) + 1
    }

    /// Notes that the versions of these intents are the files' now, without a wait for the disk.
    func conclude(_ intents: [Intent]) throws(StoreError) {
        try transactionWithoutWait { () throws(StoreError) in
            for intent in intents {
                let statement = try statement(
                    "UPDATE version SET intent = NULL, temporary = NULL, contentBefore = NULL WHERE intent = ?")
                statement.bind(intent.id, at: 1)
                try statement.run()
                try concludeLeases(of: intent)
            }
        }
        remembered.intents?.subtract(intents.map(\.id))
        guard let file = intents.last?.files.last, let newest = file.versions.last else {
            remembered.head = nil
            return
        }
        remembered.head = (file.path, newest)
    }

    /// Forgets the intent. If that is lost, the next look does it again.
    func drop(_ intent: Intent) throws(StoreError) {
        forget()
        try transaction { () throws(StoreError) in
            for file in intent.files { try delete("intent = ?2", intent.id, path: file.path) }
            try dropLeases(of: intent)
        }
    }

    // MARK: Retention

    /// So many versions more than are to be kept gather before they are dropped together.
    private static let prunedTogether: Int64 = 32

    /// Drops versions of the file at `path` up to `number`, but for those with a tag and the newest that was confirmed as
    /// good, and contents that no version has any more; only once enough have gathered. Inside `transaction`.
    func prune(_ path: String, upTo number: Int64) throws(StoreError) {
        guard number > 0 else { return }
        let oldest = try statement("SELECT prunedUpTo FROM file WHERE path = ?")
        oldest.bind(path, at: 1)
        var prunedUpTo: Int64 = 0
        try oldest.rows { row in prunedUpTo = row.integer(0) }
        guard number - prunedUpTo >= Self.prunedTogether else { return }
        try delete(
            """
            number <= ?2 AND intent IS NULL
            AND number NOT IN (SELECT version FROM tag WHERE file = \(Self.ofPath))
            AND number != (
                SELECT COALESCE(MAX(number), 0) FROM version INDEXED BY goodVersion WHERE file = \(Self.ofPath) AND isGood)
            """, number, path: path)
        let pruned = try statement("UPDATE file SET prunedUpTo = max(prunedUpTo, ?) WHERE path = ?")
        pruned.bind(number, at: 1)
        pruned.bind(path, at: 2)
        try pruned.run()
    }

    /// The file with the path ?1: each question is asked once and not once a version.
    private static let ofPath = "(SELECT id FROM file WHERE path = ?1)"

    /// Deletes versions with `condition` on `number`, which it knows as ?2, and lets their contents go.
    private func delete(_ condition: String, _ number: Int64, path: String) throws(StoreError) {
        let place = "file = \(Self.ofPath) AND \(condition)"
        var contents: [[UInt8]] = []
        let doomed = try statement("SELECT content FROM version WHERE \(place)")
        doomed.bind(path, at: 1)
        doomed.bind(number, at: 2)
        try doomed.rows { row in contents.append(row.bytes(0)) }
        guard !contents.isEmpty else { return }
        remembered.head = nil
        let versions = try statement("DELETE FROM version WHERE \(place)")
        versions.bind(path, at: 1)
        versions.bind(number, at: 2)
        try versions.run()
        for content in contents { try letGo(content) }
    }

    /// A holder of a content is gone; without any the content goes too. Inside `transaction`.
    func letGo(_ digest: [UInt8]) throws(StoreError) {
        let unused = try statement("DELETE FROM content WHERE digest = ? AND holders <= 1")
        unused.bind(digest, at: 1)
        try unused.run()
        guard changedRows == 0 else { return }
        let held = try statement("UPDATE content SET holders = holders - 1 WHERE digest = ?")
        held.bind(digest, at: 1)
        try held.run()
    }
}
