/// A report of `Scripts/prove`: the figures in it, each with what leads to it.
struct Report {
    /// A number of the report.
    struct Figure {
        /// The keys on the way to it, and what an object on that way calls itself by `case`, from the outside in.
        var names: [String]
        var value: Double

        /// True where `term` is one of its names, or some whole words of one: `1s loop` and `loop` of `1s loop`, not of `1s loop?io`.
        func isNamed(_ term: String) -> Bool {
            let words = term.split(separator: " ")
            return names.contains { $0.split(separator: " ").contains(words) }
        }
    }

    private(set) var figures: [Figure] = []

    /// Nil where `text` is no report.
    init?(_ text: String) {
        var reader = JSONText(text)
        guard case .object(let members)? = reader.value(), let found = members.first(where: { $0.key == "figures" })
        else { return nil }
        collect(found.value, under: [])
    }

    private mutating func collect(_ value: JSONValue, under names: [String]) {
        switch value {
        case .number(let number): figures.append(Figure(names: names, value: number))
        case .list(let items): for item in items { collect(item, under: names) }
        case .object(let members):
            var names = names
            for member in members where member.key == "case" {
                if case .text(let name) = member.value { names.append(name) }
            }
            for member in members { collect(member.value, under: names + [member.key]) }
        case .text, .word: break
        }
    }
}

/// What stands in a JSON text.
private enum JSONValue {
    case object([(key: String, value: JSONValue)])
    case list([JSONValue])
    case text(String)
    case number(Double)
    /// true, false or null.
    case word
}

/// Reads JSON as our own scripts write it: `Scripts/check` has Python look at the form of every report. The rules are compiled
/// alone, without the project's reader.
private struct JSONText {
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    /// The value that begins here; nil where none does.
    mutating func value() -> JSONValue? {
        if take("{") { return object() }
        if take("[") { return list() }
        if let string = text() { return .text(string) }
        let start = position
        while position < bytes.count, bytes[position].isIdentifier || "+-.".utf8.contains(bytes[position]) {
            position += 1
        }
        guard position > start else { return nil }
        return Double(String(decoding: bytes[start..<position], as: UTF8.self)).map(JSONValue.number) ?? .word
    }

    private mutating func object() -> JSONValue? {
        var members: [(key: String, value: JSONValue)] = []
        while !take("}") {
            guard let key = text(), take(":"), let member = value() else { return nil }
            members.append((key, member))
            _ = take(",")
        }
        return .object(members)
    }

    private mutating func list() -> JSONValue? {
        var items: [JSONValue] = []
        while !take("]") {
            guard let item = value() else { return nil }
            items.append(item)
            _ = take(",")
        }
        return .list(items)
    }

    /// A string, of whose escapes only the character itself is kept.
    private mutating func text() -> String? {
        guard take("\"") else { return nil }
        var found: [UInt8] = []
        while position < bytes.count {
            var byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: found, as: UTF8.self) }
            if byte == UInt8(ascii: "\\"), position < bytes.count {
                byte = bytes[position]
                position += 1
            }
            found.append(byte)
        }
        return nil
    }

    /// Passes over spaces, and over `sign` where that is next.
    private mutating func take(_ sign: Unicode.Scalar) -> Bool {
        while position < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[position]) { position += 1 }
        guard position < bytes.count, bytes[position] == UInt8(ascii: sign) else { return false }
        position += 1
        return true
    }
}
