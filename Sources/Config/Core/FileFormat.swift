package import ConfigAPI

/// One change of one key as somebody asks for it, in a file of any format.
package enum ValueChange: Hashable, Sendable {
    case set(key: String, value: ConfigValue)
    /// As `set`, and in a JSON file with the objects around it that are missing.
    case place(key: String, value: ConfigValue)
    /// One that is not there is an error.
    case remove(key: String)
    /// One that is not there may be so.
    case unset(key: String)

    package var key: String {
        switch self {
        case .set(let key, _), .place(let key, _), .remove(let key), .unset(let key): key
        }
    }
}

/// One change of one key as an editor takes it: the bytes of the value, in the file's own format.
package enum KeyChange: Hashable, Sendable {
    case set(key: String, value: [UInt8])
    /// As `set`, and in a JSON file with the objects around it that are missing.
    case place(key: String, value: [UInt8])
    case remove(key: String)

    package var key: String {
        switch self {
        case .set(let key, _), .place(let key, _), .remove(let key): key
        }
    }
}

/// A file's bytes with what its format makes of them, read once for all that is asked about it.
package struct ReadFile: Sendable {
    package let bytes: [UInt8]
    /// What the declared readers make of a file of lines; nil for other formats.
    let lines: EnvEditor.State?

    fileprivate init(_ bytes: [UInt8]) {
        self.bytes = bytes
        lines = nil
    }

    fileprivate init(_ lines: EnvEditor.State) {
        bytes = lines.bytes
        self.lines = lines
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
        switch change {
        case .set(let key, let value): return .set(key: key, value: try content(of: value, key))
        case .place(let key, let value): return .place(key: key, value: try content(of: value, key))
        case .remove(let key), .unset(let key): return .remove(key: key)
        }
    }

    private func content(of value: ConfigValue, _ key: String) throws(EditRefusal) -> [UInt8] {
        switch (self, value) {
        case (.env, .json): throw .textOnly(key: key)
        case (.env, .text), (.env, .bytes): return value.content
        case (.json, .text(let text)): return JSONString.encoded(Array(text.utf8))
        case (.json, .json(let text)): return Array(text.utf8)
        case (.json, .bytes(let bytes)):
            throw .invalidJSONValue(key: key, JSONProblem("expected UTF-8, found other bytes", at: 0, in: bytes))
        case (.whole, _): throw .keptWhole
        }
    }

    /// Has the file read by whoever reads it line by line; a file over the limit is refused when it is changed.
    package func read(_ file: [UInt8]) -> ReadFile {
        switch self {
        case .env(let editor) where file.count <= EnvEditor.largestFileBytes: ReadFile(editor.read(file))
        case .env, .json, .whole: ReadFile(file)
        }
    }

    private func isToBeMade(_ change: ValueChange, in file: [UInt8]) -> Bool {
        guard case .unset(let key) = change else { return true }
        var isThere = false
        try? forEachEntry(of: file, named: [key]) { _, _ in
            isThere = true
            return false
        }
        return isThere
    }

    /// `file` after `changes`, all or none.
    package func apply(_ changes: [ValueChange], to file: [UInt8]) throws(EditRefusal) -> [UInt8] {
        try apply(changes, to: read(file)).bytes
    }

    /// `file` after `changes`, all or none.
    package func apply(_ changes: [ValueChange], to file: ReadFile) throws(EditRefusal) -> ReadFile {
        let changes = try changes.filter { isToBeMade($0, in: file.bytes) }
            .map { change throws(EditRefusal) in try self.change(change) }
        switch self {
        case .env(let editor):
            guard let lines = file.lines else { throw .fileTooLarge(bytes: file.bytes.count) }
            return ReadFile(try editor.apply(changes, to: lines))
        case .json: return ReadFile(try JSONEditor.apply(changes, to: file.bytes))
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
    /// of JSON, pointers; the whole file's key where it is kept whole or one of the two is no JSON.
    package func changedKeys(from old: [UInt8], to new: [UInt8]) -> [String] {
        changedKeys(from: read(old), to: read(new))
    }

    /// As of bytes.
    package func changedKeys(from old: ReadFile, to new: ReadFile) -> [String] {
        guard old.bytes != new.bytes else { return [] }
        switch self {
        case .env:
            guard let before = old.lines, let after = new.lines else { return [Self.wholeKey] }
            return ConfigDiff.changedKeys(from: before, to: after, atMost: Self.mostKeysNoted)
        case .json:
            guard let before = try? JSONDocument(old.bytes), let after = try? JSONDocument(new.bytes) else {
                return [Self.wholeKey]
            }
            return JSONDifference.pointers(from: before, to: after, atMost: Self.mostKeysNoted).sorted()
        case .whole: return [Self.wholeKey]
        }
    }

    /// Whether every reader of lines finds the same keys in the same order in both; false where that is not known.
    func keepsKeys(from old: ReadFile, to new: ReadFile) -> Bool {
        guard case .env = self, let before = old.lines?.readings, let after = new.lines?.readings else { return false }
        return zip(before, after).allSatisfy { $0.hasKeys(of: $1) }
    }

    /// How many keys the file sets: those that any reader sees, or JSON's innermost values; nil where keys do not count.
    package func keyCount(of file: ReadFile) -> Int? {
        switch self {
        case .env:
            // Most often all readers see the same keys: then the union is the first one's.
            file.lines.map { lines in
                let effective = lines.effective
                guard let first = effective.first else { return 0 }
                let others = effective.dropFirst().reduce(into: Set<String>()) { keys, other in
                    for key in other.keys where first[key] == nil { keys.insert(key) }
                }
                return first.count + others.count
            }
        case .json: try? JSONDocument(file.bytes).leafCount
        case .whole: nil
        }
    }
}
