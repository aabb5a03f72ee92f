/// How far a batch goes in one group.
struct HeadMark: Hashable, Sendable {
    var group: Int
    var block: Int64
    var ticks: Int
}

/// The values of one series in the open block.
private struct Column: Hashable, Sendable {
    let series: SeriesID
    let start: Int
    var encoder = ValueEncoder()

    /// Appends the value of time number `tick`; times at which the series was not measured since its last value are stale.
    @inline(__always)
    mutating func append(_ pattern: UInt64, tick: Int) {
        while start + encoder.count < tick { encoder.append(Staleness.bits) }
        encoder.append(pattern)
    }

    var chunk: Chunk { Chunk(series: series, start: start, count: encoder.count, bits: encoder.bits) }
}

/// A block of the head, as far as it is on disk.
package struct CommittedBlock: Sendable {
    package var number: Int64
    package var group: String
    /// Its rounds on disk, ms since 1970, rising.
    package var times: ArraySlice<Int64>
    /// Their values; none where all of them are handed on.
    package var views: [ChunkView] = []
}

/// One group's share of the head: its table, its open block, its log, its complete blocks that are not on disk.
struct HeadGroup: Sendable {
    /// A complete block, and how many of its times the log had committed.
    private struct Waiting: Sendable {
        var block: SealedBlock
        var committedTicks: Int
    }

    /// What a batch takes from a group.
    struct Part {
        var block: Int64
        var ticks: Int
        var record: Batch.Record?
        var sealed: [SealedBlock]
    }

    let name: String
    private var block: Int64
    private var times: [Int64] = []
    private var columns: [Column] = []
    private var columnNumbers: [SeriesID: Int] = [:]
    private var committedTicks = 0
    private var waiting: [Waiting] = []
    private var log: TickLog

    /// The table: which series, where each one's value stands in a round, and its column in the open block.
    private var series: [SeriesID] = []
    private var positions: [Int] = []
    private var tableColumns: [Int] = []
    private(set) var width: Int?
    private var vanished: [SeriesID] = []
    private var isStale = false

    init(name: String, block: Int64) {
        self.name = name
        self.block = block
        log = TickLog(group: name, block: block)
    }

    var seriesCount: Int { series.count }
    var lastTime: Int64? { times.last }
    var liveSeries: [SeriesID] { series + columns.map(\.series) + waiting.flatMap { $0.block.chunks.map(\.series) } }
    var canGoStale: Bool { !isStale && !times.isEmpty }
    var hasUncommitted: Bool { !log.isEmpty || !waiting.isEmpty }
    var uncommittedRounds: Int {
        times.count - committedTicks + waiting.reduce(0) { $0 + $1.block.times.count - $1.committedTicks }
    }
    var sizeBytes: Int {
        columns.reduce(times.count * 8) { $0 + $1.encoder.bits.sizeBytes } + waitingBytes
    }
    /// Complete blocks that are not on disk, oldest first.
    var waitingBlocks: [SealedBlock] { waiting.map(\.block) }
    var waitingBytes: Int { waiting.reduce(0) { $0 + $1.block.sizeBytes } }
    var oldestWaiting: Int64? { waiting.first?.block.number }
    var committedToMs: Int64? {
        if committedTicks > 0 { return times[committedTicks - 1] }
        return waiting.last { $0.committedTicks > 0 }.map { $0.block.times[$0.committedTicks - 1] }
    }

    var current: (timeMs: Int64, values: [(series: SeriesID, value: Double)])? {
        guard let time = times.last else { return nil }
        let values = tableColumns.compactMap { number -> (series: SeriesID, value: Double)? in
            let column = columns[number]
            guard column.encoder.count > 0, column.encoder.last != Staleness.bits else { return nil }
            return (column.series, Double(bitPattern: column.encoder.last))
        }
        return (time, values)
    }

    mutating func define(_ series: [SeriesID], positions: [Int], width: Int) {
        let kept = Set(series)
        vanished += self.series.filter { !kept.contains($0) }
        vanished.removeAll { kept.contains($0) }
        setTable(series, positions: positions, width: width)
    }

    /// Takes in a complete block that no log holds.
    mutating func keep(_ block: SealedBlock) { waiting.append(Waiting(block: block, committedTicks: 0)) }

    /// Goes on with another group's table, whose series have the numbers `ids` here; those that have none are left out.
    mutating func takeTable(of other: HeadGroup, _ ids: [SeriesID: SeriesID]) {
        vanished += other.vanished.compactMap { ids[$0] }
        guard let width = other.width else { return }
        let kept = other.series.indices.filter { ids[other.series[$0]] != nil }
        define(
            kept.compactMap { ids[other.series[$0]] }, positions: kept.map { other.positions[$0] }, width: width)
    }

    /// At start: the log says which series ended, so the table alone ends none.
    mutating func adoptTable(_ series: [SeriesID]) {
        setTable(series, positions: Array(series.indices), width: series.count)
    }

    /// At start: the next round ends these series.
    mutating func end(_ series: [SeriesID]) { vanished = series }

    private mutating func setTable(_ series: [SeriesID], positions: [Int], width: Int) {
        self.series = series
        self.positions = positions
        self.width = width
        log.define(series)
        findColumns()
    }

    private mutating func findColumns() {
        tableColumns.removeAll(keepingCapacity: true)
        for id in series {
            if let known = columnNumbers[id] {
                tableColumns.append(known)
            } else {
                columns.append(Column(series: id, start: times.count))
                columnNumbers[id] = columns.count - 1
                tableColumns.append(columns.count - 1)
            }
        }
    }

    func isFull(at time: Int64, limits: Head.Limits) -> Bool {
        guard let first = times.first, let last = times.last else { return false }
        return time <= last || times.count >= limits.blockTicks || time - first > limits.blockSpanMs
    }

    mutating func append(time: Int64, values: [Double]) {
        let tick = times.count
        for index in tableColumns.indices {
            columns[tableColumns[index]].append(values[positions[index]].bitPattern, tick: tick)
        }
        endVanished(tick: tick)
        times.append(time)
        log.append(time: time, values: values, positions: positions)
        isStale = false
    }

    mutating func appendStale(time: Int64) {
        let tick = times.count
        for column in tableColumns { columns[column].append(Staleness.bits, tick: tick) }
        endVanished(tick: tick)
        times.append(time)
        log.appendStale(time: time)
        isStale = true
    }

    private mutating func endVanished(tick: Int) {
        guard !vanished.isEmpty else { return }
        log.end(vanished)
        for id in vanished {
            if let column = columnNumbers[id] {
                columns[column].append(Staleness.bits, tick: tick)
            } else {
                columns.append(Column(series: id, start: tick))
                columnNumbers[id] = columns.count - 1
                columns[columns.count - 1].append(Staleness.bits, tick: tick)
            }
        }
        vanished.removeAll()
    }

    /// Closes the open block, unless it is empty, and opens another. Series that nobody can name are left out of it.
    mutating func seal(opening next: Int64, _ index: SeriesIndex) {
        if !times.isEmpty {
            var sealed = SealedBlock(number: block, group: name, times: times, chunks: [], names: [])
            for column in columns where column.encoder.count > 0 {
                guard let labels = index[column.series] else { continue }
                sealed.chunks.append(column.chunk)
                sealed.names.append(labels)
            }
            waiting.append(Waiting(block: sealed, committedTicks: committedTicks))
        }
        block = next
        times.removeAll(keepingCapacity: true)
        columns.removeAll(keepingCapacity: true)
        columnNumbers.removeAll(keepingCapacity: true)
        committedTicks = 0
        log.open(block: next)
        findColumns()
    }

    mutating func takeOver() -> Part {
        let record = log.take().map { Batch.Record(block: block, bytes: $0) }
        return Part(block: block, ticks: times.count, record: record, sealed: waiting.map(\.block))
    }

    mutating func committed(_ mark: HeadMark, sealed: [SealedBlock]) {
        let written = Set(sealed.map(\.number))
        waiting.removeAll { written.contains($0.block.number) }
        if mark.block == block {
            committedTicks = max(committedTicks, mark.ticks)
        } else if let index = waiting.firstIndex(where: { $0.block.number == mark.block }) {
            waiting[index].committedTicks = max(waiting[index].committedTicks, mark.ticks)
        }
    }

    mutating func dropOldestWaiting() -> Int {
        waiting.isEmpty ? 0 : waiting.removeFirst().block.sizeBytes
    }

    /// At start: the next of the log's records are of this block. Rounds of another one, whose block never reached the disk,
    /// are closed and wait to be written.
    mutating func adopt(block number: Int64, _ index: SeriesIndex) {
        guard number != block else { return }
        committedTicks = times.count
        seal(opening: number, index)
    }

    /// At start, after the last record: all that was replayed is on disk, and the next record starts afresh.
    mutating func replayed() {
        committedTicks = times.count
        log.restart()
    }

    func chunks(of series: SeriesID, includingUncommitted: Bool) -> [ChunkView] {
        var views: [ChunkView] = []
        for entry in waiting {
            guard let chunk = entry.block.chunks.first(where: { $0.series == series }) else { continue }
            let visible = includingUncommitted ? entry.block.times.count : entry.committedTicks
            appendView(of: chunk, block: entry.block.number, times: entry.block.times, visible: visible, to: &views)
        }
        if let number = columnNumbers[series] {
            let chunk = columns[number].chunk
            let visible = includingUncommitted ? times.count : committedTicks
            appendView(of: chunk, block: block, times: times, visible: visible, to: &views)
        }
        return views
    }

    /// What is on disk of each block that is not a part of the store yet. Values of which all is handed on are left out.
    func committedBlocks(after progress: RemoteProgress?) -> [CommittedBlock] {
        func isUnsent(_ number: Int64, _ times: ArraySlice<Int64>) -> Bool {
            guard let last = times.last else { return false }
            return progress?.isUnsent(block: number, timeMs: last) ?? true
        }
        var blocks = waiting.map { entry in
            CommittedBlock(
                number: entry.block.number, group: name, times: entry.block.times.prefix(entry.committedTicks))
        }
        blocks.append(CommittedBlock(number: block, group: name, times: times.prefix(committedTicks)))
        for index in blocks.indices where isUnsent(blocks[index].number, blocks[index].times) {
            let isOpen = index == waiting.count
            let chunks = isOpen ? columns.map(\.chunk) : waiting[index].block.chunks
            for chunk in chunks {
                appendView(
                    of: chunk, block: blocks[index].number, times: isOpen ? times : waiting[index].block.times,
                    visible: blocks[index].times.count, to: &blocks[index].views)
            }
        }
        return blocks
    }

    private func appendView(
        of chunk: Chunk, block: Int64, times: [Int64], visible: Int, to views: inout [ChunkView]
    ) {
        var shown = chunk
        shown.count = min(chunk.count, visible - chunk.start)
        if shown.count > 0 { views.append(ChunkView(block: block, times: times, chunk: shown)) }
    }
}
