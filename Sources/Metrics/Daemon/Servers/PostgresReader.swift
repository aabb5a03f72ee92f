import Deadlines
import MetricsCore
import Postgres
import Runtime
import Settings
import Time

/// Reads a PostgreSQL server: a dozen statements a round, over a connection that is kept from round to round and given up after
/// any failure. A statement that the server refuses (a right that is lacking, a view that it has not) is left out of the round.
struct PostgresReader: ServerReading {
    private let settings: PostgresSettings
    private let labels: [Label]
    private var connection: PostgresConnection?
    private var round = RoundBuilder()
    /// The databases' sizes as they were last read, for the rounds in between.
    private var sizes: PostgresTable?
    private var sizesAt: Instant?

    init(_ settings: PostgresSettings, labels: [Label]) {
        self.settings = settings
        self.labels = labels
    }

    mutating func measure(withTable: Bool) throws -> Collection {
        let deadline = Deadline(after: settings.timeout)
        let connection = try connection ?? connect(before: deadline)
        self.connection = nil
        var found: [(query: PostgresQuery, table: PostgresTable)] = []
        var refusal: PostgresFailure?
        for query in PostgresQuery.often where query.versions.contains(connection.serverVersion) {
            if let table = try answer(connection, query, deadline, &refusal) { found.append((query, table)) }
        }
        guard !found.isEmpty else { throw refusal ?? .refused("nothing") }
        let now = HostClock.now().instant
        if sizesAt.map({ now - $0 >= settings.sizeInterval - settings.interval / 2 }) ?? true {
            sizes = try answer(connection, .sizes, deadline, &refusal)
            sizesAt = now
        }
        if let sizes { found.append((.sizes, sizes)) }
        self.connection = connection
        for (query, table) in found { PostgresRows.add(table, of: query, own: labels, to: &round) }
        ServerFigures.add(refusal == nil ? 0 : 1, "pg_exporter_last_scrape_error", [], own: labels, to: &round)
        return round.finish(withTable: withTable)
    }

    /// Nil where the server refuses this statement.
    private func answer(
        _ connection: PostgresConnection, _ query: PostgresQuery, _ deadline: Deadline,
        _ refusal: inout PostgresFailure?
    ) throws -> PostgresTable? {
        do throws(PostgresFailure) {
            return try connection.ask(query.statement, before: deadline)
        } catch {
            guard case .refused = error else { throw error }
            refusal = error
            return nil
        }
    }

    private func connect(before deadline: Deadline) throws -> PostgresConnection {
        let place: PostgresConnection.Place =
            switch settings.place {
            case .tcp(let endpoint): .tcp(address: endpoint.numericHost, port: endpoint.port)
            case .unix(let path):
                .unix(
                    folder: PostgresSettings.folder(ofSocket: path), port: PostgresSettings.port(ofSocket: path) ?? 5432
                )
            }
        let password: String? = if let file = settings.passwordFile { try PasswordFile.read(file) } else { nil }
        let account = PostgresConnection.Account(
            user: settings.user, password: password, database: settings.database)
        return try PostgresConnection(
            to: place, as: account, statementTimeoutMs: settings.timeout.milliseconds, before: deadline)
    }
}
