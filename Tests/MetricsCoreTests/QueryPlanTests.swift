import MetricsAPI
import MetricsCore
import Testing
import Time
import Wire

@Suite("Calls of query")
struct QueryPlanTests {
    private static let now: Int64 = 1_795_506_583_000

    private static func plan(_ params: Query.Params) throws(RPCError) -> QueryPlan {
        try QueryPlan(params, now: now, patterns: TestPatterns.compile)
    }

    private static func reply(_ params: Query.Params, _ samples: MemorySamples) throws -> Query.Reply {
        let plan = try plan(params)
        var evaluation = Evaluation(samples, steps: plan.steps, patterns: TestPatterns.compile)
        return try plan.page(of: try evaluation.run(plan.expression))
    }

    @Test("A plan fills in what was not asked")
    func defaults() throws {
        let instant = try Self.plan(Query.Params(query: "up"))
        #expect(instant.steps == QuerySteps(atMs: Self.now) && !instant.isRange && instant.limit == 11_000)
        #expect(try Self.plan(Query.Params(query: "up", timeMs: 5)).steps == QuerySteps(atMs: 5))
        let range = try Self.plan(Query.Params(query: "up", stepMs: 1000))
        #expect(
            range.steps == QuerySteps(startMs: Self.now - 3_600_000, endMs: Self.now, stepMs: 1000) && range.isRange)
        let early = try Self.plan(Query.Params(query: "up", toMs: 1000, stepMs: 300))
        #expect(early.steps == QuerySteps(startMs: 0, endMs: 1000, stepMs: 300) && early.steps.count == 4)
        let later = try Self.plan(Query.Params(query: "up", fromMs: Self.now + 5, stepMs: 1))
        #expect(later.steps.count == 1 && later.isRange)
        #expect(try Self.plan(Query.Params(query: "up", fromMs: 0, toMs: 10_999, stepMs: 1)).steps.count == 11_000)
        #expect(try Self.plan(Query.Params(query: "up", fromMs: 7, toMs: 7, stepMs: .max)).steps.count == 1)
    }

    @Test(
        "Parameters that make no sense are refused, each by its name",
        arguments: [
            (Query.Params(query: ""), "invalidQuery"), (Query.Params(query: "up{"), "invalidQuery"),
            (Query.Params(query: "up[5m]", stepMs: 1000), "invalidQuery"),
            (Query.Params(query: "\"text\"", stepMs: 1000), "invalidQuery"),
            (Query.Params(query: "up[5m:1m]", fromMs: 0, toMs: 0, stepMs: 1000), "invalidQuery"),
            (Query.Params(query: "up", fromMs: 0), "invalidRange"),
            (Query.Params(query: "up", toMs: 0), "invalidRange"),
            (Query.Params(query: "up", timeMs: 0, stepMs: 1000), "invalidRange"),
            (Query.Params(query: "up", timeMs: 0, fromMs: 0), "invalidRange"),
            (Query.Params(query: "up", timeMs: -1), "invalidRange"),
            (Query.Params(query: "up", timeMs: .max), "invalidRange"),
            (Query.Params(query: "up", stepMs: 0), "invalidRange"),
            (Query.Params(query: "up", stepMs: -1), "invalidRange"),
            (Query.Params(query: "up", fromMs: 5, toMs: 4, stepMs: 1), "invalidRange"),
            (Query.Params(query: "up", fromMs: -1, toMs: 4, stepMs: 1), "invalidRange"),
            (Query.Params(query: "up", toMs: .max, stepMs: 1000), "invalidRange"),
            (Query.Params(query: "up", limit: 0), "invalidRange"),
            (Query.Params(query: "up", limit: 11_001), "invalidRange"),
            (Query.Params(query: "up", limit: .min), "invalidRange"),
            (Query.Params(query: "up", fromMs: 0, toMs: 11_000, stepMs: 1), "tooManyPoints"),
            (Query.Params(query: "up", fromMs: 0, toMs: 253_402_300_799_999, stepMs: 1), "tooManyPoints"),
            (Query.Params(query: "up", cursor: ""), "invalidCursor"),
            (Query.Params(query: "up", cursor: "1:2"), "invalidCursor"),
        ])
    func refusals(params: Query.Params, name: String) {
        let refusal = #expect(throws: RPCError.self) { try Self.plan(params) }
        #expect(refusal?.name == name)
    }

    @Test("Times at the ends of Int64 are refused as others are")
    func farTimes() {
        for time in [.min, .min + 1, .max - 1, .max] as [Int64] {
            for params in [
                Query.Params(query: "up", timeMs: time), Query.Params(query: "up", toMs: time, stepMs: 1000),
                Query.Params(query: "up", fromMs: time, stepMs: 1000),
                Query.Params(query: "up", fromMs: time, toMs: time, stepMs: 1),
                Query.Params(query: "up", fromMs: .min, toMs: .max, stepMs: .max),
            ] {
                let refusal = #expect(throws: RPCError.self) { try Self.plan(params) }
                #expect(refusal?.name == "invalidRange")
            }
        }
    }

    @Test("The step that is proposed where there are too many points is taken")
    func proposedStep() {
        for toMs in [11_000, 12_345_678, 253_402_300_799_999] as [Int64] {
            let refusal = #expect(throws: RPCError.self) {
                try Self.plan(Query.Params(query: "up", fromMs: 0, toMs: toMs, stepMs: 1))
            }
            guard case .integer(let step) = refusal?.details["leastStepMs"] else {
                Issue.record("no step is proposed")
                continue
            }
            #expect(throws: Never.self) {
                try Self.plan(Query.Params(query: "up", fromMs: 0, toMs: toMs, stepMs: step))
            }
        }
    }

    @Test("A refusal of the expression has the place of its problem")
    func places() {
        let refusal = #expect(throws: RPCError.self) { try Self.plan(Query.Params(query: "1 + foo(up)")) }
        #expect(refusal == MetricsErrors.invalidQuery(position: 5, problem: "unknown function with name \"foo\""))
    }

    @Test("Each kind of result has Prometheus's word")
    func types() throws {
        let samples = MemorySamples(["x{a=\"b\"}": "1 2"])
        let cases: [(Query.Params, Query.ResultType, [SeriesPoints])] = [
            (
                Query.Params(query: "1 + 1", timeMs: 5), .scalar,
                [SeriesPoints(name: "", labels: [:], points: [Point(timeMs: 5, value: 2)])]
            ),
            (Query.Params(query: "\"text\"", timeMs: 5), .string, []),
            (
                Query.Params(query: "x", timeMs: 90_000), .vector,
                [SeriesPoints(name: "x", labels: ["a": "b"], points: [Point(timeMs: 90_000, value: 2)])]
            ),
            (
                Query.Params(query: "x[1m]", timeMs: 90_000), .matrix,
                [SeriesPoints(name: "x", labels: ["a": "b"], points: [Point(timeMs: 60_000, value: 2)])]
            ),
            (
                Query.Params(query: "1", fromMs: 0, toMs: 2, stepMs: 2), .matrix,
                [SeriesPoints(name: "", labels: [:], points: [Point(timeMs: 0, value: 1), Point(timeMs: 2, value: 1)])]
            ),
            (
                Query.Params(query: "x", fromMs: 0, toMs: 0, stepMs: 1), .matrix,
                [SeriesPoints(name: "x", labels: ["a": "b"], points: [Point(timeMs: 0, value: 1)])]
            ),
            (Query.Params(query: "none", timeMs: 0), .vector, []),
            (Query.Params(query: "none", fromMs: 0, toMs: 0, stepMs: 1), .matrix, []),
        ]
        for (params, type, series) in cases {
            let reply = try Self.reply(params, samples)
            #expect(reply.type == type && reply.series == series && reply.next == nil, "\(params.query)")
            #expect(reply.text == (type == .string ? "text" : nil))
        }
    }

    @Test("The selectors of an expression are all that it reads")
    func selectors() throws {
        let text = "topk(scalar(a), b offset 5m) + on() -c[5m:1m] or max_over_time(abs(d)[5m:1m]) * (rate(e[5m]) > a)"
        let fixed = text.replacing("-c[5m:1m]", with: "-c")
        let plan = try Self.plan(Query.Params(query: fixed))
        #expect(plan.selectors == Set(["a", "b", "c", "d", "e"].map { Selector([Matcher("__name__", .equal, $0)]) }))
        #expect(try Self.plan(Query.Params(query: "1 + time()")).selectors.isEmpty)
    }
}
