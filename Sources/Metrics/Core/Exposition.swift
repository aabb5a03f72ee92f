/// Reads Prometheus's text exposition (version 0.0.4) and what OpenMetrics adds to it as far as values go: comments, exemplars and
/// time stamps are passed over, since a round has one time. A line that cannot be read is counted and left out; a scrape is never
/// lost for one line.
package struct Exposition {
    private let bytes: UnsafeRawBufferPointer
    private var at = 0
    private let takesStale: Bool
    /// Lines that could not be read.
    package private(set) var badLines = 0
    /// Where the first of them begins.
    private(set) var firstBadLine: Int?

    /// - Parameter takesStale: whether `stale` is a value: the marker that ends a series.
    package init(_ bytes: UnsafeRawBufferPointer, takesStale: Bool = false) {
        self.bytes = bytes
        self.takesStale = takesStale
    }

    /// One sample: where its series (`name{…}`) stands, its value, and where its time stamp stands, if it has one.
    package struct Sample {
        package var series: Range<Int>
        package var value: Double
        package var stamp: Range<Int>?
    }

    /// The next sample; nil at the end.
    package mutating func next() -> Sample? {
        while at < bytes.count {
            skipBlanks()
            guard at < bytes.count else { return nil }
            if bytes[at] == 0x0a {
                at += 1
                continue
            }
            if bytes[at] == 0x23 {
                skipLine()
                continue
            }
            let start = at
            if let sample = sample() {
                skipLine()
                return sample
            }
            badLines += 1
            if firstBadLine == nil { firstBadLine = start }
            skipLine()
        }
        return nil
    }

    private mutating func sample() -> Sample? {
        let start = at
        while at < bytes.count, !Self.endsName(bytes[at]) { at += 1 }
        guard at > start, at < bytes.count else { return nil }
        if bytes[at] == 0x7b, !skipBraces() { return nil }
        let series = start..<at
        skipBlanks()
        let valueStart = at
        while at < bytes.count, bytes[at] > 0x20 { at += 1 }
        let text = UnsafeRawBufferPointer(rebasing: bytes[valueStart..<at])
        let isStale = takesStale && text.elementsEqual("stale".utf8)
        guard let value = isStale ? Staleness.value : Self.number(text) else { return nil }
        return Sample(series: series, value: value, stamp: stamp())
    }

    private mutating func stamp() -> Range<Int>? {
        skipBlanks()
        let start = at
        guard at < bytes.count, bytes[at] != 0x23 else { return nil }
        while at < bytes.count, bytes[at] > 0x20 { at += 1 }
        return at > start ? start..<at : nil
    }

    private static func endsName(_ byte: UInt8) -> Bool { byte <= 0x20 || byte == 0x7b }

    /// Passes `{…}`, quoted values with escapes included; false where the line ends first.
    private mutating func skipBraces() -> Bool {
        var isQuoted = false
        while at < bytes.count {
            let byte = bytes[at]
            guard byte != 0x0a else { return false }
            at += 1
            if isQuoted {
                if byte == 0x5c { at += 1 } else if byte == 0x22 { isQuoted = false }
            } else if byte == 0x22 {
                isQuoted = true
            } else if byte == 0x7d {
                return at <= bytes.count
            }
        }
        return false
    }

    private mutating func skipBlanks() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x09 || bytes[at] == 0x0d { at += 1 }
    }

    private mutating func skipLine() {
        while at < bytes.count, bytes[at] != 0x0a { at += 1 }
        at = min(at + 1, bytes.count)
    }

    /// A value as the format writes it: Go's floats, `NaN`, `+Inf`. Whole numbers, by far the most, are read without a string.
    package static func number(_ text: UnsafeRawBufferPointer) -> Double? {
        guard !text.isEmpty else { return nil }
        if text.count <= 15 {
            var whole: UInt64 = 0
            var isWhole = true
            for byte in text {
                guard (0x30...0x39).contains(byte) else {
                    isWhole = false
                    break
                }
                whole = whole * 10 + UInt64(byte - 0x30)
            }
            if isWhole { return Double(whole) }
        }
        guard text.count <= 64 else { return nil }
        switch String(decoding: text, as: UTF8.self).lowercased() {
        case "nan": return .nan
        case "+inf", "inf": return .infinity
        case "-inf": return -.infinity
        case let other: return Double(other)
        }
    }

    /// The labels that a series' text (`name{label="value",…}`) says; nil where it is none. In a value `\\`, `\"` and `\n` are
    /// escapes; any other backslash is itself.
    package static func labels(_ text: UnsafeRawBufferPointer) -> Labels? {
        var at = 0
        skipSpaces(text, &at)
        guard let metric = word(text, &at), Labels.isMetricName(metric) else { return nil }
        var pairs: [Label] = []
        skipSpaces(text, &at)
        if take(0x7b, text, &at) {
            while true {
                skipSpaces(text, &at)
                if take(0x7d, text, &at) { break }
                guard let name = word(text, &at), Labels.isLabelName(name) else { return nil }
                skipSpaces(text, &at)
                guard take(0x3d, text, &at) else { return nil }
                skipSpaces(text, &at)
                guard let value = value(text, &at) else { return nil }
                pairs.append(Label(name, value))
                skipSpaces(text, &at)
                guard take(0x2c, text, &at) || (at < text.count && text[at] == 0x7d) else { return nil }
            }
        }
        skipSpaces(text, &at)
        return at == text.count ? Labels(metric, pairs) : nil
    }

    private static func skipSpaces(_ text: UnsafeRawBufferPointer, _ at: inout Int) {
        while at < text.count, text[at] == 0x20 || text[at] == 0x09 { at += 1 }
    }

    private static func take(_ byte: UInt8, _ text: UnsafeRawBufferPointer, _ at: inout Int) -> Bool {
        guard at < text.count, text[at] == byte else { return false }
        at += 1
        return true
    }

    private static func word(_ text: UnsafeRawBufferPointer, _ at: inout Int) -> String? {
        let start = at
        while at < text.count, text[at] > 0x20, text[at] != 0x7b, text[at] != 0x3d, text[at] != 0x7d { at += 1 }
        return at > start ? String(validating: text[start..<at], as: UTF8.self) : nil
    }

    private static func value(_ text: UnsafeRawBufferPointer, _ at: inout Int) -> String? {
        guard take(0x22, text, &at) else { return nil }
        var content: [UInt8] = []
        while at < text.count {
            let byte = text[at]
            at += 1
            if byte == 0x22 { return String(validating: content, as: UTF8.self) }
            if byte == 0x5c, at < text.count, [0x5c, 0x22, 0x6e].contains(text[at]) {
                content.append(text[at] == 0x6e ? 0x0a : text[at])
                at += 1
            } else {
                content.append(byte)
            }
        }
        return nil
    }
}
