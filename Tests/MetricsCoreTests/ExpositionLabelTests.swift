import MetricsCore
import Testing

@Suite("A series as text")
struct ExpositionLabelTests {
    private static func labels(_ text: String) -> Labels? {
        Array(text.utf8).withUnsafeBytes { Exposition.labels($0) }
    }

    @Test(
        "Names that are keywords or numbers in PromQL are names here",
        arguments: [
            "on", "by", "sum", "inf", "nan", "NaN", "Inf", "offset", "and", "bool", "atan2", "group_left", "start",
            "count_values", "up", "a:b",
            ":a", "_", "_9", "rate",
        ])
    func names(name: String) {
        #expect(Self.labels(name) == Labels(name))
        #expect(Self.labels("\(name){}") == Labels(name))
        #expect(Self.labels("\(name){a=\"b\"}") == Labels(name, [Label("a", "b")]))
        guard !name.contains(":") else { return }
        #expect(Self.labels("x{\(name)=\"b\"}") == Labels("x", [Label(name, "b")]))
        #expect(
            Self.labels("\(name){\(name)=\"b\",\(name)_=\"c\",}")
                == Labels(name, [Label(name, "b"), Label(name + "_", "c")]))
    }

    @Test("Values are unescaped, blanks and a trailing comma are taken, the later of two labels counts")
    func values() {
        #expect(Self.labels(#"x{a="q\"\\\n"}"#) == Labels("x", [Label("a", "q\"\\\n")]))
        #expect(Self.labels(#"x{a="C:\temp\d"}"#) == Labels("x", [Label("a", #"C:\temp\d"#)]), "no other escapes")
        #expect(Self.labels("x{a=\"é{}=,\"}") == Labels("x", [Label("a", "é{}=,")]))
        #expect(Self.labels(" x { a = \"b\" , c = \"d\" , } ") == Labels("x", [Label("a", "b"), Label("c", "d")]))
        #expect(Self.labels("x{b=\"1\",a=\"2\",b=\"3\"}") == Labels("x", [Label("a", "2"), Label("b", "3")]))
        #expect(Self.labels("x{a=\"\"}") == Labels("x"))
        #expect(Self.labels("x{a=\"# no comment\"}") == Labels("x", [Label("a", "# no comment")]))
        for value in ["\\", "\"", "\n", "\t", "a\\nb", "{", "é", "\u{1f600}", "e\u{301}", "\u{0}"] {
            let labels = Labels("x", [Label("a", value), Label("b", value + value)])
            #expect(Self.labels(labels.description) == labels, "\(value.utf8.map { $0 })")
        }
    }

    @Test(
        "Rubbish has no labels",
        arguments: [
            "", " ", "{", "}", "{a=\"b\"}", "9x", "x{", "x}", "x{a}", "x{a=}", "x{a=b}", "x{a=5}", "x{a=\"b}",
            "x{a=\"b\"", "x{a=\"b\" c=\"d\"}",
            "x{a=\"b\",,}", "x{,}", "x{a!=\"b\"}", "x{a=~\"b\"}", "x{a==\"b\"}", "x{a:b=\"c\"}", "x{\"a\"=\"b\"}",
            "x{9=\"b\"}", "x{5m=\"b\"}", "x y", "x{}{}",
            "x{} 1", "x + y", "x[5m]", "x-y", "\"x\"", "5", "5m", "é", "(x)", "x{a=\"b\"}}",
            "x{(=\"b\"}",
        ])
    func rubbish(text: String) {
        #expect(Self.labels(text) == nil)
    }

    @Test("Bytes that are not UTF-8 have no labels")
    func bytes() {
        #expect(
            ([0x78, 0x7b, 0x61, 0x3d, 0x22, 0xff, 0x22, 0x7d] as [UInt8]).withUnsafeBytes { Exposition.labels($0) }
                == nil)
        #expect(([0xff] as [UInt8]).withUnsafeBytes { Exposition.labels($0) } == nil)
    }
}
