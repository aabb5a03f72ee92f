internal import RealModule

/// Functions over the values of one series in a range, as Prometheus 2.42 computes them (promql/functions.go).
enum RangeFunctions {
    // MARK: Counters

    /// `rate`, `increase` and `delta`: the difference of last and first value (of a counter: with what its resets lost), stretched
    /// to the range's ends where values reach near them, by half a distance of values where they do not.
    static func extrapolated(_ view: RangeWindowView, isCounter: Bool, isRate: Bool) -> Double? {
        guard view.count >= 2 else { return nil }
        let (values, last) = (view.values, view.count - 1)
        var result = values[last] - values[0]
        if isCounter {
            for drop in view.drops { result += values[drop - view.first - 1] }
        }
        var toStart = seconds(view.times[0] - view.fromMs)
        let toEnd = seconds(view.toMs - view.times[last])
        let sampled = seconds(view.times[last] - view.times[0])
        let average = sampled / Double(view.count - 1)
        if isCounter, result > 0, values[0] >= 0 {
            // A counter is not below zero: it began no earlier than where the line through its values meets zero.
            toStart = min(toStart, sampled * (values[0] / result))
        }
        let threshold = average * 1.1
        var reach = sampled
        reach += toStart < threshold ? toStart : average / 2
        reach += toEnd < threshold ? toEnd : average / 2
        var factor = reach / sampled
        if isRate { factor /= view.rangeSeconds }
        return result * factor
    }

    /// `irate` and `idelta`: of the last two values.
    static func instant(_ view: RangeWindowView, isRate: Bool) -> Double? {
        guard view.count >= 2 else { return nil }
        let last = view.values[view.count - 1]
        let previous = view.values[view.count - 2]
        let interval = view.times[view.count - 1] - view.times[view.count - 2]
        guard interval > 0 else { return nil }
        let result = isRate && last < previous ? last : last - previous
        return isRate ? result / seconds(interval) : result
    }

    static func resets(_ view: RangeWindowView) -> Double { Double(view.drops.count) }

    static func changes(_ view: RangeWindowView) -> Double {
        var count = 0
        for place in 1..<max(view.count, 1) {
            let (previous, value) = (view.values[place - 1], view.values[place])
            if value != previous, !(value.isNaN && previous.isNaN) { count += 1 }
        }
        return Double(count)
    }

    private static func seconds(_ ms: Int64) -> Double { Double(ms) / 1000 }

    // MARK: Trends

    /// Least squares through the values; `slope` is a second. `intercept` is the line's value at `atMs`.
    static func line(_ view: RangeWindowView, atMs: Int64) -> (slope: Double, intercept: Double)? {
        guard view.count >= 2 else { return nil }
        let initial = view.values[0]
        var isConstant = true
        var (sumX, sumY, sumXY, sumXX) = (ExactSum(), ExactSum(), ExactSum(), ExactSum())
        for index in 0..<view.count {
            let value = view.values[index]
            if value != initial, index > 0 { isConstant = false }
            let time = Double(view.times[index] - atMs) / 1000
            sumX.add(time)
            sumY.add(value)
            sumXY.add(time * value)
            sumXX.add(time * time)
        }
        if isConstant { return initial.isInfinite ? (.nan, .nan) : (0, initial) }
        let count = Double(view.count)
        let (x, y) = (sumX.sum + sumX.rest, sumY.sum + sumY.rest)
        let covariance = sumXY.sum + sumXY.rest - x * y / count
        let variance = sumXX.sum + sumXX.rest - x * x / count
        let slope = covariance / variance
        return (slope, y / count - slope * x / count)
    }

    /// Double exponential smoothing (Holt-Winters without a season): the smoothed value at the end.
    static func holtWinters(_ view: RangeWindowView, smoothing: Double, trend: Double) -> Double? {
        guard view.count >= 2 else { return nil }
        let values = view.values
        var (earlier, level) = (0.0, values[0])
        var slope = values[1] - values[0]
        for index in 1..<view.count {
            if index > 1 { slope = trend * (level - earlier) + (1 - trend) * slope }
            let next = smoothing * values[index] + (1 - smoothing) * (level + slope)
            (earlier, level) = (level, next)
        }
        return level
    }

    // MARK: Over time

    static func sum(_ view: RangeWindowView) -> Double {
        var sum = ExactSum()
        for value in view.values { sum.add(value) }
        return sum.value
    }

    /// The mean, step by step, so that no sum overflows.
    static func average(_ view: RangeWindowView) -> Double {
        var mean = ExactSum()
        var count = 0.0
        for value in view.values {
            count += 1
            if mean.sum.isInfinite, value.isInfinite ? (mean.sum > 0) == (value > 0) : !value.isNaN { continue }
            mean.add(value / count - mean.sum / count)
        }
        return mean.value
    }

    static func least(_ view: RangeWindowView) -> Double {
        view.values.reduce(Double.nan) { $1 < $0 || $0.isNaN ? $1 : $0 }
    }

    static func greatest(_ view: RangeWindowView) -> Double {
        view.values.reduce(Double.nan) { $1 > $0 || $0.isNaN ? $1 : $0 }
    }

    /// The variance of the whole population (Welford's way).
    static func variance(_ view: RangeWindowView) -> Double {
        var (mean, squares) = (ExactSum(), ExactSum())
        var count = 0.0
        for value in view.values {
            count += 1
            let before = value - (mean.sum + mean.rest)
            mean.add(before / count)
            squares.add(before * (value - (mean.sum + mean.rest)))
        }
        return (squares.sum + squares.rest) / count
    }

    /// The `share` quantile, between the two nearest values; a NaN counts as less than all.
    static func quantile(_ share: Double, _ values: [Double]) -> Double {
        guard !values.isEmpty, !share.isNaN else { return .nan }
        if share < 0 { return -.infinity }
        if share > 1 { return .infinity }
        let sorted = values.sorted { $0.isNaN ? !$1.isNaN : $0 < $1 }
        let rank = share * Double(sorted.count - 1)
        let lower = rank.rounded(.down)
        let upper = min(Double(sorted.count - 1), lower + 1)
        let weight = rank - lower
        return sorted[Int(lower)] * (1 - weight) + sorted[Int(upper)] * weight
    }
}
