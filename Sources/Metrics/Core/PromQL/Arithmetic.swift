internal import RealModule

/// PromQL's operators on two numbers.
enum Arithmetic {
    /// The value of an arithmetic operator, or 1 or 0 for a comparison.
    static func value(_ operation: BinaryExpression.Operation, _ left: Double, _ right: Double) -> Double {
        switch operation {
        case .plus: left + right
        case .minus: left - right
        case .times: left * right
        case .divided: left / right
        case .modulo: left.truncatingRemainder(dividingBy: right)
        case .power: power(left, right)
        case .atan2: Double.atan2(y: left, x: right)
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual:
            holds(operation, left, right) ? 1 : 0
        case .or, .and, .unless: preconditionFailure("set operators work on series")
        }
    }

    static func holds(_ operation: BinaryExpression.Operation, _ left: Double, _ right: Double) -> Bool {
        switch operation {
        case .equal: left == right
        case .notEqual: left != right
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        case .plus, .minus, .times, .divided, .modulo, .power, .atan2, .or, .and, .unless:
            preconditionFailure("\(operation.rawValue) compares nothing")
        }
    }

    /// pow(3) as C and Go have it; RealModule's has no negative bases.
    private static func power(_ base: Double, _ exponent: Double) -> Double {
        if exponent == 0 || base == 1 { return 1 }
        if base.isNaN || exponent.isNaN { return .nan }
        if base == -1, exponent.isInfinite { return 1 }
        let isWhole = exponent.rounded(.towardZero) == exponent || exponent.isInfinite
        let isOdd = isWhole && exponent.magnitude < 0x1p53 && exponent.truncatingRemainder(dividingBy: 2) != 0
        let isNegative = base.sign == .minus
        let magnitude = magnitude(base.magnitude, exponent)
        guard isNegative else { return magnitude }
        if !isWhole, base.isFinite, base != 0 { return .nan }
        return isOdd ? -magnitude : magnitude
    }

    private static func magnitude(_ base: Double, _ exponent: Double) -> Double {
        if base == 0 { return exponent < 0 ? .infinity : 0 }
        if base.isInfinite { return exponent < 0 ? 0 : .infinity }
        if exponent.isInfinite { return (base > 1) == (exponent > 0) ? .infinity : 0 }
        return Double.pow(base, exponent)
    }

    /// Go's `math.Max`: a NaN wins, but +Inf before it.
    static func larger(_ left: Double, _ right: Double) -> Double {
        if left == .infinity || right == .infinity { return .infinity }
        if left.isNaN || right.isNaN { return .nan }
        return left > right ? left : right
    }

    /// Go's `math.Min`: a NaN wins, but -Inf before it.
    static func smaller(_ left: Double, _ right: Double) -> Double {
        if left == -.infinity || right == -.infinity { return -.infinity }
        if left.isNaN || right.isNaN { return .nan }
        return left < right ? left : right
    }
}

/// A sum that keeps what rounding takes away: Neumaier's form of Kahan's (A. Neumaier, ZAMM 54, 1974), as Prometheus sums.
struct ExactSum {
    private(set) var sum = 0.0
    private(set) var rest = 0.0

    @inline(__always)
    mutating func add(_ value: Double) {
        let next = sum + value
        rest += sum.magnitude >= value.magnitude ? (sum - next) + value : (value - next) + sum
        sum = next
    }

    var value: Double { sum.isInfinite ? sum : sum + rest }
}
