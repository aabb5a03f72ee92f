package import Wire

/// Writes a bundle: each call gives the bytes to append. It keeps the sum and the digests of the contents that are in it, and
/// nothing else.
package struct BundleWriter: Sendable {
    private var sum = SHA256()
    private var contents: Set<Digest> = []
    /// What is in it so far; its sum is not yet.
    package private(set) var held = BundleEnd()

    package init() {}

    /// Begins it.
    package mutating func header(_ header: BundleHeader) -> [UInt8] { line(.header(header)) }

    /// Begins a file; its versions follow, the oldest first.
    package mutating func file(_ file: Config.Backup.File) -> [UInt8] {
        held.files += 1
        return line(.file(file))
    }

    /// Whether a content is in it already.
    package func has(_ content: Digest) -> Bool { contents.contains(content) }

    /// A content, before the first version that has it.
    package mutating func content(_ bytes: [UInt8]) -> [UInt8] {
        let digest = Digest(of: bytes)
        guard contents.insert(digest).inserted else { return [] }
        held.contents += 1
        held.bytes += Int64(bytes.count)
        var lines: [UInt8] = []
        for start in stride(from: 0, to: max(1, bytes.count), by: BundlePart.mostBytes) {
            let stretch = Array(bytes[start..<min(start + BundlePart.mostBytes, bytes.count)])
            lines += line(
                .part(
                    BundlePart(
                        content: digest, sizeBytes: Int64(bytes.count), offset: Int64(start),
                        bytes: ConfigValue(inMessage: stretch))))
        }
        return lines
    }

    /// A version of the file that was begun last.
    package mutating func version(_ version: BundledVersion) -> [UInt8] {
        held.versions += 1
        return line(.version(version))
    }

    /// Ends it.
    package mutating func end() -> [UInt8] {
        var end = held
        end.sum = sum.finish()
        return Self.bytes(of: .end(end))
    }

    private mutating func line(_ line: BundleLine) -> [UInt8] {
        let bytes = Self.bytes(of: line)
        sum.update(bytes)
        return bytes
    }

    /// A line as it stands in a bundle.
    static func bytes(of line: BundleLine) -> [UInt8] { JSONWriter.bytes(of: line) + [UInt8(ascii: "\n")] }
}
