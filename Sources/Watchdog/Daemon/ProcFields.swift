import Glibc

/// What /proc/<pid>/stat and a task's `stat` say (proc(5)).
struct ProcStat {
    var state: Character
    var userTicks: Int64
    var kernelTicks: Int64
    var threads: Int
    var startTicks: UInt64

    /// Nil where it is no such line.
    init?(_ bytes: ArraySlice<UInt8>) {
        // The second field is the program's name, in parentheses, with whatever bytes it likes: count from its end.
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, let state = fields[0].first,
            let userTicks = Self.number(fields[11]), let kernelTicks = Self.number(fields[12]),
            let threads = Self.number(fields[17]), let startTicks = Self.number(fields[19])
        else { return nil }
        self.state = Character(UnicodeScalar(state))
        self.userTicks = userTicks
        self.kernelTicks = kernelTicks
        self.threads = Int(threads)
        self.startTicks = UInt64(clamping: startTicks)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        ProcFields.number(digits)
    }
}

/// `name: value` lines, as `status` and `io` have them.
struct ProcFields {
    private let lines: [ArraySlice<UInt8>]

    init(_ bytes: ArraySlice<UInt8>) {
        lines = bytes.split(separator: UInt8(ascii: "\n"))
    }

    /// The first number after `name:`.
    func number(_ name: StaticString) -> Int64? {
        let start = name.utf8CodeUnitCount
        for line in lines where line.count > start + 1 && line[line.startIndex + start] == UInt8(ascii: ":") {
            let isIt = line.withUnsafeBytes { bytes in
                bytes.baseAddress.map { memcmp($0, name.utf8Start, start) == 0 } ?? false
            }
            if isIt { return Self.number(line.dropFirst(start + 1)) }
        }
        return nil
    }

    /// A decimal number after blanks, up to the first byte that is no digit.
    static func number(_ bytes: ArraySlice<UInt8>) -> Int64? {
        var value: Int64 = 0
        var found = false
        for byte in bytes.drop(while: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }) {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { break }
            let (next, overflow) = value.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            value = next &+ Int64(byte - UInt8(ascii: "0"))
            found = true
        }
        return found ? value : nil
    }
}
