/// Compresses the times of one block, in milliseconds since 1970: delta of delta as in Gorilla (Pelkonen et al., VLDB 2015,
/// section 4.1.1). The ranges are that paper's (7, 9 and 12 bits); what does not fit takes 64 bits, because a clock may step.
/// All series of a collector share one such run, so it costs next to nothing a sample.
package enum TimeCodec {
    /// The encoded form of `times`.
    package static func encode(_ times: [Int64]) -> Bits {
        var bits = Bits()
        guard let first = times.first else { return bits }
        bits.append(UInt64(bitPattern: first), width: 64)
        var previous = first
        var previousDelta: Int64 = 0
        for time in times.dropFirst() {
            let delta = time &- previous
            append(delta &- previousDelta, to: &bits)
            previous = time
            previousDelta = delta
        }
        return bits
    }

    private static func append(_ change: Int64, to bits: inout Bits) {
        switch change {
        case 0: bits.append(0, width: 1)
        case -63...64: bits.append(0b10 << 7 | UInt64(change + 63), width: 9)
        case -255...256: bits.append(0b110 << 9 | UInt64(change + 255), width: 12)
        case -2047...2048: bits.append(0b1110 << 12 | UInt64(change + 2047), width: 16)
        default:
            bits.append(0b1111, width: 4)
            bits.append(UInt64(bitPattern: change), width: 64)
        }
    }

    /// The `count` times that `bits` hold; nil if they are damaged.
    package static func decode(_ bits: Bits, count: Int) -> [Int64]? {
        guard count > 0 else { return [] }
        guard count <= bits.count, bits.count >= 64 else { return nil }
        var reader = BitReader(bits)
        guard let first = reader.read(64) else { return nil }
        var times: [Int64] = []
        times.reserveCapacity(count)
        times.append(Int64(bitPattern: first))
        var previous = Int64(bitPattern: first)
        var delta: Int64 = 0
        while times.count < count {
            guard let change = readChange(&reader) else { return nil }
            delta = delta &+ change
            previous = previous &+ delta
            times.append(previous)
        }
        return times
    }

    private static func readChange(_ reader: inout BitReader) -> Int64? {
        var ones = 0
        while ones < 4 {
            guard let bit = reader.read(1) else { return nil }
            if bit == 0 { break }
            ones += 1
        }
        switch ones {
        case 0: return 0
        case 1: return reader.read(7).map { Int64($0) - 63 }
        case 2: return reader.read(9).map { Int64($0) - 255 }
        case 3: return reader.read(12).map { Int64($0) - 2047 }
        default: return reader.read(64).map { Int64(bitPattern: $0) }
        }
    }
}
