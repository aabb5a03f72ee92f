import Compression
import Files
import MetricsCore

/// Makes the batches of one receiver from what is on disk, on a thread of its own: what was measured and not handed on, oldest first. It
/// holds a block of each collector at most, so an outage costs no memory; what it has to catch up with is in the store.
struct RemoteFeed {
    /// Samples that a batch has at most: Prometheus's own default is 2,000 (`max_samples_per_send`), and catching up with fewer
    /// requests is quicker.
    private static let mostSamples = 20_000
    /// But always so many rounds of everything: a chunk is read from its start for each batch.
    private static let leastRounds = 10
    /// What one request of a batch has at most before it is compressed: receivers refuse larger ones (VictoriaMetrics's
    /// `maxInsertRequestSize` is 32 MiB).
    private static let mostBytes = 4 << 20
    /// Stored blocks are read that begin within this time of the oldest round.
    private static let aheadMs: Int64 = 60_000

    /// What the loop knows at one moment: nothing is between the head and the segments, and nothing in neither.
    struct Content: Sendable {
        var index: SeriesIndex
        var head: [CommittedBlock]
        var segments: [Segment]
    }

    /// What is sent, and whether there is more.
    struct Batch: Sendable {
        var bodies: [[UInt8]]
        var summary: RemoteWriter.Batch
    }

    private let url: String
    private let folder: StoreFolder
    private let external: [Label]
    private var file: RemoteRecordFile?
    private var record: RemoteRecord
    /// What is under way was so already when this life began.
    private var isRepeat = false
    /// Blocks that were read from the store and are not handed on whole.
    private var loaded: [Int64: [ChunkView]] = [:]

    init(_ url: String, external: [Label], in folder: StoreFolder) {
        self.url = url
        self.folder = folder
        self.external = external
        record = RemoteRecord(url: url, sent: RemoteProgress())
    }

    /// How far all will have been handed on when what is under way has arrived.
    var progress: RemoteProgress { record.sending ?? record.sent }

    /// Makes the next batch; nil where there is nothing. What was made before and is not done is made again, the same.
    /// - Parameter isDone: the batch before has arrived, or is given up.
    mutating func next(_ content: Content, isDone: Bool) throws(FileFailure) -> Batch? {
        try open(content)
        if isDone { arrived() }
        let waiting = unsent(content)
        let blocks = try read(waiting, content)
        if let through = record.sending { return batch(blocks, content.index, through: through, isMore: true) }
        if let batch = try plan(blocks, content) { return batch }
        if isDone { try file?.write(record) }
        return nil
    }

    private mutating func arrived() {
        guard let sending = record.sending else { return }
        record.sent = sending
        record.sending = nil
        isRepeat = false
    }

    /// What was made has arrived, and no more is made in this life.
    mutating func end() throws(FileFailure) {
        arrived()
        try file?.write(record)
    }

    private mutating func open(_ content: Content) throws(FileFailure) {
        guard file == nil else { return }
        try folder.make()
        var file = try RemoteRecordFile(folder.remote(url), in: folder.path)
        if let known = try file.read(), known.url == url, Self.isOfThisStore(known, content) {
            record = known
            isRepeat = known.sending != nil
        } else {
            record.sent = Self.beginning(content)
            try file.write(record)
        }
        self.file = file
    }

    /// Whether the store knows the blocks that a record tells of. One that was put back from a backup gives their numbers anew.
    private static func isOfThisStore(_ record: RemoteRecord, _ content: Content) -> Bool {
        guard let newest = content.head.map(\.number).max() else { return false }
        let told = record.sending ?? record.sent
        return told.firstBlock <= newest && told.lastMs.keys.allSatisfy { $0 <= newest }
    }

    /// A new receiver is given what is measured from now on.
    private static func beginning(_ content: Content) -> RemoteProgress {
        var progress = RemoteProgress(firstBlock: content.head.map(\.number).min() ?? 0)
        for block in content.head {
            if let last = block.times.last { progress.advance([block.number: last]) }
        }
        for segment in content.segments {
            for entry in segment.blocks where entry.number >= progress.firstBlock {
                progress.advance([entry.number: entry.toMs])
            }
        }
        return progress
    }

    // MARK: What there is

    /// A block that has something to hand on.
    private enum Waiting {
        case head(CommittedBlock)
        case stored(BlockEntry, segment: Int64)

        var number: Int64 {
            switch self {
            case .head(let block): block.number
            case .stored(let entry, _): entry.number
            }
        }
    }

    private func unsent(_ content: Content) -> [Waiting] {
        var found: [Waiting] = []
        let inHead = Set(content.head.map(\.number))
        for block in content.head where block.group != Head.importGroup {
            guard let last = block.times.last, record.sent.isUnsent(block: block.number, timeMs: last) else { continue }
            found.append(.head(block))
        }
        for segment in content.segments {
            for entry in segment.blocks where !entry.isImported && !inHead.contains(entry.number) {
                guard record.sent.isUnsent(block: entry.number, timeMs: entry.toMs) else { continue }
                found.append(.stored(entry, segment: segment.number))
            }
        }
        return found
    }

    /// A block as a batch is made of it.
    private struct Source {
        var number: Int64
        var times: [Int64]
        var views: [ChunkView]
    }

    /// Those of the blocks that begin soon after the oldest round that is unsent, with their values.
    private mutating func read(_ waiting: [Waiting], _ content: Content) throws(FileFailure) -> [Source] {
        let sent = record.sent
        func begin(_ block: Waiting) -> Int64 {
            switch block {
            case .head(let block): block.times.first { sent.isUnsent(block: block.number, timeMs: $0) } ?? Int64.max
            case .stored(let entry, _): max(entry.fromMs, sent.unsentFromMs(block: entry.number))
            }
        }
        let begins = waiting.map(begin)
        guard let oldest = begins.min() else { return [] }
        var sources: [Source] = []
        for (block, begin) in zip(waiting, begins) where begin - oldest <= Self.aheadMs {
            switch block {
            case .head(let block):
                sources.append(Source(number: block.number, times: Array(block.times), views: block.views))
            case .stored(let entry, let segment):
                if loaded[entry.number] == nil {
                    loaded[entry.number] = try Self.read(entry, segment, folder)
                }
                let views = loaded[entry.number] ?? []
                let times = views.max { $0.times.count < $1.times.count }?.times ?? []
                sources.append(Source(number: entry.number, times: times, views: views))
            }
        }
        return sources
    }

    /// None where retention dropped it meanwhile. What is damaged is left out.
    private static func read(_ entry: BlockEntry, _ segment: Int64, _ folder: StoreFolder) throws(FileFailure)
        -> [ChunkView]
    {
        let body: [UInt8]
        do throws(FileFailure) {
            body = try DataFile(folder.segment(segment), for: .read).read(Int(entry.bodyLength), at: Int(entry.body))
        } catch {
            guard error.isMissing else { throw error }
            return []
        }
        var times = BlockTimes(count: Int(entry.ticks))
        BlockLayout.takeTimes(body, of: entry, into: &times)
        let all = SeriesID(0)...SeriesID(UInt32.max)
        return BlockLayout.search(body, of: entry, wanted: all).chunks.compactMap { chunk in
            times.view(of: chunk, block: entry.number)
        }
    }

    // MARK: Batches

    private mutating func plan(_ sources: [Source], _ content: Content) throws(FileFailure) -> Batch? {
        let unsent = sources.map { UnsentBlock(number: $0.number, times: $0.times, series: $0.views.count) }
        let samples = max(Self.mostSamples, unsent.reduce(0) { $0 + $1.series } * Self.leastRounds)
        let (through, isMore) = RemotePlan.next(unsent, after: record.sent, samples: samples)
        var next = record.sent
        next.advance(through)
        // One that was looked for and has nothing that can be read is done as well.
        for source in sources where source.times.isEmpty {
            if let entry = Self.entry(source.number, content) { next.advance([source.number: entry.toMs]) }
        }
        guard next != record.sent else { return nil }
        var kept = next
        let isLeft = forget(&kept, content)
        var new = record
        new.sending = kept
        try file?.write(new)
        record = new
        return batch(sources, content.index, through: next, isMore: isMore || isLeft)
    }

    private static func entry(_ number: Int64, _ content: Content) -> BlockEntry? {
        for segment in content.segments {
            if let entry = segment.blocks.first(where: { $0.number == number }) { return entry }
        }
        return nil
    }

    /// Forgets blocks that are handed on whole.
    /// - Returns: whether the store has more.
    private mutating func forget(_ progress: inout RemoteProgress, _ content: Content) -> Bool {
        let inHead = Set(content.head.map(\.number))
        var first = inHead.min() ?? Int64.max
        var isLeft = false
        for segment in content.segments {
            for entry in segment.blocks where !entry.isImported && !inHead.contains(entry.number) {
                // Times that were lost at a block's end are never sent: the last one that was read counts for the block's last.
                let lastMs = loaded[entry.number].map { $0.compactMap(\.times.last).max() ?? entry.toMs } ?? entry.toMs
                guard progress.isUnsent(block: entry.number, timeMs: lastMs) else {
                    progress.advance(entry.number >= progress.firstBlock ? [entry.number: entry.toMs] : [:])
                    loaded[entry.number] = nil
                    continue
                }
                first = min(first, entry.number)
                isLeft = true
            }
        }
        if first < Int64.max { progress.forget(below: first) }
        return isLeft
    }

    private func batch(_ sources: [Source], _ index: SeriesIndex, through: RemoteProgress, isMore: Bool) -> Batch {
        var series: [SeriesID: [ChunkView]] = [:]
        var order: [SeriesID] = []
        for source in sources.sorted(by: { $0.number < $1.number }) {
            for view in source.views {
                if series[view.chunk.series] == nil { order.append(view.chunk.series) }
                series[view.chunk.series, default: []].append(view)
            }
        }
        var bodies: [[UInt8]] = []
        var request = WriteRequest(external: external)
        var (samples, toMs) = (0, Int64.min)
        for id in order {
            guard let labels = index[id] else { continue }
            let run = run(series[id] ?? [], through: through)
            guard run.count > 0 else { continue }
            request.add(labels, run)
            samples += run.count
            toMs = max(toMs, run.times.last ?? toMs)
            if request.bytes.count >= Self.mostBytes {
                bodies.append(Snappy.compressed(request.bytes))
                request = WriteRequest(external: external)
            }
        }
        if !request.bytes.isEmpty { bodies.append(Snappy.compressed(request.bytes)) }
        let summary = RemoteWriter.Batch(samples: samples, toMs: toMs, isMore: isMore, isRepeat: isRepeat)
        return Batch(bodies: bodies, summary: summary)
    }

    /// What of a series goes with this batch, in order of time.
    private func run(_ views: [ChunkView], through: RemoteProgress) -> SampleRun {
        var run = SampleRun()
        for view in views {
            let (fromMs, toMs) = (record.sent.unsentFromMs(block: view.block), through.throughMs(block: view.block))
            guard fromMs <= toMs else { continue }
            let part = SampleRun(SampleCursor([view]), fromMs: fromMs, toMs: toMs)
            for (time, value) in zip(part.times, part.values) where time > run.times.last ?? Int64.min {
                run.append(time, value)
            }
        }
        return run
    }
}
