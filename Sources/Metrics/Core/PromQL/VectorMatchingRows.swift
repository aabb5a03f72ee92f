extension Evaluation {
    /// A binary operator with a vector on at least one side.
    mutating func vectorBinary(_ binary: BinaryExpression) throws(QueryError) -> [VectorRow] {
        if binary.left.kind == .scalar {
            let scalars = try scalar(binary.left)
            return try withScalars(binary, try vector(binary.right), scalars, areLeft: true)
        }
        if binary.right.kind == .scalar {
            let rows = try vector(binary.left)
            return try withScalars(binary, rows, try scalar(binary.right), areLeft: false)
        }
        let left = try vector(binary.left)
        let right = try vector(binary.right)
        return binary.operation.isSet ? try combined(binary, left, right) : try matched(binary, left, right)
    }

    /// A comparison keeps the vector's values, on whichever side they are.
    private func withScalars(
        _ binary: BinaryExpression, _ rows: [VectorRow], _ scalars: [Double], areLeft: Bool
    ) throws(QueryError) -> [VectorRow] {
        let operation = binary.operation
        let filters = operation.isComparison && !binary.isBool
        var rows = rows
        for number in rows.indices {
            if operation.dropsName || binary.isBool { rows[number].labels = rows[number].labels.withoutName }
            for step in 0..<steps.count where rows[number].has(step) {
                let own = rows[number].values[step]
                let (left, right) = areLeft ? (scalars[step], own) : (own, scalars[step])
                if !filters {
                    rows[number].values[step] = Arithmetic.value(operation, left, right)
                } else if !Arithmetic.holds(operation, left, right) {
                    rows[number].values[step] = VectorRow.absent
                }
            }
        }
        return try Merging.byStep(rows)
    }

    /// What of a series' labels has to be the same on both sides.
    private static func signature(_ labels: Labels, _ matching: VectorMatching) -> Labels {
        matching.isOn ? labels.keeping(matching.labels) : labels.dropping(matching.labels + ["__name__"])
    }

    // MARK: and, or, unless

    private func combined(
        _ binary: BinaryExpression, _ left: [VectorRow], _ right: [VectorRow]
    ) throws(QueryError) -> [VectorRow] {
        let isOr = binary.operation == .or
        let present = presence(isOr ? left : right, binary.matching)
        let none = [Bool](repeating: false, count: steps.count)
        var result = isOr ? left : []
        for row in isOr ? right : left {
            let there = present[Self.signature(row.labels, binary.matching)] ?? none
            var kept = row
            for step in 0..<steps.count where there[step] != (binary.operation == .and) {
                kept.values[step] = VectorRow.absent
            }
            result.append(kept)
        }
        return try Merging.byStep(result)
    }

    private func presence(_ rows: [VectorRow], _ matching: VectorMatching) -> [Labels: [Bool]] {
        var present: [Labels: [Bool]] = [:]
        for row in rows {
            let key = Self.signature(row.labels, matching)
            var there = present.removeValue(forKey: key) ?? [Bool](repeating: false, count: steps.count)
            for step in 0..<steps.count where row.has(step) { there[step] = true }
            present[key] = there
        }
        return present
    }

    // MARK: Arithmetic and comparison

    /// Each series of the *many* finds its partner among the *one*: without `group_left` and `group_right` the many are the left.
    private mutating func matched(
        _ binary: BinaryExpression, _ left: [VectorRow], _ right: [VectorRow]
    ) throws(QueryError) -> [VectorRow] {
        let manyAreRight = binary.matching.group == .right
        let (many, one) = manyAreRight ? (right, left) : (left, right)
        let partners = try partners(one, among: anyPresent(many), binary)
        var found: [VectorRow] = []
        var matches: [Labels: [Int]] = [:]
        for row in many {
            let key = Self.signature(row.labels, binary.matching)
            for partner in partners[key] ?? [] {
                var made = VectorRow(
                    labels: Self.resultLabels(row.labels, partner.labels, binary), count: steps.count)
                for step in 0..<steps.count where row.has(step) && partner.has(step) {
                    let (one, other) = (row.values[step], partner.values[step])
                    let (left, right) = manyAreRight ? (other, one) : (one, other)
                    if let value = Self.kept(binary, left, right) { made.values[step] = value }
                }
                if binary.matching.group == .none { try countMatches(made, &matches[key, default: []], binary) }
                try use(steps.count)
                found.append(made)
            }
        }
        do throws(QueryError) { return try Merging.byStep(found) } catch {
            throw QueryError(error.reason, at: binary.position, error.message)
        }
    }

    private static func kept(_ binary: BinaryExpression, _ left: Double, _ right: Double) -> Double? {
        guard binary.operation.isComparison, !binary.isBool else {
            return Arithmetic.value(binary.operation, left, right)
        }
        return Arithmetic.holds(binary.operation, left, right) ? left : nil
    }

    /// The series of the *one* by what they match on; no two of them may have a value at a step at which the many have any.
    private func partners(
        _ rows: [VectorRow], among present: [Bool], _ binary: BinaryExpression
    ) throws(QueryError) -> [Labels: [VectorRow]] {
        var partners: [Labels: [VectorRow]] = [:]
        var taken: [Labels: [Bool]] = [:]
        for row in rows {
            let key = Self.signature(row.labels, binary.matching)
            var there = taken.removeValue(forKey: key) ?? [Bool](repeating: false, count: steps.count)
            for step in 0..<steps.count where present[step] && row.has(step) {
                guard !there[step] else {
                    let other = partners[key]?.first { $0.has(step) }
                    throw Self.twoPartners(row.labels, other?.labels, key, binary)
                }
                there[step] = true
            }
            taken[key] = there
            partners[key, default: []].append(row)
        }
        return partners
    }

    private static func twoPartners(
        _ one: Labels, _ other: Labels?, _ key: Labels, _ binary: BinaryExpression
    ) -> QueryError {
        let side = binary.matching.group == .right ? "left" : "right"
        return QueryError(
            .data, at: binary.position,
            "found duplicate series for the match group \(key) on the \(side) hand-side of the operation: "
                + "\(one), \(other?.description ?? ""); "
                + "many-to-many matching not allowed: matching labels must be unique on one side")
    }

    /// One-to-one means that no partner is found twice at one step.
    private func countMatches(
        _ made: VectorRow, _ counts: inout [Int], _ binary: BinaryExpression
    ) throws(QueryError) {
        if counts.isEmpty { counts = [Int](repeating: 0, count: steps.count) }
        for step in 0..<steps.count where made.has(step) {
            counts[step] += 1
            guard counts[step] == 1 else {
                throw QueryError(
                    .data, at: binary.position,
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")
            }
        }
    }

    private static func resultLabels(_ many: Labels, _ one: Labels, _ binary: BinaryExpression) -> Labels {
        let matching = binary.matching
        var labels = binary.operation.dropsName ? many.withoutName : many
        if matching.group == .none {
            labels = matching.isOn ? labels.keeping(matching.labels) : labels.dropping(matching.labels)
        }
        for name in matching.included { labels = labels.setting(name, one.value(of: name)) }
        return binary.isBool ? labels.withoutName : labels
    }
}
