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

    mutating func drop(blocks numbers: [Int64], series ids: [SeriesID]) {
        blocks.removeAll { numbers.contains($0.number) }
        series.removeAll { ids.contains($0.id) }
    }

    var summaries: [BlockSummary] {
        blocks.map { BlockSummary(number: $0.number, toMs: $0.times.last ?? 0, sizeBytes: Int64($0.sizeBytes)) }
    }

    /// Gives a machine that asked for it what is here.
    func restore(_ machine: inout MetricsMachine, now: Moment) -> [MetricsMachine.Action] {
        var last: [SeriesID: Int64] = [:]
        for block in blocks {
            for chunk in block.chunks {
                last[chunk.series] = max(last[chunk.series] ?? .min, block.times.last ?? .min)
            }
        }
        return machine.storeRead(
            series: series.map { ($0.id, $0.labels, last[$0.id]) }, lastBlock: lastBlock,
            records: records.map(\.bytes), now: now)
    }
}
