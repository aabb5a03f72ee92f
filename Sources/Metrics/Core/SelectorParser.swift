/// Reads a selector as PromQL writes it (Prometheus 2.42, "Querying basics"): a metric name, matchers in braces, or both; a
/// trailing comma is allowed; strings in double or single quotes with Go's escapes, or raw in backticks. It is written as the
/// part of a PromQL parser that it will become: a token at a time, each error with its position.
package struct SelectorParser {
    private let bytes: [UInt8]
    private var position = 0

    /// What a selector may be long, in bytes: it comes from a socket.
    package static let longestBytes = 16_384

    private init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// Parses the whole of `text`.
    package static func parse(_ text: String) throws(SelectorError) -> Selector {
        guard text.utf8.count <= longestBytes else {
            throw SelectorError(
                position: longestBytes + 1, message: "a selector may have at most \(longestBytes) bytes")
        }
        var parser = SelectorParser(text)
        return try parser.selector()
    }

    private mutating func selector() throws(SelectorError) -> Selector {
        skipSpace()
        var matchers: [Matcher] = []
        if let name = identifier(colons: true) { matchers.append(Matcher("__name__", .equal, name)) }
        skipSpace()
        if take(0x7b) { try braces(&matchers) }
        skipSpace()
        guard position == bytes.count else { throw failure("unexpected \(found)") }
        guard !matchers.isEmpty else { throw failure("expected a metric name or {, found \(found)") }
        guard matchers.contains(where: { !$0.matchesEmpty }) else {
            throw SelectorError(
                position: 1, message: "a selector must have at least one matcher that does not match the empty string")
        }
        return Selector(matchers)
    }

    private mutating func braces(_ matchers: inout [Matcher]) throws(SelectorError) {
        let isNamed = !matchers.isEmpty
        while true {
            skipSpace()
            if take(0x7d) { return }
            let start = position
            guard let label = identifier(colons: false) else {
                throw failure("expected a label name or }, found \(found)")
            }
            guard !(isNamed && label == "__name__") else {
                throw SelectorError(position: start + 1, message: "the metric name is set twice")
            }
            skipSpace()
            let comparison = try matchOperator()
            skipSpace()
            matchers.append(Matcher(label, comparison, try string()))
            skipSpace()
            if take(0x2c) { continue }
            guard take(0x7d) else { throw failure("expected , or }, found \(found)") }
            return
        }
    }

    private mutating func matchOperator() throws(SelectorError) -> MatchOperator {
        let start = position
        if take(0x3d) {
            guard !take(0x7e) else { throw unsupported("=~", at: start) }
            return .equal
        }
        if take(0x21) {
            if take(0x3d) { return .notEqual }
            guard !take(0x7e) else { throw unsupported("!~", at: start) }
            position = start
        }
        throw failure("expected =, != after a label name, found \(found)")
    }

    private func unsupported(_ comparison: String, at start: Int) -> SelectorError {
        SelectorError(
            position: start + 1, message: "\(comparison) (regular expressions) is not supported yet; use = or !=")
    }

    private mutating func string() throws(SelectorError) -> String {
        let start = position
        guard let quote = peek, quote == 0x22 || quote == 0x27 || quote == 0x60 else {
            throw failure("expected a quoted value, found \(found)")
        }
        position += 1
        var content: [UInt8] = []
        while let byte = peek {
            position += 1
            if byte == quote {
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw SelectorError(position: start + 1, message: "the value is not valid UTF-8")
                }
                return text
            }
            if byte == 0x5c && quote != 0x60 {
                try escape(quote: quote, into: &content)
            } else if byte == 0x0a && quote != 0x60 {
                throw SelectorError(position: position, message: "a line end inside a quoted value")
            } else {
                content.append(byte)
            }
        }
        throw SelectorError(position: start + 1, message: "a quoted value without its end")
    }

    private mutating func escape(quote: UInt8, into content: inout [UInt8]) throws(SelectorError) {
        guard let byte = peek else { throw failure("a quoted value without its end") }
        position += 1
        switch byte {
        case quote, 0x5c: content.append(byte)
        case 0x61: content.append(0x07)
        case 0x62: content.append(0x08)
        case 0x66: content.append(0x0c)
        case 0x6e: content.append(0x0a)
        case 0x72: content.append(0x0d)
        case 0x74: content.append(0x09)
        case 0x76: content.append(0x0b)
        case 0x78: content.append(UInt8(truncatingIfNeeded: try hexadecimal(digits: 2)))
        case 0x75: try scalar(digits: 4, into: &content)
        case 0x55: try scalar(digits: 8, into: &content)
        default: throw SelectorError(position: position, message: "unknown escape sequence")
        }
    }

    private mutating func scalar(digits: Int, into content: inout [UInt8]) throws(SelectorError) {
        let start = position
        guard let scalar = Unicode.Scalar(try hexadecimal(digits: digits)) else {
            throw SelectorError(position: start + 1, message: "no such Unicode character")
        }
        content.append(contentsOf: String(Character(scalar)).utf8)
    }

    private mutating func hexadecimal(digits: Int) throws(SelectorError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digits {
            let digit: UInt32
            switch peek {
            case .some(let byte) where (0x30...0x39).contains(byte): digit = UInt32(byte) - 0x30
            case .some(let byte) where (0x61...0x66).contains(byte): digit = UInt32(byte) - 0x57
            case .some(let byte) where (0x41...0x46).contains(byte): digit = UInt32(byte) - 0x37
            default: throw failure("expected a hexadecimal digit, found \(found)")
            }
            position += 1
            value = value << 4 | digit
        }
        return value
    }

    private mutating func identifier(colons: Bool) -> String? {
        let start = position
        while let byte = peek {
            let isDigit = (0x30...0x39).contains(byte)
            let isLetter = (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x5f
            guard isLetter || (isDigit && position > start) || (colons && byte == 0x3a) else { break }
            position += 1
        }
        return position > start ? String(decoding: bytes[start..<position], as: UTF8.self) : nil
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || (0x09...0x0d).contains(byte) { position += 1 }
    }

    private var found: String {
        guard let byte = peek else { return "the end" }
        return (0x21...0x7e).contains(byte) ? "\(Character(Unicode.Scalar(byte)))" : "byte \(byte)"
    }

    private func failure(_ message: String) -> SelectorError {
        SelectorError(position: position + 1, message: message)
    }
}
