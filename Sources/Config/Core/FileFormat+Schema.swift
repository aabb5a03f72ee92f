extension FileFormat {
    /// What each reader makes of `content`, as a schema judges it. JSON has one reader; its keys are pointers to values that
    /// hold no other, a text is what it says, `null` counts as not set, and what is no JSON has no key. A file without keys
    /// has no view.
    package func views(of content: ReadFile) -> [Schema.View] {
        switch self {
        case .env(let editor):
            let values = content.lines?.effective ?? editor.readings(of: content.bytes).map(\.effective)
            return zip(editor.readers, values).map { Schema.View(reader: $0.name, values: $1) }
        case .json:
            var values: [String: Reading.Value] = [:]
            if let document = try? JSONDocument(content.bytes) {
                document.forEachLeaf { pointer, node in
                    values[pointer.text] = Self.value(of: node, document)
                    return true
                }
            }
            return [Schema.View(reader: "json", values: values)]
        case .whole: return []
        }
    }

    private static func value(of node: Int, _ document: JSONDocument) -> Reading.Value? {
        let raw = Array(document.raw(node))
        switch document.nodes[node].kind {
        case .string: return .text(document.text(of: node))
        case .number: return .text(raw)
        case .word: return raw.elementsEqual("null".utf8) ? nil : .text(raw)
        // An empty object or array is there, and is no value of any type.
        case .object, .array, .key: return .depends(raw)
        }
    }

    /// The line, from 1, of the assignment of each of `keys` that the first reader with one takes.
    package func lines(of keys: Set<String>, in content: [UInt8]) -> [String: Int] {
        var offsets: [String: Int] = [:]
        switch self {
        case .env(let editor):
            for reading in editor.readings(of: content) {
                for key in keys where offsets[key] == nil {
                    offsets[key] = reading.binding(of: key)?.statement.lowerBound
                }
            }
        case .json:
            guard let document = try? JSONDocument(content) else { return [:] }
            for key in keys {
                guard let pointer = JSONPointer(key), let node = document.node(at: pointer) else { continue }
                offsets[key] = document.nodes[node].start
            }
        case .whole: break
        }
        var counter = LineCounter(content)
        var lines: [String: Int] = [:]
        for (key, offset) in offsets.sorted(by: { $0.value < $1.value }) { lines[key] = counter.line(of: offset) }
        return lines
    }

    /// Whether no output may show `value` of `key`.
    package func isSecret(_ key: String, value: [UInt8]) -> Bool {
        switch self {
        case .env(let editor): editor.secrets.isSecret(key, value: value)
        case .json(let secrets): secrets.isSecret(key, value: value)
        case .whole: true
        }
    }
}
