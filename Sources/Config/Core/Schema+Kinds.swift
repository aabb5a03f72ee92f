extension Schema {
    /// What a value is, and how it is measured.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case string
        case integer
        case number
        case boolean
        case url
        case duration
        case bytes
        case path
        case port
    }

    /// A value's size, to be compared with another of the same kind.
    package enum Measure: Hashable, Sendable {
        /// An integer, a port, bytes, or a duration in microseconds.
        case whole(Int64)
        case real(Double)

        func isLess(than other: Measure) -> Bool {
            switch (self, other) {
            case (.whole(let one), .whole(let two)): one < two
            case (.real(let one), .real(let two)): one < two
            case (.whole, .real), (.real, .whole): false
            }
        }
    }
}

extension Schema.Key {
    /// What is wrong with a value by this key's own rules, the plainest fault alone: who writes no number need not be told
    /// that it is out of range.
    func faults(of value: [UInt8]) -> [(Schema.Clause, expected: String)] {
        var faults: [(Schema.Clause, expected: String)] = []
        if let least = minimumLength, value.count < least { faults.append((.minimumLength, "at least \(least) bytes")) }
        guard !value.isEmpty else {
            if isRequired { faults.append((.required, "a value")) }
            return faults
        }
        if let most = maximumLength, value.count > most { faults.append((.maximumLength, "at most \(most) bytes")) }
        guard kind.takes(value) else { return faults + [(.type, kind.phrase)] }
        if let measure = kind.measure(value) {
            if let minimum, measure.isLess(than: minimum) {
                faults.append((.minimum, "at least \(kind.written(minimum))"))
            }
            if let maximum, maximum.isLess(than: measure) {
                faults.append((.maximum, "at most \(kind.written(maximum))"))
            }
        }
        if !values.isEmpty, !values.contains(where: { $0.utf8.elementsEqual(value) }) {
            faults.append((.values, "one of \(values.joined(separator: ", "))"))
        }
        if let pattern, !pattern.matches(value) { faults.append((.pattern, "what matches \(pattern.text)")) }
        return faults
    }
}

extension Schema.Kind {
    /// In words, for errors.
    var phrase: String {
        switch self {
        case .string: "a text"
        case .integer: "an integer"
        case .number: "a number"
        case .boolean: "true or false (or yes, no, on, off, 1, 0)"
        case .url: "a URL such as https://host/path"
        case .duration: "a duration with its unit, such as 500ms, 30s or 1h30min"
        case .bytes: "a size such as 65536, 64KiB or 10MB"
        case .path: "an absolute path"
        case .port: "a port from 1 to 65535"
        }
    }

    /// Whether `value`, which is not empty, is of this kind.
    func takes(_ value: [UInt8]) -> Bool {
        switch self {
        case .string: return true
        case .integer, .number, .duration, .bytes, .port: return measure(value) != nil
        case .boolean:
            let words = ["true", "false", "yes", "no", "on", "off", "1", "0"]
            return words.contains(String(decoding: value, as: UTF8.self).lowercased())
        case .url: return Self.isURL(value)
        case .path:
            return value.first == UInt8(ascii: "/")
                && !value.split(separator: UInt8(ascii: "/")).contains {
                    $0.elementsEqual("..".utf8) || $0.elementsEqual(".".utf8)
                }
        }
    }

    /// How large `value` is; nil where it is not of this kind, or the kind has no order.
    func measure(_ value: [UInt8]) -> Schema.Measure? {
        // No reader of numbers that is meant here takes more.
        guard value.count <= 64 else { return nil }
        let text = String(decoding: value, as: UTF8.self)
        switch self {
        case .string, .boolean, .url, .path: return nil
        case .integer: return Self.decimal(text).map { .whole($0) }
        case .port: return Self.decimal(text).flatMap { (1...65535).contains($0) ? .whole($0) : nil }
        case .number:
            let allowed: ByteSet = "0123456789.eE+-"
            guard value.allSatisfy(allowed.contains), let number = Double(text), number.isFinite else { return nil }
            return .real(number)
        case .duration: return Self.microseconds(text).map { .whole($0) }
        case .bytes: return Self.bytes(text).map { .whole($0) }
        }
    }

    /// An end of a range as a value of this kind is written.
    func written(_ measure: Schema.Measure) -> String {
        switch (self, measure) {
        case (_, .real(let number)): return "\(number)"
        case (.duration, .whole(let microseconds)):
            let units: [(String, Int64)] = [
                ("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1000),
            ]
            let unit = units.first { microseconds != 0 && microseconds % $0.1 == 0 }
            return unit.map { "\(microseconds / $0.1)\($0.0)" } ?? "\(microseconds)us"
        case (.bytes, .whole(let bytes)):
            let units: [(String, Int64)] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)]
            let unit = units.first { bytes != 0 && bytes % (1 << $0.1) == 0 }
            return unit.map { "\(bytes >> $0.1)\($0.0)" } ?? "\(bytes)"
        case (_, .whole(let number)): return "\(number)"
        }
    }

    // MARK: Reading

    /// Digits, and a minus before them; nothing that one reader takes and another does not (`+1`, `0x1`, ` 1`).
    private static func decimal(_ text: String) -> Int64? {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        return !digits.isEmpty && digits.allSatisfy(ByteSet.digits.contains) ? Int64(text) : nil
    }

    /// Counts with units, the larger first or not: `1h30min`. `m` is taken for minutes, as systemd and Go do.
    private static func microseconds(_ text: String) -> Int64? {
        let perUnit: [String: Int64] = [
            "us": 1, "ms": 1000, "s": 1_000_000, "m": 60_000_000, "min": 60_000_000, "h": 3_600_000_000,
            "d": 86_400_000_000, "w": 604_800_000_000,
        ]
        var rest = Substring(text)
        var total: Int64 = 0
        repeat {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let count = Int64(digits), let size = perUnit[String(unit)] else { return nil }
            let (part, overflow) = count.multipliedReportingOverflow(by: size)
            let (sum, tooLarge) = total.addingReportingOverflow(part)
            guard !overflow, !tooLarge else { return nil }
            total = sum
        } while !rest.isEmpty
        return total
    }

    /// A count of bytes, or of units of them: `KiB` and its kin, and `K`, `M`, `G`, `T`, are powers of 1,024, `kB` and its
    /// kin of 1,000.
    private static func bytes(_ text: String) -> Int64? {
        let perUnit: [String: Int64] = [
            "": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "KiB": 1 << 10, "MiB": 1 << 20,
            "GiB": 1 << 30, "TiB": 1 << 40, "kB": 1000, "KB": 1000, "MB": 1_000_000, "GB": 1_000_000_000,
            "TB": 1_000_000_000_000,
        ]
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits), let size = perUnit[String(text.dropFirst(digits.count))] else { return nil }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
        return overflow ? nil : bytes
    }

    /// A scheme, `://`, and a host with a port that is one (RFC 3986's generic form with an authority); nothing that has to
    /// be escaped stands in it.
    private static func isURL(_ value: [UInt8]) -> Bool {
        guard value.allSatisfy({ $0 > 0x20 && $0 != 0x7F }), let first = value.first,
            let slashes = value[...].firstRange(of: Array("://".utf8))
        else { return false }
        let scheme = value[..<slashes.lowerBound]
        let letters = ByteSet(0x41...0x5A).union(ByteSet(0x61...0x7A))
        let schemeBytes = letters.union(.digits).union("+-.")
        guard letters.contains(first), scheme.allSatisfy(schemeBytes.contains) else { return false }
        let ends: ByteSet = "/?#"
        let authority = value[slashes.upperBound...].prefix { !ends.contains($0) }
        if authority.isEmpty { return scheme.elementsEqual("file".utf8) && value.count > slashes.upperBound }
        // A comma parts the hosts of a cluster; each is one of its own.
        let hosts = authority[(authority.lastIndex(of: UInt8(ascii: "@")).map { $0 + 1 } ?? authority.startIndex)...]
        return hosts.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).allSatisfy(isHost)
    }

    private static func isHost(_ host: ArraySlice<UInt8>) -> Bool {
        guard let first = host.first else { return false }
        var name = host
        var port: ArraySlice<UInt8> = []
        if first == UInt8(ascii: "["), let close = host.firstIndex(of: UInt8(ascii: "]")) {
            name = host[...close]
            port = host[(close + 1)...]
        } else if let colon = host.firstIndex(of: Byte.colon) {
            name = host[..<colon]
            port = host[colon...]
        }
        guard !name.isEmpty else { return false }
        guard let colon = port.first else { return true }
        let number = port.dropFirst()
        return colon == Byte.colon && number.count <= 5
            && decimal(String(decoding: number, as: UTF8.self)).map { (1...65535).contains($0) } ?? false
    }
}
