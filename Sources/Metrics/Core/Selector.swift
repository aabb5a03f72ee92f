/// How a matcher compares a label's value. Regular expressions (`=~`, `!~`) come with PromQL and RE2; until then the parser
/// names them as not supported instead of guessing.
package enum MatchOperator: String, Hashable, Sendable {
    case equal = "="
    case notEqual = "!="
}

/// One condition of a selector. A label that a series lacks counts as empty, as in PromQL.
package struct Matcher: Hashable, Sendable {
    package var label: String
    package var comparison: MatchOperator
    package var value: String

    package init(_ label: String, _ comparison: MatchOperator, _ value: String) {
        self.label = label
        self.comparison = comparison
        self.value = value
    }

    /// Whether a series with these labels fulfils the condition.
    package func matches(_ labels: Labels) -> Bool {
        switch comparison {
        case .equal: labels.value(of: label) == value
        case .notEqual: labels.value(of: label) != value
        }
    }

    /// Whether a series without the label would match: a selector made only of such matchers would select everything.
    package var matchesEmpty: Bool {
        switch comparison {
        case .equal: value.isEmpty
        case .notEqual: !value.isEmpty
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

/// Why a selector could not be read.
package struct SelectorError: Error, Hashable, Sendable {
    /// The 1-based position of the offending character, counted in bytes of UTF-8.
    package var position: Int
    package var message: String
}
