import ArgumentParser
import MetricsAPI
import Time
import Wire

/// `mainstay query SELECTOR`: what was measured.
struct QueryCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "What was measured: a row a series, its points, or a plot.",
        discussion: """
            A selector is written as in PromQL: 'process_cpu_seconds_total{service="gateway"}'. Ends with 1 where no \
            series has a point in the time asked for.
            """)

    @Argument(help: ArgumentHelp("Which series.", valueName: "selector"))
    var selector: String
    @Option(help: ArgumentHelp("How far back: 90s, 1h, 2d.", valueName: "duration"))
    var since = LengthArgument(milliseconds: 3_600_000)
    @Option(help: ArgumentHelp("The distance of points; a 240th of the time where not given.", valueName: "duration"))
    var step: LengthArgument?
    @Flag(help: "Values as they were measured, without a step.")
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
        if points && plot { throw ValidationError("--points and --plot exclude each other") }
    }

    private var stepMs: Int64 {
        if raw { return 0 }
        let standard = (since.milliseconds / Self.pointsAcross + 999) / 1000 * 1000
        return step?.milliseconds ?? max(1000, standard)
    }

    func answer(on screen: Screen) async throws -> Outcome {
        let nowMs = Words.nowMs
        let conversation = await conversation(with: .metricsd)
        var whole = QueryRange.Reply(series: [])
        for _ in 1...Self.mostPages {
            let page = try await conversation.ask(
                QueryRange.self,
                .init(
                    selector: selector, fromMs: nowMs - since.milliseconds, toMs: nowMs, stepMs: stepMs,
                    cursor: whole.next),
                longest: .seconds(15))
            whole.append(page)
            if page.next == nil { break }
        }
        if common.json { screen.show(whole.json) } else { show(whole, on: screen) }
        if whole.next != nil {
            StandardError.write("mainstay: there is more: take a longer --step or a shorter --since\n")
        }
        return whole.series.isEmpty ? .bad : .good
    }

    private func show(_ reply: QueryRange.Reply, on screen: Screen) {
        if reply.series.isEmpty {
            screen.show("No point of \(selector) in the last \(Words.length(ms: since.milliseconds)).".printable)
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

extension QueryRange.Reply {
    /// Adds the page after this one; a series that the page's end cut goes on where it stopped.
    fileprivate mutating func append(_ page: QueryRange.Reply) {
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
    /// `name{label="value"}`, as a selector names it.
    fileprivate var title: String {
        guard !labels.isEmpty else { return name.printable }
        let inner = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\(JSONWriter.text(of: $0.value))" }
        return "\(name){\(inner.joined(separator: ","))}".printable
    }
}
