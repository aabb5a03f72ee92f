import MetricsCore
import Testing

@Suite("PromQL: aggregations")
struct AggregationTests {
    private let shops = MemorySamples([
        "x{a=\"1\",b=\"p\"}": "3", "x{a=\"1\",b=\"q\"}": "5", "x{a=\"2\",b=\"p\"}": "10", "x{b=\"q\"}": "2",
    ])

    private func one(_ values: String, _ text: String) throws -> String {
        var samples = MemorySamples()
        for (place, value) in values.split(separator: " ").enumerated() {
            samples.add("x{n=\"\(place)\"}", String(value))
        }
        return try samples.at(0, text).joined(separator: "|")
    }

    @Test("Groups are by labels, without labels, or one; a label that is missing is empty")
    func grouping() throws {
        #expect(try shops.at(0, "sum(x)") == ["{} 20"])
        #expect(try shops.at(0, "sum by () (x)") == ["{} 20"])
        #expect(try shops.at(0, "sum by (a) (x)") == ["{} 2", "{a=\"1\"} 8", "{a=\"2\"} 10"])
        #expect(try shops.at(0, "sum by (b, none) (x)") == ["{b=\"p\"} 13", "{b=\"q\"} 7"])
        #expect(try shops.at(0, "sum without (a) (x)") == ["{b=\"p\"} 13", "{b=\"q\"} 7"])
        #expect(try shops.at(0, "sum without () (x)").count == 4)
        #expect(try shops.at(0, "sum without () (x)").allSatisfy { $0.hasPrefix("{") })
        #expect(try shops.at(0, "sum by (__name__) (x)") == ["x 20"])
        #expect(try shops.at(0, "sum by (__name__, a) (x{a=\"2\"})") == ["x{a=\"2\"} 10"])
        #expect(try shops.at(0, "sum(none)").isEmpty)
    }

    @Test("Each aggregation of 1, 3, 2 and 5")
    func values() throws {
        // Mean 2.75; squares of distances 3.0625 + 0.0625 + 0.5625 + 5.0625 = 8.75.
        let expected: KeyValuePairs = [
            "sum(x)": "{} 11", "avg(x)": "{} 2.75", "count(x)": "{} 4", "min(x)": "{} 1", "max(x)": "{} 5",
            "group(x)": "{} 1", "stdvar(x)": "{} 2.1875", "stddev(x)": "{} 1.479019945774904",
            "quantile(0.5, x)": "{} 2.5", "quantile(0, x)": "{} 1", "quantile(1, x)": "{} 5",
            "quantile(-1, x)": "{} -Inf", "quantile(2, x)": "{} +Inf", "quantile(NaN, x)": "{} NaN",
        ]
        for (text, line) in expected { #expect(try one("1 3 2 5", text) == line, "\(text)") }
        for text in ["stdvar(x)", "stddev(x)"] { #expect(try one("7", text) == "{} 0", "\(text)") }
    }

    @Test("NaN and infinities go through each aggregation as through Go's")
    func special() throws {
        let nan: KeyValuePairs = [
            "sum(x)": "{} NaN", "avg(x)": "{} NaN", "count(x)": "{} 3", "min(x)": "{} 1", "max(x)": "{} 3",
            "group(x)": "{} 1", "stdvar(x)": "{} NaN", "stddev(x)": "{} NaN", "quantile(0, x)": "{} NaN",
            "quantile(1, x)": "{} 3", "quantile(0.5, x)": "{} 1",
        ]
        for values in ["1 NaN 3", "NaN 1 3", "3 1 NaN"] {
            for (text, line) in nan { #expect(try one(values, text) == line, "\(text) of \(values)") }
        }
        #expect(try one("NaN NaN", "min(x)") == "{} NaN" && one("NaN NaN", "max(x)") == "{} NaN")
        for (values, sum) in [
            ("+Inf 1 2", "{} +Inf"), ("1 -Inf", "{} -Inf"), ("+Inf -Inf", "{} NaN"), ("+Inf NaN", "{} NaN"),
        ] {
            #expect(try one(values, "sum(x)") == sum)
            #expect(try one(values, "avg(x)") == sum)
        }
        #expect(try one("+Inf +Inf", "avg(x)") == "{} +Inf")
        #expect(try one("1 +Inf", "min(x)") == "{} 1" && one("-Inf 1", "max(x)") == "{} 1")
        #expect(try one("+Inf", "stdvar(x)") == "{} 0" && one("NaN", "stddev(x)") == "{} 0")
        #expect(try one("1 +Inf", "stdvar(x)") == "{} NaN")
        #expect(try one("1e308 1e308", "avg(x)") == "{} 1e+308" && one("1e308 1e308", "sum(x)") == "{} +Inf")
    }

    @Test("topk gives the highest first, bottomk the lowest, with all labels; NaN is the last choice")
    func ranking() throws {
        #expect(try shops.at(0, "topk(2, x)") == ["x{a=\"2\",b=\"p\"} 10", "x{a=\"1\",b=\"q\"} 5"])
        #expect(try shops.at(0, "bottomk(2, x)") == ["x{b=\"q\"} 2", "x{a=\"1\",b=\"p\"} 3"])
        #expect(try shops.at(0, "(topk(9, x))").map { $0.split(separator: " ").last } == ["10", "5", "3", "2"])
        #expect(try shops.at(0, "topk by (b) (1, x)") == ["x{a=\"2\",b=\"p\"} 10", "x{a=\"1\",b=\"q\"} 5"])
        #expect(try shops.at(0, "topk(0, x)").isEmpty && shops.at(0, "topk(-5, x)").isEmpty)
        #expect(try shops.at(0, "topk(0.9, x)").isEmpty && shops.at(0, "topk(1.9, x)").count == 1)
        #expect(try one("1 NaN 3", "topk(3, x)") == "x{n=\"2\"} 3|x{n=\"0\"} 1|x{n=\"1\"} NaN")
        #expect(try one("1 NaN 3", "bottomk(3, x)") == "x{n=\"0\"} 1|x{n=\"2\"} 3|x{n=\"1\"} NaN")
        #expect(try one("NaN 1 +Inf -Inf", "topk(3, x)") == "x{n=\"2\"} +Inf|x{n=\"1\"} 1|x{n=\"3\"} -Inf")
        for count in ["NaN", "Inf", "-Inf", "1e30"] {
            let problem = #expect(throws: QueryError.self) { try shops.at(0, "topk(\(count), x)") }
            #expect(problem?.reason == .data && problem?.message.hasSuffix("overflows int64") == true)
        }
        #expect(try shops.at(0, "topk(9e18, x)").count == 4)
    }

    @Test("topk chooses anew at each step, and its number may change too")
    func rankingOverSteps() throws {
        let samples = MemorySamples(["x{n=\"a\"}": "1 5 1 1", "x{n=\"b\"}": "2 2 2 stale", "k": "1 1 2 2"])
        #expect(
            try samples.over(0...180, step: 60, "topk(1, x)") == ["x{n=\"a\"} 5@60 1@180", "x{n=\"b\"} 2@0 2@120"])
        #expect(
            try samples.over(0...180, step: 60, "bottomk(scalar(k), x)")
                == ["x{n=\"a\"} 1@0 1@120 1@180", "x{n=\"b\"} 2@60 2@120"])
    }

    @Test("count_values spells numbers without exponents, as Go's FormatFloat 'f'")
    func counting() throws {
        let numbers: KeyValuePairs = [
            "1e21": "1000000000000000000000", "1e-7": "0.0000001", "0.1": "0.1", "-0": "-0", "0": "0", "NaN": "NaN",
            "+Inf": "+Inf", "-Inf": "-Inf", "100": "100", "-1.5": "-1.5",
            "1.2345678901234568e20": "123456789012345680000",
            "5e-324": "0." + String(repeating: "0", count: 323) + "5", "0.30000000000000004": "0.30000000000000004",
            "1e16": "10000000000000000", "123456.789": "123456.789",
            "1.5e300": "15" + String(repeating: "0", count: 299),
            "1e-5": "0.00001", "9007199254740993": "9007199254740992",
        ]
        for (value, text) in numbers {
            #expect(try one(value, "count_values(\"v\", x)") == "{v=\"\(text)\"} 1", "\(value)")
        }
        #expect(try one("1 2 1", "count_values(\"v\", x)") == "{v=\"1\"} 2|{v=\"2\"} 1")
        #expect(
            try shops.at(0, "count_values by (b) (\"v\", x * 0)") == ["{b=\"p\",v=\"0\"} 2", "{b=\"q\",v=\"0\"} 2"])
        #expect(
            try shops.at(0, "count_values without (a) (\"v\", x * 0)") == [
                "{b=\"p\",v=\"0\"} 2", "{b=\"q\",v=\"0\"} 2",
            ])
        #expect(try shops.at(0, "count_values(\"b\", x * 0)") == ["{b=\"0\"} 4"])
        #expect(throws: QueryError(.data, "invalid label name \"a b\"")) {
            try shops.at(0, "count_values(\"a b\", x)")
        }
    }

    @Test("Each step counts and adds what is there")
    func steps() throws {
        let samples = MemorySamples(["x{n=\"a\"}": "1 2 stale", "x{n=\"b\"}": "_ 2 3 stale", "q": "0 0.5 1 1"])
        #expect(try samples.over(0...180, step: 60, "count(x)") == ["{} 1@0 2@60 1@120"])
        #expect(try samples.over(0...180, step: 60, "avg(x)") == ["{} 1@0 2@60 3@120"])
        #expect(
            try samples.over(0...180, step: 60, "count_values(\"v\", x)")
                == ["{v=\"1\"} 1@0", "{v=\"2\"} 2@60", "{v=\"3\"} 1@120"])
        #expect(try samples.over(0...180, step: 60, "quantile(scalar(q), x)") == ["{} 1@0 2@60 3@120"])
    }
}
