import ArgumentParser
import ConfigAPI
import Glibc

/// `KEY=VALUE` of `config set`, and where the value comes from.
struct Assignment: ExpressibleByArgument, Hashable, Sendable {
    enum Source: Hashable, Sendable {
        case commandLine(String)
        case file(String)
        case standardInput
    }

    var key: String
    var source: Source

    /// More than configd takes for one value.
    private static let largestBytes = 1 << 20

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else { return nil }
        key = String(argument[..<equals])
        let value = argument[argument.index(after: equals)...]
        source =
            if value == "-" { .standardInput } else if value.hasPrefix("@") { .file(String(value.dropFirst())) } else {
                .commandLine(String(value))
            }
    }

    /// Reads the value from where it is. A key that begins with a slash is a JSON pointer: no variable's name has one.
    func value() throws -> ConfigValue {
        let value = try valueAsItIs()
        guard key.hasPrefix("/"), case .text(let text) = value, JSONValue.isMeant(by: text) else { return value }
        return .json(text)
    }

    private func valueAsItIs() throws -> ConfigValue {
        switch source {
        case .commandLine(let text):
            return .text(text)
        case .standardInput:
            return ConfigValue(try Self.content(of: 0, called: "standard input"))
        case .file(let path):
            let file = open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else {
                throw ValidationError(
                    """
                    \(path): \(String(cString: strerror(errno))). KEY=@FILE takes the content of a file; a value that begins \
                    with @ itself is given on standard input: \(key)=-
                    """)
            }
            defer { close(file) }
            return ConfigValue(try Self.content(of: file, called: path))
        }
    }

    /// The content of a file, or of standard input where `path` is a dash.
    static func content(at path: String) throws -> [UInt8] {
        guard path != "-" else { return try content(of: 0, called: "standard input") }
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw ValidationError("\(path): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        return try content(of: file, called: path)
    }

    private static func content(of descriptor: CInt, called name: String) throws -> [UInt8] {
        guard var bytes = Descriptor.readAll(descriptor, limit: largestBytes) else {
            throw ValidationError("\(name) cannot be read, or holds more than \(largestBytes) bytes")
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return bytes
    }
}

/// Whether a text on the command line is JSON or a string without quotes.
enum JSONValue {
    /// True for what begins a JSON string, object or array, and for a whole number, fraction, `true`, `false` or `null`. What
    /// begins one and is none is sent as JSON all the same, so that it is refused and not taken for a string.
    static func isMeant(by text: String) -> Bool {
        guard let first = text.utf8.first else { return false }
        switch first {
        case UInt8(ascii: "\""), UInt8(ascii: "{"), UInt8(ascii: "["): return true
        default: return ["true", "false", "null"].contains(text) || isNumber(text)
        }
    }

    /// RFC 8259, section 6: no sign but minus, no leading zero, digits around a point.
    private static func isNumber(_ text: String) -> Bool {
        var rest = text.utf8[...]
        func take(_ byte: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: byte) else { return false }
            rest = rest.dropFirst()
            return true
        }
        func digits() -> Bool {
            let count = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
            rest = rest.dropFirst(count)
            return count > 0
        }
        _ = take("-")
        guard take("0") || digits() else { return false }
        if take(".") { guard digits() else { return false } }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard digits() else { return false }
        }
        return rest.isEmpty
    }
}
