internal import MetricsAPI
internal import Wire

/// The time, the distance of points and the page size that a call asks for, checked: what `query` and `queryRange` share.
package struct AskedRange: Hashable, Sendable {
    /// Points of one series that a query with steps may ask for, and points of a page (Prometheus's own limit).
    package static let mostPoints = 11_000
    /// The range where `fromMs` is not given.
    private static let standardMs: Int64 = 3_600_000
    /// Until 9999-12-31: later times are mistakes. So nothing that is added to them overflows.
    static let times: ClosedRange<Int64> = 0...253_402_300_799_999

    package let fromMs: Int64
    package let toMs: Int64

    /// Fills in what is not given: until now, from an hour before.
    init(fromMs: Int64?, toMs: Int64?, now: Int64) throws(RPCError) {
        for time in [fromMs, toMs].compactMap(\.self) {
            guard Self.times.contains(time) else {
                throw MetricsErrors.invalidRange("\(time) is no time in ms from 1970 to 9999")
            }
        }
        let end = toMs ?? max(now, fromMs ?? now)
        self.fromMs = fromMs ?? max(0, end - Self.standardMs)
        self.toMs = end
        guard self.fromMs <= end, Self.times.contains(end) else {
            throw MetricsErrors.invalidRange("from \(self.fromMs) to \(end)")
        }
    }

    /// Refuses more points a series than one query gives, with the step that would do.
    func checkPoints(stepMs: Int64) throws(RPCError) {
        guard stepMs > 0 else { throw MetricsErrors.invalidRange("stepMs is \(stepMs); it has to be over 0") }
        let points = (toMs - fromMs) / stepMs + 1
        let most = Int64(Self.mostPoints)
        guard points <= most else {
            throw MetricsErrors.tooManyPoints(asked: points, most: most, leastStepMs: (toMs - fromMs) / most + 1)
        }
    }

    /// How many points a page may have.
    static func points(inPage limit: Int?) throws(RPCError) -> Int {
        let points = limit ?? mostPoints
        guard (1...mostPoints).contains(points) else {
            throw MetricsErrors.invalidRange("limit is \(points); 1 to \(mostPoints) is taken")
        }
        return points
    }
}
