import MetricsCore

/// What an evaluation reads: series that the loop resolved, their values from the head (taken on the loop too) and from the store.
struct StoredSamples: SampleSource {
    /// Nil: the store was not read yet, and only the head answers.
    private let reader: BlockReader?
    private let resolved: [Selector: [BlockReader.Wanted]]
    private let wanted: [SeriesID: BlockReader.Wanted]
    private var blocks: (fromMs: Int64, toMs: Int64, found: [BlockReader.Block])?
    /// Records that were damaged and left out.
    private(set) var damaged = 0

    init(_ reader: BlockReader?, _ resolved: [Selector: [BlockReader.Wanted]]) {
        self.reader = reader
        self.resolved = resolved
        wanted = Dictionary(resolved.values.joined().map { ($0.id, $0) }) { first, _ in first }
    }

    mutating func series(_ selector: Selector) throws(QueryError) -> [SourceSeries] {
        (resolved[selector] ?? []).map { SourceSeries(id: $0.id, labels: $0.labels) }
    }

    mutating func samples(
        of series: SourceSeries, fromMs: Int64, toMs: Int64, atMost most: Int
    ) throws(QueryError) -> SampleRun {
        guard let wanted = wanted[series.id] else { return SampleRun() }
        guard let reader else { return SampleRun(SampleCursor(wanted.head), fromMs: fromMs, toMs: toMs) }
        let views = try views(of: wanted, reader, fromMs: fromMs, toMs: toMs)
        // A block at either end may reach beyond the time asked for; what lies between does not.
        guard views.dropFirst().dropLast().reduce(0, { $0 + $1.chunk.count }) <= most else {
            throw QueryError.tooLarge(most)
        }
        return SampleRun(SampleCursor(views), fromMs: fromMs, toMs: toMs)
    }

    private mutating func views(
        of wanted: BlockReader.Wanted, _ reader: BlockReader, fromMs: Int64, toMs: Int64
    ) throws(QueryError) -> [ChunkView] {
        do {
            // All series of a selector are read over the same time.
            if blocks?.fromMs != fromMs || blocks?.toMs != toMs {
                blocks = (fromMs, toMs, try reader.blocks(from: fromMs, to: toMs))
            }
            return try reader.views(of: wanted, in: blocks?.found ?? [], damaged: &damaged)
        } catch {
            throw QueryError(.store, "\(error)")
        }
    }
}
