internal import CRE2

/// A regular expression from outside, in RE2's syntax: matching takes time linear in the text whatever the expression is,
/// where Swift's own takes 28 s for `(a+)+b` and 20 letters.
package final class Pattern: Sendable {
    /// The longest expression, in bytes.
    package static let longestBytes = 1000
    /// What an expression and its matching may use: RE2 refuses an expression that needs more, and goes on more slowly
    /// where matching would. `x{1000}` fits, `(x{100}){100}` does not.
    package static let mostMemoryBytes: Int64 = 256 << 10

    /// Why a text is no expression.
    package struct Problem: Error, Hashable, Sendable {
        /// In words, by RE2.
        package var reason: String
    }

    /// As it was written.
    package let text: String
    /// RE2's object is const from here on, and matching a const one is safe on any thread (re2.h): hence the unchecked
    /// promise.
    private let compiled: Compiled

    private struct Compiled: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    /// - Parameter longestBytes: the limit where it is not to be the standard one.
    package init(
        _ text: String, longestBytes: Int = Pattern.longestBytes, mostMemoryBytes: Int64 = Pattern.mostMemoryBytes
    ) throws(Problem) {
        guard text.utf8.count <= longestBytes else {
            throw Problem(reason: "it has \(text.utf8.count) bytes, the limit is \(longestBytes)")
        }
        var why = [CChar](repeating: 0, count: 200)
        var bytes = Array(text.utf8).map { CChar(bitPattern: $0) }
        let length = bytes.count
        bytes.append(0)
        guard let pointer = mainstay_pattern_compile(bytes, length, mostMemoryBytes, &why, why.count) else {
            let reason = String(decoding: why.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw Problem(reason: reason.isEmpty ? "no memory" : reason)
        }
        self.text = text
        compiled = Compiled(pointer: pointer)
    }

    deinit { mainstay_pattern_free(compiled.pointer) }

    /// Whether the expression matches all of `value`. Bytes that are not UTF-8 match no `.` and no class.
    package func matches(_ value: [UInt8]) -> Bool {
        value.withUnsafeBytes { bytes in
            let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            return mainstay_pattern_matches(compiled.pointer, start, bytes.count) == 1
        }
    }

    /// Whether the expression matches all of `value`.
    package func matches(_ value: String) -> Bool {
        var value = value
        return value.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                mainstay_pattern_matches(compiled.pointer, text.baseAddress, text.count) == 1
            }
        }
    }

    /// What the groups of a match of all of `value` hold, the whole match first, nil for one that took no part. Nil: no match.
    package func groups(_ value: String) -> [String?]? {
        let count = Int(mainstay_pattern_group_count(compiled.pointer)) + 1
        var starts = [Int](repeating: -1, count: count)
        var ends = starts
        let bytes = Array(value.utf8)
        let isMatch = bytes.withUnsafeBytes { raw in
            let text = raw.baseAddress?.assumingMemoryBound(to: CChar.self)
            return mainstay_pattern_groups(compiled.pointer, text, raw.count, &starts, &ends, CInt(count)) == 1
        }
        guard isMatch else { return nil }
        return zip(starts, ends).map { start, end in
            start < 0 ? nil : String(decoding: bytes[start..<end], as: UTF8.self)
        }
    }

    /// The numbers of the groups that have names (`(?P<name>…)`).
    package var groupNumbers: [String: Int] {
        var numbers: [String: Int] = [:]
        var name = [CChar](repeating: 0, count: longestGroupNameBytes)
        for number in 0...mainstay_pattern_group_count(compiled.pointer) {
            let length = mainstay_pattern_group_name(compiled.pointer, number, &name, name.count)
            guard length > 0 else { continue }
            numbers[String(decoding: name.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)] = Int(number)
        }
        return numbers
    }

    private var longestGroupNameBytes: Int { text.utf8.count + 1 }
}
