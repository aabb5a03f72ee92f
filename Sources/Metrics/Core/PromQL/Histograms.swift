extension Evaluation {
    /// `histogram_quantile` of histograms that lie in `_bucket` series with the label `le`.
    mutating func histogramQuantile(_ shares: [Double], _ rows: [VectorRow]) throws(QueryError) -> [VectorRow] {
        var order: [Labels] = []
        var histograms: [Labels: [(upperBound: Double, row: VectorRow)]] = [:]
        for row in rows {
            guard let upperBound = GoNumber.float(row.labels.value(of: "le")) else { continue }
            let key = row.labels.dropping(["le"])
            if histograms[key] == nil { order.append(key) }
            histograms[key, default: []].append((upperBound, row))
        }
        var found: [VectorRow] = []
        for key in order {
            let buckets = (histograms[key] ?? []).sorted { $0.upperBound < $1.upperBound }
            var row = VectorRow(labels: key.withoutName, count: steps.count)
            for step in 0..<steps.count {
                let present = buckets.filter { $0.row.has(step) }.map {
                    HistogramBucket(upperBound: $0.upperBound, count: $0.row.values[step])
                }
                if !present.isEmpty { row.values[step] = HistogramBucket.quantile(shares[step], present) }
            }
            try use(steps.count)
            found.append(row)
        }
        return try Merging.byStep(found)
    }
}

/// How many observations were `upperBound` or less.
struct HistogramBucket: Hashable {
    var upperBound: Double
    var count: Double

    /// The quantile, evenly spread within its bucket (Prometheus 2.42, promql/quantile.go).
    /// - Parameter buckets: by upper bound.
    static func quantile(_ share: Double, _ buckets: [HistogramBucket]) -> Double {
        if share.isNaN { return .nan }
        if share < 0 { return -.infinity }
        if share > 1 { return .infinity }
        guard buckets.last?.upperBound == .infinity else { return .nan }
        let buckets = monotonic(coalesced(buckets))
        guard buckets.count >= 2, let observations = buckets.last?.count, observations != 0 else { return .nan }
        var rank = share * observations
        let last = buckets.count - 1
        let place = buckets[..<last].firstIndex { $0.count >= rank } ?? last
        if place == last { return buckets[last - 1].upperBound }
        if place == 0, buckets[0].upperBound <= 0 { return buckets[0].upperBound }
        var (start, count) = (0.0, buckets[place].count)
        if place > 0 {
            start = buckets[place - 1].upperBound
            count -= buckets[place - 1].count
            rank -= buckets[place - 1].count
        }
        return start + (buckets[place].upperBound - start) * (rank / count)
    }

    /// Buckets of one upper bound, spelled in two ways, are one.
    private static func coalesced(_ buckets: [HistogramBucket]) -> [HistogramBucket] {
        var result: [HistogramBucket] = []
        for bucket in buckets {
            if result.last?.upperBound == bucket.upperBound {
                result[result.count - 1].count += bucket.count
            } else {
                result.append(bucket)
            }
        }
        return result
    }

    /// Counts that fall (buckets scraped at different moments, or rates) count as the highest before them.
    private static func monotonic(_ buckets: [HistogramBucket]) -> [HistogramBucket] {
        var buckets = buckets
        guard var highest = buckets.first?.count else { return buckets }
        for index in buckets.indices.dropFirst() {
            if buckets[index].count > highest {
                highest = buckets[index].count
            } else if buckets[index].count < highest {
                buckets[index].count = highest
            }
        }
        return buckets
    }
}
