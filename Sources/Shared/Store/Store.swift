internal import CSQLite
internal import Glibc

/// How a store is opened.
package struct StoreOptions: Hashable, Sendable {
    /// When SQLite waits for the disk, in write-ahead mode (https://www.sqlite.org/pragma.html#pragma_synchronous).
    package enum Synchronous: String, Hashable, Sendable {
        /// At checkpoints only: a power cut may cost the last transactions, never the file's integrity.
        case normal = "NORMAL"
        /// At every commit: a committed transaction survives a power cut.
        case full = "FULL"
    }

    package var synchronous = Synchronous.full
    /// No other connection may open the file while this store has it: then SQLite takes its locks once and not once a
    /// transaction, and needs no shared memory.
    package var isExclusive = false
    /// How long a statement waits for another connection's lock. The thread sleeps meanwhile.
    package var busyTimeoutMs: Int32 = 1000
    /// The page cache's bound in KiB; SQLite's own default is 2 MiB.
    package var cacheKiB = 1024
    /// The write-ahead log is cut back to this after a checkpoint, so that one burst does not keep its space for ever.
    package var logLimitBytes: Int64 = 8 << 20
    /// The file's permissions when it is made; the -wal and -shm files get the same.
    package var mode: UInt32 = 0o640
    /// Pages that were freed can be given back to the file system with `releaseFreePages`. Only decided when the file is made.
    package var canShrink = true

    package init() {}
}

/// One SQLite database, in write-ahead mode. Every call may block on the disk, so it lives on a `Worker` thread: the class is
/// not Sendable, which keeps it there. A statement that fails leaves the store usable; a transaction that fails is undone.
package final class Store {
    package let path: String
    let connection: OpaquePointer
    private let synchronous: StoreOptions.Synchronous
    /// Steps of SQLite's machine that prepared statements have taken: what their work is counted by, whatever the host does.
    package internal(set) var steps: Int64 = 0
    /// Statements without parameters that are run again and again, compiled once.
    private var repeated: [String: OpaquePointer] = [:]

    /// Opens or makes the database at `path`, whose folder must be there; `:memory:` is one that goes with the store.
    package init(path: String, options: StoreOptions = StoreOptions()) throws(StoreError) {
        self.path = path
        if path != ":memory:" { try Self.create(path, mode: options.mode) }
        var handle: OpaquePointer?
        // No mutex: one thread owns the connection.
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let code = sqlite3_open_v2(path, &handle, flags, nil)
        guard code == SQLITE_OK, let handle else {
            let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
            sqlite3_close_v2(handle)
            throw StoreError(code: code, path: path, operation: "open", message: message)
        }
        connection = handle
        synchronous = options.synchronous
        sqlite3_busy_timeout(connection, options.busyTimeoutMs)
        try configure(options)
    }

    deinit {
        repeated.values.forEach { sqlite3_finalize($0) }
        // _v2: statements that outlive the store close it when they go.
        sqlite3_close_v2(connection)
    }

    /// Runs one or more statements without parameters or results.
    package func execute(_ sql: String) throws(StoreError) {
        let code = sqlite3_exec(connection, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw error(code, operation: sql) }
    }

    /// Runs one statement without parameters or results, which is kept for the next time. No `Statement`: each of those keeps
    /// its store, so the store can keep none.
    private func repeating(_ sql: String) throws(StoreError) {
        var handle = repeated[sql]
        if handle == nil {
            let code = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
            guard code == SQLITE_OK, let handle else { throw error(code, operation: sql) }
            repeated[sql] = handle
        }
        let code = sqlite3_step(handle)
        sqlite3_reset(handle)
        guard code == SQLITE_DONE else { throw error(code, operation: sql) }
    }

    /// Prepares `sql`, one statement, for many runs.
    package func prepare(_ sql: String) throws(StoreError) -> Statement {
        try Statement(sql, store: self)
    }

    /// Runs `body` as one transaction: kept whole when it returns, undone whole when it or the commit throws. It takes the
    /// write lock at once, since one that is taken half-way cannot wait for it. Not to be nested.
    package func transaction<Value>(_ body: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        try repeating("BEGIN IMMEDIATE")
        do throws(StoreError) {
            let value = try body()
            try repeating("COMMIT")
            return value
        } catch {
            // After a full disk or an I/O error SQLite may have undone it by itself; then there is nothing to roll back.
            if sqlite3_get_autocommit(connection) == 0 {
                sqlite3_exec(connection, "ROLLBACK", nil, nil, nil)
            }
            throw error
        }
    }

    /// As `transaction`, but without a wait for the disk: what it did is durable with the next transaction that waits, or
    /// with `syncLog`.
    package func transactionWithoutWait<Value>(
        _ body: () throws(StoreError) -> Value
    ) throws(StoreError) -> Value {
        try execute("PRAGMA synchronous = \(StoreOptions.Synchronous.normal.rawValue)")
        let result: Result<Value, StoreError>
        do throws(StoreError) { result = .success(try transaction(body)) } catch { result = .failure(error) }
        try execute("PRAGMA synchronous = \(synchronous.rawValue)")
        return try result.get()
    }

    /// Makes durable what was committed without a wait.
    package func syncLog() throws(StoreError) {
        guard path != ":memory:" else { return }
        let log = open("\(path)-wal", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        // No log: it was written into the database, durably, and removed.
        guard log >= 0 else { return }
        defer { close(log) }
        guard fdatasync(log) == 0 else {
            let message = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
            throw StoreError(code: SQLITE_IOERR, path: path, operation: "make durable", message: message)
        }
    }

    /// Brings the file to the newest schema: runs those of `steps` that it has not seen, each once in the file's life, all in
    /// one transaction. The count is kept in `user_version`. A file that has seen more steps than there are is refused.
    package func migrate(_ steps: [String]) throws(StoreError) {
        let seen = Int(try integer("PRAGMA user_version"))
        guard seen <= steps.count else {
            let message = "the file has schema \(seen), this release knows \(steps.count)"
            throw StoreError(.newerSchema, path: path, operation: "migrate", message: message)
        }
        guard seen < steps.count else { return }
        try transaction { () throws(StoreError) in
            for step in steps[seen...] { try execute(step) }
            try execute("PRAGMA user_version = \(steps.count)")
        }
    }

    /// The first column of the first row of `sql`, 0 where there is none.
    package func integer(_ sql: String) throws(StoreError) -> Int64 {
        var value: Int64 = 0
        try prepare(sql).rows { row in value = row.integer(0) }
        return value
    }

    /// Rows changed by the last statement that changed any.
    package var changedRows: Int64 {
        sqlite3_changes64(connection)
    }

    /// The row id of the last insert.
    package var lastRow: Int64 {
        sqlite3_last_insert_rowid(connection)
    }

    /// Bytes of the database itself, without its log.
    package func sizeBytes() throws(StoreError) -> Int64 {
        try integer("PRAGMA page_count") * integer("PRAGMA page_size")
    }

    /// Writes the log into the database and empties it, where no reader holds it.
    package func checkpoint() throws(StoreError) {
        try prepare("PRAGMA wal_checkpoint(TRUNCATE)").rows { _ in }
    }

    /// Gives up to `pages` free pages back to the file system; works only on a file made with `canShrink`.
    package func releaseFreePages(atMost pages: Int) throws(StoreError) {
        try prepare("PRAGMA incremental_vacuum(\(pages))").rows { _ in }
    }

    /// Frees the pages of the cache that no statement uses (https://www.sqlite.org/c3ref/db_release_memory.html): what is read
    /// next comes from the kernel's cache.
    package func releaseMemory() {
        sqlite3_db_release_memory(connection)
    }

    /// Damage that SQLite finds in its own structures, at most 10 lines; empty where there is none. Reads the whole file.
    package func damage() throws(StoreError) -> [String] {
        var found: [String] = []
        try prepare("PRAGMA quick_check(10)").rows { row in found.append(row.text(0)) }
        return found == ["ok"] ? [] : found
    }

    func error(_ code: Int32, operation: String) -> StoreError {
        StoreError(code: code, path: path, operation: operation, message: String(cString: sqlite3_errmsg(connection)))
    }

    /// Makes the file before SQLite does, so that it never has wider permissions than asked for.
    private static func create(_ path: String, mode: UInt32) throws(StoreError) {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode)
        guard file >= 0 else {
            let message = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
            throw StoreError(code: SQLITE_CANTOPEN, path: path, operation: "open", message: message)
        }
        close(file)
    }

    private func configure(_ options: StoreOptions) throws(StoreError) {
        // Only before the first page is written does this one count; so it is first.
        try execute("PRAGMA auto_vacuum = \(options.canShrink ? "INCREMENTAL" : "NONE")")
        // Before the log is first touched: from then on the index of the log is in this process alone.
        if options.isExclusive { try prepare("PRAGMA locking_mode = EXCLUSIVE").rows { _ in } }
        try prepare("PRAGMA journal_mode = WAL").rows { _ in }
        try execute("PRAGMA synchronous = \(options.synchronous.rawValue)")
        try execute("PRAGMA cache_size = -\(options.cacheKiB)")
        try execute("PRAGMA journal_size_limit = \(options.logLimitBytes)")
        try execute("PRAGMA foreign_keys = ON")
        // A damaged or planted file must not run functions or read past a cell.
        try execute("PRAGMA trusted_schema = OFF")
        try execute("PRAGMA cell_size_check = ON")
    }
}
