import MetricsAPI
import MetricsCore
import Runtime
import Time
import Wire

/// Runs range queries: what the head holds is taken on the loop (copies share the bits), blocks are read and points are made on
/// the thread `query`.
@Loop final class Queries {
    /// A page takes at most this long; the caller's own deadline is mostly shorter.
    private static let deadline: Duration = .seconds(30)

    private let worker: Worker<BlockReader>

    init(_ context: DaemonContext) {
        let path = BlockStore.path(in: context.places.state)
        worker = context.worker(name: "query", limit: 256) { try BlockReader(path: path) }
    }

    /// Opens the store for reading now, and not at the first query: on a full disk it could not be opened any more, while one
    /// that is open can still be read.
    func open() {
        worker.submit { _ in }
    }

    func run(_ plan: RangePlan, _ machine: MetricsMachine, _ responder: Responder<QueryRange.Reply>) {
        let all = plan.series(in: machine.head.index)
        let uncommitted = machine.showsUncommitted
        let wanted = all.prefix(RangePlan.mostSeries).compactMap { id -> BlockReader.Wanted? in
            guard let labels = machine.head.index[id]?.labels else { return nil }
            let head = machine.head.chunks(of: id, includingUncommitted: uncommitted)
            return BlockReader.Wanted(id: id, labels: labels, head: head)
        }
        let beyond = all.dropFirst(RangePlan.mostSeries).first
        let committedToMs = machine.head.committedToMs
        worker.submit(deadline: Self.deadline) { reader in
            var answer = try reader.read(plan, wanted)
            if let beyond { answer.page.end(before: beyond) }
            return answer
        } then: { result in
            switch result {
            case .success(let answer):
                responder.succeed(
                    QueryRange.Reply(
                        series: answer.page.series, next: answer.page.next, committedToMs: committedToMs,
                        uncommitted: uncommitted, damaged: answer.damaged))
            case .failure(let error):
                responder.fail(MetricsErrors.storeUnavailable("\(error)"))
            }
        }
    }
}
