internal import Time

/// Durations, sizes and shares as the settings write them. Each needs its unit: a bare `30` means seconds to systemd,
/// milliseconds to Node and minutes to nobody, so it is refused.
package enum Quantity {
    /// `500ms`, `2s`, `10min`, `1h30min`, `15d`. `m` is taken for minutes, as systemd and Prometheus do. Nil for anything
    /// else, and for more than 100 years.
    package static func duration(_ text: String) -> Duration? {
        var rest = Substring(text)
        var total: Int64 = 0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let count = Int64(digits), let milliseconds = millisecondsPerUnit[String(unit)] else { return nil }
            let (part, overflow) = count.multipliedReportingOverflow(by: milliseconds)
            guard !overflow, part <= longestMs - total else { return nil }
            total += part
        }
        return .milliseconds(total)
    }

    /// `4096B`, `64KiB`, `512MiB`, `2GiB`, `1TiB`, in bytes. `MB` is refused: half of the field means 2^20 by it.
    static func bytes(_ text: String) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let powers: [Substring: Int64] = ["B": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40]
        guard let count = Int64(digits), let power = powers[text.dropFirst(digits.count)] else { return nil }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: 1 << power)
        return overflow ? nil : bytes
    }

    /// `60%` or `12.5%`, as the number before the sign.
    static func percent(_ text: String) -> Double? {
        guard text.hasSuffix("%") else { return nil }
        let number = text.dropLast()
        guard !number.isEmpty, number.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }) else { return nil }
        return Double(number)
    }

    /// The shortest way to write `duration` so that `duration(_:)` reads it back.
    static func text(_ duration: Duration) -> String {
        let milliseconds = duration.milliseconds
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)] as [(String, Int64)]
        where milliseconds != 0 && milliseconds % size == 0 {
            return "\(milliseconds / size)\(unit)"
        }
        return "\(milliseconds)ms"
    }

    /// The shortest way to write `bytes` so that `bytes(_:)` reads it back.
    static func text(bytes: Int64) -> String {
        for (unit, power) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] as [(String, Int64)]
        where bytes != 0 && bytes % (1 << power) == 0 {
            return "\(bytes >> power)\(unit)"
        }
        return "\(bytes)B"
    }

    private static let millisecondsPerUnit: [String: Int64] = [
        "ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000,
    ]

    private static let longestMs: Int64 = 100 * 366 * 86_400_000
}
