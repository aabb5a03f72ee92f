import MetricsCore
import Testing

@Suite("PromQL: operators on vectors")
struct MatchingTests {
    private let errors = MemorySamples([
        "errors{method=\"get\",code=\"404\"}": "30", "errors{method=\"get\",code=\"500\"}": "24",
        "errors{method=\"put\",code=\"501\"}": "3", "errors{method=\"post\",code=\"500\"}": "6",
        "requests{method=\"get\"}": "600", "requests{method=\"del\"}": "34", "requests{method=\"post\"}": "120",
        "info{method=\"get\",owner=\"ann\",code=\"x\"}": "1", "info{method=\"post\",owner=\"bob\"}": "1",
    ])

    @Test("One has one partner: the result has the labels that were matched on, and no name")
    func oneToOne() throws {
        // 24 / 600 and 6 / 120.
        #expect(
            try errors.at(0, "errors{code=\"500\"} / ignoring(code) requests")
                == ["{method=\"get\"} 0.04", "{method=\"post\"} 0.05"])
        #expect(
            try errors.at(0, "errors{code=\"500\"} / on(method) requests")
                == ["{method=\"get\"} 0.04", "{method=\"post\"} 0.05"])
        #expect(try errors.at(0, "requests + requests").count == 3)
        #expect(try errors.at(0, "errors + requests").isEmpty)
        #expect(try errors.at(0, "sum(errors) / sum(requests)") == ["{} \(63 / 754.0)"])
        #expect(try errors.at(0, "sum(errors) - on() sum(errors)") == ["{} 0"])
        #expect(try errors.at(0, "errors{code=\"404\"} + on(__name__) errors{code=\"501\"}") == ["{} 33"])
        #expect(try errors.at(0, "errors{code=\"404\"} > on(__name__) errors{code=\"501\"}") == ["errors 30"])
    }

    @Test("Many have one partner, and keep their own labels; included labels come from the one")
    func manyToOne() throws {
        // 30 / 600, 24 / 600, 6 / 120.
        let lines = [
            "{code=\"404\",method=\"get\"} 0.05", "{code=\"500\",method=\"get\"} 0.04",
            "{code=\"500\",method=\"post\"} 0.05",
        ]
        #expect(try errors.at(0, "errors / ignoring(code) group_left requests") == lines)
        #expect(try errors.at(0, "errors / on(method) group_left() requests") == lines)
        #expect(
            try errors.at(0, "requests / on(method) group_right errors")
                == [
                    "{code=\"404\",method=\"get\"} 20", "{code=\"500\",method=\"get\"} 25",
                    "{code=\"500\",method=\"post\"} 20",
                ])
        #expect(
            try errors.at(0, "errors * on(method) group_left(owner) info")
                == [
                    "{code=\"404\",method=\"get\",owner=\"ann\"} 30", "{code=\"500\",method=\"get\",owner=\"ann\"} 24",
                    "{code=\"500\",method=\"post\",owner=\"bob\"} 6",
                ])
        #expect(
            try errors.at(0, "info * on(method) group_right(owner) requests")
                == ["{method=\"get\",owner=\"ann\"} 600", "{method=\"post\",owner=\"bob\"} 120"])
    }

    @Test("An included label that the one lacks is taken from the many")
    func includedAbsent() throws {
        #expect(
            try errors.at(0, "errors{code=\"500\"} * on(method) group_left(code, none) info")
                == ["{code=\"x\",method=\"get\"} 24", "{method=\"post\"} 6"])
        #expect(
            try errors.at(0, "errors{code=\"404\"} > on(method) group_left(__name__) info") == [
                "info{code=\"404\",method=\"get\"} 30"
            ])
    }

    @Test(
        "Two partners on the side of the one, two of the many that become one, and one-to-one that is not, are errors")
    func refusing() throws {
        func problem(_ text: String) -> QueryError? {
            #expect(throws: QueryError.self, "\(text)") { try errors.at(0, text) }
        }
        let many = "many-to-many matching not allowed: matching labels must be unique on one side"
        let right = problem("requests / on(method) errors")
        #expect(right?.reason == .data && right?.position == 10)
        #expect(
            right?.message.hasPrefix(
                "found duplicate series for the match group {method=\"get\"} on the right hand-side") == true)
        #expect(right?.message.hasSuffix(many) == true)
        let left = problem("errors / on(method) group_right requests")
        #expect(left?.message.contains("on the left hand-side") == true)
        #expect(problem("errors * ignoring(code) group_left errors")?.message.hasSuffix(many) == true)
        let explicit = problem("errors / on(method) requests")
        #expect(explicit?.reason == .data && explicit?.position == 8)
        #expect(explicit?.message.hasSuffix("many-to-one matching must be explicit (group_left/group_right)") == true)
        let same = problem("errors * on(method) group_left(code) requests")
        #expect(same?.reason == .data && same?.position == 8)
    }

    @Test("Two on the side of the one are no error while the many have nothing, nor at different steps")
    func harmless() throws {
        #expect(try errors.at(0, "none / on(method) errors").isEmpty)
        #expect(try errors.at(0, "none / on(method) group_left errors").isEmpty)
        let turns = MemorySamples(["a{n=\"1\"}": "1 stale 3", "a{n=\"2\"}": "_ 2 stale", "b": "10 10 10"])
        #expect(try turns.over(0...60, step: 60, "b * on() a") == ["{} 10@0 20@60"])
        #expect(try turns.over(0...120, step: 60, "a * on() b") == ["{} 10@0 20@60 30@120"])
        #expect(
            try turns.over(0...60, step: 60, "a * on() group_left b") == ["{n=\"1\"} 10@0", "{n=\"2\"} 20@60"])
    }

    @Test("A comparison filters and keeps name and left value; with bool it answers and names nothing")
    func comparisons() throws {
        let samples = MemorySamples(["a{n=\"1\"}": "1", "a{n=\"2\"}": "5", "b{n=\"1\"}": "2", "b{n=\"2\"}": "2"])
        #expect(try samples.at(0, "a > b") == ["a{n=\"2\"} 5"])
        #expect(try samples.at(0, "a < ignoring() b") == ["a{n=\"1\"} 1"])
        #expect(try samples.at(0, "a > on(n) b") == ["{n=\"2\"} 5"])
        #expect(try samples.at(0, "a > bool b") == ["{n=\"1\"} 0", "{n=\"2\"} 1"])
        #expect(try samples.at(0, "b{n=\"1\"} < ignoring(n) group_right a") == ["a{n=\"2\"} 2"])
        #expect(try samples.at(0, "a == 5") == ["a{n=\"2\"} 5"])
        // The vector's value stays also where it is on the right.
        #expect(try samples.at(0, "1 < a") == ["a{n=\"2\"} 5"])
        #expect(try samples.at(0, "3 > a") == ["a{n=\"1\"} 1"])
        #expect(try samples.at(0, "3 > bool a") == ["{n=\"1\"} 1", "{n=\"2\"} 0"])
        #expect(try samples.at(0, "a != NaN").count == 2)
        #expect(try samples.at(0, "a == NaN").isEmpty)
        #expect(try samples.at(0, "a >= 1 <= 1") == ["a{n=\"1\"} 1"])
        #expect(try samples.over(0...0, step: 60, "a > bool 2 == 1") == ["{n=\"2\"} 1@0"])
    }

    @Test("Arithmetic drops the name, atan2 keeps it as in Prometheus 2.42")
    func names() throws {
        let samples = MemorySamples(["a{n=\"1\"}": "0", "b{n=\"1\"}": "0"])
        for operation in ["+", "-", "*", "/", "%", "^"] {
            for text in ["a \(operation) 2", "2 \(operation) a", "a \(operation) b", "a \(operation) on(n) b"] {
                #expect(try samples.at(0, text).allSatisfy { $0.hasPrefix("{n=\"1\"} ") }, "\(text)")
            }
        }
        #expect(try samples.at(0, "a atan2 1") == ["a{n=\"1\"} 0"])
        #expect(try samples.at(0, "0 atan2 a") == ["a{n=\"1\"} 0"])
        #expect(try samples.at(0, "a atan2 b") == ["a{n=\"1\"} 0"])
        #expect(try samples.at(0, "a atan2 on(n) b") == ["{n=\"1\"} 0"])
        #expect(try samples.at(0, "-a") == ["{n=\"1\"} -0"])
        #expect(try samples.at(0, "+a") == ["a{n=\"1\"} 0"])
    }

    @Test("and, or and unless look at labels at each step and never at values")
    func sets() throws {
        let samples = MemorySamples([
            "a{n=\"1\"}": "1 1 stale", "a{n=\"2\"}": "2 2 2", "b{n=\"1\",m=\"x\"}": "_ 7 7",
            "b{n=\"3\",m=\"x\"}": "8 8 stale",
        ])
        let steps: ClosedRange<Int64> = 0...120
        #expect(try samples.over(steps, step: 60, "a and on(n) b") == ["a{n=\"1\"} 1@60"])
        #expect(
            try samples.over(steps, step: 60, "a unless on(n) b") == ["a{n=\"1\"} 1@0", "a{n=\"2\"} 2@0 2@60 2@120"])
        #expect(
            try samples.over(steps, step: 60, "a or on(n) b")
                == [
                    "a{n=\"1\"} 1@0 1@60", "a{n=\"2\"} 2@0 2@60 2@120", "b{m=\"x\",n=\"1\"} 7@120",
                    "b{m=\"x\",n=\"3\"} 8@0 8@60",
                ])
        #expect(try samples.over(steps, step: 60, "a and ignoring(m) b") == ["a{n=\"1\"} 1@60"])
        #expect(try samples.over(steps, step: 60, "a and b").isEmpty)
        #expect(
            try samples.over(steps, step: 60, "a and on() b{n=\"3\"}") == [
                "a{n=\"1\"} 1@0 1@60", "a{n=\"2\"} 2@0 2@60",
            ])
        #expect(try samples.over(steps, step: 60, "a unless a").isEmpty)
        #expect(try samples.over(steps, step: 60, "a or a").count == 2)
        #expect(try samples.at(0, "none or a") == ["a{n=\"1\"} 1", "a{n=\"2\"} 2"])
        #expect(try samples.at(0, "a and none").isEmpty)
        #expect(try samples.at(0, "a unless none").count == 2)
        #expect(try samples.at(0, "none or vector(5)") == ["{} 5"])
    }

    @Test("Rows that come to the same labels are one row at different steps and an error at one step")
    func merging() throws {
        let turns = MemorySamples(["a{n=\"1\"}": "1 stale", "b{n=\"1\"}": "_ 2"])
        let both = MemorySamples(["a{n=\"1\"}": "1 1", "b{n=\"1\"}": "_ 2"])
        let any = "{n=\"1\"}"
        for text in ["abs(\(any))", "\(any) + 0", "\(any) * on(n) group_left vector(1) or \(any) + 0", "round(\(any))"]
        {
            #expect(try turns.over(0...60, step: 60, text) == ["{n=\"1\"} 1@0 2@60"], "\(text)")
            #expect(throws: QueryError.self, "\(text)") { try both.over(0...60, step: 60, text) }
        }
        // Where a function makes rows of whole series, Prometheus refuses them however their steps lie.
        for text in ["-\(any)", "count_over_time(\(any)[30s])"] {
            let problem = #expect(throws: QueryError.self, "\(text)") { try turns.over(0...60, step: 60, text) }
            #expect(problem?.message.hasPrefix("vector cannot contain metrics with the same labelset") == true)
        }
        #expect(try turns.over(0...60, step: 60, "last_over_time(\(any)[30s])").count == 2)
    }
}
