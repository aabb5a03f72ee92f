extension Labels: Comparable {
    /// By name and value in order, the metric's name as the label `__name__` (labels.Compare of Prometheus).
    package static func < (left: Labels, right: Labels) -> Bool {
        let (ends, places) = ((left.nameAt, right.nameAt), (left.labelCount, right.labelCount))
        for place in 0..<min(places.0, places.1) {
            let (one, other) = (left.label(place, nameAt: ends.0), right.label(place, nameAt: ends.1))
            if one != other { return one < other }
        }
        return places.0 < places.1
    }

    private var labelCount: Int { metric.isEmpty ? pairs.count : pairs.count + 1 }

    /// Where `__name__` stands among the sorted labels; behind them all where there is no name.
    private var nameAt: Int {
        guard !metric.isEmpty else { return pairs.count }
        return pairs.firstIndex { $0 >= Label("__name__", metric) } ?? pairs.count
    }

    private func label(_ place: Int, nameAt: Int) -> Label {
        if place < nameAt || metric.isEmpty { return pairs[place] }
        return place == nameAt ? Label("__name__", metric) : pairs[place - 1]
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
