package import MetricsAPI
package import Time
package import Wire

/// The figures that scripts and services pushed. Each stands until it is pushed again, for five minutes at most.
package struct PushBoard: Sendable {
    private struct Entry: Sendable {
        var value: Double
        var at: Instant
    }

    /// How long a figure stands: as long as PromQL would show it, were it measured once.
    package static let standsFor: Duration = .milliseconds(RangeWindow.lookbackMs)
    /// Series of one service.
    package static let mostSeries = 1000

    private var boards: [String: [Labels: Entry]] = [:]
    private var table: [Labels] = []
    private var isChanged = true

    package init() {}

    /// Takes the samples of one call, all or none.
    package mutating func push(_ params: PushMetrics.Params, now: Instant) throws(RPCError) -> Int {
        expire(now: now)
        var board = boards[params.service] ?? [:]
        let before = board.count
        for (index, sample) in params.samples.enumerated() {
            if let excess = SeriesBounds.excess(metric: sample.name, labels: sample.labels) {
                throw MetricsErrors.invalidSample(index: index, problem: excess)
            }
            guard Labels.isMetricName(sample.name) else {
                throw MetricsErrors.invalidSample(
                    index: index, problem: "\"\(sample.name.prefix(100))\" is no metric name")
            }
            if let label = sample.labels.keys.sorted().first(where: { !Labels.isLabelName($0) }) {
                throw MetricsErrors.invalidSample(index: index, problem: "\"\(label.prefix(100))\" is no label name")
            }
            let labels = Labels(name: sample.name, map: sample.labels).adding("service", params.service)
                .adding("job", "push")
            board[labels] = Entry(value: sample.value.value, at: now)
        }
        guard board.count <= Self.mostSeries else {
            throw MetricsErrors.tooManySeries(service: params.service, most: Self.mostSeries)
        }
        if board.count != before { isChanged = true }
        boards[params.service] = board
        return params.samples.count
    }

    private mutating func expire(now: Instant) {
        for (service, board) in boards {
            let kept = board.filter { now - $0.value.at < Self.standsFor }
            guard kept.count < board.count else { continue }
            isChanged = true
            boards[service] = kept.isEmpty ? nil : kept
        }
    }

    /// What stands now.
    package mutating func round(withTable: Bool, now: Instant) -> Collection {
        expire(now: now)
        if isChanged {
            table = boards.values.flatMap(\.keys).map { ($0.description, $0) }.sorted { $0.0 < $1.0 }.map(\.1)
        }
        let values = table.map { labels in
            boards[labels.value(of: "service")]?[labels]?.value ?? Staleness.value
        }
        defer { isChanged = false }
        return Collection(table: isChanged || withTable ? table : nil, values: values)
    }
}
