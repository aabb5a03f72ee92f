package import MetricsAPI
package import Wire

/// Writes values as text.
package enum ExportText {
    /// A page of `export`.
    /// - Parameter isFirst: whether no page comes before it.
    package static func page(
        _ series: [SeriesPoints], next: String?, isFirst: Bool, format: ExportFormat
    ) -> TextPage {
        var text = isFirst && format == .csv ? "series,time,value\r\n" : ""
        for one in series {
            let name = Labels(name: one.name, map: one.labels).description
            let quoted =
                "\"\(name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\""
            for point in one.points {
                let value = SampleValue.text(point.value.value)
                switch format {
                case .openMetrics: text += "\(name) \(value) \(seconds(point.timeMs))\n"
                case .prometheus: text += "\(name) \(value) \(point.timeMs)\n"
                case .csv: text += "\(quoted),\(point.timeMs),\(value)\r\n"
                }
            }
        }
        if next == nil, format == .openMetrics { text += "# EOF\n" }
        return TextPage(text: text, next: next)
    }

    /// A time in seconds with three decimals, exact as no float is.
    fileprivate static func seconds(_ ms: Int64) -> String {
        let rest = String(ms % 1000)
        return "\(ms / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)"
    }
}

extension MetricsMachine {
    /// Answers `exposition`. The cursor is the last series that was given, so that one that comes or goes moves no other.
    package func exposition(
        _ params: Exposed.Params, patterns: @escaping PatternCompiler
    ) throws(RPCError) -> TextPage {
        let selector = try RangePlan.selector(orAll: params.selector, patterns: patterns)
        var after: Labels?
        if let cursor = params.cursor {
            after = Array(cursor.utf8).withUnsafeBytes { Exposition.labels($0) }
            guard after != nil else { throw MetricsErrors.invalidCursor(cursor) }
        }
        let rest = collectors.keys.flatMap { latest($0) }
            .filter { one in selector.matches(one.labels) && (after.map { $0 < one.labels } ?? true) }
            .sorted { $0.labels < $1.labels }
        var page = TextPage(text: "")
        for (labels, atMs, value) in rest {
            let name = labels.description
            page.text += "\(name) \(SampleValue.text(value)) \(ExportText.seconds(atMs))\n"
            guard page.text.utf8.count < PageRoom.mostBytes else {
                page.next = name
                return page
            }
        }
        page.text += "# EOF\n"
        return page
    }
}
