/// All series that the store knows: from labels to number and back, and by metric name for selectors. Numbers only grow.
package struct SeriesIndex: Sendable {
    /// What the index keeps of one series.
    package struct Entry: Hashable, Sendable {
        package var labels: Labels
        /// The last time at which a block holds a value of it, ms since 1970; nil before its first block is written.
        package var lastMs: Int64?
    }

    private var entries: [SeriesID: Entry] = [:]
    private var numbers: [Labels: SeriesID] = [:]
    private var byMetric: [String: [SeriesID]] = [:]
    private var next: UInt32 = 1

    /// The most series that are taken in; more are refused (and counted by who asks), never silently replaced.
    package var limit: Int

    package init(limit: Int) {
        self.limit = limit
    }

    package var count: Int { entries.count }

    package subscript(id: SeriesID) -> Entry? { entries[id] }

    /// The number of a series that is known.
    package func number(of labels: Labels) -> SeriesID? { numbers[labels] }

    /// The number for `labels`, a new one if they were not known; nil when the limit is reached.
    package mutating func resolve(_ labels: Labels) -> (id: SeriesID, isNew: Bool)? {
        if let known = numbers[labels] { return (known, false) }
        guard entries.count < limit, next < UInt32.max else { return nil }
        let id = SeriesID(next)
        next += 1
        insert(id, Entry(labels: labels, lastMs: nil))
        return (id, true)
    }

    /// Takes in a series that the store already numbered (at start). Numbers given later are above it.
    package mutating func restore(_ id: SeriesID, labels: Labels, lastMs: Int64?) {
        guard entries[id] == nil, numbers[labels] == nil else { return }
        insert(id, Entry(labels: labels, lastMs: lastMs))
        next = max(next, id.value &+ 1)
    }

    /// Numbers up to `id` were given before, even if their series are gone.
    package mutating func neverReuse(upTo id: SeriesID) { next = max(next, id.value &+ 1) }

    /// A block was closed whose last value of the series is at `lastMs` (ms since 1970) or before.
    package mutating func noteBlock(of id: SeriesID, lastMs: Int64) {
        guard let known = entries[id]?.lastMs else {
            entries[id]?.lastMs = lastMs
            return
        }
        entries[id]?.lastMs = max(known, lastMs)
    }

    /// Forgets a series; its number is not given again.
    package mutating func remove(_ id: SeriesID) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        numbers[entry.labels] = nil
        byMetric[entry.labels.metric]?.removeAll { $0 == id }
        if byMetric[entry.labels.metric]?.isEmpty == true { byMetric[entry.labels.metric] = nil }
    }

    /// The series that `selector` means, by number, so that pages of a result keep their order. `after` leaves out those up to
    /// and including that number.
    package func select(_ selector: Selector, after: SeriesID = SeriesID(0)) -> [SeriesID] {
        let candidates: [SeriesID]
        if let metric = selector.metric {
            candidates = byMetric[metric] ?? []
        } else {
            candidates = Array(entries.keys)
        }
        return candidates.filter { id in
            guard id > after, let entry = entries[id] else { return false }
            return selector.matches(entry.labels)
        }.sorted()
    }

    /// The series whose last block ended before `horizonMs`.
    package func silent(since horizonMs: Int64) -> [SeriesID] {
        entries.filter { ($0.value.lastMs ?? Int64.max) < horizonMs }.keys.sorted()
    }

    private mutating func insert(_ id: SeriesID, _ entry: Entry) {
        entries[id] = entry
        numbers[entry.labels] = id
        byMetric[entry.labels.metric, default: []].append(id)
    }
}
