package import Wire

extension Config {
    /// `diff`: what changed from one version to another, or to the one in force. Secrets are shown as fingerprints.
    package enum Diff: RPCMethod {
        package static let name = "diff"
        package static let access = Access.read

        package struct Params: WireObject {
            package var target: ConfigFile
            /// 0 stands for an empty file; the version before `to` where nil.
            package var from: Int64?
            /// The version in force where nil.
            package var to: Int64?
            /// Unchanged lines shown around changed ones (0 to 1,000).
            package var context: Int64
            /// Show secrets as they are, to whoever may act.
            package var reveal: Bool

            package init(
                target: ConfigFile, from: Int64? = nil, to: Int64? = nil, context: Int64 = 3, reveal: Bool = false
            ) {
                self.target = target
                self.from = from
                self.to = to
                self.context = context
                self.reveal = reveal
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                from = try fields.optional("from")
                to = try fields.optional("to")
                context = try fields.value("context", or: 3)
                guard (0...1000).contains(context) else {
                    throw WireError(place: "context", problem: "expected 0 to 1000, found \(context)")
                }
                reveal = try fields.value("reveal", or: false)
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("from", from)
                object.member("to", to)
                object.member("context", context)
                object.member("reveal", reveal)
            }
        }

        package typealias Reply = ConfigDifference
    }
}

/// What changed between two contents of a file.
package struct ConfigDifference: WireObject {
    package var service: String
    package var file: String
    /// 0 stands for an empty file.
    package var from: Int64
    /// Nil for what a dry run would write.
    package var to: Int64?
    /// The keys that differ to any declared reader, in the keys' order, at most 500.
    package var changes: [ConfigKeyChange]
    /// The lines that differ and those around them; empty where `hidden`.
    package var hunks: [ConfigHunk]
    /// The file is not world-readable and the caller may not see its values: keys and fingerprints alone are told.
    package var hidden: Bool
    /// There are more changes than fit: keys over 500, or lines over 192 KiB.
    package var cut: Bool

    package init(
        service: String, file: String, from: Int64, to: Int64?, changes: [ConfigKeyChange], hunks: [ConfigHunk],
        hidden: Bool, cut: Bool
    ) {
        self.service = service
        self.file = file
        self.from = from
        self.to = to
        self.changes = changes
        self.hunks = hunks
        self.hidden = hidden
        self.cut = cut
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        file = try fields.value("file")
        from = try fields.value("from")
        to = try fields.optional("to")
        changes = try fields.value("changes")
        hunks = try fields.value("hunks")
        hidden = try fields.value("hidden", or: false)
        cut = try fields.value("cut", or: false)
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("file", file)
        object.member("from", from)
        object.member("to", to)
        object.member("changes", changes)
        object.member("hunks", hunks)
        object.member("hidden", hidden)
        object.member("cut", cut)
    }
}

/// One key that a declared reader reads otherwise than before.
package struct ConfigKeyChange: WireObject {
    /// What became of it.
    package enum Kind: String, WireValue, CaseIterable {
        case added
        case removed
        case changed
    }

    package var key: String
    package var kind: Kind
    /// Nil where it was not set, is a secret or hidden, depends on the reader's environment, or is over 4 KiB.
    package var before: ConfigValue?
    package var after: ConfigValue?
    /// As `ConfigEntry.fingerprint`; nil where it was not set.
    package var beforeFingerprint: String?
    package var afterFingerprint: String?
    package var secret: Bool
    /// The first declared reader that sees a change: this is what it sees.
    package var reader: String
    /// Declared readers that see another change of this key, or none.
    package var otherwise: [String]

    package init(
        key: String, kind: Kind, before: ConfigValue?, after: ConfigValue?, beforeFingerprint: String?,
        afterFingerprint: String?, secret: Bool, reader: String, otherwise: [String]
    ) {
        self.key = key
        self.kind = kind
        self.before = before
        self.after = after
        self.beforeFingerprint = beforeFingerprint
        self.afterFingerprint = afterFingerprint
        self.secret = secret
        self.reader = reader
        self.otherwise = otherwise
    }

    package init(from fields: inout Fields) throws(WireError) {
        key = try fields.value("key")
        kind = try fields.value("kind")
        before = try fields.optional("before")
        after = try fields.optional("after")
        beforeFingerprint = try fields.optional("beforeFingerprint")
        afterFingerprint = try fields.optional("afterFingerprint")
        secret = try fields.value("secret", or: false)
        reader = try fields.value("reader")
        otherwise = try fields.value("otherwise", or: [])
    }

    package func write(to object: inout ObjectWriter) {
        object.member("key", key)
        object.member("kind", kind)
        object.member("before", before)
        object.member("after", after)
        object.member("beforeFingerprint", beforeFingerprint)
        object.member("afterFingerprint", afterFingerprint)
        object.member("secret", secret)
        object.member("reader", reader)
        object.member("otherwise", otherwise)
    }
}

/// A stretch of changed lines and those around them, as in a unified diff.
package struct ConfigHunk: WireObject {
    /// The first line, from 1, and how many there are; where there is none, the line before.
    package var fromLine: Int64
    package var fromLines: Int64
    package var toLine: Int64
    package var toLines: Int64
    /// Each with ` `, `-` or `+` before it and without its line's end. `\ No newline at end of file` follows a line that
    /// has none. A secret stands as `(secret FINGERPRINT)`, one over several lines with their count, as one line.
    package var lines: [ConfigValue]

    package init(fromLine: Int64, fromLines: Int64, toLine: Int64, toLines: Int64, lines: [ConfigValue]) {
        self.fromLine = fromLine
        self.fromLines = fromLines
        self.toLine = toLine
        self.toLines = toLines
        self.lines = lines
    }

    package init(from fields: inout Fields) throws(WireError) {
        fromLine = try fields.value("fromLine")
        fromLines = try fields.value("fromLines")
        toLine = try fields.value("toLine")
        toLines = try fields.value("toLines")
        lines = try fields.value("lines")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("fromLine", fromLine)
        object.member("fromLines", fromLines)
        object.member("toLine", toLine)
        object.member("toLines", toLines)
        object.member("lines", lines)
    }
}
