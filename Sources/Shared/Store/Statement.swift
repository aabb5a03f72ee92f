internal import CSQLite

/// A prepared statement of one store, on the store's thread. Parameters are numbered from 1, columns from 0, as SQLite does.
/// Bind, then `run` or `rows`; both reset it and forget what was bound, whether they return or throw.
package final class Statement {
    private let store: Store
    private let sql: String
    private let handle: OpaquePointer
    /// The first bind that failed; `run` and `rows` tell of it, so that binds need no `try` each.
    private var bindFailure: StoreError?

    init(_ sql: String, store: Store) throws(StoreError) {
        self.store = store
        self.sql = sql
        var prepared: OpaquePointer?
        var hasMore = false
        let code = sql.withCString { text in
            var tail: UnsafePointer<CChar>?
            let code = sqlite3_prepare_v3(
                store.connection, text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, &tail)
            hasMore = tail.map { !String(cString: $0).allSatisfy(\.isWhitespace) } ?? false
            return code
        }
        guard code == SQLITE_OK else { throw store.error(code, operation: sql) }
        guard let prepared, !hasMore else {
            sqlite3_finalize(prepared)
            throw StoreError(.misuse, path: store.path, operation: sql, message: "expected one statement")
        }
        handle = prepared
    }

    deinit {
        sqlite3_finalize(handle)
    }

    /// Binds an integer.
    package func bind(_ value: Int64, at index: Int) {
        note(sqlite3_bind_int64(handle, Int32(index), value))
    }

    /// NaN becomes NULL, as SQLite has none.
    package func bind(_ value: Double, at index: Int) {
        note(sqlite3_bind_double(handle, Int32(index), value))
    }

    /// Copies the text.
    package func bind(_ value: String, at index: Int) {
        var value = value
        note(
            value.withUTF8 { bytes in
                // An empty buffer may have no address, which SQLite would read as NULL.
                guard let start = bytes.baseAddress else { return sqlite3_bind_text(handle, Int32(index), "", 0, nil) }
                return start.withMemoryRebound(to: CChar.self, capacity: bytes.count) { text in
                    sqlite3_bind_text(handle, Int32(index), text, Int32(bytes.count), Self.copied)
                }
            })
    }

    /// Copies the bytes.
    package func bind(_ value: [UInt8], at index: Int) {
        value.withUnsafeBytes { bind(blob: $0, at: index, destructor: Self.copied) }
    }

    /// Takes the bytes where they are, without a copy: they must stay until the next `run` or `rows` of this statement is over.
    package func bind(borrowing bytes: UnsafeRawBufferPointer, at index: Int) {
        bind(blob: bytes, at: index, destructor: nil)
    }

    /// Binds NULL, which is what an unbound parameter is anyway.
    package func bindNull(at index: Int) {
        note(sqlite3_bind_null(handle, Int32(index)))
    }

    /// Runs a statement whose rows, if it has any, do not matter.
    package func run() throws(StoreError) {
        try rows { _ in }
    }

    /// Runs it and hands each row to `body`, which must not keep it. A body that throws ends the run.
    package func rows(_ body: (borrowing Row) throws(StoreError) -> Void) throws(StoreError) {
        defer {
            store.steps += Int64(sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_VM_STEP, 1))
            sqlite3_reset(handle)
            sqlite3_clear_bindings(handle)
        }
        if let failure = bindFailure {
            bindFailure = nil
            throw failure
        }
        while true {
            switch sqlite3_step(handle) {
            case SQLITE_ROW: try body(Row(handle: handle))
            case SQLITE_DONE: return
            case let code: throw store.error(code, operation: sql)
            }
        }
    }

    private func bind(blob: UnsafeRawBufferPointer, at index: Int, destructor: sqlite3_destructor_type?) {
        if let start = blob.baseAddress, blob.count > 0 {
            note(sqlite3_bind_blob64(handle, Int32(index), start, UInt64(blob.count), destructor))
        } else {
            note(sqlite3_bind_zeroblob(handle, Int32(index), 0))
        }
    }

    private func note(_ code: Int32) {
        if code != SQLITE_OK && bindFailure == nil { bindFailure = store.error(code, operation: sql) }
    }

    /// SQLITE_TRANSIENT, which the C header writes as a cast of -1 that Swift does not import.
    private static let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
}

/// The current row of a running statement. It cannot be copied or kept: the next step makes it another row.
package struct Row: ~Copyable {
    fileprivate let handle: OpaquePointer

    /// True where the column holds NULL.
    package func isNull(_ column: Int) -> Bool {
        sqlite3_column_type(handle, Int32(column)) == SQLITE_NULL
    }

    /// 0 where it is NULL.
    package func integer(_ column: Int) -> Int64 {
        sqlite3_column_int64(handle, Int32(column))
    }

    /// 0 where it is NULL.
    package func double(_ column: Int) -> Double {
        sqlite3_column_double(handle, Int32(column))
    }

    /// Empty where it is NULL; bytes that are not UTF-8 are replaced by U+FFFD.
    package func text(_ column: Int) -> String {
        guard let start = sqlite3_column_text(handle, Int32(column)) else { return "" }
        let count = Int(sqlite3_column_bytes(handle, Int32(column)))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    /// A copy of the bytes; empty where it is NULL.
    package func bytes(_ column: Int) -> [UInt8] {
        withBytes(column) { Array($0) }
    }

    /// The bytes where SQLite holds them, only for the time of `body`.
    package func withBytes<Value>(_ column: Int, _ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        let start = sqlite3_column_blob(handle, Int32(column))
        let count = Int(sqlite3_column_bytes(handle, Int32(column)))
        return body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
    }
}
