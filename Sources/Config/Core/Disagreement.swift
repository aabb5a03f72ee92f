/// A key that the declared readers of a file do not all read alike, as the file stands.
package struct Disagreement: Hashable, Sendable {
    /// What some readers make of the key.
    package struct View: Hashable, Sendable {
        /// Their names, in the declared order.
        package var readers: [String]
        /// Nil: they do not set it.
        package var value: Reading.Value?
    }

    /// As `Secrets.shown` gives it.
    package var key: String
    /// The line, from 1, of the assignment that the first reader with one takes.
    package var line: Int
    /// Two or more, that of the first reader with an assignment first.
    package var views: [View]
    /// Whether what they read may not be shown.
    package var isSecret: Bool

    /// The disagreements in `file` in its own order, at most `limit`. A reader that refuses the file has no view: that it
    /// refuses is another finding.
    package static func all(in file: [UInt8], editor: EnvEditor, limit: Int = 1000) -> [Disagreement] {
        let readings = editor.readings(of: file)
        return all(in: file, editor: editor, readings, limit: limit)
    }

    static func all(
        in file: [UInt8], editor: EnvEditor, _ readings: [Reading], limit: Int
    ) -> [Disagreement] {
        let asked = readings.indices.filter { readings[$0].failure == nil }
        let effective = readings.map(\.effective)
        var found: [(offset: Int, witness: Int, key: String)] = []
        var told: Set<String> = []
        for witness in asked {
            for binding in readings[witness].bindings.reversed() where told.insert(binding.key).inserted {
                let key = binding.key
                guard asked.contains(where: { effective[$0][key] != effective[witness][key] }) else { continue }
                found.append((binding.statement.lowerBound, witness, key))
            }
        }
        found.sort { $0.offset < $1.offset }
        let withheld = asked.reduce(into: Set<String>()) { keys, reader in
            keys.formUnion(Secrets.keysInBlocks(of: file, readings[reader]))
        }
        var lines = LineCounter(file)
        return found.prefix(limit).map { offset, witness, key in
            let views = views(of: key, from: witness, asked, effective, editor)
            let isSecret = views.contains { view in
                view.value.map { editor.secrets.isSecret(key, value: $0.bytes) } ?? false
            }
            let isWithheld = withheld.contains(key)
            return Disagreement(
                key: isWithheld ? Secrets.namelessKey : Secrets.shown(key), line: lines.line(of: offset), views: views,
                isSecret: isSecret || isWithheld)
        }
    }

    private static func views(
        of key: String, from witness: Int, _ asked: [Int], _ effective: [[String: Reading.Value]], _ editor: EnvEditor
    ) -> [View] {
        var views: [View] = []
        for reader in [witness] + asked.filter({ $0 != witness }) {
            let value = effective[reader][key]
            if let place = views.firstIndex(where: { $0.value == value }) {
                views[place].readers.append(editor.readers[reader].name)
            } else {
                views.append(View(readers: [editor.readers[reader].name], value: value))
            }
        }
        return views
    }
}

/// The lines, from 1, of offsets that come in ascending order.
struct LineCounter {
    private let file: [UInt8]
    private var line = 1
    private var counted = 0

    init(_ file: [UInt8]) { self.file = file }

    mutating func line(of offset: Int) -> Int {
        guard offset > counted else { return line }
        line += file[counted..<offset].count { $0 == Byte.newline }
        counted = offset
        return line
    }
}
