/// The times at which an expression is evaluated: one, or many at an even distance.
package struct QuerySteps: Hashable, Sendable {
    package let startMs: Int64
    package let stepMs: Int64
    package let count: Int
    /// Where the query ends: what `end()` means. The last step may be before it.
    package let endMs: Int64

    /// One time.
    package init(atMs: Int64) {
        startMs = atMs
        stepMs = 1
        count = 1
        endMs = atMs
    }

    /// From `startMs` on, each `stepMs` (over 0), up to `endMs` at most.
    package init(startMs: Int64, endMs: Int64, stepMs: Int64) {
        self.startMs = startMs
        self.stepMs = stepMs
        self.endMs = endMs
        count = endMs < startMs ? 0 : Int((endMs - startMs) / stepMs) + 1
    }

    /// The time of a step, ms since 1970.
    package func time(_ number: Int) -> Int64 { startMs + Int64(number) * stepMs }
}

/// One series of a vector over all steps: a value a step. A step at which it has none holds the stale marker, which no
/// evaluation can give: every operation turns it into a quiet NaN.
package struct VectorRow: Hashable, Sendable {
    package var labels: Labels
    package var values: [Double]

    static let absent = Staleness.value

    @inline(__always)
    static func isAbsent(_ value: Double) -> Bool { value.bitPattern == Staleness.bits }

    package init(labels: Labels, values: [Double]) {
        self.labels = labels
        self.values = values
    }

    init(labels: Labels, count: Int) {
        self.labels = labels
        values = [Double](repeating: Self.absent, count: count)
    }

    func has(_ step: Int) -> Bool { !Self.isAbsent(values[step]) }

    /// Its values with their times.
    package func points(_ steps: QuerySteps) -> SampleRun {
        var run = SampleRun()
        for step in 0..<values.count where has(step) { run.append(steps.time(step), values[step]) }
        return run
    }
}

/// What a query gives.
package enum QueryResult: Hashable, Sendable {
    /// A value a step.
    case scalar([Double])
    case vector([VectorRow])
    /// A range selector's own values, for one time.
    case range([RangeRow])
    case string(String)
}

/// One series of a range vector.
package struct RangeRow: Hashable, Sendable {
    package var labels: Labels
    package var samples: SampleRun
}
