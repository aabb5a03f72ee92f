/// A key that its object of a JSON file has already: allowed by the RFC, and read differently by readers.
package struct RepeatedKey: Hashable, Sendable {
    /// Its place.
    package var pointer: String
    /// Where it stands again, from 1.
    package var line: Int

    package init(pointer: String, line: Int) {
        self.pointer = pointer
        self.line = line
    }

    /// The repeated keys of `file`, the innermost objects first, at most `limit`; none where it is no JSON.
    package static func all(in file: [UInt8], limit: Int = 100) -> [RepeatedKey] {
        guard let document = try? JSONDocument(file) else { return [] }
        return document.repeated.prefix(limit).map { key in
            RepeatedKey(
                pointer: document.pointer(to: key).text, line: document.line(of: document.nodes[key].start))
        }
    }
}
