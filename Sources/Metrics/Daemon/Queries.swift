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

    /// The reader is opened by the first job that needs it.
    private let worker: Worker<BlockReader?>
    private let path: String

    init(_ context: DaemonContext) {
        path = StoreFile.path(in: context.places.state)
        worker = context.worker(name: "query", limit: 256) { nil }
    }

    /// Opens the store for reading now, and not at the first query: on a full disk it could not be opened any more, while one
    /// that is open can still be read.
    func open() {
        let path = path
        worker.submit { reader in _ = try Self.opened(&reader, path) }
    }

    private nonisolated static func opened(_ reader: inout BlockReader?, _ path: String) throws -> BlockReader {
        if let reader { return reader }
        let fresh = try BlockReader(path: path)
        reader = fresh
        return fresh
    }

    /// Answers from the head alone while the store has not been read: the numbers that it gives to series are not known yet.
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
        let path = machine.isStoreRead ? path : nil
        worker.submit(deadline: Self.deadline) { reader in
            var answer =
                if let path {
                    try Self.opened(&reader, path).read(plan, wanted)
                } else {
                    BlockReader.readHead(plan, wanted)
                }
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
