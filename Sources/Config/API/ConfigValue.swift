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

    /// A stretch of a content as it travels: text wherever that is UTF-8 and no longer than base64 would be. As text, control
    /// characters and quotes grow up to six times.
    package init(inMessage bytes: [UInt8]) {
        let growing = bytes.count { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C }
        self = growing > bytes.count / 16 + 64 ? .bytes(bytes) : ConfigValue(bytes)
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
