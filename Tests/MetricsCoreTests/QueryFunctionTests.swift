import MetricsCore
import Testing

@Suite("PromQL: functions of numbers and dates")
struct QueryFunctionTests {
    private static let parts = [
        "year", "month", "day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute",
    ]

    @Test(
        "Dates are of the Gregorian calendar in UTC",
        arguments: [
            // 1970-01-01T00:00:00Z, a Thursday.
            ("0", [1970, 1, 1, 4, 1, 31, 0, 0]),
            // 2024-02-29T12:34:56Z, a Thursday.
            ("1709210096", [2024, 2, 29, 4, 60, 29, 12, 34]),
            // 2000 is a leap year, 1900 and 2100 are none: 2000-02-29, a Tuesday; 1900-03-01, a Thursday;
            // 2100-03-01, a Monday.
            ("951782400", [2000, 2, 29, 2, 60, 29, 0, 0]),
            ("-2203891200", [1900, 3, 1, 4, 60, 31, 0, 0]),
            ("4107542400", [2100, 3, 1, 1, 60, 31, 0, 0]),
            // 2024-12-31T23:59:59Z, a Tuesday, the 366th day.
            ("1735689599", [2024, 12, 31, 2, 366, 31, 23, 59]),
            // 1969-12-31T23:59:59Z, a Wednesday; fractions are cut off towards zero.
            ("-1", [1969, 12, 31, 3, 365, 31, 23, 59]),
            ("-0.9", [1970, 1, 1, 4, 1, 31, 0, 0]),
            ("59.999", [1970, 1, 1, 4, 1, 31, 0, 0]),
            // 0001-01-01, a Monday; -0001-12-31 (Go's year 0), a Sunday.
            ("-62135596800", [1, 1, 1, 1, 1, 31, 0, 0]),
            ("-62135596801", [0, 12, 31, 0, 366, 31, 23, 59]),
            // 9999-12-31T23:59:59Z, a Friday; the day after it is a Saturday.
            ("253402300799", [9999, 12, 31, 5, 365, 31, 23, 59]),
            ("253402300800", [10_000, 1, 1, 6, 1, 31, 0, 0]),
            // What no integer holds is the least of them, as on x86-64.
            ("NaN", [292_277_026_596, 12, 4, 0, 339, 31, 15, 30]),
            ("Inf", [292_277_026_596, 12, 4, 0, 339, 31, 15, 30]),
            ("-1e300", [292_277_026_596, 12, 4, 0, 339, 31, 15, 30]),
        ] as [(String, [Double])])
    func dates(seconds: String, expected: [Double]) throws {
        for (part, value) in zip(Self.parts, expected) {
            #expect(try MemorySamples().number(0, "\(part)(vector(\(seconds)))") == value, "\(part)")
        }
    }

    @Test("February has 29 days in leap years; without an argument the time of evaluation counts")
    func months() throws {
        // 2023-02-01, 2024-02-01.
        #expect(try MemorySamples().number(0, "days_in_month(vector(1675209600))") == 28)
        #expect(try MemorySamples().number(0, "days_in_month(vector(1706745600))") == 29)
        #expect(try MemorySamples().over(0...7200, step: 3600, "hour()") == ["{} 0@0 1@3600 2@7200"])
        #expect(try MemorySamples().at(1_709_210_096.7, "minute()") == ["{} 34"])
        #expect(try MemorySamples(["x{a=\"b\"}": "86400"]).at(0, "day_of_month(x)") == ["{a=\"b\"} 2"])
    }

    @Test(
        "Functions of one number",
        arguments: [
            ("abs", "-2.5", 2.5), ("abs", "-Inf", .infinity), ("ceil", "1.2", 2), ("ceil", "-1.2", -1),
            ("floor", "-1.2", -2),
            ("floor", "1.8", 1), ("sqrt", "9", 3), ("sqrt", "-1", .nan), ("exp", "0", 1), ("exp", "-Inf", 0),
            ("ln", "1", 0),
            ("ln", "0", -.infinity), ("ln", "-1", .nan), ("log2", "8", 3), ("log10", "1000", 3), ("sgn", "-7", -1),
            ("sgn", "0", 0), ("sgn", "NaN", .nan), ("sgn", "Inf", 1), ("sin", "0", 0), ("cos", "0", 1), ("tan", "0", 0),
            ("asin", "1", Double.pi / 2), ("acos", "2", .nan), ("atan", "Inf", Double.pi / 2), ("sinh", "0", 0),
            ("cosh", "0", 1),
            ("tanh", "Inf", 1), ("asinh", "0", 0), ("acosh", "1", 0), ("acosh", "0", .nan), ("atanh", "1", .infinity),
            ("deg", "pi()", 180), ("rad", "180", Double.pi), ("round", "2.5", 3), ("round", "-2.5", -2),
            ("round", "2.4", 2),
            ("round", "NaN", .nan), ("round", "Inf", .infinity),
        ] as [(String, String, Double)])
    func ofOneNumber(function: String, argument: String, expected: Double) throws {
        let found = try MemorySamples().number(0, "\(function)(vector(\(argument)))")
        #expect(isClose(found, expected) || found?.isNaN == true && expected.isNaN, "\(found)")
    }

    @Test("round goes to the nearest multiple, halves up")
    func rounding() throws {
        let cases: [(String, Double)] = [
            ("vector(7), 5", 5), ("vector(8), 5", 10), ("vector(7.5), 5", 10), ("vector(-7.5), 5", -5),
            ("vector(0.15), 0.1", 0.2), ("vector(123), 1e2", 100), ("vector(2.5), -1", 2), ("vector(1), 0", .nan),
        ]
        for (arguments, expected) in cases {
            let found = try MemorySamples().number(0, "round(\(arguments))")
            #expect(isClose(found, expected) || found?.isNaN == true && expected.isNaN, "\(arguments): \(found)")
        }
    }

    @Test("clamp keeps values between its bounds, and nothing where they cross")
    func clamping() throws {
        let samples = MemorySamples(["x{n=\"1\"}": "-5", "x{n=\"2\"}": "5", "x{n=\"3\"}": "NaN"])
        #expect(try samples.at(0, "clamp(x, 0, 3)") == ["{n=\"1\"} 0", "{n=\"2\"} 3", "{n=\"3\"} NaN"])
        #expect(try samples.at(0, "clamp_min(x, 0)") == ["{n=\"1\"} 0", "{n=\"2\"} 5", "{n=\"3\"} NaN"])
        #expect(try samples.at(0, "clamp_max(x, 0)") == ["{n=\"1\"} -5", "{n=\"2\"} 0", "{n=\"3\"} NaN"])
        #expect(try samples.at(0, "clamp(x, 3, 0)").isEmpty)
        #expect(try samples.at(0, "clamp(x, 1, 1)").count == 3)
        #expect(try samples.at(0, "clamp_min(x, NaN)") == ["{n=\"1\"} NaN", "{n=\"2\"} NaN", "{n=\"3\"} NaN"])
        #expect(try samples.at(0, "clamp(x, NaN, 3)").count == 3)
        // Go's Max gives +Inf before NaN.
        #expect(try samples.at(0, "clamp_min(x{n=\"3\"}, Inf)") == ["{n=\"3\"} +Inf"])
        #expect(try samples.at(0, "clamp_max(x{n=\"3\"}, -Inf)") == ["{n=\"3\"} -Inf"])
        let steps = MemorySamples(["x": "1 5 9"])
        #expect(try steps.over(0...120, step: 60, "clamp(x, time() / 20, 6)") == ["{} 1@0 5@60 6@120"])
    }

    @Test("sort and sort_desc order an instant query, NaN last both ways; elsewhere they change nothing")
    func sorting() throws {
        let samples = MemorySamples([
            "x{n=\"a\"}": "2", "x{n=\"b\"}": "NaN", "x{n=\"c\"}": "1", "x{n=\"d\"}": "3", "x{n=\"e\"}": "-Inf",
        ])
        #expect(
            try samples.at(0, "sort(x)")
                == ["x{n=\"e\"} -Inf", "x{n=\"c\"} 1", "x{n=\"a\"} 2", "x{n=\"d\"} 3", "x{n=\"b\"} NaN"])
        #expect(
            try samples.at(0, "(sort_desc(x))")
                == ["x{n=\"d\"} 3", "x{n=\"a\"} 2", "x{n=\"c\"} 1", "x{n=\"e\"} -Inf", "x{n=\"b\"} NaN"])
        #expect(
            try samples.over(0...60, step: 60, "sort_desc(x)").map { $0.prefix(7) }
                == ["x{n=\"a\"", "x{n=\"b\"", "x{n=\"c\"", "x{n=\"d\"", "x{n=\"e\""])
    }

    @Test("scalar has a number where there is one series, else NaN; vector has no labels")
    func scalars() throws {
        let samples = MemorySamples(["x{n=\"a\"}": "2 2 stale", "x{n=\"b\"}": "_ 3 3", "x{n=\"c\"}": "_ _ _"])
        #expect(try samples.at(0, "scalar(x)") == ["2"])
        #expect(try samples.at(60, "scalar(x)") == ["NaN"])
        #expect(try samples.at(0, "scalar(none)") == ["NaN"])
        #expect(try samples.over(0...120, step: 60, "scalar(x)") == ["2@0 NaN@60 3@120"])
        #expect(try samples.over(0...120, step: 60, "scalar(x) * 2 + time()") == ["4@0 NaN@60 126@120"])
        #expect(try samples.at(0, "vector(scalar(x) + 1)") == ["{} 3"])
        #expect(try samples.over(0...60, step: 60, "vector(time())") == ["{} 0@0 60@60"])
        #expect(try samples.over(0...60, step: 60, "5") == ["5@0 5@60"])
        #expect(try samples.at(1.5, "time()") == ["1.5"])
    }
}
