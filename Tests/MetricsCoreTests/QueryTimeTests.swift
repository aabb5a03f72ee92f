import MetricsCore
import Testing

@Suite("PromQL: which values a time sees")
struct QueryTimeTests {
    @Test("A value stands for five minutes, the last millisecond included, or until a marker")
    func lookback() throws {
        let samples = MemorySamples(["x": "_ 7"])
        #expect(try samples.at(59.999, "x").isEmpty)
        #expect(try samples.at(60, "x") == ["x 7"])
        #expect(try samples.at(360, "x") == ["x 7"], "the 300,000th ms")
        #expect(try samples.at(360.001, "x").isEmpty)
        let ended = MemorySamples(["x": "7 stale _ 8"])
        #expect(try ended.at(59.999, "x") == ["x 7"])
        #expect(try ended.at(60, "x").isEmpty && ended.at(179.999, "x").isEmpty)
        #expect(try ended.at(180, "x") == ["x 8"])
        #expect(try ended.over(0...480, step: 60, "x") == ["x 7@0 8@180 8@240 8@300 8@360 8@420 8@480"])
        #expect(try ended.over(0...600, step: 150, "x") == ["x 7@0 8@300 8@450"])
        #expect(try MemorySamples(["x": "stale"]).at(0, "x").isEmpty)
        // A NaN that was measured is no marker.
        #expect(try MemorySamples(["x": "NaN"]).at(0, "x") == ["x NaN"])
    }

    @Test("The lookback can be another one")
    func otherLookback() throws {
        var limits = QueryLimits()
        limits.lookbackMs = 1000
        let samples = MemorySamples(["x": "7"])
        #expect(try samples.result("x", QuerySteps(atMs: 1000), limits: limits) != .vector([]))
        #expect(try samples.result("x", QuerySteps(atMs: 1001), limits: limits) == .vector([]))
    }

    @Test("offset reads earlier, a negative one later; the points keep their own times")
    func offset() throws {
        let samples = MemorySamples(["x": "0 1 2 3 4 5 6 7 8 9"])
        #expect(try samples.at(300, "x offset 2m") == ["x 3"])
        #expect(try samples.at(300, "x offset -2m") == ["x 7"])
        #expect(try samples.at(300, "x - x offset 2m") == ["{} 2"])
        #expect(try samples.over(0...180, step: 60, "x offset 2m") == ["x 0@120 1@180"])
        #expect(try samples.over(0...120, step: 60, "x offset -2m") == ["x 2@0 3@60 4@120"])
        #expect(try samples.at(300, "sum_over_time(x[1m] offset 2m)") == ["{} 5"])
        #expect(try samples.at(300, "sum_over_time(x[1m] offset -2m)") == ["{} 13"])
        #expect(try samples.at(300, "x[1m] offset 2m") == ["x 2@120 3@180"])
        #expect(try samples.at(300, "timestamp(x offset 90s)") == ["{} 180"])
    }

    @Test("@ reads at one time, start() and end() at the query's, also where end is no multiple of the step")
    func anchors() throws {
        let samples = MemorySamples(["x": "0 1 2 3 4 5 6 7 8 9"])
        #expect(try samples.at(300, "x @ 120") == ["x 2"])
        #expect(try samples.at(300, "x @ 179.999") == ["x 2"])
        #expect(try samples.at(300, "x @ 120 offset 1m") == ["x 1"])
        #expect(try samples.at(300, "x offset -1m @ 120") == ["x 3"])
        #expect(try samples.at(300, "x @ -60").isEmpty)
        #expect(try samples.at(300, "x @ start() + x @ end()") == ["{} 10"])
        // Steps 0 and 100; the end is 190.
        #expect(try samples.over(0...190, step: 100, "x @ end()") == ["x 3@0 3@100"])
        #expect(try samples.over(60...190, step: 100, "x @ start()") == ["x 1@60 1@160"])
        #expect(try samples.over(0...190, step: 100, "x @ end() - x") == ["{} 3@0 2@100"])
        #expect(try samples.over(0...190, step: 100, "x @ end() offset 1m") == ["x 2@0 2@100"])
        #expect(try samples.over(0...190, step: 100, "sum_over_time(x[2m] @ end())") == ["{} 5@0 5@100"])
        #expect(try samples.over(0...190, step: 100, "sum_over_time(x[2m:1m] @ end())") == ["{} 5@0 5@100"])
        #expect(try samples.at(300, "x[1m] @ 120") == ["x 1@60 2@120"])
        #expect(try samples.over(0...60, step: 60, "x @ 1e9").isEmpty)
    }

    @Test("start() and end() mean the whole query's inside a subquery too")
    func anchorsInside() throws {
        let samples = MemorySamples(["x": "0 1 2 3 4 5 6 7 8 9"])
        #expect(try samples.at(300, "max_over_time((x @ end())[2m:1m])") == ["{} 5"])
        #expect(try samples.over(120...300, step: 180, "sum_over_time((x @ start())[2m:1m])") == ["{} 6@120 6@300"])
        #expect(try samples.at(300, "sum_over_time((x offset 1m)[2m:1m] offset 1m)") == ["{} \(1 + 2 + 3)"])
        #expect(try samples.at(300, "sum_over_time(x[2m:1m] @ 120)") == ["{} 3"])
        #expect(try samples.at(300, "sum_over_time(x[2m:1m] @ 120 offset -1m)") == ["{} 6"])
    }

    @Test("A subquery is evaluated at the multiples of its step within its range, both ends included")
    func subqueries() throws {
        let samples = MemorySamples(["x": "0 1 2 3 4 5 6 7 8 9"])
        #expect(try samples.at(300, "x[2m:1m]") == ["x 3@180 4@240 5@300"])
        // From 210 to 310: 240 and 300.
        #expect(try samples.at(310, "x[100s:1m]") == ["x 4@240 5@300"])
        #expect(try samples.at(300, "x[1m:25s]") == ["x 4@250 4@275 5@300"])
        #expect(try samples.at(300, "x[30s:7m]").isEmpty)
        #expect(try samples.at(310, "vector(time())[2m:1m]") == ["{} 240@240 300@300"])
        #expect(try samples.at(300, "x[2m:]") == ["x 3@180 4@240 5@300"])
        #expect(try samples.at(300, "x[2m:1m] offset 1m") == ["x 2@120 3@180 4@240"])
        #expect(try samples.at(30, "vector(time())[1m:20s]") == ["{} -20@-20 0@0 20@20"])
        // Each step of the query has its own window of the same times.
        #expect(
            try samples.over(100...190, step: 30, "count_over_time(x[1m:20s])") == ["{} 4@100 3@130 4@160 3@190"])
        #expect(try samples.at(300, "max_over_time(rate(x[1m])[3m:1m])") == ["{} \(1 / 60.0)"])
        #expect(
            try samples.at(300, "max_over_time(sum_over_time(x[1m:30s])[2m:1m])") == ["{} \(4 + 4 + 5)"])
        #expect(try samples.at(300, "sum by (a) (x)[1m:1m]") == ["{} 4@240 5@300"])
    }

    @Test("A subquery sees gaps and ends of series, and nothing older than five minutes")
    func subqueryGaps() throws {
        let samples = MemorySamples(["x": "1 _ stale 4"])
        #expect(try samples.at(180, "x[3m:1m]") == ["x 1@0 1@60 4@180"])
        #expect(try samples.at(180, "count_over_time(x[3m:1m])") == ["{} 3"])
        #expect(try samples.at(600, "x[5m:1m]") == ["x 4@300 4@360 4@420 4@480"])
        #expect(try samples.at(180, "absent(x)[3m:1m]") == ["{} 1@120"])
        let turns = MemorySamples(["a{n=\"1\"}": "1 stale", "b{n=\"1\"}": "_ 2"])
        #expect(try turns.at(60, "abs({n=\"1\"})[1m:1m]") == ["{n=\"1\"} 1@0 2@60"])
        #expect(throws: QueryError.self) { try turns.at(60, "sum_over_time({n=\"1\"}[1m:1m])") }
    }

    @Test("timestamp tells when a selector's value was measured, and of anything else when it was made")
    func timestamps() throws {
        let samples = MemorySamples(["x": "1 2"])
        #expect(try samples.at(90, "timestamp(x)") == ["{} 60"])
        #expect(try samples.at(90, "timestamp((x))") == ["{} 60"])
        #expect(try samples.at(90, "timestamp(x + 0)") == ["{} 90"])
        #expect(try samples.at(90, "timestamp(-x)") == ["{} 90"])
        #expect(try samples.at(90, "timestamp(x @ 10)") == ["{} 0"])
        #expect(try samples.over(0...90, step: 45, "timestamp(x)") == ["{} 0@0 0@45 60@90"])
    }

    @Test("Series of many steps are sorted by their labels; a query with no series has none")
    func order() throws {
        let samples = MemorySamples([
            "x{b=\"1\"}": "1", "x{a=\"2\"}": "2", "x": "3", "a{z=\"1\"}": "4", "x{a=\"10\"}": "5",
        ])
        let lines = ["a{z=\"1\"}", "x", "x{a=\"10\"}", "x{a=\"2\"}", "x{b=\"1\"}"]
        #expect(try samples.over(0...0, step: 60, "{__name__=~\".\"}").map { String($0.prefix { $0 != " " }) } == lines)
        #expect(try samples.at(0, "{__name__=~\".\"}[1m]").map { String($0.prefix { $0 != " " }) } == lines)
        #expect(try samples.over(0...60, step: 60, "none").isEmpty)
    }
}
