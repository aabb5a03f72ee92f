import MetricsCore
import Testing

@Suite("PromQL: functions over ranges")
struct RangeFunctionTests {
    /// The answer's one number, or the lack of one.
    private func check(_ values: String, _ cases: [(seconds: Double, text: String, expected: Double?)]) throws {
        let samples = MemorySamples(["c": values])
        for (seconds, text, expected) in cases {
            let found = try samples.number(seconds, text)
            if let expected {
                #expect(
                    isClose(found, expected) || found?.isNaN == true && expected.isNaN,
                    "\(text) at \(seconds): \(found)")
            } else {
                #expect(try samples.at(seconds, text).isEmpty, "\(text) at \(seconds)")
            }
        }
    }

    @Test("A counter's increase bridges resets; a gauge's delta does not")
    func resets() throws {
        try check(
            "0 10 20 5 15",
            [
                // 15 - 0, and the 20 that the reset took; the window's ends are values, so nothing is stretched.
                (240, "increase(c[4m])", 35), (240, "rate(c[4m])", 35 / 240.0), (240, "delta(c[4m])", 15),
                (240, "resets(c[4m])", 1), (240, "changes(c[4m])", 4),
                // 20 -> 5 alone: 5 - 20 + 20.
                (180, "increase(c[1m])", 5), (180, "delta(c[1m])", -15),
            ])
    }

    @Test("A rate is stretched to the range's ends where values reach near them, else by half their distance")
    func extrapolation() throws {
        try check(
            "0 10 20 5 15",
            [
                // 30 s free behind: (240 + 30) / 240 * 35. The first value is 0, so the counter began there.
                (270, "increase(c[5m])", 35 * 270 / 240.0), (270, "rate(c[5m])", 35 * 270 / 240.0 / 300),
                // A gauge is stretched on both sides: (240 + 30 + 30) / 240 * 15.
                (270, "delta(c[5m])", 15 * 300 / 240.0),
                // 90 s free behind are over 1.1 * 60: half a distance, 30.
                (330, "increase(c[6m])", 35 * 270 / 240.0),
                // 66 s are not under 66, 65.999 s are.
                (306, "delta(c[5m6s])", 15 * (240 + 30) / 240.0),
                (305.999, "delta(c[5m5s999ms])", 15 * (240 + 65.999) / 240.0),
            ])
        try check(
            "_ 100 110 120",
            [
                // Zero is 120 * 100 / 20 = 600 s before the first value, further than the range's begin: 120 + 60 + 30.
                (210, "increase(c[3m30s])", 20 * 210 / 120.0), (210, "rate(c[3m30s])", 20 * 210 / 120.0 / 210),
            ])
        try check(
            "_ 5 15 25",
            [
                // Zero is 120 * 5 / 20 = 30 s before the first value: 120 + 30 + 30.
                (210, "increase(c[3m30s])", 20 * 180 / 120.0), (210, "delta(c[3m30s])", 20 * 210 / 120.0),
            ])
        try check(
            "_ -5 5 15",
            [
                // A "counter" below zero is not cut at zero.
                (210, "increase(c[3m30s])", 20 * 210 / 120.0)
            ])
        try check("_ 7 7 7", [(210, "increase(c[3m30s])", 0), (210, "rate(c[3m30s])", 0)])
    }

    @Test("What needs two values is missing with one, and NaN where a NaN is at an end")
    func tooFew() throws {
        let two = ["rate", "increase", "delta", "irate", "idelta", "deriv"]
        try check("1 2 NaN", two.map { (60, "\($0)(c[59s])", nil) })
        try check("1 2 NaN", two.map { (120, "\($0)(c[2m])", .nan) })
        try check("1 2 3", [(60, "predict_linear(c[59s], 5)", nil), (60, "holt_winters(c[59s], 0.5, 0.5)", nil)])
        try check("1 stale 3", [(120, "delta(c[2m])", 2), (119, "delta(c[2m])", nil)])
    }

    @Test("irate and idelta look at the last two values")
    func instantRates() throws {
        try check(
            "0 10 25 4",
            [
                (120, "irate(c[5m])", 15 / 60.0), (120, "idelta(c[5m])", 15),
                // After a reset the value is what was counted since.
                (180, "irate(c[5m])", 4 / 60.0), (180, "idelta(c[5m])", -21), (180, "irate(c[1m])", 4 / 60.0),
            ])
    }

    @Test("deriv and predict_linear draw the line of least squares")
    func lines() throws {
        try check(
            "1 3 2",
            [
                // Means 60 s and 2; (-60 * -1 + 0 * 1 + 60 * 0) / (60^2 + 60^2) = 1 / 120.
                (120, "deriv(c[2m])", 1 / 120.0),
                // At 120 s the line is at 2 + 60 / 120 = 2.5, and 60 s later 0.5 higher.
                (120, "predict_linear(c[2m], 60)", 3), (120, "predict_linear(c[2m], -60)", 2),
                // From the time of evaluation on, 150 s: 2 + 90 / 120 + 60 / 120; also where the range is shifted.
                (150, "predict_linear(c[3m], 60)", 3.25), (150, "predict_linear(c[2m] offset 30s, 60)", 3.25),
                (150, "predict_linear(c[2m] @ 120, 60)", 3.25), (150, "deriv(c[2m] offset 30s)", 1 / 120.0),
            ])
        try check("4 4 4", [(120, "deriv(c[2m])", 0), (120, "predict_linear(c[2m], 1e9)", 4)])
        try check("+Inf +Inf", [(60, "deriv(c[2m])", .nan), (60, "predict_linear(c[2m], 1)", .nan)])
    }

    @Test("holt_winters smooths level and trend")
    func smoothing() throws {
        try check(
            "1 3 2 5",
            [
                // Level 1, trend 2. 3: 0.5 * 3 + 0.5 * (1 + 2) = 3. Trend 0.1 * 2 + 0.9 * 2 = 2; 2: 1 + 0.5 * 5 = 3.5.
                // Trend 0.1 * 0.5 + 0.9 * 2 = 1.85; 5: 2.5 + 0.5 * (3.5 + 1.85) = 5.175.
                (180, "holt_winters(c[5m], 0.5, 0.1)", 5.175), (60, "holt_winters(c[5m], 0.5, 0.1)", 3),
            ])
        for factors in ["0, 0.5", "1, 0.5", "0.5, 0", "0.5, 1", "-1, 0.5", "0.5, Inf"] {
            let problem = #expect(throws: QueryError.self) {
                try MemorySamples(["c": "1 2"]).at(60, "holt_winters(c[5m], \(factors))")
            }
            #expect(problem?.reason == .data)
        }
        #expect(try MemorySamples(["c": "1 2"]).at(900, "holt_winters(c[5m], 2, 2)").isEmpty, "nothing is smoothed")
    }

    @Test("Quantiles lie between their neighbours; NaN is the smallest value")
    func quantiles() throws {
        try check(
            "1 3 2 5",
            [
                // Sorted 1 2 3 5; ranks 1.5, 2.7, 0, 3.
                (180, "quantile_over_time(0.5, c[5m])", 2.5),
                (180, "quantile_over_time(0.9, c[5m])", 3 * 0.3 + 5 * 0.7),
                (180, "quantile_over_time(0, c[5m])", 1), (180, "quantile_over_time(1, c[5m])", 5),
                (180, "quantile_over_time(-0.1, c[5m])", -.infinity),
                (180, "quantile_over_time(1.1, c[5m])", .infinity),
                (180, "quantile_over_time(NaN, c[5m])", .nan),
            ])
        try check(
            "2 NaN 3 1",
            [
                (180, "quantile_over_time(0, c[5m])", .nan), (180, "quantile_over_time(1, c[5m])", 3),
                (180, "quantile_over_time(1 / 3, c[5m])", 1),
            ])
    }

    @Test("The functions over time count, add and compare")
    func overTime() throws {
        try check(
            "1 3 2 5",
            [
                (180, "sum_over_time(c[5m])", 11), (180, "avg_over_time(c[5m])", 2.75),
                (180, "min_over_time(c[5m])", 1),
                (180, "max_over_time(c[5m])", 5), (180, "count_over_time(c[5m])", 4), (180, "last_over_time(c[5m])", 5),
                (180, "present_over_time(c[5m])", 1),
                // (1.75^2 + 0.25^2 + 0.75^2 + 2.25^2) / 4 = 8.75 / 4.
                (180, "stdvar_over_time(c[5m])", 2.1875), (180, "stddev_over_time(c[5m])", 1.479_019_945_774_904),
            ])
        try check(
            "1 3 NaN 2 2",
            [
                (240, "sum_over_time(c[5m])", .nan), (240, "avg_over_time(c[5m])", .nan),
                (240, "min_over_time(c[5m])", 1),
                (240, "max_over_time(c[5m])", 3), (240, "count_over_time(c[5m])", 5), (240, "changes(c[5m])", 3),
                (240, "resets(c[5m])", 0), (240, "stddev_over_time(c[5m])", .nan),
            ])
        try check(
            "NaN NaN",
            [
                (60, "min_over_time(c[5m])", .nan), (60, "max_over_time(c[5m])", .nan), (60, "changes(c[5m])", 0),
            ])
        try check(
            "+Inf 1 +Inf",
            [
                (120, "avg_over_time(c[5m])", .infinity), (120, "sum_over_time(c[5m])", .infinity),
                (120, "stdvar_over_time(c[5m])", .nan),
            ])
        try check("+Inf -Inf", [(60, "avg_over_time(c[5m])", .nan), (60, "sum_over_time(c[5m])", .nan)])
        // Small values are not lost beside large ones, and a mean does not overflow.
        try check("1e100 1 -1e100", [(120, "sum_over_time(c[5m])", 1)])
        try check("1e308 1e308 1e308", [(120, "avg_over_time(c[5m])", 1e308)])
    }

    @Test("Only last_over_time keeps the metric's name")
    func names() throws {
        let samples = MemorySamples(["c{a=\"b\"}": "1 2 3"])
        #expect(try samples.at(120, "last_over_time(c[5m])") == ["c{a=\"b\"} 3"])
        #expect(try samples.at(120, "last_over_time(c[5m:1m])") == ["c{a=\"b\"} 3"])
        for function in ["rate", "deriv", "max_over_time", "present_over_time", "changes"] {
            #expect(try samples.at(120, "\(function)(c[5m])").allSatisfy { $0.hasPrefix("{a=\"b\"} ") })
        }
    }

    @Test("Both ends of a range belong to it, and a marker does not")
    func ends() throws {
        try check(
            "1 2 3",
            [
                (120, "count_over_time(c[1m])", 2), (119.999, "count_over_time(c[1m])", 1),
                (120, "count_over_time(c[59s999ms])", 1), (180, "count_over_time(c[1m])", 1),
                (180.001, "count_over_time(c[1m])", nil),
            ])
        try check(
            "1 stale 3",
            [
                (120, "count_over_time(c[2m])", 2), (60, "last_over_time(c[1m])", 1),
                (60, "count_over_time(c[30s])", nil),
                (60, "present_over_time(c[1m])", 1), (60, "c", nil),
            ])
        let samples = MemorySamples(["c": "1 stale 3 4"])
        #expect(try samples.at(180, "c[3m]") == ["c 1@0 3@120 4@180"])
        #expect(try samples.at(180, "c[59s]") == ["c 4@180"])
        #expect(try samples.at(60, "c[30s]").isEmpty)
    }

    @Test("A window moves with the steps")
    func steps() throws {
        let samples = MemorySamples(["c": "0 1 3 6 10 _ _ _ 50"])
        #expect(try samples.over(0...540, step: 60, "delta(c[1m])") == ["{} 1@60 2@120 3@180 4@240"])
        #expect(
            try samples.over(0...540, step: 60, "sum_over_time(c[2m])")
                == ["{} 0@0 1@60 4@120 10@180 19@240 16@300 10@360 50@480 50@540"])
        #expect(try samples.over(30...330, step: 100, "count_over_time(c[2m])") == ["{} 1@30 2@130 2@230 1@330"])
    }
}
