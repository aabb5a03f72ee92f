/// What a segment of the store holds, found by looking through all of it.
package struct SegmentContent: Sendable {
    package private(set) var blocks: [BlockEntry] = []
    package private(set) var series: [NewSeries] = []
    /// Frames that are damaged, what follows the last whole one apart.
    package private(set) var damaged = 0
    /// Where the last whole frame ends.
    package private(set) var end = 0
    /// Whether the last block's end was found.
    package private(set) var isLastComplete = true
    private var lastStart = 0

    /// A block as its frames come by.
    private struct Run {
        var entry: BlockEntry
        /// Where its first frame begins.
        var start: Int
        var isAnnounced: Bool
        var isComplete = false
        var end: Int
        private var chunks: UInt32 = 0
        private var ticks = 0
        private var times: ClosedRange<Int64>?
        private var series: ClosedRange<SeriesID>?

        init(_ entry: BlockEntry, start: Int, isAnnounced: Bool, end: Int) {
            self.entry = entry
            self.start = start
            self.isAnnounced = isAnnounced
            self.end = end
        }

        mutating func note(_ kind: FrameKind, _ payload: [UInt8]) {
            switch kind {
            case .times:
                guard let (_, first, piece) = BlockFormat.times(payload), let from = piece.min(), let to = piece.max()
                else { return }
                ticks = max(ticks, first + piece.count)
                times = min(times?.lowerBound ?? from, from)...max(times?.upperBound ?? to, to)
            case .chunk:
                guard let (_, chunk) = BlockFormat.chunk(payload) else { return }
                chunks += 1
                ticks = max(ticks, chunk.start + chunk.count)
                let id = chunk.series
                series = min(series?.lowerBound ?? id, id)...max(series?.upperBound ?? id, id)
            case .end: isComplete = true
            case .series, .ticks, .block, .index, .entry, .whole, .completed: break
            }
        }

        /// Nil where too little of it is left to be found again.
        var finished: BlockEntry? {
            var entry = entry
            if !isAnnounced || !isComplete {
                // Its parts are not where the first frame says, or nothing says where they are.
                entry.tailLength = 0
                entry.headLength = 0
                entry.bodyLength = UInt32(clamping: end - Int(entry.body))
            }
            guard !isAnnounced else { return entry }
            guard let times, let series else { return nil }
            (entry.fromMs, entry.toMs) = (times.lowerBound, times.upperBound)
            (entry.firstSeries, entry.lastSeries) = (series.lowerBound, series.upperBound)
            entry.ticks = UInt32(clamping: min(ticks, BlockFormat.mostTicks))
            entry.chunks = chunks
            return entry
        }
    }

    private var run: Run?

    package init(_ bytes: [UInt8]) {
        var scanner = FrameScanner(bytes)
        while let (frame, payload) = scanner.next() {
            take(frame, payload)
            end = frame.end
        }
        isLastComplete = run?.isComplete ?? true
        finish()
        damaged = scanner.damaged
    }

    private mutating func take(_ frame: Frame, _ payload: [UInt8]) {
        switch frame.kind {
        case .block:
            finish()
            guard let entry = BlockEntry(block: payload, body: frame.end) else { return }
            run = Run(entry, start: frame.offset, isAnnounced: true, end: frame.end)
        case .series:
            if let (id, labels) = SeriesFrame.read(payload) { series.append(NewSeries(id: id, labels: labels)) }
            run?.end = frame.end
        case .times, .chunk, .index, .end:
            guard let number = BlockLayout.block(payload) else { return }
            if run?.entry.number != number { begin(number, at: frame.offset) }
            run?.end = frame.end
            run?.note(frame.kind, payload)
        case .ticks, .entry, .whole, .completed: break
        }
    }

    /// A block whose first frame is damaged begins with what is left of it.
    private mutating func begin(_ number: Int64, at offset: Int) {
        finish()
        let entry = BlockEntry(
            number: number, fromMs: 0, toMs: 0, firstSeries: SeriesID(0), lastSeries: SeriesID(0), ticks: 0, chunks: 0,
            body: UInt32(clamping: offset), bodyLength: 0, headLength: 0, tailLength: 0)
        run = Run(entry, start: offset, isAnnounced: false, end: offset)
    }

    private mutating func finish() {
        defer { run = nil }
        guard let run, let entry = run.finished else { return }
        blocks.append(entry)
        lastStart = run.start
    }

    /// Takes the last block for not written: a power cut came into it, and the log still has what it holds.
    package mutating func dropLast() {
        guard blocks.popLast() != nil else { return }
        end = lastStart
    }
}

/// What a start has to know of a segment that takes no more blocks, beside it in a file of its own, so that the segment itself
/// need not be read. Where it is damaged or missing it is made anew from the segment.
package enum SegmentSummary {
    /// The summary's file.
    package static func bytes(_ blocks: [BlockEntry], _ series: [NewSeries], segmentSize: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for one in series { Frame.append(.series, SeriesFrame.payload(one.id, one.labels), to: &bytes) }
        for block in blocks { Frame.append(.entry, block.summaryPayload, to: &bytes) }
        var writer = ByteWriter()
        writer.write(varint: UInt64(segmentSize))
        writer.write(varint: UInt64(blocks.count + series.count))
        Frame.append(.whole, writer.bytes, to: &bytes)
        return bytes
    }

    /// Nil where it is damaged, cut, or of a segment of another size.
    package static func read(_ bytes: [UInt8], segmentSize: Int) -> (blocks: [BlockEntry], series: [NewSeries])? {
        var scanner = FrameScanner(bytes)
        var (blocks, series, isWhole) = ([BlockEntry](), [NewSeries](), false)
        while let (frame, payload) = scanner.next() {
            switch frame.kind {
            case .series:
                guard let (id, labels) = SeriesFrame.read(payload) else { return nil }
                series.append(NewSeries(id: id, labels: labels))
            case .entry:
                guard let entry = BlockEntry(summary: payload), entry.end <= segmentSize else { return nil }
                blocks.append(entry)
            case .whole:
                var reader = ByteReader(payload)
                isWhole =
                    reader.varint() == UInt64(segmentSize) && reader.varint() == UInt64(blocks.count + series.count)
            case .ticks, .block, .times, .chunk, .index, .end, .completed: return nil
            }
        }
        return isWhole && scanner.damaged + scanner.damagedAtEnd == 0 ? (blocks, series) : nil
    }
}
