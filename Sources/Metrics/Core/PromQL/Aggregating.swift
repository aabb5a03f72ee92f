extension Evaluation {
    /// An aggregation over series, at each step.
    mutating func aggregate(_ aggregation: Aggregation) throws(QueryError) -> [VectorRow] {
        let rows = try vector(aggregation.inner)
        switch aggregation.operation {
        case .countValues: return try countValues(aggregation, rows)
        case .topk, .bottomk: return try highest(aggregation, rows)
        case .quantile:
            let shares = try aggregation.parameter.map { parameter throws(QueryError) in try scalar(parameter) } ?? []
            return try byGroup(aggregation, rows) { members, step in
                RangeFunctions.quantile(shares[step], members.compactMap { $0.has(step) ? $0.values[step] : nil })
            }
        case .sum, .avg, .count, .min, .max, .group, .stddev, .stdvar:
            return try byGroup(aggregation, rows) { members, step in
                var fold = GroupFold(aggregation.operation)
                for row in members where row.has(step) { fold.add(row.values[step]) }
                return fold.result
            }
        }
    }

    private func groups(_ aggregation: Aggregation, _ rows: [VectorRow]) -> [(labels: Labels, members: [VectorRow])] {
        var places: [Labels: Int] = [:]
        var groups: [(labels: Labels, members: [VectorRow])] = []
        for row in rows {
            let key =
                aggregation.isWithout
                ? row.labels.dropping(aggregation.labels + ["__name__"]) : row.labels.keeping(aggregation.labels)
            if let place = places[key] {
                groups[place].members.append(row)
            } else {
                places[key] = groups.count
                groups.append((key, [row]))
            }
        }
        return groups
    }

    /// A row a group: `value` answers for its members at a step at which one of them at least has a value.
    private mutating func byGroup(
        _ aggregation: Aggregation, _ rows: [VectorRow], _ value: ([VectorRow], Int) -> Double
    ) throws(QueryError) -> [VectorRow] {
        var found: [VectorRow] = []
        for group in groups(aggregation, rows) {
            var row = VectorRow(labels: group.labels, count: steps.count)
            for step in 0..<steps.count where group.members.contains(where: { $0.has(step) }) {
                row.values[step] = value(group.members, step)
            }
            try use(steps.count)
            found.append(row)
        }
        return found
    }

    // MARK: topk, bottomk

    private mutating func highest(_ aggregation: Aggregation, _ rows: [VectorRow]) throws(QueryError) -> [VectorRow] {
        let counts = try aggregation.parameter.map { parameter throws(QueryError) in try scalar(parameter) } ?? []
        for count in counts {
            guard count >= -0x1p63, count < 0x1p63 else {
                throw QueryError(.data, "scalar value \(GoNumber.text(count)) overflows int64")
            }
        }
        let isTop = aggregation.operation == .topk
        var found: [VectorRow] = []
        for group in groups(aggregation, rows) {
            var kept = group.members.map { VectorRow(labels: $0.labels, count: steps.count) }
            var ranked: [Int] = []
            for step in 0..<steps.count where counts[step] >= 1 {
                ranked = group.members.indices.filter { group.members[$0].has(step) }.sorted { one, other in
                    Self.ranksBefore(group.members[one].values[step], group.members[other].values[step], isTop)
                }
                for place in ranked.prefix(Int(min(counts[step], Double(ranked.count)))) {
                    kept[place].values[step] = group.members[place].values[step]
                }
            }
            try use(steps.count * kept.count)
            found += steps.count == 1 ? ranked.map { kept[$0] } : kept
        }
        return found
    }

    /// NaN is the last choice of both.
    private static func ranksBefore(_ one: Double, _ other: Double, _ isTop: Bool) -> Bool {
        if one.isNaN || other.isNaN { return !one.isNaN && other.isNaN }
        return isTop ? one > other : one < other
    }

    // MARK: count_values

    private mutating func countValues(
        _ aggregation: Aggregation, _ rows: [VectorRow]
    ) throws(QueryError) -> [VectorRow] {
        let name = try aggregation.parameter.map { parameter throws(QueryError) in try string(parameter) } ?? ""
        guard Labels.isLabelName(name) else { throw QueryError(.data, "invalid label name \"\(name)\"") }
        var wide = aggregation
        if !wide.isWithout { wide.labels.append(name) }
        var places: [Labels: Int] = [:]
        var found: [VectorRow] = []
        for row in rows {
            for step in 0..<steps.count where row.has(step) {
                let labels = row.labels.setting(name, GoNumber.text(row.values[step]))
                let key = wide.isWithout ? labels.dropping(wide.labels + ["__name__"]) : labels.keeping(wide.labels)
                let place = places[key] ?? found.count
                if place == found.count {
                    try use(steps.count)
                    places[key] = place
                    found.append(VectorRow(labels: key, count: steps.count))
                }
                found[place].values[step] = found[place].has(step) ? found[place].values[step] + 1 : 1
            }
        }
        return found
    }
}

/// One group at one step, value by value (Prometheus 2.42, promql/engine.go, `aggregation`).
private struct GroupFold {
    private let operation: Aggregation.Operation
    private var count = 0.0
    private var value = 0.0
    private var mean = 0.0

    init(_ operation: Aggregation.Operation) {
        self.operation = operation
    }

    mutating func add(_ next: Double) {
        count += 1
        guard count > 1 else {
            value = next
            mean = next
            return
        }
        switch operation {
        case .sum: value += next
        case .avg:
            // Infinite once, it stays so, unless the other infinity or a NaN comes.
            if mean.isInfinite, next.isInfinite ? (mean > 0) == (next > 0) : !next.isNaN { return }
            mean += next / count - mean / count
        case .max: if value < next || value.isNaN { value = next }
        case .min: if value > next || value.isNaN { value = next }
        case .stddev, .stdvar:
            if count == 2 { value = 0 }
            let before = next - mean
            mean += before / count
            value += before * (next - mean)
        case .count, .group: break
        case .topk, .bottomk, .quantile, .countValues: preconditionFailure("\(operation.rawValue) is no fold")
        }
    }

    var result: Double {
        switch operation {
        case .sum, .min, .max: value
        case .avg: mean
        case .count: count
        case .group: 1
        case .stdvar: count > 1 ? value / count : 0
        case .stddev: count > 1 ? (value / count).squareRoot() : 0
        case .topk, .bottomk, .quantile, .countValues: preconditionFailure("\(operation.rawValue) is no fold")
        }
    }
}
