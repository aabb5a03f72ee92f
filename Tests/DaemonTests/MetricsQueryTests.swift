import Foundation
import MetricsAPI
import MetricsDaemon
import Runtime
import Testing
import Time
import Wire

@Suite("metricsd's PromQL over the socket", .timeLimit(.minutes(2)))
struct MetricsQueryTests {
    private static let baseMs: Int64 = 1_700_000_000_000

    /// Runs `body` with a metricsd that keeps what is years old, and has the samples of `text`.
    private func withDaemon(
        _ settings: String = "", importing text: String, _ body: (TestClient) async throws -> Void
    ) async throws {
        let fixture = try DaemonFixture()
        try "metricsd:\n  retention: {time: 3650d}\n\(settings)".write(
            toFile: "\(fixture.places.settings)/mainstay.yaml", atomically: true, encoding: .utf8)
        let daemon = try await fixture.start(Metricsd.self)
        let client = try await TestClient("metricsd", fixture.places)
        _ = try await client.call(ImportSamples.self, .init(text: text, format: .prometheus))
        try await body(client)
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    /// Two counters that grow by 1 and by 2 a second, each 10 s for ten minutes.
    private static let counters = (0...60).map { number in
        let time = baseMs + Int64(number) * 10_000
        return """
            requests_total{code="200",path="/a"} \(number * 10) \(time)
            requests_total{code="500",path="/a b"} \(number * 20) \(time)

            """
    }.joined()

    private static func values(_ reply: Query.Reply) -> [[String: String]: [Double]] {
        Dictionary(uniqueKeysWithValues: reply.series.map { ($0.labels, $0.points.map(\.value.value)) })
    }

    @Test("What was imported is evaluated, with RE2 for its expressions")
    func evaluates() async throws {
        try await withDaemon(importing: Self.counters) { client in
            let at = Self.baseMs + 600_000
            func ask(_ query: String) async throws -> [[String: String]: [Double]] {
                Self.values(try await client.call(Query.self, .init(query: query, timeMs: at)))
            }
            #expect(
                try await ask("rate(requests_total[5m])") == [
                    ["code": "200", "path": "/a"]: [1], ["code": "500", "path": "/a b"]: [2],
                ])
            #expect(try await ask("sum by (code) (requests_total{path=~\"/a.+\"})") == [["code": "500"]: [1200]])
            #expect(try await ask("sum(requests_total{path!~\"/a(?: b)?\"})").isEmpty)
            #expect(
                try await ask("label_replace(max(requests_total), \"x\", \"$1-${word}\", \"y\", \"()(?P<word>)\")") == [
                    ["x": "-"]: [1200]
                ])
            let scalar = try await client.call(Query.self, .init(query: "scalar(max(requests_total)) / 2", timeMs: at))
            #expect(scalar.type == .scalar && scalar.series.first?.points.map(\.value.value) == [600])
            let text = try await client.call(Query.self, .init(query: "\"a\"", timeMs: at))
            #expect(text.type == .string && text.text == "a")
        }
    }

    @Test("A range comes in pages of any size, and every page is of the same time")
    func pages() async throws {
        try await withDaemon(importing: Self.counters) { client in
            let params = Query.Params(
                query: "requests_total", fromMs: Self.baseMs, toMs: Self.baseMs + 600_000, stepMs: 10_000)
            let whole = try await client.call(Query.self, params)
            #expect(whole.type == .matrix && whole.next == nil && whole.series.map(\.points.count) == [61, 61])
            for limit in [1, 7, 61, 62, 121] {
                var found: [[String: String]: [Point]] = [:]
                var next = params
                next.limit = limit
                repeat {
                    let page = try await client.call(Query.self, next)
                    #expect(page.series.reduce(0) { $0 + $1.points.count } <= limit)
                    for series in page.series { found[series.labels, default: []] += series.points }
                    next.cursor = page.next
                } while next.cursor != nil
                #expect(found.count == 2 && whole.series.allSatisfy { found[$0.labels] == $0.points })
            }
        }
    }

    @Test("A refusal says what is wrong and where")
    func refusals() async throws {
        try await withDaemon(importing: Self.counters) { client in
            let at = Self.baseMs + 600_000
            func refusal(_ query: String) async -> RPCError? {
                await #expect(throws: RPCError.self) {
                    try await client.call(Query.self, .init(query: query, timeMs: at))
                }
            }
            #expect(
                await refusal("sum(")
                    == MetricsErrors.invalidQuery(
                        position: 5, problem: "expected an expression, found the end"))
            #expect(await refusal("up{a=~\"(\"}")?.name == "invalidQuery")
            #expect(await refusal("requests_total / on() requests_total")?.name == "queryFailed")
            #expect(await refusal("max_over_time(vector(1)[5y:1ms])")?.name == "queryTooLarge")
        }
    }

    @Test("An import is taken whole or not at all, and `stale` ends a series")
    func imports() async throws {
        try await withDaemon(importing: "up 1 1700000000000\nup stale 1700000060000\n") { client in
            func up(_ seconds: Int64) async throws -> Int {
                try await client.call(Query.self, .init(query: "up{job=\"\"}", timeMs: Self.baseMs + seconds * 1000))
                    .series
                    .count
            }
            #expect(try await up(59) == 1)
            #expect(try await up(60) == 0)
            await #expect(
                throws: MetricsErrors.invalidImport(line: 3, problem: "expected a series, a value and a time")
            ) {
                try await client.call(
                    ImportSamples.self, .init(text: "# HELP a b\na 1 1700000000\na{b=\"c\" 2 1700000000\n"))
            }
            await #expect(throws: MetricsErrors.invalidImport(line: 1, problem: "no time, or none from 1970 to 9999")) {
                try await client.call(ImportSamples.self, .init(text: "a 1\n"))
            }
            let listed = try await client.call(ListSeries.self, .init(selector: "a"))
            #expect(listed.total == 0)
            let taken = try await client.call(
                ImportSamples.self,
                .init(text: "a{b=\"c\"} 1 1700000000.5 # {id=\"1\"} 3\na{b=\"c\"} 2 1700000000.5\n# EOF\n"))
            #expect(taken == ImportSamples.Reply(samples: 1, series: 1))
            let found = try await client.call(Query.self, .init(query: "a", timeMs: Self.baseMs + 500))
            #expect(Self.values(found) == [["b": "c"]: [2]], "the later line counts")
        }
    }

    @Test("What is exported in any text format is what was imported, page by page")
    func exports() async throws {
        let special = """
            odd{a="C:\\\\temp \\"q\\"\\n,é"} NaN 1700000000001
            odd{a="C:\\\\temp \\"q\\"\\n,é"} -Inf 1700000060001
            odd{a="C:\\\\temp \\"q\\"\\n,é"} 0.1 1700000120001

            """
        try await withDaemon(importing: Self.counters + special) { client in
            func export(_ format: ExportFormat) async throws -> String {
                var text = ""
                var params = ExportSamples.Params(
                    selector: "{__name__=~\"odd|requests_total\"}", fromMs: Self.baseMs, toMs: Self.baseMs + 600_000,
                    format: format)
                repeat {
                    let page = try await client.call(ExportSamples.self, params)
                    text += page.text
                    params.cursor = page.next
                } while params.cursor != nil
                return text
            }
            let lines = Set((Self.counters + special).split(separator: "\n"))
            #expect(Set(try await export(.prometheus).split(separator: "\n")) == lines)
            let open = try await export(.openMetrics)
            #expect(
                open.hasSuffix("\n# EOF\n")
                    && open.contains("odd{a=\"C:\\\\temp \\\"q\\\"\\n,é\"} NaN 1700000000.001\n"))
            let again = try await client.call(ImportSamples.self, .init(text: open))
            #expect(again == ImportSamples.Reply(samples: 125, series: 3))
            #expect(Set(try await export(.prometheus).split(separator: "\n")) == lines)
            let table = try await export(.csv)
            #expect(table.hasPrefix("series,time,value\r\n"))
            #expect(table.contains("\"requests_total{code=\"\"200\"\",path=\"\"/a\"\"}\",1700000010000,10\r\n"))
        }
    }

    @Test("The exposition has every series' latest value once")
    func exposition() async throws {
        try await withDaemon(importing: "a 1 1700000000000\n") { client in
            #expect(await client.eventually { ((try? await client.call(ListSeries.self, .init()))?.total ?? 0) > 400 })
            let page = try await client.call(Exposed.self, .init())
            let names = page.text.split(separator: "\n").dropLast().map {
                $0.split(separator: " ").dropLast(2).joined()
            }
            #expect(page.text.hasSuffix("\n# EOF\n") && names.count > 400 && Set(names).count == names.count)
            let load = try await client.call(
                Exposed.self, .init(selector: "{__name__=~\"node_load.+\"}", cursor: "node_load1"))
            #expect(
                load.text.split(separator: "\n").map { $0.prefix { $0 != " " } } == ["node_load15", "node_load5", "#"])
        }
    }

    @Test("What would be dropped at once for its age is refused")
    func tooOld() async throws {
        let fixture = try DaemonFixture()
        let daemon = try await fixture.start(Metricsd.self)
        let client = try await TestClient("metricsd", fixture.places)
        let refusal = await #expect(throws: RPCError.self) {
            try await client.call(ImportSamples.self, .init(text: "a 1 \(Self.baseMs / 1000)\n"))
        }
        #expect(refusal?.name == "importTooOld")
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Test("More series than there may be are refused before one is taken")
    func tooManySeries() async throws {
        try await withDaemon("  maximumSeries: 2000\n", importing: "a 1 1700000000000\n") { client in
            let text = (0..<2000).map { "b{n=\"\($0)\"} 1 1700000000\n" }.joined()
            let refusal = await #expect(throws: RPCError.self) {
                try await client.call(ImportSamples.self, .init(text: text))
            }
            #expect(refusal?.name == "importTooLarge")
            let listed = try await client.call(ListSeries.self, .init(selector: "b"))
            #expect(listed.total == 0)
        }
    }
}
