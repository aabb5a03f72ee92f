import MetricsCore
import Testing

@Suite("What is no PromQL")
struct ExpressionErrorTests {
    typealias Case = (text: String, position: Int, message: String)

    private func check(_ cases: [Case]) {
        for (text, position, message) in cases {
            let problem = #expect(throws: QueryError.self, "\(text)") {
                try ExpressionParser.parse(text, patterns: TestPatterns.compile)
            }
            guard let problem else { continue }
            #expect(problem == QueryError(.syntax, at: position, message), "\(text)")
        }
    }

    @Test("Words that cannot be cut are refused where they begin, errors inside a text where they are")
    func words() {
        check([
            ("$", 1, "unexpected $"),
            ("up + é", 6, "unexpected byte 195"),
            ("up\u{a0}", 3, "unexpected byte 194"),
            ("up;", 3, "unexpected ;"),
            ("a!b", 2, "unexpected !"),
            ("1 + .", 5, "unexpected ."),
            (" 0b1", 2, "bad number or duration \"0b1\""),
            ("1_0", 1, "bad number or duration \"1_0\""),
            ("1e999", 1, "bad number or duration \"1e999\""),
            ("1e", 1, "bad number or duration \"1e\""),
            ("1e+", 1, "bad number or duration \"1e+\""),
            ("0x", 1, "bad number or duration \"0x\""),
            ("0x1p3", 1, "bad number or duration \"0x1p3\""),
            ("0x1.8", 1, "bad number or duration \"0x1.8\""),
            ("0xffffffffffffffff", 1, "bad number or duration \"0xffffffffffffffff\""),
            ("a[1m1h]", 3, "bad number or duration \"1m1h\""),
            ("a[1h1h]", 3, "bad number or duration \"1h1h\""),
            ("a[1.5h]", 3, "bad number or duration \"1.5h\""),
            ("a[5mm]", 3, "bad number or duration \"5mm\""),
            ("a[5m30]", 3, "bad number or duration \"5m30\""),
            ("a[300000000000y]", 3, "the duration is out of range"),
            ("a[99999999999999999999s]", 3, "the duration is out of range"),
            ("\"abc", 1, "a quoted text without its end"),
            ("`abc", 1, "a quoted text without its end"),
            ("\"ab\\", 5, "a quoted text without its end"),
            ("\"ab\nc\"", 4, "a line end inside a quoted text"),
            ("'\\\"'", 3, "unknown escape sequence"),
            ("\"é\\q\"", 5, "unknown escape sequence"),
            ("\"\\xg0\"", 4, "expected a digit of an escape, found g"),
            ("\"\\x4\"", 5, "expected a digit of an escape, found \""),
            ("\"\\18\"", 4, "expected a digit of an escape, found 8"),
            ("\"\\u00\"", 6, "expected a digit of an escape, found \""),
            ("\"\\udfff\"", 4, "no such Unicode character"),
            ("\"\\U00110000\"", 4, "no such Unicode character"),
            ("\"\\UFFFFFFFF\"", 4, "no such Unicode character"),
        ])
    }

    @Test("An octal escape over 255 is refused within its text")
    func octal() {
        check([("\"\\400\"", 5, "an octal escape over 255")])
    }

    @Test("What cannot stand where it stands is refused there, with what could")
    func grammar() {
        check([
            ("", 1, "no expression found in input"),
            ("  ", 1, "no expression found in input"),
            ("# nothing", 1, "no expression found in input"),
            ("1 + ", 5, "expected an expression, found the end"),
            ("1 + 2 3", 7, "expected an operator or the end, found \"3\""),
            ("* 1", 1, "expected an expression, found \"*\""),
            ("(1", 3, "expected ), found the end"),
            ("1)", 2, "expected an operator or the end, found \")\""),
            ("()", 2, "expected an expression, found \")\""),
            ("5m", 1, "expected an expression, found \"5m\""),
            ("1 = 2", 3, "expected an operator or the end, found \"=\""),
            ("a =~ \"b\"", 3, "expected an operator or the end, found \"=~\""),
            ("a b", 3, "expected an operator or the end, found \"b\""),
            ("inf{a=\"b\"}", 4, "expected an operator or the end, found \"{\""),
            ("bool", 1, "expected an expression, found \"bool\""),
            ("1 + on", 7, "expected (, found the end"),
            ("a + group_left a", 5, "expected an expression, found \"group_left\""),
            ("a + bool a", 5, "bool modifier can only be used on comparison operators"),
            ("a and bool a", 7, "bool modifier can only be used on comparison operators"),
            ("a + on a", 8, "expected (, found \"a\""),
            ("a + on(a b) a", 10, "expected a comma or ), found \"b\""),
            ("a + on(1) a", 8, "expected a label name or ), found \"1\""),
            ("a + on(,) a", 8, "expected a label name or ), found \",\""),
            ("a + on(x:y) a", 8, "expected a label name or ), found \"x:y\""),
            ("sum by (inf) (a)", 9, "expected a label name or ), found \"inf\""),
            ("sum by (a) by (b) (c)", 12, "expected (, found \"by\""),
            ("sum by (a) (b) by (c)", 16, "expected an operator or the end, found \"by\""),
            ("sum(a", 6, "expected a comma or ), found the end"),
            ("sum(a,)", 7, "expected an expression, found \")\""),
            ("abs(a;", 6, "unexpected ;"),
            ("a{", 3, "expected a label name or }, found the end"),
            ("a{\"b\"}", 3, "expected a label name or }, found \"\"b\"\""),
            ("a{b=\"c\",,}", 9, "expected a label name or }, found \",\""),
            ("a{b:c=\"d\"}", 3, "expected a label name or }, found \"b:c\""),
            ("a{b==\"c\"}", 4, "expected one of =, !=, =~, !~, found \"==\""),
            ("a{b=c}", 5, "expected a quoted value, found \"c\""),
            ("a[", 3, "expected a duration such as 5m, found the end"),
            ("a[5]", 3, "expected a duration such as 5m, found \"5\""),
            ("a[5 m]", 3, "expected a duration such as 5m, found \"5\""),
            ("a[-5m]", 3, "expected a duration such as 5m, found \"-\""),
            ("a[0s]", 3, "duration must be greater than 0"),
            ("a[5m", 5, "expected ], found the end"),
            ("a[5m:0s]", 6, "duration must be greater than 0"),
            ("a[5m:1m:1m]", 8, "expected ], found \":\""),
            ("a offset", 9, "expected a duration such as 5m, found the end"),
            ("a offset 5", 10, "expected a duration such as 5m, found \"5\""),
            ("a offset 0s", 10, "duration must be greater than 0"),
            ("a @", 4, "expected a time, start() or end(), found the end"),
            ("a @ start", 10, "expected (, found the end"),
            ("a @ middle()", 5, "expected a time, start() or end(), found \"middle\""),
            ("a @ 1e30", 5, "timestamp out of bounds for @ modifier: 1e+30"),
            ("a @ NaN", 5, "timestamp out of bounds for @ modifier: nan"),
            ("a @ -Inf", 5, "timestamp out of bounds for @ modifier: -inf"),
        ])
    }

    @Test("A name that is called must be a function")
    func functions() {
        let native = "reads native histograms, which are not stored here"
        check([
            ("foo(a)", 1, "unknown function with name \"foo\""),
            ("1 + RATE(a[5m])", 5, "unknown function with name \"RATE\""),
            ("histogram_count(a)", 1, "histogram_count \(native)"),
            ("histogram_sum(a)", 1, "histogram_sum \(native)"),
            ("histogram_fraction(0, 1, a)", 1, "histogram_fraction \(native)"),
            ("a:b(c)", 4, "expected an operator or the end, found \"(\""),
            ("start(a)", 6, "expected an operator or the end, found \"(\""),
            ("on(a)", 1, "expected an expression, found \"on\""),
        ])
    }

    @Test("Calls and aggregations take so many arguments, of these types")
    func arguments() {
        let count = "wrong number of arguments for aggregate expression provided, expected"
        check([
            ("abs()", 1, "expected 1 argument(s) in call to \"abs\", found 0"),
            ("1 + time(1)", 5, "expected 0 argument(s) in call to \"time\", found 1"),
            ("round(a, 1, 2)", 1, "expected 1 to 2 argument(s) in call to \"round\", found 3"),
            ("hour(a, a)", 1, "expected 0 to 1 argument(s) in call to \"hour\", found 2"),
            ("label_join(a, \"b\")", 1, "expected at least 3 argument(s) in call to \"label_join\", found 2"),
            ("label_replace(a, \"b\")", 1, "expected 5 argument(s) in call to \"label_replace\", found 2"),
            ("abs(1)", 5, "expected type instant vector in call to function \"abs\", found scalar"),
            ("rate(a)", 6, "expected type range vector in call to function \"rate\", found instant vector"),
            ("abs(a[5m])", 5, "expected type instant vector in call to function \"abs\", found range vector"),
            ("vector(a)", 8, "expected type scalar in call to function \"vector\", found instant vector"),
            (
                "label_join(a, \"b\", \"c\", \"d\", 5)", 30,
                "expected type string in call to function \"label_join\", found scalar"
            ),
            ("clamp(a, 1, \"x\")", 13, "expected type scalar in call to function \"clamp\", found string"),
            ("topk(a)", 1, "\(count) 2, found 1"),
            ("sum(a, b)", 1, "\(count) 1, found 2"),
            ("sum()", 1, "\(count) 1, found 0"),
            ("topk(\"x\", a)", 6, "expected type scalar in aggregation parameter, found string"),
            ("count_values(1, a)", 14, "expected type string in aggregation parameter, found scalar"),
            ("sum(1)", 5, "expected type instant vector in aggregation expression, found scalar"),
            ("quantile(0.5, a[5m])", 15, "expected type instant vector in aggregation expression, found range vector"),
        ])
    }

    @Test("Operators take scalars and instant vectors")
    func operands() {
        let operands = "binary expression must contain only scalar and instant vector types, found"
        let unary = "unary expression only allowed on expressions of type scalar or instant vector, found"
        check([
            ("1 + \"a\"", 5, "\(operands) string"),
            ("a[5m] + 1", 1, "\(operands) range vector"),
            ("-\"a\"", 2, "\(unary) string"),
            ("+a[5m]", 2, "\(unary) range vector"),
            ("1 > 2", 3, "comparisons between scalars must use BOOL modifier"),
            ("time() == (1)", 8, "comparisons between scalars must use BOOL modifier"),
            ("a and 1", 3, "set operator \"and\" not allowed in binary scalar expression"),
            ("1 or 2", 3, "set operator \"or\" not allowed in binary scalar expression"),
            ("scalar(a) unless a", 11, "set operator \"unless\" not allowed in binary scalar expression"),
        ])
    }

    @Test("Ranges, subqueries, offset and @ stand behind what they can change, each once")
    func modifiers() {
        let shiftable = "modifier must be preceded by an instant vector selector or range vector selector or a subquery"
        let subquery = "subquery is only allowed on instant vector, found"
        check([
            ("1[5m]", 1, "ranges only allowed for vector selectors"),
            ("(a)[5m]", 1, "ranges only allowed for vector selectors"),
            ("1 + sum(a)[5m]", 5, "ranges only allowed for vector selectors"),
            ("a[5m][5m]", 1, "ranges only allowed for vector selectors"),
            ("a offset 1m [5m]", 1, "no offset and no @ modifiers allowed before range"),
            ("1 + a @ 5 [5m]", 5, "no offset and no @ modifiers allowed before range"),
            ("1[5m:1m]", 1, "\(subquery) scalar"),
            ("\"a\"[5m:1m]", 1, "\(subquery) string"),
            ("a[5m][5m:1m]", 1, "\(subquery) range vector"),
            ("a[5m:1m][5m:1m]", 1, "\(subquery) range vector"),
            ("1 offset 5m", 1, "offset \(shiftable)"),
            ("(a) offset 5m", 1, "offset \(shiftable)"),
            ("1 + sum(a) offset 5m", 5, "offset \(shiftable)"),
            ("(a) @ 5", 1, "@ \(shiftable)"),
            ("a offset 5m offset 5m", 13, "offset may not be set multiple times"),
            ("a[5m] offset 5m @ 5 offset -5m", 21, "offset may not be set multiple times"),
            ("a @ 5 @ 5", 7, "@ <timestamp> may not be set multiple times"),
            ("a @ start() offset 1m @ 5", 23, "@ <timestamp> may not be set multiple times"),
        ])
    }

    @Test("Matching is for two vectors, and grouping not for set operators")
    func matching() {
        check([
            ("a + on(x) 1", 5, "vector matching only allowed between instant vectors"),
            ("1 * ignoring(x) 2", 5, "vector matching only allowed between instant vectors"),
            ("a and on(x) group_left b", 7, "no grouping allowed for \"and\" operation"),
            ("a unless ignoring(x) group_right(y) b", 10, "no grouping allowed for \"unless\" operation"),
            ("a + on(x, y) group_left(z, y) b", 5, "label \"y\" must not occur in ON and GROUP clause at once"),
            ("a + on(x) group_right(x) b", 5, "label \"x\" must not occur in ON and GROUP clause at once"),
        ])
    }

    @Test("Selectors name something, their metric once, and expressions that can be compiled")
    func selectors() {
        let empty = "vector selector must contain at least one non-empty matcher"
        check([
            ("1 + {}", 5, empty),
            ("-{__name__=\"\"}", 2, empty),
            ("sum({a=\"\",b=~\"c|\"})", 5, empty),
            ("a{__name__=\"b\"}", 3, "the metric name must not be set twice"),
            ("a{b=\"c\",__name__!=\"d\"}", 9, "the metric name must not be set twice"),
            ("1 + a{b=~\"(\"}", 10, "error parsing regexp: missing closing ): `(`"),
        ])
    }
}
