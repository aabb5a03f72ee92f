import CLinux
import ConfigAPI
import ConfigCore
import Glibc
import Store
import Time
import Wire

/// The ledger on disk: every version of every file and what it held, in one SQLite database of configd's own folder.
///
/// Contents are kept once, under their digest. An intent is a version with the name of its temporary; concluding it takes
/// that name away. A commit of an intent waits for the disk; its conclusion does not, because the file itself says the
/// same. The store thread owns it, and a lock on a file beside it keeps any second configd out.
final class VersionStore {
    private let folder: String?
    private var store: Store
    private let lock: CInt
    /// The disk failed under the database since it was opened.
    private var isDoubtful = false
    /// A row was read that no version can be made of, or one that does not follow the one before; whoever asks sets it back
    /// first.
    var hasDamage = false
    private var prepared: [String: Statement] = [:]
    /// What fingerprints are made with: made once for this host, never told.
    let fingerprintKey: [UInt8]

    private static let schema = [
        """
        CREATE TABLE host (fingerprintKey BLOB NOT NULL);
        INSERT INTO host VALUES (randomblob(32));
        CREATE TABLE file (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
        CREATE TABLE content (digest BLOB NOT NULL UNIQUE, bytes BLOB NOT NULL);
        CREATE TABLE version (
            file INTEGER NOT NULL REFERENCES file (id), number INTEGER NOT NULL, origin TEXT NOT NULL,
            restored INTEGER, content BLOB NOT NULL REFERENCES content (digest), sizeBytes INTEGER NOT NULL,
            keys TEXT NOT NULL, atMs INTEGER NOT NULL, author INTEGER, reason TEXT NOT NULL, uid INTEGER NOT NULL,
            gid INTEGER NOT NULL, mode INTEGER NOT NULL, chain BLOB NOT NULL, temporary TEXT,
            PRIMARY KEY (file, number)) WITHOUT ROWID;
        CREATE INDEX versionByContent ON version (content);
        CREATE INDEX intentByFile ON version (file, number) WHERE temporary IS NOT NULL;
        """
    ]

    private static let columns =
        "number, origin, restored, content, sizeBytes, keys, atMs, author, reason, uid, gid, mode, chain, temporary"

    /// Opens the ledger in `folder`, which must be there; nil keeps one in memory.
    init(folder: String?) throws(StepFailure) {
        self.folder = folder
        lock = try folder.map(Self.lock) ?? -1
        do throws(StoreError) {
            store = try Self.open(folder)
            var key: [UInt8] = []
            try store.prepare("SELECT fingerprintKey FROM host").rows { row in key = row.bytes(0) }
            fingerprintKey = key
        } catch {
            close(lock)
            throw Self.failure(error, step: "open")
        }
    }

    deinit { close(lock) }

    /// Gives up the lock.
    func release() { _ = mainstay_ofd_unlock(lock) }

    private static func open(_ folder: String?) throws(StoreError) -> Store {
        var options = StoreOptions()
        options.mode = 0o600
        options.cacheKiB = 512
        let store = try Store(path: folder.map { "\($0)/versions.db" } ?? ":memory:", options: options)
        try store.migrate(schema)
        return store
    }

    /// Opens the database anew where the disk failed under it: after a failed fsync the same descriptors would lie.
    func settle() throws(StoreError) {
        guard isDoubtful else { return }
        prepared = [:]
        store = try Self.open(folder)
        isDoubtful = false
    }

    /// Notes what an error of the database says of its disk.
    func note(_ error: StoreError) {
        if error.kind == .disk { isDoubtful = true }
    }

    private static func lock(_ folder: String) throws(StepFailure) -> CInt {
        let lock = Glibc.open("\(folder)/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else {
            let why = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
            throw StepFailure(
                .versions("\(folder)/lock: \(why)", remedy: "Give \(folder) to configd's user"), step: "lock")
        }
        guard mainstay_ofd_lock(lock, 1) == 0 else {
            close(lock)
            throw StepFailure(
                .versions("another program holds \(folder)/lock", remedy: "Stop the other configd"), step: "lock")
        }
        return lock
    }

    static func failure(_ error: StoreError, step: String) -> StepFailure {
        StepFailure(.versions("\(error.operation): \(error.message)", remedy: error.remedy), step: step)
    }

    // MARK: Reading

    /// The newest concluded version of the file at `path`, read with the one before, which it must follow.
    func head(of path: String) throws(StoreError) -> Version? {
        try entries("temporary IS NULL AND number > ?2", 0, path: path, limit: 2).first?.version
    }

    /// The version that was recorded and not concluded; there is at most one.
    func intent(of path: String) throws(StoreError) -> Intent? {
        guard let entry = try entries("temporary IS NOT NULL AND number > ?2", 0, path: path, limit: 1).first,
            let temporary = entry.temporary
        else { return nil }
        return Intent(version: entry.version, temporary: temporary)
    }

    func version(_ number: Int64, of path: String) throws(StoreError) -> Version? {
        try entries("temporary IS NULL AND number = ?2", number, path: path, limit: 1).first?.version
    }

    /// Concluded versions, the newest first, below `cursor` where there is one.
    func versions(of path: String, below cursor: Int64?, limit: Int64) throws(StoreError) -> [Version] {
        try entries("temporary IS NULL AND number < ?2", cursor ?? .max, path: path, limit: limit).map(\.version)
    }

    /// Concluded versions after `number`, the oldest first.
    func versions(of path: String, after number: Int64) throws(StoreError) -> [Version] {
        try entries("temporary IS NULL AND number > ?2", number, path: path, limit: 1000).map(\.version).reversed()
    }

    /// What a version held; nil where it is gone or is not what its digest says.
    func content(_ digest: Digest) throws(StoreError) -> [UInt8]? {
        let statement = try statement("SELECT bytes FROM content WHERE digest = ?")
        statement.bind(digest.bytes, at: 1)
        var content: [UInt8]?
        try statement.rows { row in content = row.bytes(0) }
        guard let content, Digest(of: content) == digest else { return nil }
        return content
    }

    private struct Entry {
        var version: Version
        var temporary: String?
    }

    /// Rows with `condition` on `number`, which it knows as ?2; the highest number first.
    private func entries(
        _ condition: String, _ number: Int64, path: String, limit: Int64
    ) throws(StoreError) -> [Entry] {
        let statement = try statement(
            """
            SELECT \(Self.columns) FROM version WHERE file = (SELECT id FROM file WHERE path = ?1) AND \(condition)
            ORDER BY number DESC LIMIT ?3
            """)
        statement.bind(number, at: 2)
        statement.bind(limit, at: 3)
        statement.bind(path, at: 1)
        var entries: [Entry] = []
        try statement.rows { row throws(StoreError) in
            if let entry = Self.entry(row) { entries.append(entry) } else { hasDamage = true }
        }
        if !Self.areChained(entries.map(\.version)) { hasDamage = true }
        return entries
    }

    /// Whether each of these, the newest first, follows the next, so that none was changed or taken out. What came before the
    /// last is not known, unless that is the first of all.
    private static func areChained(_ versions: [Version]) -> Bool {
        zip(versions, versions.dropFirst()).allSatisfy { $0.follows($1) }
            && versions.last.map { $0.number > 1 || $0.follows(nil) } ?? true
    }

    private static func entry(_ row: borrowing Row) -> Entry? {
        guard let origin = ConfigOrigin(rawValue: row.text(1)), let content = Digest(stored: row.bytes(3)),
            let chain = Digest(stored: row.bytes(12)), let keys = try? JSONReader.read(Array(row.text(5).utf8)),
            let names = try? [String](wire: keys)
        else { return nil }
        let draft = Version.Draft(
            origin: origin, restored: row.isNull(2) ? nil : row.integer(2), content: content,
            sizeBytes: row.integer(4), keys: names, at: WallTime(milliseconds: row.integer(6)),
            authorUID: row.isNull(7) ? nil : UInt32(truncatingIfNeeded: row.integer(7)), reason: row.text(8),
            identity: FileIdentity(
                uid: UInt32(truncatingIfNeeded: row.integer(9)), gid: UInt32(truncatingIfNeeded: row.integer(10)),
                mode: UInt32(truncatingIfNeeded: row.integer(11))))
        return Entry(
            version: Version(stored: row.integer(0), draft, chain: chain),
            temporary: row.isNull(13) ? nil : row.text(13))
    }

    // MARK: Writing

    /// Records `version` with its content, durably: as an intent where it names a temporary, as concluded otherwise. Of
    /// the versions before, the newest `kept` stay.
    func record(
        _ version: Version, temporary: String?, content: [UInt8], path: String, kept: Int64
    ) throws(StoreError) {
        try store.transaction { () throws(StoreError) in
            let file = try statement("INSERT INTO file (path) VALUES (?) ON CONFLICT DO NOTHING")
            file.bind(path, at: 1)
            try file.run()
            let held = try statement("INSERT INTO content VALUES (?, ?) ON CONFLICT DO NOTHING")
            held.bind(version.draft.content.bytes, at: 1)
            held.bind(content, at: 2)
            try held.run()
            try insert(version, temporary: temporary, path: path)
            try prune(path, upTo: version.number - kept - 1)
        }
    }

    private func insert(_ version: Version, temporary: String?, path: String) throws(StoreError) {
        let row = try statement(
            """
            INSERT INTO version (file, \(Self.columns))
            VALUES ((SELECT id FROM file WHERE path = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        let draft = version.draft
        row.bind(path, at: 1)
        row.bind(version.number, at: 2)
        row.bind(draft.origin.rawValue, at: 3)
        if let restored = draft.restored { row.bind(restored, at: 4) } else { row.bindNull(at: 4) }
        row.bind(draft.content.bytes, at: 5)
        row.bind(draft.sizeBytes, at: 6)
        row.bind(String(decoding: JSONWriter.bytes(of: draft.keys), as: UTF8.self), at: 7)
        row.bind(draft.at.milliseconds, at: 8)
        if let author = draft.authorUID { row.bind(Int64(author), at: 9) } else { row.bindNull(at: 9) }
        row.bind(draft.reason, at: 10)
        row.bind(Int64(draft.identity.uid), at: 11)
        row.bind(Int64(draft.identity.gid), at: 12)
        row.bind(Int64(draft.identity.mode), at: 13)
        row.bind(version.chain.bytes, at: 14)
        if let temporary { row.bind(temporary, at: 15) } else { row.bindNull(at: 15) }
        try row.run()
    }

    /// Drops versions that are older than what is kept, and contents that no version has any more.
    private func prune(_ path: String, upTo number: Int64) throws(StoreError) {
        guard number > 0 else { return }
        try delete("number <= \(number)", path: path)
    }

    /// Deletes versions with `condition`, and each one's content where it was the last to have it.
    private func delete(_ condition: String, path: String) throws(StoreError) {
        let file = "file = (SELECT id FROM file WHERE path = ?) AND \(condition)"
        var contents: [[UInt8]] = []
        let doomed = try store.prepare("SELECT content FROM version WHERE \(file)")
        doomed.bind(path, at: 1)
        try doomed.rows { row in contents.append(row.bytes(0)) }
        guard !contents.isEmpty else { return }
        let versions = try store.prepare("DELETE FROM version WHERE \(file)")
        versions.bind(path, at: 1)
        try versions.run()
        for content in contents {
            let unused = try statement(
                """
                DELETE FROM content WHERE digest = ?1
                AND NOT EXISTS (SELECT 1 FROM version WHERE version.content = ?1)
                """)
            unused.bind(content, at: 1)
            try unused.run()
        }
    }

    /// Notes, durably, that the intent is the file's version now.
    func conclude(_ path: String) throws(StoreError) {
        let statement = try statement(
            "UPDATE version SET temporary = NULL WHERE file = (SELECT id FROM file WHERE path = ?) AND temporary IS NOT NULL"
        )
        statement.bind(path, at: 1)
        try statement.run()
    }

    /// Forgets the intent. If that is lost, the next look does it again.
    func drop(_ path: String) throws(StoreError) {
        try store.transaction { () throws(StoreError) in
            try delete("temporary IS NOT NULL", path: path)
        }
    }

    private func statement(_ sql: String) throws(StoreError) -> Statement {
        if let statement = prepared[sql] { return statement }
        let statement = try store.prepare(sql)
        prepared[sql] = statement
        return statement
    }
}
