import MetricsCore
import Time

/// metricsd's store as a kill leaves it: batches that were written whole.
struct SimulatedStore {
    private(set) var series: [NewSeries] = []
    private(set) var records: [Batch.Record] = []
    private(set) var blocks: [SealedBlock] = []
    private var lastBlock: Int64 = 0

    mutating func write(_ batch: Batch) {
        series += batch.series
        let sealed = Set(batch.sealed.map(\.number))
        records.removeAll { sealed.contains($0.block) }
        blocks.removeAll { sealed.contains($0.number) }
        blocks += batch.sealed
        records += batch.records
        for number in batch.sealed.map(\.number) + batch.records.map(\.block) { lastBlock = max(lastBlock, number) }
    }

    /// Each block is a segment of its own here.
    /// - Returns: the series that nothing is left of.
    mutating func drop(segments numbers: [Int64]) -> [SeriesID] {
        blocks.removeAll { numbers.contains($0.number) }
        let held = Set(blocks.flatMap { $0.chunks.map(\.series) })
        // The log goes on naming them.
        return series.map(\.id).filter { !held.contains($0) }
    }

    /// The segment that a full disk lets go of first; the last one stays.
    var oldest: Int64? { blocks.count > 1 ? blocks.min { ($0.times.last ?? 0) < ($1.times.last ?? 0) }?.number : nil }

    var segments: [StoredSegment] {
        blocks.map { StoredSegment(number: $0.number, toMs: $0.times.last ?? 0, sizeBytes: Int64($0.sizeBytes)) }
    }

    /// Gives a machine that asked for it what is here.
    func restore(_ machine: inout MetricsMachine, now: Moment) -> [MetricsMachine.Action] {
        let held = Set(blocks.flatMap { $0.chunks.map(\.series) })
        var content = StoredContent()
        content.series = series
        content.onlyLogged = series.map(\.id).filter { !held.contains($0) }
        content.lastBlock = lastBlock
        content.records = records.map(\.bytes)
        return machine.storeRead(content, now: now)
    }
}
