import MetricsCore
import Runtime
import Store

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

    func content() throws(StoreError) -> Content {
        var content = Content()
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

    /// Gives back what a block took on its way to the disk: its pages in the cache, which nothing here reads again, and the room
    /// that the head's columns had.
    func giveBackMemory() {
        store.releaseMemory()
        Heap.giveBack()
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
