package import MetricsAPI
package import Wire

/// A range query that has been checked: what to read, and where a page begins.
package struct RangePlan: Hashable, Sendable {
    package var selector: Selector
    package var window: RangeWindow
    /// Points in this page.
    package var limit: Int
    /// The series that the page begins with, and the time in it.
    package var resumeSeries: SeriesID
    package var resumeMs: Int64

    package init(
        _ params: QueryRange.Params, now: Int64, patterns: @escaping PatternCompiler
    ) throws(RPCError) {
        selector = try RangePlan.selector(params.selector, patterns: patterns)
        limit = try AskedRange.points(inPage: params.limit)
        let stepMs = params.stepMs ?? 0
        guard stepMs >= 0 else { throw MetricsErrors.invalidRange("stepMs is \(stepMs)") }
        let asked: AskedRange
        if let cursor = params.cursor {
            let parts = try Self.parts(of: cursor)
            guard let series = UInt32(exactly: parts[2]), parts[0] <= parts[3] else {
                throw MetricsErrors.invalidCursor(cursor)
            }
            asked = try AskedRange(fromMs: parts[0], toMs: parts[1], now: now)
            guard parts[3] <= asked.toMs else { throw MetricsErrors.invalidCursor(cursor) }
            resumeSeries = SeriesID(series)
            resumeMs = parts[3]
        } else {
            asked = try AskedRange(fromMs: params.fromMs, toMs: params.toMs, now: now)
            resumeSeries = SeriesID(0)
            resumeMs = asked.fromMs
        }
        window = RangeWindow(fromMs: asked.fromMs, toMs: asked.toMs, stepMs: stepMs)
        if stepMs > 0 { try asked.checkPoints(stepMs: stepMs) }
    }

    private static func parts(of cursor: String) throws(RPCError) -> [Int64] {
        let parts = cursor.utf8.count < 100 ? cursor.split(separator: ":").compactMap { Int64($0) } : []
        guard parts.count == 4, parts.allSatisfy({ $0 >= 0 }) else { throw MetricsErrors.invalidCursor(cursor) }
        return parts
    }

    /// Series that one page looks at; what is beyond comes with the next.
    package static let mostSeries = 2000

    fileprivate func cursor(series: SeriesID, timeMs: Int64) -> String {
        "\(window.fromMs):\(window.toMs):\(series.value):\(timeMs)"
    }

    /// Reads a selector and names its problem as a refusal.
    package static func selector(_ text: String, patterns: @escaping PatternCompiler) throws(RPCError) -> Selector {
        do throws(QueryError) {
            guard case .selector(let vector) = try ExpressionParser.parse(text, patterns: patterns),
                vector.shift == TimeShift()
            else { throw QueryError(.syntax, at: 1, "expected a selector alone") }
            return vector.selector
        } catch {
            throw MetricsErrors.invalidSelector(text, position: error.position ?? 1, problem: error.message)
        }
    }

    /// The same where it may be left out: all series then.
    static func selector(orAll text: String?, patterns: @escaping PatternCompiler) throws(RPCError) -> Selector {
        guard let text else { return Selector([]) }
        return try selector(text, patterns: patterns)
    }

    /// The series that the page may read, in the order in which pages give them.
    package func series(in index: SeriesIndex) -> [SeriesID] {
        index.select(selector, after: SeriesID(resumeSeries.value == 0 ? 0 : resumeSeries.value - 1))
    }
}

/// A page being filled, series by series, until its points or the bytes of one frame are used up.
package struct RangePage: Sendable {
    fileprivate let plan: RangePlan
    private var room: PageRoom
    package private(set) var series: [SeriesPoints] = []
    /// The cursor of the next page; nil while everything fitted.
    package private(set) var next: String?

    package init(_ plan: RangePlan) {
        self.plan = plan
        room = PageRoom(points: plan.limit)
    }

    /// Adds one series' points.
    /// - Returns: whether there is room for another series.
    package mutating func add(_ id: SeriesID, labels: Labels, cursor: inout SampleCursor) -> Bool {
        let resumeMs = id == plan.resumeSeries ? plan.resumeMs : plan.window.fromMs
        let most = room.points(of: labels)
        guard most > 0 else {
            next = plan.cursor(series: id, timeMs: resumeMs)
            return false
        }
        let (points, nextMs) = plan.window.points(of: &cursor, resumeMs: resumeMs, limit: most)
        if !points.isEmpty {
            room.take(points.count, of: labels)
            series.append(labels.points(points))
        }
        if let nextMs { next = plan.cursor(series: id, timeMs: nextMs) }
        return nextMs == nil
    }
}

extension RangePage {
    /// The page ends before this series, which was not looked at; nothing where it ended earlier by itself.
    package mutating func end(before id: SeriesID) {
        if next == nil { next = plan.cursor(series: id, timeMs: plan.window.fromMs) }
    }
}

extension Labels {
    /// The labels as messages carry them.
    package var map: [String: String] {
        Dictionary(pairs.map { ($0.name, $0.value) }) { first, _ in first }
    }

    fileprivate func points(_ samples: [Sample]) -> SeriesPoints {
        SeriesPoints(name: metric, labels: map, points: samples.map { Point(timeMs: $0.timeMs, value: $0.value) })
    }

    /// The labels of a message.
    package init(name: String, map: [String: String]) {
        self.init(name, map.map { Label($0.key, $0.value) })
    }
}
