import ConfigCore
import Store
import Wire

/// Versions as the ledger has them, sound or not: for whoever looks for what is wrong, or saves what is left.
extension VersionStore {
    /// Versions in a row, the oldest first.
    struct Stretch {
        /// Nil where no version can be made of a row.
        var versions: [(number: Int64, version: Version?)] = []
        /// Up to this version retention has let go of some.
        var retiredUpTo: Int64 = 0
    }

    /// Concluded versions of the file at `path` after `number`, at most `limit`.
    func stretch(
        of path: String, after number: Int64, upTo last: Int64, limit: Int64
    ) throws(StoreError) -> Stretch {
        let statement = try statement(
            """
            SELECT \(Self.columns), file.prunedUpTo FROM version JOIN file ON file.id = version.file
            WHERE file.path = ?1 AND intent IS NULL AND number > ?2 AND number <= ?3 ORDER BY number LIMIT ?4
            """)
        statement.bind(path, at: 1)
        statement.bind(number, at: 2)
        statement.bind(last, at: 3)
        statement.bind(limit, at: 4)
        var stretch = Stretch()
        try statement.rows { row in
            stretch.versions.append((row.integer(0), Self.version(row)))
            stretch.retiredUpTo = row.integer(14)
        }
        return stretch
    }

    /// The number of the file's newest concluded version; 0 where it has none.
    func newest(of path: String) throws(StoreError) -> Int64 {
        let statement = try statement(
            """
            SELECT COALESCE(MAX(number), 0) FROM version
            WHERE file = (SELECT id FROM file WHERE path = ?) AND intent IS NULL
            """)
        statement.bind(path, at: 1)
        var newest: Int64 = 0
        try statement.rows { row in newest = row.integer(0) }
        return newest
    }

    /// Bytes of a content from the place `start` on, `count` at most, not held against its sum; nil where it is gone.
    func stretch(of content: Digest, from start: Int64, count: Int64) throws(StoreError) -> [UInt8]? {
        let statement = try statement("SELECT substr(bytes, ?2, ?3) FROM content WHERE digest = ?1")
        statement.bind(content.bytes, at: 1)
        // SQLite counts from 1.
        statement.bind(start + 1, at: 2)
        statement.bind(count, at: 3)
        var stretch: [UInt8]?
        try statement.rows { row in stretch = row.bytes(0) }
        return stretch
    }

    /// Whether a content is there, sound or not.
    func has(_ content: [UInt8]) throws(StoreError) -> Bool {
        let statement = try statement("SELECT 1 FROM content WHERE digest = ?")
        statement.bind(content, at: 1)
        var isThere = false
        try statement.rows { _ in isThere = true }
        return isThere
    }
}
