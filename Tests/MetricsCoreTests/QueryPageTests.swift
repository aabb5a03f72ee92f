import MetricsAPI
import MetricsCore
import Testing
import Time
import Wire

@Suite("Pages of query")
struct QueryPageTests {
    private static func reply(_ params: Query.Params, _ samples: MemorySamples) throws -> Query.Reply {
        let plan = try QueryPlan(params, now: 0, patterns: TestPatterns.compile)
        var evaluation = Evaluation(samples, steps: plan.steps, patterns: TestPatterns.compile)
        return try plan.page(of: try evaluation.run(plan.expression))
    }

    /// The text of each series and all its points.
    private static func flat(_ series: [SeriesPoints]) -> [String] {
        series.flatMap { series in
            series.points.map {
                "\(Labels(name: series.name, map: series.labels)) \($0.timeMs) \(SampleValue.text($0.value.value))"
            }
        }
    }

    private static func all(_ params: Query.Params, _ samples: MemorySamples) throws -> (lines: [String], pages: Int) {
        var params = params
        var lines: [String] = []
        var pages = 0
        repeat {
            let reply = try reply(params, samples)
            try #require(!reply.series.isEmpty || reply.next == nil)
            #expect(reply.series.map(\.points.count).reduce(0, +) <= params.limit ?? 11_000)
            lines += flat(reply.series)
            params.cursor = reply.next
            pages += 1
            try #require(pages < 1000)
        } while params.cursor != nil
        return (lines, pages)
    }

    private static let samples = MemorySamples([
        "x{n=\"a\"}": "1 2 stale _ 5 NaN 7", "x{n=\"b\"}": "_ 2 3 stale", "x{n=\"c\"}": "_ _ _ _ _ +Inf", "x": "1",
        "x{n=\"d\"}": "_ _ _ _ _ _ _ _ _ 9 stale",
    ])

    @Test(
        "Following next with any limit gives what one page gives",
        arguments: [
            Query.Params(query: "x", fromMs: 0, toMs: 600_000, stepMs: 60_000),
            Query.Params(query: "x", fromMs: 0, toMs: 615_000, stepMs: 60_000),
            Query.Params(query: "time()", fromMs: 0, toMs: 615_000, stepMs: 60_000),
            Query.Params(query: "x[10m]", timeMs: 600_000), Query.Params(query: "x[10m:45s]", timeMs: 600_000),
            Query.Params(query: "x", timeMs: 300_000), Query.Params(query: "sort_desc(x)", timeMs: 300_000),
            Query.Params(query: "topk(3, x)", timeMs: 300_000), Query.Params(query: "x offset 5m", timeMs: 600_000),
        ])
    func anyLimit(params: Query.Params) throws {
        let whole = Self.flat(try Self.reply(params, Self.samples).series)
        #expect(whole.count > 2)
        for limit in 1...whole.count + 1 {
            var paged = params
            paged.limit = limit
            let (lines, pages) = try Self.all(paged, Self.samples)
            #expect(lines == whole, "limit \(limit)")
            #expect(pages == (whole.count + limit - 1) / limit, "limit \(limit)")
        }
    }

    @Test("A page keeps its time: what now is when the next is asked does not matter")
    func pinned() throws {
        let patterns = TestPatterns.compile
        for params in [Query.Params(query: "x", limit: 1), Query.Params(query: "x", stepMs: 60_000, limit: 1)] {
            let plan = try QueryPlan(params, now: 300_000, patterns: patterns)
            var evaluation = Evaluation(Self.samples, steps: plan.steps, patterns: patterns)
            var next = params
            next.cursor = try plan.page(of: try evaluation.run(plan.expression)).next
            #expect(next.cursor != nil)
            #expect(try QueryPlan(next, now: 999_000_000, patterns: patterns).steps == plan.steps)
        }
    }

    @Test("A series that comes between two pages moves nothing")
    func coming() throws {
        var params = Query.Params(query: "x", fromMs: 0, toMs: 600_000, stepMs: 60_000, limit: 4)
        let whole = Self.flat(
            try Self.reply(Query.Params(query: "x", fromMs: 0, toMs: 600_000, stepMs: 60_000), Self.samples).series)
        for number in 1...whole.count / 4 {
            params.cursor = nil
            var lines: [String] = []
            for _ in 0..<number {
                let reply = try Self.reply(params, Self.samples)
                lines += Self.flat(reply.series)
                params.cursor = reply.next
            }
            guard params.cursor != nil else { continue }
            // Before all others, and between them.
            var more = Self.samples
            more.add("x{a=\"new\"}", "1 2 3")
            more.add("x{n=\"aa\"}", "1 2 3")
            lines += try Self.all(params, more).lines
            #expect(lines.filter { !$0.contains("new") && !$0.contains("aa") } == whole)
        }
    }

    @Test("Where the series that a page goes on with is gone, the cursor is refused")
    func going() throws {
        var params = Query.Params(query: "x", fromMs: 0, toMs: 600_000, stepMs: 60_000, limit: 8)
        let reply = try Self.reply(params, Self.samples)
        params.cursor = reply.next
        let later = try Self.reply(params, Self.samples)
        let resumed = try #require(later.series.first)
        var fewer = Self.samples
        fewer.held.removeAll { $0.labels == Labels(name: resumed.name, map: resumed.labels) }
        let refusal = #expect(throws: RPCError.self) { try Self.reply(params, fewer) }
        #expect(refusal?.name == "invalidCursor")
        // Another one that goes does not matter.
        var other = Self.samples
        other.held.removeAll { $0.labels == Labels(name: reply.series[0].name, map: reply.series[0].labels) }
        #expect(Self.flat(try Self.reply(params, other).series) == Self.flat(later.series))
    }

    @Test("A cursor that is none of this method's is refused or answered, never a crash")
    func garbage() throws {
        let params = Query.Params(query: "x", fromMs: 0, toMs: 600_000, stepMs: 60_000, limit: 4)
        let good = try #require(try Self.reply(params, Self.samples).next)
        let words = [
            "", ":", "::::", "1:2:3", "1:2:3:4", "1:2:3:4:5", "-1:5:0:0", "5:4:0:0", "0:0:zz:0", "a:b:c:d", "é:1:1:1",
            "0:600000:ffffffffffffffff:0",
            "0:99999999999999999999:0:0", "0:9223372036854775807:0:0", "-9223372036854775808:9223372036854775807:0:0",
            "0:600000:\(UInt64.max):1",
            "0:600000:-1:0", "+0:+5:0:0", String(repeating: "1", count: 5000), String(repeating: ":", count: 99),
            good + "0", good + ":", "x" + good,
            "\(good.dropLast())", good.replacing(":", with: "::"), "0:1000000000000:0:0",
        ]
        for word in words {
            for stepMs in [nil, 1, 60_000] as [Int64?] {
                let asked = Query.Params(query: "x", stepMs: stepMs, limit: 4, cursor: word)
                do { _ = try Self.reply(asked, Self.samples) } catch let refusal as RPCError {
                    #expect(["invalidCursor", "invalidRange", "tooManyPoints"].contains(refusal.name), "\(word)")
                }
            }
        }
        var random = SeededRandom(seed: 1)
        for _ in 0..<2000 {
            var bytes = Array(good.utf8)
            let place = Int.random(in: 0..<bytes.count, using: &random)
            bytes[place] = UInt8.random(in: 0...127, using: &random)
            let asked = Query.Params(
                query: "x", stepMs: 60_000, limit: 4, cursor: String(decoding: bytes, as: UTF8.self))
            do { _ = try Self.reply(asked, Self.samples) } catch { #expect(error is RPCError) }
        }
    }

    @Test("Two series that are spelled alike, by a name that is none, are two series for pages too")
    func spelledAlike() throws {
        let named = #"label_replace(x{n="b"}, "__name__", "x{n=\"b\"}", "", "")"#
        let twin = "label_replace(\(named), \"n\", \"\", \"\", \"\")"
        var params = Query.Params(query: "x{n=\"b\"} or \(twin)", timeMs: 60_000)
        let whole = Self.flat(try Self.reply(params, Self.samples).series)
        #expect(whole.count == 2)
        params.limit = 1
        #expect(try Self.all(params, Self.samples).lines == whole)
    }

    @Test("A time in a cursor that is past its series' last value ends the series, not the page")
    func pastTheEnd() throws {
        let params = Query.Params(query: "x", fromMs: 0, toMs: 600_000, stepMs: 60_000, limit: 4)
        let good = try #require(try Self.reply(params, Self.samples).next)
        let late = good.split(separator: ":").dropLast().joined(separator: ":") + ":600001"
        var asked = params
        asked.cursor = late
        let reply = try Self.reply(asked, Self.samples)
        #expect(!reply.series.isEmpty)
    }

    @Test("A page stays under a frame's bytes, and a series whose labels fill one has its points all the same")
    func bytes() throws {
        let long = Labels("x", [Label("of", String(repeating: "y", count: 800_000))])
        let samples = MemorySamples([(long, [(0, 1), (60_000, 2)]), (Labels("z"), [(0, 3)])])
        let params = Query.Params(query: "{__name__!=\"\"}", fromMs: 0, toMs: 60_000, stepMs: 60_000)
        let (lines, pages) = try Self.all(params, samples)
        #expect(lines.count == 4 && pages == 3)
    }
}
