/// Appends the little that the store's records need to a byte array: LEB128 integers, zigzag for signed ones, strings by length.
package struct ByteWriter: Hashable, Sendable {
    package var bytes: [UInt8] = []

    package init() {}

    package mutating func write(_ byte: UInt8) { bytes.append(byte) }

    package mutating func write(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    package mutating func write(signed value: Int64) {
        write(varint: UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    package mutating func write(text: String) {
        write(varint: UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }
}

/// Reads what `ByteWriter` wrote. Every read says nil where bytes are missing or make no sense: they come from disk.
package struct ByteReader: Sendable {
    private let bytes: [UInt8]
    package private(set) var position: Int

    package init(_ bytes: [UInt8], from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    package var isAtEnd: Bool { position >= bytes.count }

    /// The next byte; nil at the end.
    package mutating func byte() -> UInt8? {
        guard position < bytes.count else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    /// The next LEB128 integer; nil where it is cut or longer than 64 bits.
    package mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = byte() {
            guard shift < 64 else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }

    /// An integer that counts something in memory: at most `limit`.
    package mutating func count(limit: Int) -> Int? {
        guard let value = varint(), value <= UInt64(limit) else { return nil }
        return Int(value)
    }

    /// The next zigzag integer; nil where it is cut.
    package mutating func signed() -> Int64? {
        guard let value = varint() else { return nil }
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// The next text of at most `limit` bytes; nil where it is cut, longer, or not UTF-8.
    package mutating func text(limit: Int) -> String? {
        guard let length = count(limit: limit), position + length <= bytes.count else { return nil }
        defer { position += length }
        return String(validating: bytes[position..<position + length], as: UTF8.self)
    }
}

/// CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected 0x82F63B78), the checksum of iSCSI (RFC 3720) and of Prometheus's own
/// files: each of the store's records carries one.
package enum Checksum {
    /// Eight tables of 256: the first is the one of the definition, and each next one is the one before shifted on by a byte, so
    /// that eight bytes are taken at once (Kounavis and Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC
    /// Generation", IEEE Transactions on Computers 57, 2008).
    private static let tables: [UInt32] = {
        var tables: [UInt32] = (0..<256).map { index in
            var value = UInt32(index)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
            return value
        }
        for index in 256..<2048 {
            let before = tables[index - 256]
            tables.append(before >> 8 ^ tables[Int(before & 0xff)])
        }
        return tables
    }()

    /// The checksum of `bytes` from `start` on.
    package static func of(_ bytes: [UInt8], from start: Int = 0) -> UInt32 {
        of(bytes, in: start..<max(start, bytes.count))
    }

    /// The checksum of some of `bytes`.
    package static func of(_ bytes: [UInt8], in range: Range<Int>) -> UInt32 {
        let part = bytes[range]
        return tables.withUnsafeBufferPointer { tables in
            part.withUnsafeBytes { part in
                var value = ~UInt32(0)
                var at = 0
                while at + 8 <= part.count {
                    let next = UInt64(littleEndian: part.loadUnaligned(fromByteOffset: at, as: UInt64.self))
                    let word = next ^ UInt64(value)
                    value = 0
                    for byte in 0..<8 {
                        value ^= tables[(7 - byte) << 8 | Int(word >> UInt64(byte * 8) & 0xff)]
                    }
                    at += 8
                }
                while at < part.count {
                    value = tables[Int((value ^ UInt32(part[at])) & 0xff)] ^ value >> 8
                    at += 1
                }
                return ~value
            }
        }
    }

    /// `bytes` with their checksum before them (4 bytes, big-endian): how a record lies in the store.
    package static func sealed(_ bytes: [UInt8]) -> [UInt8] {
        let sum = of(bytes)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + 4)
        for shift in [24, 16, 8, 0] as [UInt32] { result.append(UInt8(truncatingIfNeeded: sum >> shift)) }
        result.append(contentsOf: bytes)
        return result
    }

    /// Whether `record` is what `sealed` made; its content starts at byte 4.
    package static func holds(_ record: [UInt8]) -> Bool {
        guard record.count >= 4 else { return false }
        var stored: UInt32 = 0
        for index in 0..<4 { stored = stored << 8 | UInt32(record[index]) }
        return stored == of(record, from: 4)
    }
}
