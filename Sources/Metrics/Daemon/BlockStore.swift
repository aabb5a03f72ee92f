import CLinux
import Glibc
import MetricsCore
import Store
import Time

/// What the disk holds: series, blocks, chunks and the log, in one SQLite file. It lives on the thread `store`.
///
/// A chunk's row id is `block << 32 | series`, so a sealed block is one run of the tree, written and dropped at one end. Every
/// record carries its own checksum (MetricsCore's `BlockFormat` and `TickLog`): a damaged one is left out and counted.
final class BlockStore {
    static let schema = [
        """
        CREATE TABLE series (id INTEGER PRIMARY KEY, name TEXT NOT NULL, lastMs INTEGER);
        CREATE TABLE block (
            number INTEGER PRIMARY KEY, grp TEXT NOT NULL, fromMs INTEGER NOT NULL, toMs INTEGER NOT NULL,
            bytes INTEGER NOT NULL, times BLOB NOT NULL);
        CREATE INDEX blockTo ON block (toMs);
        CREATE TABLE chunk (id INTEGER PRIMARY KEY, samples BLOB NOT NULL);
        CREATE TABLE log (id INTEGER PRIMARY KEY, block INTEGER NOT NULL, record BLOB NOT NULL);
        """
    ]

    /// What a start finds.
    struct Content: Sendable {
        var series: [(id: SeriesID, labels: Labels, lastMs: Int64?)] = []
        var lastBlock: Int64 = 0
        var records: [[UInt8]] = []
        /// Series whose name cannot be read.
        var damagedSeries = 0
        /// Where a damaged store was moved; nil where it was whole.
        var setAside: String?
    }

    /// Where a damaged store was moved when this one was begun; nil where none was.
    private(set) var setAside: String?
    private let store: Store
    private let insertSeries: Statement
    private let insertLog: Statement
    private let deleteLog: Statement
    private let insertBlock: Statement
    private let insertChunk: Statement
    private let noteSeries: Statement

    init(path: String) throws(StoreError) {
        var options = StoreOptions()
        options.cacheKiB = 512
        options.logLimitBytes = 4 << 20
        store = try Store(path: path, options: options)
        try store.migrate(Self.schema)
        insertSeries = try store.prepare("INSERT OR REPLACE INTO series (id, name) VALUES (?, ?)")
        insertLog = try store.prepare("INSERT INTO log (block, record) VALUES (?, ?)")
        deleteLog = try store.prepare("DELETE FROM log WHERE block = ?")
        insertBlock = try store.prepare(
            "INSERT OR REPLACE INTO block (number, grp, fromMs, toMs, bytes, times) VALUES (?, ?, ?, ?, ?, ?)")
        insertChunk = try store.prepare("INSERT OR REPLACE INTO chunk (id, samples) VALUES (?, ?)")
        noteSeries = try store.prepare("UPDATE series SET lastMs = max(coalesce(lastMs, 0), ?) WHERE id = ?")
    }

    /// Opens the store in `folder`, which is made if need be; one that is no database any more is set aside under another name
    /// and begun anew.
    static func open(folder: String, now: WallTime) throws -> BlockStore {
        mkdir(folder, 0o750)
        let path = path(in: folder)
        do throws(StoreError) {
            return try BlockStore(path: path)
        } catch {
            guard error.kind == .corrupt else { throw error }
            let aside = "\(path).damaged-\(now.milliseconds)"
            guard rename(path, aside) == 0 else { throw error }
            // The log of a database that is gone means nothing to the next.
            unlink("\(path)-wal")
            unlink("\(path)-shm")
            let fresh = try BlockStore(path: path)
            fresh.setAside = aside
            return fresh
        }
    }

    /// The database of a state folder.
    static func path(in folder: String) -> String { "\(folder)/metrics.db" }

    func content() throws(StoreError) -> Content {
        var content = Content()
        content.setAside = setAside
        try store.prepare("SELECT id, name, lastMs FROM series ORDER BY id").rows { row in
            guard let id = UInt32(exactly: row.integer(0)), let labels = Self.labels(row.text(1)) else {
                content.damagedSeries += 1
                return
            }
            content.series.append((SeriesID(id), labels, row.isNull(2) ? nil : row.integer(2)))
        }
        content.lastBlock = max(
            try store.integer("SELECT max(number) FROM block"), try store.integer("SELECT max(block) FROM log"))
        try store.prepare("SELECT record FROM log ORDER BY id").rows { row in content.records.append(row.bytes(0)) }
        return content
    }

    private static func labels(_ text: String) -> Labels? {
        Array(text.utf8).withUnsafeBytes { Exposition.labels($0) }
    }

    /// Writes a batch, all or nothing; it is on disk when this returns.
    func commit(_ batch: Batch) throws(StoreError) {
        try store.transaction { () throws(StoreError) in
            for series in batch.series {
                insertSeries.bind(Int64(series.id.value), at: 1)
                insertSeries.bind(series.labels.description, at: 2)
                try insertSeries.run()
            }
            for record in batch.records {
                insertLog.bind(record.block, at: 1)
                insertLog.bind(record.bytes, at: 2)
                try insertLog.run()
            }
            for block in batch.sealed { try write(block) }
        }
    }

    private func write(_ block: SealedBlock) throws(StoreError) {
        guard let from = block.times.first, let to = block.times.last else { return }
        let times = BlockFormat.bytes(of: block.times)
        var size = times.count + 64
        for chunk in block.chunks {
            let bytes = BlockFormat.bytes(of: chunk)
            size += bytes.count + 16
            insertChunk.bind(block.number << 32 | Int64(chunk.series.value), at: 1)
            insertChunk.bind(bytes, at: 2)
            try insertChunk.run()
            noteSeries.bind(to, at: 1)
            noteSeries.bind(Int64(chunk.series.value), at: 2)
            try noteSeries.run()
        }
        insertBlock.bind(block.number, at: 1)
        insertBlock.bind(block.group, at: 2)
        insertBlock.bind(from, at: 3)
        insertBlock.bind(to, at: 4)
        insertBlock.bind(Int64(size), at: 5)
        insertBlock.bind(times, at: 6)
        try insertBlock.run()
        deleteLog.bind(block.number, at: 1)
        try deleteLog.run()
    }

    func blocks() throws(StoreError) -> [BlockSummary] {
        var found: [BlockSummary] = []
        try store.prepare("SELECT number, toMs, bytes FROM block").rows { row in
            found.append(BlockSummary(number: row.integer(0), toMs: row.integer(1), sizeBytes: row.integer(2)))
        }
        return found
    }

    /// Drops blocks, and series that none is left of, and gives the space back.
    func drop(blocks: [Int64], series: [SeriesID]) throws(StoreError) {
        let deleteChunks = try store.prepare("DELETE FROM chunk WHERE id >= ? AND id < ?")
        let deleteBlock = try store.prepare("DELETE FROM block WHERE number = ?")
        let deleteSeries = try store.prepare("DELETE FROM series WHERE id = ?")
        try store.transaction { () throws(StoreError) in
            for number in blocks {
                deleteChunks.bind(number << 32, at: 1)
                deleteChunks.bind((number + 1) << 32, at: 2)
                try deleteChunks.run()
                deleteBlock.bind(number, at: 1)
                try deleteBlock.run()
            }
            for id in series {
                deleteSeries.bind(Int64(id.value), at: 1)
                try deleteSeries.run()
            }
        }
        try store.releaseFreePages(atMost: 4096)
    }

    /// Bytes of the file, without its log.
    func sizeBytes() throws(StoreError) -> Int64 { try store.sizeBytes() }

    /// The last words of a graceful stop: the next start finds everything in the database itself.
    func checkpoint() throws(StoreError) { try store.checkpoint() }
}

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

    /// Fills a page.
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
