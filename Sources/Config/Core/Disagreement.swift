/// A key that the declared readers of a file do not all read alike, as the file stands.
package struct Disagreement: Hashable, Sendable {
    package var key: String
    /// The line, from 1, of the assignment that the first reader with one takes.
    package var line: Int
    /// The first reader that sees the key otherwise than `than` does.
    package var reader: String
    package var than: String
    /// In words: what is different, without the value itself.
    package var difference: String

    package init(key: String, line: Int, reader: String, than: String, difference: String) {
        self.key = key
        self.line = line
        self.reader = reader
        self.than = than
        self.difference = difference
    }

    /// The disagreements in `file` in its own order, at most `limit`.
    package static func all(in file: [UInt8], editor: EnvEditor, limit: Int = 1000) -> [Disagreement] {
        let readings = editor.readings(of: file)
        let effective = readings.map(\.effective)
        var found: [(offset: Int, Disagreement)] = []
        var told: Set<String> = []
        for (witness, reading) in readings.enumerated() {
            for binding in reading.bindings.reversed() where !told.contains(binding.key) {
                let key = binding.key
                told.insert(key)
                guard let other = effective.firstIndex(where: { $0[key] != effective[witness][key] }) else { continue }
                let disagreement = Disagreement(
                    key: key, line: 0, reader: editor.readers[other].name, than: editor.readers[witness].name,
                    difference: difference(effective[other][key]))
                found.append((binding.statement.lowerBound, disagreement))
            }
        }
        found.sort { $0.offset < $1.offset }
        var line = 1
        var counted = 0
        return found.prefix(limit).map { offset, disagreement in
            line += file[counted..<offset].count { $0 == Byte.newline }
            counted = offset
            var placed = disagreement
            placed.line = line
            return placed
        }
    }

    private static func difference(_ value: Reading.Value?) -> String {
        switch value {
        case nil: "does not set it"
        case .text: "reads another value"
        case .depends: "expands it"
        }
    }
}
