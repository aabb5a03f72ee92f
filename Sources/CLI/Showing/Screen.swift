import Glibc
import Wire

/// How a word is shown where there is colour. What it says never depends on it: every state has its own word.
enum Style {
    case plain
    case heading
    case dim
    case good
    case warning
    case bad

    /// SGR parameters (ECMA-48, 8.3.117) from the sixteen colours, which every terminal theme keeps readable.
    fileprivate var code: String? {
        switch self {
        case .plain: nil
        case .heading: "1"
        case .dim: "2"
        case .good: "32"
        case .warning: "33"
        case .bad: "1;31"
        }
    }
}

/// Standard output: its colour, its width, its end.
struct Screen: Sendable {
    /// Columns; nil where the output is no terminal, and lines are never cut.
    var width: Int?
    var isColoured: Bool

    /// Colour only on a terminal that takes it, and never where NO_COLOR is set (no-color.org).
    static func ofStandardOutput() -> Screen {
        guard isatty(1) == 1 else { return Screen(width: nil, isColoured: false) }
        var size = winsize()
        let known = ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        let refused = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
        let isDumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? true
        return Screen(width: known ? Int(size.ws_col) : 80, isColoured: !refused && !isDumb)
    }

    /// `text` in a style, where there is colour.
    func paint(_ text: String, _ style: Style) -> String {
        guard isColoured, let code = style.code else { return text }
        return "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }

    /// Shows lines.
    func show(_ lines: [String]) {
        guard !lines.isEmpty else { return }
        // A reader that has gone (`| head`) ends the command as SIGPIPE would: 128 + 13.
        guard Descriptor.writeAll(1, Array((lines.joined(separator: "\n") + "\n").utf8)) else { exit(141) }
    }

    func show(_ line: String) { show([line]) }

    /// Shows JSON: laid out on a terminal, on one line for programs.
    func show(_ json: JSON) {
        show(width == nil ? JSONWriter.text(of: json) : json.laidOut(within: width ?? 80))
    }

    /// Shows bytes as they are, for values that go into another program.
    func showRaw(_ bytes: [UInt8]) {
        guard Descriptor.writeAll(1, bytes) else { exit(141) }
    }
}

extension JSON {
    /// JSON in which whatever fits into the width stands on one line.
    func laidOut(within width: Int, indent: Int = 0, before: Int = 0) -> String {
        let line = JSONWriter.text(of: self)
        let fits = indent + before + line.count < width
        let deeper = String(repeating: " ", count: indent + 2)
        let end = String(repeating: " ", count: indent)
        switch self {
        case .array(let elements) where !fits && !elements.isEmpty:
            let inner = elements.map { deeper + $0.laidOut(within: width, indent: indent + 2) }
            return "[\n\(inner.joined(separator: ",\n"))\n\(end)]"
        case .object(let object) where !fits && !object.isEmpty:
            let inner = object.members.map { key, value in
                let name = JSONWriter.text(of: key) + ": "
                return deeper + name + value.laidOut(within: width, indent: indent + 2, before: name.count)
            }
            return "{\n\(inner.joined(separator: ",\n"))\n\(end)}"
        case .null, .bool, .integer, .number, .string, .array, .object:
            return line
        }
    }
}

extension JSON {
    /// The value in a line of words: a text without its quotes, everything else as it travels.
    var plain: String {
        if case .string(let text) = self { return text.printable }
        return JSONWriter.text(of: self).printable
    }
}
