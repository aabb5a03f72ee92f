package import Wire

// Typed keys beside the environment: feature flags and chaos settings. What a flag is, the settings say (`config.flags`);
// what it says, the file that it is rendered in. So its versions, rollback and confirmation are the file's. A flag's value
// is told to whoever may read, whatever its file: who declares one says that it is no secret. One whose key sounds like a
// secret's is kept back all the same.

/// A feature flag or chaos setting of a service, with its value.
package struct ConfigFlag: WireObject {
    /// What its values are.
    package enum Kind: String, WireValue, CaseIterable {
        case bool
        case integer
        case number
        case string
        /// One of `values`.
        case `enum`
    }

    /// Where its value comes from.
    package enum Source: String, WireValue, CaseIterable {
        /// The file says it.
        case file
        /// The file says nothing, so the default holds.
        case standard = "default"
        /// The file says nothing, and there is no default.
        case unset
        /// The file says something that the flag cannot be, or cannot be read; `problem` says what.
        case unreadable
    }

    package var flag: String
    package var type: Kind
    /// Nil where there is none, or where the caller may not see it.
    package var value: JSON?
    package var source: Source
    /// What holds where the file says nothing; of a chaos setting what *off* is.
    package var standard: JSON?
    package var minimum: JSON?
    package var maximum: JSON?
    package var values: [String]?
    package var description: String
    package var file: String
    /// In an .env file a variable, in a JSON file a pointer.
    package var key: String
    package var chaos: Bool
    package var problem: String?

    package init(
        flag: String, type: Kind, value: JSON? = nil, source: Source, standard: JSON? = nil, minimum: JSON? = nil,
        maximum: JSON? = nil, values: [String]? = nil, description: String = "", file: String, key: String,
        chaos: Bool = false, problem: String? = nil
    ) {
        self.flag = flag
        self.type = type
        self.value = value
        self.source = source
        self.standard = standard
        self.minimum = minimum
        self.maximum = maximum
        self.values = values
        self.description = description
        self.file = file
        self.key = key
        self.chaos = chaos
        self.problem = problem
    }

    package init(from fields: inout Fields) throws(WireError) {
        flag = try fields.value("flag")
        type = try fields.value("type")
        value = try fields.optional("value")
        source = try fields.value("source")
        standard = try fields.optional("default")
        minimum = try fields.optional("minimum")
        maximum = try fields.optional("maximum")
        values = try fields.optional("values")
        description = try fields.value("description")
        file = try fields.value("file")
        key = try fields.value("key")
        chaos = try fields.value("chaos")
        problem = try fields.optional("problem")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("flag", flag)
        object.member("type", type)
        object.member("value", value)
        object.member("source", source)
        object.member("default", standard)
        object.member("minimum", minimum)
        object.member("maximum", maximum)
        object.member("values", values)
        object.member("description", description)
        object.member("file", file)
        object.member("key", key)
        object.member("chaos", chaos)
        object.member("problem", problem)
    }
}

/// A flag that has another value, however that came: a change, a rollback, somebody else's editor.
package struct ConfigFlagChanged: WireObject {
    package var service: String
    package var flag: String
    /// Nil where the file now says nothing that the flag can be, or where it sounds like a secret.
    package var value: JSON?
    /// Nil where it was nothing, is not known any more, or sounds like a secret.
    package var previous: JSON?
    package var file: String
    /// The file's version that changed it.
    package var version: Int64
    package var chaos: Bool

    package init(
        service: String, flag: String, value: JSON?, previous: JSON?, file: String, version: Int64, chaos: Bool
    ) {
        self.service = service
        self.flag = flag
        self.value = value
        self.previous = previous
        self.file = file
        self.version = version
        self.chaos = chaos
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        flag = try fields.value("flag")
        value = try fields.optional("value")
        previous = try fields.optional("previous")
        file = try fields.value("file")
        version = try fields.value("version")
        chaos = try fields.value("chaos")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("flag", flag)
        object.member("value", value)
        object.member("previous", previous)
        object.member("file", file)
        object.member("version", version)
        object.member("chaos", chaos)
    }
}

extension Config {
    /// `flags`: a service's feature flags and chaos settings, with their values.
    package enum Flags: RPCMethod {
        package static let name = "flags"
        package static let access = Access.read
        package typealias Params = ServiceParams

        package struct Reply: WireObject {
            package var service: String
            /// In the settings' order.
            package var flags: [ConfigFlag]
            /// Whether the settings allow chaos settings to be anything but their defaults.
            package var chaosAllowed: Bool

            package init(service: String, flags: [ConfigFlag], chaosAllowed: Bool) {
                self.service = service
                self.flags = flags
                self.chaosAllowed = chaosAllowed
            }

            package init(from fields: inout Fields) throws(WireError) {
                service = try fields.value("service")
                flags = try fields.value("flags")
                chaosAllowed = try fields.value("chaosAllowed")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("service", service)
                object.member("flags", flags)
                object.member("chaosAllowed", chaosAllowed)
            }
        }
    }

    /// `setFlags`: changes flags, and values beside them where the call has any, over all files concerned: all or none.
    package enum SetFlags: RPCMethod {
        package static let name = "setFlags"
        package static let access = Access.act

        package struct Params: WireObject {
            package var service: String
            /// Each flag's new value; null takes it out of the file, so that its default holds.
            package var flags: [String: JSON]
            /// As in `apply`; may name no key that a flag of this call is rendered at.
            package var changes: [Apply.FileChange]
            /// For the history and the journal; at most 1,000 bytes.
            package var reason: String
            /// Also where much of a file goes with it.
            package var force: Bool
            /// Answer as if, and write nothing.
            package var dryRun: Bool
            /// On trial: it goes back by itself unless it is confirmed within this time of its activation.
            package var confirmMs: Int64?

            package init(
                service: String, flags: [String: JSON], changes: [Apply.FileChange] = [], reason: String = "",
                force: Bool = false, dryRun: Bool = false, confirmMs: Int64? = nil
            ) {
                self.service = service
                self.flags = flags
                self.changes = changes
                self.reason = reason
                self.force = force
                self.dryRun = dryRun
                self.confirmMs = confirmMs
            }

            package init(from fields: inout Fields) throws(WireError) {
                service = try fields.value("service")
                flags = try fields.value("flags")
                guard !flags.isEmpty else { throw WireError(place: "flags", problem: "expected one at least") }
                changes = try fields.value("changes", or: [])
                reason = try Config.reason(&fields)
                force = try fields.value("force", or: false)
                dryRun = try fields.value("dryRun", or: false)
                confirmMs = try Config.confirmMs(&fields)
            }

            package func write(to object: inout ObjectWriter) {
                object.member("service", service)
                object.member("flags", flags)
                object.member("changes", changes)
                object.member("reason", reason)
                object.member("force", force)
                object.member("dryRun", dryRun)
                object.member("confirmMs", confirmMs)
            }
        }

        package typealias Reply = Apply.Reply
    }
}
