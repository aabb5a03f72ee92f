/// One series' values between two times, as a function over a range sees them; they last as long as the call.
struct RangeWindowView {
    let times: UnsafeBufferPointer<Int64>
    let values: UnsafeBufferPointer<Double>
    /// Where a value is lower than the one before it: of a counter, its resets. The first value has none before it.
    let drops: UnsafeBufferPointer<Int>
    /// The first value's place in the whole, which `drops` count from.
    let first: Int
    /// The range's ends, both included.
    let fromMs: Int64
    let toMs: Int64
    /// The step's own time.
    let stepMs: Int64

    var count: Int { values.count }
    var rangeSeconds: Double { Double(toMs - fromMs) / 1000 }
}

/// A series' values over all windows.
private struct Columns {
    let times: UnsafeBufferPointer<Int64>
    let values: UnsafeBufferPointer<Double>
    let drops: UnsafeBufferPointer<Int>

    func view(_ ends: WindowEnds, fromMs: Int64, toMs: Int64, stepMs: Int64) -> RangeWindowView {
        RangeWindowView(
            times: UnsafeBufferPointer(rebasing: times[ends.first..<ends.end]),
            values: UnsafeBufferPointer(rebasing: values[ends.first..<ends.end]),
            drops: UnsafeBufferPointer(rebasing: drops[ends.firstDrop..<ends.endDrop]), first: ends.first,
            fromMs: fromMs, toMs: toMs, stepMs: stepMs)
    }
}

/// Where a window begins and ends among the values, and among the places where they drop. Windows only move forward.
private struct WindowEnds {
    private(set) var (first, end) = (0, 0)
    private(set) var (firstDrop, endDrop) = (0, 0)

    mutating func move(_ columns: Columns, fromMs: Int64, toMs: Int64) {
        while end < columns.times.count, columns.times[end] <= toMs { end += 1 }
        while first < end, columns.times[first] < fromMs { first += 1 }
        while endDrop < columns.drops.count, columns.drops[endDrop] < end { endDrop += 1 }
        while firstDrop < endDrop, columns.drops[firstDrop] <= first { firstDrop += 1 }
    }
}

extension SampleRun {
    fileprivate var drops: [Int] {
        var found: [Int] = []
        for place in values.indices.dropFirst() where values[place] < values[place - 1] { found.append(place) }
        return found
    }
}

/// Values that a function may go through before the time is looked at: some milliseconds' work.
private let valuesBetweenLooks = 1_000_000

extension Evaluation {
    /// Calls `body` with the window of each series at each step that has a value in it; what it answers is the row's value.
    mutating func overRange(
        _ expression: Expression, keepingName: Bool = false,
        _ body: (RangeWindowView, Int) throws(QueryError) -> Double?
    ) throws(QueryError) -> [VectorRow] {
        guard steps.count > 0 else { return [] }
        var rows: [VectorRow] = []
        func named(_ labels: Labels) -> Labels { keepingName ? labels : labels.withoutName }
        switch expression.bare {
        case .range(let selector, let rangeMs):
            let fromMs = readTime(selector.shift, step: 0) - rangeMs
            let toMs = readTime(selector.shift, step: steps.count - 1)
            for series in try source.series(selector.selector) {
                let run = try samples(of: series, fromMs: fromMs, toMs: toMs).withoutMarkers()
                let row = try windows(
                    of: run, labels: named(series.labels), rangeMs: rangeMs, shift: selector.shift, body)
                if let row { rows.append(row) }
            }
        case .subquery(let subquery):
            for series in try inner(of: subquery) {
                let row = try windows(
                    of: series.samples, labels: named(series.labels), rangeMs: subquery.rangeMs, shift: subquery.shift,
                    body)
                if let row { rows.append(row) }
            }
        default: preconditionFailure("the parser lets no \(expression.kind) stand for a range")
        }
        return try Merging.distinct(rows)
    }

    private mutating func windows(
        of run: SampleRun, labels: Labels, rangeMs: Int64, shift: TimeShift,
        _ body: (RangeWindowView, Int) throws(QueryError) -> Double?
    ) throws(QueryError) -> VectorRow? {
        guard run.count > 0 else { return nil }
        let drops = run.drops
        let row = run.times.withUnsafeBufferPointer { times in
            run.values.withUnsafeBufferPointer { values in
                drops.withUnsafeBufferPointer { drops in
                    Result { () throws(QueryError) in
                        try windowRow(labels, Columns(times: times, values: values, drops: drops), rangeMs, shift, body)
                    }
                }
            }
        }
        guard let row = try row.get() else { return nil }
        try use(steps.count)
        return row
    }

    private func windowRow(
        _ labels: Labels, _ columns: Columns, _ rangeMs: Int64, _ shift: TimeShift,
        _ body: (RangeWindowView, Int) throws(QueryError) -> Double?
    ) throws(QueryError) -> VectorRow? {
        var row = VectorRow(labels: labels, count: steps.count)
        var isEmpty = true
        var window = WindowEnds()
        var looked = 0
        for step in 0..<steps.count {
            let toMs = readTime(shift, step: step)
            window.move(columns, fromMs: toMs - rangeMs, toMs: toMs)
            guard window.first < window.end else { continue }
            looked += window.end - window.first
            if looked > valuesBetweenLooks {
                guard !isOverdue() else { throw QueryError.overdue }
                looked = 0
            }
            let view = columns.view(window, fromMs: toMs - rangeMs, toMs: toMs, stepMs: steps.time(step))
            guard let value = try body(view, step) else { continue }
            row.values[step] = value
            isEmpty = false
        }
        return isEmpty ? nil : row
    }

    /// What is inside a subquery, evaluated at the multiples of its step that all its windows hold.
    private mutating func inner(of subquery: Subquery) throws(QueryError) -> [RangeRow] {
        guard steps.count > 0 else { return [] }
        let stepMs = subquery.stepMs ?? limits.subqueryStepMs
        let fromMs = readTime(subquery.shift, step: 0) - subquery.rangeMs
        let toMs = readTime(subquery.shift, step: steps.count - 1)
        var startMs = fromMs / stepMs * stepMs
        if startMs < fromMs { startMs += stepMs }
        let inner = QuerySteps(startMs: startMs, endMs: toMs, stepMs: stepMs)
        guard inner.count <= limits.samples else {
            throw QueryError(.limit, "the subquery has \(inner.count) steps; a query may hold \(limits.samples) values")
        }
        return try atSteps(inner) { evaluation throws(QueryError) in
            try evaluation.vector(subquery.inner).compactMap { row in
                let samples = row.points(inner)
                return samples.count > 0 ? RangeRow(labels: row.labels, samples: samples) : nil
            }
        }
    }

    /// A range vector as an instant query's own result.
    mutating func rangeRows(_ expression: Expression) throws(QueryError) -> [RangeRow] {
        var rows: [RangeRow] = []
        switch expression.bare {
        case .range(let selector, let rangeMs):
            let toMs = readTime(selector.shift, step: 0)
            for series in try source.series(selector.selector) {
                let run = try samples(of: series, fromMs: toMs - rangeMs, toMs: toMs).withoutMarkers()
                guard run.count > 0 else { continue }
                try use(run.count)
                rows.append(RangeRow(labels: series.labels, samples: run))
            }
        case .subquery(let subquery): rows = try inner(of: subquery)
        default: preconditionFailure("the parser lets no \(expression.kind) stand for a range")
        }
        return rows.sorted { $0.labels < $1.labels }
    }
}
