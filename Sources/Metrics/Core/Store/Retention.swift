/// A segment of the store as it is listed: the file that some blocks share, and that is dropped as a whole.
package struct StoredSegment: Hashable, Sendable {
    package var number: Int64
    /// The last time in it, ms since 1970.
    package var toMs: Int64
    package var sizeBytes: Int64

    package init(number: Int64, toMs: Int64, sizeBytes: Int64) {
        self.number = number
        self.toMs = toMs
        self.sizeBytes = sizeBytes
    }
}

/// How long and how much is kept. Both limits hold: what either one wants gone goes, oldest first.
package struct Retention: Hashable, Sendable {
    package var ageMs: Int64
    package var sizeBytes: Int64

    /// 15 days is Prometheus's default age; 512 MiB hold about 30 days of 500 series each second at 1.5 bytes a value.
    package init(ageMs: Int64 = 15 * 86_400_000, sizeBytes: Int64 = 512 << 20) {
        self.ageMs = ageMs
        self.sizeBytes = sizeBytes
    }

    /// The segments to drop, oldest first. Segments from a time that has not come yet (the clock was set back) count as new.
    /// - Parameter nowMs: nil where the clock is not believed: then nothing goes for its age.
    package func expired(_ segments: [StoredSegment], nowMs: Int64?) -> [Int64] {
        let oldestMs = nowMs.map { $0 - ageMs } ?? Int64.min
        var kept = segments.reduce(Int64(0)) { $0 + $1.sizeBytes }
        var dropped: [Int64] = []
        for segment in segments.sorted(by: { ($0.toMs, $0.number) < ($1.toMs, $1.number) }) {
            guard segment.toMs < oldestMs || kept > sizeBytes else { break }
            kept -= segment.sizeBytes
            dropped.append(segment.number)
        }
        return dropped
    }
}
