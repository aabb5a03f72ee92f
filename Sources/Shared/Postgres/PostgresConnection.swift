internal import CPostgres
package import Deadlines

/// What a statement came to.
package struct PostgresTable: Hashable, Sendable {
    package var columns: [String]
    /// Values as the server writes them, nil for NULL; each row has one for each column.
    package var rows: [[String?]]

    package init(columns: [String], rows: [[String?]]) {
        self.columns = columns
        self.rows = rows
    }
}

/// A connection to a PostgreSQL server through libpq's non-blocking calls: each call ends at its deadline, whatever the server
/// does. Without TLS and Kerberos. Not for two threads at once, and not for the loop.
package final class PostgresConnection {
    /// Where a server listens.
    package enum Place: Hashable, Sendable {
        /// An address, not a name: a look-up could block past any deadline.
        case tcp(address: String, port: Int)
        /// The folder of its socket, which is called `.s.PGSQL.PORT`.
        case unix(folder: String, port: Int)
    }

    /// Who asks for what.
    package struct Account: Hashable, Sendable {
        package var user: String
        /// Nil where the server believes without.
        package var password: String?
        package var database: String

        package init(user: String, password: String?, database: String) {
            self.user = user
            self.password = password
            self.database = database
        }
    }

    private let libpq: mainstay_libpq
    private let connection: OpaquePointer

    /// Connects; every failure but `lost` and `refused` may come of it.
    /// - Parameter statementTimeoutMs: after which the server itself ends a statement of ours.
    package init(
        to place: Place, as account: Account, statementTimeoutMs: Int64, before deadline: Deadline
    ) throws(PostgresFailure) {
        guard let libpq = mainstay_libpq()?.pointee else { throw .noLibrary }
        self.libpq = libpq
        let words = Self.words(place, account, statementTimeoutMs: statementTimeoutMs)
        guard let made = Self.begin(libpq, words) else { throw .unreachable("no memory") }
        connection = made
        guard libpq.status(made) != CONNECTION_BAD else { throw .unreachable(problem) }
        var wanted = PGRES_POLLING_WRITING
        while wanted != PGRES_POLLING_OK {
            let readiness: Deadline.Readiness = wanted == PGRES_POLLING_WRITING ? .writing : .reading
            guard deadline.isReady(libpq.socket(made), for: readiness) else { throw .timedOut }
            wanted = libpq.connectPoll(made)
            guard wanted != PGRES_POLLING_FAILED else { throw .unreachable(problem) }
        }
        // Before this nothing long is sent; from now on neither a statement nor a farewell waits for room in the socket.
        guard libpq.setnonblocking(made, 1) == 0 else { throw .unreachable(problem) }
    }

    deinit { libpq.finish(connection) }

    /// The server's version, 150018 for 15.18.
    package var serverVersion: Int { Int(libpq.serverVersion(connection)) }

    /// Runs one statement and waits for its rows. What it gives is held whole: the statement has to have a LIMIT.
    package func ask(_ statement: String, before deadline: Deadline) throws(PostgresFailure) -> PostgresTable {
        guard libpq.sendQuery(connection, statement) == 1 else { throw .lost(problem) }
        try flush(before: deadline)
        var outcome: Result<PostgresTable, PostgresFailure> = .failure(.refused("nothing"))
        while let result = try next(before: deadline) {
            defer { libpq.clear(result) }
            outcome = read(result)
        }
        return try outcome.get()
    }

    private func flush(before deadline: Deadline) throws(PostgresFailure) {
        while true {
            let left = libpq.flush(connection)
            guard left != 0 else { return }
            guard left == 1 else { throw .lost(problem) }
            guard deadline.isReady(libpq.socket(connection), for: .writing) else { throw .timedOut }
        }
    }

    /// The next result; nil after the last.
    private func next(before deadline: Deadline) throws(PostgresFailure) -> OpaquePointer? {
        while libpq.isBusy(connection) == 1 {
            guard deadline.isReady(libpq.socket(connection), for: .reading) else { throw .timedOut }
            guard libpq.consumeInput(connection) == 1 else { throw .lost(problem) }
        }
        guard libpq.status(connection) == CONNECTION_OK else { throw .lost(problem) }
        return libpq.getResult(connection)
    }

    private func read(_ result: OpaquePointer) -> Result<PostgresTable, PostgresFailure> {
        guard libpq.resultStatus(result) == PGRES_TUPLES_OK else {
            return .failure(.refused(Self.firstLine(libpq.resultErrorMessage(result))))
        }
        let fields = 0..<libpq.nfields(result)
        let columns = fields.map { libpq.fname(result, $0).map { String(cString: $0) } ?? "" }
        let rows = (0..<libpq.ntuples(result)).map { row in
            fields.map { field -> String? in
                guard libpq.getisnull(result, row, field) == 0 else { return nil }
                return libpq.getvalue(result, row, field).map { String(cString: $0) }
            }
        }
        return .success(PostgresTable(columns: columns, rows: rows))
    }

    private var problem: String { Self.firstLine(libpq.errorMessage(connection)) }

    private static func firstLine(_ text: UnsafeMutablePointer<CChar>?) -> String {
        let whole = text.map { String(cString: $0) } ?? ""
        let line = whole.split(separator: "\n").first.map(String.init) ?? "nothing"
        return String(line.prefix(300))
    }

    // MARK: How it begins

    /// All that libpq would otherwise look for in the environment and in files of a home.
    private static func words(
        _ place: Place, _ account: Account, statementTimeoutMs: Int64
    ) -> [(String, String)] {
        let server: [(String, String)] =
            switch place {
            case .tcp(let address, let port): [("hostaddr", address), ("host", address), ("port", "\(port)")]
            case .unix(let folder, let port): [("host", folder), ("port", "\(port)")]
            }
        return server + [
            ("user", account.user), ("dbname", account.database), ("password", account.password ?? ""),
            ("passfile", "/dev/null/none"), ("sslmode", "disable"), ("gssencmode", "disable"),
            ("client_encoding", "UTF8"), ("application_name", "mainstay-metricsd"),
            ("options", "-c statement_timeout=\(statementTimeoutMs) -c default_transaction_read_only=on"),
        ]
    }

    private static func begin(_ libpq: mainstay_libpq, _ words: [(String, String)]) -> OpaquePointer? {
        let keys = words.map { Array($0.0.utf8CString) }
        let values = words.map { Array($0.1.utf8CString) }
        return withPointers(keys) { keys in
            withPointers(values) { values in libpq.connectStartParams(keys, values, 0) }
        }
    }

    /// The texts one after the other in one room, and pointers to each, with a nil at the end.
    private static func withPointers<Value>(
        _ texts: [[CChar]], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Value?
    ) -> Value? {
        texts.flatMap { $0 }.withUnsafeBufferPointer { room in
            var start = room.baseAddress
            var pointers = texts.map { text -> UnsafePointer<CChar>? in
                defer { start = start?.advanced(by: text.count) }
                return start
            }
            pointers.append(nil)
            return pointers.withUnsafeBufferPointer { $0.baseAddress.flatMap(body) }
        }
    }
}
