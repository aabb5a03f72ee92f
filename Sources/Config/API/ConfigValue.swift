package import Wire

/// A value of a key: text; bytes that are not UTF-8, which travel as `{"base64": "…"}`; or, in a JSON file, a value that is
/// no string, which travels as its text, `{"json": "8080"}`. As a text it keeps its spelling and has no bounds but JSON's: a
/// number of 30 digits, or an object 100 levels deep, is no message of the wire and yet a value.
package enum ConfigValue: Hashable, Sendable {
    case text(String)
    case bytes([UInt8])
    case json(String)

    /// The value that `bytes` are; text wherever they are UTF-8.
    package init(_ bytes: [UInt8]) {
        if let text = String(validating: bytes, as: UTF8.self) {
            self = .text(text)
        } else {
            self = .bytes(bytes)
        }
    }

    /// The value as it is written to a file.
    package var content: [UInt8] {
        switch self {
        case .text(let text): Array(text.utf8)
        case .bytes(let bytes): bytes
        case .json(let text): Array(text.utf8)
        }
    }
}

extension ConfigValue: WireValue {
    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        switch wire {
        case .string(let text): self = .text(text)
        case .object(let object):
            var fields = Fields(object, unknown: unknown)
            if let json: String = try fields.optional("json") {
                try fields.finish()
                self = .json(json)
                return
            }
            let text: String = try fields.value("base64")
            try fields.finish()
            guard let bytes = Base64.decode(text) else {
                throw WireError(place: "base64", problem: "expected base64 (RFC 4648, padded)")
            }
            self = .bytes(bytes)
        case .null, .bool, .integer, .number, .array:
            throw .expected(
                "a string, {\"base64\": …} for bytes that are not UTF-8, or {\"json\": …} for the text of a JSON value",
                found: wire)
        }
    }

    package func write(to writer: inout JSONWriter) {
        switch self {
        case .text(let text): writer.string(text)
        case .bytes(let bytes): writer.object { $0.member("base64", Base64.encode(bytes)) }
        case .json(let text): writer.object { $0.member("json", text) }
        }
    }
}

/// Base64 with padding and nothing else in between (RFC 4648, section 4).
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            bits <<= UInt32(3 - group.count) * 8
            for place in 0..<4 {
                let digit = alphabet[Int(bits >> UInt32(18 - 6 * place)) & 63]
                text.append(place <= group.count ? digit : padding)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func decode(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 4) else { return nil }
        let padded = digits.reversed().prefix { $0 == padding }.count
        guard padded <= 2 else { return nil }
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        for (place, digit) in digits.dropLast(padded).enumerated() {
            guard let value = alphabet.firstIndex(of: digit) else { return nil }
            bits = bits << 6 | UInt32(value)
            if place % 4 != 0 { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(6 - place % 4 * 2))) }
        }
        // What the padding leaves over must be zero bits, so that each value has one spelling.
        let rest: UInt32 = padded == 0 ? 0 : padded == 1 ? 0b11 : 0b1111
        return bits & rest == 0 ? bytes : nil
    }
}
