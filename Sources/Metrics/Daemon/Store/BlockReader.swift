import MetricsCore
import Store

/// Reads blocks for queries, on a connection and a thread of its own: a commit that hangs on the disk holds up no query.
final class BlockReader {
    private let store: Store
    private let findBlocks: Statement
    private let findChunk: Statement
    private let findChunks: Statement

    init(path: String) throws(StoreError) {
        var options = StoreOptions()
        options.cacheKiB = 512
        store = try Store(path: path, options: options)
        findBlocks = try store.prepare(
            "SELECT number, times FROM block WHERE toMs >= ? AND fromMs <= ? ORDER BY number")
        findChunk = try store.prepare("SELECT samples FROM chunk WHERE id = ?")
        findChunks = try store.prepare("SELECT id, samples FROM chunk WHERE id BETWEEN ? AND ?")
    }

    /// Gives back the pages that queries have read: of blocks that the next queries will hardly ask for again.
    func giveBackMemory() { store.releaseMemory() }

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

    /// A block of the store. Its times are decoded when the first series needs them.
    final class Block {
        let number: Int64
        private let record: [UInt8]
        private(set) lazy var times = BlockFormat.times(in: record)

        fileprivate init(number: Int64, record: [UInt8]) {
            self.number = number
            self.record = record
        }
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
    func read(_ plan: RangePlan, _ wanted: [Wanted]) throws(StoreError) -> Answer {
        var answer = Answer(page: RangePage(plan), damaged: 0)
        let blocks = try blocks(from: plan.window.oldestMs, to: plan.window.toMs)
        for series in wanted {
            var cursor = SampleCursor(try views(of: series, in: blocks, damaged: &answer.damaged))
            guard answer.page.add(series.id, labels: series.labels, cursor: &cursor) else { break }
        }
        return answer
    }

    /// The blocks that reach into a time, both ends included.
    func blocks(from: Int64, to: Int64) throws(StoreError) -> [Block] {
        var found: [Block] = []
        findBlocks.bind(from, at: 1)
        findBlocks.bind(to, at: 2)
        try findBlocks.rows { row in found.append(Block(number: row.integer(0), record: row.bytes(1))) }
        return found
    }

    /// What the head and `blocks` hold of a series.
    func views(of series: Wanted, in blocks: [Block], damaged: inout Int) throws(StoreError) -> [ChunkView] {
        try views(of: [series], in: blocks, damaged: &damaged)[series.id] ?? []
    }

    /// What the head and `blocks` hold of several series. Numbers are given in the order in which series first came, so the
    /// chunks of what belongs together lie side by side, and a block that has none of them is passed with one look.
    func views(
        of batch: [Wanted], in blocks: [Block], damaged: inout Int
    ) throws(StoreError) -> [SeriesID: [ChunkView]] {
        var views = Dictionary(batch.map { ($0.id, $0.head) }) { first, _ in first }
        let inHead = Dictionary(batch.map { ($0.id, Set($0.head.map(\.block))) }) { first, _ in first }
        let ids = batch.map(\.id).sorted()
        guard let first = ids.first, let last = ids.last else { return [:] }
        let lieTogether = Int(last.value - first.value) < ids.count * Self.mostPassedOver
        for block in blocks {
            var found: [(SeriesID, [UInt8])] = []
            if lieTogether {
                try chunks(first...last, block: block.number) { id in
                    inHead[id]?.contains(block.number) == false
                } each: { id, record in
                    found.append((id, record))
                }
            } else {
                for id in ids where inHead[id]?.contains(block.number) == false {
                    if let record = try chunk(id, block: block.number) { found.append((id, record)) }
                }
            }
            for (id, record) in found {
                guard let times = block.times, let chunk = BlockFormat.chunk(of: id, in: record) else {
                    damaged += 1
                    continue
                }
                views[id, default: []].append(ChunkView(block: block.number, times: times, chunk: chunk))
            }
        }
        return views
    }

    /// Chunks of other series that may be passed over for one that is wanted: to step over one costs a tenth of a search.
    private static let mostPassedOver = 8

    private func chunks(
        _ range: ClosedRange<SeriesID>, block: Int64, where isWanted: (SeriesID) -> Bool,
        each: (SeriesID, [UInt8]) -> Void
    ) throws(StoreError) {
        findChunks.bind(block << 32 | Int64(range.lowerBound.value), at: 1)
        findChunks.bind(block << 32 | Int64(range.upperBound.value), at: 2)
        try findChunks.rows { row in
            let id = SeriesID(UInt32(truncatingIfNeeded: row.integer(0)))
            if isWanted(id) { each(id, row.bytes(1)) }
        }
    }

    private func chunk(_ series: SeriesID, block: Int64) throws(StoreError) -> [UInt8]? {
        var record: [UInt8]?
        findChunk.bind(block << 32 | Int64(series.value), at: 1)
        try findChunk.rows { row in record = row.bytes(0) }
        return record
    }
}
