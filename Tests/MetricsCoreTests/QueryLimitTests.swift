import MetricsCore
import Testing
import Wire

@Suite("What a query may cost")
struct QueryLimitTests {
    /// Counts what is asked of it, also by a copy of it.
    private final class Counter {
        var count = 0
    }

    /// Counts reads, and answers them from memory.
    private struct Counted: SampleSource {
        var samples: MemorySamples
        let reads: Counter

        func series(_ selector: Selector) throws(QueryError) -> [SourceSeries] { try samples.series(selector) }

        mutating func samples(
            of series: SourceSeries, fromMs: Int64, toMs: Int64, atMost most: Int
        ) throws(QueryError) -> SampleRun {
            reads.count += 1
            return try samples.samples(of: series, fromMs: fromMs, toMs: toMs, atMost: most)
        }
    }

    private func many(_ count: Int, _ values: String = "1 2 3") -> MemorySamples {
        var samples = MemorySamples()
        for number in 0..<count { samples.add("x{n=\"\(number)\"}", values) }
        return samples
    }

    private func limits(_ samples: Int) -> QueryLimits {
        var limits = QueryLimits()
        limits.samples = samples
        return limits
    }

    private func problem(_ text: String, _ samples: MemorySamples, _ steps: QuerySteps, _ most: Int) -> QueryError? {
        #expect(throws: QueryError.self, "\(text)") { try samples.result(text, steps, limits: limits(most)) }
    }

    @Test("Values that are held count, and one too many is refused")
    func held() throws {
        // Ten series at one step, and the three values of the one that is read.
        #expect(throws: Never.self) { try many(10).result("x", QuerySteps(atMs: 120_000), limits: limits(12)) }
        #expect(problem("x", many(10), QuerySteps(atMs: 120_000), 9)?.reason == .limit)
        let steps = QuerySteps(startMs: 0, endMs: 120_000, stepMs: 1000)
        #expect(throws: Never.self) { try many(10).result("x", steps, limits: limits(10 * 121 + 3)) }
        #expect(problem("x", many(10), steps, 10 * 121 - 1)?.reason == .limit)
        #expect(problem("x[2m]", many(10), QuerySteps(atMs: 120_000), 29)?.reason == .limit)
        #expect(
            problem(
                "x", many(1, Array(repeating: "1", count: 500).joined(separator: " ")), QuerySteps(atMs: 300_000), 5)?
                .reason
                == .limit, "values read count while they are read")
    }

    @Test("What operators make counts too, however few series the result has")
    func made() throws {
        let steps = QuerySteps(startMs: 0, endMs: 120_000, stepMs: 1000)
        for text in [
            "1 + 1", "sum(x)", "sum by (n) (x)", "x + x", "topk(1, x)", "count_values(\"v\", x)", "rate(x[1m])",
            "x * on() group_left vector(1)",
            "max_over_time(x[1m:1s])", "histogram_quantile(0.5, x)", "x or x", "quantile(0.5, x)", "vector(1)",
        ] {
            #expect(problem(text, many(3), steps, 100)?.reason == .limit, "\(text)")
        }
    }

    @Test("What functions without a vector make counts too: within a subquery these are millions of values")
    func madeOfNothing() {
        let steps = QuerySteps(startMs: 0, endMs: 120_000, stepMs: 1000)
        for text in [
            "time() + (time() + (time() + time()))", "pi() * (pi() * (pi() * pi()))", "vector(time())", "hour()",
            "max_over_time(vector(time() + (time() + (time() + time())))[30s:1s])",
        ] {
            #expect(problem(text, MemorySamples(), steps, 100)?.reason == .limit, "\(text)")
        }
    }

    @Test("A refusal says what would help")
    func message() {
        let found = problem("x", many(10), QuerySteps(atMs: 0), 5)
        #expect(found?.position == nil)
        #expect(found?.message == "the query goes through more than 5 values; ask for fewer series or steps")
        #expect(found?.refusal.name == "queryTooLarge")
    }

    @Test(
        "A subquery with an absurd number of steps is refused before anything is read",
        arguments: [
            "max_over_time(x[100y:1ms])", "x[100y:1ms]", "count_over_time((x[1y:1s] offset 5d)[5m:1m])",
            "max_over_time(vector(1)[292y:1ms])",
            "max_over_time(max_over_time(x[1h:1m])[100y:1ms])", "absent_over_time(x[100y:1ms] @ 5)",
            "max_over_time((1 > bool x)[292y:1ms])",
            "max_over_time(vector(time())[292y:1ms] offset -292y)", "quantile_over_time(0.5, x[10y:1ms])",
        ])
    func absurd(text: String) {
        let reads = Counter()
        guard let expression = try? ExpressionParser.parse(text, patterns: TestPatterns.compile) else { return }
        var evaluation = Evaluation(
            Counted(samples: many(3), reads: reads), steps: QuerySteps(atMs: 1_700_000_000_000),
            patterns: TestPatterns.compile)
        let problem = #expect(throws: QueryError.self) { try evaluation.run(expression) }
        #expect(problem?.reason == .limit)
        #expect(reads.count == 0)
    }

    @Test("A subquery within a subquery multiplies, and is refused while its rows are few")
    func nested() {
        let steps = QuerySteps(startMs: 0, endMs: 100_000_000, stepMs: 10_000)
        let text = "max_over_time(max_over_time(x[1d:1s])[1d:1s])"
        #expect(problem(text, many(100), steps, 5_000_000)?.reason == .limit)
    }

    @Test("A shift to the ends of time is an answer or an error")
    func farTimes() {
        let samples = many(1)
        for text in [
            "x offset 292y", "x offset -292y", "x @ 2e15", "x @ -2e15", "x @ 2e15 offset -292y",
            "x @ -2e15 offset 292y", "x[292y]",
            "x[292y] offset 292y @ -2e15", "rate(x[292y] @ 2e15 offset -292y)",
            "max_over_time(x[5m:1m] @ -2e15 offset 292y)",
            "max_over_time(x[5m:292y])", "max_over_time(x[5m:1m] @ 2e15)", "predict_linear(x[5m] @ 2e15, 1e300)",
            "timestamp(x @ -2e15)", "max_over_time((x offset 292y)[5m:1m] offset 292y)",
        ] {
            for time in [0, 253_402_300_799_999] as [Int64] {
                do { _ = try samples.result(text, QuerySteps(atMs: time)) } catch { #expect(error is QueryError) }
            }
        }
    }

    @Test(
        "A query whose time is up ends at the next series",
        arguments: ["x", "rate(x[1m])", "x[1m]", "max_over_time(x[1m:1s])"])
    func deadline(text: String) throws {
        for allowed in [0, 1, 7] {
            let (reads, asked) = (Counter(), Counter())
            var evaluation = Evaluation(
                Counted(samples: many(10), reads: reads), steps: QuerySteps(atMs: 120_000),
                patterns: TestPatterns.compile,
                isOverdue: {
                    asked.count += 1
                    return asked.count > allowed
                })
            let expression = try ExpressionParser.parse(text, patterns: TestPatterns.compile)
            let problem = #expect(throws: QueryError.self) { try evaluation.run(expression) }
            #expect(problem?.reason == .deadline && problem?.refusal.name == "queryTooSlow")
            // It is looked at before a series is read, and before its row is made.
            #expect((allowed / 2...allowed).contains(reads.count))
        }
    }

    @Test("An error of the source comes through as it is")
    func store() {
        let failure = QueryError(.store, "the disk is gone")
        for text in [
            "x", "sum(x)", "rate(x[1m])", "x[1m]", "x[1m:1m]", "absent(x)", "timestamp(x)", "x or x", "-x",
            "scalar(x) + 1",
        ] {
            for reads in [0, 1] {
                var samples = many(2)
                samples.failure = failure
                samples.readsBeforeFailure = reads
                #expect(throws: failure, "\(text)") { try samples.result(text, QuerySteps(atMs: 60_000)) }
            }
        }
        #expect(failure.refusal.name == "storeUnavailable")
    }

    @Test("An expression without series reads nothing, and a selector reads each series once")
    func reads() throws {
        for (text, expected) in [
            ("1 + 1", 0), ("none", 0), ("x", 10), ("sum(x)", 10), ("rate(x[5m])", 10), ("x + x", 20),
        ] {
            let reads = Counter()
            var evaluation = Evaluation(
                Counted(samples: many(10), reads: reads), steps: QuerySteps(startMs: 0, endMs: 60_000, stepMs: 1000),
                patterns: TestPatterns.compile)
            _ = try evaluation.run(try ExpressionParser.parse(text, patterns: TestPatterns.compile))
            #expect(reads.count == expected, "\(text)")
        }
    }
}
