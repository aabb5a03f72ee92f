package import Wire

/// `export`: values as they were measured, as text, in pages that make one text together. Where a series ended is not told: these
/// formats have no word for it.
package enum ExportSamples: RPCMethod {
    package static let name = "export"
    package static let access = Access.read

    package struct Params: WireObject {
        /// As in `queryRange`.
        package var selector: String
        /// The first value's time, ms since 1970; an hour before `toMs` where it is not given.
        package var fromMs: Int64?
        /// The last one's, included; now where it is not given.
        package var toMs: Int64?
        package var format: ExportFormat
        /// `next` of the page before, with the same selector and format.
        package var cursor: String?

        package init(
            selector: String, fromMs: Int64? = nil, toMs: Int64? = nil, format: ExportFormat = .openMetrics,
            cursor: String? = nil
        ) {
            self.selector = selector
            self.fromMs = fromMs
            self.toMs = toMs
            self.format = format
            self.cursor = cursor
        }

        package init(from fields: inout Fields) throws(WireError) {
            selector = try fields.value("selector")
            fromMs = try fields.optional("fromMs")
            toMs = try fields.optional("toMs")
            format = try fields.value("format", or: .openMetrics)
            cursor = try fields.optional("cursor")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("selector", selector)
            object.member("fromMs", fromMs)
            object.member("toMs", toMs)
            object.member("format", format)
            object.member("cursor", cursor)
        }
    }

    package typealias Reply = TextPage
}

/// `exposition`: every series' latest value, as OpenMetrics text, in pages that make one text together.
package enum Exposed: RPCMethod {
    package static let name = "exposition"
    package static let access = Access.read

    package struct Params: WireObject {
        /// As in `queryRange`; all series where it is not given.
        package var selector: String?
        /// `next` of the page before.
        package var cursor: String?

        package init(selector: String? = nil, cursor: String? = nil) {
            self.selector = selector
            self.cursor = cursor
        }

        package init(from fields: inout Fields) throws(WireError) {
            selector = try fields.optional("selector")
            cursor = try fields.optional("cursor")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("selector", selector)
            object.member("cursor", cursor)
        }
    }

    package typealias Reply = TextPage
}

/// A part of a text.
package struct TextPage: WireObject {
    /// Whole lines.
    package var text: String
    /// The cursor of the next page; nil on the last.
    package var next: String?

    package init(text: String, next: String? = nil) {
        self.text = text
        self.next = next
    }

    package init(from fields: inout Fields) throws(WireError) {
        text = try fields.value("text")
        next = try fields.optional("next")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("text", text)
        object.member("next", next)
    }
}

/// How exported values are written.
package enum ExportFormat: String, WireValue, CaseIterable {
    /// OpenMetrics 1.0, times in seconds; the last page ends with `# EOF`.
    case openMetrics = "openmetrics"
    /// Prometheus's text format 0.0.4, times in ms.
    case prometheus
    /// `series,time,value` with a head line; times in ms, fields quoted as in RFC 4180.
    case csv
}
