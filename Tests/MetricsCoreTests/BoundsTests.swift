import MetricsAPI
import MetricsCore
import Testing
import Time
import Wire

@Suite("What a series may cost")
struct BoundsTests {
    private func push(_ samples: [PushedSample]) throws -> Int {
        var board = PushBoard()
        return try board.push(.init(service: "gateway", samples: samples), now: .zero)
    }

    private func text(_ bytes: Int) -> String { String(repeating: "x", count: bytes) }

    private func labelled(_ count: Int) -> PushedSample {
        PushedSample(
            name: "depth", labels: Dictionary(uniqueKeysWithValues: (0..<count).map { ("label_\($0)", "v") }), value: 1)
    }

    @Test("Labels, names, values and the whole are bounded; a push beyond is refused whole, with its place")
    func pushes() throws {
        #expect(try push([labelled(SeriesBounds.mostLabels)]) == 1)
        #expect(throws: MetricsErrors.invalidSample(index: 1, problem: "65 labels; 64 are the most")) {
            try push([labelled(1), labelled(65)])
        }
        #expect(throws: MetricsErrors.invalidSample(index: 0, problem: "80000 labels; 64 are the most")) {
            try push([labelled(80_000)])
        }
        let values = (2048, 2049)
        #expect(try push([PushedSample(name: "a", labels: ["of": text(values.0)], value: 1)]) == 1)
        #expect(throws: MetricsErrors.invalidSample(index: 0, problem: "a label value of 2049 bytes")) {
            try push([PushedSample(name: "a", labels: ["of": text(values.1)], value: 1)])
        }
        #expect(throws: MetricsErrors.invalidSample(index: 0, problem: "a name of 257 bytes")) {
            try push([PushedSample(name: text(257), value: 1)])
        }
        #expect(throws: MetricsErrors.invalidSample(index: 0, problem: "a label name of 257 bytes")) {
            try push([PushedSample(name: "a", labels: [text(257): "v"], value: 1)])
        }
        // Quoted, each of these takes two bytes.
        let quotes = String(repeating: "\"", count: 2048)
        #expect(throws: MetricsErrors.invalidSample(index: 0, problem: "4105 bytes of name and labels")) {
            try push([PushedSample(name: "a", labels: ["of": quotes], value: 1)])
        }
    }

    @Test("What is within the bounds can be read again from its text")
    func readAgain() throws {
        let own = [Label("instance", "127.0.0.1:3000"), Label("job", "gateway"), Label("service", "gateway")]
        let most = Labels("a", [Label("of", text(2040)), Label("to", text(2030))] + own)
        #expect(SeriesBounds.excess(of: Labels("a", Array(most.pairs.filter { $0.value.first == "x" }))) == nil)
        let again = Array(most.description.utf8).withUnsafeBytes { Exposition.labels($0) }
        #expect(again == most)
    }

    @Test("Of two labels with one name the later counts, an empty one is none, and all are sorted")
    func labels() {
        let made = Labels("m", [Label("b", "1"), Label("a", "2"), Label("b", "3"), Label("c", ""), Label("a", "")])
        #expect(made.pairs == [Label("b", "3")])
        let many = (0..<5000).reversed().map { Label("label_\($0 % 2500)", "\($0)") }
        #expect(Labels("m", many).pairs.count == 2500)
        #expect(Labels("m", many).value(of: "label_7") == "7")
        #expect(Labels("m", many).pairs == Labels("m", many).pairs.sorted())
    }

    @Test("A series whose labels fill a page has its points in pages all the same")
    func longLabels() throws {
        var encoder = ValueEncoder()
        for value in 1...3 { encoder.append(Double(value).bitPattern) }
        let view = ChunkView(
            block: 1, times: [1000, 2000, 3000],
            chunk: Chunk(series: SeriesID(1), start: 0, count: 3, bits: encoder.bits))
        var found: [Int64] = []
        var cursor: String?
        repeat {
            let asked = QueryRange.Params(
                selector: "a", fromMs: cursor == nil ? 0 : nil, toMs: cursor == nil ? 5000 : nil, cursor: cursor)
            var page = RangePage(try RangePlan(asked, now: 5000, patterns: TestPatterns.compile))
            var samples = SampleCursor([view])
            _ = page.add(SeriesID(1), labels: Labels("a", [Label("of", text(800_000))]), cursor: &samples)
            try #require(!page.series.isEmpty)
            found += page.series.flatMap { $0.points.map(\.timeMs) }
            cursor = page.next
        } while cursor != nil
        #expect(found == [1000, 2000, 3000])
    }
}
