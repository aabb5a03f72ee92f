package import ConfigAPI

/// What a key says to everybody who reads the file.
package enum KeyStanding: Hashable, Sendable {
    /// This, or, where nil, nobody sees such a key.
    case value([UInt8]?)
    /// Not the same to all, or not by the file alone: in words that follow the key's name.
    case unclear(String)
}

extension FileFormat {
    /// A value from the bytes that a standing has, to be written again as it was.
    package func verbatim(_ bytes: [UInt8]) -> ConfigValue {
        switch self {
        case .env, .whole: ConfigValue(bytes)
        case .json: .json(String(decoding: bytes, as: UTF8.self))
        }
    }

    /// What each of `keys` says. Of lines, to all declared readers; of JSON, the value's text. Every key is unclear in a file
    /// that cannot be read.
    package func standings(of keys: [String], in file: [UInt8]) -> [String: KeyStanding] {
        let standing: (String) -> KeyStanding
        switch self {
        case .env(let editor):
            let readings = zip(editor.readers, editor.readings(of: file)).map { ($0.name, $1.effective) }
            standing = { key in Self.standing(of: key, readings) }
        case .json:
            guard let document = try? JSONEditor.document(file) else {
                standing = { _ in .unclear("stands in a file that is no JSON") }
                break
            }
            standing = { key in Self.standing(of: key, document) }
        case .whole: standing = { _ in .unclear("is of a file that has no keys") }
        }
        return Dictionary(keys.map { ($0, standing($0)) }, uniquingKeysWith: { $1 })
    }

    private static func standing(of key: String, _ readings: [(String, [String: Reading.Value])]) -> KeyStanding {
        let first = readings.first?.1[key]
        if case .depends? = first { return .unclear("says something else in another environment of its reader") }
        if let other = readings.first(where: { $0.1[key] != first }) {
            return .unclear("says something else to \(other.0) than to \(readings.first?.0 ?? "the first reader")")
        }
        return .value(first?.bytes)
    }

    private static func standing(of key: String, _ document: JSONDocument) -> KeyStanding {
        guard let pointer = JSONPointer(key) else { return .unclear("is no pointer (RFC 6901)") }
        guard document.repeatedKey(towards: pointer) == nil else { return .unclear("stands in its object twice") }
        return .value(document.node(at: pointer).map { Array(document.raw($0)) })
    }

    /// Whether a leased value, which a standing had, is to be shown only to whoever asks for it.
    package func isSecret(_ key: String, standing bytes: [UInt8]) -> Bool {
        switch self {
        case .env(let editor): return editor.secrets.isSecret(key, value: bytes)
        case .json(let secrets):
            guard let document = try? JSONDocument(bytes), let pointer = JSONPointer(key) else { return true }
            return secrets.isSecret(0, at: pointer, of: document)
        case .whole: return true
        }
    }
}
