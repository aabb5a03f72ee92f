/// A word of PromQL.
struct Token: Hashable {
    enum Kind: Hashable {
        /// A name, or a keyword: which of them, the place decides.
        case word
        case number(Double)
        case duration(Int64)
        case string(String)
        /// An operator or a bracket, as `text` has it.
        case symbol
        case end
    }

    var kind: Kind
    /// As it was written.
    var text: String
    /// Where it begins: 1-based, in bytes.
    var position: Int

    /// A keyword's spelling does not matter, so it is compared in lower case.
    func isKeyword(_ word: String) -> Bool { kind == .word && text.lowercased() == word }

    func isSymbol(_ symbol: String) -> Bool { kind == .symbol && text == symbol }

    /// As an error names it.
    var found: String { kind == .end ? "the end" : "\"\(text.prefix(60))\"" }
}

/// Cuts an expression into words, as Prometheus 2.42 does (promql/parser/lex.go).
struct Lexer {
    private let bytes: [UInt8]
    private var at = 0
    /// Between `[` and `]` a colon stands by itself; elsewhere it belongs to a name.
    private var isInBrackets = false

    /// What an expression may be long, in bytes: it comes from a socket.
    static let longestBytes = 65_536

    init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// All words of `text`, `.end` last.
    static func tokens(of text: String) throws(QueryError) -> [Token] {
        guard text.utf8.count <= longestBytes else {
            throw QueryError(
                .syntax, at: longestBytes + 1, "an expression may have at most \(longestBytes) bytes")
        }
        var lexer = Lexer(text)
        var tokens: [Token] = []
        while true {
            let token = try lexer.next()
            tokens.append(token)
            if token.kind == .end { return tokens }
        }
    }

    private mutating func next() throws(QueryError) -> Token {
        skipSpaceAndComments()
        let start = at
        guard let byte = peek else { return token(.end, from: start) }
        if Self.isDigit(byte) || (byte == 0x2e && peek(1).map(Self.isDigit) == true) { return try numberOrDuration() }
        if Self.isLetter(byte) || (byte == 0x3a && !isInBrackets) { return wordToken() }
        if byte == 0x22 || byte == 0x27 || byte == 0x60 {
            let text = try string(quote: byte)
            return token(.string(text), from: start)
        }
        for symbol in Self.symbols where starts(with: symbol) {
            at += symbol.utf8.count
            if symbol == "[" || symbol == "]" { isInBrackets = symbol == "[" }
            return Token(kind: .symbol, text: symbol, position: start + 1)
        }
        throw QueryError(.syntax, at: start + 1, "unexpected \(found)")
    }

    /// The longer first.
    private static let symbols = [
        "==", "!=", "=~", "!~", "<=", ">=", "(", ")", "{", "}", "[", "]", ",", ":", "=", "<", ">", "+", "-", "*", "/",
        "%",
        "^", "@",
    ]

    private func token(_ kind: Token.Kind, from start: Int) -> Token {
        Token(kind: kind, text: String(decoding: bytes[start..<at], as: UTF8.self), position: start + 1)
    }

    /// `inf` and `nan` are numbers however they are spelled.
    private mutating func wordToken() -> Token {
        let start = at
        while let byte = peek, Self.isLetter(byte) || Self.isDigit(byte) || (byte == 0x3a && !isInBrackets) {
            at += 1
        }
        var word = token(.word, from: start)
        switch word.text.lowercased() {
        case "inf": word.kind = .number(.infinity)
        case "nan": word.kind = .number(.nan)
        default: break
        }
        return word
    }

    private mutating func skipSpaceAndComments() {
        while let byte = peek {
            if byte == 0x23 {
                while at < bytes.count, bytes[at] != 0x0a { at += 1 }
            } else if byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d {
                at += 1
            } else {
                return
            }
        }
    }

    // MARK: Numbers and durations

    private mutating func numberOrDuration() throws(QueryError) -> Token {
        let start = at
        if let duration = try duration() { return token(.duration(duration), from: start) }
        at = start
        let isHexadecimal = peek == 0x30 && (peek(1) == 0x78 || peek(1) == 0x58)
        if isHexadecimal { at += 2 }
        skipDigits(hexadecimal: isHexadecimal)
        if peek == 0x2e {
            at += 1
            skipDigits(hexadecimal: isHexadecimal)
        }
        if peek == 0x65 || peek == 0x45 {
            at += 1
            if peek == 0x2b || peek == 0x2d { at += 1 }
            skipDigits(hexadecimal: false)
        }
        let isAtEnd = peek.map { !Self.isLetter($0) && !Self.isDigit($0) } ?? true
        let word = token(.word, from: start)
        guard isAtEnd, let value = GoNumber.literal(word.text) else {
            while let byte = peek, Self.isLetter(byte) || Self.isDigit(byte) { at += 1 }
            throw QueryError(
                .syntax, at: start + 1, "bad number or duration \(token(.word, from: start).found)")
        }
        return token(.number(value), from: start)
    }

    private mutating func skipDigits(hexadecimal: Bool) {
        while let byte = peek, Self.isDigit(byte) || (hexadecimal && Self.isHexadecimal(byte)) { at += 1 }
    }

    /// Units from the longest to the shortest, each once, with whole numbers: `1h30m`. Nil where it is a number.
    private mutating func duration() throws(QueryError) -> Int64? {
        let start = at
        var total: Int64 = 0
        var last = -1
        repeat {
            let digits = at
            skipDigits(hexadecimal: false)
            let amount = String(decoding: bytes[digits..<at], as: UTF8.self)
            guard at > digits, let unit = unit(), unit > last else { return nil }
            last = unit
            let (part, tooLarge) = (Int64(amount) ?? Int64.max).multipliedReportingOverflow(by: Self.units[unit].ms)
            let (sum, tooLong) = total.addingReportingOverflow(part)
            guard !tooLarge, !tooLong, sum <= Self.longestDurationMs else {
                throw QueryError(.syntax, at: start + 1, "the duration is out of range")
            }
            total = sum
        } while peek.map(Self.isDigit) == true
        guard peek.map({ !Self.isLetter($0) }) ?? true else { return nil }
        return total
    }

    /// Go's `time.Duration` ends here.
    private static let longestDurationMs = Int64.max / 1_000_000

    private static let units: [(name: String, ms: Int64)] = [
        ("y", 365 * 86_400_000), ("w", 7 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000),
        ("s", 1000), ("ms", 1),
    ]

    private mutating func unit() -> Int? {
        guard let byte = peek else { return nil }
        let isMilliseconds = byte == 0x6d && peek(1) == 0x73
        let name = isMilliseconds ? "ms" : String(Unicode.Scalar(byte))
        guard let unit = Self.units.firstIndex(where: { $0.name == name }) else { return nil }
        at += name.utf8.count
        return unit
    }

    // MARK: Strings

    /// In double or single quotes with Go's escapes, or raw in backticks.
    private mutating func string(quote: UInt8) throws(QueryError) -> String {
        let start = at
        at += 1
        var content: [UInt8] = []
        while let byte = peek {
            at += 1
            if byte == quote {
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw QueryError(.syntax, at: start + 1, "the text is not valid UTF-8")
                }
                return text
            }
            if byte == 0x5c && quote != 0x60 {
                try escape(quote: quote, into: &content)
            } else if byte == 0x0a && quote != 0x60 {
                throw QueryError(.syntax, at: at, "a line end inside a quoted text")
            } else {
                content.append(byte)
            }
        }
        throw QueryError(.syntax, at: start + 1, "a quoted text without its end")
    }

    private mutating func escape(quote: UInt8, into content: inout [UInt8]) throws(QueryError) {
        guard let byte = peek else { throw QueryError(.syntax, at: at + 1, "a quoted text without its end") }
        at += 1
        switch byte {
        case quote, 0x5c: content.append(byte)
        case 0x61: content.append(0x07)
        case 0x62: content.append(0x08)
        case 0x66: content.append(0x0c)
        case 0x6e: content.append(0x0a)
        case 0x72: content.append(0x0d)
        case 0x74: content.append(0x09)
        case 0x76: content.append(0x0b)
        case 0x78: content.append(UInt8(truncatingIfNeeded: try digits(2, base: 16)))
        case 0x30...0x37:
            at -= 1
            let value = try digits(3, base: 8)
            guard value <= 255 else { throw QueryError(.syntax, at: at, "an octal escape over 255") }
            content.append(UInt8(value))
        case 0x75: try scalar(digits: 4, into: &content)
        case 0x55: try scalar(digits: 8, into: &content)
        default: throw QueryError(.syntax, at: at, "unknown escape sequence")
        }
    }

    private mutating func scalar(digits count: Int, into content: inout [UInt8]) throws(QueryError) {
        let start = at
        guard let scalar = Unicode.Scalar(try digits(count, base: 16)) else {
            throw QueryError(.syntax, at: start + 1, "no such Unicode character")
        }
        content.append(contentsOf: String(Character(scalar)).utf8)
    }

    private mutating func digits(_ count: Int, base: UInt32) throws(QueryError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<count {
            let digit = peek.flatMap { Character(Unicode.Scalar($0)).hexDigitValue }.map(UInt32.init)
            guard let digit, digit < base else {
                throw QueryError(.syntax, at: at + 1, "expected a digit of an escape, found \(found)")
            }
            at += 1
            value = value &* base &+ digit
        }
        return value
    }

    // MARK: Bytes

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    private func peek(_ ahead: Int) -> UInt8? { at + ahead < bytes.count ? bytes[at + ahead] : nil }

    private func starts(with symbol: String) -> Bool { bytes[at...].starts(with: symbol.utf8) }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x5f
    }

    private var found: String {
        guard let byte = peek else { return "the end" }
        return (0x21...0x7e).contains(byte) ? "\(Character(Unicode.Scalar(byte)))" : "byte \(byte)"
    }
}
