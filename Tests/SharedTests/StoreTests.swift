import Glibc
import Store
import Testing

/// A folder for one test's database.
private final class StoreFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/mainstay-store-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        path = try #require(made)
    }

    var database: String { "\(path)/x.db" }

    deinit {
        for suffix in ["", "-wal", "-shm"] { unlink(database + suffix) }
        rmdir(path)
    }

    func mode(_ suffix: String) -> mode_t {
        var status = stat()
        return stat(database + suffix, &status) == 0 ? status.st_mode & 0o777 : 0
    }
}

private func failure(_ body: () throws(StoreError) -> Void) -> StoreError? {
    do throws(StoreError) {
        try body()
        return nil
    } catch {
        return error
    }
}

@Suite struct StoreTests {
    private let folder: StoreFolder
    private let store: Store

    init() throws {
        folder = try StoreFolder()
        store = try Store(path: folder.database)
        try store.migrate(["CREATE TABLE t (a INTEGER PRIMARY KEY, b REAL, c TEXT, d BLOB) STRICT"])
    }

    @Test func `every kind of value comes back as it went in`() throws {
        let insert = try store.prepare("INSERT INTO t VALUES (?, ?, ?, ?)")
        let blob: [UInt8] = [0, 255, 0, 1]
        let rows: [(Int64, Double, String, [UInt8])] = [
            (.max, 0.1, "grüße \u{0} end", blob), (.min, -.infinity, "", []), (0, .greatestFiniteMagnitude, "a", [0]),
        ]
        for row in rows {
            insert.bind(row.0, at: 1)
            insert.bind(row.1, at: 2)
            insert.bind(row.2, at: 3)
            insert.bind(row.3, at: 4)
            try insert.run()
        }
        var read: [(Int64, Double, String, [UInt8])] = []
        try store.prepare("SELECT a, b, c, d FROM t ORDER BY a DESC").rows { row in
            read.append((row.integer(0), row.double(1), row.text(2), row.bytes(3)))
        }
        try #require(read.count == 3)
        #expect(read[0] == rows[0])
        #expect(read[1] == rows[2])
        #expect(read[2] == rows[1])
        #expect(try store.integer("SELECT count(*) FROM t WHERE d IS NULL OR c IS NULL") == 0)
    }

    @Test func `borrowed bytes are written without being kept, and bindings do not leak into the next run`() throws {
        let insert = try store.prepare("INSERT INTO t VALUES (NULL, ?, NULL, ?)")
        let big = [UInt8](repeating: 7, count: 1 << 20)
        try big.withUnsafeBytes { bytes in
            insert.bind(borrowing: bytes, at: 2)
            try insert.run()
        }
        try insert.run()
        #expect(try store.integer("SELECT length(d) FROM t WHERE a = 1") == 1 << 20)
        #expect(try store.integer("SELECT d IS NULL FROM t WHERE a = 2") == 1)
        #expect(store.lastRow == 2)
    }

    @Test func `NaN and NULL come back as NULL`() throws {
        let insert = try store.prepare("INSERT INTO t VALUES (1, ?, ?, NULL)")
        insert.bind(Double.nan, at: 1)
        insert.bindNull(at: 2)
        try insert.run()
        var nulls = 0
        var isEmpty = false
        try store.prepare("SELECT b, c, d FROM t").rows { row in
            for column in 0...2 where row.isNull(column) { nulls += 1 }
            isEmpty = row.text(1) == "" && row.bytes(2) == [] && row.integer(0) == 0
        }
        #expect(nulls == 3)
        #expect(isEmpty)
    }

    @Test func `a transaction that throws leaves nothing, and the store goes on`() throws {
        let thrown = failure { () throws(StoreError) in
            try store.transaction { () throws(StoreError) in
                try store.execute("INSERT INTO t VALUES (1, 1, 'x', NULL)")
                try store.execute("INSERT INTO t VALUES (1, 1, 'x', NULL)")
            }
        }
        #expect(thrown?.kind == .constraint)
        #expect(try store.integer("SELECT count(*) FROM t") == 0)
        try store.transaction { () throws(StoreError) in try store.execute("INSERT INTO t VALUES (1, 1, 'x', NULL)") }
        #expect(try store.integer("SELECT count(*) FROM t") == 1)
        #expect(store.changedRows == 1)
    }

    @Test func `a full disk is told as such, keeps nothing of the transaction and loses nothing of the earlier ones`()
        throws
    {
        try store.execute("INSERT INTO t VALUES (1, 1, 'kept', NULL)")
        let pages = try store.integer("PRAGMA page_count")
        // The quota of pages answers SQLITE_FULL just as ENOSPC does.
        try store.prepare("PRAGMA max_page_count = \(pages + 2)").rows { _ in }
        let insert = try store.prepare("INSERT INTO t VALUES (NULL, 0, NULL, zeroblob(100000))")
        let thrown = failure { () throws(StoreError) in
            try store.transaction { () throws(StoreError) in
                try store.execute("INSERT INTO t VALUES (2, 1, 'lost', NULL)")
                try insert.run()
            }
        }
        #expect(thrown?.kind == .full)
        #expect(thrown?.remedy.contains("free space") == true)
        #expect(try store.integer("SELECT count(*) FROM t") == 1)
        try store.execute("INSERT INTO t VALUES (3, 1, 'small', NULL)")
    }

    @Test func `another writer's lock is told as locked after the timeout`() throws {
        var options = StoreOptions()
        options.busyTimeoutMs = 20
        let other = try Store(path: folder.database, options: options)
        try store.transaction { () throws(StoreError) in
            let thrown = failure { () throws(StoreError) in try other.execute("DELETE FROM t") }
            #expect(thrown?.kind == .locked)
            #expect(thrown?.path == folder.database)
        }
        try other.execute("DELETE FROM t")
    }

    @Test func `a file that is no database is told as corrupt and left alone`() throws {
        let other = try StoreFolder()
        let file = try #require(fopen(other.database, "w"))
        fputs(String(repeating: "this is no database ", count: 200), file)
        fclose(file)
        let thrown = failure { () throws(StoreError) in _ = try Store(path: other.database) }
        #expect(thrown?.kind == .corrupt)
        #expect(thrown?.remedy.contains("move \(other.database) aside") == true)
        var status = stat()
        #expect(stat(other.database, &status) == 0 && status.st_size == 4000)
    }

    @Test func `a damaged page is found`() throws {
        for _ in 0..<200 { try store.execute("INSERT INTO t VALUES (NULL, 1, hex(randomblob(200)), NULL)") }
        #expect(try store.damage() == [])
        try store.checkpoint()
        let file = open(folder.database, O_RDWR | O_CLOEXEC)
        defer { close(file) }
        let noise = [UInt8](repeating: 0xA5, count: 4096)
        #expect(pwrite(file, noise, noise.count, 4096 * 5) == noise.count)
        let fresh = try Store(path: folder.database)
        let told = failure { () throws(StoreError) in
            let damage = try fresh.damage()
            #expect(!damage.isEmpty)
        }
        #expect(told == nil || told?.kind == .corrupt)
    }

    @Test func `a missing folder and a link in the file's place are refused`() throws {
        let thrown = failure { () throws(StoreError) in _ = try Store(path: "/tmp/mainstay-no-such-folder/x.db") }
        #expect(thrown?.kind == .cannotOpen)
        #expect(thrown?.message == "No such file or directory")
        let other = try StoreFolder()
        symlink("/tmp/mainstay-elsewhere", other.database)
        #expect(failure { () throws(StoreError) in _ = try Store(path: other.database) }?.kind == .cannotOpen)
    }

    @Test func `the file and its log are made with the permissions asked for`() throws {
        let other = try StoreFolder()
        var options = StoreOptions()
        options.mode = 0o600
        let secret = try Store(path: other.database, options: options)
        try secret.execute("CREATE TABLE s (a)")
        #expect([other.mode(""), other.mode("-wal"), other.mode("-shm")] == [0o600, 0o600, 0o600])
    }

    @Test func `a schema is brought forward once, and a newer one refused`() throws {
        let steps = ["CREATE TABLE t (a)", "ALTER TABLE t ADD COLUMN e TEXT; CREATE TABLE u (a)"]
        try store.migrate(steps)
        try store.migrate(steps)
        #expect(try store.integer("SELECT count(*) FROM pragma_table_info('t')") == 5)
        let thrown = failure { () throws(StoreError) in try store.migrate([steps[0]]) }
        #expect(thrown?.kind == .newerSchema)
        let broken = failure { () throws(StoreError) in try store.migrate(steps + ["CREATE TABLE v (a); nonsense"]) }
        #expect(broken?.kind == .misuse)
        #expect(try store.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'v'") == 0)
        #expect(try store.integer("PRAGMA user_version") == 2)
    }

    @Test func `what was committed is there for the next connection, without the first being closed`() throws {
        try store.execute("INSERT INTO t VALUES (1, 1, 'x', NULL)")
        let other = try Store(path: folder.database)
        #expect(try other.integer("SELECT count(*) FROM t") == 1)
    }

    @Test func `freed pages go back to the file system`() throws {
        for _ in 0..<50 { try store.execute("INSERT INTO t VALUES (NULL, 1, NULL, zeroblob(20000))") }
        let full = try store.sizeBytes()
        try store.execute("DELETE FROM t")
        try store.releaseFreePages(atMost: 10_000)
        try store.checkpoint()
        #expect(try store.sizeBytes() < full / 4)
    }

    @Test func `a parameter that does not exist, two statements, and nonsense are errors, not crashes`() throws {
        let insert = try store.prepare("INSERT INTO t VALUES (?, 1, NULL, NULL)")
        insert.bind(Int64(1), at: 9)
        #expect(failure { () throws(StoreError) in try insert.run() }?.kind == .misuse)
        insert.bind(Int64(5), at: 1)
        try insert.run()
        #expect(failure { () throws(StoreError) in _ = try store.prepare("SELECT 1; SELECT 2") }?.kind == .misuse)
        #expect(failure { () throws(StoreError) in _ = try store.prepare("") }?.kind == .misuse)
        let thrown = failure { () throws(StoreError) in try store.execute("SELEKT") }
        #expect(thrown?.message.contains("syntax error") == true)
    }

    @Test("memory given back costs no row, and statements go on")
    func releasedMemory() throws {
        let store = try Store(path: folder.database)
        try store.execute("CREATE TABLE kept (x INTEGER)")
        let insert = try store.prepare("INSERT INTO kept VALUES (?)")
        for number in 1...3 {
            try store.transaction { () throws(StoreError) in
                insert.bind(Int64(number), at: 1)
                try insert.run()
            }
            store.releaseMemory()
        }
        #expect(try store.integer("SELECT sum(x) FROM kept") == 6)
    }
}
