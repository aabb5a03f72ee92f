/// One thing wrong in a settings file, as an operator reads it: `file:line:column: key: expected X, found Y`.
package struct SettingsProblem: Error, Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The file's path as it was opened.
    package var file: String
    /// Where in the file; nil where the file as a whole is meant (missing, unreadable, too large).
    package var mark: Mark?
    /// The key with its parents, dotted, list items by index from 0: `checks[1].timeout`. Empty for the whole file.
    package var key: String
    /// What was expected and what was found.
    package var message: String

    package init(file: String, mark: Mark?, key: String, message: String) {
        self.file = file
        self.mark = mark
        self.key = key
        self.message = message
    }

    package var description: String {
        let place = mark.map { "\(file):\($0.line):\($0.column)" } ?? file
        return key.isEmpty ? "\(place): \(message)" : "\(place): \(key): \(message)"
    }

    package static func < (left: SettingsProblem, right: SettingsProblem) -> Bool {
        let first = left.mark ?? Mark(line: 0, column: 0)
        let second = right.mark ?? Mark(line: 0, column: 0)
        return (left.file, first, left.key, left.message) < (right.file, second, right.key, right.message)
    }
}

/// Settings are taken whole or not at all: this carries everything that was wrong, in the order of files and lines, so that
/// one reading of the message is enough to mend all of it. Never empty.
package struct SettingsRefused: Error, Hashable, Sendable, CustomStringConvertible {
    package var problems: [SettingsProblem]

    package init(problems: [SettingsProblem]) {
        self.problems = problems.sorted()
    }

    /// One problem a line.
    package var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
