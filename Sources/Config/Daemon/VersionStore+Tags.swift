import ConfigAPI
import Store

/// Names of versions.
extension VersionStore {
    /// The tags of the file at `path`, the newest version first.
    func tags(of path: String) throws(StoreError) -> [ConfigTag] {
        let statement = try statement(
            """
            SELECT name, version, atMs, author FROM tag WHERE file = (SELECT id FROM file WHERE path = ?)
            ORDER BY version DESC, name
            """)
        statement.bind(path, at: 1)
        var tags: [ConfigTag] = []
        try statement.rows { row in
            tags.append(
                ConfigTag(
                    name: row.text(0), version: row.integer(1), atMs: row.integer(2), authorUID: row.integer(3)))
        }
        return tags
    }

    /// Gives a name, durably; from another version where one has it.
    func tag(_ tag: ConfigTag, of path: String) throws(StoreError) {
        let statement = try statement(
            "INSERT OR REPLACE INTO tag VALUES ((SELECT id FROM file WHERE path = ?), ?, ?, ?, ?)")
        statement.bind(path, at: 1)
        statement.bind(tag.name, at: 2)
        statement.bind(tag.version, at: 3)
        statement.bind(tag.atMs, at: 4)
        statement.bind(tag.authorUID, at: 5)
        try statement.run()
    }

    /// Takes a name away, durably.
    func untag(_ name: String, of path: String) throws(StoreError) {
        let statement = try statement("DELETE FROM tag WHERE file = (SELECT id FROM file WHERE path = ?) AND name = ?")
        statement.bind(path, at: 1)
        statement.bind(name, at: 2)
        try statement.run()
    }
}
