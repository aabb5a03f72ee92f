/// A regular expression of a query. The Core has no engine of its own: whoever evaluates hands one in (RE2, `Patterns`).
package struct CompiledPattern: Hashable, Sendable {
    /// As it was written.
    package let text: String
    /// Whether all of a text matches.
    package let matches: @Sendable (String) -> Bool
    /// What the groups of a match of all of a text hold, the whole match first; nil for one that took no part. Nil: no match.
    package let groups: @Sendable (String) -> [String?]?
    /// The number of the group with a name.
    package let groupNumbers: [String: Int]

    package init(
        _ text: String, matches: @escaping @Sendable (String) -> Bool,
        groups: @escaping @Sendable (String) -> [String?]?, groupNumbers: [String: Int]
    ) {
        self.text = text
        self.matches = matches
        self.groups = groups
        self.groupNumbers = groupNumbers
    }

    package static func == (left: CompiledPattern, right: CompiledPattern) -> Bool { left.text == right.text }

    package func hash(into hasher: inout Hasher) { hasher.combine(text) }

    /// `template` with `$1`, `${1}`, `$name` and `${name}` replaced by what the groups hold, and `$$` by `$` (Go's
    /// `Regexp.Expand`: the longest name is taken, and a group that is not there is empty).
    func expand(_ template: String, _ groups: [String?]) -> String {
        var result = ""
        var rest = Substring(template)
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            if rest.first == "$" {
                result += "$"
                rest = rest.dropFirst()
            } else if let (name, after) = Self.name(in: rest) {
                let number = Self.number(name) ?? groupNumbers[name]
                if let number, groups.indices.contains(number) { result += groups[number] ?? "" }
                rest = after
            } else {
                result += "$"
            }
        }
        return result + rest
    }

    private static func name(in text: Substring) -> (name: String, after: Substring)? {
        let isBraced = text.first == "{"
        let body = isBraced ? text.dropFirst() : text
        let name = body.prefix { $0 == "_" || $0.isLetter || $0.isNumber }
        guard !name.isEmpty else { return nil }
        let after = body[name.endIndex...]
        guard isBraced else { return (String(name), after) }
        return after.first == "}" ? (String(name), after.dropFirst()) : nil
    }

    private static func number(_ name: String) -> Int? {
        guard name.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return name.utf8.count > 1 && name.first == "0" ? nil : Int(name)
    }
}

/// Compiles a regular expression so that it matches whole texts only; the error is the reason in words.
package struct PatternProblem: Error, Hashable, Sendable {
    package var reason: String

    package init(reason: String) {
        self.reason = reason
    }
}

/// What compiles the regular expressions of queries.
package typealias PatternCompiler = @Sendable (String) throws(PatternProblem) -> CompiledPattern
