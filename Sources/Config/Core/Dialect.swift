/// How one kind of program reads an `.env` file: one row of the table in `Dialect+Table.swift`.
///
/// There is no common dialect: of 34 one-construct files seven parsers agree on two. So nothing here says how a file
/// *is* read; a row says how one reader reads it, `DialectReader` follows the row, and the editor writes only what every
/// declared reader reads back as meant. A row's columns are the questions on which the readers differ, in the order in
/// which they meet them. What a row cannot say exactly it says cautiously: `Reading.Value.depends` and
/// `Reading.Failure` make the editor choose another quoting or refuse.
package struct Dialect: Hashable, Sendable {
    /// What settings call it: `node-dotenv`.
    package var name: String
    /// True where the reader itself cannot be installed on a build machine: the row is held to the measured table only.
    package var isModelled: Bool

    /// What happens to carriage returns before anything is read.
    var carriageReturns: CarriageReturns
    /// Spaces cut off both ends of the whole file first.
    var trimsFile = false
    /// A byte order mark is skipped; otherwise it is part of the first key.
    var skipsByteOrderMark = false
    /// What ends a line.
    var newlines: ByteSet = "\n"
    /// The longest line that is read, in bytes; a longer one fails the file.
    var longestLineBytes: Int?
    /// Skipped before a statement, line ends besides.
    var blanks: ByteSet = " \t"
    /// What begins a comment line.
    var comments: ByteSet = "#"
    /// In a comment a backslash takes the next byte with it, a line end included.
    var commentsEscape = false
    /// A `#` line without a line end is no comment (node 20).
    var commentsNeedNewline = false
    var export = Export.none
    var key: KeyRule
    var value: ValueRule

    /// A byte order mark in UTF-8.
    static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    enum CarriageReturns: Hashable, Sendable {
        case kept
        /// `\r\n` is read as `\n`.
        case foldedBeforeNewline
        /// `\r\n` and a lone `\r` are read as `\n`.
        case turnedIntoNewlines
        /// Every `\r` is dropped, wherever it stands.
        case erased
    }

    /// What `export ` before a key does.
    enum Export: Hashable, Sendable {
        /// It is read as part of the key.
        case none
        /// The word and one space are dropped.
        case withOneSpace
        /// The word and all of these are dropped.
        case with(ByteSet)
    }

    /// How a key and what separates it from the value are read.
    struct KeyRule: Hashable, Sendable {
        /// Skipped before the key, after `blanks`.
        var leading: ByteSet = ""
        /// The key is the longest run of these…
        var bytes: ByteSet
        /// …or, where it begins with this, all up to the next of it, over line ends too (python-dotenv).
        var quotedBy: UInt8?
        /// Whatever stands first belongs to the key, an `=` too (systemd).
        var takesFirst = false
        /// Cut off the end of that run.
        var trailing: ByteSet = ""
        /// A key of nothing but `leading` is the byte before those, a line end (node 20, which there reads from in front of its text).
        var blankIsByteBefore = false
        /// May stand between key and separator.
        var beforeSeparator: ByteSet = ""
        var colon = Colon.ordinary
        /// A key must consist of these…
        var valid: ByteSet
        /// …and may begin with a digit.
        var mayStartWithDigit = true
        var whenInvalid: Consequence
        var withoutSeparator: Consequence

        enum Colon: Hashable, Sendable {
            case ordinary
            /// Separates where a blank follows.
            case separatesBeforeBlank
            case separates
        }
    }

    /// What a statement that cannot be read does.
    enum Consequence: Hashable, Sendable {
        /// The line is skipped.
        case skipsLine
        /// The value is read past and the binding dropped.
        case dropsBinding
        /// The name is taken over from the environment, so the file sets nothing.
        case inherits
        /// The key has no value, whatever stood before; with more than a comment behind it the line is skipped (python-dotenv).
        case unsets
        /// Nothing after it is read.
        case endsReading
        /// The reader refuses the whole file.
        case fails
    }

    /// How values are read.
    struct ValueRule: Hashable, Sendable {
        /// Skipped after the separator.
        var leading: ByteSet = ""
        /// Skipped after the separator where a quote follows; may reach over line ends (node-dotenv).
        var leadingBeforeQuote: ByteSet = ""
        var quotes: [QuoteRule] = []
        /// Quoted and bare parts may follow each other in one value.
        var joinsParts = false

        // Bare text.
        /// Ends the value, as the beginning of a comment.
        var stops: ByteSet = ""
        /// One of these and a `#` after it begin a comment.
        var commentAfter: ByteSet = ""
        /// Cut off both ends.
        var trims: ByteSet = ""
        /// A quote inside bare text opens a quoted part (a shell).
        var bareOpensQuotes = false
        /// A blank ends the value, and only a comment may follow (a shell).
        var blankEnds = false
        /// A backslash stands for the byte after it, and a backslash and a line end for nothing.
        var bareEscapes = false
        /// Matching quotes around bare text are dropped even so, and `\n` is then read by the quote's rule (node-dotenv).
        var unquotesBare = false
        var expands = Expansion.never
        /// Makes the reader do something else than assign (a shell's `;`, `&`, `|`).
        var fails: ByteSet = ""
    }

    /// When a value is not what stands there but depends on the reader's environment.
    enum Expansion: Hashable, Sendable {
        case never
        /// `${`
        case atDollarBrace
        /// `$`
        case atDollar
        /// `$`, a backtick, and `~` where a shell expands it.
        case likeShell
    }

    /// How one kind of quote is read.
    struct QuoteRule: Hashable, Sendable {
        var quote: UInt8
        var closes: Closes
        var tail = Tail.anything
        var unterminated: Unterminated
        /// After a backslash: the byte, and what both are read as. A backslash before another byte stays.
        var escapes: [UInt8: [UInt8]] = [:]
        var expands = Expansion.never

        enum Closes: Hashable, Sendable {
            case atFirst
            /// At the first one without a backslash before it; a backslash hides whatever follows.
            case atFirstUnescaped
            /// Where a regular expression with backtracking ends: at the first without a backslash directly before it,
            /// or, where nothing fits there, at the last before.
            case whereItFits
        }

        /// What may stand between the closing quote and the line's end.
        enum Tail: Hashable, Sendable {
            case anything
            /// Blanks and a comment; otherwise the value is read as bare text.
            case commentOrBare
            /// Blanks and a comment; otherwise the line sets nothing.
            case commentOrUnset
            /// Blanks and a comment; otherwise the reader refuses the file.
            case commentOrFailure
        }

        enum Unterminated: Hashable, Sendable {
            /// Read as bare text.
            case bare
            /// The rest of the line, the quote and any comment included; where the file ends in this line, the key is
            /// dropped and the quote begins another one (node 20).
            case wholeLine
            case unset
            case toEndOfFile
            case fails
        }
    }
}
