package import Wire

/// `query`: evaluates PromQL (Prometheus 2.42's, native histograms excepted), at one time or at many, in pages. It is answered from
/// what is committed to disk, as `queryRange` is.
package enum Query: RPCMethod {
    package static let name = "query"
    package static let access = Access.read

    package struct Params: WireObject {
        /// The expression, at most 64 KiB.
        package var query: String
        /// An instant query's time, ms since 1970; now where neither it nor a range is given.
        package var timeMs: Int64?
        /// A range query's first time; an hour before `toMs` where it is not given.
        package var fromMs: Int64?
        /// A range query's end, included; now where it is not given.
        package var toMs: Int64?
        /// The distance of a range query's times in ms, over 0: it makes the query one over a range.
        package var stepMs: Int64?
        /// Points in a page, 1 to 11,000; 11,000 where it is not given.
        package var limit: Int?
        /// `next` of the page before, with the same expression and step.
        package var cursor: String?

        package init(
            query: String, timeMs: Int64? = nil, fromMs: Int64? = nil, toMs: Int64? = nil, stepMs: Int64? = nil,
            limit: Int? = nil, cursor: String? = nil
        ) {
            self.query = query
            self.timeMs = timeMs
            self.fromMs = fromMs
            self.toMs = toMs
            self.stepMs = stepMs
            self.limit = limit
            self.cursor = cursor
        }

        package init(from fields: inout Fields) throws(WireError) {
            query = try fields.value("query")
            timeMs = try fields.optional("timeMs")
            fromMs = try fields.optional("fromMs")
            toMs = try fields.optional("toMs")
            stepMs = try fields.optional("stepMs")
            limit = try fields.optional("limit")
            cursor = try fields.optional("cursor")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("query", query)
            object.member("timeMs", timeMs)
            object.member("fromMs", fromMs)
            object.member("toMs", toMs)
            object.member("stepMs", stepMs)
            object.member("limit", limit)
            object.member("cursor", cursor)
        }
    }

    /// What an expression gives, in the words of Prometheus's HTTP API.
    package enum ResultType: String, WireValue, CaseIterable {
        /// One number: a series without name and labels.
        case scalar
        /// Each series at one time.
        case vector
        /// Each series at many times.
        case matrix
        case string
    }

    package struct Reply: WireObject {
        package var type: ResultType
        /// Series with at least one point in this page; one that a page's end cut goes on in the next.
        package var series: [SeriesPoints]
        /// A string's text.
        package var text: String?
        /// The cursor of the next page; nil on the last.
        package var next: String?
        /// Rounds up to this time are on disk; nil before the first.
        package var committedToMs: Int64?
        /// True while the disk refuses: later values than `committedToMs` are used, and a kill would lose them.
        package var uncommitted: Bool
        /// Records of the store that were damaged and left out.
        package var damaged: Int

        package init(
            type: ResultType, series: [SeriesPoints], text: String? = nil, next: String? = nil,
            committedToMs: Int64? = nil, uncommitted: Bool = false, damaged: Int = 0
        ) {
            self.type = type
            self.series = series
            self.text = text
            self.next = next
            self.committedToMs = committedToMs
            self.uncommitted = uncommitted
            self.damaged = damaged
        }

        package init(from fields: inout Fields) throws(WireError) {
            type = try fields.value("type")
            series = try fields.value("series")
            text = try fields.optional("text")
            next = try fields.optional("next")
            committedToMs = try fields.optional("committedToMs")
            uncommitted = try fields.value("uncommitted", or: false)
            damaged = try fields.value("damaged", or: 0)
        }

        package func write(to object: inout ObjectWriter) {
            object.member("type", type)
            object.member("series", series)
            object.member("text", text)
            object.member("next", next)
            object.member("committedToMs", committedToMs)
            object.member("uncommitted", uncommitted)
            object.member("damaged", damaged)
        }
    }
}
