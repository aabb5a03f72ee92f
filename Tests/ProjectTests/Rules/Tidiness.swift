extension Rule {
    static let longestFunction = 70
    static let longestMain = 30

    /// Counted from the line of `func`, `init` or `deinit` to that of the closing brace.
    static let functionLength = Rule(name: "functions are under 70 lines") { source in
        Function.all(in: source).compactMap { function in
            let length = function.lastLine - function.firstLine + 1
            guard length >= longestFunction else { return nil }
            let message = "a function of \(length) lines: split it, \(longestFunction - 1) is the most"
            return Violation(path: source.path, line: function.firstLine, message: message)
        }
    }

    static let noForce = Rule(name: "nothing is forced") { source in
        guard source.isIn("Sources") else { return [] }
        return source.codeLines.enumerated().compactMap { index, line in
            guard line.holds("try!") || line.holds("as!") || line.hasForcedValue else { return nil }
            let message = "a force unwrap: guard, throw, or a precondition with its reason"
            return Violation(path: source.path, line: index + 1, message: message)
        }
    }

    static let noPublic = Rule(name: "nothing is public") { source in
        guard source.isIn("Sources") else { return [] }
        return source.codeLines.enumerated().compactMap { index, line in
            let isOpen = ["class", "func", "var"].contains { line.holds("open \($0)") }
            guard line.holds("public") || isOpen else { return nil }
            return Violation(path: source.path, line: index + 1, message: "public: write package")
        }
    }

    /// A file has one reason to change and a name that says it.
    static let fileNames = Rule(name: "names of files say what is in them") { source in
        let empty: Set<String> = [
            "Utils", "Util", "Utilities", "Helpers", "Helper", "Manager", "Common", "Misc", "Stuff",
        ]
        let words = source.path.split(separator: "/").flatMap { camelWords($0) }
        return words.filter { empty.contains($0) }.map { word in
            Violation(path: source.path, line: 0, message: "\(word) says nothing: name what the file is about")
        }
    }

    static let thinMain = Rule(name: "a main is one file under 30 lines") { source in
        guard source.isIn("Sources"), source.path.split(separator: "/").dropFirst(2).first == "Main" else { return [] }
        var violations: [Violation] = []
        if source.name != "main.swift" {
            violations.append(
                Violation(path: source.path, line: 0, message: "a second file in Main: it belongs to Daemon"))
        }
        if source.textLines.count > longestMain {
            let message = "\(source.textLines.count) lines: a main only starts, \(longestMain) is the most"
            violations.append(Violation(path: source.path, line: 0, message: message))
        }
        return violations
    }

    /// What was meant to be done later.
    static let noLeftovers = Rule(name: "nothing is left for later") { source in
        guard source.isIn("Sources") else { return [] }
        let marks = ["TODO", "FIXME", "XXX", "HACK"]
        return source.textLines.enumerated().compactMap { index, line in
            guard let mark = marks.first(where: { line.holds($0) }) else { return nil }
            return Violation(path: source.path, line: index + 1, message: "\(mark): do it, or file it as an issue")
        }
    }

    private static func camelWords(_ name: Substring) -> [String] {
        var words: [String] = []
        for character in name {
            if character.isUppercase || words.isEmpty || !(character.isLetter || character.isNumber) {
                words.append(character.isLetter ? String(character) : "")
            } else {
                words[words.count - 1].append(character)
            }
        }
        return words
    }
}

extension Substring {
    /// `x!`, `)!`, `]!`, `>!`: a forced value or an implicitly unwrapped type. `!=` is neither.
    fileprivate var hasForcedValue: Bool {
        let bytes = Array(utf8)
        return bytes.indices.contains { index in
            guard bytes[index] == UInt8(ascii: "!"), index > 0 else { return false }
            let before = bytes[index - 1]
            let isAfterValue =
                before.isIdentifier || [UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: ">")].contains(before)
            return isAfterValue && (index + 1 == bytes.count || bytes[index + 1] != UInt8(ascii: "="))
        }
    }
}

/// Where a function begins and ends.
struct Function {
    var firstLine: Int
    var lastLine: Int

    /// All functions, initialisers and deinitialisers of a file that have a body.
    static func all(in source: SwiftSource) -> [Function] {
        let code = source.code
        var functions: [Function] = []
        var position = 0
        while position < code.count {
            guard code[position].isIdentifier else {
                position += 1
                continue
            }
            let start = position
            while position < code.count, code[position].isIdentifier { position += 1 }
            let word = String(decoding: code[start..<position], as: UTF8.self)
            // `.init(` is a call.
            guard ["func", "init", "deinit"].contains(word), start == 0 || code[start - 1] != UInt8(ascii: ".") else {
                continue
            }
            if let open = bodyStart(code, from: position), let close = closing(code, from: open) {
                functions.append(Function(firstLine: source.line(at: start), lastLine: source.line(at: close)))
            }
        }
        return functions
    }

    /// The brace that opens the body; nil for a requirement without one, which ends with the protocol's brace or the next `func`.
    private static func bodyStart(_ code: [UInt8], from start: Int) -> Int? {
        var depth = 0
        var position = start
        while position < code.count {
            switch code[position] {
            case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: "{") where depth == 0: return position
            case UInt8(ascii: "}") where depth == 0: return nil
            case UInt8(ascii: "f") where depth == 0 && isWord("func", code, at: position): return nil
            case UInt8(ascii: "i") where depth == 0 && isWord("init", code, at: position): return nil
            default: break
            }
            position += 1
        }
        return nil
    }

    private static func isWord(_ word: String, _ code: [UInt8], at position: Int) -> Bool {
        let end = position + word.utf8.count
        return end < code.count && code[position..<end].elementsEqual(word.utf8) && !code[position - 1].isIdentifier
            && !code[end].isIdentifier
    }

    private static func closing(_ code: [UInt8], from open: Int) -> Int? {
        var depth = 0
        for position in open..<code.count {
            if code[position] == UInt8(ascii: "{") { depth += 1 }
            if code[position] == UInt8(ascii: "}") {
                depth -= 1
                if depth == 0 { return position }
            }
        }
        return nil
    }
}
