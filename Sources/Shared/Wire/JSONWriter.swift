/// Writes JSON into one growing buffer, with the keys in the order in which they are written: the same message is always
/// the same bytes. Output is ASCII-safe only where JSON demands it; other characters stay UTF-8.
package struct JSONWriter: Sendable {
    /// What has been written.
    package private(set) var bytes: [UInt8] = []

    /// `reserving` is how many bytes the caller expects to write; more costs a copy, nothing else.
    package init(reserving: Int = 256) {
        bytes.reserveCapacity(reserving)
    }

    /// The bytes of one value, compact.
    package static func bytes(of value: some WireValue) -> [UInt8] {
        var writer = JSONWriter()
        value.write(to: &writer)
        return writer.bytes
    }

    /// The text of one value, compact: for logs and tests.
    package static func text(of value: some WireValue) -> String {
        String(decoding: bytes(of: value), as: UTF8.self)
    }

    /// `null`.
    package mutating func null() { raw("null") }
    /// `true` or `false`.
    package mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }

    /// An integer. Beyond ±2^53 a reader could not keep it exact: it is written as the nearest such bound, since a
    /// counter that large has lost its meaning and a daemon must not trap over one figure.
    package mutating func integer(_ value: Int64) {
        var magnitude = min(value.magnitude, UInt64(JSON.largestInteger))
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        let start = bytes.count
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(magnitude % 10))
            magnitude /= 10
        } while magnitude > 0
        bytes[start...].reverse()
    }

    /// A finite number in the shortest form that reads back the same; NaN and infinities, which JSON lacks, as null
    /// (sample values travel as strings for that reason).
    package mutating func number(_ value: Double) {
        guard value.isFinite else { return null() }
        bytes.append(contentsOf: value.description.utf8)
    }

    /// A text, escaped only where JSON demands it.
    package mutating func string(_ value: String) {
        bytes.append(UInt8(ascii: "\""))
        var copy = value
        copy.withUTF8 { letters in
            var clean = 0
            for place in letters.indices {
                let letter = letters[place]
                guard letter < 0x20 || letter == UInt8(ascii: "\"") || letter == UInt8(ascii: "\\") else { continue }
                bytes.append(contentsOf: letters[clean..<place])
                escape(letter)
                clean = place + 1
            }
            bytes.append(contentsOf: letters[clean...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ letter: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(letter)
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        default:
            raw("u00")
            bytes.append(UInt8(ascii: "0") + letter >> 4)
            let low = letter & 0xF
            bytes.append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
        }
    }

    /// An array of whatever `elements` holds, in its order.
    package mutating func array(_ elements: some Sequence<some WireValue>) {
        bytes.append(UInt8(ascii: "["))
        var first = true
        for element in elements {
            if !first { bytes.append(UInt8(ascii: ",")) }
            first = false
            element.write(to: &self)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// An object whose members `body` writes.
    package mutating func object(_ body: (inout ObjectWriter) -> Void) {
        bytes.append(UInt8(ascii: "{"))
        var object = ObjectWriter(json: self)
        // The buffer moves into the object writer and back, so that it is never copied.
        bytes = []
        body(&object)
        self = object.json
        bytes.append(UInt8(ascii: "}"))
    }

    fileprivate mutating func raw(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }
}

/// The inside of one JSON object being written.
package struct ObjectWriter {
    fileprivate var json: JSONWriter
    private var isEmpty = true

    fileprivate init(json: JSONWriter) {
        self.json = json
    }

    private mutating func key(_ key: String) {
        if !isEmpty { json.comma() }
        isEmpty = false
        json.string(key)
        json.colon()
    }

    /// One member.
    package mutating func member(_ name: String, _ value: some WireValue) {
        key(name)
        value.write(to: &json)
    }

    /// One member, left out where the value is nil.
    package mutating func member(_ name: String, _ value: (some WireValue)?) {
        if let value { member(name, value) }
    }

    /// One member that is an object written in place.
    package mutating func member(_ name: String, _ body: (inout ObjectWriter) -> Void) {
        key(name)
        json.object(body)
    }
}

extension JSONWriter {
    fileprivate mutating func comma() { bytes.append(UInt8(ascii: ",")) }
    fileprivate mutating func colon() { bytes.append(UInt8(ascii: ":")) }
}
