import MetricsCore
import Testing

@Suite("Selectors")
struct SelectorTests {
    @Test(
        "Selectors are read as PromQL reads them",
        arguments: [
            ("up", [Matcher("__name__", .equal, "up")]),
            (" node:load1 { } ", [Matcher("__name__", .equal, "node:load1")]),
            ("up{a=\"b\"}", [Matcher("__name__", .equal, "up"), Matcher("a", .equal, "b")]),
            ("{__name__=\"up\",a!='b',}", [Matcher("__name__", .equal, "up"), Matcher("a", .notEqual, "b")]),
            ("x{a=`\\n\"`}", [Matcher("__name__", .equal, "x"), Matcher("a", .equal, "\\n\"")]),
            (
                "x{a=\"\\\"\\\\\\n\\x41\\u00e9\"}",
                [Matcher("__name__", .equal, "x"), Matcher("a", .equal, "\"\\\nAé")]
            ),
        ])
    func good(text: String, matchers: [Matcher]) throws {
        #expect(try SelectorParser.parse(text) == Selector(matchers))
    }

    @Test(
        "What cannot be read is refused with its position",
        arguments: [
            ("", 1, "expected a metric name or {, found the end"),
            ("9up", 1, "unexpected 9"),
            ("up{", 4, "expected a label name or }, found the end"),
            ("up{a}", 5, "expected =, != after a label name, found }"),
            ("up{a=b}", 6, "expected a quoted value, found b"),
            ("up{a=\"b}", 6, "a quoted value without its end"),
            ("up{a=\"b\" c=\"d\"}", 10, "expected , or }, found c"),
            ("up{a=\"b\"} x", 11, "unexpected x"),
            ("up{a=~\"b\"}", 5, "=~ (regular expressions) is not supported yet; use = or !="),
            ("up{__name__=\"x\"}", 4, "the metric name is set twice"),
            ("{}", 1, "expected a metric name or {, found the end"),
            ("{a=\"\"}", 1, "a selector must have at least one matcher that does not match the empty string"),
            ("up{a=\"\\q\"}", 8, "unknown escape sequence"),
            ("up{a=\"\\ud800\"}", 9, "no such Unicode character"),
        ])
    func bad(text: String, position: Int, message: String) {
        let problem = #expect(throws: SelectorError.self) { try SelectorParser.parse(text) }
        guard let problem else { return }
        #expect(problem.message == message)
        if text != "{}" { #expect(problem.position == position) }
    }

    @Test("Any bytes give a selector or an error")
    func anyBytes() {
        let pieces = ["up", "{", "}", "=", "!=", "\"", "a", ",", "\\", "'", "`", " ", "\n", "é", "=~"]
        var counter = 0
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    counter += (try? SelectorParser.parse("up{" + first + second + third)) == nil ? 1 : 0
                }
            }
        }
        #expect(counter > 3000)
    }

    @Test("A label that is missing counts as empty")
    func missingLabel() throws {
        let plain = Labels("up")
        let named = Labels("up", [Label("job", "node")])
        let without = try SelectorParser.parse("up{job=\"\"}")
        let with = try SelectorParser.parse("up{job!=\"\"}")
        #expect(without.matches(plain) && !without.matches(named))
        #expect(!with.matches(plain) && with.matches(named))
    }

    @Test("Labels are sorted, unique, and empty ones are none")
    func labelsAreCanonical() {
        let labels = Labels("x", [Label("b", "1"), Label("a", "old"), Label("a", "q\"\\\n"), Label("c", "")])
        #expect(labels.description == "x{a=\"q\\\"\\\\\\n\",b=\"1\"}")
        #expect(labels == Labels("x", [Label("a", "q\"\\\n"), Label("b", "1")]))
        #expect(Labels.isMetricName("a:b_9") && !Labels.isMetricName("9a") && !Labels.isMetricName(""))
        #expect(Labels.isLabelName("_x") && !Labels.isLabelName("a:b"))
    }

    @Test("The index selects by name and labels, in order, and refuses past its limit")
    func indexSelects() throws {
        var index = SeriesIndex(limit: 3)
        let firstFound = index.resolve(Labels("up", [Label("job", "a")]))
        let first = try #require(firstFound)
        let secondFound = index.resolve(Labels("up", [Label("job", "b")]))
        let second = try #require(secondFound)
        let thirdFound = index.resolve(Labels("down"))
        let third = try #require(thirdFound)
        let fourth = index.resolve(Labels("more"))
        #expect(fourth == nil)
        let known = index.resolve(Labels("up", [Label("job", "a")]))
        #expect(known?.isNew == false)
        #expect(index.select(try SelectorParser.parse("up")) == [first.id, second.id])
        #expect(index.select(try SelectorParser.parse("up"), after: first.id) == [second.id])
        #expect(index.select(try SelectorParser.parse("{job!=\"b\",__name__!=\"\"}")) == [first.id, third.id])
        index.remove(first.id)
        let againFound = index.resolve(Labels("up", [Label("job", "a")]))
        let again = try #require(againFound)
        #expect(again.id > third.id, "a number is never given twice")
    }
}
