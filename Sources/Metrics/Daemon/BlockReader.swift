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

    private struct Block {
        var number: Int64
        var record: [UInt8]
        var times: [Int64]?
        var isRead = false
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
        var blocks = try blocks(from: plan.window.oldestMs, to: plan.window.toMs)
        for series in wanted {
            var views = series.head
            let inHead = Set(views.map(\.block))
            for place in blocks.indices where !inHead.contains(blocks[place].number) {
                guard let record = try chunk(series.id, block: blocks[place].number) else { continue }
                if !blocks[place].isRead {
                    blocks[place].isRead = true
                    blocks[place].times = BlockFormat.times(in: blocks[place].record)
                }
                guard let times = blocks[place].times, let chunk = BlockFormat.chunk(of: series.id, in: record) else {
                    answer.damaged += 1
                    continue
                }
                views.append(ChunkView(block: blocks[place].number, times: times, chunk: chunk))
            }
            var cursor = SampleCursor(views)
            guard answer.page.add(series.id, labels: series.labels, cursor: &cursor) else { break }
        }
        return answer
    }

    private func blocks(from: Int64, to: Int64) throws(StoreError) -> [Block] {
        var found: [Block] = []
        findBlocks.bind(from, at: 1)
        findBlocks.bind(to, at: 2)
        try findBlocks.rows { row in found.append(Block(number: row.integer(0), record: row.bytes(1))) }
        return found
    }

    private func chunk(_ series: SeriesID, block: Int64) throws(StoreError) -> [UInt8]? {
        var record: [UInt8]?
        findChunk.bind(block << 32 | Int64(series.value), at: 1)
        try findChunk.rows { row in record = row.bytes(0) }
        return record
    }
}
