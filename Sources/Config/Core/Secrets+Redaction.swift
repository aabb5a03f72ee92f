extension FileFormat {
    /// What is secret in `content`, as it may turn up in what a program says of it: values as readers read them, and the
    /// longer lines of those that have several. A file without keys is a secret by each of its longer lines.
    package func secretValues(in content: [UInt8]) -> [[UInt8]] {
        switch self {
        case .env(let editor):
            return Secrets.needles(
                editor.secrets.stretches(in: content, readings: editor.readings(of: content)).map(\.value))
        case .json(let secrets):
            guard let document = try? JSONDocument(content) else { return [] }
            var values: [[UInt8]] = []
            document.forEachLeaf { pointer, node in
                let text = document.nodes[node].kind == .string ? document.text(of: node) : Array(document.raw(node))
                if secrets.isSecret(pointer.text, value: text) { values.append(text) }
                return true
            }
            return Secrets.needles(values)
        case .whole: return Secrets.needles([content])
        }
    }
}

extension Secrets {
    /// A shorter value is a word that stands anywhere.
    private static let shortestNeedle = 4
    /// A shorter line of a longer value likewise.
    private static let shortestLine = 8
    private static let mostNeedles = 2000
    private static let mark = Array("(secret)".utf8)

    /// What to look for where `values` may not show, the longest first.
    static func needles(_ values: [[UInt8]]) -> [[UInt8]] {
        var needles: Set<[UInt8]> = []
        for value in values where needles.count < mostNeedles {
            if value.count >= shortestNeedle { needles.insert(value) }
            for line in value.split(separator: Byte.newline) where line.count >= shortestLine {
                guard needles.count < mostNeedles else { break }
                needles.insert(Array(line.last == Byte.carriageReturn ? line.dropLast() : line))
            }
        }
        return needles.sorted { $0.count == $1.count ? $0.lexicographicallyPrecedes($1) : $0.count > $1.count }
    }

    /// `output` with `(secret)` for each of `needles`, the longest of which come first. Where it was cut off in the middle
    /// of one, what is there of that goes too.
    package static func redacted(_ output: [UInt8], _ needles: [[UInt8]]) -> [UInt8] {
        var text = output
        for needle in needles {
            var at = 0
            while let found = text[at...].firstRange(of: needle) {
                text.replaceSubrange(found, with: mark)
                at = found.lowerBound + mark.count
            }
        }
        for needle in needles {
            for length in stride(from: min(needle.count - 1, text.count), through: shortestNeedle, by: -1)
            where text.suffix(length).elementsEqual(needle.prefix(length)) {
                text.removeLast(length)
                text += mark
                break
            }
        }
        return text
    }
}
