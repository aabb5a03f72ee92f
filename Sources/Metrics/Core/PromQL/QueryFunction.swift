/// Every function of PromQL (Prometheus 2.42, promql/parser/functions.go) but the three that read native histograms.
package enum QueryFunction: String, Hashable, Sendable, CaseIterable {
    case abs, absent, acos, acosh, asin, asinh, atan, atanh, ceil, changes, clamp, cos, cosh, deg, delta, deriv, exp
    case floor, hour, idelta, increase, irate, ln, log10, log2, minute, month, pi, rad, rate, resets, round, scalar
    case sgn, sin, sinh, sort, sqrt, tan, tanh, time, timestamp, vector, year
    case absentOverTime = "absent_over_time"
    case avgOverTime = "avg_over_time"
    case clampMax = "clamp_max"
    case clampMin = "clamp_min"
    case countOverTime = "count_over_time"
    case dayOfMonth = "day_of_month"
    case dayOfWeek = "day_of_week"
    case dayOfYear = "day_of_year"
    case daysInMonth = "days_in_month"
    case histogramQuantile = "histogram_quantile"
    case holtWinters = "holt_winters"
    case labelJoin = "label_join"
    case labelReplace = "label_replace"
    case lastOverTime = "last_over_time"
    case maxOverTime = "max_over_time"
    case minOverTime = "min_over_time"
    case predictLinear = "predict_linear"
    case presentOverTime = "present_over_time"
    case quantileOverTime = "quantile_over_time"
    case sortDescending = "sort_desc"
    case stddevOverTime = "stddev_over_time"
    case stdvarOverTime = "stdvar_over_time"
    case sumOverTime = "sum_over_time"

    /// Functions of Prometheus 2.42 that are refused, with the reason in the error.
    static let ofNativeHistograms: Set<String> = ["histogram_count", "histogram_sum", "histogram_fraction"]

    /// What a function takes and gives.
    package struct Signature: Hashable, Sendable {
        package var arguments: [Expression.Kind]
        /// How many of the last arguments may be left out.
        package var optional = 0
        /// Whether the last argument may come any number of times, also none.
        package var isRepeated = false
        package var result: Expression.Kind
    }

    package var signature: Signature {
        switch self {
        case .absent, .abs, .acos, .acosh, .asin, .asinh, .atan, .atanh, .ceil, .cos, .cosh, .deg, .exp, .floor, .ln,
            .log10, .log2, .rad, .sgn, .sin, .sinh, .sort, .sortDescending, .sqrt, .tan, .tanh, .timestamp:
            Signature(arguments: [.vector], result: .vector)
        case .absentOverTime, .avgOverTime, .changes, .countOverTime, .delta, .deriv, .idelta, .increase, .irate,
            .lastOverTime, .maxOverTime, .minOverTime, .presentOverTime, .rate, .resets, .stddevOverTime,
            .stdvarOverTime, .sumOverTime:
            Signature(arguments: [.range], result: .vector)
        case .clamp: Signature(arguments: [.vector, .scalar, .scalar], result: .vector)
        case .clampMax, .clampMin: Signature(arguments: [.vector, .scalar], result: .vector)
        case .dayOfMonth, .dayOfWeek, .dayOfYear, .daysInMonth, .hour, .minute, .month, .year:
            Signature(arguments: [.vector], optional: 1, result: .vector)
        case .histogramQuantile: Signature(arguments: [.scalar, .vector], result: .vector)
        case .holtWinters: Signature(arguments: [.range, .scalar, .scalar], result: .vector)
        case .labelJoin:
            Signature(arguments: [.vector, .string, .string, .string], isRepeated: true, result: .vector)
        case .labelReplace:
            Signature(arguments: [.vector, .string, .string, .string, .string], result: .vector)
        case .pi, .time: Signature(arguments: [], result: .scalar)
        case .predictLinear: Signature(arguments: [.range, .scalar], result: .vector)
        case .quantileOverTime: Signature(arguments: [.scalar, .range], result: .vector)
        case .round: Signature(arguments: [.vector, .scalar], optional: 1, result: .vector)
        case .scalar: Signature(arguments: [.vector], result: .scalar)
        case .vector: Signature(arguments: [.scalar], result: .vector)
        }
    }
}
