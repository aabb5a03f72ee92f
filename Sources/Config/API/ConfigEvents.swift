package import Wire

/// The names of the events that configd's `subscribe` streams. Those of versions carry a `ConfigApplied`, those of changes
/// on trial a `ConfigPending`, `quarantined` and `discarded` a `ConfigQuarantined`, `leased` a `ConfigLeased`, `flagChanged` a
/// `ConfigFlagChanged`.
package enum ConfigEvents {
    /// A new version is in force and durable.
    package static let applied = "applied"
    /// An earlier version's content is in force again; comes after no `applied` of its own.
    package static let rolledBack = "rolledBack"
    /// A change by someone else was found and taken over as a version.
    package static let adopted = "adopted"
    /// What somebody else wrote was set aside; carries a `ConfigQuarantined`. `restored` follows once the file is put back.
    package static let quarantined = "quarantined"
    /// A content that was set aside was let go of: somebody has seen to it.
    package static let discarded = "discarded"
    /// The last good version is in force again, in place of what somebody else wrote or took away.
    package static let restored = "restored"

    /// A change is in force on trial, and says what its service needs to take it up.
    package static let pending = "pending"
    /// A service was brought to what its files hold: of a change on trial the window is open.
    package static let activated = "activated"
    /// A change on trial is in force for good.
    package static let confirmed = "confirmed"
    /// A change on trial went back, and says what its service needs to follow.
    package static let takenBack = "takenBack"

    /// Those of changes on trial.
    package static let ofTrials = [pending, activated, confirmed, takenBack]
    /// A file holds what its schema does not allow; carries a `ConfigInvalid`.
    package static let invalid = "invalid"

    /// A key has its value for a time, or for a longer one than before.
    package static let leased = "leased"
    /// Leased keys are what they were before, as a version.
    package static let expired = "expired"

    /// Somebody keeps all others from changing a service's files; carries a `ConfigLock`, as does `unlocked`.
    package static let locked = "locked"
    /// They may be changed again: the holder said so, its connection closed, or its time passed.
    package static let unlocked = "unlocked"

    /// A flag or chaos setting has another value; comes after the event of the version that changed it.
    package static let flagChanged = "flagChanged"

    /// The names of all events, as `subscribe` takes them.
    package static let all =
        [
            applied, rolledBack, adopted, quarantined, discarded, restored, invalid, leased, expired, locked, unlocked,
            flagChanged,
        ] + ofTrials
}

/// A version that came into force. No value is in it: whoever may see values calls `get`.
package struct ConfigApplied: WireObject {
    package var service: String
    package var file: String
    package var version: Int64
    package var previous: Int64?
    package var origin: ConfigOrigin
    /// The version that was brought back (`rolledBack`, `restored`).
    package var restored: Int64?
    package var keys: [String]
    package var authorUID: Int64?
    package var reason: String

    package init(
        service: String, file: String, version: Int64, previous: Int64?, origin: ConfigOrigin, restored: Int64?,
        keys: [String], authorUID: Int64?, reason: String
    ) {
        self.service = service
        self.file = file
        self.version = version
        self.previous = previous
        self.origin = origin
        self.restored = restored
        self.keys = keys
        self.authorUID = authorUID
        self.reason = reason
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        file = try fields.value("file")
        version = try fields.value("version")
        previous = try fields.optional("previous")
        origin = try fields.value("origin")
        restored = try fields.optional("restored")
        keys = try fields.value("keys")
        authorUID = try fields.optional("authorUID")
        reason = try fields.value("reason")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("file", file)
        object.member("version", version)
        object.member("previous", previous)
        object.member("origin", origin)
        object.member("restored", restored)
        object.member("keys", keys)
        object.member("authorUID", authorUID)
        object.member("reason", reason)
    }
}
