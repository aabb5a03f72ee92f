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

    /// Every disagreement in `file`, by key.
    package static func all(in file: [UInt8], editor: EnvEditor) -> [Disagreement] {
        let readings = editor.readings(of: file)
        let effective = readings.map(\.effective)
        let keys = Set(effective.flatMap(\.keys)).sorted()
        return keys.compactMap { key in
            guard let witness = effective.firstIndex(where: { $0[key] != nil }),
                let other = effective.firstIndex(where: { $0[key] != effective[witness][key] }),
                let binding = readings[witness].binding(of: key)
            else { return nil }
            return Disagreement(
                key: key, line: EnvEditor.line(of: binding.statement.lowerBound, in: file),
                reader: editor.readers[other].name, than: editor.readers[witness].name,
                difference: difference(effective[other][key]))
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
