package import Wire

/// metricsd's own refusals, codes from 2000.
package enum MetricsErrors {
    /// The selector cannot be read.
    package static func invalidSelector(_ selector: String, position: Int, problem: String) -> RPCError {
        RPCError(
            code: 2001, name: "invalidSelector", message: "\(position): \(problem)",
            remedy: "Write name{label=\"value\",other=~\"a|b\"}",
            details: ["selector": .string(String(selector.prefix(200))), "position": .integer(Int64(position))])
    }

    /// A number is out of its range, or two do not fit together.
    package static func invalidRange(_ problem: String) -> RPCError {
        RPCError(
            code: 2002, name: "invalidRange", message: problem,
            remedy: "Times are ms since 1970 with fromMs <= toMs; stepMs is 0 or more")
    }

    /// More points of a series were asked for than one query gives.
    package static func tooManyPoints(asked: Int64, most: Int64, leastStepMs: Int64) -> RPCError {
        RPCError(
            code: 2003, name: "tooManyPoints", message: "\(asked) points of each series; \(most) are the most",
            remedy: "Use a stepMs of at least \(leastStepMs), or a shorter range",
            details: ["asked": .integer(asked), "most": .integer(most), "leastStepMs": .integer(leastStepMs)])
    }

    /// The cursor is none that this method gave.
    package static func invalidCursor(_ cursor: String) -> RPCError {
        RPCError(
            code: 2004, name: "invalidCursor", message: "\"\(cursor.prefix(100))\" is no cursor of this method",
            remedy: "Send `next` of the page before unchanged, or none to begin again")
    }

    /// The store could not be read in time.
    package static func storeUnavailable(_ reason: String) -> RPCError {
        RPCError(
            code: 2005, name: "storeUnavailable", message: "the store cannot be read: \(reason)",
            remedy: "`status` shows the store; ask for the last minutes only, which are in memory")
    }

    /// No collector measures this level.
    package static func noCollector(_ level: Level) -> RPCError {
        RPCError(
            code: 2006, name: "noCollector", message: "nothing measures the level \(level.rawValue) here",
            remedy: "`levels` lists the collectors", details: ["level": .string(level.rawValue)])
    }

    /// A pushed sample that cannot be taken; none of the request's samples was.
    package static func invalidSample(index: Int, problem: String) -> RPCError {
        RPCError(
            code: 2007, name: "invalidSample", message: "samples[\(index)]: \(problem)",
            remedy: "Names as in Prometheus: [a-zA-Z_:][a-zA-Z0-9_:]*; \(SeriesBounds.mostLabels) labels, "
                + "\(SeriesBounds.longestNameBytes) bytes a name, \(SeriesBounds.longestValueBytes) a value, "
                + "\(SeriesBounds.longestBytes) in all",
            details: ["index": .integer(Int64(index))])
    }

    /// More series pushed than one service may have.
    package static func tooManySeries(service: String, most: Int) -> RPCError {
        RPCError(
            code: 2008, name: "tooManySeries", message: "\(service) would have more than \(most) pushed series",
            remedy: "Push fewer label values; what is not pushed for 5 min makes room",
            details: ["service": .string(service), "most": .integer(Int64(most))])
    }

    /// A query is no PromQL, or its types do not fit together.
    package static func invalidQuery(position: Int?, problem: String) -> RPCError {
        RPCError(
            code: 2009, name: "invalidQuery", message: position.map { "\($0): \(problem)" } ?? problem,
            remedy: "PromQL as of Prometheus 2.42; the position counts bytes from 1",
            details: position.map { ["position": .integer(Int64($0))] } ?? [:])
    }

    /// A query is PromQL, but the series that it found do not fit it.
    package static func queryFailed(position: Int?, problem: String) -> RPCError {
        RPCError(
            code: 2010, name: "queryFailed", message: position.map { "\($0): \(problem)" } ?? problem,
            remedy: "Ask for the operands one by one, and match with on(…), ignoring(…), group_left or group_right",
            details: position.map { ["position": .integer(Int64($0))] } ?? [:])
    }

    /// A query would hold more values at once than one may.
    package static func queryTooLarge(_ problem: String) -> RPCError {
        RPCError(
            code: 2011, name: "queryTooLarge", message: problem,
            remedy: "Name fewer series, a shorter range, or a longer stepMs")
    }

    /// A query was not done in its time.
    package static func queryTooSlow(_ problem: String) -> RPCError {
        RPCError(
            code: 2012, name: "queryTooSlow", message: problem,
            remedy: "Name fewer series, a shorter range, or a longer stepMs; deadlineMs may be up to 30,000 here")
    }

    /// A line of an import that cannot be taken; nothing of the text was.
    package static func invalidImport(line: Int, problem: String) -> RPCError {
        RPCError(
            code: 2013, name: "invalidImport", message: "line \(line): \(problem)",
            remedy:
                "Each line is `name{label=\"value\"} VALUE TIME`; the time in seconds in OpenMetrics, in ms in Prometheus's format",
            details: ["line": .integer(Int64(line))])
    }

    /// An import would make more series than there may be; nothing of it was taken.
    package static func importTooLarge(beyond: Int, most: Int) -> RPCError {
        RPCError(
            code: 2014, name: "importTooLarge", message: "\(beyond) series more than the \(most) that there may be",
            remedy: "Raise metricsd.maximumSeries in mainstay.yaml, or import fewer series",
            details: ["beyond": .integer(Int64(beyond)), "most": .integer(Int64(most))])
    }

    /// Samples of an import are older than anything that is kept; nothing of it was taken.
    package static func importTooOld(oldestMs: Int64, keptFromMs: Int64) -> RPCError {
        RPCError(
            code: 2015, name: "importTooOld",
            message: "samples of \(oldestMs); what is before \(keptFromMs) is not kept",
            remedy: "Raise metricsd.retention.time in mainstay.yaml, or import later samples only",
            details: ["oldestMs": .integer(oldestMs), "keptFromMs": .integer(keptFromMs)])
    }
}
