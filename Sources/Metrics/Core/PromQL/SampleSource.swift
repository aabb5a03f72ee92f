/// The values of one series in order of time: parallel arrays, so that a loop over them touches nothing else.
package struct SampleRun: Hashable, Sendable {
    /// ms since 1970, ascending, each once.
    package var times: [Int64] = []
    package var values: [Double] = []

    package init() {}

    package init(times: [Int64], values: [Double]) {
        self.times = times
        self.values = values
    }

    /// What a cursor gives from `fromMs` to `toMs`, both included.
    package init(_ cursor: SampleCursor, fromMs: Int64, toMs: Int64) {
        var cursor = cursor
        self = cursor.rest(fromMs: fromMs, toMs: toMs)
    }

    package var count: Int { times.count }

    mutating func reserve(_ count: Int) {
        times.reserveCapacity(count)
        values.reserveCapacity(count)
    }

    /// Appends a value that is later than all before it.
    package mutating func append(_ timeMs: Int64, _ value: Double) {
        times.append(timeMs)
        values.append(value)
    }

    /// Without the markers that end a series: no function over a range sees them.
    func withoutMarkers() -> SampleRun {
        guard values.contains(where: { $0.bitPattern == Staleness.bits }) else { return self }
        var run = SampleRun()
        for (time, value) in zip(times, values) where value.bitPattern != Staleness.bits { run.append(time, value) }
        return run
    }
}

/// A series that a source holds.
package struct SourceSeries: Hashable, Sendable {
    package var id: SeriesID
    package var labels: Labels

    package init(id: SeriesID, labels: Labels) {
        self.id = id
        self.labels = labels
    }
}

/// Where an evaluation reads. It is asked from one thread, and may block.
package protocol SampleSource {
    /// The series that a selector means, in an order that does not change.
    mutating func series(_ selector: Selector) throws(QueryError) -> [SourceSeries]

    /// The values of a series from `fromMs` to `toMs`, both included, stale markers too. Where there are more than `most`,
    /// `QueryError.tooLarge`, if possible before they are read.
    mutating func samples(
        of series: SourceSeries, fromMs: Int64, toMs: Int64, atMost most: Int
    ) throws(QueryError) -> SampleRun
}
