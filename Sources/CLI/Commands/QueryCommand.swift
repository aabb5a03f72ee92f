import ArgumentParser
import MetricsAPI
import Time
import Wire

/// `mainstay query EXPRESSION`: what was measured.
struct QueryCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "What was measured, in PromQL: a row a series, its points, or a plot.",
        discussion: """
            'rate(process_cpu_seconds_total{service="gateway"}[5m])' over the last hour; with --instant, its values now. \
            Ends with 1 where no series has a point in the time asked for.
            """)

    @Argument(help: ArgumentHelp("What to evaluate.", valueName: "expression"))
    var expression: String
    @Option(help: ArgumentHelp("How far back: 90s, 1h, 2d.", valueName: "duration"))
    var since = LengthArgument(milliseconds: 3_600_000)
    @Option(help: ArgumentHelp("The distance of points; a 240th of the time where not given.", valueName: "duration"))
    var step: LengthArgument?
    @Flag(help: "The values now, and nothing before.")
    var instant = false
    @Flag(help: "The values of a selector as they were measured, without a step.")
    var raw = false
    @Flag(help: "Every point, not a row a series.")
    var points = false
    @Flag(help: "Draw each series.")
    var plot = false
    @OptionGroup var common: AskOptions

    /// Pages that one command fetches: 11,000 points each. Beyond that a longer step is the answer.
    private static let mostPages = 50
    /// Points across the time asked for, where no step is named: as many as a wide terminal can draw.
    private static let pointsAcross: Int64 = 240

    func validate() throws {
        if raw && step != nil { throw ValidationError("--raw and --step exclude each other") }
        if instant && (raw || step != nil || plot) {
            throw ValidationError("--instant excludes --raw, --step and --plot")
        }
        if points && plot { throw ValidationError("--points and --plot exclude each other") }
    }

    private var stepMs: Int64 {
        let standard = (since.milliseconds / Self.pointsAcross + 999) / 1000 * 1000
        return step?.milliseconds ?? max(1000, standard)
    }

    func answer(on screen: Screen) async throws -> Outcome {
        let nowMs = Words.nowMs
        let conversation = await conversation(with: .metricsd)
        var whole = Query.Reply(type: .matrix, series: [])
        for number in 1...Self.mostPages {
            let page = try await page(after: whole.next, nowMs: nowMs, conversation)
            if number == 1 { whole = page } else { whole.append(page) }
            if page.next == nil { break }
        }
        if common.json { screen.show(whole.json) } else { show(whole, on: screen) }
        if whole.next != nil {
            StandardError.write("mainstay: there is more: take a longer --step or a shorter --since\n")
        }
        return whole.series.isEmpty && whole.text == nil ? .bad : .good
    }

    private func page(after cursor: String?, nowMs: Int64, _ conversation: Conversation) async throws -> Query.Reply {
        let fromMs = nowMs - since.milliseconds
        guard raw else {
            let params =
                instant
                ? Query.Params(query: expression, timeMs: nowMs, cursor: cursor)
                : Query.Params(query: expression, fromMs: fromMs, toMs: nowMs, stepMs: stepMs, cursor: cursor)
            return try await conversation.ask(Query.self, params, longest: .seconds(30))
        }
        let page = try await conversation.ask(
            QueryRange.self, .init(selector: expression, fromMs: fromMs, toMs: nowMs, cursor: cursor),
            longest: .seconds(15))
        return Query.Reply(
            type: .matrix, series: page.series, next: page.next, committedToMs: page.committedToMs,
            uncommitted: page.uncommitted, damaged: page.damaged)
    }

    private func show(_ reply: Query.Reply, on screen: Screen) {
        if let text = reply.text {
            screen.show(text.printable)
        } else if reply.series.isEmpty {
            let time = instant ? "now" : "in the last \(Words.length(ms: since.milliseconds))"
            screen.show("Nothing of \(expression) \(time).".printable)
        } else if instant && !points {
            screen.show(Self.values(of: reply.series).lines(on: screen))
        } else if plot {
            for (place, series) in reply.series.enumerated() {
                if place > 0 { screen.show("") }
                screen.show(screen.paint(series.title, .heading))
                screen.show(Plot(series.points, width: min(screen.width ?? 80, 100)).lines)
            }
        } else if points {
            for series in reply.series {
                screen.show(screen.paint(series.title, .heading))
                var table = Table("AT", ">VALUE")
                for point in series.points {
                    table.add(Cell(Words.time(ms: point.timeMs)), Cell(SampleValue.text(point.value.value)))
                }
                screen.show(table.lines(on: screen))
            }
        } else {
            screen.show(Self.summary(of: reply.series).lines(on: screen))
        }
        if reply.uncommitted {
            StandardError.write("mainstay: the disk refuses; the newest values are in memory only\n")
        }
        if reply.damaged > 0 {
            StandardError.write("mainstay: \(reply.damaged) damaged records of the store are left out\n")
        }
    }

    private static func values(of series: [SeriesPoints]) -> Table {
        var table = Table(">VALUE", "AT", "SERIES")
        for one in series {
            for point in one.points {
                table.add(
                    Cell(Words.sample(point.value.value)), Cell(Words.time(ms: point.timeMs)), Cell(one.title))
            }
        }
        return table
    }

    private static func summary(of series: [SeriesPoints]) -> Table {
        var table = Table(">LAST", ">LEAST", ">MEAN", ">MOST", "TREND", "SERIES")
        for one in series {
            let values = one.points.map(\.value.value).filter(\.isFinite)
            let mean = values.reduce(0, +) / Double(max(1, values.count))
            table.add(
                one.points.last.map { Cell(Words.sample($0.value.value)) } ?? .none,
                values.min().map { Cell(Words.sample($0)) } ?? .none, values.isEmpty ? .none : Cell(Words.sample(mean)),
                values.max().map { Cell(Words.sample($0)) } ?? .none, Cell(Plot.sparkline(one.points, width: 20)),
                Cell(one.title))
        }
        return table
    }
}

extension Query.Reply {
    /// Adds the page after this one; a series that the page's end cut goes on where it stopped.
    fileprivate mutating func append(_ page: Query.Reply) {
        for added in page.series {
            if let last = series.indices.last, series[last].name == added.name, series[last].labels == added.labels {
                series[last].points += added.points
            } else {
                series.append(added)
            }
        }
        next = page.next
        committedToMs = page.committedToMs
        uncommitted = uncommitted || page.uncommitted
        damaged += page.damaged
    }
}

extension SeriesPoints {
    /// `name{label="value"}`, as a selector names it; `{}` for what has neither.
    fileprivate var title: String {
        guard !labels.isEmpty else { return name.isEmpty ? "{}" : name.printable }
        let inner = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\(JSONWriter.text(of: $0.value))" }
        return "\(name){\(inner.joined(separator: ","))}".printable
    }
}
