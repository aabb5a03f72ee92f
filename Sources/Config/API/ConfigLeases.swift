package import Wire

// Leased overrides: `set` with `forMs` gives keys a value for a time, which takes itself back.

/// One key that has its value for a time.
package struct ConfigLease: WireObject {
    package var service: String
    package var file: String
    package var key: String
    /// The version that gave it this value.
    package var version: Int64
    /// The user that asked for it.
    package var authorUID: Int64
    package var reason: String
    /// When it was taken, or last made longer, in milliseconds since 1970.
    package var grantedAtMs: Int64
    /// When it ends by the host's clock as it stands now; 0 milliseconds left where it is due and could not be taken back yet.
    package var expiresAtMs: Int64
    package var leftMs: Int64
    /// What it says for the time; nil where the caller may not see it or where the key was taken out.
    package var value: ConfigValue?
    /// What it goes back to; nil where the caller may not see it or where there was no such key.
    package var before: ConfigValue?
    /// The key was taken out for the time.
    package var isRemoval: Bool
    /// There was no such key before.
    package var wasAbsent: Bool
    /// A secret: show its values only to whoever asks for them.
    package var secret: Bool

    package init(
        service: String, file: String, key: String, version: Int64, authorUID: Int64, reason: String,
        grantedAtMs: Int64, expiresAtMs: Int64, leftMs: Int64, value: ConfigValue? = nil, before: ConfigValue? = nil,
        isRemoval: Bool = false, wasAbsent: Bool = false, secret: Bool = false
    ) {
        self.service = service
        self.file = file
        self.key = key
        self.version = version
        self.authorUID = authorUID
        self.reason = reason
        self.grantedAtMs = grantedAtMs
        self.expiresAtMs = expiresAtMs
        self.leftMs = leftMs
        self.value = value
        self.before = before
        self.isRemoval = isRemoval
        self.wasAbsent = wasAbsent
        self.secret = secret
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        file = try fields.value("file")
        key = try fields.value("key")
        version = try fields.value("version")
        authorUID = try fields.value("authorUID")
        reason = try fields.value("reason", or: "")
        grantedAtMs = try fields.value("grantedAtMs")
        expiresAtMs = try fields.value("expiresAtMs")
        leftMs = try fields.value("leftMs")
        value = try fields.optional("value")
        before = try fields.optional("before")
        isRemoval = try fields.value("isRemoval", or: false)
        wasAbsent = try fields.value("wasAbsent", or: false)
        secret = try fields.value("secret", or: false)
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("file", file)
        object.member("key", key)
        object.member("version", version)
        object.member("authorUID", authorUID)
        object.member("reason", reason)
        object.member("grantedAtMs", grantedAtMs)
        object.member("expiresAtMs", expiresAtMs)
        object.member("leftMs", leftMs)
        object.member("value", value)
        object.member("before", before)
        if isRemoval { object.member("isRemoval", isRemoval) }
        if wasAbsent { object.member("wasAbsent", wasAbsent) }
        if secret { object.member("secret", secret) }
    }
}

extension Config {
    /// What `forMs` takes, in milliseconds: a second to 30 days.
    package static let leaseLengths: ClosedRange<Int64> = 1000...2_592_000_000

    static func forMs(_ fields: inout Fields) throws(WireError) -> Int64? {
        let length: Int64? = try fields.optional("forMs")
        if let length, !leaseLengths.contains(length) {
            throw WireError(
                place: "forMs",
                problem: "expected \(leaseLengths.lowerBound) to \(leaseLengths.upperBound), found \(length)")
        }
        return length
    }

    /// `leases`: which keys have their value for a time, until when, and by whom.
    package enum Leases: RPCMethod {
        package static let name = "leases"
        package static let access = Access.read

        package typealias Params = ScopeParams

        package struct Reply: WireObject {
            /// By file and key. Values beyond half a frame are left out.
            package var leases: [ConfigLease]

            package init(leases: [ConfigLease]) {
                self.leases = leases
            }

            package init(from fields: inout Fields) throws(WireError) {
                leases = try fields.value("leases")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("leases", leases)
            }
        }
    }

    /// `release`: takes leased keys back before their time.
    package enum Release: RPCMethod {
        package static let name = "release"
        package static let access = Access.act

        package struct Params: WireObject {
            package var target: ConfigFile
            /// All leased keys of the file where nil.
            package var keys: [String]?
            /// For the history and the journal; at most 1,000 bytes.
            package var reason: String
            /// The token of the lock that is held on the service, where one is.
            package var lock: String?

            package init(target: ConfigFile, keys: [String]? = nil, reason: String = "", lock: String? = nil) {
                self.target = target
                self.keys = keys
                self.reason = reason
                self.lock = lock
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                keys = try fields.optional("keys")
                reason = try Config.reason(&fields)
                lock = try fields.optional("lock")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("keys", keys)
                object.member("reason", reason)
                object.member("lock", lock)
            }
        }

        package typealias Reply = Outcome
    }
}

/// A key was given a value for a time, or its time was made longer. No value is in it.
package struct ConfigLeased: WireObject {
    package var service: String
    package var file: String
    package var key: String
    package var version: Int64
    package var authorUID: Int64
    package var reason: String
    /// By the host's clock as it stands now, in milliseconds since 1970.
    package var expiresAtMs: Int64

    package init(
        service: String, file: String, key: String, version: Int64, authorUID: Int64, reason: String,
        expiresAtMs: Int64
    ) {
        self.service = service
        self.file = file
        self.key = key
        self.version = version
        self.authorUID = authorUID
        self.reason = reason
        self.expiresAtMs = expiresAtMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        file = try fields.value("file")
        key = try fields.value("key")
        version = try fields.value("version")
        authorUID = try fields.value("authorUID")
        reason = try fields.value("reason")
        expiresAtMs = try fields.value("expiresAtMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("file", file)
        object.member("key", key)
        object.member("version", version)
        object.member("authorUID", authorUID)
        object.member("reason", reason)
        object.member("expiresAtMs", expiresAtMs)
    }
}
