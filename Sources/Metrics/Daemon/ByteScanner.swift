import Glibc

/// Reads words and numbers out of bytes, without making a string. Nothing here fails hard: what is missing is nil or empty.
struct ByteScanner {
    let bytes: UnsafeRawBufferPointer
    private(set) var at = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { at >= bytes.count }

    /// The next byte, not taken.
    var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    mutating func skip(_ count: Int) { at = min(at + count, bytes.count) }

    /// Passes spaces and tabs, not line ends.
    @inline(__always)
    mutating func skipSpaces() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x09 { at += 1 }
    }

    mutating func skipLine() {
        while at < bytes.count, bytes[at] != 0x0a { at += 1 }
        if at < bytes.count { at += 1 }
    }

    /// The bytes up to the next space, line end or `stop`, after spaces; empty at a line's end.
    @inline(__always)
    mutating func word(stop: UInt8 = 0x20) -> UnsafeRawBufferPointer {
        skipSpaces()
        let start = at
        while at < bytes.count, bytes[at] > 0x20, bytes[at] != stop { at += 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<at])
    }

    /// The rest of the line; the line's end is passed.
    mutating func line() -> UnsafeRawBufferPointer {
        let start = at
        while at < bytes.count, bytes[at] != 0x0a { at += 1 }
        defer { if at < bytes.count { at += 1 } }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<at])
    }

    /// An unsigned decimal number after spaces; nil where none stands. Too large a number wraps.
    @inline(__always)
    mutating func unsigned() -> UInt64? {
        skipSpaces()
        let start = at
        var value: UInt64 = 0
        while at < bytes.count, bytes[at] &- 0x30 < 10 {
            value = value &* 10 &+ UInt64(bytes[at] &- 0x30)
            at += 1
        }
        return at > start ? value : nil
    }

    /// A number after spaces, as a value; a leading minus is taken.
    @inline(__always)
    mutating func number() -> Double? {
        skipSpaces()
        let isNegative = peek == 0x2d
        if isNegative { at += 1 }
        guard let value = unsigned() else { return nil }
        return isNegative ? -Double(value) : Double(value)
    }

    /// A number with decimals, as `/proc/loadavg` has them.
    mutating func decimal() -> Double? {
        guard let whole = unsigned() else { return nil }
        guard peek == 0x2e else { return Double(whole) }
        at += 1
        var fraction: UInt64 = 0
        var scale = 1.0
        while at < bytes.count, bytes[at] &- 0x30 < 10 {
            fraction = fraction &* 10 &+ UInt64(bytes[at] &- 0x30)
            scale *= 10
            at += 1
        }
        return Double(whole) + Double(fraction) / scale
    }

    /// A number as files of /sys hold it: decimal, or hexadecimal after `0x`.
    mutating func prefixedNumber() -> Double? {
        skipSpaces()
        guard at + 1 < bytes.count, bytes[at] == 0x30, bytes[at + 1] | 0x20 == 0x78 else { return number() }
        at += 2
        return hexadecimal().map { Double($0) }
    }

    /// A hexadecimal number after spaces.
    mutating func hexadecimal() -> UInt64? {
        skipSpaces()
        let start = at
        var value: UInt64 = 0
        while at < bytes.count {
            let byte = bytes[at]
            if byte &- 0x30 < 10 {
                value = value << 4 | UInt64(byte &- 0x30)
            } else if (byte | 0x20) &- 0x61 < 6 {
                value = value << 4 | UInt64((byte | 0x20) &- 0x57)
            } else {
                break
            }
            at += 1
        }
        return at > start ? value : nil
    }
}

extension UnsafeRawBufferPointer {
    /// Whether these bytes are that text.
    @inline(__always)
    func equals(_ text: StaticString) -> Bool { count == text.utf8CodeUnitCount && begins(with: text) }

    /// Whether these bytes begin with that text.
    @inline(__always)
    func begins(with text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard count >= length, let start = baseAddress else { return length == 0 }
        return memcmp(start, text.utf8Start, length) == 0
    }

    /// As a string; bytes that are not UTF-8 are replaced.
    var text: String { String(decoding: self, as: UTF8.self) }
}
