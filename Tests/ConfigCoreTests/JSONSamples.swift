import ConfigCore
import Time

/// Random JSON texts in random layouts, and random edits of them.
struct JSONSamples {
    var random: SeededRandom

    private mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[Int.random(in: 0..<choices.count, using: &random)]
    }

    private mutating func chance(_ of: Int) -> Bool { Int.random(in: 0..<of, using: &random) == 0 }

    /// A value of at most `depth` levels, blanks anywhere that JSON allows them.
    mutating func value(depth: Int = 3) -> String {
        switch Int.random(in: 0..<(depth > 0 ? 10 : 6), using: &random) {
        case 0: return pick(["true", "false", "null"])
        case 1, 2: return pick(["0", "-0", "1.50", "1e400", "-12.5E+3", "123456789012345678901234567890", "8080"])
        case 3, 4, 5: return string()
        case 6, 7: return container("[", "]") { $0.value(depth: depth - 1) }
        default:
            return container("{", "}") { "\($0.string())\($0.blank()):\($0.blank())\($0.value(depth: depth - 1))" }
        }
    }

    private mutating func container(
        _ open: String, _ close: String, _ element: (inout JSONSamples) -> String
    ) -> String {
        let elements = (0..<Int.random(in: 0...4, using: &random)).map { _ in "\(blank())\(element(&self))\(blank())" }
        return open + (elements.isEmpty ? blank() : elements.joined(separator: ",")) + close
    }

    mutating func blank() -> String { chance(3) ? pick([" ", "\n", "\r\n", "\t", "\n  ", "    "]) : "" }

    mutating func string() -> String {
        let telling = [
            "a", "b", "a/b", "~", "~1", "é", "e\u{301}", "\\n", "\\/", "\\\"", "\\\\", "\\u0041", "\\uD83D\\uDE00",
            "\\ud800", "\u{1F600}", " ", "{", ":", ",", "\u{7F}",
        ]
        return "\"" + (0..<Int.random(in: 0...2, using: &random)).map { _ in pick(telling) }.joined() + "\""
    }

    /// A text as a program or a person lays it out, without repeated keys.
    mutating func laidOut() -> String {
        let (lineEnd, unit, colon) = (pick(["\n", "\r\n"]), pick(["  ", "    ", "\t"]), pick([": ", ":", " : "]))
        return laidOut(depth: 3, lineEnd, unit, colon, indent: "") + pick(["", lineEnd])
    }

    private mutating func laidOut(
        depth: Int, _ lineEnd: String, _ unit: String, _ colon: String, indent: String
    ) -> String {
        guard depth > 0, !chance(4) else { return value(depth: 0) }
        let isObject = !chance(3)
        let inner = indent + unit
        let elements = (0..<Int.random(in: 0...3, using: &random)).map { index in
            (isObject ? "\"\(pick(["k", "a/", "é"]))\(index)\"\(colon)" : "")
                + laidOut(depth: depth - 1, lineEnd, unit, colon, indent: inner)
        }
        let (open, close) = isObject ? ("{", "}") : ("[", "]")
        guard !elements.isEmpty else { return open + close }
        return open + elements.map { lineEnd + inner + $0 }.joined(separator: ",") + lineEnd + indent + close
    }

    /// `text` with a byte changed, put in or taken out.
    mutating func broken(_ text: String) -> [UInt8] {
        var bytes = Array(text.utf8)
        let telling = Array("{}[]\":,\\u0-+.eE tfn\u{0}\n".utf8) + [0x80, 0xC0, 0xED, 0xFF, 0xEF]
        let place = Int.random(in: 0...bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes.insert(pick(telling), at: place)
        case 1: if place < bytes.count { bytes.remove(at: place) }
        default: if place < bytes.count { bytes[place] = pick(telling) }
        }
        return bytes
    }
}
