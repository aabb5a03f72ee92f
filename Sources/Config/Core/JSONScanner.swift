/// Reads one JSON text (RFC 8259) into the nodes of a `JSONDocument`. What is read is untrusted: every step consumes a
/// byte or ends, and what is open lies in an array and not on the stack.
struct JSONScanner {
    /// Where and why the text is refused.
    struct Failure: Error, Hashable {
        var offset: Int
        var problem: String
    }

    private let bytes: [UInt8]
    private var place = 0
    /// The containers around `place`, as nodes, the outermost first.
    private var open: [Int] = []
    private(set) var nodes: [JSONDocument.Node] = []
    private(set) var repeated: [Int] = []

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Reads all of it. Called once.
    mutating func scan() throws(Failure) {
        guard !bytes.starts(with: Dialect.byteOrderMark) else {
            throw Failure(offset: 0, problem: "expected no byte-order mark, which JSON readers refuse")
        }
        skipBlanks()
        try value()
        while let container = open.last {
            skipBlanks()
            let isObject = nodes[container].kind == .object
            if take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                close(container)
                continue
            }
            if nodes.count > container + 1 {
                guard take(UInt8(ascii: ",")) else { throw failure(isObject ? "',' or '}'" : "',' or ']'") }
                skipBlanks()
            }
            if isObject { try key() }
            try value()
        }
        skipBlanks()
        guard place == bytes.count else { throw failure("the end of the text") }
    }

    private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        place += 1
        return true
    }

    private mutating func skipBlanks() {
        while let byte = next, JSONString.blanks.contains(byte) { place += 1 }
    }

    private func failure(_ expected: String) -> Failure {
        let found =
            if let next {
                (0x21...0x7E).contains(next)
                    ? "'\(Character(Unicode.Scalar(next)))'" : "the byte 0x\(String(next, radix: 16))"
            } else { "the end" }
        return Failure(offset: place, problem: "expected \(expected), found \(found)")
    }

    private mutating func add(_ kind: JSONDocument.Kind, from start: Int) throws(Failure) {
        guard nodes.count < JSONDocument.mostNodes else {
            throw Failure(offset: start, problem: "expected at most \(JSONDocument.mostNodes) keys and values")
        }
        nodes.append(JSONDocument.Node(kind, from: start, to: place, past: nodes.count + 1))
    }

    // MARK: Values

    private mutating func value() throws(Failure) {
        let start = place
        switch next {
        case UInt8(ascii: "{"): try openContainer(.object)
        case UInt8(ascii: "["): try openContainer(.array)
        case UInt8(ascii: "\""):
            try string()
            try add(.string, from: start)
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        case .some(UInt8(ascii: "0")...UInt8(ascii: "9")), UInt8(ascii: "-"):
            try number()
            try add(.number, from: start)
        default: throw failure("a value")
        }
    }

    private mutating func openContainer(_ kind: JSONDocument.Kind) throws(Failure) {
        guard open.count < JSONDocument.deepest else {
            throw Failure(offset: place, problem: "expected at most \(JSONDocument.deepest) levels")
        }
        open.append(nodes.count)
        place += 1
        try add(kind, from: place - 1)
    }

    private mutating func close(_ container: Int) {
        nodes[container].close(at: place, past: nodes.count)
        open.removeLast()
        if nodes[container].kind == .object { noteRepeatedKeys(of: container) }
    }

    private mutating func word(_ word: StaticString) throws(Failure) {
        let start = place
        for letter in UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount) {
            guard take(letter) else { throw failure("\(word)") }
        }
        try add(.word, from: start)
    }

    private mutating func number() throws(Failure) {
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
    }

    private mutating func digits() throws(Failure) {
        let start = place
        while let byte = next, ByteSet.digits.contains(byte) { place += 1 }
        guard place > start else { throw failure("a digit") }
    }

    // MARK: Keys and strings

    private mutating func key() throws(Failure) {
        guard next == Byte.doubleQuote else { throw failure("a key in double quotes") }
        let start = place
        try string()
        try add(.key, from: start)
        skipBlanks()
        guard take(Byte.colon) else { throw failure("':'") }
        skipBlanks()
    }

    private mutating func string() throws(Failure) {
        let start = place
        place += 1
        while let byte = next {
            switch byte {
            case Byte.doubleQuote:
                place += 1
                return
            case Byte.backslash: try escape()
            case ..<0x20: throw failure("an escape such as \\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))")
            case ..<0x80: place += 1
            default:
                guard let length = JSONString.utf8Length(bytes[place...]) else { throw failure("UTF-8") }
                place += length
            }
        }
        throw Failure(offset: start, problem: "expected a closing double quote before the end")
    }

    private mutating func escape() throws(Failure) {
        place += 1
        guard let letter = next, JSONString.escapes.contains(letter) else {
            throw failure("one of \"\\/bfnrtu after '\\'")
        }
        place += 1
        guard letter == UInt8(ascii: "u") else { return }
        for _ in 0..<4 {
            guard let byte = next, JSONString.hexadecimal(byte) != nil else { throw failure("a hexadecimal digit") }
            place += 1
        }
    }

    private mutating func noteRepeatedKeys(of object: Int) {
        var known: Set<[UInt8]> = []
        var node = object + 1
        while node < nodes.count {
            let inner = bytes[(nodes[node].start + 1)..<(nodes[node].end - 1)]
            if !known.insert(JSONString.decoded(inner)).inserted { repeated.append(node) }
            node = nodes[node + 1].past
        }
    }
}

/// The spelling of JSON strings.
enum JSONString {
    static let blanks: ByteSet = " \t\r\n"
    /// What may follow a backslash.
    static let escapes: ByteSet = "\"\\/bfnrtu"

    static func hexadecimal(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x30...0x39: UInt32(byte) - 0x30
        case 0x41...0x46: UInt32(byte) - 0x37
        case 0x61...0x66: UInt32(byte) - 0x57
        default: nil
        }
    }

    /// The bytes of the character that `bytes` begins with; nil where that is none (Unicode 15, table 3-7).
    static func utf8Length(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let first = bytes.first else { return nil }
        let second: ClosedRange<UInt8>
        let length: Int
        switch first {
        case 0x00...0x7F: return 1
        case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return nil
        }
        let rest = bytes.dropFirst().prefix(length - 1)
        guard rest.count == length - 1, let next = rest.first, second.contains(next) else { return nil }
        return rest.allSatisfy { $0 & 0xC0 == 0x80 } ? length : nil
    }

    /// What stands between the quotes of a well-formed string, its escapes resolved.
    static func decoded(_ inner: ArraySlice<UInt8>) -> [UInt8] {
        guard inner.contains(Byte.backslash) else { return Array(inner) }
        var text: [UInt8] = []
        text.reserveCapacity(inner.count)
        var rest = inner
        while let byte = rest.popFirst() {
            guard byte == Byte.backslash, let letter = rest.popFirst() else {
                text.append(byte)
                continue
            }
            switch letter {
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "n"): text.append(Byte.newline)
            case UInt8(ascii: "r"): text.append(Byte.carriageReturn)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"): append(character(&rest), to: &text)
            default: text.append(letter)
            }
        }
        return text
    }

    /// The character of `\uXXXX`, or of a pair of them, of which the first backslash and `u` are taken.
    private static func character(_ rest: inout ArraySlice<UInt8>) -> UInt32 {
        let first = unit(&rest)
        guard (0xD800...0xDBFF).contains(first) else { return first }
        var ahead = rest
        guard ahead.popFirst() == Byte.backslash, ahead.popFirst() == UInt8(ascii: "u") else { return first }
        let second = unit(&ahead)
        guard (0xDC00...0xDFFF).contains(second) else { return first }
        rest = ahead
        return 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
    }

    private static func unit(_ rest: inout ArraySlice<UInt8>) -> UInt32 {
        let unit = rest.prefix(4).reduce(UInt32(0)) { $0 << 4 | (hexadecimal($1) ?? 0) }
        rest = rest.dropFirst(4)
        return unit
    }

    private static func append(_ code: UInt32, to text: inout [UInt8]) {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: 0x80 | (code >> shift & 0x3F)) }
        switch code {
        case ..<0x80: text.append(UInt8(truncatingIfNeeded: code))
        case ..<0x800: text += [UInt8(truncatingIfNeeded: 0xC0 | code >> 6), tail(0)]
        case ..<0x10000: text += [UInt8(truncatingIfNeeded: 0xE0 | code >> 12), tail(6), tail(0)]
        default: text += [UInt8(truncatingIfNeeded: 0xF0 | code >> 18), tail(12), tail(6), tail(0)]
        }
    }

    /// `text`, which is UTF-8, as a JSON string with its quotes; escaped only where JSON demands it.
    static func encoded(_ text: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        var string = [Byte.doubleQuote]
        string.reserveCapacity(text.count + 2)
        for byte in text {
            switch byte {
            case Byte.doubleQuote, Byte.backslash: string += [Byte.backslash, byte]
            case Byte.newline: string += [Byte.backslash, UInt8(ascii: "n")]
            case Byte.carriageReturn: string += [Byte.backslash, UInt8(ascii: "r")]
            case 0x09: string += [Byte.backslash, UInt8(ascii: "t")]
            case ..<0x20: string += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: string.append(byte)
            }
        }
        return string + [Byte.doubleQuote]
    }
}
