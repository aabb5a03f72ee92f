/// Reads one mapping of a settings file, key by key. A key that is absent leaves the value as it is, so a settings struct
/// made with its defaults is read in place. Nothing stops at the first error: each goes to `problems`, and `finish` adds one
/// for every key that nobody asked for.
struct Section {
    let file: String
    /// The dotted name of this mapping inside the file; empty at the top.
    let path: String
    let mark: Mark
    private(set) var problems: [SettingsProblem] = []
    private var entries: [String: YAMLNode.Entry] = [:]
    private var order: [String] = []
    private var known: [String] = []

    /// `node` nil stands for an empty file: a mapping without keys.
    init(_ node: YAMLNode?, file: String, path: String) {
        self.file = file
        self.path = path
        mark = node?.mark ?? Mark(line: 1, column: 1)
        guard let node, !(path.isEmpty && node.isNothing) else { return }
        guard case .mapping(let pairs) = node.content else {
            complain(at: node.mark, "expected a mapping of keys to values, found \(node.description)")
            return
        }
        for pair in pairs {
            if let first = entries[pair.key] {
                complain(pair.key, at: pair.keyMark, "expected once, found again (first in line \(first.keyMark.line))")
            } else {
                entries[pair.key] = pair
                order.append(pair.key)
            }
        }
    }

    /// Reads `key` where it is present.
    mutating func read<Value>(_ key: String, _ shape: Shape<Value>, into value: inout Value) {
        if let found = optional(key, shape) { value = found }
    }

    /// Reads `key` where it is present, into a value that may stay nil.
    mutating func read<Value>(_ key: String, _ shape: Shape<Value>, into value: inout Value?) {
        if let found = optional(key, shape) { value = found }
    }

    /// Reads `key`, which must be present.
    mutating func require<Value>(_ key: String, _ shape: Shape<Value>, into value: inout Value) {
        if entries[key] == nil {
            complain(key, at: mark, "expected \(shape.expected), found no such key")
        }
        read(key, shape, into: &value)
    }

    /// The value of `key`; nil where it is absent, or wrong and complained about.
    private mutating func optional<Value>(_ key: String, _ shape: Shape<Value>) -> Value? {
        known.append(key)
        guard let node = entries[key]?.value else { return nil }
        guard let value = shape.read(node) else {
            let hint = node.isNothing ? " (leave the key out for its default)" : ""
            complain(key, at: node.mark, "expected \(shape.expected), found \(node.description)\(hint)")
            return nil
        }
        return value
    }

    /// Reads the mapping under `key` with `body`; says whether it was there.
    @discardableResult
    mutating func section(_ key: String, _ body: (inout Section) -> Void) -> Bool {
        known.append(key)
        guard let node = entries[key]?.value else { return false }
        inner(node, path: dotted(key), body)
        return true
    }

    /// Reads the list of mappings under `key`, each with `body`; more than `limit` is an error.
    mutating func list(_ key: String, atMost limit: Int, _ body: (inout Section) -> Void) {
        known.append(key)
        guard let node = entries[key]?.value else { return }
        guard case .sequence(let items) = node.content else {
            complain(key, at: node.mark, "expected a list of mappings, found \(node.description)")
            return
        }
        guard items.count <= limit else {
            complain(key, at: node.mark, "expected at most \(limit) items, found \(items.count)")
            return
        }
        for (index, item) in items.enumerated() {
            inner(item, path: "\(dotted(key))[\(index)]", body)
        }
    }

    /// Reads the mapping under `key`, of names that the file chose to mappings, each with `body`; more than `limit` is an
    /// error, and so is a name that stands there twice.
    mutating func mappings(_ key: String, atMost limit: Int, _ body: (String, inout Section) -> Void) {
        known.append(key)
        guard let node = entries[key]?.value else { return }
        guard case .mapping(let pairs) = node.content else {
            complain(key, at: node.mark, "expected a mapping of names to mappings, found \(node.description)")
            return
        }
        guard pairs.count <= limit else {
            complain(key, at: node.mark, "expected at most \(limit) names, found \(pairs.count)")
            return
        }
        var seen: Set<String> = []
        for pair in pairs {
            guard seen.insert(pair.key).inserted else {
                complain("\(key).\(pair.key)", at: pair.keyMark, "expected once, found again")
                continue
            }
            guard (1...256).contains(pair.key.utf8.count) else {
                complain(key, at: pair.keyMark, "expected names of 1 to 256 bytes, found one of \(pair.key.utf8.count)")
                continue
            }
            // A name alone: nothing but that it is known.
            let value = pair.value.isNothing ? YAMLNode(content: .mapping([]), mark: pair.value.mark) : pair.value
            inner(value, path: "\(dotted(key)).\(pair.key)") { body(pair.key, &$0) }
        }
    }

    /// Reads the mapping under `key`, of names that the file chose to texts; more than `limit` is an error.
    mutating func texts(_ key: String, atMost limit: Int) -> [String: String] {
        var texts: [String: String] = [:]
        section(key) { inner in
            guard inner.order.count <= limit else {
                return inner.complain(at: inner.mark, "expected at most \(limit) names, found \(inner.order.count)")
            }
            for name in inner.order { texts[name] = inner.optional(name, .text) }
        }
        return texts
    }

    private mutating func inner(_ node: YAMLNode, path: String, _ body: (inout Section) -> Void) {
        var section = Section(node, file: file, path: path)
        body(&section)
        section.finish()
        problems += section.problems
    }

    /// The one key of `keys` that is present; nil where none is or, complained about, where several are.
    mutating func choice(_ keys: [String], required: Bool) -> String? {
        let present = keys.filter { entries[$0] != nil }
        let all = keys.joined(separator: ", ")
        if present.count > 1 {
            let second = entries[present[1]]?.keyMark ?? mark
            complain(present[1], at: second, "expected one of \(all), found \(present.joined(separator: " and "))")
            known += keys
            return nil
        }
        if present.isEmpty && required {
            complain(at: mark, "expected one of \(all), found none")
        }
        known += keys.filter { !present.contains($0) }
        return present.first
    }

    /// Counts `key` as known without reading it.
    mutating func note(_ key: String) {
        known.append(key)
    }

    func contains(_ key: String) -> Bool {
        entries[key] != nil
    }

    /// Takes a problem that no shape can see, such as two keys that contradict each other. It stands at the value of `key`.
    mutating func refuse(_ key: String, _ message: String) {
        complain(key, at: entries[key]?.value.mark ?? mark, message)
    }

    /// Call last: every key that was not asked for is an error.
    mutating func finish() {
        let known = Set(known)
        for key in order where !known.contains(key) {
            let near = Spelling.nearest(to: key, among: known.sorted())
            let hint = near.map { "did you mean \($0)?" } ?? "known here: \(known.sorted().joined(separator: ", "))"
            complain(key, at: entries[key]?.keyMark ?? mark, "unknown key; \(hint)")
        }
    }

    private func dotted(_ key: String) -> String {
        path.isEmpty ? key : "\(path).\(key)"
    }

    private mutating func complain(_ key: String, at mark: Mark, _ message: String) {
        problems.append(SettingsProblem(file: file, mark: mark, key: dotted(key), message: message))
    }

    private mutating func complain(at mark: Mark, _ message: String) {
        problems.append(SettingsProblem(file: file, mark: mark, key: path, message: message))
    }
}

/// Finds the word that was meant.
enum Spelling {
    /// The candidate that differs from `word` by case, `_`, `-`, or a few letters; nil where none is near.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        let plain = normalised(word)
        // A third of the letters, two at most: more would name words that nobody meant.
        let allowed = min(2, max(1, plain.count / 3))
        let ranked = candidates.map { (distance(plain, normalised($0)), $0) }.min { $0.0 < $1.0 }
        return ranked.flatMap { $0.0 <= allowed ? $0.1 : nil }
    }

    private static func normalised(_ word: String) -> [Character] {
        word.prefix(64).lowercased().filter { $0 != "_" && $0 != "-" }
    }

    /// Edits, each one letter added, removed or changed (Levenshtein 1966).
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var row = Array(0...right.count)
        for (i, first) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, second) in right.enumerated() {
                let changed = diagonal + (first == second ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(changed, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[right.count]
    }
}

extension String {
    fileprivate func filter(_ keep: (Character) -> Bool) -> [Character] {
        var kept: [Character] = []
        for character in self where keep(character) { kept.append(character) }
        return kept
    }
}
