/// One value of a series.
package struct Sample: Hashable, Sendable {
    package var timeMs: Int64
    /// The value's bit pattern, so that a stale marker stays what it is.
    package var pattern: UInt64

    package init(timeMs: Int64, pattern: UInt64) {
        self.timeMs = timeMs
        self.pattern = pattern
    }

    package var value: Double { Double(bitPattern: pattern) }
    package var isStale: Bool { pattern == Staleness.bits }
}

/// Reads one series' values in order of time, through chunks of the store and the head. Blocks overlap only where the clock was
/// set back; of two values with one time the one measured later counts.
package struct SampleCursor: Sendable {
    private var views: [ChunkView]
    private var current = 0
    private var decoder: ValueDecoder?
    private var tick = 0
    private var merged: [Sample] = []
    private var mergedAt = 0

    /// - Parameter views: in any order; a block that appears twice (it reached the store while the query was planned) is read once.
    package init(_ views: [ChunkView]) {
        var seen: Set<Int64> = []
        self.views = views.filter { view in
            guard view.chunk.count > 0, view.chunk.start + view.chunk.count <= view.times.count else { return false }
            return seen.insert(view.block).inserted
        }.sorted { ($0.times[$0.chunk.start], $0.block) < ($1.times[$1.chunk.start], $1.block) }
        if overlaps { merge() }
    }

    private static func lastTime(_ view: ChunkView) -> Int64 { view.times[view.chunk.start + view.chunk.count - 1] }

    private var overlaps: Bool {
        zip(views, views.dropFirst()).contains { Self.lastTime($0) >= $1.times[$1.chunk.start] }
    }

    private mutating func merge() {
        var byTime: [Int64: (block: Int64, pattern: UInt64)] = [:]
        for view in views {
            var decoder = ValueDecoder(bits: view.chunk.bits, count: view.chunk.count)
            var tick = view.chunk.start
            while let pattern = decoder.next() {
                let time = view.times[tick]
                if (byTime[time]?.block ?? Int64.min) <= view.block { byTime[time] = (view.block, pattern) }
                tick += 1
            }
        }
        merged = byTime.map { Sample(timeMs: $0.key, pattern: $0.value.pattern) }.sorted { $0.timeMs < $1.timeMs }
        views = []
    }

    /// The next value, stale markers included; nil after the last.
    package mutating func next() -> Sample? {
        while current < views.count {
            if decoder == nil {
                let chunk = views[current].chunk
                decoder = ValueDecoder(bits: chunk.bits, count: chunk.count)
                tick = chunk.start
            }
            if let pattern = decoder?.next() {
                defer { tick += 1 }
                return Sample(timeMs: views[current].times[tick], pattern: pattern)
            }
            decoder = nil
            current += 1
        }
        guard mergedAt < merged.count else { return nil }
        defer { mergedAt += 1 }
        return merged[mergedAt]
    }
}

extension SampleCursor {
    /// All that is left from `fromMs` to `toMs`, both included: what `next` gives one by one, a chunk at a time.
    mutating func rest(fromMs: Int64, toMs: Int64) -> SampleRun {
        var run = SampleRun()
        if decoder == nil {
            let wanted = views[min(current, views.count)...]
                .filter { Self.lastTime($0) >= fromMs && $0.times[$0.chunk.start] <= toMs }
            run.reserve(wanted.reduce(0) { $0 + $1.chunk.count })
            for view in wanted { run.append(view, fromMs: fromMs, toMs: toMs) }
            current = views.count
        }
        while let sample = next(), sample.timeMs <= toMs {
            if sample.timeMs >= fromMs { run.append(sample.timeMs, sample.value) }
        }
        return run
    }
}

extension SampleRun {
    /// The part of a chunk from `fromMs` to `toMs`.
    fileprivate mutating func append(_ view: ChunkView, fromMs: Int64, toMs: Int64) {
        let before = values.count
        let chunk = view.chunk
        let count = ValueDecoder.decode(chunk.bits, count: chunk.count, into: &values)
        let times = view.times[chunk.start..<chunk.start + count]
        let first = times.first.map { $0 >= fromMs } ?? true ? 0 : times.count { $0 < fromMs }
        let behind = times.last.map { $0 <= toMs } ?? true ? 0 : times.count { $0 > toMs }
        values.removeLast(behind)
        values.removeSubrange(before..<before + min(first, count - behind))
        self.times += times.dropFirst(first).dropLast(behind)
    }
}

/// Which points of a series are asked for.
package struct RangeWindow: Hashable, Sendable {
    package var fromMs: Int64
    package var toMs: Int64
    /// The distance of points; 0 asks for the values as they were measured.
    package var stepMs: Int64

    /// How old a value may be to stand for a point: Prometheus's default `--query.lookback-delta`, 5 minutes.
    package static let lookbackMs: Int64 = 300_000

    package init(fromMs: Int64, toMs: Int64, stepMs: Int64) {
        self.fromMs = fromMs
        self.toMs = toMs
        self.stepMs = stepMs
    }

    /// From when on values can matter.
    package var oldestMs: Int64 { stepMs == 0 ? fromMs : fromMs - Self.lookbackMs }

    /// The points of one series, at most `limit`, from `resumeMs` on (a time that an earlier call gave as `nextMs`, or
    /// `fromMs`). With a step it is Prometheus's instant selector at each point: the latest value not older than the lookback (its
    /// far end included, as seen in Prometheus 2.42), and none where that value is a stale marker.
    package func points(
        of cursor: inout SampleCursor, resumeMs: Int64, limit: Int
    ) -> (points: [Sample], nextMs: Int64?) {
        stepMs == 0
            ? measured(&cursor, resumeMs: resumeMs, limit: limit) : stepped(&cursor, resumeMs: resumeMs, limit: limit)
    }

    private func measured(
        _ cursor: inout SampleCursor, resumeMs: Int64, limit: Int
    ) -> (points: [Sample], nextMs: Int64?) {
        var points: [Sample] = []
        while let sample = cursor.next(), sample.timeMs <= toMs {
            guard sample.timeMs >= resumeMs, !sample.isStale else { continue }
            guard points.count < limit else { return (points, sample.timeMs) }
            points.append(sample)
        }
        return (points, nil)
    }

    private func stepped(
        _ cursor: inout SampleCursor, resumeMs: Int64, limit: Int
    ) -> (points: [Sample], nextMs: Int64?) {
        var points: [Sample] = []
        var latest: Sample?
        var ahead = cursor.next()
        var time = resumeMs
        while time <= toMs {
            while let sample = ahead, sample.timeMs <= time {
                latest = sample
                ahead = cursor.next()
            }
            if let value = latest, !value.isStale, value.timeMs >= time - Self.lookbackMs {
                guard points.count < limit else { return (points, time) }
                points.append(Sample(timeMs: time, pattern: value.pattern))
                time += stepMs
            } else {
                // Nothing can show before the next value: go on at the first point that it can stand for.
                guard let sample = ahead else { return (points, nil) }
                time += (sample.timeMs - time + stepMs - 1) / stepMs * stepMs
            }
        }
        return (points, nil)
    }
}
