import MetricsCore

/// A small engine of regular expressions for tests: texts, `.`, groups (also named, also without number), alternatives,
/// and `*` behind one of them.
enum TestPatterns {
    static let compile: PatternCompiler = { text throws(PatternProblem) in
        var reader = Reader(text)
        let root = try reader.alternatives()
        guard reader.isAtEnd else { throw PatternProblem(reason: "unexpected ): `\(text)`") }
        let count = reader.groups + 1
        let groups: @Sendable (String) -> [String?]? = { value in
            let scalars = Array(value.unicodeScalars)
            var match = Match(text: scalars, groups: Array(repeating: nil, count: count))
            guard match.run(root, at: 0, then: { $1 == scalars.count }) else { return nil }
            match.groups[0] = 0..<scalars.count
            return match.groups.map { range in range.map { String(String.UnicodeScalarView(scalars[$0])) } }
        }
        return CompiledPattern(text, matches: { groups($0) != nil }, groups: groups, groupNumbers: reader.names)
    }

    indirect enum Node: Sendable {
        case scalar(Unicode.Scalar)
        case any
        case sequence([Node])
        case alternatives([Node])
        case star(Node)
        case group(Int, Node)
    }

    struct Reader {
        private let text: String
        private var rest: Substring.UnicodeScalarView
        private(set) var groups = 0
        private(set) var names: [String: Int] = [:]

        init(_ text: String) {
            self.text = text
            rest = text[...].unicodeScalars
        }

        var isAtEnd: Bool { rest.isEmpty }

        mutating func alternatives() throws(PatternProblem) -> Node {
            var found = [try sequence()]
            while rest.first == "|" {
                rest.removeFirst()
                found.append(try sequence())
            }
            return found.count == 1 ? found[0] : .alternatives(found)
        }

        private mutating func sequence() throws(PatternProblem) -> Node {
            var nodes: [Node] = []
            while let next = rest.first, next != "|", next != ")" {
                rest.removeFirst()
                switch next {
                case "(": nodes.append(try group())
                case ".": nodes.append(.any)
                case "*":
                    guard let last = nodes.popLast() else {
                        throw PatternProblem(reason: "missing argument to repetition operator: `*`")
                    }
                    nodes.append(.star(last))
                case "\\":
                    guard let escaped = rest.popFirst() else {
                        throw PatternProblem(reason: "trailing backslash at end of expression: ``")
                    }
                    nodes.append(.scalar(escaped))
                default: nodes.append(.scalar(next))
                }
            }
            return .sequence(nodes)
        }

        private mutating func group() throws(PatternProblem) -> Node {
            var number: Int?
            if rest.starts(with: "?:".unicodeScalars) {
                rest.removeFirst(2)
            } else {
                groups += 1
                number = groups
                if rest.starts(with: "?P<".unicodeScalars) {
                    rest.removeFirst(3)
                    let name = rest.prefix { $0 != ">" }
                    names[String(name)] = groups
                    rest.removeFirst(min(name.count + 1, rest.count))
                }
            }
            let inner = try alternatives()
            guard rest.popFirst() == ")" else { throw PatternProblem(reason: "missing closing ): `\(text)`") }
            return number.map { .group($0, inner) } ?? inner
        }
    }

    /// Tries one way after the other.
    struct Match {
        let text: [Unicode.Scalar]
        var groups: [Range<Int>?]

        mutating func run(_ node: Node, at place: Int, then next: (inout Match, Int) -> Bool) -> Bool {
            switch node {
            case .scalar(let scalar): return place < text.count && text[place] == scalar && next(&self, place + 1)
            case .any: return place < text.count && text[place] != "\n" && next(&self, place + 1)
            case .sequence(let nodes): return run(nodes[...], at: place, then: next)
            case .alternatives(let nodes): return nodes.contains { run($0, at: place, then: next) }
            case .star(let inner):
                let before = groups
                if run(inner, at: place, then: { $1 > place && $0.run(node, at: $1, then: next) }) { return true }
                groups = before
                return next(&self, place)
            case .group(let number, let inner):
                let before = groups
                let found = run(inner, at: place) { match, end in
                    match.groups[number] = place..<end
                    return next(&match, end)
                }
                if !found { groups = before }
                return found
            }
        }

        private mutating func run(
            _ nodes: ArraySlice<Node>, at place: Int, then next: (inout Match, Int) -> Bool
        ) -> Bool {
            guard let first = nodes.first else { return next(&self, place) }
            return run(first, at: place) { $0.run(nodes.dropFirst(), at: $1, then: next) }
        }
    }
}
