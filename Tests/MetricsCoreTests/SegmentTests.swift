import MetricsCore
import Testing
import Time

/// Files of the store in memory: what is laid out is found again, and damage costs what it touches.
@Suite struct SegmentTests {
    /// Blocks of a few series, with values that say where they are from.
    private static func blocks(_ count: Int, ticks: Int = 150, series: Int = 5) -> [SealedBlock] {
        (1...count).map { number in
            let times = (0..<ticks).map { Int64(number * 1_000_000 + $0 * 1000 + $0 % 7) }
            var block = SealedBlock(number: Int64(number), group: "system", times: times, chunks: [], names: [])
            // From the last to the first: a segment holds them in the order of their numbers.
            for id in (1...series).reversed() {
                var encoder = ValueEncoder()
                for tick in 0..<ticks { encoder.append(Double(number * 1000 + id * 100 + tick).bitPattern) }
                block.chunks.append(
                    Chunk(series: SeriesID(UInt32(id)), start: 0, count: ticks, bits: encoder.bits))
                block.names.append(Labels("m", [Label("id", "\(id)")]))
            }
            return block
        }
    }

    private static func segment(_ blocks: [SealedBlock]) -> [UInt8] {
        var bytes: [UInt8] = []
        var named: Set<SeriesID> = []
        for block in blocks {
            let laid = BlockLayout.bytes(of: block) { named.contains($0) }
            named.formUnion(laid.named.map(\.id))
            bytes += laid.bytes
        }
        return bytes
    }

    /// The samples of a series, as a reader finds them.
    private static func samples(_ id: UInt32, in bytes: [UInt8], _ entries: [BlockEntry]) -> [Int64: Double] {
        var found: [Int64: Double] = [:]
        let wanted = SeriesID(id)...SeriesID(id)
        for entry in entries {
            let body = Array(bytes[Int(entry.body)..<min(entry.end, bytes.count)])
            var tail = BlockLayout.tail(
                Array(body.suffix(Int(entry.tailLength))), of: entry, wanted: wanted)
            var chunks: [Chunk] = []
            if let places = tail.places {
                chunks = places.compactMap { BlockLayout.chunk(body, at: $0, from: 0, block: entry.number) }
            } else {
                chunks = BlockLayout.search(body, of: entry, wanted: wanted).chunks
            }
            BlockLayout.takeTimes(body, of: entry, into: &tail.times)
            let views = chunks.compactMap { tail.times.view(of: $0, block: entry.number) }
            var cursor = SampleCursor(views)
            while let sample = cursor.next() { found[sample.timeMs] = Double(bitPattern: sample.pattern) }
        }
        return found
    }

    private static func all(_ id: Int, of blocks: [SealedBlock]) -> [Int64: Double] {
        var found: [Int64: Double] = [:]
        for block in blocks {
            for (tick, time) in block.times.enumerated() {
                found[time] = Double(Int(block.number) * 1000 + id * 100 + tick)
            }
        }
        return found
    }

    /// The frames of a segment that nothing has happened to.
    private static func frames(_ bytes: [UInt8]) -> [Frame] {
        var scanner = FrameScanner(bytes)
        var frames: [Frame] = []
        while let (frame, _) = scanner.next() { frames.append(frame) }
        return frames
    }

    @Test("A segment gives back its blocks, names and samples, with and without its summary")
    func whole() throws {
        let blocks = Self.blocks(3)
        let bytes = Self.segment(blocks)
        let content = SegmentContent(bytes)
        #expect(content.damaged == 0)
        #expect(content.isLastComplete)
        #expect(content.end == bytes.count)
        #expect(content.blocks.map(\.number) == [1, 2, 3])
        #expect(content.series.map(\.id.value) == [1, 2, 3, 4, 5], "each is named once")
        for id in 1...5 {
            #expect(Self.samples(UInt32(id), in: bytes, content.blocks) == Self.all(id, of: blocks))
        }
        let summary = SegmentSummary.bytes(content.blocks, content.series, segmentSize: bytes.count)
        let read = try #require(SegmentSummary.read(summary, segmentSize: bytes.count))
        #expect(read.blocks == content.blocks)
        #expect(read.series == content.series)
        #expect(SegmentSummary.read(summary, segmentSize: bytes.count - 1) == nil)
    }

    @Test("A summary with a flipped byte, or cut anywhere, is no summary")
    func damagedSummary() {
        let bytes = Self.segment(Self.blocks(2))
        let content = SegmentContent(bytes)
        let summary = SegmentSummary.bytes(content.blocks, content.series, segmentSize: bytes.count)
        for index in summary.indices {
            var bad = summary
            bad[index] ^= 1 << UInt8(index % 8)
            #expect(SegmentSummary.read(bad, segmentSize: bytes.count) == nil, "byte \(index)")
            #expect(SegmentSummary.read(Array(summary[..<index]), segmentSize: bytes.count) == nil)
        }
    }

    @Test("A flipped byte anywhere in a segment costs one chunk, and what tells of chunks costs none")
    func everyByte() {
        let blocks = Self.blocks(3, ticks: 70, series: 3)
        let bytes = Self.segment(blocks)
        let frames = Self.frames(bytes)
        let all = (1...3).map { Self.all($0, of: blocks) }
        for index in stride(from: 0, to: bytes.count, by: 3) {
            var bad = bytes
            bad[index] ^= 0x55
            let content = SegmentContent(bad)
            let hit = frames.last { $0.offset <= index }?.kind
            var lost = 0
            for id in 1...3 {
                let found = Self.samples(UInt32(id), in: bad, content.blocks)
                if found != all[id - 1] {
                    lost += 1
                    #expect(all[id - 1].merging(found) { _, new in new } == all[id - 1], "nothing is invented")
                    #expect(all[id - 1].count - found.count == 70, "byte \(index)")
                }
            }
            #expect(lost == (hit == .chunk ? 1 : 0), "byte \(index), \(hit.map { "\($0)" } ?? "none")")
        }
    }

    @Test("Whatever is damaged, and however much, what is untouched is read", arguments: 0..<40 as Range<UInt64>)
    func damage(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let blocks = Self.blocks(6, ticks: 200, series: 8)
        let bytes = Self.segment(blocks)
        let frames = Self.frames(bytes)
        var bad = bytes
        var touched: Set<Int> = []
        // From one byte to one in fifty, single or in runs.
        let run = [1, 1, 64, 512][Int(seed % 4)]
        for _ in 0..<max(1, bytes.count * Int(seed % 10 + 1) / 500 / run) {
            let start = Int(random.next() % UInt64(bytes.count))
            for index in start..<min(start + run, bytes.count) where touched.insert(index).inserted {
                bad[index] = run == 512 ? 0 : bad[index] ^ UInt8(random.next() % 255 + 1)
            }
        }
        // A zero that was one before is no damage.
        func isWhole(_ frame: Frame) -> Bool { bad[frame.offset..<frame.end] == bytes[frame.offset..<frame.end] }
        let content = SegmentContent(bad)
        var expected = [[Int64: Double]](repeating: [:], count: 9)
        for block in blocks {
            var times = BlockTimes(count: block.times.count)
            for frame in frames where frame.kind == .times && isWhole(frame) {
                guard let payload = frame.payload(in: bytes), let (number, first, piece) = BlockFormat.times(payload),
                    number == block.number
                else { continue }
                times.take(piece, first: first)
            }
            for frame in frames where frame.kind == .chunk && isWhole(frame) {
                guard let payload = frame.payload(in: bytes), let (number, chunk) = BlockFormat.chunk(payload),
                    number == block.number, let view = times.view(of: chunk, block: number)
                else { continue }
                var cursor = SampleCursor([view])
                while let sample = cursor.next() {
                    expected[Int(chunk.series.value)][sample.timeMs] = Double(bitPattern: sample.pattern)
                }
            }
        }
        for id in 1...8 { #expect(Self.samples(UInt32(id), in: bad, content.blocks) == expected[id]) }
        let names = frames.filter { $0.kind == .series && isWhole($0) }.count
        #expect(content.series.count == names)
    }

    @Test("A block that a power cut came into is not there once the log has what it holds")
    func torn() {
        let blocks = Self.blocks(2)
        let bytes = Self.segment(blocks)
        let first = SegmentContent(Self.segment(Array(blocks[..<1])))
        for length in stride(from: first.end + 1, to: bytes.count, by: 7) {
            var content = SegmentContent(Array(bytes[..<length]))
            if content.blocks.count == 2 {
                #expect(!content.isLastComplete)
                content.dropLast()
            }
            #expect(content.blocks == first.blocks)
            #expect(content.end == first.end)
        }
    }

    @Test("Reserved zeros are no damage, zeros within a frame are")
    func zeros() {
        var bytes: [UInt8] = []
        Frame.append(.end, [1, 2, 0, 0], to: &bytes)
        Frame.append(.end, [0, 0], to: &bytes)
        let end = bytes.count
        bytes += [UInt8](repeating: 0, count: 1000)
        var scanner = FrameScanner(bytes)
        #expect(scanner.next()?.payload == [1, 2, 0, 0])
        #expect(scanner.next()?.frame.end == end)
        #expect(scanner.next() == nil)
        #expect(scanner.damaged + scanner.damagedAtEnd == 0)
        bytes[1] = 0
        scanner = FrameScanner(bytes)
        #expect(scanner.next()?.payload == [0, 0])
        #expect(scanner.damaged == 1)
        bytes[end - 1] = 9
        scanner = FrameScanner(bytes)
        #expect(scanner.next() == nil)
        #expect(scanner.damaged == 0)
        #expect(scanner.damagedAtEnd > 0, "nothing whole comes after it")
    }

    @Test("A series' name and a record of the log come back from their frames")
    func payloads() throws {
        let labels = Labels("a_b", [Label("x", "with \"quotes\", a \\ and a\nline"), Label("y", "é e\u{301}")])
        let named = SeriesFrame.read(SeriesFrame.payload(SeriesID(70_000), labels))
        #expect(named?.id == SeriesID(70_000))
        #expect(named?.labels == labels)
        let record = Batch.Record(block: 1 << 40, bytes: [1, 2, 3])
        #expect(TicksFrame.read(TicksFrame.payload(record)) == record)
        #expect(TicksFrame.read([]) == nil)
        #expect(SeriesFrame.read([1, 5, 0x61]) == nil)
    }
}
