/// A PromQL expression as it was written, with its types checked (Prometheus 2.42, promql/parser). Native histograms are not
/// there: no series here holds one.
package indirect enum Expression: Hashable, Sendable {
    case number(Double)
    case string(String)
    /// `name{label="value"}`: at each time the latest value of each series.
    case selector(VectorSelector)
    /// `selector[5m]`: at each time the values of the last five minutes.
    case range(VectorSelector, rangeMs: Int64)
    /// `expression[1h:5m]`.
    case subquery(Subquery)
    case call(FunctionCall)
    case aggregation(Aggregation)
    case binary(BinaryExpression)
    /// Unary minus.
    case negation(Expression)
    /// Unary plus: it changes no value, but what is behind it is no selector any more.
    case identity(Expression)
    case parentheses(Expression)

    /// What an expression gives.
    package enum Kind: String, Hashable, Sendable {
        case scalar
        case vector = "instant vector"
        case range = "range vector"
        case string
    }

    package var kind: Kind {
        switch self {
        case .number: .scalar
        case .string: .string
        case .selector, .aggregation: .vector
        case .range, .subquery: .range
        case .call(let call): call.function.signature.result
        case .binary(let binary): binary.kind
        case .negation(let inner), .identity(let inner), .parentheses(let inner): inner.kind
        }
    }

    /// The expression inside all its parentheses.
    package var bare: Expression {
        var expression = self
        while case .parentheses(let inner) = expression { expression = inner }
        return expression
    }
}

/// `offset` and `@`: which time an expression is read at, in place of the time that is evaluated.
package struct TimeShift: Hashable, Sendable {
    /// What `@` names.
    package enum Anchor: Hashable, Sendable {
        /// `@ 1700000000`, ms since 1970.
        case time(Int64)
        /// `@ start()`
        case start
        /// `@ end()`
        case end
    }

    /// Back in time; negative: forward.
    package var offsetMs: Int64 = 0
    package var anchor: Anchor?

    package init() {}
}

/// A selector and the time that it is read at.
package struct VectorSelector: Hashable, Sendable {
    package var selector: Selector
    package var shift = TimeShift()

    package init(_ selector: Selector) {
        self.selector = selector
    }
}

/// An expression evaluated at many times, as a range: `expression[1h:5m]`.
package struct Subquery: Hashable, Sendable {
    package var inner: Expression
    package var rangeMs: Int64
    /// Nil where it is left out: the evaluation's own default.
    package var stepMs: Int64?
    package var shift = TimeShift()
}

/// A function with its arguments, of which number and types fit.
package struct FunctionCall: Hashable, Sendable {
    package var function: QueryFunction
    package var arguments: [Expression]
}

/// An operator that makes of many series one a group: `sum by (job) (inner)`.
package struct Aggregation: Hashable, Sendable {
    /// Which of them.
    package enum Operation: String, Hashable, Sendable, CaseIterable {
        case sum
        case avg
        case count
        case min
        case max
        case group
        case stddev
        case stdvar
        case topk
        case bottomk
        case quantile
        case countValues = "count_values"

        /// The type of the argument before the vector; nil where there is none.
        var parameter: Expression.Kind? {
            switch self {
            case .topk, .bottomk, .quantile: .scalar
            case .countValues: .string
            case .sum, .avg, .count, .min, .max, .group, .stddev, .stdvar: nil
            }
        }
    }

    package var operation: Operation
    package var parameter: Expression?
    package var inner: Expression
    /// `by`, or `without`, these labels. Neither: `by` none.
    package var labels: [String] = []
    package var isWithout = false
}

/// Two expressions with an operator between them.
package struct BinaryExpression: Hashable, Sendable {
    /// Which operator, as it is written.
    package enum Operation: String, Hashable, Sendable, CaseIterable {
        case or
        case and
        case unless
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case plus = "+"
        case minus = "-"
        case times = "*"
        case divided = "/"
        case modulo = "%"
        case atan2
        case power = "^"

        /// The higher binds the closer ("Operators", binary operator precedence).
        var precedence: Int {
            switch self {
            case .or: 1
            case .and, .unless: 2
            case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: 3
            case .plus, .minus: 4
            case .times, .divided, .modulo, .atan2: 5
            case .power: 6
            }
        }

        package var isSet: Bool { precedence <= 2 }
        package var isComparison: Bool { precedence == 3 }
        /// Whether its result is another figure than what went in, so that the metric's name goes. Prometheus 2.42 forgets
        /// `atan2` among them (promql/engine.go, `shouldDropMetricName`), and is followed.
        var dropsName: Bool { precedence >= 4 && self != .atan2 }
        /// Unary minus binds as these do, so `-2^2` is -4 and `-2*3` is `(-2)*3`.
        static let unaryPrecedence = 5
    }

    package let operation: Operation
    package let left: Expression
    package let right: Expression
    /// A comparison answers 0 or 1 and drops nothing.
    package let isBool: Bool
    package let matching: VectorMatching
    /// Where the operator stands, for errors that only the data shows; 1-based, bytes.
    package let position: Int
    /// What it gives: kept, since in a long chain of operators each asks those before it.
    package let kind: Expression.Kind

    init(
        _ operation: Operation, _ left: Expression, _ right: Expression, isBool: Bool, matching: VectorMatching,
        position: Int
    ) {
        self.operation = operation
        self.left = left
        self.right = right
        self.isBool = isBool
        self.matching = matching
        self.position = position
        kind = left.kind == .scalar && right.kind == .scalar ? .scalar : .vector
    }
}

/// How the series of two vectors find each other.
package struct VectorMatching: Hashable, Sendable {
    /// On which side one series may have many partners.
    package enum Group: Hashable, Sendable {
        /// Each series has at most one partner.
        case none
        /// `group_left`: many on the left have one on the right.
        case left
        /// `group_right`.
        case right
    }

    /// `on` these labels, or `ignoring` them.
    package var isOn = false
    package var labels: [String] = []
    package var group = Group.none
    /// Labels that the many take from the one.
    package var included: [String] = []
    /// Where `on` or `ignoring` stands; nil where neither does.
    var position: Int?
}

/// Why a query cannot be answered.
package struct QueryError: Error, Hashable, Sendable {
    /// What kind of error it is.
    package enum Reason: Hashable, Sendable {
        /// It is no PromQL, or its types do not fit.
        case syntax
        /// It is PromQL, but not with this data.
        case data
        /// It would read or hold more than a query may.
        case limit
        /// Its time is up.
        case deadline
        /// The store cannot be read.
        case store
    }

    package var reason: Reason
    /// The 1-based position of what is wrong, in bytes of UTF-8; nil where it is the whole.
    package var position: Int?
    package var message: String

    package init(_ reason: Reason, at position: Int? = nil, _ message: String) {
        self.reason = reason
        self.position = position
        self.message = message
    }

    /// The query makes, or one of its series has, more values than a query may.
    package static func tooLarge(_ most: Int) -> QueryError {
        QueryError(.limit, "the query goes through more than \(most) values; ask for fewer series or steps")
    }

    /// Only a scalar or an instant vector has a value at each of many times.
    static func notAtManyTimes(_ kind: Expression.Kind) -> QueryError {
        QueryError(
            .syntax,
            "invalid expression type \"\(kind.rawValue)\" for range query, must be scalar or instant vector")
    }

    /// The query was not done in its time.
    package static let overdue = QueryError(.deadline, "the query's time is up")
}
