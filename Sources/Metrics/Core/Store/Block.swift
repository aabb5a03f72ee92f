/// The values of one series in one block: `count` values, the first at the block's time number `start`, and one at each time
/// after it. A series that ended holds a stale marker as its last value.
package struct Chunk: Hashable, Sendable {
    package var series: SeriesID
    package var start: Int
    package var count: Int
    package var bits: Bits

    package init(series: SeriesID, start: Int, count: Int, bits: Bits) {
        self.series = series
        self.start = start
        self.count = count
        self.bits = bits
    }
}

/// A block that takes no more values: the times of one collector's rounds, and a chunk for each of its series.
package struct SealedBlock: Hashable, Sendable {
    package var number: Int64
    package var group: String
    package var times: [Int64]
    package var chunks: [Chunk]

    package init(number: Int64, group: String, times: [Int64], chunks: [Chunk]) {
        self.number = number
        self.group = group
        self.times = times
        self.chunks = chunks
    }

    /// What it holds in memory, roughly.
    package var sizeBytes: Int { times.count * 8 + chunks.reduce(0) { $0 + $1.bits.sizeBytes + 48 } }
}

/// How chunks and times lie in the store: a checksum (4 bytes), one byte that names the encoding, counts, bits.
package enum BlockFormat {
    /// Encoding 1: values as `ValueEncoder`, times as `TimeCodec` write them. A later encoding takes the next number.
    private static let encoding: UInt8 = 1
    /// No block is made longer than this; a larger count in a record means damage.
    package static let mostTicks = 65_536

    /// A chunk as the store's record of it.
    package static func bytes(of chunk: Chunk) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(encoding)
        writer.write(varint: UInt64(chunk.start))
        writer.write(varint: UInt64(chunk.count))
        chunk.bits.appendBytes(to: &writer.bytes)
        return Checksum.sealed(writer.bytes)
    }

    /// The chunk in a record of the store; nil if it is damaged or of an encoding that this version does not know.
    package static func chunk(of series: SeriesID, in record: [UInt8]) -> Chunk? {
        guard Checksum.holds(record) else { return nil }
        var reader = ByteReader(record, from: 4)
        guard reader.byte() == encoding, let start = reader.count(limit: mostTicks),
            let count = reader.count(limit: mostTicks)
        else { return nil }
        return Chunk(series: series, start: start, count: count, bits: Bits(bytes: record, from: reader.position))
    }

    /// A block's times as the store's record of them.
    package static func bytes(of times: [Int64]) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(encoding)
        writer.write(varint: UInt64(times.count))
        TimeCodec.encode(times).appendBytes(to: &writer.bytes)
        return Checksum.sealed(writer.bytes)
    }

    /// The times in a record of the store; nil if it is damaged or of an encoding that this version does not know.
    package static func times(in record: [UInt8]) -> [Int64]? {
        guard Checksum.holds(record) else { return nil }
        var reader = ByteReader(record, from: 4)
        guard reader.byte() == encoding, let count = reader.count(limit: mostTicks) else { return nil }
        return TimeCodec.decode(Bits(bytes: record, from: reader.position), count: count)
    }
}
