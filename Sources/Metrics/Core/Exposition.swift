/// Reads Prometheus's text exposition (version 0.0.4) and what OpenMetrics adds to it as far as values go: comments, exemplars and
/// time stamps are passed over, since a round has one time. A line that cannot be read is counted and left out; a scrape is never
/// lost for one line.
package struct Exposition {
    private let bytes: UnsafeRawBufferPointer
    private var at = 0
    /// Lines that could not be read.
    package private(set) var badLines = 0

    package init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// One sample: where its series (`name{…}`) stands, and its value.
    package struct Sample {
        package var series: Range<Int>
        package var value: Double
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
            if let sample = sample() {
                skipLine()
                return sample
            }
            badLines += 1
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
        guard let value = Self.number(UnsafeRawBufferPointer(rebasing: bytes[valueStart..<at])) else { return nil }
        return Sample(series: series, value: value)
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

    /// The labels that a series' text says; nil where it is none.
    package static func labels(_ text: UnsafeRawBufferPointer) -> Labels? {
        guard let text = String(validating: text, as: UTF8.self), let selector = try? SelectorParser.parse(text),
            let metric = selector.metric, Labels.isMetricName(metric)
        else { return nil }
        var pairs: [Label] = []
        for matcher in selector.matchers where matcher.label != "__name__" {
            guard matcher.comparison == .equal else { return nil }
            pairs.append(Label(matcher.label, matcher.value))
        }
        return Labels(metric, pairs)
    }
}
