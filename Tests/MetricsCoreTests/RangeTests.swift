import MetricsAPI
import MetricsCore
import Testing
import Time
import Wire

@Suite("Range queries")
struct RangeTests {
    private static func view(block: Int64, _ samples: [(Int64, Double)]) -> ChunkView {
        var encoder = ValueEncoder()
        for sample in samples { encoder.append(sample.1.bitPattern) }
        return ChunkView(
            block: block, times: samples.map(\.0),
            chunk: Chunk(series: SeriesID(1), start: 0, count: samples.count, bits: encoder.bits))
    }

    /// The same question answered the slow, plain way.
    private static func expected(_ samples: [(Int64, Double)], _ window: RangeWindow) -> [Point] {
        if window.stepMs == 0 {
            return samples.filter { $0.0 >= window.fromMs && $0.0 <= window.toMs && $0.1.bitPattern != Staleness.bits }
                .map { Point(timeMs: $0.0, value: $0.1) }
        }
        return stride(from: window.fromMs, through: window.toMs, by: Int64.Stride(window.stepMs)).compactMap { time in
            guard let latest = samples.last(where: { $0.0 <= time }), latest.0 >= time - 300_000,
                latest.1.bitPattern != Staleness.bits
            else { return nil }
            return Point(timeMs: time, value: latest.1)
        }
    }

    @Test(
        "Points are those of Prometheus's rules, with gaps, stale markers and pages of any size",
        arguments: 0..<60 as Range<UInt64>)
    func likeTheModel(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var time: Int64 = 1_000_000
        var samples: [(Int64, Double)] = []
        for index in 0..<400 {
            time += random.next() % 50 == 0 ? Int64(random.next() % 900_000) : 1000
            time += 1
            samples.append((time, random.next() % 20 == 0 ? Staleness.value : Double(index)))
        }
        let cut = Int(random.next() % 399) + 1
        let views = [
            Self.view(block: 2, Array(samples[cut...])), Self.view(block: 1, Array(samples[..<cut])),
        ]
        let steps: [Int64] = [0, 1, 777, 1000, 15_000, 60_000, 3_600_000]
        for step in steps {
            let from = 900_000 + Int64(random.next() % 500_000)
            let window = RangeWindow(fromMs: from, toMs: step == 1 ? from + 10_000 : time + 400_000, stepMs: step)
            let limit = Int(random.next() % 100) + 1
            var found: [Point] = []
            var resume: Int64? = window.fromMs
            while let start = resume {
                var cursor = SampleCursor(views)
                let page = window.points(of: &cursor, resumeMs: start, limit: limit)
                #expect(page.points.count <= limit)
                found += page.points.map { Point(timeMs: $0.timeMs, value: $0.value) }
                resume = page.nextMs
            }
            #expect(found == Self.expected(samples, window), "step \(step)")
        }
    }

    @Test("Where the clock was set back the later measurement counts, and each time appears once")
    func overlappingBlocks() {
        let views = [
            Self.view(block: 1, [(1000, 1), (2000, 2), (3000, 3)]), Self.view(block: 2, [(2000, 20), (2500, 25)]),
            Self.view(block: 2, [(2000, 20), (2500, 25)]),
        ]
        var cursor = SampleCursor(views)
        var found: [Sample] = []
        while let sample = cursor.next() { found.append(sample) }
        #expect(found.map(\.timeMs) == [1000, 2000, 2500, 3000])
        #expect(found.map(\.value) == [1, 20, 25, 3])
    }

    @Test("A plan fills in what was not asked, and refuses what makes no sense")
    func planning() throws {
        let now: Int64 = 1_795_506_583_000
        let plan = try RangePlan(QueryRange.Params(selector: "up"), now: now, patterns: TestPatterns.compile)
        #expect(plan.window == RangeWindow(fromMs: now - 3_600_000, toMs: now, stepMs: 0))
        #expect(plan.limit == 11_000)
        let bad: [(QueryRange.Params, String)] = [
            (QueryRange.Params(selector: "up{"), "invalidSelector"),
            (QueryRange.Params(selector: "up[5m]"), "invalidSelector"),
            (QueryRange.Params(selector: "up offset 5m"), "invalidSelector"),
            (QueryRange.Params(selector: "up @ end()"), "invalidSelector"),
            (QueryRange.Params(selector: "(up)"), "invalidSelector"),
            (QueryRange.Params(selector: "sum(up)"), "invalidSelector"),
            (QueryRange.Params(selector: "1"), "invalidSelector"),
            (QueryRange.Params(selector: "up", fromMs: 5, toMs: 4), "invalidRange"),
            (QueryRange.Params(selector: "up", fromMs: -1), "invalidRange"),
            (QueryRange.Params(selector: "up", stepMs: -1), "invalidRange"),
            (QueryRange.Params(selector: "up", limit: 0), "invalidRange"),
            (QueryRange.Params(selector: "up", toMs: .max), "invalidRange"),
            (QueryRange.Params(selector: "up", fromMs: 0, toMs: 11_000, stepMs: 1), "tooManyPoints"),
            (QueryRange.Params(selector: "up", cursor: "1:2"), "invalidCursor"),
            (QueryRange.Params(selector: "up", cursor: "1:9:99999999999:3"), "invalidCursor"),
            (QueryRange.Params(selector: "up", cursor: "5:9:1:3"), "invalidCursor"),
        ]
        for (params, name) in bad {
            let refusal = #expect(throws: RPCError.self) {
                try RangePlan(params, now: now, patterns: TestPatterns.compile)
            }
            #expect(refusal?.name == name, "\(params)")
        }
        let edge = try RangePlan(
            QueryRange.Params(selector: "up", fromMs: 0, toMs: 10_999, stepMs: 1), now: now,
            patterns: TestPatterns.compile)
        #expect(edge.window.toMs == 10_999)
    }

    @Test("Times at the ends of Int64 are refused as others are")
    func farTimes() {
        for time in [.min, .min + 1, .max - 1, .max] as [Int64] {
            for params in [
                QueryRange.Params(selector: "up", toMs: time), QueryRange.Params(selector: "up", fromMs: time),
                QueryRange.Params(selector: "up", fromMs: .min, toMs: time),
            ] {
                let refusal = #expect(throws: RPCError.self) {
                    try RangePlan(params, now: 0, patterns: TestPatterns.compile)
                }
                #expect(refusal?.name == "invalidRange")
            }
        }
    }

    @Test("Pages over several series give every point once, in the same order")
    func pagesOverSeries() throws {
        var index = SeriesIndex(limit: 10)
        var views: [SeriesID: ChunkView] = [:]
        for number in 0..<5 {
            let resolved = index.resolve(Labels("up", [Label("n", "\(number)")]))
            let id = try #require(resolved).id
            views[id] = Self.view(block: 1, (1...40).map { (Int64($0) * 1000, Double(number * 100 + $0)) })
        }
        var params = QueryRange.Params(selector: "up", fromMs: 0, toMs: 100_000, stepMs: 1000, limit: 33)
        var found: [String: [Point]] = [:]
        var pages = 0
        repeat {
            let plan = try RangePlan(params, now: 0, patterns: TestPatterns.compile)
            var page = RangePage(plan)
            for id in plan.series(in: index) {
                var cursor = SampleCursor([try #require(views[id])])
                let labels = try #require(index[id])
                if !page.add(id, labels: labels, cursor: &cursor) { break }
            }
            for series in page.series { found[series.labels["n"] ?? "", default: []] += series.points }
            params.cursor = page.next
            pages += 1
        } while params.cursor != nil
        #expect(pages == 5 * 100 / 33 + 1)
        for number in 0..<5 {
            let points = try #require(found["\(number)"])
            #expect(points.count == 100)
            #expect(points.first == Point(timeMs: 1000, value: Double(number * 100 + 1)))
            #expect(points.last == Point(timeMs: 100_000, value: Double(number * 100 + 40)))
        }
    }

    @Test("Retention drops the oldest by age and by size, never more than it must")
    func retention() {
        let segments = (1...10).map { StoredSegment(number: Int64($0), toMs: Int64($0) * 1000, sizeBytes: 100) }
        #expect(Retention(ageMs: 5000, sizeBytes: 10_000).expired(segments, nowMs: 9000) == [1, 2, 3])
        #expect(Retention(ageMs: 50_000, sizeBytes: 350).expired(segments, nowMs: 9000) == [1, 2, 3, 4, 5, 6, 7])
        #expect(Retention(ageMs: 50_000, sizeBytes: 1000).expired(segments, nowMs: 9000) == [])
        #expect(Retention(ageMs: 0, sizeBytes: 0).expired([], nowMs: 9000) == [])
        #expect(Retention(ageMs: 5000, sizeBytes: 10_000).expired(segments, nowMs: nil) == [])
        #expect(Retention(ageMs: 5000, sizeBytes: 900).expired(segments, nowMs: nil) == [1])
    }
}
