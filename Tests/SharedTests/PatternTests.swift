import Patterns
import Testing

@Suite struct PatternTests {
    @Test(arguments: [
        ("[a-z]+", "abc", true), ("[a-z]+", "abc1", false), ("a|ab", "ab", true), ("", "", true), ("", "a", false),
        (".*", "é", true), ("\\d{4}-\\d{2}", "2026-11", true), (".", "\n", false), ("(?s).", "\n", true),
    ])
    func `a pattern is for the whole value`(_ text: String, _ value: String, _ matches: Bool) throws {
        #expect(try Pattern(text).matches(Array(value.utf8)) == matches)
    }

    @Test func `bytes that are no UTF-8, and zero bytes, are values like others`() throws {
        #expect(try !Pattern(".").matches([0xFF]))
        #expect(try Pattern("a\\x00b").matches([0x61, 0, 0x62]))
        #expect(try Pattern("\\C").matches([0xFF]))
    }

    @Test(arguments: ["(", "[a", "a**", "\\1", "(?=a)", "(x{1000}){1000}", String(repeating: "a", count: 1001)])
    func `what is no pattern or too large is refused with a reason`(_ text: String) {
        #expect {
            try Pattern(text)
        } throws: { error in
            (error as? Pattern.Problem)?.reason.isEmpty == false
        }
    }

    @Test func `the expression that took Swift 28 s takes none here`() throws {
        let value = Array(repeating: UInt8(ascii: "a"), count: 100_000) + [UInt8(ascii: "c")]
        let pattern = try Pattern("(a+)+b")
        let taken = ContinuousClock().measure { #expect(!pattern.matches(value)) }
        #expect(taken < .seconds(2))
    }
}
