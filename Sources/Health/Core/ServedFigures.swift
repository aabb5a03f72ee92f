package import MetricsAPI

/// What a service served in one stretch of time, by its own counters: how many requests, how many in error, and how slow the
/// slowest twentieth was.
package struct ServedFigures: Hashable, Sendable {
    /// The stretch, in milliseconds since 1970.
    package var fromMs: Int64
    package var toMs: Int64
    package var requests: Double
    /// Of those, answered with a 5xx; nil where the service does not count by code.
    package var errors: Double?
    /// How long 95 of 100 took at most, in ms; nil where it exports no histogram of that.
    package var p95Ms: Double?

    package init(fromMs: Int64, toMs: Int64, requests: Double, errors: Double? = nil, p95Ms: Double? = nil) {
        self.fromMs = fromMs
        self.toMs = toMs
        self.requests = requests
        self.errors = errors
        self.p95Ms = p95Ms
    }

    /// The share in error, 0 where nothing was asked or nobody counts.
    package var errorShare: Double { requests > 0 ? (errors ?? 0) / requests : 0 }

    /// What to ask metricsd for: all that the service exports itself.
    package static func selector(for service: String) -> String { "{job=\"\(service)\",service=\"\(service)\"}" }

    /// The stretches between one reading of `series` and the next, the oldest first. `requestsTotal` is the settings' name of
    /// the counter of requests, where they give one; otherwise a name that ends so counts.
    package static func slices(of series: [SeriesPoints], requestsTotal: String?) -> [ServedFigures] {
        let readings = Readings(series, requestsTotal: requestsTotal)
        return zip(readings.times, readings.times.dropFirst()).map { readings.figures(from: $0, to: $1) }
    }

    /// All of it as one stretch; nil where there is no stretch.
    package static func whole(of series: [SeriesPoints], requestsTotal: String?) -> ServedFigures? {
        let readings = Readings(series, requestsTotal: requestsTotal)
        guard let first = readings.times.first, let last = readings.times.last, first < last else { return nil }
        return readings.figures(from: first, to: last)
    }

    /// The service's counters by the times at which they were read.
    private struct Readings {
        /// The times of the readings, each once, in order.
        let times: [Int64]
        private let requests: [Counter]
        private let errors: [Counter]?
        /// Cumulative counts by their upper bound in seconds, the bounds in order.
        private let buckets: [(bound: Double, counters: [Counter])]

        /// One counter: its values by time.
        private typealias Counter = [Int64: Double]

        init(_ series: [SeriesPoints], requestsTotal: String?) {
            func counter(_ one: SeriesPoints) -> Counter {
                Counter(one.points.map { ($0.timeMs, $0.value.value) }, uniquingKeysWith: { $1 })
            }
            let total = series.filter {
                requestsTotal.map($0.name.elementsEqual) ?? $0.name.hasSuffix("_requests_total")
            }
            requests = total.map(counter)
            let coded = total.filter { $0.code != nil }
            errors = coded.isEmpty ? nil : coded.filter { $0.code?.hasPrefix("5") ?? false }.map(counter)
            let timed = series.filter { $0.name.hasSuffix("_duration_seconds_bucket") }
            let byBound = Dictionary(grouping: timed) { $0.bound }
            buckets = byBound.compactMap { bound, all in bound.map { ($0, all.map(counter)) } }.sorted { $0.0 < $1.0 }
            times = Set((requests + buckets.flatMap(\.counters)).flatMap(\.keys)).sorted()
        }

        func figures(from: Int64, to: Int64) -> ServedFigures {
            let counts = buckets.map { ($0.bound, growth($0.counters, from, to)) }
            let served = requests.isEmpty ? counts.last?.1 ?? 0 : growth(requests, from, to)
            return ServedFigures(
                fromMs: from, toMs: to, requests: served, errors: errors.map { growth($0, from, to) },
                p95Ms: ServedFigures.quantile(0.95, of: counts).map { $0 * 1000 })
        }

        /// By how much counters grew, reading by reading: one that fell began anew.
        private func growth(_ counters: [Counter], _ from: Int64, _ to: Int64) -> Double {
            counters.reduce(0.0) { sum, counter in
                var before: Double?
                var grown = 0.0
                for time in times where time >= from && time <= to {
                    guard let value = counter[time], value.isFinite else { continue }
                    // One that was not there at the first reading began within the stretch.
                    grown += before.map { value >= $0 ? value - $0 : value } ?? (time > from ? value : 0)
                    before = value
                }
                return sum + grown
            }
        }
    }

    /// As Prometheus's histogram_quantile: linear within a bucket, and the last finite bound for what lies above it.
    static func quantile(_ share: Double, of buckets: [(bound: Double, count: Double)]) -> Double? {
        guard let total = buckets.last?.count, total > 0 else { return nil }
        let rank = share * total
        var below = (bound: 0.0, count: 0.0)
        for bucket in buckets {
            if bucket.count >= rank {
                guard bucket.bound.isFinite else { return below.bound }
                guard bucket.count > below.count else { return bucket.bound }
                return below.bound + (bucket.bound - below.bound) * (rank - below.count) / (bucket.count - below.count)
            }
            below = bucket
        }
        return below.bound
    }
}

extension SeriesPoints {
    /// The answer's code, by either of the usual labels.
    fileprivate var code: String? { labels["code"] ?? labels["status"] }

    /// The upper bound of a histogram's bucket.
    fileprivate var bound: Double? {
        labels["le"].flatMap { $0 == "+Inf" ? Double.infinity : Double($0) }
    }
}
