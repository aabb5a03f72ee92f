/// Which types fit together (Prometheus 2.42, promql/parser/parse.go, `checkAST`).
enum TypeCheck {
    static func expect(_ kind: Expression.Kind, _ found: Expression, at position: Int, _ what: String)
        throws(QueryError)
    {
        guard found.kind == kind else {
            throw QueryError(
                .syntax, at: position, "expected type \(kind.rawValue) in \(what), found \(found.kind.rawValue)")
        }
    }

    static func check(
        _ function: QueryFunction, _ arguments: [Expression], starts: [Int], at position: Int
    ) throws(QueryError) {
        let signature = function.signature
        let most = signature.arguments.count
        let least = most - signature.optional - (signature.isRepeated ? 1 : 0)
        guard arguments.count >= least, arguments.count <= most || signature.isRepeated else {
            let wanted =
                signature.isRepeated ? "at least \(least)" : least == most ? "\(most)" : "\(least) to \(most)"
            throw QueryError(
                .syntax, at: position,
                "expected \(wanted) argument(s) in call to \"\(function.rawValue)\", found \(arguments.count)")
        }
        for (number, argument) in arguments.enumerated() {
            let kind = signature.arguments[min(number, most - 1)]
            try expect(kind, argument, at: starts[number], "call to function \"\(function.rawValue)\"")
        }
    }

    static func check(_ binary: BinaryExpression, leftStart: Int, rightStart: Int) throws(QueryError) {
        let operation = binary.operation
        for (side, start) in [(binary.left, leftStart), (binary.right, rightStart)] {
            guard side.kind == .scalar || side.kind == .vector else {
                throw QueryError(
                    .syntax, at: start,
                    "binary expression must contain only scalar and instant vector types, found \(side.kind.rawValue)")
            }
        }
        let scalars = [binary.left, binary.right].filter { $0.kind == .scalar }.count
        if operation.isComparison, scalars == 2, !binary.isBool {
            throw QueryError(.syntax, at: binary.position, "comparisons between scalars must use BOOL modifier")
        }
        if operation.isSet, scalars > 0 {
            throw QueryError(
                .syntax, at: binary.position,
                "set operator \"\(operation.rawValue)\" not allowed in binary scalar expression")
        }
        try check(binary.matching, operation, areVectors: scalars == 0)
    }

    private static func check(
        _ matching: VectorMatching, _ operation: BinaryExpression.Operation, areVectors: Bool
    ) throws(QueryError) {
        guard let position = matching.position else { return }
        guard areVectors || matching.labels.isEmpty else {
            throw QueryError(.syntax, at: position, "vector matching only allowed between instant vectors")
        }
        guard !operation.isSet || matching.group == .none else {
            throw QueryError(.syntax, at: position, "no grouping allowed for \"\(operation.rawValue)\" operation")
        }
        if matching.isOn, let label = matching.labels.first(where: { matching.included.contains($0) }) {
            throw QueryError(
                .syntax, at: position, "label \"\(label)\" must not occur in ON and GROUP clause at once")
        }
    }
}
