package import Wire

/// What a collector measures: the seed's four levels, what the service runs on, and Mainstay's own daemons.
package enum Level: String, WireValue, CaseIterable {
    /// The service's own figures, from its `/metrics` or pushed by it.
    case application
    /// The guarded unit's processes.
    case process
    /// The guarded unit's cgroup.
    case container
    /// The host.
    case system
    /// Databases and caches that the service needs.
    case infrastructure
    /// Mainstay's own daemons.
    case suite
}

/// A series by name and labels.
package struct SeriesName: WireObject {
    package var name: String
    package var labels: [String: String]

    package init(name: String, labels: [String: String]) {
        self.name = name
        self.labels = labels
    }

    package init(from fields: inout Fields) throws(WireError) {
        name = try fields.value("name")
        labels = try fields.value("labels", or: [:])
    }

    package func write(to object: inout ObjectWriter) {
        object.member("name", name)
        object.member("labels", labels)
    }
}

/// A value as text that reads back the same: `0.5`, `12`, `NaN`, `+Inf`, `-Inf` (Prometheus's forms).
package struct SampleValue: WireValue, Hashable {
    package var value: Double

    package init(_ value: Double) { self.value = value }

    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        let text = try String(wire: wire, unknown: unknown)
        guard let value = Self.number(text) else {
            throw WireError(place: "", problem: "expected a number as text, found \"\(text)\"")
        }
        self.value = value
    }

    package func write(to writer: inout JSONWriter) { writer.string(Self.text(value)) }

    /// The value's text. Whole numbers up to 2^53 carry no fraction.
    package static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value.rounded(.towardZero) == value, value.magnitude <= 9_007_199_254_740_992 {
            return value.sign == .minus && value == 0 ? "-0" : String(Int64(value))
        }
        return value.description
    }

    /// The value of a text; nil where it is no number.
    package static func number(_ text: String) -> Double? {
        switch text {
        case "NaN": .nan
        case "+Inf", "Inf": .infinity
        case "-Inf": -.infinity
        default: Double(text)
        }
    }
}

/// One point: `[ms since 1970, "value"]`.
package struct Point: WireValue, Hashable {
    package var timeMs: Int64
    package var value: SampleValue

    package init(timeMs: Int64, value: Double) {
        self.timeMs = timeMs
        self.value = SampleValue(value)
    }

    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        guard case .array(let parts) = wire, parts.count == 2 else {
            throw .expected("[milliseconds, \"value\"]", found: wire)
        }
        timeMs = try Int64(wire: parts[0], unknown: unknown)
        value = try SampleValue(wire: parts[1], unknown: unknown)
    }

    private enum Part: WireValue {
        case time(Int64)
        case value(SampleValue)

        init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
            self = .time(try Int64(wire: wire, unknown: unknown))
        }

        func write(to writer: inout JSONWriter) {
            switch self {
            case .time(let time): writer.integer(time)
            case .value(let value): value.write(to: &writer)
            }
        }
    }

    package func write(to writer: inout JSONWriter) { writer.array([Part.time(timeMs), Part.value(value)]) }
}

/// A series with points.
package struct SeriesPoints: WireObject {
    package var name: String
    package var labels: [String: String]
    package var points: [Point]

    package init(name: String, labels: [String: String], points: [Point]) {
        self.name = name
        self.labels = labels
        self.points = points
    }

    package init(from fields: inout Fields) throws(WireError) {
        name = try fields.value("name")
        labels = try fields.value("labels", or: [:])
        points = try fields.value("points")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("name", name)
        object.member("labels", labels)
        object.member("points", points)
    }
}

/// The value of a series when it was last measured.
package struct CurrentSample: WireObject {
    package var name: String
    package var labels: [String: String]
    package var atMs: Int64
    package var value: SampleValue

    package init(name: String, labels: [String: String], atMs: Int64, value: Double) {
        self.name = name
        self.labels = labels
        self.atMs = atMs
        self.value = SampleValue(value)
    }

    package init(from fields: inout Fields) throws(WireError) {
        name = try fields.value("name")
        labels = try fields.value("labels", or: [:])
        atMs = try fields.value("atMs")
        value = try fields.value("value")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("name", name)
        object.member("labels", labels)
        object.member("atMs", atMs)
        object.member("value", value)
    }
}

/// How large the name of a series may be that comes from outside, pushed or on a scraped page: what one series may
/// cost in memory and on disk, whoever names it.
package enum SeriesBounds {
    /// Labels of a series, without those that metricsd adds.
    package static let mostLabels = 64
    /// Bytes of a metric's or a label's name.
    package static let longestNameBytes = 256
    /// Bytes of a label's value.
    package static let longestValueBytes = 2048
    /// Bytes of the whole as Prometheus prints it. With what metricsd adds that is far below what a start can read again
    /// (16 KiB) and what a reply holds (1 MiB).
    package static let longestBytes = 4096
}

/// A figure that somebody pushes. Its name and labels are within `SeriesBounds`: 64 labels, 256 bytes a name, 2,048 bytes a value,
/// 4,096 bytes in all.
package struct PushedSample: WireObject {
    package var name: String
    package var labels: [String: String]
    package var value: SampleValue

    package init(name: String, labels: [String: String] = [:], value: Double) {
        self.name = name
        self.labels = labels
        self.value = SampleValue(value)
    }

    package init(from fields: inout Fields) throws(WireError) {
        name = try fields.value("name")
        labels = try fields.value("labels", or: [:])
        value = try fields.value("value")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("name", name)
        object.member("labels", labels)
        object.member("value", value)
    }
}

/// A collector that gave nothing.
package struct CollectorFailure: WireObject {
    package var collector: String
    package var reason: String

    package init(collector: String, reason: String) {
        self.collector = collector
        self.reason = reason
    }

    package init(from fields: inout Fields) throws(WireError) {
        collector = try fields.value("collector")
        reason = try fields.value("reason")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("collector", collector)
        object.member("reason", reason)
    }
}

/// How a collector is doing.
package struct CollectorState: WireObject {
    /// How its rounds go.
    package enum Condition: String, WireValue, CaseIterable {
        /// Not measured yet.
        case starting
        case up
        /// Its last attempts failed, fewer than five.
        case retrying
        /// Five attempts failed; it is tried once an interval.
        case down
        /// A round has not come back and is past its deadline.
        case stuck
    }

    package var name: String
    package var level: Level
    package var condition: Condition
    package var intervalMs: Int64
    package var series: Int
    /// When its last good round began; nil before the first.
    package var lastMs: Int64?
    /// How long that round took, in ms with a fraction.
    package var durationMs: Double?
    /// Why it is not up.
    package var reason: String?

    package init(
        name: String, level: Level, condition: Condition, intervalMs: Int64, series: Int, lastMs: Int64? = nil,
        durationMs: Double? = nil, reason: String? = nil
    ) {
        self.name = name
        self.level = level
        self.condition = condition
        self.intervalMs = intervalMs
        self.series = series
        self.lastMs = lastMs
        self.durationMs = durationMs
        self.reason = reason
    }

    package init(from fields: inout Fields) throws(WireError) {
        name = try fields.value("name")
        level = try fields.value("level")
        condition = try fields.value("condition")
        intervalMs = try fields.value("intervalMs")
        series = try fields.value("series")
        lastMs = try fields.optional("lastMs")
        durationMs = try fields.optional("durationMs")
        reason = try fields.optional("reason")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("name", name)
        object.member("level", level)
        object.member("condition", condition)
        object.member("intervalMs", intervalMs)
        object.member("series", series)
        object.member("lastMs", lastMs)
        object.member("durationMs", durationMs)
        object.member("reason", reason)
    }
}

/// A receiver of remote write, and how far it has been given what is measured.
package struct RemoteState: WireObject {
    /// How handing on goes.
    package enum Condition: String, WireValue, CaseIterable {
        /// Nothing was handed on yet.
        case starting
        case working
        /// Its last attempts failed, fewer than five.
        case retrying
        /// Five attempts failed; they go on, and what is measured waits in the store.
        case failing
    }

    package var url: String
    package var condition: Condition
    /// Rounds up to this time were handed on, ms since 1970; nil before the first since the start.
    package var toMs: Int64?
    /// Samples that arrived, since the start.
    package var samples: Int64
    /// Samples that the receiver called wrong, since the start.
    package var refusedSamples: Int64
    /// Why the last attempt failed.
    package var reason: String?

    package init(
        url: String, condition: Condition, toMs: Int64? = nil, samples: Int64 = 0, refusedSamples: Int64 = 0,
        reason: String? = nil
    ) {
        self.url = url
        self.condition = condition
        self.toMs = toMs
        self.samples = samples
        self.refusedSamples = refusedSamples
        self.reason = reason
    }

    package init(from fields: inout Fields) throws(WireError) {
        url = try fields.value("url")
        condition = try fields.value("condition")
        toMs = try fields.optional("toMs")
        samples = try fields.value("samples")
        refusedSamples = try fields.value("refusedSamples")
        reason = try fields.optional("reason")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("url", url)
        object.member("condition", condition)
        object.member("toMs", toMs)
        object.member("samples", samples)
        object.member("refusedSamples", refusedSamples)
        object.member("reason", reason)
    }
}

/// metricsd's own part of `status`.
package struct MetricsStatus: WireObject {
    /// How the store is doing.
    package enum StoreCondition: String, WireValue, CaseIterable {
        case working
        /// The store cannot be read yet, or its last commit failed or is past its deadline; values are kept in memory and
        /// tried again.
        case failing
    }

    /// Series known to the store.
    package var series: Int
    /// Series that the last rounds measured.
    package var liveSeries: Int
    package var store: StoreCondition
    /// Why it is failing.
    package var storeReason: String?
    /// Rounds up to this time are on disk.
    package var committedToMs: Int64?
    /// Rounds that are not on disk yet, over all collectors.
    package var uncommittedRounds: Int
    /// Compressed values in memory, bytes.
    package var headBytes: Int
    /// Records that the last start could not read.
    package var damagedRecords: Int
    package var collectors: [CollectorState]
    /// Receivers of remote write.
    package var remotes: [RemoteState]

    package init(
        series: Int, liveSeries: Int, store: StoreCondition, storeReason: String?, committedToMs: Int64?,
        uncommittedRounds: Int, headBytes: Int, damagedRecords: Int, collectors: [CollectorState],
        remotes: [RemoteState] = []
    ) {
        self.series = series
        self.liveSeries = liveSeries
        self.store = store
        self.storeReason = storeReason
        self.committedToMs = committedToMs
        self.uncommittedRounds = uncommittedRounds
        self.headBytes = headBytes
        self.damagedRecords = damagedRecords
        self.collectors = collectors
        self.remotes = remotes
    }

    package init(from fields: inout Fields) throws(WireError) {
        series = try fields.value("series")
        liveSeries = try fields.value("liveSeries")
        store = try fields.value("store")
        storeReason = try fields.optional("storeReason")
        committedToMs = try fields.optional("committedToMs")
        uncommittedRounds = try fields.value("uncommittedRounds")
        headBytes = try fields.value("headBytes")
        damagedRecords = try fields.value("damagedRecords")
        collectors = try fields.value("collectors")
        remotes = try fields.value("remotes", or: [])
    }

    package func write(to object: inout ObjectWriter) {
        object.member("series", series)
        object.member("liveSeries", liveSeries)
        object.member("store", store)
        object.member("storeReason", storeReason)
        object.member("committedToMs", committedToMs)
        object.member("uncommittedRounds", uncommittedRounds)
        object.member("headBytes", headBytes)
        object.member("damagedRecords", damagedRecords)
        object.member("collectors", collectors)
        object.member("remotes", remotes)
    }
}
