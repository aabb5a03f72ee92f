package import MetricsAPI
package import Time
package import Wire

/// One series of an import.
package struct ImportedSeries: Hashable, Sendable {
    package var labels: Labels
    package var run: SampleRun

    package init(labels: Labels, run: SampleRun) {
        self.labels = labels
        self.run = run
    }
}

/// Reads a text of samples with their times, whole or not at all.
package enum ImportReader {
    /// The series of `text`, each with its values in order of time; of two with one time the later line counts.
    package static func read(_ text: String, format: TextFormat) throws(RPCError) -> [ImportedSeries] {
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBytes { raw in Result { () throws(RPCError) in try read(raw, format) } }.get()
    }

    private static func read(_ bytes: UnsafeRawBufferPointer, _ format: TextFormat) throws(RPCError) -> [ImportedSeries]
    {
        var found: [ImportedSeries] = []
        var places: [Labels: Int] = [:]
        var last: (text: Range<Int>, place: Int)?
        var exposition = Exposition(bytes, takesStale: true)
        while let sample = exposition.next() {
            let line = { 1 + bytes[..<sample.series.lowerBound].count { $0 == 0x0a } }
            guard let stamp = sample.stamp, let time = time(bytes, stamp, format), AskedRange.times.contains(time)
            else {
                throw MetricsErrors.invalidImport(line: line(), problem: "no time, or none from 1970 to 9999")
            }
            let place: Int
            // Dumps have a series' samples one after another: its labels are read once.
            if let last, bytes[last.text].elementsEqual(bytes[sample.series]) {
                place = last.place
            } else {
                let name = UnsafeRawBufferPointer(rebasing: bytes[sample.series])
                guard let labels = Exposition.labels(name) else {
                    throw MetricsErrors.invalidImport(line: line(), problem: "the series cannot be read")
                }
                if let excess = SeriesBounds.excess(of: labels) {
                    throw MetricsErrors.invalidImport(line: line(), problem: excess)
                }
                place = places[labels] ?? found.count
                if place == found.count {
                    places[labels] = place
                    found.append(ImportedSeries(labels: labels, run: SampleRun()))
                }
            }
            last = (sample.series, place)
            found[place].run.append(time, sample.value)
        }
        guard exposition.badLines == 0 else {
            let line = 1 + bytes[..<(exposition.firstBadLine ?? 0)].count { $0 == 0x0a }
            throw MetricsErrors.invalidImport(line: line, problem: "expected a series, a value and a time")
        }
        return found.map { ImportedSeries(labels: $0.labels, run: $0.run.inOrder) }
    }

    private static func time(_ bytes: UnsafeRawBufferPointer, _ stamp: Range<Int>, _ format: TextFormat) -> Int64? {
        let text = UnsafeRawBufferPointer(rebasing: bytes[stamp])
        guard let number = Exposition.number(text) else { return nil }
        let ms = format == .openMetrics ? (number * 1000).rounded() : number
        return Int64(exactly: ms)
    }
}

extension SampleRun {
    /// By time, each time once: the value that was appended last.
    fileprivate var inOrder: SampleRun {
        guard zip(times, times.dropFirst()).contains(where: { $0 >= $1 }) else { return self }
        var sorted = SampleRun()
        for place in times.indices.sorted(by: { (times[$0], $0) < (times[$1], $1) }) {
            if sorted.times.last == times[place] {
                sorted.values[sorted.values.count - 1] = values[place]
            } else {
                sorted.append(times[place], values[place])
            }
        }
        return sorted
    }
}

extension Head {
    /// The group that imported blocks are of.
    package static let importGroup = "import"

    /// Takes in samples as blocks of their own, which wait to be written. Series with the same times share a block, so a dump of
    /// scrapes takes as little room as what is measured here.
    package mutating func takeIn(_ series: [ImportedSeries]) {
        var order: [[Int64]] = []
        var blocks: [[Int64]: [ImportedSeries]] = [:]
        for one in series {
            for start in stride(from: 0, to: one.run.count, by: BlockFormat.mostTicks) {
                let range = start..<min(start + BlockFormat.mostTicks, one.run.count)
                let part = SampleRun(times: Array(one.run.times[range]), values: Array(one.run.values[range]))
                if blocks[part.times] == nil { order.append(part.times) }
                blocks[part.times, default: []].append(ImportedSeries(labels: one.labels, run: part))
            }
        }
        for times in order { keepBlock(of: Self.importGroup, times: times, blocks[times] ?? []) }
    }
}

extension MetricsMachine {
    /// Refuses an import that could not be kept whole: for more series than there may be, or for its age.
    package func checkImport(_ series: [ImportedSeries], now: Moment) throws(RPCError) {
        if let problem = storeProblem { throw MetricsErrors.storeUnavailable(problem) }
        let new = series.count { head.index.number(of: $0.labels) == nil }
        let beyond = head.index.count + new - head.index.limit
        guard beyond <= 0 else {
            throw MetricsErrors.importTooLarge(beyond: beyond, most: head.limits.series)
        }
        let keptFromMs = now.wall.milliseconds - settings.retention.ageMs
        let oldestMs = series.compactMap(\.run.times.first).min() ?? keptFromMs
        guard oldestMs >= keptFromMs else {
            throw MetricsErrors.importTooOld(oldestMs: oldestMs, keptFromMs: keptFromMs)
        }
    }
}
