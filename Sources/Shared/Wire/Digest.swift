/// A SHA-256 sum (FIPS 180-4): what a version's content is known by.
///
/// Ours, and not swift-crypto's, because that library costs configd more resident memory than the rest of it together
/// (DESIGN, "Memory decides"), and not the kernel's AF_ALG, because a Core makes no system call. It is the plain
/// algorithm of the standard, held to NIST's vectors in the tests; it signs nothing and guards no secret but through
/// `keyed`.
package struct Digest: Hashable, Sendable, Comparable {
    /// The sum's 32 bytes.
    package var bytes: [UInt8]

    /// Takes 32 bytes as they were stored; nil where they are not 32.
    package init?(stored bytes: some Sequence<UInt8>) {
        let taken = Array(bytes)
        guard taken.count == 32 else { return nil }
        self.bytes = taken
    }

    /// Takes 64 hexadecimal digits, as `hexadecimal` writes them; nil where they are not.
    package init?(hexadecimal text: String) {
        let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == 64, text.utf8.count == 64 else { return nil }
        bytes = stride(from: 0, to: 64, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    /// The sum of `content`.
    package init(of content: some Collection<UInt8>) {
        var hash = SHA256()
        hash.update(content)
        self = hash.finish()
    }

    init(words: [UInt32]) {
        bytes = words.flatMap { word in
            [
                UInt8(truncatingIfNeeded: word >> 24), UInt8(truncatingIfNeeded: word >> 16),
                UInt8(truncatingIfNeeded: word >> 8), UInt8(truncatingIfNeeded: word),
            ]
        }
    }

    /// HMAC-SHA-256 (RFC 2104) of `content` under `key`. Readers of a secret file are shown this in place of a value:
    /// equal values look equal, but a guess cannot be tried without the key.
    package static func keyed(_ key: [UInt8], of content: some Collection<UInt8>) -> Digest {
        let blockBytes = 64
        var block = key.count > blockBytes ? Digest(of: key).bytes : key
        block += [UInt8](repeating: 0, count: blockBytes - block.count)
        var inner = SHA256()
        inner.update(block.map { $0 ^ 0x36 })
        inner.update(content)
        var outer = SHA256()
        outer.update(block.map { $0 ^ 0x5C })
        outer.update(inner.finish().bytes)
        return outer.finish()
    }

    /// The sum as 64 hexadecimal digits, as `sha256sum` prints it.
    package var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }

    package static func < (left: Digest, right: Digest) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}

extension Digest: WireValue {
    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        let text = try String(wire: wire, unknown: unknown)
        guard let digest = Digest(hexadecimal: text), digest.hexadecimal == text else {
            throw WireError(place: "", problem: "expected 64 lower-case hexadecimal digits, found \"\(text)\"")
        }
        self = digest
    }

    package func write(to writer: inout JSONWriter) { writer.string(hexadecimal) }
}

/// The running state of one SHA-256 sum.
package struct SHA256: Sendable {
    private var state: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    /// Fewer than 64 bytes that wait for more.
    private var pending: [UInt8] = []
    private var lengthBytes: UInt64 = 0

    package init() {}

    /// Takes more of the content, in any pieces.
    package mutating func update(_ content: some Collection<UInt8>) {
        lengthBytes += UInt64(content.count)
        guard let array = content as? [UInt8] else { return content.forEach { take($0) } }
        var start = 0
        while !pending.isEmpty, start < array.count {
            take(array[start])
            start += 1
        }
        let whole = start + (array.count - start) / 64 * 64
        for block in stride(from: start, to: whole, by: 64) { compress(array, from: block) }
        pending += array[whole...]
    }

    private mutating func take(_ byte: UInt8) {
        pending.append(byte)
        if pending.count == 64 {
            compress(pending, from: 0)
            pending.removeAll(keepingCapacity: true)
        }
    }

    /// The sum of all that was taken; nothing more may be.
    package mutating func finish() -> Digest {
        let lengthBits = lengthBytes &* 8
        take(0x80)
        while pending.count != 56 { take(0) }
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            take(UInt8(truncatingIfNeeded: lengthBits >> shift))
        }
        return Digest(words: state)
    }

    /// FIPS 180-4, section 6.2.2, on the 64 bytes from `start`. The schedule's words are made as they are needed, sixteen at a
    /// time, as section 6.2.3 allows.
    private mutating func compress(_ block: [UInt8], from start: Int) {
        precondition(start >= 0 && start + 64 <= block.count)
        block.withUnsafeBytes { bytes in
            Self.constants.withUnsafeBufferPointer { constants in compress(bytes, from: start, constants) }
        }
    }

    @inline(__always)
    private mutating func compress(
        _ block: UnsafeRawBufferPointer, from start: Int, _ constants: UnsafeBufferPointer<UInt32>
    ) {
        var schedule = InlineArray<16, UInt32> { index in
            UInt32(bigEndian: block.loadUnaligned(fromByteOffset: start + index * 4, as: UInt32.self))
        }
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        for index in 0..<64 {
            if index >= 16 {
                let early = schedule[(index &+ 1) & 15]
                let late = schedule[(index &+ 14) & 15]
                let small = Self.rotate(early, 7) ^ Self.rotate(early, 18) ^ (early >> 3)
                let large = Self.rotate(late, 17) ^ Self.rotate(late, 19) ^ (late >> 10)
                schedule[index & 15] &+= small &+ schedule[(index &+ 9) & 15] &+ large
            }
            let large = Self.rotate(e, 6) ^ Self.rotate(e, 11) ^ Self.rotate(e, 25)
            let choice = (e & f) ^ (~e & g)
            let first = h &+ large &+ choice &+ constants[index] &+ schedule[index & 15]
            let small = Self.rotate(a, 2) ^ Self.rotate(a, 13) ^ Self.rotate(a, 22)
            let majority = (a & b) ^ (a & c) ^ (b & c)
            (h, g, f, e) = (g, f, e, d &+ first)
            (d, c, b, a) = (c, b, a, first &+ small &+ majority)
        }
        state[0] &+= a
        state[1] &+= b
        state[2] &+= c
        state[3] &+= d
        state[4] &+= e
        state[5] &+= f
        state[6] &+= g
        state[7] &+= h
    }

    @inline(__always)
    private static func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 {
        word >> count | word << (32 - count)
    }

    /// The first 32 bits of the fractions of the cube roots of the first 64 primes (FIPS 180-4, section 4.2.2).
    private static let constants: [UInt32] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ]
}
