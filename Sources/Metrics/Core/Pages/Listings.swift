package import MetricsAPI
package import Wire

extension MetricsMachine {
    /// Series in one page of `series` and `collect`: with some 200 bytes each they fit a frame.
    private static let mostListed = 2000

    /// Answers `series`.
    package func listSeries(
        _ params: ListSeries.Params, patterns: @escaping PatternCompiler
    ) throws(RPCError) -> ListSeries.Reply {
        let limit = params.limit ?? 1000
        guard (1...Self.mostListed).contains(limit) else {
            throw MetricsErrors.invalidRange("limit is \(limit); 1 to \(Self.mostListed) is taken")
        }
        let selector = try RangePlan.selector(orAll: params.selector, patterns: patterns)
        var after = SeriesID(0)
        if let cursor = params.cursor {
            guard let number = UInt32(cursor) else { throw MetricsErrors.invalidCursor(cursor) }
            after = SeriesID(number)
        }
        let all = head.index.select(selector)
        let rest = all.drop { $0 <= after }
        let page = PageBudget.fitting(rest.prefix(limit).compactMap { id in head.index[id].map { (id, $0) } })
        let isLast = page.count == rest.count
        return ListSeries.Reply(
            series: page.map { SeriesName(name: $0.1.metric, labels: $0.1.map) }, total: all.count,
            next: isLast ? nil : page.last.map { "\($0.0.value)" })
    }

    /// Checks the parameters of `collect` before anything is measured.
    package func checkCollect(_ params: Collect.Params) throws(RPCError) {
        let limit = params.limit ?? Self.mostListed
        guard (1...Self.mostListed).contains(limit) else {
            throw MetricsErrors.invalidRange("limit is \(limit); 1 to \(Self.mostListed) is taken")
        }
        if let cursor = params.cursor, (Int(cursor) ?? -1) < 0 { throw MetricsErrors.invalidCursor(cursor) }
        guard !collectors(of: params.level).isEmpty else { throw MetricsErrors.noCollector(params.level) }
    }

    /// Answers `collect` with what was measured last. `params` were checked.
    package func collected(_ params: Collect.Params) -> Collect.Reply {
        let names = collectors(of: params.level)
        let start = params.cursor.flatMap { Int($0) } ?? 0
        let all = names.flatMap { current($0) }.dropFirst(start)
        let page = PageBudget.fitting(
            all.prefix(params.limit ?? Self.mostListed).map { ($0, Labels(name: $0.name, map: $0.labels)) })
        let failed = names.compactMap { name in failure(of: name).map { CollectorFailure(collector: name, reason: $0) }
        }
        return Collect.Reply(
            samples: page.map(\.0), failed: failed, next: page.count < all.count ? "\(start + page.count)" : nil)
    }
}

/// Keeps a page within a frame, whatever the labels' lengths.
private enum PageBudget {
    /// The first of `items` that fit together; at least one, if there is one.
    static func fitting<Item>(_ items: [(Item, Labels)]) -> [(Item, Labels)] {
        var left = PageRoom.mostBytes
        return Array(
            items.prefix { item in
                let isFirst = left == PageRoom.mostBytes
                left -= item.1.description.utf8.count + 100
                return isFirst || left > 0
            })
    }
}
