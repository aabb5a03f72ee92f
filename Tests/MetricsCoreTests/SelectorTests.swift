import MetricsCore
import Testing

@Suite("Selectors")
struct SelectorTests {
    private static func parse(_ text: String) throws(QueryError) -> Selector {
        guard case .selector(let found) = try ExpressionParser.parse(text, patterns: TestPatterns.compile) else {
            throw QueryError(.syntax, "no selector")
        }
        return found.selector
    }

    private static func pattern(_ text: String) throws(PatternProblem) -> CompiledPattern {
        try TestPatterns.compile(text)
    }

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
            ("{on=\"1\",inf=\"2\"}", [Matcher("on", .equal, "1"), Matcher("inf", .equal, "2")]),
        ])
    func good(text: String, matchers: [Matcher]) throws {
        #expect(try Self.parse(text) == Selector(matchers))
    }

    @Test("Regular expressions match whole values, and a missing label counts as empty")
    func patterns() throws {
        let text = "up{job=~\"a|b.*\",zone!~\"x|\"}"
        let selector = try Self.parse(text)
        #expect(
            selector
                == Selector([
                    Matcher("__name__", .equal, "up"), Matcher("job", .matches, try Self.pattern("a|b.*")),
                    Matcher("zone", .doesNotMatch, try Self.pattern("x|")),
                ]))
        func isMeant(_ job: String, _ zone: String) -> Bool {
            selector.matches(Labels("up", [Label("job", job), Label("zone", zone)]))
        }
        #expect(isMeant("a", "y") && isMeant("b", "y") && isMeant("bcd", "xx"))
        #expect(!isMeant("aa", "y") && !isMeant("cb", "y") && !isMeant("", "y"))
        #expect(!isMeant("a", "x") && !isMeant("a", ""))
        #expect(try Self.parse("up{job=~\"a?\"}").metric == "up")
        #expect(try Self.parse("{__name__=~\"up|down\"}").metric == nil)
    }

    @Test(
        "What cannot be read is refused with its position",
        arguments: [
            ("", 1, "no expression found in input"),
            ("9up", 1, "bad number or duration \"9up\""),
            ("up{", 4, "expected a label name or }, found the end"),
            ("up{a}", 5, "expected one of =, !=, =~, !~, found \"}\""),
            ("up{a=b}", 6, "expected a quoted value, found \"b\""),
            ("up{a=\"b}", 6, "a quoted text without its end"),
            ("up{a=\"b\" c=\"d\"}", 10, "expected a comma or }, found \"c\""),
            ("up{a=\"b\"} x", 11, "expected an operator or the end, found \"x\""),
            ("up{a=~\"b(\"}", 7, "error parsing regexp: missing closing ): `b(`"),
            ("up{b=\"é\",a!~\"*\"}", 14, "error parsing regexp: missing argument to repetition operator: `*`"),
            ("up{__name__=\"x\"}", 4, "the metric name must not be set twice"),
            ("{}", 1, "vector selector must contain at least one non-empty matcher"),
            (" {a=\"\"}", 2, "vector selector must contain at least one non-empty matcher"),
            ("{a=~\".*\"}", 1, "vector selector must contain at least one non-empty matcher"),
            ("{a!=\"b\"}", 1, "vector selector must contain at least one non-empty matcher"),
            ("{a!~\"b\"}", 1, "vector selector must contain at least one non-empty matcher"),
            ("up{a=\"\\q\"}", 8, "unknown escape sequence"),
            ("up{a=\"\\ud800\"}", 9, "no such Unicode character"),
        ])
    func bad(text: String, position: Int, message: String) {
        let problem = #expect(throws: QueryError.self) { try Self.parse(text) }
        guard let problem else { return }
        #expect(problem.message == message)
        #expect(problem.position == position)
        #expect(problem.reason == .syntax)
    }

    @Test("Any bytes give a selector or an error")
    func anyBytes() {
        let pieces = ["up", "{", "}", "=", "!=", "\"", "a", ",", "\\", "'", "`", " ", "\n", "é", "=~"]
        var counter = 0
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    counter += (try? Self.parse("up{" + first + second + third)) == nil ? 1 : 0
                }
            }
        }
        #expect(counter > 3000)
    }

    @Test("A label that is missing counts as empty")
    func missingLabel() throws {
        let plain = Labels("up")
        let named = Labels("up", [Label("job", "node")])
        let without = try Self.parse("up{job=\"\"}")
        let with = try Self.parse("up{job!=\"\"}")
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
        #expect(index.select(try Self.parse("up")) == [first.id, second.id])
        #expect(index.select(try Self.parse("up"), after: first.id) == [second.id])
        #expect(index.select(try Self.parse("{job!=\"b\",__name__!=\"\"}")) == [first.id, third.id])
        index.remove(first.id)
        let againFound = index.resolve(Labels("up", [Label("job", "a")]))
        let again = try #require(againFound)
        #expect(again.id > third.id, "a number is never given twice")
    }
}
