import ConfigCore
import Time

/// Files and random files that several suites use.
enum Samples {
    /// A PEM block of 27 lines whose last base64 line ends in `=` and so looks like a key: the value that was once lost.
    static let privateKey: String = {
        let line = String(repeating: "MIIEvgIBADANBgkqhkiG9w0BAQEFAASC", count: 2)
        let body = Array(repeating: line, count: 24) + ["Z2F0ZXdheQ="]
        return "-----BEGIN PRIVATE KEY-----\n" + body.joined(separator: "\n") + "\n-----END PRIVATE KEY-----"
    }()

    static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    static func dialect(_ name: String) -> Dialect {
        guard let dialect = Dialect.named(name) else { fatalError("no dialect \(name)") }
        return dialect
    }

    /// Any bytes, most of them those on which readers differ.
    static func anyBytes(_ random: inout SeededRandom) -> [UInt8] {
        let telling = Array("AK=:'\"`#\\$ \t\r\n{}export n;\u{FEFF}".utf8)
        return (0..<Int.random(in: 0...60, using: &random)).map { _ in
            Int.random(in: 0..<8, using: &random) == 0
                ? UInt8.random(in: .min ... .max, using: &random)
                : telling[Int.random(in: 0..<telling.count, using: &random)]
        }
    }

    /// Up to 40 characters of ASCII, all of them such on which readers differ.
    static func anyText(_ random: inout SeededRandom) -> [UInt8] {
        let telling = Array("AK=='\"`#\\ \n  \n\t\r=export n".utf8)
        let words = ["export ", "K=", "\nK=", "=\"", "\\n"].map { Array($0.utf8) }
        return (0..<Int.random(in: 0...20, using: &random)).flatMap { _ in
            Int.random(in: 0..<4, using: &random) == 0
                ? words[Int.random(in: 0..<words.count, using: &random)]
                : [telling[Int.random(in: 0..<telling.count, using: &random)]]
        }
    }

    /// A value of up to ten characters, most of them those on which readers differ.
    static func value(_ random: inout SeededRandom) -> String {
        let telling = Array("ab1 .,:/@é'\"`#\\$n=\n\t{}~;&-").map(String.init)
        return (0..<Int.random(in: 0...10, using: &random)).map { _ in
            telling[Int.random(in: 0..<telling.count, using: &random)]
        }.joined()
    }

    /// A file of a few lines as people write them, and as they do not.
    static func file(_ random: inout SeededRandom) -> String {
        let keys = ["K", "L", "API_KEY", "A1"]
        var lines: [String] = []
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let key = keys[Int.random(in: 0..<keys.count, using: &random)]
            let text = value(&random)
            switch Int.random(in: 0..<13, using: &random) {
            case 0: lines.append("# \(text.filter { $0 != "\n" })")
            case 1: lines.append("")
            case 2: lines.append("export \(key)='plain'")
            case 3: lines.append("\(key)=\(text.filter { $0 != "\n" })")
            case 4: lines.append("\(key) = spaced")
            case 5: lines.append("\(key)=\"\(text)\"")
            case 6: lines.append("\(key)='\(text)' # note")
            case 7: lines.append("\(key)=`\(text)`")
            case 8: lines.append("\(key)=")
            case 9: lines.append("  \(key)=word")
            case 10: lines.append("\(key)='\(text.filter { $0 != "'" })'")
            case 11: lines.append(Bool.random(using: &random) ? key : "\(key) # note")
            default: lines.append("\(key)=\(Int.random(in: 0...99999, using: &random))")
            }
        }
        let lineEnd = Int.random(in: 0..<6, using: &random) == 0 ? "\r\n" : "\n"
        let last = Int.random(in: 0..<5, using: &random) == 0 ? "" : lineEnd
        return lines.joined(separator: lineEnd) + (lines.isEmpty ? "" : last)
    }
}
