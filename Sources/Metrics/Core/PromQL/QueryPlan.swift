package import MetricsAPI
package import Wire

/// A call of `query` that has been checked: what to evaluate, when, and where a page begins.
package struct QueryPlan: Sendable {
    package let expression: Expression
    /// What the expression reads, each selector once: whoever evaluates resolves them first.
    package let selectors: Set<Selector>
    package let steps: QuerySteps
    /// Whether it is a range query, also if its range has one time.
    package let isRange: Bool
    /// Points in this page.
    package let limit: Int
    private let resume: Resume?

    /// Different selectors of one expression: each goes through all series, if it names no metric.
    private static let mostSelectors = 200

    /// Where a page goes on: in the series with these labels, at this time.
    private struct Resume: Hashable {
        var labels: UInt64
        var timeMs: Int64
    }

    package init(_ params: Query.Params, now: Int64, patterns: @escaping PatternCompiler) throws(RPCError) {
        isRange = params.stepMs != nil
        limit = try AskedRange.points(inPage: params.limit)
        var asked = try Self.range(params, now: now)
        resume = try params.cursor.map { cursor throws(RPCError) in
            let (pinned, resume) = try Self.read(cursor)
            asked = try AskedRange(fromMs: pinned.fromMs, toMs: pinned.toMs, now: now)
            return resume
        }
        if let stepMs = params.stepMs {
            try asked.checkPoints(stepMs: stepMs)
            steps = QuerySteps(startMs: asked.fromMs, endMs: asked.toMs, stepMs: stepMs)
        } else {
            steps = QuerySteps(atMs: asked.toMs)
        }
        do throws(QueryError) {
            expression = try ExpressionParser.parse(params.query, patterns: patterns)
            guard !isRange || expression.kind == .scalar || expression.kind == .vector else {
                throw QueryError.notAtManyTimes(expression.kind)
            }
            selectors = expression.selectors
            guard selectors.count <= Self.mostSelectors else {
                throw QueryError(.limit, "\(selectors.count) different selectors; \(Self.mostSelectors) are the most")
            }
        } catch {
            throw error.refusal
        }
    }

    private static func range(_ params: Query.Params, now: Int64) throws(RPCError) -> AskedRange {
        guard params.stepMs != nil else {
            guard params.fromMs == nil, params.toMs == nil else {
                throw MetricsErrors.invalidRange("fromMs and toMs need a stepMs; an instant query has timeMs")
            }
            return try AskedRange(fromMs: params.timeMs ?? now, toMs: params.timeMs ?? now, now: now)
        }
        guard params.timeMs == nil else { throw MetricsErrors.invalidRange("timeMs and stepMs exclude each other") }
        return try AskedRange(fromMs: params.fromMs, toMs: params.toMs, now: now)
    }

    // MARK: Pages

    private static func read(_ cursor: String) throws(RPCError) -> (window: (fromMs: Int64, toMs: Int64), Resume) {
        let parts = cursor.utf8.count < 100 ? cursor.split(separator: ":") : []
        guard parts.count == 4, let fromMs = Int64(parts[0]), let toMs = Int64(parts[1]),
            let labels = UInt64(parts[2], radix: 16), let timeMs = Int64(parts[3])
        else { throw MetricsErrors.invalidCursor(cursor) }
        return ((fromMs, toMs), Resume(labels: labels, timeMs: timeMs))
    }

    private func cursor(_ labels: Labels, _ timeMs: Int64) -> String {
        let fromMs = isRange ? steps.startMs : steps.endMs
        return "\(fromMs):\(steps.endMs):\(String(labels.mark, radix: 16)):\(timeMs)"
    }

    /// The page of a result that was asked for.
    package func page(of result: QueryResult) throws(RPCError) -> Query.Reply {
        switch result {
        case .string(let text): return Query.Reply(type: .string, series: [], text: text)
        case .scalar(let values):
            let row = VectorRow(labels: Labels(""), values: values)
            return try page([row.labels], isRange ? .matrix : .scalar) { _ in row.points(steps) }
        case .vector(let rows):
            return try page(rows.map(\.labels), isRange ? .matrix : .vector) { rows[$0].points(steps) }
        case .range(let rows): return try page(rows.map(\.labels), .matrix) { rows[$0].samples }
        }
    }

    private func page(
        _ labels: [Labels], _ type: Query.ResultType, _ points: (Int) -> SampleRun
    ) throws(RPCError) -> Query.Reply {
        var reply = Query.Reply(type: type, series: [])
        var room = PageRoom(points: limit)
        var place = 0
        if let resume {
            // Series are known by their labels: one that came meanwhile moves none of them.
            guard let found = labels.firstIndex(where: { $0.mark == resume.labels }) else {
                throw MetricsErrors.invalidCursor("the series that it goes on with is not there any more")
            }
            place = found
        }
        var from = resume?.timeMs
        while place < labels.count {
            let run = points(place)
            let first = from.map { time in run.times.firstIndex { $0 >= time } ?? run.count } ?? 0
            let taken = min(run.count - first, room.points(of: labels[place]))
            if taken > 0 {
                room.take(taken, of: labels[place])
                reply.series.append(labels[place].series(run, first..<first + taken))
            }
            guard first + taken == run.count else {
                reply.next = cursor(labels[place], run.times[first + taken])
                break
            }
            from = nil
            place += 1
        }
        return reply
    }
}

extension Labels {
    /// A number for these labels that is the same in every run (FNV-1a, 64 bits). Each text ends with a byte that no text has:
    /// a metric may have a name that looks like another one's labels.
    fileprivate var mark: UInt64 {
        let texts = [metric] + pairs.flatMap { [$0.name, $0.value] }
        return texts.lazy.flatMap { Array($0.utf8) + [0xff] }.reduce(0xcbf2_9ce4_8422_2325) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
    }

    fileprivate func series(_ run: SampleRun, _ range: Range<Int>) -> SeriesPoints {
        SeriesPoints(
            name: metric, labels: map, points: range.map { Point(timeMs: run.times[$0], value: run.values[$0]) })
    }
}

extension Expression {
    /// All selectors in it.
    fileprivate var selectors: Set<Selector> {
        switch self {
        case .number, .string: []
        case .selector(let selector), .range(let selector, _): [selector.selector]
        case .subquery(let subquery): subquery.inner.selectors
        case .call(let call): call.arguments.reduce(into: []) { $0.formUnion($1.selectors) }
        case .aggregation(let aggregation):
            aggregation.inner.selectors.union(aggregation.parameter?.selectors ?? [])
        case .binary(let binary): binary.left.selectors.union(binary.right.selectors)
        case .negation(let inner), .identity(let inner), .parentheses(let inner): inner.selectors
        }
    }
}

extension QueryError {
    /// The error as a caller gets it.
    package var refusal: RPCError {
        switch reason {
        case .syntax: MetricsErrors.invalidQuery(position: position, problem: message)
        case .data: MetricsErrors.queryFailed(position: position, problem: message)
        case .limit: MetricsErrors.queryTooLarge(message)
        case .deadline: MetricsErrors.queryTooSlow(message)
        case .store: MetricsErrors.storeUnavailable(message)
        }
    }
}
