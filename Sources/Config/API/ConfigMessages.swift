package import Wire

/// Which file a call is about.
package struct ConfigFile: WireObject {
    package var service: String
    /// Its path as the settings say it; may be left out where the service has one file.
    package var file: String?

    package init(service: String, file: String? = nil) {
        self.service = service
        self.file = file
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        file = try fields.optional("file")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("file", file)
    }
}

/// How a version came to be.
package enum ConfigOrigin: String, WireValue, CaseIterable {
    /// The file as configd first met it.
    case baseline
    /// A change through configd.
    case set
    /// An earlier version brought back.
    case rollback
    /// A change by someone else, taken over as it was found.
    case adopted
    /// The last good version, put back in place of what someone else wrote or took away.
    case restored
    /// Leased keys taken back: at their end, or by `release`.
    case expired
}

/// One version of a file, without its content.
package struct ConfigVersion: WireObject {
    /// Counts from 1 without a gap, for each file.
    package var version: Int64
    package var origin: ConfigOrigin
    /// The version whose content this one has again (`rollback`, `restored`).
    package var restored: Int64?
    /// When it was applied, in milliseconds since 1970.
    package var atMs: Int64
    /// The user that asked for it; nil where nobody asked.
    package var authorUID: Int64?
    package var reason: String
    package var sizeBytes: Int64
    /// The keys whose value differs from the version before, sorted, at most 500.
    package var keys: [String]
    /// A sum of the content under a key of this host: equal for equal contents, of no use for guessing.
    package var fingerprint: String
    /// SHA-256 of the content, for callers who may see it.
    package var checksum: String?
    /// The names that it was given.
    package var tags: [String]

    package init(
        version: Int64, origin: ConfigOrigin, restored: Int64?, atMs: Int64, authorUID: Int64?, reason: String,
        sizeBytes: Int64, keys: [String], fingerprint: String, checksum: String?, tags: [String] = []
    ) {
        self.version = version
        self.origin = origin
        self.restored = restored
        self.atMs = atMs
        self.authorUID = authorUID
        self.reason = reason
        self.sizeBytes = sizeBytes
        self.keys = keys
        self.fingerprint = fingerprint
        self.checksum = checksum
        self.tags = tags
    }

    package init(from fields: inout Fields) throws(WireError) {
        version = try fields.value("version")
        origin = try fields.value("origin")
        restored = try fields.optional("restored")
        atMs = try fields.value("atMs")
        authorUID = try fields.optional("authorUID")
        reason = try fields.value("reason")
        sizeBytes = try fields.value("sizeBytes")
        keys = try fields.value("keys")
        fingerprint = try fields.value("fingerprint")
        checksum = try fields.optional("checksum")
        tags = try fields.value("tags", or: [])
    }

    package func write(to object: inout ObjectWriter) {
        object.member("version", version)
        object.member("origin", origin)
        object.member("restored", restored)
        object.member("atMs", atMs)
        object.member("authorUID", authorUID)
        object.member("reason", reason)
        object.member("sizeBytes", sizeBytes)
        object.member("keys", keys)
        object.member("fingerprint", fingerprint)
        object.member("checksum", checksum)
        if !tags.isEmpty { object.member("tags", tags) }
    }
}

/// One key as the file's first declared reader reads it.
package struct ConfigEntry: WireObject {
    package var key: String
    /// Nil where the caller may not see it, where `expands` is true, or where it is over 256 KiB.
    package var value: ConfigValue?
    /// As `ConfigVersion.fingerprint`, of the value.
    package var fingerprint: String
    /// The value depends on the reader's environment (`$NAME`), so the file alone does not say it.
    package var expands: Bool
    /// The line of the assignment that counts, from 1.
    package var line: Int64
    /// Its name, its value or the schema makes it a secret: show it only to whoever asks for it.
    package var secret: Bool

    package init(
        key: String, value: ConfigValue?, fingerprint: String, expands: Bool, line: Int64, secret: Bool = false
    ) {
        self.key = key
        self.value = value
        self.fingerprint = fingerprint
        self.expands = expands
        self.line = line
        self.secret = secret
    }

    package init(from fields: inout Fields) throws(WireError) {
        key = try fields.value("key")
        value = try fields.optional("value")
        fingerprint = try fields.value("fingerprint")
        expands = try fields.value("expands", or: false)
        line = try fields.value("line")
        secret = try fields.value("secret", or: false)
    }

    package func write(to object: inout ObjectWriter) {
        object.member("key", key)
        object.member("value", value)
        object.member("fingerprint", fingerprint)
        if expands { object.member("expands", expands) }
        object.member("line", line)
        if secret { object.member("secret", secret) }
    }
}

/// A finding of `validate`.
package struct ConfigFinding: WireObject {
    /// What a finding does to the change.
    package enum Severity: String, WireValue, CaseIterable {
        /// The change would be refused.
        case error
        /// It would be made, but a declared reader may surprise.
        case warning
    }

    package var severity: Severity
    /// The name of the refusal, `schemaViolated`, or what `lint` calls it: `readersDisagree`, `duplicateKey`, …
    package var name: String
    /// Which of the schema's rules: `type`, `minimum`, `requires`, …
    package var rule: String?
    package var key: String?
    /// In the file, from 1.
    package var line: Int64?
    package var message: String
    /// What the schema wants, and what is there instead; a secret shows as its fingerprint.
    package var expected: String?
    package var found: String?
    package var remedy: String

    package init(
        severity: Severity, name: String, rule: String? = nil, key: String? = nil, line: Int64? = nil,
        message: String, expected: String? = nil, found: String? = nil, remedy: String
    ) {
        self.severity = severity
        self.name = name
        self.rule = rule
        self.key = key
        self.line = line
        self.message = message
        self.expected = expected
        self.found = found
        self.remedy = remedy
    }

    package init(from fields: inout Fields) throws(WireError) {
        severity = try fields.value("severity")
        name = try fields.value("name")
        rule = try fields.optional("rule")
        key = try fields.optional("key")
        line = try fields.optional("line")
        message = try fields.value("message")
        expected = try fields.optional("expected")
        found = try fields.optional("found")
        remedy = try fields.value("remedy", or: "")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("severity", severity)
        object.member("name", name)
        object.member("rule", rule)
        object.member("key", key)
        object.member("line", line)
        object.member("message", message)
        object.member("expected", expected)
        object.member("found", found)
        object.member("remedy", remedy)
    }
}
