/// Numbers as Go's strconv reads and writes them, since PromQL's texts are Go's.
enum GoNumber {
    /// A number of an expression (Prometheus 2.42, promql/parser/parse.go, `number`): an integer with Go's prefixes, so `010` is
    /// eight, or a float. Nil where it is none, or too large for one.
    static func literal(_ text: String) -> Double? {
        if let whole = integer(text) { return Double(whole) }
        guard let value = Double(text), value.isFinite else { return nil }
        return text.lowercased().hasPrefix("0x") ? nil : value
    }

    private static func integer(_ text: String) -> Int64? {
        let lower = text.lowercased()
        if lower.hasPrefix("0x") { return Int64(lower.dropFirst(2), radix: 16) }
        if lower.count > 1, lower.hasPrefix("0") { return Int64(lower.dropFirst(), radix: 8) }
        return Int64(lower)
    }

    /// `strconv.ParseFloat`, as bounds of histogram buckets are read; nil where the text is no number.
    static func float(_ text: String) -> Double? {
        let lower = text.lowercased()
        // Swift takes a hexadecimal number without the exponent that Go wants.
        guard !text.utf8.contains(where: { $0 <= 0x20 }), !lower.contains("0x") || lower.contains("p") else {
            return nil
        }
        guard let value = Double(text) else { return nil }
        // What is beyond a float's range is an error there, not an infinity.
        return value.isInfinite && !lower.contains("inf") ? nil : value
    }

    /// `strconv.FormatFloat(value, 'f', -1, 64)`: the fewest digits that mean this value, never an exponent.
    static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        let shortest = "\(value.magnitude)"
        let sign = value.sign == .minus ? "-" : ""
        let parts = shortest.split(separator: "e")
        let mantissa = parts[0].split(separator: ".")
        let whole = String(mantissa[0])
        let fraction = mantissa.count > 1 && mantissa[1] != "0" ? String(mantissa[1]) : ""
        let exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        return sign + shifted(whole: whole, fraction: fraction, by: exponent)
    }

    private static func shifted(whole: String, fraction: String, by exponent: Int) -> String {
        let digits = whole + fraction
        let point = whole.count + exponent
        if point <= 0 {
            let tail = String(repeating: "0", count: -point) + digits
            return digits.allSatisfy { $0 == "0" } ? "0" : "0." + tail
        }
        if point >= digits.count { return digits + String(repeating: "0", count: point - digits.count) }
        return "\(digits.prefix(point)).\(digits.dropFirst(point))"
    }
}
