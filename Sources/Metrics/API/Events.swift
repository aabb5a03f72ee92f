package import Wire

/// What `subscribe` streams from metricsd.
package enum MetricsEvents {
    /// A collector failed five times or got stuck.
    package static let collectorFailed = "collectorFailed"
    /// It gives values again.
    package static let collectorRecovered = "collectorRecovered"
    /// The disk refuses: values are kept in memory only.
    package static let storeFailed = "storeFailed"
    /// The disk takes values again.
    package static let storeRecovered = "storeRecovered"
    /// A receiver of remote write takes nothing; what is measured waits in the store.
    package static let remoteFailed = "remoteFailed"
    /// It takes what waits.
    package static let remoteRecovered = "remoteRecovered"
    /// A receiver calls samples wrong: they are given up.
    package static let remoteRefused = "remoteRefused"
    /// Series were refused because the limit of how many there may be is reached.
    package static let seriesRefused = "seriesRefused"
    /// A collector names series twice; of each the first value counts.
    package static let seriesRepeated = "seriesRepeated"

    /// The names of all events, as `subscribe` takes them.
    package static let all = [
        collectorFailed, collectorRecovered, storeFailed, storeRecovered, remoteFailed, remoteRecovered, remoteRefused,
        seriesRefused, seriesRepeated,
    ]
}

/// The data of `collectorFailed`.
package struct CollectorFailed: WireObject {
    package var collector: String
    package var level: Level
    package var reason: String
    package var attempts: Int

    package init(collector: String, level: Level, reason: String, attempts: Int) {
        self.collector = collector
        self.level = level
        self.reason = reason
        self.attempts = attempts
    }

    package init(from fields: inout Fields) throws(WireError) {
        collector = try fields.value("collector")
        level = try fields.value("level")
        reason = try fields.value("reason")
        attempts = try fields.value("attempts")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("collector", collector)
        object.member("level", level)
        object.member("reason", reason)
        object.member("attempts", attempts)
    }
}

/// The data of `collectorRecovered`.
package struct CollectorRecovered: WireObject {
    package var collector: String
    package var level: Level
    package var downMs: Int64

    package init(collector: String, level: Level, downMs: Int64) {
        self.collector = collector
        self.level = level
        self.downMs = downMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        collector = try fields.value("collector")
        level = try fields.value("level")
        downMs = try fields.value("downMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("collector", collector)
        object.member("level", level)
        object.member("downMs", downMs)
    }
}

/// The data of `storeFailed`.
package struct StoreFailed: WireObject {
    package var reason: String

    package init(reason: String) { self.reason = reason }

    package init(from fields: inout Fields) throws(WireError) { reason = try fields.value("reason") }

    package func write(to object: inout ObjectWriter) { object.member("reason", reason) }
}

/// The data of `storeRecovered`.
package struct StoreRecovered: WireObject {
    package var downMs: Int64

    package init(downMs: Int64) { self.downMs = downMs }

    package init(from fields: inout Fields) throws(WireError) { downMs = try fields.value("downMs") }

    package func write(to object: inout ObjectWriter) { object.member("downMs", downMs) }
}

/// The data of `remoteFailed`.
package struct RemoteFailed: WireObject {
    package var url: String
    package var reason: String

    package init(url: String, reason: String) {
        self.url = url
        self.reason = reason
    }

    package init(from fields: inout Fields) throws(WireError) {
        url = try fields.value("url")
        reason = try fields.value("reason")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("url", url)
        object.member("reason", reason)
    }
}

/// The data of `remoteRecovered`.
package struct RemoteRecovered: WireObject {
    package var url: String
    package var downMs: Int64

    package init(url: String, downMs: Int64) {
        self.url = url
        self.downMs = downMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        url = try fields.value("url")
        downMs = try fields.value("downMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("url", url)
        object.member("downMs", downMs)
    }
}

/// The data of `remoteRefused`.
package struct RemoteRefused: WireObject {
    package var url: String
    /// Those of the first batch; what follows is counted in `status`.
    package var samples: Int
    package var reason: String

    package init(url: String, samples: Int, reason: String) {
        self.url = url
        self.samples = samples
        self.reason = reason
    }

    package init(from fields: inout Fields) throws(WireError) {
        url = try fields.value("url")
        samples = try fields.value("samples")
        reason = try fields.value("reason")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("url", url)
        object.member("samples", samples)
        object.member("reason", reason)
    }
}

/// The data of `seriesRefused` and of `seriesRepeated`.
package struct SeriesRefused: WireObject {
    package var collector: String
    package var count: Int
    /// One of them.
    package var example: String

    package init(collector: String, count: Int, example: String) {
        self.collector = collector
        self.count = count
        self.example = example
    }

    package init(from fields: inout Fields) throws(WireError) {
        collector = try fields.value("collector")
        count = try fields.value("count")
        example = try fields.value("example")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("collector", collector)
        object.member("count", count)
        object.member("example", example)
    }
}
