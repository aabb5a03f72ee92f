/// All series that the store knows: from labels to number and back, and by metric name for selectors. Numbers only grow.
package struct SeriesIndex: Sendable {
    private var entries: [SeriesID: Labels] = [:]
    private var numbers: [Labels: SeriesID] = [:]
    private var byMetric: [String: [SeriesID]] = [:]
    private var next: UInt32 = 1

    /// The most series that are taken in; more are refused (and counted by who asks), never silently replaced.
    package var limit: Int

    package init(limit: Int) {
        self.limit = limit
    }

    package var count: Int { entries.count }

    package subscript(id: SeriesID) -> Labels? { entries[id] }

    /// The number of a series that is known.
    package func number(of labels: Labels) -> SeriesID? { numbers[labels] }

    /// The number for `labels`, a new one if they were not known; nil when the limit is reached.
    package mutating func resolve(_ labels: Labels) -> (id: SeriesID, isNew: Bool)? {
        if let known = numbers[labels] { return (known, false) }
        guard entries.count < limit, next < UInt32.max else { return nil }
        let id = SeriesID(next)
        next += 1
        insert(id, labels)
        return (id, true)
    }

    /// Takes in a series that the store already numbered (at start). Numbers given later are above it.
    package mutating func restore(_ id: SeriesID, labels: Labels) {
        guard entries[id] == nil, numbers[labels] == nil else { return }
        insert(id, labels)
        next = max(next, id.value &+ 1)
    }

    /// Forgets a series; its number is not given again.
    package mutating func remove(_ id: SeriesID) {
        guard let labels = entries.removeValue(forKey: id) else { return }
        numbers[labels] = nil
        byMetric[labels.metric]?.removeAll { $0 == id }
        if byMetric[labels.metric]?.isEmpty == true { byMetric[labels.metric] = nil }
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
            guard id > after, let labels = entries[id] else { return false }
            return selector.matches(labels)
        }.sorted()
    }

    private mutating func insert(_ id: SeriesID, _ labels: Labels) {
        entries[id] = labels
        numbers[labels] = id
        byMetric[labels.metric, default: []].append(id)
    }
}
