import MetricsCore
import Store

/// Reads blocks for queries, on a connection and a thread of its own: a commit that hangs on the disk holds up no query.
final class BlockReader {
    private let store: Store
    private let findBlocks: Statement
    private let findChunk: Statement

    init(path: String) throws(StoreError) {
        var options = StoreOptions()
        options.cacheKiB = 512
        store = try Store(path: path, options: options)
        findBlocks = try store.prepare(
            "SELECT number, times FROM block WHERE toMs >= ? AND fromMs <= ? ORDER BY number")
        findChunk = try store.prepare("SELECT samples FROM chunk WHERE id = ?")
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
        var views = series.head
        let inHead = Set(views.map(\.block))
        for block in blocks where !inHead.contains(block.number) {
            guard let record = try chunk(series.id, block: block.number) else { continue }
            guard let times = block.times, let chunk = BlockFormat.chunk(of: series.id, in: record) else {
                damaged += 1
                continue
            }
            views.append(ChunkView(block: block.number, times: times, chunk: chunk))
        }
        return views
    }

    private func chunk(_ series: SeriesID, block: Int64) throws(StoreError) -> [UInt8]? {
        var record: [UInt8]?
        findChunk.bind(block << 32 | Int64(series.value), at: 1)
        try findChunk.rows { row in record = row.bytes(0) }
        return record
    }
}
