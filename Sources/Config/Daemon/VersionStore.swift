import CLinux
import ConfigAPI
import ConfigCore
import Glibc
import Store
import Time
import Wire

/// The ledger on disk: every version of every file and what it held, in one SQLite database of configd's own folder.
///
/// Contents are kept once, under their digest. An intent is versions that name their transaction and their temporary;
/// concluding it takes these names away. Whoever records waits for the disk; who concludes
/// does not (see `Commit`). The store thread owns it, and a lock on a file
/// beside it keeps any second configd out.
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
    /// What a change would ask of a ledger that nobody else writes, and was answered by the change before. Forgotten wherever it
    /// might not hold any more: then the ledger is asked again.
    var remembered = Remembered()
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
        """,
        // What holds a content is counted: to ask all versions would take an index that every change has to write.
        """
        ALTER TABLE content ADD COLUMN holders INTEGER NOT NULL DEFAULT 0;
        UPDATE content SET holders = (SELECT count(*) FROM version WHERE version.content = content.digest);
        ALTER TABLE file ADD COLUMN prunedUpTo INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE version RENAME TO oldVersion;
        CREATE TABLE version (
            file INTEGER NOT NULL, number INTEGER NOT NULL, origin TEXT NOT NULL, restored INTEGER,
            content BLOB NOT NULL, sizeBytes INTEGER NOT NULL, keys TEXT NOT NULL, atMs INTEGER NOT NULL,
            author INTEGER, reason TEXT NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL, mode INTEGER NOT NULL,
            chain BLOB NOT NULL, previousChain BLOB, intent INTEGER, temporary TEXT, contentBefore BLOB,
            isGood INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (file, number)) WITHOUT ROWID;
        INSERT INTO version
            SELECT file, number, origin, restored, content, sizeBytes, keys, atMs, author, reason, uid, gid, mode, chain,
                (SELECT chain FROM oldVersion AS earlier
                    WHERE earlier.file = oldVersion.file AND earlier.number = oldVersion.number - 1),
                iif(temporary IS NULL, NULL, -file), temporary,
                iif(temporary IS NULL, NULL,
                    (SELECT content FROM oldVersion AS earlier
                        WHERE earlier.file = oldVersion.file AND earlier.number = oldVersion.number - 1)),
                0
            FROM oldVersion;
        DROP TABLE oldVersion;
        CREATE INDEX versionByIntent ON version (intent) WHERE intent IS NOT NULL;
        CREATE INDEX goodVersion ON version (file, number) WHERE isGood;
        CREATE TABLE tag (
            file INTEGER NOT NULL REFERENCES file (id), name TEXT NOT NULL, version INTEGER NOT NULL,
            atMs INTEGER NOT NULL, author INTEGER NOT NULL, PRIMARY KEY (file, name)) WITHOUT ROWID;
        CREATE INDEX tagByVersion ON tag (file, version);
        """,
        """
        CREATE TABLE trial (
            id INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL UNIQUE, document TEXT NOT NULL);
        """,
        quarantineTables,
        leaseTable,
    ]

    static let columns =
        """
        number, origin, restored, content, sizeBytes, keys, atMs, author, reason, uid, gid, mode, chain, previousChain
        """

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

    /// Closes the database and gives up the lock. Nothing may be asked of this one afterwards.
    func release() {
        prepared = [:]
        forget()
        if let empty = try? Store(path: ":memory:") { store = empty }
        _ = mainstay_ofd_unlock(lock)
    }

    private static func open(_ folder: String?) throws(StoreError) -> Store {
        var options = StoreOptions()
        options.mode = 0o600
        options.cacheKiB = 512
        options.isExclusive = true
        // What retention frees is what the next versions take; giving it back would cost every change a page.
        options.canShrink = false
        let store = try Store(path: folder.map { "\($0)/versions.db" } ?? ":memory:", options: options)
        try store.migrate(schema)
        return store
    }

    /// Opens the database anew where the disk failed under it: after a failed fsync the same descriptors would lie.
    func settle() throws(StoreError) {
        guard isDoubtful else { return }
        prepared = [:]
        forget()
        // The old one is closed first: it holds the file for itself.
        store = try Store(path: ":memory:")
        store = try Self.open(folder)
        isDoubtful = false
    }

    /// Asks the ledger itself from now on.
    func forget() { remembered = Remembered() }

    /// As `forget`, of the newest version alone.
    func forgetHead() { remembered.head = nil }

    /// Notes what an error of the database says of its disk.
    func note(_ error: StoreError) {
        forget()
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
        if let head = remembered.head, head.path == path { return head.version }
        let found = try versions("intent IS NULL AND number > ?2", 0, path: path, limit: 2).first
        remembered.head = hasDamage ? nil : found.map { (path, $0) }
        return found
    }

    func version(_ number: Int64, of path: String) throws(StoreError) -> Version? {
        try versions("intent IS NULL AND number = ?2", number, path: path, limit: 1).first
    }

    /// Concluded versions, the newest first, below `cursor` where there is one.
    func versions(of path: String, below cursor: Int64?, limit: Int64) throws(StoreError) -> [Version] {
        try versions("intent IS NULL AND number < ?2", cursor ?? .max, path: path, limit: limit)
    }

    /// Concluded versions after `number`, the oldest first.
    func versions(of path: String, after number: Int64) throws(StoreError) -> [Version] {
        try versions("intent IS NULL AND number > ?2", number, path: path, limit: 1000).reversed()
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

    /// Rows with `condition` on `number`, which it knows as ?2; the highest number first.
    private func versions(
        _ condition: String, _ number: Int64, path: String, limit: Int64
    ) throws(StoreError) -> [Version] {
        let statement = try statement(
            """
            SELECT \(Self.columns), file.prunedUpTo FROM version JOIN file ON file.id = version.file
            WHERE file.path = ?1 AND \(condition) ORDER BY number DESC LIMIT ?3
            """)
        statement.bind(path, at: 1)
        statement.bind(number, at: 2)
        statement.bind(limit, at: 3)
        var versions: [Version] = []
        var prunedUpTo: Int64 = 0
        try statement.rows { row throws(StoreError) in
            prunedUpTo = row.integer(14)
            if let version = Self.version(row) { versions.append(version) } else { hasDamage = true }
        }
        if !Self.areChained(versions, prunedUpTo: prunedUpTo) { hasDamage = true }
        return versions
    }

    /// Whether each of these, the newest first, is whole and follows the next, so that none was changed or taken out. Up to
    /// `prunedUpTo` only some are kept, and there is no telling which followed which.
    private static func areChained(_ versions: [Version], prunedUpTo: Int64) -> Bool {
        versions.allSatisfy(\.isWhole)
            && zip(versions, versions.dropFirst()).allSatisfy { later, earlier in
                earlier.number == later.number - 1
                    ? later.previousChain == earlier.chain : later.number - 1 <= prunedUpTo
            }
    }

    static func version(_ row: borrowing Row) -> Version? {
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
        return Version(
            stored: row.integer(0), draft, chain: chain,
            previousChain: row.isNull(13) ? nil : Digest(stored: row.bytes(13)))
    }

    // MARK: Writing

    /// Runs `body` as one transaction of the database: all of it is durable when this returns, or none is there.
    func transaction<Value>(_ body: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        do throws(StoreError) { return try store.transaction(body) } catch {
            forget()
            throw error
        }
    }

    /// As `transaction`, but durable only with the next one, or with `syncLog`.
    func transactionWithoutWait<Value>(_ body: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        do throws(StoreError) { return try store.transactionWithoutWait(body) } catch {
            forget()
            throw error
        }
    }

    /// Makes durable what was done without a wait.
    func syncLog() throws(StoreError) { try store.syncLog() }

    /// Steps that the database has taken.
    var steps: Int64 { store.steps }

    /// Rows that the last statement changed.
    var changedRows: Int64 { store.changedRows }

    /// Records a version that needs no write: what it holds is in the file already. Inside `transaction`.
    func record(_ version: Version, content: [UInt8], path: String) throws(StoreError) {
        remembered.head = nil
        try name(path)
        try hold(content, as: version.draft.content)
        try insert(version, path: path)
    }

    /// Records an intent with the contents of its versions. Inside `transaction`.
    func record(_ intent: Intent, contents: [Digest: [UInt8]]) throws(StoreError) {
        remembered.intents?.insert(intent.id)
        for file in intent.files {
            try name(file.path)
            for version in file.versions {
                try hold(contents[version.draft.content] ?? [], as: version.draft.content)
                try insert(version, path: file.path, intent: intent.id, file)
            }
        }
    }

    private func name(_ path: String) throws(StoreError) {
        let file = try statement("INSERT INTO file (path) VALUES (?) ON CONFLICT DO NOTHING")
        file.bind(path, at: 1)
        try file.run()
    }

    /// Keeps a content for one more holder, until `letGo`. Inside `transaction`.
    func hold(_ content: [UInt8], as digest: Digest) throws(StoreError) {
        let held = try statement(
            "INSERT INTO content VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET holders = holders + 1")
        held.bind(digest.bytes, at: 1)
        held.bind(content, at: 2)
        try held.run()
    }

    private func insert(
        _ version: Version, path: String, intent: Int64? = nil, _ file: FileIntent? = nil
    ) throws(StoreError) {
        let row = try statement(
            """
            INSERT INTO version (file, \(Self.columns), intent, temporary, contentBefore)
            VALUES ((SELECT id FROM file WHERE path = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
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
        if let previous = version.previousChain { row.bind(previous.bytes, at: 15) } else { row.bindNull(at: 15) }
        if let intent { row.bind(intent, at: 16) } else { row.bindNull(at: 16) }
        if let file { row.bind(file.temporary, at: 17) } else { row.bindNull(at: 17) }
        if let before = file?.before { row.bind(before.bytes, at: 18) } else { row.bindNull(at: 18) }
        try row.run()
    }

    func statement(_ sql: String) throws(StoreError) -> Statement {
        if let statement = prepared[sql] { return statement }
        let statement = try store.prepare(sql)
        prepared[sql] = statement
        return statement
    }
}
