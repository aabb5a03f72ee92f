/// A run of bits, filled from the most significant bit of each 64-bit word. Copies share the full words, so a query can
/// hold a series' bits while the head goes on appending to its own copy.
package struct Bits: Hashable, Sendable {
    fileprivate var words: [UInt64]
    /// The word that is not full yet, its bits at the top and zeros below them.
    fileprivate var tail: UInt64
    /// How many bits there are.
    package fileprivate(set) var count: Int

    package init() {
        words = []
        tail = 0
        count = 0
    }

    /// Bits as `bytes` laid them out: `bytes` from `start` on hold whole bytes, the last one padded with zeros.
    package init(bytes: [UInt8], from start: Int) {
        let length = max(0, bytes.count - start)
        var words: [UInt64] = []
        words.reserveCapacity(length / 8 + 1)
        var at = start
        bytes.withUnsafeBytes { bytes in
            while at + 8 <= bytes.count {
                words.append(UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
                at += 8
            }
        }
        var tail: UInt64 = 0
        var shift: UInt64 = 56
        while at < bytes.count {
            tail |= UInt64(bytes[at]) << shift
            shift &-= 8
            at += 1
        }
        self.words = words
        self.tail = tail
        count = length * 8
    }

    /// Appends these bits as whole bytes, the last one padded with zeros.
    package func appendBytes(to bytes: inout [UInt8]) {
        for word in words {
            for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
        }
        var rest = count - words.count * 64
        var shift = 56
        while rest > 0 {
            bytes.append(UInt8(truncatingIfNeeded: tail >> shift))
            shift -= 8
            rest -= 8
        }
    }

    /// How many bytes the full and the open word take in memory.
    package var sizeBytes: Int { words.count * 8 + 8 }

    @inline(__always)
    fileprivate func word(_ index: Int) -> UInt64 { index < words.count ? words[index] : tail }
}

extension Bits {
    /// Appends the low `width` bits of `value`, whose higher bits must be zero; `width` is 1 to 64.
    @inline(__always)
    package mutating func append(_ value: UInt64, width: Int) {
        let used = count & 63
        let free = 64 - used
        count += width
        if width < free {
            tail |= value << UInt64(free - width)
        } else {
            let left = width - free
            words.append(tail | value >> UInt64(left))
            tail = left == 0 ? 0 : value << UInt64(64 - left)
        }
    }
}

/// Reads `Bits` from their start. Every read says nil at the end instead of trapping: bits come from disk too.
package struct BitReader: Sendable {
    private let bits: Bits
    private var position = 0

    package init(_ bits: Bits) {
        self.bits = bits
    }

    /// The next `width` bits (1 to 64) as the low bits of the result; nil if fewer are left.
    @inline(__always)
    package mutating func read(_ width: Int) -> UInt64? {
        guard position + width <= bits.count else { return nil }
        let index = position >> 6
        let offset = position & 63
        position += width
        let first = bits.word(index) << UInt64(offset)
        if offset + width <= 64 { return first >> UInt64(64 - width) }
        let second = bits.word(index + 1) >> UInt64(64 - offset)
        return (first | second) >> UInt64(64 - width)
    }
}

extension Bits {
    /// Calls `body` with the words in which the bits lie, the open one last and a zero after it, so that a reader may always take
    /// two at once.
    func withWords<Result>(_ body: (UnsafePointer<UInt64>) -> Result) -> Result? {
        var all = words
        all.reserveCapacity(words.count + 2)
        all.append(tail)
        all.append(0)
        return all.withUnsafeBufferPointer { buffer in buffer.baseAddress.map(body) }
    }
}
