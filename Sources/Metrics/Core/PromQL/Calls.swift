internal import RealModule

extension Evaluation {
    /// A function that gives a vector.
    mutating func vectorCall(_ call: FunctionCall) throws(QueryError) -> [VectorRow] {
        let arguments = call.arguments
        switch call.function {
        case .absent: return try absent(arguments[0])
        case .absentOverTime: return try absentOverTime(arguments[0])
        case .clamp:
            let (least, most) = (try scalar(arguments[1]), try scalar(arguments[2]))
            return try mapping(arguments[0]) { value, step in
                least[step] > most[step]
                    ? nil : Arithmetic.larger(least[step], Arithmetic.smaller(most[step], value))
            }
        case .clampMax:
            let most = try scalar(arguments[1])
            return try mapping(arguments[0]) { value, step in Arithmetic.smaller(most[step], value) }
        case .clampMin:
            let least = try scalar(arguments[1])
            return try mapping(arguments[0]) { value, step in Arithmetic.larger(least[step], value) }
        case .round:
            let nearest = arguments.count > 1 ? try scalar(arguments[1]) : nil
            return try mapping(arguments[0]) { value, step in
                // As Prometheus does, by the inverse: floats then miss less.
                let inverse = 1 / (nearest?[step] ?? 1)
                return (value * inverse + 0.5).rounded(.down) / inverse
            }
        case .histogramQuantile: return try histogramQuantile(try scalar(arguments[0]), try vector(arguments[1]))
        case .labelJoin: return try labelJoin(call)
        case .labelReplace: return try labelReplace(call)
        case .sort, .sortDescending:
            return sorted(try vector(arguments[0]), descending: call.function == .sortDescending)
        case .timestamp: return try timestamp(arguments[0])
        case .vector:
            try use(steps.count)
            return [VectorRow(labels: Labels(""), values: try scalar(arguments[0]))]
        case .dayOfMonth, .dayOfWeek, .dayOfYear, .daysInMonth, .hour, .minute, .month, .year:
            return try calendar(call)
        default:
            if let function = Self.ofOneNumber(call.function) {
                return try mapping(arguments[0]) { value, _ in function(value) }
            }
            return try rangeCall(call)
        }
    }

    /// Each value through `function`; the metric's name goes. A nil drops the value.
    private mutating func mapping(
        _ argument: Expression, _ function: (Double, Int) -> Double?
    ) throws(QueryError) -> [VectorRow] {
        var rows = try vector(argument)
        for number in rows.indices {
            rows[number].labels = rows[number].labels.withoutName
            for step in rows[number].values.indices where rows[number].has(step) {
                rows[number].values[step] = function(rows[number].values[step], step) ?? VectorRow.absent
            }
        }
        return try Merging.byStep(rows)
    }

    private static func ofOneNumber(_ function: QueryFunction) -> ((Double) -> Double)? {
        switch function {
        case .abs: { $0.magnitude }
        case .ceil: { $0.rounded(.up) }
        case .floor: { $0.rounded(.down) }
        case .sqrt: { $0.squareRoot() }
        case .exp: { Double.exp($0) }
        case .ln: { Double.log($0) }
        case .log2: { Double.log2($0) }
        case .log10: { Double.log10($0) }
        case .sgn: { $0 < 0 ? -1 : $0 > 0 ? 1 : $0 }
        case .sin: { Double.sin($0) }
        case .cos: { Double.cos($0) }
        case .tan: { Double.tan($0) }
        case .asin: { Double.asin($0) }
        case .acos: { Double.acos($0) }
        case .atan: { Double.atan($0) }
        case .sinh: { Double.sinh($0) }
        case .cosh: { Double.cosh($0) }
        case .tanh: { Double.tanh($0) }
        case .asinh: { Double.asinh($0) }
        case .acosh: { Double.acosh($0) }
        case .atanh: { Double.atanh($0) }
        case .deg: { $0 * 180 / Double.pi }
        case .rad: { $0 * Double.pi / 180 }
        default: nil
        }
    }

    private mutating func rangeCall(_ call: FunctionCall) throws(QueryError) -> [VectorRow] {
        let range = call.arguments[call.function == .quantileOverTime ? 1 : 0]
        switch call.function {
        case .predictLinear:
            let ahead = try scalar(call.arguments[1])
            return try overRange(range) { view, step in
                RangeFunctions.line(view, atMs: view.stepMs).map { $0.slope * ahead[step] + $0.intercept }
            }
        case .quantileOverTime:
            let share = try scalar(call.arguments[0])
            return try overRange(range) { view, step in
                RangeFunctions.quantile(share[step], Array(view.values))
            }
        case .holtWinters:
            let (smoothing, trend) = (try scalar(call.arguments[1]), try scalar(call.arguments[2]))
            return try overRange(range) { view, step throws(QueryError) in
                for (name, factor) in [("smoothing", smoothing[step]), ("trend", trend[step])] {
                    // A NaN is let through, as Prometheus does, and gives NaN.
                    guard !(factor <= 0 || factor >= 1) else {
                        throw QueryError(.data, "invalid \(name) factor. Expected: 0 < factor < 1, found: \(factor)")
                    }
                }
                return RangeFunctions.holtWinters(view, smoothing: smoothing[step], trend: trend[step])
            }
        default:
            guard let function = Self.ofOneRange(call.function) else {
                preconditionFailure("\(call.function.rawValue) has no evaluation")
            }
            return try overRange(range, keepingName: call.function == .lastOverTime) { view, _ in function(view) }
        }
    }

    private static func ofOneRange(_ function: QueryFunction) -> ((RangeWindowView) -> Double?)? {
        switch function {
        case .rate: { RangeFunctions.extrapolated($0, isCounter: true, isRate: true) }
        case .increase: { RangeFunctions.extrapolated($0, isCounter: true, isRate: false) }
        case .delta: { RangeFunctions.extrapolated($0, isCounter: false, isRate: false) }
        case .irate: { RangeFunctions.instant($0, isRate: true) }
        case .idelta: { RangeFunctions.instant($0, isRate: false) }
        case .resets: { RangeFunctions.resets($0) }
        case .changes: { RangeFunctions.changes($0) }
        case .deriv: { RangeFunctions.line($0, atMs: $0.times[0])?.slope }
        case .sumOverTime: { RangeFunctions.sum($0) }
        case .avgOverTime: { RangeFunctions.average($0) }
        case .minOverTime: { RangeFunctions.least($0) }
        case .maxOverTime: { RangeFunctions.greatest($0) }
        case .countOverTime: { Double($0.count) }
        case .stdvarOverTime: { RangeFunctions.variance($0) }
        case .stddevOverTime: { RangeFunctions.variance($0).squareRoot() }
        case .lastOverTime: { $0.values[$0.count - 1] }
        case .presentOverTime: { _ in 1 }
        default: nil
        }
    }

    // MARK: What is not there

    private mutating func absent(_ argument: Expression) throws(QueryError) -> [VectorRow] {
        let present = anyPresent(try vector(argument))
        return [absence(Self.labelsOfAbsence(argument), present)]
    }

    private mutating func absentOverTime(_ argument: Expression) throws(QueryError) -> [VectorRow] {
        // The rows' labels do not matter, so two of one name may be there.
        let present = anyPresent(try overRange(argument, keepingName: true) { _, _ in 1 })
        return [absence(Self.labelsOfAbsence(argument), present)]
    }

    private func absence(_ labels: Labels, _ present: [Bool]) -> VectorRow {
        VectorRow(labels: labels, values: present.map { $0 ? VectorRow.absent : 1 })
    }

    func anyPresent(_ rows: [VectorRow]) -> [Bool] {
        var present = [Bool](repeating: false, count: steps.count)
        for row in rows {
            for step in 0..<steps.count where row.has(step) { present[step] = true }
        }
        return present
    }

    /// What a selector says of the labels of a series that is missing: those that it sets to one value, once.
    private static func labelsOfAbsence(_ argument: Expression) -> Labels {
        let selector: Selector
        switch argument.bare {
        case .selector(let vector): selector = vector.selector
        case .range(let vector, _): selector = vector.selector
        default: return Labels("")
        }
        var pairs: [Label] = []
        var seen: Set<String> = []
        for matcher in selector.matchers where matcher.label != "__name__" {
            if matcher.comparison == .equal, seen.insert(matcher.label).inserted {
                pairs.append(Label(matcher.label, matcher.value))
            } else {
                // What a later matcher says takes away what an earlier one set, not the other way round.
                pairs.removeAll { $0.name == matcher.label }
            }
        }
        return Labels("", pairs)
    }

    // MARK: Order and time

    /// NaN comes last both ways.
    private func sorted(_ rows: [VectorRow], descending: Bool) -> [VectorRow] {
        guard steps.count == 1 else { return rows }
        return rows.filter { $0.has(0) }.sorted { left, right in
            let (one, other) = (left.values[0], right.values[0])
            if one.isNaN || other.isNaN { return !one.isNaN }
            return descending ? one > other : one < other
        }
    }

    /// Of a selector: when each value was measured; of anything else: the time of evaluation.
    private mutating func timestamp(_ argument: Expression) throws(QueryError) -> [VectorRow] {
        if case .selector(let selector) = argument.bare {
            let rows = try instant(selector) { time, _ in Double(time) / 1000 }
            return try Merging.byStep(rows.map { VectorRow(labels: $0.labels.withoutName, values: $0.values) })
        }
        let steps = steps
        return try mapping(argument) { _, step in Double(steps.time(step)) / 1000 }
    }

    private mutating func calendar(_ call: FunctionCall) throws(QueryError) -> [VectorRow] {
        let part = { (value: Double) in CalendarDate(unixSeconds: value).part(call.function) }
        guard let argument = call.arguments.first else {
            try use(steps.count)
            return [
                VectorRow(labels: Labels(""), values: (0..<steps.count).map { part(Double(steps.time($0)) / 1000) })
            ]
        }
        return try mapping(argument) { value, _ in part(value) }
    }
}
