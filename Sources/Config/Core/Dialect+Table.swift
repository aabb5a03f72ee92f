/// The readers. Sources: the parsers themselves, read and run (node 20.20, python-dotenv 1.2, systemd 252, bash 5.2, dash
/// 0.5.12: `ReaderAgreementTests` asks each real one), and for dotenv 17, compose and docker, which cannot be installed
/// here, their published parsers and the measured table (FACTS §2).
extension Dialect {
    /// All rows.
    package static let all: [Dialect] = [nodeDotenv, nodeEnvFile, pythonDotenv, systemd, shell, docker, compose]

    /// The row that settings call `name`.
    package static func named(_ name: String) -> Dialect? {
        all.first { $0.name == name }
    }

    /// What holds where settings name no reader: every reader of which the real parser was asked, so that a file written
    /// before anyone thought of its readers suits them all.
    package static let unstated: [Dialect] = [nodeDotenv, nodeEnvFile, pythonDotenv, systemd, shell]

    private static let spaces: ByteSet = " \t\u{0B}\u{0C}"
    private static let spacesAndNewlines: ByteSet = " \t\u{0B}\u{0C}\r\n"
    private static let backslashN: [UInt8: [UInt8]] = [0x6E: [0x0A]]
    /// `\"`, `\\`, `\$`, `` \` `` and a hidden line end: what double quotes of a POSIX shell unescape (and systemd's).
    private static let shellEscapes: [UInt8: [UInt8]] = [
        0x22: [0x22], 0x5C: [0x5C], 0x24: [0x24], 0x60: [0x60], 0x0A: [],
    ]
    /// `\a \b \f \n \r \t \v \\ \" \'`, as Python and C know them.
    private static let cEscapes: [UInt8: [UInt8]] = [
        0x61: [0x07], 0x62: [0x08], 0x66: [0x0C], 0x6E: [0x0A], 0x72: [0x0D], 0x74: [0x09], 0x76: [0x0B],
        0x5C: [0x5C], 0x22: [0x22], 0x27: [0x27],
    ]

    /// npm's `dotenv`, one regular expression over the whole file.
    package static let nodeDotenv = Dialect(
        name: "node-dotenv", isModelled: true, carriageReturns: .turnedIntoNewlines, skipsByteOrderMark: true,
        blanks: spaces, export: .with(spacesAndNewlines),
        key: KeyRule(
            bytes: ByteSet.wordBytes.union(".-"), beforeSeparator: spacesAndNewlines, colon: .separatesBeforeBlank,
            valid: ByteSet.wordBytes.union(".-"), whenInvalid: .skipsLine, withoutSeparator: .skipsLine),
        value: ValueRule(
            leadingBeforeQuote: spacesAndNewlines,
            quotes: [
                QuoteRule(quote: Byte.singleQuote, closes: .whereItFits, tail: .commentOrBare, unterminated: .bare),
                QuoteRule(
                    quote: Byte.doubleQuote, closes: .whereItFits, tail: .commentOrBare, unterminated: .bare,
                    escapes: [0x6E: [0x0A], 0x72: [0x0D]]),
                QuoteRule(quote: Byte.backtick, closes: .whereItFits, tail: .commentOrBare, unterminated: .bare),
            ],
            stops: "#", trims: spacesAndNewlines, unquotesBare: true))

    /// `node --env-file` and `util.parseEnv` of node 20.
    package static let nodeEnvFile = Dialect(
        name: "node-env-file", isModelled: false, carriageReturns: .erased, trimsFile: true, blanks: "",
        commentsNeedNewline: true, export: .withOneSpace,
        key: KeyRule(
            leading: " ", bytes: ("=" as ByteSet).inverted, trailing: " ", blankIsByteBefore: true,
            valid: ByteSet().inverted,
            whenInvalid: .endsReading, withoutSeparator: .endsReading),
        value: ValueRule(
            leading: " ",
            quotes: [
                QuoteRule(quote: Byte.singleQuote, closes: .atFirst, unterminated: .wholeLine),
                QuoteRule(quote: Byte.doubleQuote, closes: .atFirst, unterminated: .wholeLine, escapes: backslashN),
                QuoteRule(quote: Byte.backtick, closes: .atFirst, unterminated: .wholeLine),
            ],
            stops: "#", trims: " "))

    /// `python-dotenv`, interpolation on as it is by default.
    package static let pythonDotenv = Dialect(
        name: "python-dotenv", isModelled: false, carriageReturns: .turnedIntoNewlines, blanks: spaces,
        export: .with(spaces),
        key: KeyRule(
            bytes: ("=#" as ByteSet).union(spacesAndNewlines).inverted, quotedBy: Byte.singleQuote,
            beforeSeparator: spaces, valid: ByteSet().inverted, whenInvalid: .skipsLine,
            withoutSeparator: .unsets),
        value: ValueRule(
            leading: spaces,
            quotes: [
                QuoteRule(
                    quote: Byte.singleQuote, closes: .whereItFits, tail: .commentOrUnset, unterminated: .unset,
                    escapes: [0x5C: [0x5C], 0x27: [0x27]], expands: .atDollarBrace),
                QuoteRule(
                    quote: Byte.doubleQuote, closes: .whereItFits, tail: .commentOrUnset, unterminated: .unset,
                    escapes: cEscapes, expands: .atDollarBrace),
            ],
            commentAfter: spaces, trims: spaces, expands: .atDollarBrace))

    /// systemd's `EnvironmentFile=`. Keys that are no names are dropped with a warning in the journal.
    package static let systemd = Dialect(
        name: "systemd", isModelled: false, carriageReturns: .kept, newlines: "\n\r", comments: "#;",
        commentsEscape: true,
        key: KeyRule(
            bytes: ("=\n\r" as ByteSet).inverted, takesFirst: true, trailing: " \t", valid: .wordBytes,
            mayStartWithDigit: false,
            whenInvalid: .dropsBinding, withoutSeparator: .skipsLine),
        value: ValueRule(
            leading: " \t",
            quotes: [
                QuoteRule(quote: Byte.singleQuote, closes: .atFirst, unterminated: .toEndOfFile),
                QuoteRule(
                    quote: Byte.doubleQuote, closes: .atFirstUnescaped, unterminated: .toEndOfFile,
                    escapes: shellEscapes),
            ],
            joinsParts: true, trims: " \t", bareEscapes: true))

    /// `set -a; . FILE` in a POSIX shell: bash and dash.
    package static let shell = Dialect(
        name: "sh", isModelled: false, carriageReturns: .kept, export: .with(" \t"),
        key: KeyRule(
            bytes: .wordBytes, valid: .wordBytes, mayStartWithDigit: false, whenInvalid: .fails,
            withoutSeparator: .fails),
        value: ValueRule(
            quotes: [
                QuoteRule(quote: Byte.singleQuote, closes: .atFirst, unterminated: .fails),
                QuoteRule(
                    quote: Byte.doubleQuote, closes: .atFirstUnescaped, unterminated: .fails, escapes: shellEscapes,
                    expands: .likeShell),
            ],
            joinsParts: true, bareOpensQuotes: true, blankEnds: true, bareEscapes: true, expands: .likeShell,
            fails: ";&|<>()\\"))

    /// `docker run --env-file`: no quotes at all, a line is a value.
    package static let docker = Dialect(
        name: "docker", isModelled: true, carriageReturns: .foldedBeforeNewline, skipsByteOrderMark: true,
        longestLineBytes: 65_535,
        key: KeyRule(
            bytes: ("=\n" as ByteSet).inverted, valid: ("= \t\n\u{0B}\u{0C}\r" as ByteSet).inverted,
            whenInvalid: .fails, withoutSeparator: .inherits),
        value: ValueRule())

    /// Docker Compose's `env_file:`.
    package static let compose = Dialect(
        name: "compose", isModelled: true, carriageReturns: .foldedBeforeNewline, skipsByteOrderMark: true,
        blanks: spaces, export: .with(spaces),
        key: KeyRule(
            bytes: ByteSet.wordBytes.union(".-"), beforeSeparator: spaces, colon: .separates,
            valid: ByteSet.wordBytes.union(".-"), whenInvalid: .fails, withoutSeparator: .inherits),
        value: ValueRule(
            leading: spaces,
            quotes: [
                QuoteRule(
                    quote: Byte.singleQuote, closes: .atFirstUnescaped, tail: .commentOrFailure, unterminated: .fails,
                    escapes: [0x27: [0x27]]),
                QuoteRule(
                    quote: Byte.doubleQuote, closes: .atFirstUnescaped, tail: .commentOrFailure, unterminated: .fails,
                    escapes: cEscapes.filter { $0.key != 0x27 }, expands: .atDollar),
            ],
            commentAfter: " ", trims: spaces, expands: .atDollar))
}
