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

    /// Reads the value from where it is.
    func value() throws -> ConfigValue {
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

    private static func content(of descriptor: CInt, called name: String) throws -> [UInt8] {
        guard var bytes = Descriptor.readAll(descriptor, limit: largestBytes) else {
            throw ValidationError("\(name) cannot be read, or holds more than \(largestBytes) bytes")
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return bytes
    }
}
