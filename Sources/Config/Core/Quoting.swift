/// The ways to write a value. Which of them mean the value to a reader is not decided here: the editor asks the readers.
enum Quoting: Hashable, CaseIterable {
    /// As it is, where it consists of bytes that no reader treats apart.
    case plain
    /// In single quotes: what round-trips in most readers for every string without a single quote (FACTS §2).
    case single
    /// In double quotes, nothing escaped.
    case double
    /// In double quotes with `\"`, `\\`, `\$` and `` \` ``: systemd, shells, python-dotenv.
    case doubleEscaped
    /// In double quotes with `\n` and `\r` for line ends: node and compose, where a raw line end will not do.
    case doubleNewlines
    /// In backticks: node's readers.
    case backtick
    /// As it is whatever it holds, but for line ends: docker, which knows no quotes.
    case literal

    /// Bytes that mean themselves in every dialect at every place of an unquoted value, but for `~` and `:` at the
    /// front, which are left out.
    private static let plainBytes: ByteSet = ByteSet.wordBytes.union("./:@%+,-=")

    /// `value` in this quoting; nil where it cannot be written so.
    func write(_ value: [UInt8]) -> [UInt8]? {
        switch self {
        case .plain: return value.allSatisfy(Self.plainBytes.contains) ? value : nil
        case .single: return enclosed(value, in: Byte.singleQuote)
        case .double: return enclosed(value, in: Byte.doubleQuote)
        case .backtick: return enclosed(value, in: Byte.backtick)
        case .doubleEscaped:
            let needing: ByteSet = "\"\\$`"
            return [Byte.doubleQuote] + value.flatMap { needing.contains($0) ? [Byte.backslash, $0] : [$0] }
                + [Byte.doubleQuote]
        case .doubleNewlines:
            let lineEnds: ByteSet = "\r\n"
            guard value.contains(where: lineEnds.contains) else { return nil }
            return [Byte.doubleQuote]
                + value.flatMap { byte -> [UInt8] in
                    switch byte {
                    case Byte.newline: [Byte.backslash, 0x6E]
                    case Byte.carriageReturn: [Byte.backslash, 0x72]
                    default: [byte]
                    }
                } + [Byte.doubleQuote]
        case .literal:
            let lineEnds: ByteSet = "\r\n"
            return value.contains(where: lineEnds.contains) ? nil : value
        }
    }

    private func enclosed(_ value: [UInt8], in quote: UInt8) -> [UInt8]? {
        value.contains(quote) ? nil : [quote] + value + [quote]
    }

    /// The quotings to try, the one that stands in the file first.
    static func order(like raw: [UInt8]) -> [Quoting] {
        let standing: [Quoting] =
            switch raw.first {
            case Byte.singleQuote: [.single]
            case Byte.doubleQuote: [.double, .doubleEscaped, .doubleNewlines]
            case Byte.backtick: [.backtick]
            case .some, nil: []
            }
        return standing + allCases.filter { !standing.contains($0) }
    }
}
