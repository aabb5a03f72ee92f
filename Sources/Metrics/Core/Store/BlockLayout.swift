/// Where a complete block lies in a segment, and what may be looked for in it.
package struct BlockEntry: Hashable, Sendable {
    package var number: Int64
    package var fromMs: Int64
    package var toMs: Int64
    package var firstSeries: SeriesID
    package var lastSeries: SeriesID
    package var ticks: UInt32
    package var chunks: UInt32
    /// Where its body begins in the file: after the frame that announces it.
    package var body: UInt32
    package var bodyLength: UInt32
    /// The body's first part: times and the names of series that the segment had not named before.
    package var headLength: UInt32
    /// The body's last part: times once more, the index, the end. Zero where damage took the frame that announces the block: then
    /// the whole body is looked through.
    package var tailLength: UInt32
    /// Its values were measured elsewhere.
    package var isImported = false

    /// Where the next block begins.
    package var end: Int { Int(body) + Int(bodyLength) }

    /// Whether it reaches into a time, both ends included.
    package func reaches(from: Int64, to: Int64) -> Bool { toMs >= from && fromMs <= to }
}

extension BlockEntry {
    /// What a summary says of it. Nobody asks a summary for the group of what was measured here.
    package var summaryPayload: [UInt8] {
        var writer = ByteWriter()
        writer.write(varint: UInt64(body))
        writer.bytes += payload(group: isImported ? Head.importGroup : "")
        return writer.bytes
    }

    /// What the frame that announces the block says.
    func payload(group: String) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(varint: UInt64(number))
        writer.write(text: group)
        writer.write(signed: fromMs)
        writer.write(signed: toMs)
        for part in [ticks, chunks, firstSeries.value, lastSeries.value, bodyLength, headLength, tailLength] {
            writer.write(varint: UInt64(part))
        }
        return writer.bytes
    }

    /// The entry in a summary.
    package init?(summary payload: [UInt8]) {
        var reader = ByteReader(payload)
        guard let body = reader.varint().flatMap({ UInt32(exactly: $0) }) else { return nil }
        self.init(&reader, body: body)
    }

    /// The entry in the frame that announces a block, whose body begins at `body`.
    init?(block payload: [UInt8], body: Int) {
        var reader = ByteReader(payload)
        guard let body = UInt32(exactly: body) else { return nil }
        self.init(&reader, body: body)
    }

    private init?(_ reader: inout ByteReader, body: UInt32) {
        guard let number = reader.varint().flatMap({ Int64(exactly: $0) }), let group = reader.text(limit: 4096),
            let fromMs = reader.signed(), let toMs = reader.signed()
        else { return nil }
        var parts: [UInt32] = []
        for _ in 0..<7 {
            guard let part = reader.varint().flatMap({ UInt32(exactly: $0) }) else { return nil }
            parts.append(part)
        }
        guard parts[0] <= UInt32(BlockFormat.mostTicks), parts[5] <= parts[4], parts[6] <= parts[4] else { return nil }
        self.init(
            number: number, fromMs: fromMs, toMs: toMs, firstSeries: SeriesID(parts[2]), lastSeries: SeriesID(parts[3]),
            ticks: parts[0], chunks: parts[1], body: body, bodyLength: parts[4], headLength: parts[5],
            tailLength: parts[6], isImported: group == Head.importGroup)
    }
}

/// A chunk's frame within a block's body.
package struct ChunkPlace: Hashable, Sendable {
    package var series: SeriesID
    /// From the body's start to the frame's header.
    package var offset: Int
    /// The frame's length with its header.
    package var length: Int
}

/// Lays a block out as frames, and reads it again:
///
///     block | times, names | chunks by series number | times, index, end
///
/// Times stand twice, so that one damaged place cannot take a block's; the index says where each chunk lies, and where it is
/// damaged itself the chunks' own frames say it.
package enum BlockLayout {
    /// Chunks in one frame of the index.
    private static let chunksPerFrame = 512

    /// The bytes of a block and its entry, whose `body` counts from the first byte.
    /// - Parameter isNamed: whether the segment names a series already.
    package static func bytes(
        of block: SealedBlock, isNamed: (SeriesID) -> Bool
    ) -> (bytes: [UInt8], entry: BlockEntry, named: [NewSeries]) {
        let order = block.chunks.indices.sorted { block.chunks[$0].series < block.chunks[$1].series }
        var body: [UInt8] = []
        appendTimes(of: block, to: &body)
        var named: [NewSeries] = []
        for index in order where !isNamed(block.chunks[index].series) {
            let series = NewSeries(id: block.chunks[index].series, labels: block.names[index])
            named.append(series)
            Frame.append(.series, SeriesFrame.payload(series.id, series.labels), to: &body)
        }
        let head = body.count
        var places: [ChunkPlace] = []
        for index in order {
            let offset = body.count
            let chunk = block.chunks[index]
            Frame.append(.chunk, BlockFormat.payload(of: chunk, block: block.number), to: &body)
            places.append(ChunkPlace(series: chunk.series, offset: offset, length: body.count - offset))
        }
        let tail = body.count
        appendTimes(of: block, to: &body)
        for start in stride(from: 0, to: places.count, by: chunksPerFrame) {
            let page = places[start..<min(start + chunksPerFrame, places.count)]
            Frame.append(.index, indexPayload(page, block: block.number), to: &body)
        }
        Frame.append(.end, endPayload(block.number, chunks: places.count), to: &body)
        var entry = BlockEntry(
            number: block.number, fromMs: block.times.min() ?? 0, toMs: block.times.max() ?? 0,
            firstSeries: places.first?.series ?? SeriesID(0), lastSeries: places.last?.series ?? SeriesID(0),
            ticks: UInt32(block.times.count), chunks: UInt32(places.count), body: 0, bodyLength: UInt32(body.count),
            headLength: UInt32(head), tailLength: UInt32(body.count - tail), isImported: block.group == Head.importGroup
        )
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.count + 128)
        Frame.append(.block, entry.payload(group: block.group), to: &bytes)
        entry.body = UInt32(bytes.count)
        bytes += body
        return (bytes, entry, named)
    }

    private static func appendTimes(of block: SealedBlock, to bytes: inout [UInt8]) {
        for first in stride(from: 0, to: block.times.count, by: BlockFormat.ticksPerFrame) {
            let piece = block.times[first..<min(first + BlockFormat.ticksPerFrame, block.times.count)]
            Frame.append(.times, BlockFormat.payload(of: piece, first: first, block: block.number), to: &bytes)
        }
    }

    private static func indexPayload(_ places: ArraySlice<ChunkPlace>, block: Int64) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(varint: UInt64(block))
        writer.write(varint: UInt64(places.first?.offset ?? 0))
        writer.write(varint: UInt64(places.count))
        var previous: UInt32 = 0
        for place in places {
            writer.write(varint: UInt64(place.series.value - previous))
            writer.write(varint: UInt64(place.length))
            previous = place.series.value
        }
        return writer.bytes
    }

    private static func endPayload(_ block: Int64, chunks: Int) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(varint: UInt64(block))
        writer.write(varint: UInt64(chunks))
        return writer.bytes
    }

    /// The block that a frame of its body belongs to.
    static func block(_ payload: [UInt8]) -> Int64? {
        var reader = ByteReader(payload)
        return reader.varint().flatMap { Int64(exactly: $0) }
    }

    private static func places(_ payload: [UInt8]) -> [ChunkPlace]? {
        var reader = ByteReader(payload)
        guard reader.varint() != nil, var offset = reader.count(limit: Int(UInt32.max)),
            let count = reader.count(limit: chunksPerFrame)
        else { return nil }
        var places: [ChunkPlace] = []
        places.reserveCapacity(count)
        var previous: UInt32 = 0
        for _ in 0..<count {
            guard let step = reader.varint().flatMap({ UInt32(exactly: $0) }),
                let length = reader.count(limit: Int(UInt32.max))
            else { return nil }
            previous = previous &+ step
            places.append(ChunkPlace(series: SeriesID(previous), offset: offset, length: length))
            offset += length
        }
        return places
    }

    /// What a block's tail says.
    package struct Tail: Sendable {
        package var times: BlockTimes
        /// Where the chunks that were wanted lie; nil where the index is damaged.
        package var places: [ChunkPlace]?
    }

    /// Reads a block's tail. Frames of the index that hold none of what is wanted are passed over.
    package static func tail(_ bytes: [UInt8], of entry: BlockEntry, wanted: ClosedRange<SeriesID>) -> Tail {
        var tail = Tail(times: BlockTimes(count: Int(entry.ticks)), places: [])
        var scanner = FrameScanner(bytes)
        var isComplete = false
        var listed = 0
        while let (frame, payload) = scanner.next() {
            switch frame.kind {
            case .times:
                if let (block, first, times) = BlockFormat.times(payload), block == entry.number {
                    tail.times.take(times, first: first)
                }
            case .index:
                guard let places = places(payload) else { break }
                listed += places.count
                tail.places? += places.filter { wanted.contains($0.series) }
            case .end: isComplete = true
            case .series, .ticks, .block, .chunk, .entry, .whole, .completed: break
            }
        }
        if !isComplete || listed != Int(entry.chunks) { tail.places = nil }
        return tail
    }

    /// The times in any part of a block.
    package static func takeTimes(_ bytes: [UInt8], of entry: BlockEntry, into times: inout BlockTimes) {
        var scanner = FrameScanner(bytes)
        while let (frame, payload) = scanner.next() {
            guard frame.kind == .times, let (block, first, piece) = BlockFormat.times(payload), block == entry.number
            else { continue }
            times.take(piece, first: first)
        }
    }

    /// Finds chunks without an index. Damaged ones are not found, and are counted: which series they are of is not known.
    package static func search(
        _ body: [UInt8], of entry: BlockEntry, wanted: ClosedRange<SeriesID>
    ) -> (chunks: [Chunk], damaged: Int) {
        var scanner = FrameScanner(body)
        var chunks: [Chunk] = []
        while let (frame, payload) = scanner.next() {
            guard frame.kind == .chunk, let (block, chunk) = BlockFormat.chunk(payload), block == entry.number,
                wanted.contains(chunk.series)
            else { continue }
            chunks.append(chunk)
        }
        return (chunks, scanner.damaged + scanner.damagedAtEnd)
    }

    /// The chunk in the bytes that its place named; nil if it is damaged.
    package static func chunk(_ bytes: [UInt8], at place: ChunkPlace, from start: Int, block: Int64) -> Chunk? {
        guard let frame = Frame(in: bytes, at: place.offset - start), frame.kind == .chunk,
            let payload = frame.payload(in: bytes), let (number, chunk) = BlockFormat.chunk(payload), number == block,
            chunk.series == place.series
        else { return nil }
        return chunk
    }
}
