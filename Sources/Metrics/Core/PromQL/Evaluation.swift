/// What one query may use, and what it assumes.
package struct QueryLimits: Hashable, Sendable {
    /// Values of one series that are read at once, and values that all parts of the expression make: at 8 bytes each, 40 MiB.
    package var samples = 5_000_000
    /// The step of a subquery that names none: Prometheus's `evaluation_interval`, 1 minute.
    package var subqueryStepMs: Int64 = 60_000
    /// How old a value may be to stand for a time: Prometheus's `--query.lookback-delta`, 5 minutes.
    package var lookbackMs: Int64 = 300_000

    package init() {}
}

/// Evaluates PromQL at all steps of a query at once, with the semantics of Prometheus 2.42 (promql/engine.go): each part of the
/// expression gives a row of values a series, so that labels are looked at once and not at each step.
package struct Evaluation<Source: SampleSource> {
    package internal(set) var source: Source
    let limits: QueryLimits
    /// The query's own steps: what `start()` and `end()` mean, also inside a subquery.
    let outer: QuerySteps
    /// The steps of the part that is evaluated.
    var steps: QuerySteps
    let patterns: PatternCompiler
    /// Whether the caller's time is up. It is asked once a row, and in long ranges each million values.
    let isOverdue: () -> Bool
    private var samplesUsed = 0

    package init(
        _ source: Source, steps: QuerySteps, limits: QueryLimits = QueryLimits(), patterns: @escaping PatternCompiler,
        isOverdue: @escaping () -> Bool = { false }
    ) {
        self.source = source
        self.limits = limits
        outer = steps
        self.steps = steps
        self.patterns = patterns
        self.isOverdue = isOverdue
    }

    /// Evaluates a whole expression. Series of a query with many steps are sorted by their labels, as are those of a range.
    package mutating func run(_ expression: Expression) throws(QueryError) -> QueryResult {
        switch expression.kind {
        case .scalar: return .scalar(try scalar(expression))
        case .string: return .string(try string(expression))
        case .range:
            guard steps.count == 1 else { throw QueryError.notAtManyTimes(.range) }
            return .range(try rangeRows(expression))
        case .vector:
            var rows = try vector(expression).filter { row in row.values.contains { !VectorRow.isAbsent($0) } }
            if steps.count > 1 || !isSorted(expression) { rows.sort { $0.labels < $1.labels } }
            return .vector(rows)
        }
    }

    /// Whether the order of an instant query's series is the query's own.
    private func isSorted(_ expression: Expression) -> Bool {
        switch expression.bare {
        case .call(let call): call.function == .sort || call.function == .sortDescending
        case .aggregation(let aggregation): aggregation.operation == .topk || aggregation.operation == .bottomk
        default: false
        }
    }

    // MARK: By kind

    mutating func scalar(_ expression: Expression) throws(QueryError) -> [Double] {
        switch expression {
        case .number(let value):
            try use(steps.count)
            return [Double](repeating: value, count: steps.count)
        case .parentheses(let inner), .identity(let inner): return try scalar(inner)
        case .negation(let inner): return try scalar(inner).map { -$0 }
        case .binary(let binary):
            let left = try scalar(binary.left)
            let right = try scalar(binary.right)
            try use(steps.count)
            return zip(left, right).map { Arithmetic.value(binary.operation, $0, $1) }
        case .call(let call): return try scalarCall(call)
        case .string, .selector, .range, .subquery, .aggregation:
            preconditionFailure("the parser lets no \(expression.kind) stand for a scalar")
        }
    }

    private mutating func scalarCall(_ call: FunctionCall) throws(QueryError) -> [Double] {
        try use(steps.count)
        switch call.function {
        case .pi: return [Double](repeating: Double.pi, count: steps.count)
        case .time: return (0..<steps.count).map { Double(steps.time($0)) / 1000 }
        default:
            // `scalar(vector)`: the one value that there is.
            let rows = try vector(call.arguments[0])
            return (0..<steps.count).map { step in
                var found: Double?
                for row in rows where row.has(step) {
                    guard found == nil else { return Double.nan }
                    found = row.values[step]
                }
                return found ?? Double.nan
            }
        }
    }

    func string(_ expression: Expression) throws(QueryError) -> String {
        guard case .string(let text) = expression.bare else {
            preconditionFailure("the parser lets no \(expression.kind) stand for a string")
        }
        return text
    }

    mutating func vector(_ expression: Expression) throws(QueryError) -> [VectorRow] {
        switch expression {
        case .parentheses(let inner), .identity(let inner): return try vector(inner)
        case .selector(let selector): return try instant(selector) { $1 }
        case .negation(let inner):
            let rows = try vector(inner).map { row in
                VectorRow(labels: row.labels.withoutName, values: row.values.map { VectorRow.isAbsent($0) ? $0 : -$0 })
            }
            return try Merging.distinct(rows)
        case .aggregation(let aggregation): return try aggregate(aggregation)
        case .binary(let binary): return try vectorBinary(binary)
        case .call(let call): return try vectorCall(call)
        case .number, .string, .range, .subquery:
            preconditionFailure("the parser lets no \(expression.kind) stand for a vector")
        }
    }

    // MARK: Selectors

    /// The time that a selector is read at, for a step.
    func readTime(_ shift: TimeShift, step: Int) -> Int64 {
        let time =
            switch shift.anchor {
            case .none: steps.time(step)
            case .time(let time): time
            case .start: outer.startMs
            case .end: outer.endMs
            }
        return time - shift.offsetMs
    }

    /// The latest value of each series at each step, not older than the lookback, none where the series ended. `value` makes of
    /// it (its time, and itself) what the row holds.
    mutating func instant(
        _ selector: VectorSelector, value: (Int64, Double) -> Double
    ) throws(QueryError) -> [VectorRow] {
        guard steps.count > 0 else { return [] }
        var rows: [VectorRow] = []
        let (firstMs, lastMs) = (readTime(selector.shift, step: 0), readTime(selector.shift, step: steps.count - 1))
        for series in try source.series(selector.selector) {
            let run = try samples(of: series, fromMs: firstMs - limits.lookbackMs, toMs: lastMs)
            guard run.count > 0 else { continue }
            var row = VectorRow(labels: series.labels, count: steps.count)
            var isEmpty = true
            var next = 0
            for step in 0..<steps.count {
                let time = readTime(selector.shift, step: step)
                while next < run.count, run.times[next] <= time { next += 1 }
                guard next > 0, run.times[next - 1] >= time - limits.lookbackMs else { continue }
                let latest = run.values[next - 1]
                guard !VectorRow.isAbsent(latest) else { continue }
                row.values[step] = value(run.times[next - 1], latest)
                isEmpty = false
            }
            guard !isEmpty else { continue }
            try use(steps.count)
            rows.append(row)
        }
        return rows
    }

    mutating func samples(of series: SourceSeries, fromMs: Int64, toMs: Int64) throws(QueryError) -> SampleRun {
        guard !isOverdue() else { throw QueryError.overdue }
        return try source.samples(of: series, fromMs: fromMs, toMs: toMs, atMost: limits.samples)
    }

    /// Counts values that a part of the expression is about to make, and looks at the time.
    mutating func use(_ samples: Int) throws(QueryError) {
        guard !isOverdue() else { throw QueryError.overdue }
        samplesUsed += samples
        guard samplesUsed <= limits.samples else { throw QueryError.tooLarge(limits.samples) }
    }

    /// Evaluates with other steps, as a subquery's inside is.
    mutating func atSteps<Result>(
        _ inner: QuerySteps, _ body: (inout Self) throws(QueryError) -> Result
    ) throws(QueryError) -> Result {
        let own = steps
        steps = inner
        defer { steps = own }
        return try body(&self)
    }
}
