/// Reads PromQL (Prometheus 2.42, promql/parser/generated_parser.y and parse.go) by precedence climbing. What stands where is
/// checked as it is read, so every error has its position.
package struct ExpressionParser {
    private let tokens: [Token]
    private var at = 0
    /// How many expressions are being read within each other.
    private var depth = 0
    /// The height of the tree that was read last.
    private var height = 0
    private let patterns: PatternCompiler

    /// Brackets and operators within each other, and operators in a row: who reads or evaluates calls himself for each, on a
    /// thread's stack of 8 MiB.
    private static let mostLevels = 500

    private init(_ text: String, _ patterns: @escaping PatternCompiler) throws(QueryError) {
        tokens = try Lexer.tokens(of: text)
        self.patterns = patterns
    }

    /// Reads all of `text`.
    package static func parse(_ text: String, patterns: @escaping PatternCompiler) throws(QueryError) -> Expression {
        var parser = try ExpressionParser(text, patterns)
        if parser.token.kind == .end { throw QueryError(.syntax, at: 1, "no expression found in input") }
        let expression = try parser.expression(above: 0)
        guard parser.token.kind == .end else { throw parser.unexpected("an operator or the end") }
        return expression
    }

    // MARK: Operators

    private mutating func expression(above least: Int) throws(QueryError) -> Expression {
        depth += 1
        defer { depth -= 1 }
        try checkLevels(depth)
        let start = token.position
        var left = try unary()
        var leftHeight = height
        while let operation = operation, operation.precedence > least {
            let position = token.position
            advance()
            let isBool = try boolModifier(operation)
            let matching = try vectorMatching()
            let rightStart = token.position
            // Only `^` groups from the right: `2^3^2` is `2^(3^2)`.
            let right = try expression(above: operation == .power ? operation.precedence - 1 : operation.precedence)
            let binary = BinaryExpression(
                operation, left, right, isBool: isBool, matching: matching, position: position)
            try TypeCheck.check(binary, leftStart: start, rightStart: rightStart)
            left = .binary(binary)
            leftHeight = max(leftHeight, height) + 1
            try checkLevels(leftHeight)
        }
        height = leftHeight + 1
        return left
    }

    private func checkLevels(_ levels: Int) throws(QueryError) {
        guard levels <= Self.mostLevels else {
            throw QueryError(.syntax, at: token.position, "an expression may be \(Self.mostLevels) levels deep")
        }
    }

    private var operation: BinaryExpression.Operation? {
        switch token.kind {
        case .symbol: BinaryExpression.Operation(rawValue: token.text)
        case .word:
            ["and", "or", "unless", "atan2"].contains(token.text.lowercased())
                ? BinaryExpression.Operation(rawValue: token.text.lowercased()) : nil
        case .number, .duration, .string, .end: nil
        }
    }

    private mutating func boolModifier(_ operation: BinaryExpression.Operation) throws(QueryError) -> Bool {
        guard token.isKeyword("bool") else { return false }
        guard operation.isComparison else {
            throw QueryError(.syntax, at: token.position, "bool modifier can only be used on comparison operators")
        }
        advance()
        return true
    }

    private mutating func vectorMatching() throws(QueryError) -> VectorMatching {
        var matching = VectorMatching()
        guard token.isKeyword("on") || token.isKeyword("ignoring") else { return matching }
        matching.position = token.position
        matching.isOn = token.isKeyword("on")
        advance()
        matching.labels = try labelList()
        if token.isKeyword("group_left") {
            matching.group = .left
        } else if token.isKeyword("group_right") {
            matching.group = .right
        } else {
            return matching
        }
        advance()
        if token.isSymbol("(") { matching.included = try labelList() }
        return matching
    }

    private mutating func unary() throws(QueryError) -> Expression {
        let isMinus = token.isSymbol("-")
        guard isMinus || token.isSymbol("+") else { return try postfix() }
        advance()
        let start = token.position
        let operand = try expression(above: BinaryExpression.Operation.unaryPrecedence)
        guard operand.kind == .scalar || operand.kind == .vector else {
            throw QueryError(
                .syntax, at: start,
                "unary expression only allowed on expressions of type scalar or instant vector, found \(operand.kind.rawValue)"
            )
        }
        if case .number(let value) = operand { return .number(isMinus ? -value : value) }
        return isMinus ? .negation(operand) : .identity(operand)
    }

    // MARK: Ranges, offset, @

    private mutating func postfix() throws(QueryError) -> Expression {
        let start = token.position
        height = 0
        var expression = try primary()
        while true {
            if token.isSymbol("[") {
                expression = try bracket(after: expression, start: start)
                height += 1
                try checkLevels(height)
            } else if token.isKeyword("offset") {
                expression = try offset(of: expression, start: start)
            } else if token.isSymbol("@") {
                expression = try anchor(of: expression, start: start)
            } else {
                return expression
            }
        }
    }

    private mutating func bracket(after expression: Expression, start: Int) throws(QueryError) -> Expression {
        advance()
        let rangeMs = try duration()
        if token.isSymbol(":") {
            advance()
            let stepMs = token.isSymbol("]") ? nil : try duration()
            try take("]")
            guard expression.kind == .vector else {
                throw QueryError(
                    .syntax, at: start, "subquery is only allowed on instant vector, found \(expression.kind.rawValue)")
            }
            return .subquery(Subquery(inner: expression, rangeMs: rangeMs, stepMs: stepMs))
        }
        try take("]")
        guard case .selector(let selector) = expression else {
            throw QueryError(.syntax, at: start, "ranges only allowed for vector selectors")
        }
        guard selector.shift == TimeShift() else {
            throw QueryError(.syntax, at: start, "no offset and no @ modifiers allowed before range")
        }
        return .range(selector, rangeMs: rangeMs)
    }

    private mutating func duration() throws(QueryError) -> Int64 {
        guard case .duration(let value) = token.kind else { throw unexpected("a duration such as 5m") }
        guard value > 0 else {
            throw QueryError(.syntax, at: token.position, "duration must be greater than 0")
        }
        advance()
        return value
    }

    private mutating func offset(of expression: Expression, start: Int) throws(QueryError) -> Expression {
        let position = token.position
        advance()
        let isMinus = token.isSymbol("-")
        if isMinus { advance() }
        let offsetMs = try duration()
        return try shifting(expression, start: start, "offset") { shift throws(QueryError) in
            guard shift.offsetMs == 0 else {
                throw QueryError(.syntax, at: position, "offset may not be set multiple times")
            }
            shift.offsetMs = isMinus ? -offsetMs : offsetMs
        }
    }

    private mutating func anchor(of expression: Expression, start: Int) throws(QueryError) -> Expression {
        let position = token.position
        advance()
        let anchor = try anchorTime()
        return try shifting(expression, start: start, "@") { shift throws(QueryError) in
            guard shift.anchor == nil else {
                throw QueryError(.syntax, at: position, "@ <timestamp> may not be set multiple times")
            }
            shift.anchor = anchor
        }
    }

    private mutating func anchorTime() throws(QueryError) -> TimeShift.Anchor {
        for (word, anchor) in [("start", TimeShift.Anchor.start), ("end", .end)] where token.isKeyword(word) {
            advance()
            try take("(")
            try take(")")
            return anchor
        }
        let position = token.position
        let isMinus = token.isSymbol("-")
        if isMinus || token.isSymbol("+") { advance() }
        guard case .number(let seconds) = token.kind else { throw unexpected("a time, start() or end()") }
        advance()
        let ms = ((isMinus ? -seconds : seconds) * 1000).rounded(.toNearestOrAwayFromZero)
        guard let time = Int64(exactly: ms), abs(time) < Int64.max / 4 else {
            throw QueryError(
                .syntax, at: position, "timestamp out of bounds for @ modifier: \(isMinus ? "-" : "")\(seconds)")
        }
        return .time(time)
    }

    private func shifting(
        _ expression: Expression, start: Int, _ what: String, _ change: (inout TimeShift) throws(QueryError) -> Void
    ) throws(QueryError) -> Expression {
        switch expression {
        case .selector(var selector):
            try change(&selector.shift)
            return .selector(selector)
        case .range(var selector, let rangeMs):
            try change(&selector.shift)
            return .range(selector, rangeMs: rangeMs)
        case .subquery(var subquery):
            try change(&subquery.shift)
            return .subquery(subquery)
        case .number, .string, .call, .aggregation, .binary, .negation, .identity, .parentheses:
            throw QueryError(
                .syntax, at: start,
                "\(what) modifier must be preceded by an instant vector selector or range vector selector or a subquery"
            )
        }
    }

    // MARK: What stands by itself

    private mutating func primary() throws(QueryError) -> Expression {
        switch token.kind {
        case .number(let value):
            advance()
            return .number(value)
        case .string(let text):
            advance()
            return .string(text)
        case .symbol:
            if token.isSymbol("{") { return try selector(named: nil) }
            guard token.isSymbol("(") else { throw unexpected("an expression") }
            advance()
            let inner = try expression(above: 0)
            try take(")")
            return .parentheses(inner)
        case .word: return try named()
        case .duration, .end: throw unexpected("an expression")
        }
    }

    /// Words that are a metric's name nowhere.
    private static let reserved: Set<String> = ["bool", "on", "ignoring", "group_left", "group_right", "atan2"]

    private mutating func named() throws(QueryError) -> Expression {
        let name = token
        let next = tokens[at + 1]
        let operation = Aggregation.Operation(rawValue: name.text.lowercased())
        if let operation, next.isSymbol("(") || next.isKeyword("by") || next.isKeyword("without") {
            advance()
            return try aggregation(operation, start: name.position)
        }
        guard !Self.reserved.contains(name.text.lowercased()) else { throw unexpected("an expression") }
        if next.isSymbol("("), !name.text.contains(":"), !Self.keywords.contains(name.text.lowercased()) {
            advance()
            return try call(name)
        }
        advance()
        return try selector(named: name)
    }

    private static let keywords: Set<String> = ["and", "or", "unless", "offset", "by", "without", "start", "end"]

    private mutating func call(_ name: Token) throws(QueryError) -> Expression {
        guard let function = QueryFunction(rawValue: name.text) else {
            let isNative = QueryFunction.ofNativeHistograms.contains(name.text)
            throw QueryError(
                .syntax, at: name.position,
                isNative
                    ? "\(name.text) reads native histograms, which are not stored here"
                    : "unknown function with name \(name.found)")
        }
        let (arguments, starts) = try self.arguments()
        try TypeCheck.check(function, arguments, starts: starts, at: name.position)
        return .call(FunctionCall(function: function, arguments: arguments))
    }

    private mutating func arguments() throws(QueryError) -> ([Expression], [Int]) {
        var arguments: [Expression] = []
        var starts: [Int] = []
        var highest = 0
        try take("(")
        if token.isSymbol(")") {
            advance()
            return ([], [])
        }
        while true {
            starts.append(token.position)
            arguments.append(try expression(above: 0))
            highest = max(highest, height)
            height = highest
            if token.isSymbol(")") {
                advance()
                return (arguments, starts)
            }
            try takeComma(or: ")")
        }
    }

    private mutating func aggregation(
        _ operation: Aggregation.Operation, start: Int
    ) throws(QueryError) -> Expression {
        var grouping = try self.grouping()
        let (arguments, starts) = try self.arguments()
        if grouping == nil { grouping = try self.grouping() }
        let count = operation.parameter == nil ? 1 : 2
        guard arguments.count == count, let inner = arguments.last, let innerStart = starts.last else {
            throw QueryError(
                .syntax, at: start,
                "wrong number of arguments for aggregate expression provided, expected \(count), found \(arguments.count)"
            )
        }
        try TypeCheck.expect(.vector, inner, at: innerStart, "aggregation expression")
        if let kind = operation.parameter {
            try TypeCheck.expect(kind, arguments[0], at: starts[0], "aggregation parameter")
        }
        return .aggregation(
            Aggregation(
                operation: operation, parameter: count == 2 ? arguments[0] : nil, inner: inner,
                labels: grouping?.labels ?? [], isWithout: grouping?.isWithout ?? false))
    }

    private mutating func grouping() throws(QueryError) -> (labels: [String], isWithout: Bool)? {
        guard token.isKeyword("by") || token.isKeyword("without") else { return nil }
        let isWithout = token.isKeyword("without")
        advance()
        return (try labelList(), isWithout)
    }

    private mutating func labelList() throws(QueryError) -> [String] {
        try take("(")
        var labels: [String] = []
        while !token.isSymbol(")") {
            // `without` alone of all keywords is missing from Prometheus's list of what may stand here.
            guard token.kind == .word, !token.text.contains(":"), !token.isKeyword("without") else {
                throw unexpected("a label name or )")
            }
            labels.append(token.text)
            advance()
            guard !token.isSymbol(")") else { break }
            try takeComma(or: ")")
        }
        advance()
        return labels
    }

    // MARK: Selectors

    private mutating func selector(named name: Token?) throws(QueryError) -> Expression {
        let start = name?.position ?? token.position
        var matchers: [Matcher] = []
        if let name { matchers.append(Matcher("__name__", .equal, name.text)) }
        if token.isSymbol("{") { matchers += try braces(name) }
        guard matchers.contains(where: { !$0.matchesEmpty }) else {
            throw QueryError(.syntax, at: start, "vector selector must contain at least one non-empty matcher")
        }
        return .selector(VectorSelector(Selector(matchers)))
    }

    private mutating func braces(_ name: Token?) throws(QueryError) -> [Matcher] {
        try take("{")
        var matchers: [Matcher] = []
        while !token.isSymbol("}") {
            let label = token
            // Inside braces `inf` and `nan` are names like any other.
            guard let first = label.text.utf8.first, label.kind != .symbol, label.kind != .end,
                !label.text.contains(":"),
                first == 0x5f || (first | 0x20 >= 0x61 && first | 0x20 <= 0x7a)
            else { throw unexpected("a label name or }") }
            guard name == nil || label.text != "__name__" else {
                throw QueryError(.syntax, at: label.position, "the metric name must not be set twice")
            }
            advance()
            matchers.append(try matcher(label.text))
            guard !token.isSymbol("}") else { break }
            try takeComma(or: "}")
        }
        advance()
        return matchers
    }

    private mutating func matcher(_ label: String) throws(QueryError) -> Matcher {
        guard token.kind == .symbol, let comparison = MatchOperator(rawValue: token.text) else {
            throw unexpected("one of =, !=, =~, !~")
        }
        advance()
        let position = token.position
        guard case .string(let value) = token.kind else { throw unexpected("a quoted value") }
        advance()
        switch comparison {
        case .equal, .notEqual: return Matcher(label, comparison, value)
        case .matches, .doesNotMatch:
            do throws(PatternProblem) {
                return Matcher(label, comparison, try patterns(value))
            } catch {
                throw QueryError(.syntax, at: position, "error parsing regexp: \(error.reason)")
            }
        }
    }

    // MARK: Tokens

    private var token: Token { tokens[at] }

    private mutating func advance() { at = min(at + 1, tokens.count - 1) }

    private mutating func take(_ symbol: String) throws(QueryError) {
        guard token.isSymbol(symbol) else { throw unexpected(symbol) }
        advance()
    }

    private mutating func takeComma(or end: String) throws(QueryError) {
        guard token.isSymbol(",") else { throw unexpected("a comma or \(end)") }
        advance()
    }

    private func unexpected(_ wanted: String) -> QueryError {
        QueryError(.syntax, at: token.position, "expected \(wanted), found \(token.found)")
    }
}
