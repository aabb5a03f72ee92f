/// A strict JSON reader (RFC 8259 and nothing more): no byte-order mark, trailing comma, duplicate key, comment or
/// unpaired surrogate; UTF-8 only; 64 levels at most; integers within ±2^53. It reads untrusted bytes, so every access is
/// bounds-checked and every step consumes input.
package struct JSONReader {
    /// The deepest nesting that is read.
    package static let deepest = 64
    /// Objects above this size look for duplicate keys in a set: a linear search would let 100,000 keys cost 10^10 steps.
    private static let smallObject = 8

    private let bytes: [UInt8]
    private var place = 0
    private var depth = 0

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Reads exactly one value from `bytes`; anything after it but white space is an error.
    package static func read(_ bytes: [UInt8]) throws(WireError) -> JSON {
        var reader = JSONReader(bytes: bytes)
        reader.skipSpace()
        let value = try reader.value()
        reader.skipSpace()
        guard reader.place == bytes.count else { throw reader.failure("expected the end of the message") }
        return value
    }

    /// Reads exactly one value from a string's UTF-8.
    package static func read(_ text: String) throws(WireError) -> JSON {
        try read(Array(text.utf8))
    }

    private func failure(_ wanted: String) -> WireError {
        let found = place < bytes.count ? "byte 0x" + String(bytes[place], radix: 16) : "the end"
        return WireError(place: "byte \(place)", problem: "\(wanted), found \(found)")
    }

    private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func skipSpace() {
        while place < bytes.count {
            switch bytes[place] {
            case 0x20, 0x09, 0x0A, 0x0D: place += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        place += 1
        return true
    }

    private mutating func value() throws(WireError) -> JSON {
        switch next {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case .some(UInt8(ascii: "0")...UInt8(ascii: "9")), UInt8(ascii: "-"): return try number()
        default: throw failure("expected a value")
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSON) throws(WireError) -> JSON {
        let end = place + word.utf8CodeUnitCount
        guard end <= bytes.count,
            word.withUTF8Buffer({ letters in bytes[place..<end].elementsEqual(letters) })
        else { throw failure("expected \(word)") }
        place = end
        return value
    }

    private mutating func enter() throws(WireError) {
        depth += 1
        guard depth <= Self.deepest else { throw failure("expected at most \(Self.deepest) levels") }
        place += 1
        skipSpace()
    }

    private mutating func object() throws(WireError) -> JSON {
        try enter()
        var members: [(key: String, value: JSON)] = []
        var known: Set<String> = []
        if take(UInt8(ascii: "}")) {
            depth -= 1
            return .object(JSONObject())
        }
        while true {
            guard next == UInt8(ascii: "\"") else { throw failure("expected a key") }
            let start = place
            let key = try string()
            if members.count == Self.smallObject { known = Set(members.map(\.key)) }
            let repeated =
                members.count < Self.smallObject ? members.contains { $0.key == key } : !known.insert(key).inserted
            guard !repeated else {
                throw WireError(place: "byte \(start)", problem: "expected unique keys, found \"\(key)\" twice")
            }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw failure("expected ':'") }
            skipSpace()
            members.append((key, try value()))
            skipSpace()
            if take(UInt8(ascii: "}")) { break }
            guard take(UInt8(ascii: ",")) else { throw failure("expected ',' or '}'") }
            skipSpace()
        }
        depth -= 1
        return .object(JSONObject(unique: members))
    }

    private mutating func array() throws(WireError) -> JSON {
        try enter()
        var elements: [JSON] = []
        if take(UInt8(ascii: "]")) {
            depth -= 1
            return .array([])
        }
        while true {
            elements.append(try value())
            skipSpace()
            if take(UInt8(ascii: "]")) { break }
            guard take(UInt8(ascii: ",")) else { throw failure("expected ',' or ']'") }
            skipSpace()
        }
        depth -= 1
        return .array(elements)
    }
}

// MARK: Numbers

extension JSONReader {
    private mutating func digits() throws(WireError) {
        let start = place
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { place += 1 }
        guard place > start else { throw failure("expected a digit") }
    }

    private mutating func number() throws(WireError) -> JSON {
        let start = place
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        let wholeEnd = place
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        if place == wholeEnd { return .integer(try integer(from: start)) }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        guard let value = Double(text), value.isFinite else {
            throw WireError(place: "byte \(start)", problem: "expected a number within the range of a double")
        }
        return .number(value)
    }

    private func integer(from start: Int) throws(WireError) -> Int64 {
        let negative = bytes[start] == UInt8(ascii: "-")
        let figures = bytes[(negative ? start + 1 : start)..<place]
        var magnitude: Int64 = 0
        // 2^53 has 16 digits; a longer run is out of range before it could overflow.
        if figures.count <= 16 {
            for figure in figures { magnitude = magnitude * 10 + Int64(figure - UInt8(ascii: "0")) }
        }
        guard figures.count <= 16, magnitude <= JSON.largestInteger else {
            throw WireError(place: "byte \(start)", problem: "expected an integer within ±2^53")
        }
        return negative ? -magnitude : magnitude
    }
}

// MARK: Strings

extension JSONReader {
    private mutating func string() throws(WireError) -> String {
        place += 1
        let start = place
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { place += 1 }
        if next == UInt8(ascii: "\"") {
            let text = try utf8(bytes[start..<place], from: start)
            place += 1
            return text
        }
        return try escapedString(from: start)
    }

    private func utf8(_ slice: some Collection<UInt8>, from start: Int) throws(WireError) -> String {
        guard let text = String(validating: slice, as: UTF8.self) else {
            throw WireError(place: "byte \(start)", problem: "expected UTF-8 (bytes that are not travel as base64)")
        }
        return text
    }

    private mutating func escapedString(from start: Int) throws(WireError) -> String {
        var letters = Array(bytes[start..<place])
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                place += 1
                return try utf8(letters, from: start)
            case UInt8(ascii: "\\"):
                place += 1
                try appendEscape(to: &letters)
            case 0x20...:
                letters.append(byte)
                place += 1
            default:
                throw failure("expected control characters to be escaped")
            }
        }
        throw failure("expected '\"'")
    }

    private mutating func appendEscape(to letters: inout [UInt8]) throws(WireError) {
        guard let letter = next else { throw failure("expected an escape") }
        place += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): letters.append(letter)
        case UInt8(ascii: "b"): letters.append(0x08)
        case UInt8(ascii: "f"): letters.append(0x0C)
        case UInt8(ascii: "n"): letters.append(0x0A)
        case UInt8(ascii: "r"): letters.append(0x0D)
        case UInt8(ascii: "t"): letters.append(0x09)
        case UInt8(ascii: "u"): letters.append(contentsOf: try unicodeEscape().utf8)
        default:
            place -= 1
            throw failure("expected one of \"\\/bfnrtu after '\\'")
        }
    }

    private mutating func unicodeEscape() throws(WireError) -> Character {
        let first = try hexUnit()
        var code = UInt32(first)
        if UTF16.isLeadSurrogate(first) {
            guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw failure("expected a trail surrogate") }
            let second = try hexUnit()
            guard UTF16.isTrailSurrogate(second) else { throw failure("expected a trail surrogate before this") }
            code = 0x10000 + ((UInt32(first) - 0xD800) << 10) + (UInt32(second) - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw failure("expected paired surrogates before this") }
        return Character(scalar)
    }

    private mutating func hexUnit() throws(WireError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw failure("expected a hexadecimal digit")
            }
            unit = unit << 4 | UInt16(digit)
            place += 1
        }
        return unit
    }
}
