import MetricsCore
import Time

/// What must hold of metricsd at every step of every run, counted by somebody who knows only what was asked of collectors and
/// shown to clients. What is found broken comes back as a sentence.
struct MetricsJudge {
    /// A starved host's timers come this much later, and a little more.
    private static let lateness: Duration = .seconds(2)
    /// Attempts before a collector counts as down (R3.2).
    private static let attempts = 5

    private struct Collector {
        var lastOrder: Instant?
        /// Since when nothing ails it and metricsd runs.
        var wellSince: Instant?
        var failures = 0
        var isOut = false
    }

    /// What a query has shown of one series in one block, and promised to keep.
    private struct Shown {
        var block: Int64
        var times: ArraySlice<Int64>
    }

    private let interval: Duration
    private var collectors: [String: Collector] = [:]
    private var shown: [SeriesID: Shown] = [:]
    /// Since when the settable clock was not set, as far as metricsd can know.
    private var isSteadySince: Instant?

    init(interval: Duration) { self.interval = interval }

    mutating func started(_ names: [String], now: Instant) {
        isSteadySince = now
        for name in names { collectors[name] = Collector(wellSince: now) }
    }

    mutating func ailed(_ name: String) { collectors[name]?.wellSince = nil }
    mutating func healed(_ name: String, now: Instant) { collectors[name]?.wellSince = now }

    /// A round was ordered.
    mutating func ordered(_ name: String, now: Instant) -> String? {
        guard var collector = collectors[name] else { return nil }
        defer { collectors[name] = collector }
        let wait = collector.lastOrder.map { now - $0 }
        collector.lastOrder = now
        if collector.isOut { return "metrics: \(name) was asked while it had not answered" }
        collector.isOut = true
        if let wait, collector.failures > Self.attempts, wait < interval - Self.lateness {
            return "metrics: \(name) is down and was asked again within its interval"
        }
        return nil
    }

    mutating func answered(_ name: String, isGood: Bool, isTold: Bool) -> String? {
        collectors[name]?.isOut = false
        let failures = isGood ? 0 : (collectors[name]?.failures ?? 0) + 1
        collectors[name]?.failures = failures
        return failures == Self.attempts && !isTold ? "metrics: \(name) failed \(failures) times and is not down" : nil
    }

    /// A round that hung counts as all attempts at once.
    mutating func hung(_ name: String) { collectors[name]?.failures = Self.attempts }

    /// A collector that nothing ails is asked in every interval, whatever ails the others.
    func looked(now: Instant) -> String? {
        let late = collectors.filter { _, collector in
            guard let since = collector.wellSince else { return false }
            return now - max(since, collector.lastOrder ?? since) > interval + Self.lateness
        }
        return late.keys.min().map { "metrics: \($0) was held up" }
    }

    /// The clock was set; what a slewed clock does as well is no step.
    mutating func clockStepped(byMs step: Int64, now: Instant) { if step.magnitude > 10_000 { isSteadySince = now } }

    /// Blocks are dropped: while the clock was set within the hour, for want of room only.
    func dropped(_ numbers: [Int64], of store: SimulatedStore, keeps limit: Int64, now: Instant) -> String? {
        guard let since = isSteadySince, now - since < .seconds(3600), !numbers.isEmpty else { return nil }
        let size = store.segments.reduce(0) { $0 + $1.sizeBytes }
        return size > limit ? nil : "metrics: blocks were dropped for their age by a clock that had just been set"
    }

    /// What was dropped is promised no more.
    mutating func gone(_ numbers: [Int64]) { shown = shown.filter { !numbers.contains($0.value.block) } }

    /// A query has shown these, and they are promised.
    mutating func showed(_ view: ChunkView) {
        shown[view.chunk.series] = Shown(
            block: view.block, times: view.times.prefix(view.chunk.start + view.chunk.count))
    }

    /// After a start: everything that was shown is there. A round's value is its time.
    func restored(_ machine: MetricsMachine, _ store: SimulatedStore) -> String? {
        for (series, shown) in shown.sorted(by: { $0.key < $1.key }) {
            let stored = store.blocks.first { $0.number == shown.block }.flatMap { block in
                block.chunks.first { $0.series == series }
                    .map { ChunkView(block: block.number, times: block.times, chunk: $0) }
            }
            let view =
                stored
                ?? machine.head.chunks(of: series, includingUncommitted: false).first { $0.block == shown.block }
            guard let view, Self.holds(shown, view) else {
                return "metrics: a value that was shown is gone (series \(series.value), block \(shown.block))"
            }
        }
        return nil
    }

    private static func holds(_ shown: Shown, _ view: ChunkView) -> Bool {
        guard view.chunk.start + view.chunk.count >= shown.times.count,
            view.times.prefix(shown.times.count) == shown.times
        else { return false }
        var decoder = ValueDecoder(bits: view.chunk.bits, count: view.chunk.count)
        return shown.times.dropFirst(view.chunk.start).allSatisfy { time in
            let bits = decoder.next()
            return bits == Double(time).bitPattern || bits == Staleness.bits
        }
    }
}
