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
    /// What the chunks' series are called, in the chunks' order: a file names the series of which it holds values.
    package var names: [Labels]

    package init(number: Int64, group: String, times: [Int64], chunks: [Chunk], names: [Labels]) {
        self.number = number
        self.group = group
        self.times = times
        self.chunks = chunks
        self.names = names
    }

    /// What it holds in memory, roughly.
    package var sizeBytes: Int { times.count * 8 + chunks.reduce(0) { $0 + $1.bits.sizeBytes + 48 } }
}

/// How chunks and times lie in a frame: the block's number, one byte that names the encoding (of a chunk), counts, bits.
package enum BlockFormat {
    /// Encoding 1: values as `ValueEncoder` writes them. A later encoding takes the next number.
    private static let encoding: UInt8 = 1
    /// No block is made longer than this; a larger count in a frame means damage.
    package static let mostTicks = 65_536
    /// Times in one frame. Each frame begins anew, so that damage costs a minute of a block at one round a second.
    package static let ticksPerFrame = 60

    /// A chunk as a frame holds it.
    package static func payload(of chunk: Chunk, block: Int64) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(varint: UInt64(block))
        writer.write(varint: UInt64(chunk.series.value))
        writer.write(encoding)
        writer.write(varint: UInt64(chunk.start))
        writer.write(varint: UInt64(chunk.count))
        chunk.bits.appendBytes(to: &writer.bytes)
        return writer.bytes
    }

    /// The chunk in a frame; nil if it makes no sense or is of an encoding that this version does not know.
    package static func chunk(_ payload: [UInt8]) -> (block: Int64, chunk: Chunk)? {
        var reader = ByteReader(payload)
        guard let (block, series) = blockAndSeries(&reader), reader.byte() == encoding,
            let start = reader.count(limit: mostTicks), let count = reader.count(limit: mostTicks)
        else { return nil }
        let bits = Bits(bytes: payload, from: reader.position)
        return (block, Chunk(series: series, start: start, count: count, bits: bits))
    }

    private static func blockAndSeries(_ reader: inout ByteReader) -> (Int64, SeriesID)? {
        guard let block = reader.varint().flatMap({ Int64(exactly: $0) }),
            let series = reader.varint().flatMap({ UInt32(exactly: $0) })
        else { return nil }
        return (block, SeriesID(series))
    }

    /// A block's times from number `first` on, as a frame holds them.
    package static func payload(of times: ArraySlice<Int64>, first: Int, block: Int64) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(varint: UInt64(block))
        writer.write(varint: UInt64(first))
        writer.write(varint: UInt64(times.count))
        TimeCodec.encode(Array(times)).appendBytes(to: &writer.bytes)
        return writer.bytes
    }

    /// The times in a frame; nil if they make no sense.
    package static func times(_ payload: [UInt8]) -> (block: Int64, first: Int, times: [Int64])? {
        var reader = ByteReader(payload)
        guard let block = reader.varint().flatMap({ Int64(exactly: $0) }), let first = reader.count(limit: mostTicks),
            let count = reader.count(limit: mostTicks),
            let times = TimeCodec.decode(Bits(bytes: payload, from: reader.position), count: count)
        else { return nil }
        return (block, first, times)
    }
}

/// The times of a block as they were read: some may be lost.
package struct BlockTimes: Hashable, Sendable {
    private var times: [Int64]
    private var isKnown: [Bool]
    private var unknown: Int

    package init(count: Int) {
        times = [Int64](repeating: 0, count: count)
        isKnown = [Bool](repeating: false, count: count)
        unknown = count
    }

    package var isWhole: Bool { unknown == 0 }

    /// What a frame held.
    package mutating func take(_ piece: [Int64], first: Int) {
        for (offset, time) in piece.enumerated() where first + offset < times.count && !isKnown[first + offset] {
            times[first + offset] = time
            isKnown[first + offset] = true
            unknown -= 1
        }
    }

    /// A chunk's values at their times; those whose time is lost are left out. Nil where nothing is left.
    package func view(of chunk: Chunk, block: Int64) -> ChunkView? {
        guard chunk.count > 0, chunk.start + chunk.count <= times.count else { return nil }
        guard !isWhole else { return ChunkView(block: block, times: times, chunk: chunk) }
        var (kept, encoder) = ([Int64](), ValueEncoder())
        var decoder = ValueDecoder(bits: chunk.bits, count: chunk.count)
        var tick = chunk.start
        while let pattern = decoder.next() {
            if isKnown[tick] {
                kept.append(times[tick])
                encoder.append(pattern)
            }
            tick += 1
        }
        guard !kept.isEmpty else { return nil }
        return ChunkView(
            block: block, times: kept,
            chunk: Chunk(series: chunk.series, start: 0, count: kept.count, bits: encoder.bits))
    }

    /// Whether a chunk has values whose time is lost.
    package func isLossy(_ chunk: Chunk) -> Bool {
        !isWhole && isKnown[min(chunk.start, times.count)..<min(chunk.start + chunk.count, times.count)].contains(false)
    }
}
