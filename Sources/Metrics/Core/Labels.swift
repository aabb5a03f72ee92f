/// The number of a series in the store: given once, never used again, so blocks need not repeat labels.
package struct SeriesID: Hashable, Comparable, Sendable {
    package var value: UInt32

    package init(_ value: UInt32) {
        self.value = value
    }

    package static func < (left: SeriesID, right: SeriesID) -> Bool { left.value < right.value }
}

extension String {
    /// Whether two texts have the same bytes, as Prometheus compares them. Swift's own `==` also takes texts for equal that a
    /// reader would not tell apart: é as one character and as e with an accent. It is quick, so it is asked first.
    func isSame(as other: String) -> Bool { self == other && utf8.elementsEqual(other.utf8) }
}

/// One label of a series.
package struct Label: Hashable, Comparable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    package static func == (left: Label, right: Label) -> Bool {
        left.name.isSame(as: right.name) && left.value.isSame(as: right.value)
    }

    /// By name, then by value; both by their bytes.
    package static func < (left: Label, right: Label) -> Bool {
        if !left.name.isSame(as: right.name) { return left.name.utf8.lexicographicallyPrecedes(right.name.utf8) }
        return left.value.utf8.lexicographicallyPrecedes(right.value.utf8)
    }
}

/// What a series is called: the metric's name and its labels, sorted by label name. A label with an empty value is the same as
/// none (Prometheus, "Data model"), so it is left out.
package struct Labels: Hashable, Sendable {
    package let metric: String
    package let pairs: [Label]

    /// - Parameter pairs: in any order; of two with one name the later wins.
    package init(_ metric: String, _ pairs: [Label] = []) {
        self.metric = metric
        guard pairs.count > 1 else {
            self.pairs = pairs.filter { !$0.value.isEmpty }
            return
        }
        let sorted = pairs.enumerated().sorted { ($0.element.name, $0.offset) < ($1.element.name, $1.offset) }
        var unique: [Label] = []
        for (_, pair) in sorted {
            if unique.last?.name == pair.name { unique.removeLast() }
            unique.append(pair)
        }
        self.pairs = unique.filter { !$0.value.isEmpty }
    }

    /// - Parameter pairs: sorted by name, each name once, no value empty.
    init(sorted pairs: [Label], metric: String) {
        self.metric = metric
        self.pairs = pairs
    }

    package static func == (left: Labels, right: Labels) -> Bool {
        left.metric.isSame(as: right.metric) && left.pairs == right.pairs
    }

    /// The value of a label, empty where there is none; `__name__` is the metric's name.
    package func value(of name: String) -> String {
        if name == "__name__" { return metric }
        return pairs.first { $0.name == name }?.value ?? ""
    }

    /// These labels with one more, which replaces one of the same name.
    package func adding(_ name: String, _ value: String) -> Labels {
        Labels(metric, pairs + [Label(name, value)])
    }
}

extension Labels: CustomStringConvertible {
    /// As Prometheus prints a series: `name{label="value",…}`, with `\`, `"` and newlines escaped.
    package var description: String {
        guard !pairs.isEmpty else { return metric }
        let inner = pairs.map { "\($0.name)=\"\(Labels.escaped($0.value))\"" }.joined(separator: ",")
        return "\(metric){\(inner)}"
    }

    /// A label's value as it stands between quotes.
    package static func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 == 0x22 || $0 == 0x5c || $0 == 0x0a }) else { return value }
        var result = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}

extension Labels {
    /// Whether a text may be a metric's name: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    package static func isMetricName(_ text: String) -> Bool { isName(text, colons: true) }

    /// Whether a text may be a label's name: `[a-zA-Z_][a-zA-Z0-9_]*`.
    package static func isLabelName(_ text: String) -> Bool { isName(text, colons: false) }

    private static func isName(_ text: String, colons: Bool) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f: true
            case 0x3a: colons
            default: false
            }
        }
    }
}
