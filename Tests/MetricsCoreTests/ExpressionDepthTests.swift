import MetricsCore
import Testing
import Time

@Suite("Expressions of any depth and any bytes")
struct ExpressionDepthTests {
    private static func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

    private static func parse(_ text: String) throws(QueryError) -> Expression {
        try ExpressionParser.parse(text, patterns: TestPatterns.compile)
    }

    /// The most repetitions that the parser takes, of ten thousand.
    private static func mostLevels(_ text: (Int) -> String) -> Int {
        var (taken, refused) = (0, 10_000)
        while taken + 1 < refused {
            let middle = (taken + refused) / 2
            if (try? parse(text(middle))) == nil { refused = middle } else { taken = middle }
        }
        return taken
    }

    @Test(
        "Ten thousand levels are refused, some are taken",
        arguments: [
            ("(", "1", ")"), ("-", "a", ""), ("1+(", "1", ")"), ("abs(", "a", ")"), ("sum(", "a", ")"), ("1^", "1", ""),
            ("a or (", "a", ")"), ("sum by (x) (-", "a", ")"), ("max_over_time((", "a", ")[1m:1m])"),
            ("a * on(x) (", "a", ")"),
        ])
    func deep(open: String, inner: String, close: String) throws {
        func text(_ count: Int) -> String { Self.repeated(open, count) + inner + Self.repeated(close, count) }
        for count in [10_000, 1000] {
            let problem = #expect(throws: QueryError.self) { try Self.parse(text(count)) }
            #expect((1...text(count).utf8.count + 1).contains(problem?.position ?? 0))
            let isLong = text(count).utf8.count > 65_536
            #expect(problem?.message.contains(isLong ? "at most 65536 bytes" : "levels deep") == true)
        }
        let most = Self.mostLevels(text)
        #expect(most >= 20)
        do { _ = try MemorySamples(["a": "1"]).result(text(most), QuerySteps(atMs: 0)) } catch {
            #expect(error is QueryError)
        }
    }

    @Test("Ten thousand brackets, modifiers and labels behind each other are refused or taken")
    func long() {
        let tails = [
            "[1m:1m]", "[1m]", " offset 1m", " @ 5", "{a=\"b\"}", "(", ")", "[", "]", "{", "}", "@", ":", ",", "\"",
            "\\", "#",
            " by", " sum", " on", " bool", "-", "^", "=", "!", "é", "\n",
        ]
        for tail in tails {
            for start in ["a", "a[1m:1m]", ""] {
                let text = start + Self.repeated(tail, 10_000)
                do throws(QueryError) { _ = try Self.parse(text) } catch {
                    #expect((1...text.utf8.count + 1).contains(error.position ?? 1), "\(start)\(tail)")
                }
            }
        }
        #expect(throws: Never.self) { try Self.parse("a{\(Self.repeated("a=\"b\",", 10_000))}") }
        #expect(throws: Never.self) { try Self.parse("sum by (\(Self.repeated("b,", 10_000))) (a)") }
    }

    @Test(
        "A chain of ten thousand operators is an answer or an error",
        arguments: ["+1", "+a", " or a", "*on()a", "==bool 1", "- -1", "^1"])
    func chain(link: String) {
        let most = Self.mostLevels { "a" + Self.repeated(link, $0) }
        #expect(most >= 100, "a chain of a hundred is none of a bomb")
        for count in [most, 1000, 10_000] {
            let text = "a" + Self.repeated(link, count)
            do {
                _ = try MemorySamples(["a": "1"]).result(text, QuerySteps(atMs: 0))
            } catch let error as QueryError {
                #expect((1...text.utf8.count + 1).contains(error.position ?? 1))
            } catch {
                Issue.record(error)
            }
        }
    }

    @Test("An expression is 64 KiB long at most")
    func longest() {
        let fits = "a" + Self.repeated(" ", 65_535)
        #expect(throws: Never.self) { try Self.parse(fits) }
        #expect(throws: QueryError(.syntax, at: 65_537, "an expression may have at most 65536 bytes")) {
            try Self.parse(fits + " ")
        }
    }

    @Test("Any soup of words is an expression or an error with a place in it", arguments: 0..<40 as Range<UInt64>)
    func soup(seed: UInt64) {
        let words = [
            "a", "up", "sum", "rate", "topk", "count_values", "label_replace", "label_join", "histogram_quantile", "(",
            ")", "(", ")",
            "{", "}", "[", "]", "[5m]", "[5m:1m]", "5m", "1h30m", ":", ",", ",", "=", "!=", "=~", "!~", "\"x\"", "'.*'",
            "`(`", "1",
            "2.5", "0x1f", "1e3", "inf", "nan", "+", "-", "*", "/", "%", "^", "==", "<", "and", "or", "unless", "atan2",
            "bool",
            "on", "ignoring", "(a)", "(a,b)", "group_left", "group_right", "by", "without", "offset", "@", "start()",
            "end()", "time()",
            "{a=\"b\"}", "__name__", "#\n", "é", "\"", "\\", "\u{0}",
        ]
        let samples = MemorySamples(["a": "1 2 3", "up{a=\"b\"}": "1 2 3"])
        var random = SeededRandom(seed: seed)
        var taken = 0
        for _ in 0..<500 {
            let count = Int.random(in: 1...14, using: &random)
            let text = (0..<count).map { _ in
                (words.randomElement(using: &random) ?? "") + (Bool.random(using: &random) ? " " : "")
            }.joined()
            do throws(QueryError) {
                let expression = try Self.parse(text)
                taken += 1
                var evaluation = Evaluation(samples, steps: QuerySteps(atMs: 60_000), patterns: TestPatterns.compile)
                _ = try evaluation.run(expression)
            } catch {
                #expect((1...text.utf8.count + 1).contains(error.position ?? 1), "\(text)")
            }
        }
        #expect(taken > 0)
    }

    @Test("Any bytes are an expression or an error with a place in them", arguments: 0..<20 as Range<UInt64>)
    func bytes(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<500 {
            let count = Int.random(in: 0...30, using: &random)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            let text = String(decoding: bytes, as: UTF8.self)
            do throws(QueryError) { _ = try Self.parse(text) } catch {
                #expect((1...text.utf8.count + 1).contains(error.position ?? 1), "\(bytes)")
            }
        }
    }
}
