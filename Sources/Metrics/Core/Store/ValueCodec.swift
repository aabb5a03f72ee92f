/// The marker that ends a series until its next real value: Prometheus's stale NaN (`value.StaleNaN`, 0x7ff0000000000002),
/// so that figures handed on to Prometheus mean the same there.
package enum Staleness {
    /// Its bit pattern.
    package static let bits: UInt64 = 0x7ff0_0000_0000_0002
    /// The marker as a value: a signalling NaN, to be compared by its bits only.
    package static var value: Double { Double(bitPattern: bits) }
}

/// Compresses the values of one series: Gorilla's XOR coding (Pelkonen et al., VLDB 2015, section 4.1.2). The first value
/// takes 64 bits; an unchanged one `0`; one whose changed bits fit the last window `10` and those bits; any other `11`, 5 bits
/// of leading zeros, 6 bits of length (64 is written as 0) and the changed bits. It works on bit patterns, so NaNs survive.
package struct ValueEncoder: Hashable, Sendable {
    package private(set) var bits = Bits()
    package private(set) var count = 0
    /// The bit pattern of the last value.
    package private(set) var last: UInt64 = 0
    private var leading: UInt8 = UInt8.max
    private var length: UInt8 = 0

    package init() {}

    /// Appends a value by its bit pattern.
    @inline(__always)
    package mutating func append(_ pattern: UInt64) {
        defer {
            last = pattern
            count += 1
        }
        if count == 0 {
            bits.append(pattern, width: 64)
            return
        }
        let changed = pattern ^ last
        if changed == 0 {
            bits.append(0, width: 1)
            return
        }
        appendChange(changed)
    }

    private mutating func appendChange(_ changed: UInt64) {
        let leadingNow = min(changed.leadingZeroBitCount, 31)
        let trailingNow = changed.trailingZeroBitCount
        let windowTrailing = 64 - Int(leading) - Int(length)
        if leading != UInt8.max, leadingNow >= Int(leading), trailingNow >= windowTrailing {
            bits.append(0b10, width: 2)
            bits.append(changed >> UInt64(windowTrailing), width: Int(length))
            return
        }
        let lengthNow = 64 - leadingNow - trailingNow
        bits.append(0b11 << 11 | UInt64(leadingNow) << 6 | UInt64(lengthNow & 63), width: 13)
        bits.append(changed >> UInt64(trailingNow), width: lengthNow)
        leading = UInt8(leadingNow)
        length = UInt8(lengthNow)
    }
}

/// Reads what `ValueEncoder` wrote, value by value. Damaged bits end the sequence early; they never trap.
package struct ValueDecoder: Sendable {
    private var reader: BitReader
    private var left: Int
    private var last: UInt64 = 0
    private var isFirst = true
    private var leading = 0
    private var length = 0

    /// - Parameter count: how many values were encoded.
    package init(bits: Bits, count: Int) {
        reader = BitReader(bits)
        left = count
    }

    /// The next value's bit pattern; nil after the last.
    @inline(__always)
    package mutating func next() -> UInt64? {
        guard left > 0 else { return nil }
        left -= 1
        if isFirst {
            isFirst = false
            guard let first = reader.read(64) else { return end() }
            last = first
            return last
        }
        guard let isChanged = reader.read(1) else { return end() }
        return isChanged == 0 ? last : nextChanged()
    }

    private mutating func nextChanged() -> UInt64? {
        guard let isNewWindow = reader.read(1) else { return end() }
        if isNewWindow == 1 {
            guard let window = reader.read(11) else { return end() }
            leading = Int(window >> 6)
            length = window & 63 == 0 ? 64 : Int(window & 63)
        }
        guard length > 0, leading + length <= 64, let changed = reader.read(length) else { return end() }
        last ^= changed << UInt64(64 - leading - length)
        return last
    }

    private mutating func end() -> UInt64? {
        left = 0
        return nil
    }
}

extension ValueDecoder {
    /// Appends all values of a chunk to `values`: what `next` gives one by one, in a loop that keeps all it needs in registers.
    /// - Returns: how many there were; fewer than `count` where the bits are damaged.
    static func decode(_ bits: Bits, count: Int, into values: inout [Double]) -> Int {
        bits.withWords { words in
            var position = 0
            var last: UInt64 = 0
            var (leading, length) = (0, 0)
            for number in 0..<count {
                if number == 0 {
                    guard 64 <= bits.count else { return 0 }
                    last = words[0]
                    position = 64
                } else {
                    guard position < bits.count else { return number }
                    // The next 64 bits, so that the marks of a change are looked at together.
                    let ahead = Self.word(words, position)
                    if ahead >> 63 == 0 {
                        position += 1
                    } else {
                        if ahead >> 62 == 0b11 {
                            leading = Int(ahead >> 57 & 31)
                            length = Int(ahead >> 51 & 63)
                            if length == 0 { length = 64 }
                            position += 13
                        } else {
                            position += 2
                        }
                        guard length > 0, leading + length <= 64, position + length <= bits.count else { return number }
                        let changed = Self.word(words, position) >> UInt64(64 - length)
                        position += length
                        last ^= changed << UInt64(64 - leading - length)
                    }
                }
                values.append(Double(bitPattern: last))
            }
            return count
        } ?? 0
    }

    @inline(__always)
    private static func word(_ words: UnsafePointer<UInt64>, _ position: Int) -> UInt64 {
        let (index, offset) = (position >> 6, UInt64(position & 63))
        // Shifting by 64 gives 0 in Swift: at offset 0 the second word has no part.
        return words[index] << offset | words[index + 1] >> (64 - offset)
    }
}
