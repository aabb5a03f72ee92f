package import ConfigAPI

extension FileFormat {
    /// One key of a file, as `get` shows it.
    package struct Entry: Hashable, Sendable {
        package var key: String
        /// Nil where the file alone does not say it: a reader of lines that expands names.
        package var value: ConfigValue?
        /// As it stands: what its fingerprint is made of.
        package var content: [UInt8]
        /// The line that it begins in, from 1.
        package var line: Int
        /// To be shown only to whoever asks for it.
        package var isSecret: Bool
    }

    /// Calls `body` with the keys of `file`, in its own order, from the place `first` on, each with its place, until it
    /// says false. Of lines, the assignments that count to the first reader; of JSON, the innermost values; a file that is
    /// kept whole has one key. With `keys` only these, and of JSON whatever stands at them; one that is not there is an
    /// error.
    package func forEachEntry(
        of file: [UInt8], named keys: [String]? = nil, from first: Int = 0, _ body: (Int, Entry) -> Bool
    ) throws(EditRefusal) {
        switch self {
        case .env(let editor): try Self.assignments(of: file, editor, keys, first, body)
        case .json(let secrets):
            let document = try JSONEditor.document(file)
            if let keys {
                try Self.named(keys, of: document, secrets, first, body)
            } else {
                Self.leaves(of: document, secrets, first, body)
            }
        case .whole:
            if let key = keys?.first(where: { $0 != Self.wholeKey }) { throw .unknownKey(key: key) }
            if first == 0 {
                // What it holds nobody knows: as a listing goes, all of it is a secret.
                _ = body(
                    0,
                    Entry(key: Self.wholeKey, value: ConfigValue(file), content: file, line: 1, isSecret: true))
            }
        }
    }

    private static func assignments(
        of file: [UInt8], _ editor: EnvEditor, _ keys: [String]?, _ first: Int, _ body: (Int, Entry) -> Bool
    ) throws(EditRefusal) {
        let bindings = DialectReader.read(file, as: editor.readers[0]).bindings
        let last = Dictionary(bindings.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { $1 })
        if let missing = keys?.first(where: { last[$0] == nil }) { throw .unknownKey(key: missing) }
        let wanted = keys.map(Set.init)
        var lines = LineCount(file)
        for (place, binding) in bindings.enumerated() {
            guard place >= first, last[binding.key] == place, wanted?.contains(binding.key) ?? true else { continue }
            let line = lines.line(of: binding.statement.lowerBound)
            let bytes = binding.value.bytes
            var entry = Entry(
                key: binding.key, value: nil, content: bytes, line: line,
                isSecret: editor.secrets.isSecret(binding.key, value: bytes))
            if case .text = binding.value { entry.value = ConfigValue(bytes) }
            guard body(place, entry) else { return }
        }
    }

    private static func leaves(
        of document: JSONDocument, _ secrets: Secrets, _ first: Int, _ body: (Int, Entry) -> Bool
    ) {
        var lines = LineCount(document.bytes)
        document.forEachLeaf { pointer, node in
            guard node >= first else { return true }
            return body(node, entry(pointer, node, of: document, secrets, &lines))
        }
    }

    private static func named(
        _ keys: [String], of document: JSONDocument, _ secrets: Secrets, _ first: Int, _ body: (Int, Entry) -> Bool
    ) throws(EditRefusal) {
        var found: [(node: Int, pointer: JSONPointer)] = []
        for key in Set(keys) {
            guard let pointer = JSONPointer(key) else { throw .invalidPointer(key: key) }
            guard let node = document.node(at: pointer) else { throw .unknownKey(key: key) }
            found.append((node, pointer))
        }
        var lines = LineCount(document.bytes)
        for (node, pointer) in found.sorted(by: { $0.node < $1.node }) where node >= first {
            guard body(node, entry(pointer, node, of: document, secrets, &lines)) else { return }
        }
    }

    private static func entry(
        _ pointer: JSONPointer, _ node: Int, of document: JSONDocument, _ secrets: Secrets, _ lines: inout LineCount
    ) -> Entry {
        Entry(
            key: pointer.text, value: value(of: node, in: document), content: Array(document.raw(node)),
            line: lines.line(of: document.nodes[node].start),
            isSecret: secrets.isSecret(node, at: pointer, of: document))
    }

    private static func value(of node: Int, in document: JSONDocument) -> ConfigValue {
        if document.nodes[node].kind == .string, let text = String(validating: document.text(of: node), as: UTF8.self) {
            return .text(text)
        }
        return .json(String(decoding: document.raw(node), as: UTF8.self))
    }

    /// A value from the bytes that an entry's `content` has, or that a difference names.
    package func value(standing bytes: [UInt8]) -> ConfigValue {
        guard case .json = self, let document = try? JSONDocument(bytes) else { return ConfigValue(bytes) }
        return Self.value(of: 0, in: document)
    }

    /// What `key` says; nil where the file has no such key, or the file alone does not say it.
    package func value(of key: String, in file: [UInt8]) -> ConfigValue? {
        var value: ConfigValue?
        try? forEachEntry(of: file, named: [key]) { _, entry in
            value = entry.value
            return false
        }
        return value
    }
}

/// Counts lines on the way through a file: each offset is asked for after those before it.
private struct LineCount {
    private let file: [UInt8]
    private var line = 1
    private var counted = 0

    init(_ file: [UInt8]) {
        self.file = file
    }

    mutating func line(of offset: Int) -> Int {
        line += file[counted..<offset].count { $0 == Byte.newline }
        counted = offset
        return line
    }
}
