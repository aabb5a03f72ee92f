extension Rule {
    /// What another target can use says what it is, in which units, within which limits, with which errors. A comment is
    /// asked of every type, function and shared value. It is not asked of what the language or a protocol already names:
    /// memberwise initialisers, operators, the requirements of well-known protocols, and plain properties of a documented type.
    static let documented = Rule(name: "what is shared is documented") { source in
        guard source.isIn("Sources") else { return [] }
        return source.codeLines.indices.compactMap { index in
            guard let declaration = Declaration(source.codeLines[index]), declaration.needsComment else { return nil }
            guard !hasComment(above: index, in: source) else { return nil }
            let message = "no doc comment on \(declaration.kind) \(declaration.name): what, units, limits, errors"
            return Violation(path: source.path, line: index + 1, message: message)
        }
    }

    private static func hasComment(above index: Int, in source: SwiftSource) -> Bool {
        var index = index - 1
        while index >= 0 {
            let line = source.textLines[index].trimmed
            if line.hasPrefix("///") || line.hasSuffix("*/") { return true }
            guard line.hasPrefix("@") || line.hasPrefix("#if") else { return false }
            index -= 1
        }
        return false
    }
}

/// A declaration that other targets see.
private struct Declaration {
    var kind: String
    var name: String
    var isStatic: Bool

    init?(_ line: Substring) {
        var words = line.trimmed.split(whereSeparator: { " (:<=".contains($0) })[...]
        while words.first?.hasPrefix("@") == true { words.removeFirst() }
        let kinds: Set<Substring> = [
            "struct", "enum", "class", "actor", "protocol", "func", "var", "let", "init", "subscript", "typealias",
            "macro",
        ]
        guard words.contains("package"), let at = words.firstIndex(where: { kinds.contains($0) }) else { return nil }
        // The access word stands among the modifiers, never behind the kind.
        guard words[..<at].contains("package"), words[..<at].allSatisfy({ Self.modifiers.contains($0) }) else {
            return nil
        }
        // `class func` is a modifier and a kind.
        let kindIndex = words[at] == "class" && words.dropFirst(at + 1 - words.startIndex).first == "func" ? at + 1 : at
        kind = String(words[kindIndex])
        let rest = line.split(separator: " \(words[kindIndex]) ", maxSplits: 1).dropFirst().first ?? ""
        // An operator's name holds characters that part words elsewhere.
        name =
            rest.first.map { "<>=!+-*/".contains($0) } == true
            ? String(rest.prefix(1)) : String(words[(kindIndex + 1)...].first ?? "")
        isStatic = words[..<kindIndex].contains("static")
    }

    var needsComment: Bool {
        switch kind {
        case "struct", "enum", "class", "actor", "protocol", "macro": !Self.known.contains(name)
        case "func": !(Self.known.contains(name) || name.first.map { !($0.isLetter || $0 == "_" || $0 == "`") } ?? true)
        case "let", "var": isStatic && !Self.known.contains(name)
        default: false
        }
    }

    private static let modifiers: Set<Substring> = [
        "package", "static", "final", "mutating", "nonmutating", "override", "nonisolated", "consuming", "borrowing",
        "indirect",
        "lazy", "weak", "private", "set)", "private(set)", "required", "convenience", "unsafe)", "class",
    ]

    /// Requirements whose meaning stands in their protocol: those of the standard library and of Wire (the parameters and the
    /// reply of a method are told by its own comment), and what a daemon and a command must have.
    private static let known: Set<String> = [
        "hash", "write", "next", "encode", "index", "makeIterator", "advanced", "duration", "description", "wire",
        "name", "access",
        "reload", "start", "tick", "stop", "configuration", "run", "Params", "Reply", "enqueue", "checkIsolated",
        "isIsolatingCurrentContext",
    ]
}
