/// A fingerprint of everything that was decided in a run: FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv). The
/// standard library's hasher will not do, since it is seeded anew in each process.
package struct Digest: Hashable, Sendable, CustomStringConvertible {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    package init() {}

    /// Takes the bytes in, in order.
    package mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    }

    /// Takes the eight bytes of `number` in, the lowest first, on every machine alike.
    package mutating func add(_ number: Int64) {
        for shift in stride(from: 0, to: 64, by: 8) { add(CollectionOfOne(UInt8(truncatingIfNeeded: number >> shift))) }
    }

    package var description: String {
        let text = String(state, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
