extension Evaluation {
    /// `label_replace(v, destination, replacement, source, pattern)`
    mutating func labelReplace(_ call: FunctionCall) throws(QueryError) -> [VectorRow] {
        let texts = try call.arguments.dropFirst().map { argument throws(QueryError) in try string(argument) }
        let (destination, replacement, source) = (texts[0], texts[1], texts[2])
        let pattern: CompiledPattern
        do throws(PatternProblem) { pattern = try patterns(texts[3]) } catch {
            throw QueryError(.data, "invalid regular expression in label_replace(): \(error.reason)")
        }
        guard Labels.isLabelName(destination) else {
            throw QueryError(.data, "invalid destination label name in label_replace(): \(destination)")
        }
        let rows = try vector(call.arguments[0]).map { row -> VectorRow in
            guard let groups = pattern.groups(row.labels.value(of: source)) else { return row }
            let value = pattern.expand(replacement, groups)
            return VectorRow(labels: row.labels.setting(destination, value), values: row.values)
        }
        return try Merging.byStep(rows)
    }

    /// `label_join(v, destination, separator, source…)`
    mutating func labelJoin(_ call: FunctionCall) throws(QueryError) -> [VectorRow] {
        let texts = try call.arguments.dropFirst().map { argument throws(QueryError) in try string(argument) }
        let (destination, separator, sources) = (texts[0], texts[1], texts.dropFirst(2))
        if let wrong = sources.first(where: { !Labels.isLabelName($0) }) {
            throw QueryError(.data, "invalid source label name in label_join(): \(wrong)")
        }
        guard Labels.isLabelName(destination) else {
            throw QueryError(.data, "invalid destination label name in label_join(): \(destination)")
        }
        let rows = try vector(call.arguments[0]).map { row in
            let value = sources.map { row.labels.value(of: $0) }.joined(separator: separator)
            return VectorRow(labels: row.labels.setting(destination, value), values: row.values)
        }
        return try Merging.byStep(rows)
    }
}
