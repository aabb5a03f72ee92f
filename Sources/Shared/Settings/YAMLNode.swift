/// Where something stands in a file: both counted from 1, the column in characters.
package struct Mark: Hashable, Comparable, Sendable {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (left: Mark, right: Mark) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// One value of a YAML file and where it began. Keys stay in the file's order and duplicates are kept, so that the typed
/// reader above can tell of them with their places.
struct YAMLNode: Hashable, Sendable {
    indirect enum Content: Hashable, Sendable {
        /// `plain` is false where the text was quoted or a block: `"5"` is a text, `5` is a number.
        case scalar(String, plain: Bool)
        case sequence([YAMLNode])
        case mapping([Entry])
    }

    struct Entry: Hashable, Sendable {
        var key: String
        var keyMark: Mark
        var value: YAMLNode
    }

    var content: Content
    var mark: Mark

    /// The text of a scalar, quoted or not; nil for a list or a mapping.
    var text: String? {
        if case .scalar(let text, _) = content { text } else { nil }
    }

    /// The text of an unquoted scalar: what numbers, durations and switches are written as.
    var plainText: String? {
        if case .scalar(let text, plain: true) = content { text } else { nil }
    }

    /// What an error message calls this value.
    var description: String {
        switch content {
        case .scalar("", plain: true), .scalar("~", plain: true), .scalar("null", plain: true): "nothing"
        case .scalar(let text, plain: true): text.count > 60 ? "\(text.prefix(57))..." : text
        case .scalar(let text, plain: false): "the text \"\(text.count > 60 ? "\(text.prefix(57))..." : text)\""
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }

    /// True for a key that was written with nothing after it.
    var isNothing: Bool {
        plainText.map { $0 == "" || $0 == "~" || $0 == "null" } ?? false
    }
}
