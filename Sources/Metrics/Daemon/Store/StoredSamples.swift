import MetricsCore

/// What an evaluation reads: series that the loop resolved, their values from the head (taken on the loop too) and from the store.
struct StoredSamples: SampleSource {
    /// Nil: the store was not read yet, and only the head answers.
    private let reader: BlockReader?
    private let resolved: [Selector: [BlockReader.Wanted]]
    /// Where each series stands in a selector's list.
    private let places: [SeriesID: (list: Selector, index: Int)]
    /// What is read ahead: of the next series of a list, over one time.
    private var ahead = Ahead()
    /// Records that were damaged and left out.
    private(set) var damaged = 0

    private struct Ahead {
        var fromMs: Int64 = 0
        var toMs: Int64 = -1
        var blocks: [BlockReader.Block] = []
        var views: [SeriesID: [ChunkView]] = [:]
    }

    /// Series that are read at once.
    private static let batch = 64
    /// What these may hold, in chunks of some 900 bytes.
    private static let mostChunks = 16_384

    init(_ reader: BlockReader?, _ resolved: [Selector: [BlockReader.Wanted]]) {
        self.reader = reader
        self.resolved = resolved
        var places: [SeriesID: (list: Selector, index: Int)] = [:]
        for (selector, list) in resolved {
            for (index, series) in list.enumerated() { places[series.id] = (selector, index) }
        }
        self.places = places
    }

    mutating func series(_ selector: Selector) throws(QueryError) -> [SourceSeries] {
        (resolved[selector] ?? []).map { SourceSeries(id: $0.id, labels: $0.labels) }
    }

    mutating func samples(
        of series: SourceSeries, fromMs: Int64, toMs: Int64, atMost most: Int
    ) throws(QueryError) -> SampleRun {
        guard let place = places[series.id], let list = resolved[place.list] else { return SampleRun() }
        guard let reader else {
            return SampleRun(SampleCursor(list[place.index].head), fromMs: fromMs, toMs: toMs)
        }
        let views = try views(list, place.index, reader, fromMs: fromMs, toMs: toMs)
        // A block at either end may reach beyond the time asked for; what lies between does not.
        guard views.dropFirst().dropLast().reduce(0, { $0 + $1.chunk.count }) <= most else {
            throw QueryError.tooLarge(most)
        }
        return SampleRun(SampleCursor(views), fromMs: fromMs, toMs: toMs)
    }

    /// A selector's series are asked for one after the other, over the same time.
    private mutating func views(
        _ list: [BlockReader.Wanted], _ index: Int, _ reader: BlockReader, fromMs: Int64, toMs: Int64
    ) throws(QueryError) -> [ChunkView] {
        do {
            if ahead.fromMs != fromMs || ahead.toMs != toMs {
                ahead = Ahead(fromMs: fromMs, toMs: toMs, blocks: reader.blocks(from: fromMs, to: toMs))
            }
            if let views = ahead.views.removeValue(forKey: list[index].id) { return views }
            let count = max(1, min(Self.batch, Self.mostChunks / max(1, ahead.blocks.count)))
            let batch = Array(list[index..<min(index + count, list.count)])
            ahead.views = try reader.views(of: batch, in: ahead.blocks, damaged: &damaged)
            return ahead.views.removeValue(forKey: list[index].id) ?? []
        } catch {
            throw QueryError(.store, "\(error)")
        }
    }
}
