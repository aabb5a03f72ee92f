import Glibc
import Runtime
import Time

/// Figures as people read them.
enum Words {
    /// Now, in milliseconds since 1970.
    static var nowMs: Int64 { HostClock.now().wall.milliseconds }

    /// A length of time in its two largest units: `850 ms`, `3.2 s`, `12 min`, `3 h 5 min`, `2 d 4 h`.
    static func length(ms: Int64) -> String {
        let ms = max(0, ms)
        if ms < 1000 { return "\(ms) ms" }
        if ms < 10_000 { return "\(ms / 1000).\(ms % 1000 / 100) s" }
        let seconds = ms / 1000
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 600 { return two(seconds / 60, "min", seconds % 60, "s") }
        if seconds < 3600 { return "\(seconds / 60) min" }
        if seconds < 86_400 { return two(seconds / 3600, "h", seconds % 3600 / 60, "min") }
        return two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h")
    }

    private static func two(_ large: Int64, _ unit: String, _ small: Int64, _ smallUnit: String) -> String {
        small == 0 ? "\(large) \(unit)" : "\(large) \(unit) \(small) \(smallUnit)"
    }

    /// How long ago a point in time was.
    static func age(since pointMs: Int64, nowMs: Int64 = Words.nowMs) -> String { length(ms: nowMs - pointMs) }

    /// A point in time on the host's clock: `2026-11-24 08:12:03`.
    static func time(ms: Int64) -> String { formatted(ms, "%Y-%m-%d %H:%M:%S") }

    /// The same with milliseconds and without the day: `08:12:03.042`.
    static func clock(ms: Int64) -> String {
        let fraction = (ms % 1000 + 1000) % 1000
        let digits = String(fraction)
        return formatted(ms, "%H:%M:%S") + "." + String(repeating: "0", count: 3 - digits.count) + digits
    }

    private static func formatted(_ ms: Int64, _ format: String) -> String {
        var seconds = time_t((Double(ms) / 1000).rounded(.down))
        var parts = tm()
        localtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 64)
        let count = strftime(&text, text.count, format, &parts)
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A size: `812 B`, `64.2 MiB`.
    static func bytes(_ count: Int64) -> String {
        var size = Double(count)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if size.magnitude < 1024 { return unit == "B" ? "\(count) B" : "\(tenths(size)) \(unit)" }
            size /= 1024
        }
        return "\(tenths(size)) TiB"
    }

    /// A number with one digit after the point.
    static func tenths(_ value: Double) -> String {
        let tenths = (value * 10).rounded()
        guard tenths.magnitude < 1e15 else { return value.description }
        let whole = Int64(tenths)
        return "\(whole < 0 ? "-" : "")\(whole.magnitude / 10).\(whole.magnitude % 10)"
    }

    /// A sample in at most five figures: `0.0123`, `1234.5`, `1.2346e+07`, `NaN`.
    static func sample(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf" }
        var text = [CChar](repeating: 0, count: 64)
        let count = withVaList([value]) { vsnprintf(&text, text.count, "%.5g", $0) }
        return String(decoding: text[..<Int(max(0, count))].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// `1 check`, `3 checks`.
    static func count(_ number: some BinaryInteger, _ thing: String) -> String {
        number == 1 ? "1 \(thing)" : "\(number) \(thing)s"
    }
}

extension String {
    /// The text without anything that a terminal acts on: control characters are shown as their pictures, and so are the
    /// marks that reverse the direction of writing.
    var printable: String {
        guard unicodeScalars.contains(where: { $0.actsOnTerminals }) else { return self }
        var result = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            let shown = scalar.value < 0x20 ? Unicode.Scalar(0x2400 + scalar.value) : "\u{FFFD}"
            result.append(scalar.actsOnTerminals ? shown ?? "\u{FFFD}" : scalar)
        }
        return String(result)
    }
}

extension Unicode.Scalar {
    fileprivate var actsOnTerminals: Bool {
        switch value {
        case 0x00...0x1F, 0x7F...0x9F, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
