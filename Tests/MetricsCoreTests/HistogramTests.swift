import MetricsCore
import Testing

@Suite("PromQL: histogram_quantile")
struct HistogramTests {
    private func quantile(_ share: String, _ buckets: KeyValuePairs<String, String>) throws -> [String] {
        var samples = MemorySamples()
        for (bound, count) in buckets { samples.add("h_bucket{le=\"\(bound)\"}", count) }
        return try samples.at(0, "histogram_quantile(\(share), h_bucket)")
    }

    @Test("A quantile lies evenly within its bucket, the first of which begins at zero")
    func within() throws {
        let buckets: KeyValuePairs = ["1": "10", "2": "20", "+Inf": "20"]
        // Rank 5 of 10 in 0...1; rank 10 is the first bucket's end; rank 15 is half of 1...2; rank 20 is its end.
        #expect(try quantile("0.25", buckets) == ["{} 0.5"])
        #expect(try quantile("0.5", buckets) == ["{} 1"])
        #expect(try quantile("0.75", buckets) == ["{} 1.5"])
        #expect(try quantile("1", buckets) == ["{} 2"])
        #expect(try quantile("0", buckets) == ["{} 0"])
        #expect(try quantile("-0.1", buckets) == ["{} -Inf"])
        #expect(try quantile("1.1", buckets) == ["{} +Inf"])
        #expect(try quantile("NaN", buckets) == ["{} NaN"])
    }

    @Test("What lies over all bounds is at the highest of them; what lies under a bound below zero is at it")
    func outside() throws {
        #expect(try quantile("0.9", ["1": "10", "2": "20", "+Inf": "40"]) == ["{} 2"])
        #expect(try quantile("0.1", ["-1": "10", "2": "20", "+Inf": "20"]) == ["{} -1"])
        #expect(try quantile("0.1", ["0": "10", "2": "20", "+Inf": "20"]) == ["{} 0"])
        // Rank 15, 5 of 10 in -1...2.
        #expect(try quantile("0.75", ["-1": "10", "2": "20", "+Inf": "20"]) == ["{} 0.5"])
    }

    @Test("Without the last bucket, with it alone, or without an observation there is no quantile")
    func odd() throws {
        #expect(try quantile("0.5", ["1": "10", "2": "20"]) == ["{} NaN"])
        #expect(try quantile("0.5", ["+Inf": "20"]) == ["{} NaN"])
        #expect(try quantile("0.5", ["1": "0", "+Inf": "0"]) == ["{} NaN"])
        // No bucket reaches a rank that is NaN, so it lies over all bounds.
        #expect(try quantile("0.5", ["1": "NaN", "+Inf": "NaN"]) == ["{} 1"])
        #expect(try quantile("0.5", ["x": "10", "": "20"]).isEmpty)
        #expect(try quantile("-1", ["1": "10"]) == ["{} -Inf"])
    }

    @Test("Bounds are sorted as numbers and may be spelled in several ways; rubbish among them is left out")
    func bounds() throws {
        #expect(try quantile("0.75", ["+Inf": "20", "1e1": "20", "1": "10", "rubbish": "7"]) == ["{} 5.5"])
        // Both spellings of 1 count: 5 + 5.
        #expect(try quantile("0.75", ["1": "5", "1.0": "5", "2": "20", "Inf": "20"]) == ["{} 1.5"])
        #expect(try quantile("0.75", ["0x1p0": "10", "2": "20", "inf": "20"]) == ["{} 1.5"])
    }

    @Test("Go's ParseFloat refuses a bound beyond a float's range, so such a bucket is left out")
    func tooLarge() throws {
        #expect(try quantile("0.75", ["1": "10", "2": "20", "1e999": "20"]) == ["{} NaN"])
    }

    @Test("Counts that fall count as the highest before them")
    func monotonic() throws {
        // 10 10 20: rank 10 is the first bucket's end, rank 15 is over all bounds.
        #expect(try quantile("0.5", ["1": "10", "2": "8", "+Inf": "20"]) == ["{} 1"])
        #expect(try quantile("0.75", ["1": "10", "2": "8", "+Inf": "20"]) == ["{} 2"])
        #expect(try quantile("1", ["1": "10", "2": "12", "+Inf": "8"]) == ["{} 2"])
    }

    @Test("Histograms are told apart by all labels but le; of two with one label set it is an error")
    func groups() throws {
        let samples = MemorySamples([
            "h_bucket{le=\"1\",a=\"x\"}": "10", "h_bucket{le=\"1\",a=\"y\"}": "5",
            "h_bucket{le=\"+Inf\",a=\"y\"}": "10",
            "h_bucket{le=\"+Inf\",a=\"x\"}": "10", "k_bucket{le=\"1\",a=\"x\"}": "1",
            "k_bucket{le=\"+Inf\",a=\"x\"}": "1",
        ])
        #expect(
            try samples.at(0, "histogram_quantile(0.5, h_bucket)") == ["{a=\"x\"} 0.5", "{a=\"y\"} 1"])
        #expect(
            try samples.at(0, "histogram_quantile(0.5, sum by (le) (h_bucket))") == ["{} \(10 / 15.0)"])
        #expect(throws: QueryError.self) { try samples.at(0, "histogram_quantile(0.5, {le!=\"\"})") }
    }

    @Test("Each step has its own buckets and its own share")
    func steps() throws {
        let samples = MemorySamples([
            "h{le=\"1\"}": "10 stale", "h{le=\"2\"}": "20 20 stale", "h{le=\"+Inf\"}": "20 20 20 stale",
            "q": "0.25 0.75 0.5 0.5",
        ])
        // At 60 s: rank 15 of 20 in 0...2. At 120 s only +Inf is left, at 180 s nothing.
        #expect(
            try samples.over(0...180, step: 60, "histogram_quantile(scalar(q), h)") == ["{} 0.5@0 1.5@60 NaN@120"])
    }
}
