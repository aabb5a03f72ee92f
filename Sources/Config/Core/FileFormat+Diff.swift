extension FileFormat {
    /// What changed from one content of a file to another, by key and by line, secrets apart; with `reveal` those of a file
    /// that is kept whole are lines like any other, since it has no keys to tell them by.
    package func diff(
        from old: [UInt8], to new: [UInt8], _ limits: ConfigDiff.Limits = ConfigDiff.Limits(), reveal: Bool = false
    ) -> ConfigDiff {
        switch self {
        case .env(let editor): return ConfigDiff(from: old, to: new, editor: editor, limits: limits)
        case .json(let secrets):
            guard let before = try? JSONDocument(old), let after = try? JSONDocument(new) else {
                return Self.wholeDiff(from: old, to: new, limits, reveal: reveal)
            }
            var diff = ConfigDiff(
                from: old, secrets.stretches(in: before), to: new, secrets.stretches(in: after), limits: limits)
            diff.compareKeys(before, after, secrets, limits)
            return diff
        case .whole: return Self.wholeDiff(from: old, to: new, limits, reveal: reveal)
        }
    }

    /// Where nothing is known of what the file holds, all of it may be a secret.
    private static func wholeDiff(
        from old: [UInt8], to new: [UInt8], _ limits: ConfigDiff.Limits, reveal: Bool
    ) -> ConfigDiff {
        func stretches(_ file: [UInt8]) -> [Secrets.Stretch] {
            reveal || file.isEmpty ? [] : [Secrets.Stretch(range: file.indices, value: file)]
        }
        var diff = ConfigDiff(from: old, stretches(old), to: new, stretches(new), limits: limits)
        if old != new { diff.add(wholeKey, from: old.isEmpty ? nil : old, to: new, isSecret: true, limits) }
        return diff
    }
}

extension ConfigDiff {
    /// The name that stands for a reader where there are none to disagree.
    private static let noReader = "configd"

    fileprivate mutating func add(
        _ key: String, from old: [UInt8]?, to new: [UInt8]?, isSecret: Bool, _ limits: Limits
    ) {
        guard keys.count < limits.keys else {
            isCut = true
            return
        }
        keys.append(
            KeyChange(
                key: key, before: old.map(Reading.Value.text), after: new.map(Reading.Value.text),
                reader: Self.noReader, otherwise: [], isSecret: isSecret))
    }

    fileprivate mutating func compareKeys(
        _ old: JSONDocument, _ new: JSONDocument, _ secrets: Secrets, _ limits: Limits
    ) {
        for key in JSONDifference.pointers(from: old, to: new, atMost: limits.keys + 1).sorted() {
            guard let pointer = JSONPointer(key) else { continue }
            let (was, becomes) = (old.node(at: pointer), new.node(at: pointer))
            let isSecret =
                was.map { secrets.isSecret($0, at: pointer, of: old) } ?? false
                || becomes.map { secrets.isSecret($0, at: pointer, of: new) } ?? false
            add(
                key, from: was.map { Array(old.raw($0)) }, to: becomes.map { Array(new.raw($0)) }, isSecret: isSecret,
                limits)
        }
    }
}

extension Secrets {
    /// Whether what stands at a place of a JSON text is a secret, or holds one: by a key on the way, by the pointer as a
    /// whole, or by the value.
    func isSecret(_ node: Int, at pointer: JSONPointer, of document: JSONDocument) -> Bool {
        guard !isSecret(pointer) else { return true }
        guard document.nodes[node].past > node + 1 else { return Self.looksSecret(document.text(standing: node)) }
        return (node + 1..<document.nodes[node].past).contains { inner in
            document.nodes[inner].kind == .key
                ? isSecret(String(decoding: document.text(of: inner), as: UTF8.self))
                : Self.looksSecret(document.text(standing: inner))
        }
    }

    private func isSecret(_ pointer: JSONPointer) -> Bool {
        !pointer.tokens.isEmpty
            && (isSecret(pointer.text) || pointer.tokens.contains { isSecret(String(decoding: $0, as: UTF8.self)) })
    }

    /// Every secret of a JSON text, in its order: innermost values, as they stand.
    func stretches(in document: JSONDocument) -> [Stretch] {
        var found: [Stretch] = []
        document.forEachLeaf { pointer, node in
            if isSecret(node, at: pointer, of: document) {
                let range = document.nodes[node].start..<document.nodes[node].end
                found.append(Stretch(range: range, value: Array(document.raw(node))))
            }
            return true
        }
        return found
    }
}

extension JSONDocument {
    /// The text of a string, and of anything else but objects and arrays what stands there.
    fileprivate func text(standing node: Int) -> [UInt8] {
        switch nodes[node].kind {
        case .string, .key: text(of: node)
        case .number, .word: Array(raw(node))
        case .object, .array: []
        }
    }
}
