/// A set of bytes as 256 bits: the character classes of the dialect table, written as string literals.
package struct ByteSet: Hashable, Sendable, ExpressibleByStringLiteral {
    private var words = SIMD4<UInt64>(repeating: 0)

    package init() {}

    /// The bytes of the literal's UTF-8.
    package init(stringLiteral literal: String) {
        for byte in literal.utf8 { insert(byte) }
    }

    package init(_ range: ClosedRange<UInt8>) {
        for byte in range { insert(byte) }
    }

    /// Adds a byte, which may be there already.
    package mutating func insert(_ byte: UInt8) {
        words[Int(byte >> 6)] |= 1 << UInt64(byte & 63)
    }

    /// Whether the byte is one of these.
    package func contains(_ byte: UInt8) -> Bool {
        words[Int(byte >> 6)] & (1 << UInt64(byte & 63)) != 0
    }

    /// The bytes of either set.
    package func union(_ other: ByteSet) -> ByteSet {
        var both = self
        both.words |= other.words
        return both
    }

    /// The bytes that are not in this set.
    package var inverted: ByteSet {
        var others = self
        others.words = ~words
        return others
    }

    /// `A`-`Z`, `a`-`z`, `0`-`9` and `_`: what a shell takes as a name, but for a leading digit.
    package static let wordBytes: ByteSet = ByteSet(0x30...0x39).union(ByteSet(0x41...0x5A)).union(ByteSet(0x61...0x7A))
        .union("_")
    /// `0`-`9`: no name may begin with one.
    package static let digits = ByteSet(0x30...0x39)
}

/// The bytes that the readers of `.env` files treat apart.
enum Byte {
    static let newline: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let doubleQuote: UInt8 = 0x22
    static let hash: UInt8 = 0x23
    static let dollar: UInt8 = 0x24
    static let singleQuote: UInt8 = 0x27
    static let colon: UInt8 = 0x3A
    static let equals: UInt8 = 0x3D
    static let backslash: UInt8 = 0x5C
    static let backtick: UInt8 = 0x60
    static let openBrace: UInt8 = 0x7B
    static let tilde: UInt8 = 0x7E
}
