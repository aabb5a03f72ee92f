internal import Time

/// What a key's value may be: how errors call it, and how it is read from a node. A nil answer is the error.
struct Shape<Value> {
    var expected: String
    var read: (YAMLNode) -> Value?

    /// The same value, read only where `condition` holds.
    func only(_ expected: String, where condition: @escaping (Value) -> Bool) -> Shape<Value> {
        let read = read
        return Shape(expected: expected) { node in read(node).flatMap { condition($0) ? $0 : nil } }
    }

    /// A list of `shape`s, at most `limit` long.
    static func list<Item>(of shape: Shape<Item>, _ counts: ClosedRange<Int>) -> Shape<Value> where Value == [Item] {
        Shape(expected: "a list of \(counts.lowerBound) to \(counts.upperBound), each \(shape.expected)") { node in
            guard case .sequence(let nodes) = node.content, counts.contains(nodes.count) else { return nil }
            let values = nodes.compactMap(shape.read)
            return values.count == nodes.count ? values : nil
        }
    }
}

extension Shape where Value == String {
    /// Any text that is not empty and holds no control character.
    static var text: Shape<String> {
        Shape(expected: "a text") { node in
            guard let text = node.text, !node.isNothing, !text.isEmpty, text.utf8.count <= 4096 else { return nil }
            return text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) ? text : nil
        }
    }

    /// A path from the root, without `.` or `..` in it.
    static var path: Shape<String> {
        text.only("an absolute path without . or .. in it") { path in
            path.hasPrefix("/") && path.split(separator: "/").allSatisfy { $0 != "." && $0 != ".." }
        }
    }

    /// What names a thing of ours: a check, a component, a service.
    static var name: Shape<String> {
        text.only("a name of up to 64 letters, digits, '-', '_' and '.', a letter or digit first", where: isName)
    }

    /// A user or group of the host, by name.
    static var account: Shape<String> {
        text.only("the name of a user or group") { name in
            name.utf8.count <= 32 && isName(name)
        }
    }

    /// A unit that systemd can start and stop as a service.
    static var serviceUnit: Shape<String> {
        text.only("the name of a systemd service such as gateway.service") { unit in
            let allowed = { (character: Character) in
                character.isASCII && (character.isLetter || character.isNumber || ":-_.\\@".contains(character))
            }
            return unit.hasSuffix(".service") && unit.utf8.count > ".service".utf8.count && unit.utf8.count <= 255
                && unit.allSatisfy(allowed)
        }
    }

    /// Names of configuration keys: `DB_PASSWORD`, or several by `*` and `?`: `DB_*`.
    static var keyGlob: Shape<String> {
        text.only("the name of a key, or several by * and ?, of up to 256 bytes") { $0.utf8.count <= 256 }
    }

    static func isName(_ text: String) -> Bool {
        guard let first = text.first, text.utf8.count <= 64, first.isASCII, first.isLetter || first.isNumber else {
            return false
        }
        return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
    }
}

extension Shape where Value == Bool {
    static var truth: Shape<Bool> {
        Shape(expected: "true or false") { node in
            switch node.plainText {
            case "true": true
            case "false": false
            default: nil
            }
        }
    }
}

extension Shape where Value == Int {
    static func whole(_ range: ClosedRange<Int>) -> Shape<Int> {
        Shape(expected: "a whole number from \(range.lowerBound) to \(range.upperBound)") { node in
            node.plainText.flatMap { Int($0) }.flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Shape where Value == Double {
    /// A share in per cent, `60%`.
    static func percent(_ range: ClosedRange<Double>) -> Shape<Double> {
        Shape(expected: "a share from \(range.lowerBound)% to \(range.upperBound)%, such as 60%") { node in
            node.text.flatMap(Quantity.percent).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    static func number(_ range: ClosedRange<Double>) -> Shape<Double> {
        Shape(expected: "a number from \(range.lowerBound) to \(range.upperBound)") { node in
            guard let text = node.plainText, text.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }) else {
                return nil
            }
            return Double(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Shape where Value == Duration {
    static func duration(_ range: ClosedRange<Duration>) -> Shape<Duration> {
        let lower = Quantity.text(range.lowerBound)
        let upper = Quantity.text(range.upperBound)
        return Shape(expected: "a duration from \(lower) to \(upper), with its unit, such as 500ms, 2s or 10min") {
            node in
            node.text.flatMap(Quantity.duration).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Shape where Value == Int64 {
    static func bytes(_ range: ClosedRange<Int64>) -> Shape<Int64> {
        let lower = Quantity.text(bytes: range.lowerBound)
        let upper = Quantity.text(bytes: range.upperBound)
        return Shape(expected: "a size from \(lower) to \(upper), with its unit, such as 64MiB") { node in
            node.text.flatMap(Quantity.bytes).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Shape where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of an enumeration's own words.
    static var word: Shape<Value> {
        let words = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return Shape(expected: "one of \(words)") { node in
            node.text.flatMap { Value(rawValue: $0) }
        }
    }
}

extension Shape where Value == HTTPEndpoint {
    static var http: Shape<HTTPEndpoint> {
        Shape(expected: "a URL such as http://127.0.0.1:3000/health") { node in
            node.text.flatMap { HTTPEndpoint($0) }
        }
    }

    /// A URL that is reached without a name look-up, which could block or fail just when it matters.
    static var numericHTTP: Shape<HTTPEndpoint> {
        http.only("a URL with an address or localhost in it, such as http://127.0.0.1:3000/health") {
            $0.address.isNumeric
        }
    }
}

extension Shape where Value == ScrapePlace {
    static var scrapePlace: Shape<ScrapePlace> {
        Shape<ScrapePlace>(
            expected:
                "a URL with an address or localhost in it, or a socket's as in http://unix:/run/gateway.sock:/metrics"
        ) { node in
            node.text.flatMap { ScrapePlace($0) }.flatMap { $0.isNumeric ? $0 : nil }
        }
    }
}

extension Shape where Value == TCPEndpoint {
    static var tcp: Shape<TCPEndpoint> {
        Shape(expected: "a host and a port such as 127.0.0.1:5432") { node in
            node.text.flatMap { TCPEndpoint($0) }
        }
    }

    static var numericTCP: Shape<TCPEndpoint> {
        tcp.only("an address or localhost, and a port, such as 127.0.0.1:5432") { $0.isNumeric }
    }
}
