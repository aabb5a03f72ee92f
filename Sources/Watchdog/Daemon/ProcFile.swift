import CLinux
import Glibc

/// One file of /proc, kept open and read anew from its start each time. A descriptor of a process that has ended reads
/// as nothing (ESRCH), whoever has its pid by now.
final class ProcFile {
    private let descriptor: Int32

    /// Nil where it cannot be opened.
    init?(_ path: String) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
    }

    deinit { close(descriptor) }

    /// The content as far as `buffer` holds it; nil where it cannot be read.
    func read(into buffer: inout [UInt8]) -> ArraySlice<UInt8>? {
        let count = pread(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? buffer[..<count] : nil
    }

    /// A file's whole content, at most `limit` bytes; nil where it cannot be read.
    static func contents(_ path: String, limit: Int = 64 << 10) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(limit, 64 << 10))
        while bytes.count < limit {
            let count = Glibc.read(descriptor, &buffer, min(buffer.count, limit - bytes.count))
            guard count >= 0 else { return nil }
            guard count > 0 else { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return bytes
    }

    /// A file's first line.
    static func line(_ path: String) -> String? {
        contents(path, limit: 4096).map { String(decoding: $0.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self) }
    }

    /// Where a symbolic link points.
    static func link(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// The entries of a directory without `.` and `..`, at most `limit`; nil where it cannot be read.
    static func entries(_ path: String, limit: Int = .max) -> [String]? {
        guard let directory = opendir(path) else { return nil }
        defer { closedir(directory) }
        var names: [String] = []
        while names.count < limit, let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}

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
