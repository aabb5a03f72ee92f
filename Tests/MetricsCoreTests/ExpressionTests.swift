import MetricsCore
import Testing

extension Expression {
    /// The expression with parentheses around every operator and around nothing else.
    var shape: String {
        switch self {
        case .number(let value): "\(value)"
        case .string(let text): "\"\(text)\""
        case .selector(let selector): selector.shape
        case .range(let selector, let rangeMs): "\(selector.selector.shape)[\(rangeMs)]\(selector.shift.shape)"
        case .subquery(let subquery):
            subquery.inner.shape + "[\(subquery.rangeMs):\(subquery.stepMs.map { "\($0)" } ?? "")]"
                + subquery.shift.shape
        case .call(let call):
            "\(call.function.rawValue)(\(call.arguments.map(\.shape).joined(separator: ", ")))"
        case .aggregation(let aggregation):
            "\(aggregation.operation.rawValue) \(aggregation.isWithout ? "without" : "by")\(aggregation.labels) "
                + "(\(([aggregation.parameter].compactMap { $0 } + [aggregation.inner]).map(\.shape)))"
        case .binary(let binary):
            "(\(binary.left.shape) \(binary.operation.rawValue)\(binary.isBool ? " bool" : "")"
                + "\(binary.matching.shape) \(binary.right.shape))"
        case .negation(let inner): "(-\(inner.shape))"
        case .identity(let inner): "(+\(inner.shape))"
        case .parentheses(let inner): inner.shape
        }
    }
}

extension Selector {
    fileprivate var shape: String {
        "{" + matchers.map { "\($0.label)\($0.comparison.rawValue)\($0.value)" }.joined(separator: ",") + "}"
    }
}

extension VectorSelector {
    fileprivate var shape: String { selector.shape + shift.shape }
}

extension TimeShift {
    fileprivate var shape: String {
        (anchor.map { "@\($0)" } ?? "") + (offsetMs == 0 ? "" : " offset \(offsetMs)")
    }
}

extension VectorMatching {
    fileprivate var shape: String {
        let on = isOn || !labels.isEmpty ? " \(isOn ? "on" : "ignoring")\(labels)" : ""
        return group == .none ? on : "\(on) group_\(group)\(included)"
    }
}

@Suite("PromQL as it is written")
struct ExpressionTests {
    private static func shape(_ text: String) throws -> String {
        try ExpressionParser.parse(text, patterns: TestPatterns.compile).shape
    }

    @Test(
        "Operators bind as PromQL says: a spelling with all parentheses is the same expression",
        arguments: [
            ("a + b * c", "(a + (b * c))"),
            ("a * b + c", "((a * b) + c)"),
            ("a - b - c", "((a - b) - c)"),
            ("a / b / c % d", "(((a / b) / c) % d)"),
            ("a * b atan2 c", "((a * b) atan2 c)"),
            ("a atan2 b * c", "((a atan2 b) * c)"),
            ("a ^ b ^ c", "(a ^ (b ^ c))"),
            ("a * b ^ c * d", "((a * (b ^ c)) * d)"),
            ("-a ^ b", "(-(a ^ b))"),
            ("-a * b", "((-a) * b)"),
            ("a ^ -b ^ c", "(a ^ (-(b ^ c)))"),
            ("a ^ -b * c", "((a ^ (-b)) * c)"),
            ("a - -b", "(a - (-b))"),
            ("- - a", "(-(-a))"),
            ("+a + +b", "((+a) + (+b))"),
            ("+a ^ b", "(+(a ^ b))"),
            ("a + b == c - d", "((a + b) == (c - d))"),
            ("a < b > c", "((a < b) > c)"),
            ("a == b != c <= d >= e", "((((a == b) != c) <= d) >= e)"),
            ("a and b == c", "(a and (b == c))"),
            ("a or b and c", "(a or (b and c))"),
            ("a and b or c and d", "((a and b) or (c and d))"),
            ("a and b unless c", "((a and b) unless c)"),
            ("a unless b and c", "((a unless b) and c)"),
            ("a or b unless c or d", "((a or (b unless c)) or d)"),
            ("-a offset 5m", "(-(a offset 5m))"),
            ("a * b offset 5m", "(a * (b offset 5m))"),
            ("-a @ 5", "(-(a @ 5))"),
            ("a ^ b[5m:1m] @ 5 offset 1m", nil),
            ("a == bool on(x) b + c", "(a == bool on(x) (b + c))"),
            ("a + on(x) group_left(y) b * ignoring(z) c", "(a + on(x) group_left(y) (b * ignoring(z) c))"),
            ("a ^ ignoring() b ^ on() c", "(a ^ ignoring() (b ^ on() c))"),
            ("sum(a) + sum by (x) (b) * c", "((sum(a)) + ((sum(b) by (x)) * c))"),
        ] as [(String, String?)])
    func precedence(text: String, full: String?) throws {
        guard let full else {
            #expect(throws: QueryError.self) { try Self.shape(text) }
            return
        }
        // A selector in parentheses cannot be shifted, so shifts are compared where they stand.
        #expect(try Self.shape(text) == Self.shape(full))
    }

    @Test(
        "Numbers alone are computed as Go does",
        arguments: [
            ("1 + 2 * 3", "7"), ("(1 + 2) * 3", "9"), ("10 - 4 - 3", "3"), ("100 / 10 / 5", "2"),
            ("7 % 4 % 2", "1"), ("7 % (4 % 2)", "NaN"), ("2 ^ 3 ^ 2", "512"), ("(2 ^ 3) ^ 2", "64"),
            ("-2 ^ 2", "-4"), ("(-2) ^ 2", "4"), ("2 ^ -2 ^ 2", "0.0625"), ("2 ^ -1 * 3", "1.5"),
            ("--1", "1"), ("+-+1", "-1"), ("1 - -1", "2"), ("-5 % 3", "-2"), ("5 % -3", "2"), ("-6 % 3", "-0"),
            ("5.5 % 2", "1.5"), ("5 % 0", "NaN"), ("Inf % 5", "NaN"), ("5 % Inf", "5"),
            ("1 / 0", "+Inf"), ("-1 / 0", "-Inf"), ("0 / 0", "NaN"), ("0 ^ 0", "1"), ("NaN ^ 0", "1"),
            ("1 ^ NaN", "1"), ("(-8) ^ (1 / 3)", "NaN"), ("(-2) ^ 3", "-8"), ("(-2) ^ -3", "-0.125"),
            ("(-1) ^ Inf", "1"), ("(-1) ^ -Inf", "1"), ("2 ^ Inf", "+Inf"), ("2 ^ -Inf", "0"),
            ("0.5 ^ Inf", "0"), ("0.5 ^ -Inf", "+Inf"), ("Inf ^ -1", "0"), ("(-Inf) ^ 3", "-Inf"),
            ("(-Inf) ^ 2", "+Inf"), ("(-Inf) ^ -3", "-0"), ("(-Inf) ^ 0.5", "+Inf"), ("0 ^ -1", "+Inf"),
            ("(-0) ^ -1", "-Inf"), ("(-0) ^ -2", "+Inf"), ("(-0) ^ 3", "-0"), ("(-0) ^ 0.5", "0"),
            ("(-2) ^ Inf", "+Inf"), ("(-2) ^ 1e300", "+Inf"), ("-0", "-0"), ("0 - 0", "0"),
            ("0 atan2 -1", "3.141592653589793"), ("-0 atan2 -1", "-3.141592653589793"),
            ("1 atan2 0 * 2", "3.141592653589793"),
            ("1 + 2 == bool 3", "1"), ("2 > bool 1 == bool 1", "1"), ("NaN == bool NaN", "0"), ("NaN != bool NaN", "1"),
            ("Inf == bool Inf", "1"), ("-Inf < bool Inf", "1"), ("1 >= bool 1", "1"), ("1 <= bool 0", "0"),
            ("1 < bool NaN", "0"), ("1e308 * 10", "+Inf"), ("pi()", "3.141592653589793"), ("time() - 1", "999"),
        ])
    func constants(text: String, value: String) throws {
        #expect(try MemorySamples().at(1000, text) == [value])
    }

    @Test(
        "Numbers are read in every spelling of Go's",
        arguments: [
            ("0", "0"), ("5.", "5"), (".5", "0.5"), ("1.e2", "100"), ("1e3", "1000"), ("1E-3", "0.001"),
            ("1.5e+2", "150"), ("010", "8"), ("08", "8"), ("0x1F", "31"), ("0Xff", "255"), ("00", "0"),
            ("inf", "+Inf"), ("INF", "+Inf"), ("+Inf", "+Inf"), ("-iNf", "-Inf"), ("nan", "NaN"), ("NAN", "NaN"),
            ("9223372036854775807", "9223372036854775807"), ("9223372036854775808", "9223372036854775808"),
            ("1e-400", "0"), ("0777", "511"), ("07.5", "7.5"), ("1#2", "1"),
        ])
    func numbers(text: String, value: String) throws {
        let found = try MemorySamples().number(0, text)
        #expect(found.map { SampleText.of($0) } == SampleText.of(Double(value == "+Inf" ? "inf" : value) ?? .nan))
    }

    /// Two spellings of one number are one text.
    private enum SampleText {
        static func of(_ value: Double) -> String { "\(value)" }
    }

    @Test(
        "Texts are read in every spelling of Go's",
        arguments: [
            ("\"a\"", "a"), ("'a\"b'", "a\"b"), ("\"a'b\"", "a'b"), ("`a\\n\"'\nb`", "a\\n\"'\nb"), ("\"\"", ""),
            ("\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"", "\u{7}\u{8}\u{c}\n\r\t\u{b}\\\""), ("'\\''", "'"),
            ("\"\\x41\\101\\u00e9\\U0001F600\"", "AAé😀"), ("\"\\xc3\\xa9\"", "é"),
            ("\"#no comment\"", "#no comment"),
            ("(\"in\")", "in"), ("\"\\000\"", "\0"),
        ])
    func texts(text: String, value: String) throws {
        #expect(try MemorySamples().at(0, text) == [value])
    }

    @Test(
        "Durations are units from the longest to the shortest, each once",
        arguments: [
            ("1y2w3d4h5m6s7ms", 33_019_506_007), ("5m", 300_000), ("90s", 90_000), ("1h30m", 5_400_000),
            ("100ms", 100), ("1m1ms", 60_001), ("1d", 86_400_000), ("0h5m", 300_000), (" 5m ", 300_000),
            ("1y", 31_536_000_000), ("005m", 300_000), ("292y", 9_208_512_000_000),
        ] as [(String, Int64)])
    func durations(text: String, ms: Int64) throws {
        #expect(try Self.shape("a[\(text)]") == "{__name__=a}[\(ms)]")
        #expect(try Self.shape("a offset \(text)") == "{__name__=a} offset \(ms)")
        #expect(try Self.shape("a offset -\(text)") == "{__name__=a} offset -\(ms)")
        #expect(try Self.shape("a[\(text):\(text)]") == "{__name__=a}[\(ms):\(ms)]")
        #expect(try Self.shape("a[\(text):]") == "{__name__=a}[\(ms):]")
    }

    @Test(
        "Keywords may be names of metrics where no operator can stand",
        arguments: [
            "and", "or", "unless", "offset", "by", "without", "start", "end", "sum", "AVG", "count_values", "topk",
            "rate", "time", "group", "a:b", ":a", "a:", "_", "Offset",
        ])
    func metricNames(name: String) throws {
        #expect(try Self.shape(name) == "{__name__=\(name)}")
        #expect(try Self.shape("\(name){a=\"b\"}") == "{__name__=\(name),a=b}")
        #expect(try Self.shape("\(name) + \(name)") == "({__name__=\(name)} + {__name__=\(name)})")
        #expect(try Self.shape("sum(\(name))") == "sum by[] ([\"{__name__=\(name)}\"])")
    }

    @Test("Keywords may be labels, in selectors also what is a number elsewhere")
    func labelNames() throws {
        let names = [
            "and", "or", "unless", "offset", "by", "start", "end", "sum", "on", "ignoring", "bool", "group_left",
            "group_right",
            "atan2", "Bool", "rate",
        ]
        for name in names {
            #expect(try Self.shape("sum by (\(name),) (a)") == "sum by[\"\(name)\"] ([\"{__name__=a}\"])")
            #expect(try Self.shape("a * on(\(name)) a") == "({__name__=a} * on[\"\(name)\"] {__name__=a})")
        }
        for name in names + ["inf", "NaN", "without"] {
            #expect(try Self.shape("a{\(name)=\"b\",}") == "{__name__=a,\(name)=b}")
        }
    }

    @Test("Keywords are read in any case, functions are not")
    func keywordCase() throws {
        #expect(try Self.shape("SUM BY (x) (a)") == Self.shape("sum by (x) (a)"))
        #expect(try Self.shape("a == Bool ON(x) a OFFSET 5m") == Self.shape("a == bool on(x) a offset 5m"))
        #expect(
            try Self.shape("a * IGNORING(x) Group_Left a OR b UNLESS c Atan2 d")
                == Self.shape("a * ignoring(x) group_left a or b unless c atan2 d"))
        #expect(try Self.shape("a @ START() and a @ End()") == Self.shape("a @ start() and a @ end()"))
    }

    @Test("A grouping may stand before or behind, offset and @ in any order")
    func places() throws {
        #expect(try Self.shape("sum(a) by (x, y)") == Self.shape("sum by (x, y) (a)"))
        #expect(try Self.shape("topk(3, a) without (x)") == Self.shape("topk without (x) (3, a)"))
        #expect(try Self.shape("a @ 5 offset 1m") == Self.shape("a offset 1m @ 5"))
        #expect(try Self.shape("a[5m] @ -1.5 offset -1m") == Self.shape("a[5m] offset -1m @ -1.5"))
        #expect(try Self.shape("a[5m:] @ end() offset 1m") == Self.shape("a[5m:] offset 1m @ end()"))
        #expect(try Self.shape("a @ +1.0006") == Self.shape("a @ 1.001"))
        #expect(
            try Self.shape("a offset 1m [5m:1m] offset 2m") == "{__name__=a} offset 60000[300000:60000] offset 120000")
    }

    @Test("Comments and blanks are passed over")
    func comments() throws {
        #expect(try Self.shape("1 # one\n + 2 # two \"") == "(1.0 + 2.0)")
        #expect(try Self.shape("# first\r\n\ta # last") == "{__name__=a}")
        #expect(
            try Self.shape("sum # of\n by # groups\n (x) # in\n (a{ # braces\n b=\"#\"} # end\n)")
                == "sum by[\"x\"] ([\"{__name__=a,b=#}\"])")
        #expect(try Self.shape("a [ 5m # long\n : ]") == "{__name__=a}[300000:]")
    }
}
