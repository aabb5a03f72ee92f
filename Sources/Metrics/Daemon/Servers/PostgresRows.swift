import MetricsCore
import Postgres

/// What a statement's rows come to. A value that is no number, and a column whose name cannot be a metric's, is left out.
enum PostgresRows {
    /// Adds a table's figures, under postgres_exporter's names.
    static func add(_ table: PostgresTable, of query: PostgresQuery, own: [Label], to round: inout RoundBuilder) {
        let labelled = table.columns.indices.filter { query.labels.contains(table.columns[$0]) }
        let metrics = table.columns.map { "\(query.prefix)_\($0)\(query.suffix)" }
        for row in table.rows where row.count == table.columns.count {
            let labels = labelled.map { Label(table.columns[$0], row[$0] ?? "") }
            for (index, text) in row.enumerated() where !labelled.contains(index) {
                guard let text, let value = number(text), Labels.isMetricName(metrics[index]) else { continue }
                ServerFigures.add(value, named: metrics[index], labels, own: own, to: &round)
            }
        }
    }

    /// A number, or a truth as 1 and 0.
    private static func number(_ text: String) -> Double? {
        switch text {
        case "t": return 1
        case "f": return 0
        default: return Double(text).flatMap { $0.isFinite ? $0 : nil }
        }
    }
}
