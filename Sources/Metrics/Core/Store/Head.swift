/// A series with its number, as the store names it once.
package struct NewSeries: Hashable, Sendable {
    package var id: SeriesID
    package var labels: Labels

    package init(id: SeriesID, labels: Labels) {
        self.id = id
        self.labels = labels
    }
}

/// What a start finds in the store.
package struct StoredContent: Sendable {
    package var series: [NewSeries] = []
    /// Those of the series that only the log names: it may hold nothing of them any more.
    package var onlyLogged: [SeriesID] = []
    /// The highest block number that was given.
    package var lastBlock: Int64 = 0
    /// Records of the log, in their order; an empty one stands for some that are lost.
    package var records: [[UInt8]] = []
    /// Damaged frames of segments that were looked through.
    package var damaged = 0

    package init() {}
}

/// What one commit writes, all or nothing.
package struct Batch: Hashable, Sendable {
    /// A group's record for the write-ahead log.
    package struct Record: Hashable, Sendable {
        package var block: Int64
        package var bytes: [UInt8]

        package init(block: Int64, bytes: [UInt8]) {
            self.block = block
            self.bytes = bytes
        }
    }

    package var sequence: UInt64
    package var series: [NewSeries] = []
    package var records: [Record] = []
    /// Blocks that are complete: their log records go when they come.
    package var sealed: [SealedBlock] = []

    package var isEmpty: Bool { series.isEmpty && records.isEmpty && sealed.isEmpty }
}

/// A chunk as a query reads it: from the head or from the store.
package struct ChunkView: Hashable, Sendable {
    package var block: Int64
    package var times: [Int64]
    package var chunk: Chunk

    package init(block: Int64, times: [Int64], chunk: Chunk) {
        self.block = block
        self.times = times
        self.chunk = chunk
    }
}

/// The newest part of the store, in memory: for each group (what one collector measures in one round) an open block, and the
/// blocks that are complete but not known to be on disk.
///
/// A value goes through these states: *appended* (in the open block and in the log's next record), *handed over* (in a batch that
/// `takeBatch` gave), *committed* (the batch is on disk: it survives a kill and a power cut). Queries see committed values
/// only, so nothing that was shown is ever lost; while the disk refuses to take anything they see all, and are told so.
package struct Head: Sendable {
    /// What the head takes and keeps at most.
    package struct Limits: Hashable, Sendable {
        /// Rounds in a block: at one a second, ten minutes.
        package var blockTicks = 600
        /// The longest time that one block spans, so that slow collectors reach the disk as blocks too, and what is open in memory
        /// stops growing after half an hour. At a round in 15 s that is 120 values a chunk, as many as Prometheus aims at
        /// (`DefaultSamplesPerChunk` in its tsdb/head.go).
        package var blockSpanMs: Int64 = 1_800_000
        /// The most series that are taken in.
        package var series = 20_000
        /// Log records kept for another try while the disk refuses, bytes.
        package var retryBytes = 4 << 20
        /// Complete blocks kept while the disk refuses, bytes.
        package var waitingBytes = 32 << 20

        package init() {}
    }

    package private(set) var limits: Limits
    package private(set) var index: SeriesIndex
    private var groups: [HeadGroup] = []
    private var groupNumbers: [String: Int] = [:]
    private var nextBlock: Int64 = 1
    private var newSeries: [NewSeries] = []
    private var refused: Batch?
    private var inFlight: [HeadMark] = []
    private var nextSequence: UInt64 = 1

    /// Values that could not be stored because their series was refused, since the start.
    package private(set) var refusedValues: UInt64 = 0
    /// Complete blocks dropped because the disk refused them for too long, since the start.
    package private(set) var droppedBlocks: UInt64 = 0

    package init(limits: Limits = Limits()) {
        self.limits = limits
        index = SeriesIndex(limit: limits.series)
    }

    /// New limits are in force. Series that are known stay, even where there are more of them than a lower limit allows.
    package mutating func limitsChanged(to new: Limits) {
        limits = new
        index.limit = new.series
    }

    /// The number of the group with this name, made if need be.
    package mutating func group(_ name: String) -> Int {
        if let known = groupNumbers[name] { return known }
        groups.append(HeadGroup(name: name, block: takeBlockNumber()))
        groupNumbers[name] = groups.count - 1
        return groups.count - 1
    }

    /// What of a table was not taken in.
    package struct Refused: Hashable, Sendable {
        /// New series beyond the limit of how many there may be.
        package var overLimit: [Labels] = []
        /// Series that stand in the table a second time: the first counts.
        package var repeated: [Labels] = []
    }

    /// From now on a round of `group` holds these series, in this order. Series that it held before and lacks now end with a
    /// stale marker in the next round.
    package mutating func define(group: Int, series labels: [Labels]) -> Refused {
        var ids: [SeriesID] = []
        var positions: [Int] = []
        var seen: Set<SeriesID> = []
        var refused = Refused()
        ids.reserveCapacity(labels.count)
        for (position, label) in labels.enumerated() {
            guard let (id, isNew) = index.resolve(label) else {
                refused.overLimit.append(label)
                continue
            }
            if isNew { newSeries.append(NewSeries(id: id, labels: label)) }
            guard seen.insert(id).inserted else {
                refused.repeated.append(label)
                continue
            }
            ids.append(id)
            positions.append(position)
        }
        groups[group].define(ids, positions: positions, width: labels.count)
        return refused
    }

    /// How many values a round of `group` has; nil before `define`.
    package func width(of group: Int) -> Int? { groups[group].width }

    /// Takes in a round. A time before the last one closes the block first: the clock was set back. Of two rounds in one
    /// millisecond the second counts as a millisecond later.
    package mutating func append(group: Int, time measured: Int64, values: [Double]) {
        let time = makeRoom(group: group, time: measured)
        groups[group].append(time: time, values: values)
        refusedValues += UInt64(values.count - groups[group].seriesCount)
    }

    /// Takes in that `group` could not be measured at `time`: its series end until they are measured again.
    package mutating func appendStale(group: Int, time measured: Int64) {
        guard groups[group].canGoStale else { return }
        let time = makeRoom(group: group, time: measured)
        groups[group].appendStale(time: time)
    }

    /// Closes the group's block if this round does not fit it.
    /// - Returns: the time that the round counts as.
    private mutating func makeRoom(group: Int, time measured: Int64) -> Int64 {
        let time = measured == groups[group].lastTime ? measured + 1 : measured
        if groups[group].isFull(at: time, limits: limits) { seal(group) }
        return time
    }

    /// A complete block with these series, all of them at all of `times`, waits to be written.
    mutating func keepBlock(of name: String, times: [Int64], _ series: [ImportedSeries]) {
        var chunks: [Chunk] = []
        var names: [Labels] = []
        for one in series {
            guard let (id, isNew) = index.resolve(one.labels) else {
                refusedValues += UInt64(one.run.count)
                continue
            }
            if isNew { newSeries.append(NewSeries(id: id, labels: one.labels)) }
            var encoder = ValueEncoder()
            for value in one.run.values { encoder.append(value.bitPattern) }
            chunks.append(Chunk(series: id, start: 0, count: encoder.count, bits: encoder.bits))
            names.append(one.labels)
        }
        guard !chunks.isEmpty else { return }
        let number = group(name)
        groups[number].keep(
            SealedBlock(number: takeBlockNumber(), group: name, times: times, chunks: chunks, names: names))
    }

    private mutating func seal(_ group: Int) {
        groups[group].seal(opening: takeBlockNumber(), index)
    }

    private mutating func takeBlockNumber() -> Int64 {
        defer { nextBlock += 1 }
        return nextBlock
    }

    /// Whether anything waits to be committed.
    package var hasUncommitted: Bool { refused != nil || !newSeries.isEmpty || groups.contains { $0.hasUncommitted } }

    /// What the next commit has to write; nil if nothing waits or a batch is under way.
    package mutating func takeBatch() -> Batch? {
        guard inFlight.isEmpty, hasUncommitted else { return nil }
        var batch = Batch(sequence: nextSequence)
        if let earlier = refused {
            batch.series = earlier.series
            batch.records = earlier.records
            refused = nil
        }
        batch.series += newSeries
        newSeries.removeAll(keepingCapacity: true)
        var sealedNumbers: Set<Int64> = []
        for number in groups.indices {
            let part = groups[number].takeOver()
            batch.sealed += part.sealed
            sealedNumbers.formUnion(part.sealed.map(\.number))
            if let record = part.record { batch.records.append(record) }
            inFlight.append(HeadMark(group: number, block: part.block, ticks: part.ticks))
        }
        batch.records.removeAll { sealedNumbers.contains($0.block) }
        guard !batch.isEmpty else {
            inFlight.removeAll()
            return nil
        }
        nextSequence += 1
        return batch
    }

    /// The batch under way is on disk.
    package mutating func committed(_ batch: Batch) {
        for mark in inFlight { groups[mark.group].committed(mark, sealed: batch.sealed) }
        inFlight.removeAll(keepingCapacity: true)
    }

    /// The batch under way was not written, or is not known to be: it goes into the next one.
    package mutating func failedToCommit(_ batch: Batch) {
        inFlight.removeAll(keepingCapacity: true)
        var kept = batch
        kept.sealed = []
        if kept.records.reduce(0, { $0 + $1.bytes.count }) > limits.retryBytes {
            // What the log loses here is in the open blocks: closed now, they are written whole when the disk takes them.
            kept.records = []
            for number in groups.indices { seal(number) }
        }
        refused = kept
        dropWaiting()
    }

    private mutating func dropWaiting() {
        var waiting = groups.reduce(0) { $0 + $1.waitingBytes }
        while waiting > limits.waitingBytes {
            let oldest = groups.indices.filter { groups[$0].oldestWaiting != nil }
                .min { groups[$0].oldestWaiting ?? 0 < groups[$1].oldestWaiting ?? 0 }
            guard let oldest else { return }
            waiting -= groups[oldest].dropOldestWaiting()
            droppedBlocks += 1
        }
    }

    /// The chunks of a series that are not in the store, oldest first. `includingUncommitted` shows what a kill could still take.
    package func chunks(of series: SeriesID, includingUncommitted: Bool) -> [ChunkView] {
        groups.flatMap { $0.chunks(of: series, includingUncommitted: includingUncommitted) }
    }

    /// What is on disk of each block that the store does not have yet, of all groups: the values of those of which not all is handed on.
    package func committedBlocks(after progress: RemoteProgress?) -> [CommittedBlock] {
        groups.flatMap { $0.committedBlocks(after: progress) }
    }

    /// What the last round of `group` measured: series in table order, without those whose value is a stale marker.
    package func current(group: Int) -> (timeMs: Int64, values: [(series: SeriesID, value: Double)])? {
        groups[group].current
    }

    /// Series in the tables of all groups: what each round measures.
    package var liveSeries: Int { groups.reduce(0) { $0 + $1.seriesCount } }

    /// How many series the table of `group` has.
    package func seriesCount(of group: Int) -> Int { groups[group].seriesCount }

    /// The time up to which every group's rounds are committed; nil if nothing is.
    package var committedToMs: Int64? { groups.compactMap(\.committedToMs).max() }

    /// Rounds that are not committed, over all groups.
    package var uncommittedRounds: Int { groups.reduce(0) { $0 + $1.uncommittedRounds } }

    /// What the compressed values take in memory.
    package var sizeBytes: Int { groups.reduce(0) { $0 + $1.sizeBytes } }

    /// Of these series the store holds nothing any more, their names neither. Those that no collector measures and no open block
    /// holds are forgotten; the others are named anew.
    package mutating func storeForgot(_ series: [SeriesID]) {
        forget(series)
        for id in series {
            if let labels = index[id] { newSeries.append(NewSeries(id: id, labels: labels)) }
        }
    }

    private mutating func forget(_ series: [SeriesID]) {
        let live = groups.reduce(into: Set<SeriesID>()) { $0.formUnion($1.liveSeries) }
        for id in series where !live.contains(id) { index.remove(id) }
    }
}

extension Head {
    /// Takes in what the store holds, at start. All of it is committed already.
    /// - Returns: how many records could not be read.
    package mutating func restore(_ content: StoredContent) -> Int {
        for entry in content.series { index.restore(entry.id, labels: entry.labels) }
        nextBlock = max(nextBlock, content.lastBlock + 1)
        let damaged = restore(records: content.records)
        forget(content.onlyLogged)
        return content.damaged + damaged
    }

    /// Takes in what the store holds after rounds were appended without it, as after a start that could not read the store.
    ///
    /// Numbers of series and blocks are the store's to give, so what is here gets new ones: its blocks, the open one too,
    /// are closed behind those of the store and wait to be written. Groups keep their numbers. No batch may be under way.
    /// - Returns: how many records could not be read.
    package mutating func restoreBeneath(_ content: StoredContent) -> Int {
        var whole = Head(limits: limits)
        // Block numbers that these groups take before they are given theirs are above the store's too.
        whole.nextBlock = content.lastBlock + 1
        for group in groups { _ = whole.group(group.name) }
        let damaged = whole.restore(content)
        for number in groups.indices { whole.goOn(number, from: groups[number], index) }
        whole.nextSequence = nextSequence
        whole.refusedValues = refusedValues
        whole.droppedBlocks = droppedBlocks
        self = whole
        return damaged
    }

    /// Series past the limit lose what was measured of them.
    private mutating func goOn(_ number: Int, from other: HeadGroup, _ names: SeriesIndex) {
        var ids: [SeriesID: SeriesID] = [:]
        for old in other.liveSeries where ids[old] == nil {
            guard let labels = names[old], let (id, isNew) = index.resolve(labels) else { continue }
            if isNew { newSeries.append(NewSeries(id: id, labels: labels)) }
            ids[old] = id
        }
        var earlier = other
        earlier.seal(opening: 0, names)
        if !earlier.waitingBlocks.isEmpty {
            seal(number)
            for block in earlier.waitingBlocks {
                var moved = block
                moved.number = takeBlockNumber()
                let kept = block.chunks.indices.filter { ids[block.chunks[$0].series] != nil }
                moved.names = kept.map { block.names[$0] }
                moved.chunks = kept.compactMap { index in
                    let chunk = block.chunks[index]
                    return ids[chunk.series].map {
                        Chunk(series: $0, start: chunk.start, count: chunk.count, bits: chunk.bits)
                    }
                }
                groups[number].keep(moved)
            }
            // The open block is still empty; of two values with one time that of the higher number counts.
            seal(number)
        }
        groups[number].takeTable(of: earlier, ids)
    }

    /// Replays the log's records, in the order in which they were written.
    private mutating func restore(records: [[UInt8]]) -> Int {
        var reader = TickLogReader()
        for bytes in records {
            guard let record = reader.read(bytes) else { continue }
            let number = group(record.group)
            groups[number].adopt(block: record.block, index)
            nextBlock = max(nextBlock, record.block + 1)
            for item in record.items { replay(item, group: number) }
        }
        for number in groups.indices { groups[number].replayed() }
        return reader.damagedRecords
    }

    private mutating func replay(_ item: TickLogItem, group: Int) {
        switch item {
        case .table(let series):
            groups[group].adoptTable(series)
        case .round(let time, let values):
            groups[group].append(time: time, values: values)
        case .stale(let time):
            groups[group].appendStale(time: time)
        case .end(let series):
            groups[group].end(series)
        }
    }
}
