package import ConfigAPI

/// One change of one key as somebody asks for it, in a file of any format.
package enum ValueChange: Hashable, Sendable {
    case set(key: String, value: ConfigValue)
    case remove(key: String)

    package var key: String {
        switch self {
        case .set(let key, _), .remove(let key): key
        }
    }
}

/// One change of one key as an editor takes it: the bytes of the value, in the file's own format.
package enum KeyChange: Hashable, Sendable {
    case set(key: String, value: [UInt8])
    case remove(key: String)

    package var key: String {
        switch self {
        case .set(let key, _), .remove(let key): key
        }
    }
}

/// What a file is to configd, and all that depends on it: how a change is made, which keys changed, what `get` shows.
/// Versions, the durable path and the guards are the same for all.
package enum FileFormat: Sendable {
    /// Lines that several programs read, each in its way. A key is a variable's name, a value any bytes but zero.
    case env(EnvEditor)
    /// JSON (RFC 8259). A key is a pointer (RFC 6901), a value a JSON text.
    case json(Secrets)
    /// Anything: known as a whole, and changed as a whole.
    case whole

    /// The key of a file as a whole, and of a JSON text: the empty pointer.
    package static let wholeKey = ""
    /// The word that settings and messages have for it.
    package var name: ConfigFileStatus.Format {
        switch self {
        case .env: .env
        case .json: .json
        case .whole: .whole
        }
    }

    /// Who reads the file line by line; empty for other formats.
    package var readers: [Dialect] {
        switch self {
        case .env(let editor): editor.readers
        case .json, .whole: []
        }
    }

    // MARK: Changing

    /// What a change is to this format's editor.
    private func change(_ change: ValueChange) throws(EditRefusal) -> KeyChange {
        guard case .set(let key, let value) = change else { return .remove(key: change.key) }
        switch (self, value) {
        case (.env, .json): throw .textOnly(key: key)
        case (.env, .text), (.env, .bytes): return .set(key: key, value: value.content)
        case (.json, .text(let text)): return .set(key: key, value: JSONString.encoded(Array(text.utf8)))
        case (.json, .json(let text)): return .set(key: key, value: Array(text.utf8))
        case (.json, .bytes(let bytes)):
            throw .invalidJSONValue(key: key, JSONProblem("expected UTF-8, found other bytes", at: 0, in: bytes))
        case (.whole, _): throw .keptWhole
        }
    }

    /// `file` after `changes`, all or none.
    package func apply(_ changes: [ValueChange], to file: [UInt8]) throws(EditRefusal) -> [UInt8] {
        let changes = try changes.map { change throws(EditRefusal) in try self.change(change) }
        switch self {
        case .env(let editor): return try editor.apply(changes, to: file)
        case .json: return try JSONEditor.apply(changes, to: file)
        case .whole:
            guard changes.isEmpty else { throw .keptWhole }
            return file
        }
    }

    /// Whether `content` may take the file's place as a whole: what a reader or the format refuses may not.
    package func check(_ content: [UInt8]) throws(EditRefusal) {
        guard content.count <= EnvEditor.largestFileBytes else { throw .fileTooLarge(bytes: content.count) }
        switch self {
        case .env(let editor): _ = try editor.apply([], to: content)
        case .json: _ = try JSONEditor.document(content)
        case .whole: break
        }
    }

    // MARK: Comparing

    /// So many changed keys are noted with a version, and no more.
    package static let mostKeysNoted = 500

    /// A key as it may be shown to whoever may not see values: what a reader of lines takes for one may be half a secret.
    package func shown(key: String) -> String {
        switch self {
        case .env: Secrets.shown(key)
        case .json, .whole: key
        }
    }

    /// The keys whose value differs, as they may be shown, sorted; the first 500 where there are more. Of lines, those that differ to the first
    /// reader; of JSON, pointers; the whole file's key where it is kept whole or one of the two is no JSON.
    package func changedKeys(from old: [UInt8], to new: [UInt8]) -> [String] {
        guard old != new else { return [] }
        switch self {
        case .env(let editor):
            return ConfigDiff.changedKeys(from: old, to: new, editor, atMost: Self.mostKeysNoted)
        case .json:
            guard let before = try? JSONDocument(old), let after = try? JSONDocument(new) else {
                return [Self.wholeKey]
            }
            return JSONDifference.pointers(from: before, to: after, atMost: Self.mostKeysNoted).sorted()
        case .whole: return [Self.wholeKey]
        }
    }

    /// How many keys the file sets: those that any reader sees, or JSON's innermost values; nil where keys do not count.
    package func keyCount(of file: [UInt8]) -> Int? {
        switch self {
        case .env(let editor):
            editor.readings(of: file).reduce(into: Set<String>()) { keys, reading in
                keys.formUnion(reading.bindings.map(\.key))
            }.count
        case .json: try? JSONDocument(file).leafCount
        case .whole: nil
        }
    }
}
