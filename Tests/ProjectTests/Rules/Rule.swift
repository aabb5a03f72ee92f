/// Something that a rule does not allow, with what to do instead.
struct Violation: Hashable, CustomStringConvertible {
    var path: String
    /// From 1; 0 means the file as a whole.
    var line: Int
    var message: String

    var description: String {
        line == 0 ? "\(path): \(message)" : "\(path):\(line): \(message)"
    }
}

/// One house rule about Swift files. Each is proven by a planted violation in ProjectTests, so that none is unable to fail.
struct Rule: Sendable {
    var name: String
    var check: @Sendable (SwiftSource) -> [Violation]

    /// All that look at one file alone.
    static let all: [Rule] = [
        .walls, .imports, .bannedCalls, .coresArePure, .coresListTheirStates, .functionLength, .noForce, .noPublic,
        .fileNames,
        .documented, .thinMain, .noLeftovers,
    ]
}

extension UInt8 {
    /// True for what an identifier is made of.
    var isIdentifier: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: self >= 0x80
        }
    }
}

extension Substring {
    /// True where `pattern` stands in this line of code, not as the end or the beginning of a longer word. A pattern that ends
    /// in `_` is a prefix.
    func holds(_ pattern: String) -> Bool {
        let line = Array(utf8)
        let pattern = Array(pattern.utf8)
        guard let first = pattern.first, let last = pattern.last, line.count >= pattern.count else { return false }
        for start in 0...(line.count - pattern.count) where line[start] == first {
            guard line[start..<start + pattern.count].elementsEqual(pattern) else { continue }
            let isWhole = !first.isIdentifier || start == 0 || !line[start - 1].isIdentifier
            let end = start + pattern.count
            let isClosed =
                !last.isIdentifier || last == UInt8(ascii: "_") || end == line.count || !line[end].isIdentifier
            if isWhole && isClosed { return true }
        }
        return false
    }

    var trimmed: Substring {
        var rest = self
        while rest.first == " " { rest = rest.dropFirst() }
        while rest.last == " " { rest = rest.dropLast() }
        return rest
    }
}
