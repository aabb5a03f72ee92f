import Files
import MetricsCore

/// Reads blocks for one query, on the thread `query`: a commit that hangs on the disk holds up none. It sees the segments that
/// were there when the query was planned; what retention drops meanwhile is passed over.
final class BlockReader {
    private let folder: StoreFolder
    private let segments: [Segment]
    private var files: [Int64: DataFile] = [:]

    init(_ folder: StoreFolder, _ segments: [Segment]) {
        self.folder = folder
        self.segments = segments
    }

    /// One series to read: what the head holds of it was taken on the loop.
    struct Wanted: Sendable {
        var id: SeriesID
        var labels: Labels
        var head: [ChunkView]
    }

    struct Answer: Sendable {
        var page: RangePage
        var damaged: Int
    }

    /// A block of the store and its file.
    struct Block {
        let segment: Int64
        let entry: BlockEntry
    }

    /// Fills a page from the head alone.
    static func readHead(_ plan: RangePlan, _ wanted: [Wanted]) -> Answer {
        var answer = Answer(page: RangePage(plan), damaged: 0)
        for series in wanted {
            var cursor = SampleCursor(series.head)
            guard answer.page.add(series.id, labels: series.labels, cursor: &cursor) else { break }
        }
        return answer
    }

    /// Fills a page from the head and the store.
    func read(_ plan: RangePlan, _ wanted: [Wanted]) throws(FileFailure) -> Answer {
        var answer = Answer(page: RangePage(plan), damaged: 0)
        let blocks = blocks(from: plan.window.oldestMs, to: plan.window.toMs)
        for series in wanted {
            let views = try views(of: [series], in: blocks, damaged: &answer.damaged)
            var cursor = SampleCursor(views[series.id] ?? [])
            guard answer.page.add(series.id, labels: series.labels, cursor: &cursor) else { break }
        }
        return answer
    }

    /// The blocks that reach into a time, both ends included.
    func blocks(from: Int64, to: Int64) -> [Block] {
        segments.flatMap { segment in
            segment.blocks.lazy.filter { $0.reaches(from: from, to: to) }
                .map { Block(segment: segment.number, entry: $0) }
        }
    }

    /// What the head and `blocks` hold of several series. Numbers are given in the order in which series first came, so the
    /// chunks of what belongs together lie side by side.
    func views(
        of batch: [Wanted], in blocks: [Block], damaged: inout Int
    ) throws(FileFailure) -> [SeriesID: [ChunkView]] {
        var views = Dictionary(batch.map { ($0.id, $0.head) }) { first, _ in first }
        let inHead = Dictionary(batch.map { ($0.id, Set($0.head.map(\.block))) }) { first, _ in first }
        let ids = batch.map(\.id).sorted()
        for block in blocks {
            let wanted = ids.filter { id in
                id >= block.entry.firstSeries && id <= block.entry.lastSeries
                    && inHead[id]?.contains(block.entry.number) == false
            }
            guard let first = wanted.first, let last = wanted.last, let file = try file(of: block) else { continue }
            let found = try read(block.entry, first...last, Set(wanted), file, damaged: &damaged)
            for view in found { views[view.chunk.series, default: []].append(view) }
        }
        return views
    }

    /// Nil where retention dropped it.
    private func file(of block: Block) throws(FileFailure) -> DataFile? {
        if let file = files[block.segment] { return file }
        do throws(FileFailure) {
            let file = try DataFile(folder.segment(block.segment), for: .read)
            files[block.segment] = file
            return file
        } catch {
            guard error.isMissing else { throw error }
            return nil
        }
    }

    private func read(
        _ entry: BlockEntry, _ range: ClosedRange<SeriesID>, _ wanted: Set<SeriesID>, _ file: DataFile,
        damaged: inout Int
    ) throws(FileFailure) -> [ChunkView] {
        let tailStart = entry.end - Int(entry.tailLength)
        var tail = BlockLayout.tail(
            try file.read(Int(entry.tailLength), at: tailStart), of: entry, wanted: range)
        let chunks: [Chunk]
        if let places = tail.places {
            chunks = try read(places.filter { wanted.contains($0.series) }, of: entry, file, damaged: &damaged)
        } else {
            let body = try file.read(Int(entry.bodyLength), at: Int(entry.body))
            let found = BlockLayout.search(body, of: entry, wanted: range)
            BlockLayout.takeTimes(body, of: entry, into: &tail.times)
            chunks = found.chunks.filter { wanted.contains($0.series) }
            damaged += found.damaged
        }
        if !tail.times.isWhole, !chunks.isEmpty {
            let head = try file.read(Int(entry.headLength), at: Int(entry.body))
            BlockLayout.takeTimes(head, of: entry, into: &tail.times)
        }
        return chunks.compactMap { chunk in
            if tail.times.isLossy(chunk) { damaged += 1 }
            return tail.times.view(of: chunk, block: entry.number)
        }
    }

    /// Bytes between two chunks that are wanted, up to which both are read at once.
    private static let mostBetween = 4096
    /// Bytes that are read at once.
    private static let mostAtOnce = 1 << 20

    private func read(
        _ places: [ChunkPlace], of entry: BlockEntry, _ file: DataFile, damaged: inout Int
    ) throws(FileFailure) -> [Chunk] {
        var chunks: [Chunk] = []
        var index = 0
        while index < places.count {
            let start = places[index].offset
            var last = index
            while last + 1 < places.count,
                places[last + 1].offset - (places[last].offset + places[last].length) <= Self.mostBetween,
                places[last + 1].offset + places[last + 1].length - start <= Self.mostAtOnce
            {
                last += 1
            }
            let end = places[last].offset + places[last].length
            // An index whose sum holds may still be of a file that was cut: what is missing is damaged.
            let bytes = try file.read(min(end, Int(entry.bodyLength)) - start, at: Int(entry.body) + start)
            for place in places[index...last] {
                if let chunk = BlockLayout.chunk(bytes, at: place, from: start, block: entry.number) {
                    chunks.append(chunk)
                } else {
                    damaged += 1
                }
            }
            index = last + 1
        }
        return chunks
    }
}
