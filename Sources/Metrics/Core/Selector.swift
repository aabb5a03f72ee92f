/// How a matcher compares a label's value.
package enum MatchOperator: String, Hashable, Sendable {
    case equal = "="
    case notEqual = "!="
    /// The whole value matches a regular expression.
    case matches = "=~"
    case doesNotMatch = "!~"
}

/// One condition of a selector. A label that a series lacks counts as empty, as in PromQL.
package struct Matcher: Hashable, Sendable {
    package let label: String
    package let comparison: MatchOperator
    package let value: String
    private let pattern: CompiledPattern?

    /// A comparison with a text.
    package init(_ label: String, _ comparison: MatchOperator, _ value: String) {
        self.label = label
        self.comparison = comparison
        self.value = value
        pattern = nil
    }

    /// A comparison with a regular expression.
    package init(_ label: String, _ comparison: MatchOperator, _ pattern: CompiledPattern) {
        self.label = label
        self.comparison = comparison
        value = pattern.text
        self.pattern = pattern
    }

    /// Whether a series with these labels fulfils the condition.
    package func matches(_ labels: Labels) -> Bool { matches(labels.value(of: label)) }

    /// Whether a series without the label would match: a selector made only of such matchers would select everything.
    package var matchesEmpty: Bool { matches("") }

    private func matches(_ text: String) -> Bool {
        switch comparison {
        case .equal: text.isSame(as: value)
        case .notEqual: !text.isSame(as: value)
        case .matches: pattern?.matches(text) ?? text.isSame(as: value)
        case .doesNotMatch: !(pattern?.matches(text) ?? text.isSame(as: value))
        }
    }
}

/// Which series are meant: PromQL's vector selector, `name{label="value",other!="value"}`. The metric's name is a matcher on
/// `__name__`.
package struct Selector: Hashable, Sendable {
    package var matchers: [Matcher]

    package init(_ matchers: [Matcher]) {
        self.matchers = matchers
    }

    /// Whether a series with these labels is meant.
    package func matches(_ labels: Labels) -> Bool { matchers.allSatisfy { $0.matches(labels) } }

    /// The one metric name that can match, where the selector names one.
    package var metric: String? {
        matchers.first { $0.label == "__name__" && $0.comparison == .equal }?.value
    }
}
