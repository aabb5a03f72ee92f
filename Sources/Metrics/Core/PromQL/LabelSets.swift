extension Labels: Comparable {
    /// By name and value in order, the metric's name as the label `__name__` (labels.Compare of Prometheus).
    package static func < (left: Labels, right: Labels) -> Bool {
        left.all.lexicographicallyPrecedes(right.all)
    }

    /// All pairs, the metric's name among them, sorted.
    private var all: [Label] {
        metric.isEmpty ? pairs : (pairs + [Label("__name__", metric)]).sorted()
    }

    /// These labels without the metric's name: what most operations give.
    package var withoutName: Labels { metric.isEmpty ? self : Labels(sorted: pairs, metric: "") }

    /// Only the labels with these names; `__name__` is the metric's.
    func keeping(_ names: [String]) -> Labels {
        Labels(sorted: pairs.filter { names.contains($0.name) }, metric: names.contains("__name__") ? metric : "")
    }

    /// Without the labels with these names.
    func dropping(_ names: [String]) -> Labels {
        Labels(sorted: pairs.filter { !names.contains($0.name) }, metric: names.contains("__name__") ? "" : metric)
    }

    /// With one label more, which replaces one of that name; an empty value takes it away.
    func setting(_ name: String, _ value: String) -> Labels {
        if name == "__name__" { return Labels(sorted: pairs, metric: value) }
        return Labels(metric, pairs.filter { $0.name != name } + [Label(name, value)])
    }
}

/// Puts together rows that have come to the same labels.
enum Merging {
    static let sameLabels = "vector cannot contain metrics with the same labelset"

    /// Rows that must all have different labels, where they have a value at all.
    static func distinct(_ rows: [VectorRow]) throws(QueryError) -> [VectorRow] {
        let rows = rows.filter { row in row.values.contains { !VectorRow.isAbsent($0) } }
        var seen: Set<Labels> = []
        for row in rows where !seen.insert(row.labels).inserted {
            throw QueryError(.data, "\(sameLabels): \(row.labels)")
        }
        return rows
    }

    /// Rows of the same labels become one, if no step has a value in two of them.
    static func byStep(_ rows: [VectorRow]) throws(QueryError) -> [VectorRow] {
        var merged: [VectorRow] = []
        var places: [Labels: Int] = [:]
        for row in rows {
            guard let place = places[row.labels] else {
                places[row.labels] = merged.count
                merged.append(row)
                continue
            }
            for step in row.values.indices where row.has(step) {
                guard !merged[place].has(step) else { throw QueryError(.data, "\(sameLabels): \(row.labels)") }
                merged[place].values[step] = row.values[step]
            }
        }
        return merged
    }
}
