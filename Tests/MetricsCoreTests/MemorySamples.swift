import MetricsAPI
import MetricsCore

/// Series in memory, in the order in which they were given.
struct MemorySamples: SampleSource {
    struct Series {
        var labels: Labels
        var run: SampleRun
    }

    var held: [Series] = []
    /// Calls of `samples` so far.
    private(set) var reads = 0
    /// What `samples` throws once it has answered `readsBeforeFailure` times.
    var failure: QueryError?
    var readsBeforeFailure = 0

    init(_ held: [(Labels, [(Int64, Double)])]) {
        self.held = held.map { labels, samples in
            Series(labels: labels, run: SampleRun(times: samples.map(\.0), values: samples.map(\.1)))
        }
    }

    /// Series by their text, each with its values from 1970 on at an even distance: `_` is none, `stale` a marker.
    init(every stepMs: Int64 = 60_000, _ held: KeyValuePairs<String, String> = [:]) {
        for (name, values) in held { add(name, values, every: stepMs) }
    }

    mutating func add(_ name: String, _ values: String, from fromMs: Int64 = 0, every stepMs: Int64 = 60_000) {
        let labels = Array(name.utf8).withUnsafeBytes { Exposition.labels($0) }
        guard let labels else { preconditionFailure("\(name) is no series") }
        var run = SampleRun()
        for (place, word) in values.split(separator: " ").enumerated() where word != "_" {
            let value = word == "stale" ? Staleness.value : SampleValue.number(String(word))
            guard let value else { preconditionFailure("\(word) is no value") }
            run.append(fromMs + Int64(place) * stepMs, value)
        }
        held.append(Series(labels: labels, run: run))
    }

    func series(_ selector: Selector) throws(QueryError) -> [SourceSeries] {
        held.indices.filter { selector.matches(held[$0].labels) }.map {
            SourceSeries(id: SeriesID(UInt32($0) + 1), labels: held[$0].labels)
        }
    }

    mutating func samples(
        of series: SourceSeries, fromMs: Int64, toMs: Int64, atMost most: Int
    ) throws(QueryError) -> SampleRun {
        if let failure, reads >= readsBeforeFailure { throw failure }
        reads += 1
        let all = held[Int(series.id.value) - 1].run
        let kept = all.times.indices.filter { all.times[$0] >= fromMs && all.times[$0] <= toMs }
        guard kept.count <= most else { throw QueryError.tooLarge(most) }
        return SampleRun(times: kept.map { all.times[$0] }, values: kept.map { all.values[$0] })
    }
}

extension MemorySamples {
    func result(_ text: String, _ steps: QuerySteps, limits: QueryLimits = QueryLimits()) throws -> QueryResult {
        let expression = try ExpressionParser.parse(text, patterns: TestPatterns.compile)
        var evaluation = Evaluation(self, steps: steps, limits: limits, patterns: TestPatterns.compile)
        return try evaluation.run(expression)
    }

    /// An instant query's answer: a line a series, `name{…} value`, of a range vector `name{…} value@second …`.
    func at(_ seconds: Double, _ text: String) throws -> [String] {
        let steps = QuerySteps(atMs: Int64(seconds * 1000))
        return switch try result(text, steps) {
        case .scalar(let values): values.map { SampleValue.text($0) }
        case .string(let text): [text]
        case .vector(let rows):
            rows.map { "\(Self.name($0.labels)) \($0.points(steps).values.map { SampleValue.text($0) }[0])" }
        case .range(let rows): rows.map { "\(Self.name($0.labels)) \(Self.points($0.samples))" }
        }
    }

    /// The answer at many seconds: a line a series, `name{…} value@second …`.
    func over(_ seconds: ClosedRange<Int64>, step: Int64, _ text: String) throws -> [String] {
        let steps = QuerySteps(
            startMs: seconds.lowerBound * 1000, endMs: seconds.upperBound * 1000, stepMs: step * 1000)
        return switch try result(text, steps) {
        case .scalar(let values): [Self.points(VectorRow(labels: Labels(""), values: values).points(steps))]
        case .string(let text): [text]
        case .vector(let rows): rows.map { "\(Self.name($0.labels)) \(Self.points($0.points(steps)))" }
        case .range(let rows): rows.map { "\(Self.name($0.labels)) \(Self.points($0.samples))" }
        }
    }

    /// The one number of an instant query's answer.
    func number(_ seconds: Double, _ text: String) throws -> Double? {
        let lines = try at(seconds, text)
        return lines.count == 1 ? lines[0].split(separator: " ").last.flatMap { SampleValue.number(String($0)) } : nil
    }

    private static func name(_ labels: Labels) -> String {
        labels.description.isEmpty ? "{}" : labels.description
    }

    private static func points(_ run: SampleRun) -> String {
        zip(run.times, run.values).map { time, value in
            "\(SampleValue.text(value))@\(SampleValue.text(Double(time) / 1000))"
        }.joined(separator: " ")
    }
}

/// Whether two numbers are the same but for rounding.
func isClose(_ found: Double?, _ expected: Double) -> Bool {
    guard let found else { return false }
    return found == expected || abs(found - expected) <= 1e-9 * max(1, abs(expected))
}
