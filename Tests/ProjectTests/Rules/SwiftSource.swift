/// One Swift file as the rules see it: `code` is the text with comments, the inside of strings and of backticks blanked out,
/// byte for byte, so that a word in a comment or a message breaks no rule and every line keeps its number.
struct SwiftSource {
    /// From the project's folder: `Sources/Shared/Wire/JSON.swift`.
    let path: String
    let text: String
    let code: [UInt8]
    /// `code` by lines.
    let codeLines: [Substring]
    /// `text` by lines.
    let textLines: [Substring]

    init(path: String, text: String) {
        self.path = path
        self.text = text
        var blanker = Blanker(Array(text.utf8))
        blanker.run()
        code = blanker.bytes
        codeLines = String(decoding: code, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        textLines = text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The file's name without folders.
    var name: String {
        String(path.split(separator: "/").last ?? "")
    }

    func isIn(_ folder: String) -> Bool {
        path.hasPrefix(folder + "/")
    }

    /// The line, from 1, that holds the byte at `offset`.
    func line(at offset: Int) -> Int {
        code[..<offset].count { $0 == UInt8(ascii: "\n") } + 1
    }
}

/// Walks a file once and blanks what is not code. The code inside `\( )` stays.
private struct Blanker {
    var bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func run() {
        code(untilParenthesis: false)
    }

    /// Passes over code; `untilParenthesis` ends it at the one that closes an interpolation.
    private mutating func code(untilParenthesis: Bool) {
        var depth = 0
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "/"): blankLine()
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"): blankComment()
            case UInt8(ascii: "\""): string(hashes: 0)
            case UInt8(ascii: "#"): hashes()
            case UInt8(ascii: "`"): backticks()
            case UInt8(ascii: "("):
                depth += 1
                position += 1
            case UInt8(ascii: ")"):
                position += 1
                if untilParenthesis && depth == 0 { return }
                depth -= 1
            default: position += 1
            }
        }
    }

    private mutating func hashes() {
        var count = 0
        while peek(count) == UInt8(ascii: "#") { count += 1 }
        if peek(count) == UInt8(ascii: "\"") {
            position += count
            string(hashes: count)
        } else {
            position += count
        }
    }

    private mutating func string(hashes: Int) {
        let isLong = peek(1) == UInt8(ascii: "\"") && peek(2) == UInt8(ascii: "\"")
        let quotes = isLong ? 3 : 1
        position += quotes
        while let byte = peek() {
            if byte == UInt8(ascii: "\""), ends(quotes: quotes, hashes: hashes) {
                position += quotes + hashes
                return
            }
            if byte == UInt8(ascii: "\\"), escapes(hashes: hashes) {
                blank()
                for _ in 0..<hashes { blank() }
                if peek() == UInt8(ascii: "(") {
                    position += 1
                    code(untilParenthesis: true)
                } else {
                    blank()
                }
                continue
            }
            // A short string that its line does not end is broken code; the compiler says so.
            if byte == UInt8(ascii: "\n") && !isLong { return }
            blank()
        }
    }

    private func ends(quotes: Int, hashes: Int) -> Bool {
        (0..<quotes).allSatisfy { peek($0) == UInt8(ascii: "\"") }
            && (0..<hashes).allSatisfy { peek(quotes + $0) == UInt8(ascii: "#") }
    }

    private func escapes(hashes: Int) -> Bool {
        (0..<hashes).allSatisfy { peek(1 + $0) == UInt8(ascii: "#") }
    }

    private mutating func backticks() {
        position += 1
        while let byte = peek(), byte != UInt8(ascii: "`"), byte != UInt8(ascii: "\n") { blank() }
        position += 1
    }

    private mutating func blankLine() {
        while let byte = peek(), byte != UInt8(ascii: "\n") { blank() }
    }

    private mutating func blankComment() {
        var depth = 0
        while peek() != nil {
            if peek() == UInt8(ascii: "/") && peek(1) == UInt8(ascii: "*") {
                depth += 1
                blank()
                blank()
            } else if peek() == UInt8(ascii: "*") && peek(1) == UInt8(ascii: "/") {
                depth -= 1
                blank()
                blank()
                if depth == 0 { return }
            } else {
                blank()
            }
        }
    }

    private func peek(_ ahead: Int = 0) -> UInt8? {
        position + ahead < bytes.count ? bytes[position + ahead] : nil
    }

    private mutating func blank() {
        guard position < bytes.count else { return }
        if bytes[position] != UInt8(ascii: "\n") { bytes[position] = UInt8(ascii: " ") }
        position += 1
    }
}
