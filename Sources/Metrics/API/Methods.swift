package import Wire

/// `queryRange`: points of all series that a selector means, in pages. It is answered from what is committed to disk, so nothing
/// that it showed is lost by a kill or a power cut; where the disk refuses to take anything the reply says `uncommitted`.
package enum QueryRange: RPCMethod {
    package static let name = "queryRange"
    package static let access = Access.read

    package struct Params: WireObject {
        /// `name{label="value",other=~"a|b"}`, as in PromQL.
        package var selector: String
        /// The first point, ms since 1970; an hour before `toMs` where it is not given.
        package var fromMs: Int64?
        /// The last point, ms since 1970, included; now where it is not given.
        package var toMs: Int64?
        /// The distance of points in ms: each is the latest value that is at most 5 min old and not ended, as in Prometheus.
        /// 0, or not given: the values as they were measured.
        package var stepMs: Int64?
        /// Points in a page, 1 to 11,000; 11,000 where it is not given.
        package var limit: Int?
        /// `next` of the page before, with the same selector and step.
        package var cursor: String?

        package init(
            selector: String, fromMs: Int64? = nil, toMs: Int64? = nil, stepMs: Int64? = nil, limit: Int? = nil,
            cursor: String? = nil
        ) {
            self.selector = selector
            self.fromMs = fromMs
            self.toMs = toMs
            self.stepMs = stepMs
            self.limit = limit
            self.cursor = cursor
        }

        package init(from fields: inout Fields) throws(WireError) {
            selector = try fields.value("selector")
            fromMs = try fields.optional("fromMs")
            toMs = try fields.optional("toMs")
            stepMs = try fields.optional("stepMs")
            limit = try fields.optional("limit")
            cursor = try fields.optional("cursor")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("selector", selector)
            object.member("fromMs", fromMs)
            object.member("toMs", toMs)
            object.member("stepMs", stepMs)
            object.member("limit", limit)
            object.member("cursor", cursor)
        }
    }

    package struct Reply: WireObject {
        /// Series with at least one point in this page; one that a page's end cut goes on in the next.
        package var series: [SeriesPoints]
        /// The cursor of the next page; nil on the last.
        package var next: String?
        /// Rounds up to this time are on disk; nil before the first.
        package var committedToMs: Int64?
        /// True while the disk refuses: later points than `committedToMs` are shown, and a kill would lose them.
        package var uncommitted: Bool
        /// Records of the store that were damaged and left out of this page.
        package var damaged: Int

        package init(
            series: [SeriesPoints], next: String? = nil, committedToMs: Int64? = nil, uncommitted: Bool = false,
            damaged: Int = 0
        ) {
            self.series = series
            self.next = next
            self.committedToMs = committedToMs
            self.uncommitted = uncommitted
            self.damaged = damaged
        }

        package init(from fields: inout Fields) throws(WireError) {
            series = try fields.value("series")
            next = try fields.optional("next")
            committedToMs = try fields.optional("committedToMs")
            uncommitted = try fields.value("uncommitted", or: false)
            damaged = try fields.value("damaged", or: 0)
        }

        package func write(to object: inout ObjectWriter) {
            object.member("series", series)
            object.member("next", next)
            object.member("committedToMs", committedToMs)
            object.member("uncommitted", uncommitted)
            object.member("damaged", damaged)
        }
    }
}

/// `queryMetrics`: the seed's name for `queryRange`.
package enum QueryMetrics: RPCMethod {
    package static let name = "queryMetrics"
    package static let access = Access.read
    package typealias Params = QueryRange.Params
    package typealias Reply = QueryRange.Reply
}

/// `series`: which series there are, in pages.
package enum ListSeries: RPCMethod {
    package static let name = "series"
    package static let access = Access.read

    package struct Params: WireObject {
        /// As in `queryRange`; all series where it is not given.
        package var selector: String?
        /// Series in a page, 1 to 2,000; 1,000 where it is not given.
        package var limit: Int?
        /// `next` of the page before.
        package var cursor: String?

        package init(selector: String? = nil, limit: Int? = nil, cursor: String? = nil) {
            self.selector = selector
            self.limit = limit
            self.cursor = cursor
        }

        package init(from fields: inout Fields) throws(WireError) {
            selector = try fields.optional("selector")
            limit = try fields.optional("limit")
            cursor = try fields.optional("cursor")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("selector", selector)
            object.member("limit", limit)
            object.member("cursor", cursor)
        }
    }

    package struct Reply: WireObject {
        package var series: [SeriesName]
        /// How many there are in all pages.
        package var total: Int
        package var next: String?

        package init(series: [SeriesName], total: Int, next: String? = nil) {
            self.series = series
            self.total = total
            self.next = next
        }

        package init(from fields: inout Fields) throws(WireError) {
            series = try fields.value("series")
            total = try fields.value("total")
            next = try fields.optional("next")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("series", series)
            object.member("total", total)
            object.member("next", next)
        }
    }
}

/// `collect`: measures one level now, stores it, and answers with what was measured. A collector that is under way is waited for;
/// one that does not answer in its deadline is named in `failed` and holds up nobody.
package enum Collect: RPCMethod {
    package static let name = "collect"
    package static let access = Access.read

    package struct Params: WireObject {
        package var level: Level
        /// Series in the reply, 1 to 2,000; 2,000 where it is not given.
        package var limit: Int?
        /// `next` of the page before; it reads what was measured last and measures nothing anew.
        package var cursor: String?

        package init(level: Level, limit: Int? = nil, cursor: String? = nil) {
            self.level = level
            self.limit = limit
            self.cursor = cursor
        }

        package init(from fields: inout Fields) throws(WireError) {
            level = try fields.value("level")
            limit = try fields.optional("limit")
            cursor = try fields.optional("cursor")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("level", level)
            object.member("limit", limit)
            object.member("cursor", cursor)
        }
    }

    package struct Reply: WireObject {
        package var samples: [CurrentSample]
        /// Collectors of the level that gave nothing, and why.
        package var failed: [CollectorFailure]
        package var next: String?

        package init(samples: [CurrentSample], failed: [CollectorFailure], next: String? = nil) {
            self.samples = samples
            self.failed = failed
            self.next = next
        }

        package init(from fields: inout Fields) throws(WireError) {
            samples = try fields.value("samples")
            failed = try fields.value("failed")
            next = try fields.optional("next")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("samples", samples)
            object.member("failed", failed)
            object.member("next", next)
        }
    }
}

/// `levels`: every collector, by level, with how it is doing.
package enum Levels: RPCMethod {
    package static let name = "levels"
    package static let access = Access.read
    package typealias Params = NoFields

    package struct Reply: WireObject {
        package var collectors: [CollectorState]

        package init(collectors: [CollectorState]) { self.collectors = collectors }

        package init(from fields: inout Fields) throws(WireError) { collectors = try fields.value("collectors") }

        package func write(to object: inout ObjectWriter) { object.member("collectors", collectors) }
    }
}

/// `metrics.push`: figures of a script or of the guarded service itself. Each stands until it is pushed again, for five minutes
/// at most, and is stored each second with the label `job="push"` (the semantics of Prometheus's Pushgateway, with an end).
package enum PushMetrics: RPCMethod {
    package static let name = "metrics.push"
    package static let access = Access.own

    package struct Params: WireObject {
        /// The guarded service that the figures are of: it becomes the label `service`.
        package var service: String
        package var samples: [PushedSample]

        package init(service: String, samples: [PushedSample]) {
            self.service = service
            self.samples = samples
        }

        package init(from fields: inout Fields) throws(WireError) {
            service = try fields.value("service")
            samples = try fields.value("samples")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("service", service)
            object.member("samples", samples)
        }
    }

    package struct Reply: WireObject {
        /// How many samples were taken.
        package var taken: Int

        package init(taken: Int) { self.taken = taken }

        package init(from fields: inout Fields) throws(WireError) { taken = try fields.value("taken") }

        package func write(to object: inout ObjectWriter) { object.member("taken", taken) }
    }
}

/// `persistMetrics`: the seed's name for `metrics.push`.
package enum PersistMetrics: RPCMethod {
    package static let name = "persistMetrics"
    package static let access = Access.own
    package typealias Params = PushMetrics.Params
    package typealias Reply = PushMetrics.Reply
}
