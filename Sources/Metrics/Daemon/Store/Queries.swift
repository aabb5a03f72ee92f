import MetricsAPI
import MetricsCore
import Runtime
import Time
import Wire

/// Runs queries: what the head holds is taken on the loop (copies share the bits), blocks are read and points are made on
/// the thread `query`.
@Loop final class Queries {
    /// A page takes at most this long; the caller's own deadline is mostly shorter.
    private static let deadline: Duration = .seconds(30)

    private let worker: Worker<Void>
    private let folder: StoreFolder
    /// What the disk holds, as of the last commit.
    var segments: [Segment] = []

    init(_ context: DaemonContext) {
        folder = StoreFolder(path: context.places.state)
        worker = context.worker(name: "query", limit: 256) {}
    }

    /// Reads a page of values.
    func run(_ plan: RangePlan, _ machine: MetricsMachine, _ responder: Responder<QueryRange.Reply>) {
        let (uncommitted, committedToMs) = (machine.showsUncommitted, machine.head.committedToMs)
        read(plan, machine, for: responder) { answer in
            QueryRange.Reply(
                series: answer.page.series, next: answer.page.next, committedToMs: committedToMs,
                uncommitted: uncommitted, damaged: answer.damaged)
        }
    }

    /// The same as text.
    func run(
        _ plan: RangePlan, _ machine: MetricsMachine, _ params: ExportSamples.Params, _ responder: Responder<TextPage>
    ) {
        read(plan, machine, for: responder) { answer in
            ExportText.page(
                answer.page.series, next: answer.page.next, isFirst: params.cursor == nil, format: params.format)
        }
    }

    /// Answers from the head alone while the store has not been read: the numbers that it gives to series are not known yet.
    private func read<Reply: WireObject>(
        _ plan: RangePlan, _ machine: MetricsMachine, for responder: Responder<Reply>,
        _ made: @escaping @Sendable (BlockReader.Answer) -> Reply
    ) {
        let all = plan.series(in: machine.head.index)
        let wanted = Self.wanted(all.prefix(RangePlan.mostSeries), machine)
        let beyond = all.dropFirst(RangePlan.mostSeries).first
        let (folder, segments) = (folder, machine.isStoreRead ? segments : nil)
        worker.submit(deadline: Self.deadline) { _ in
            var answer =
                if let segments {
                    try BlockReader(folder, segments).read(plan, wanted)
                } else {
                    BlockReader.readHead(plan, wanted)
                }
            if let beyond { answer.page.end(before: beyond) }
            return made(answer)
        } then: { result in
            switch result {
            case .success(let reply): responder.succeed(reply)
            case .failure(let error): responder.fail(MetricsErrors.storeUnavailable("\(error)"))
            }
        }
    }

    private static func wanted(_ series: some Sequence<SeriesID>, _ machine: MetricsMachine) -> [BlockReader.Wanted] {
        let uncommitted = machine.showsUncommitted
        return series.compactMap { id in
            guard let labels = machine.head.index[id] else { return nil }
            let head = machine.head.chunks(of: id, includingUncommitted: uncommitted)
            return BlockReader.Wanted(id: id, labels: labels, head: head)
        }
    }

    /// Evaluates PromQL. The thread `query` finds the series and evaluates; between the two the loop hands it what the head has of
    /// them. So no expression, whatever it asks for, holds up the loop for longer than that copy.
    /// - Parameter machine: what it is at that moment.
    func run(_ plan: QueryPlan, _ machine: @escaping @Loop () -> MetricsMachine, _ responder: Responder<Query.Reply>) {
        let allowed = min(responder.deadline, Self.deadline)
        let end = HostClock.now().instant + allowed
        let index = machine().head.index
        worker.submit(deadline: allowed) { _ in
            var found: [Selector: [SeriesID]] = [:]
            for selector in plan.selectors {
                guard HostClock.now().instant < end else { throw QueryError.overdue }
                found[selector] = index.select(selector)
            }
            return found
        } then: { [weak self] result in
            switch result {
            case .success(let found): self?.evaluate(plan, found, machine(), until: end, responder)
            case .failure(let error): responder.fail(Self.refusal(error))
            }
        }
    }

    private func evaluate(
        _ plan: QueryPlan, _ found: [Selector: [SeriesID]], _ machine: MetricsMachine, until end: Instant,
        _ responder: Responder<Query.Reply>
    ) {
        let resolved = found.mapValues { Self.wanted($0, machine) }
        let uncommitted = machine.showsUncommitted
        let committedToMs = machine.head.committedToMs
        let (folder, segments) = (folder, machine.isStoreRead ? segments : nil)
        worker.submit(deadline: max(.zero, end - HostClock.now().instant)) { _ in
            var evaluation = Evaluation(
                StoredSamples(segments.map { BlockReader(folder, $0) }, resolved), steps: plan.steps,
                patterns: QueryPatterns.compile,
                isOverdue: { HostClock.now().instant >= end })
            var reply = try plan.page(of: try evaluation.run(plan.expression))
            reply.committedToMs = committedToMs
            reply.uncommitted = uncommitted
            reply.damaged = evaluation.source.damaged
            return reply
        } then: { result in
            switch result {
            case .success(let reply): responder.succeed(reply)
            case .failure(let error): responder.fail(Self.refusal(error))
            }
        }
    }

    private static func refusal(_ error: any Error) -> RPCError {
        switch error {
        case let error as QueryError: error.refusal
        case let error as RPCError: error
        case WorkerError.deadlineExceeded: QueryError.overdue.refusal
        default: MetricsErrors.storeUnavailable("\(error)")
        }
    }

    /// Holds the next file of the store against its checksums.
    func verify(_ params: VerifyStore.Params, _ responder: Responder<VerifyStore.Reply>) {
        let folder = folder
        worker.submit(deadline: min(responder.deadline, Self.deadline)) { _ in
            try StoreCheck.page(folder, after: params.cursor)
        } then: { result in
            switch result {
            case .success(let reply): responder.succeed(reply)
            case .failure(let error): responder.fail(MetricsErrors.storeUnavailable("\(error)"))
            }
        }
    }

    /// Reads the text of an import, and hands its series to `then` on the loop, or refuses the call.
    func read(
        _ params: ImportSamples.Params, _ responder: Responder<ImportSamples.Reply>,
        then: @escaping @Loop @Sendable ([ImportedSeries]) -> Void
    ) {
        worker.submit(deadline: min(responder.deadline, Self.deadline)) { _ in
            try ImportReader.read(params.text, format: params.format)
        } then: { result in
            switch result {
            case .success(let series): then(series)
            case .failure(let error): responder.fail(Self.refusal(error))
            }
        }
    }
}
