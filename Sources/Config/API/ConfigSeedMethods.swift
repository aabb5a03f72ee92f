package import Wire

// The seed's names, with its fields, for the methods of `Config`. `rollbackConfig` takes what `rollback` takes and is
// registered as its second name.

extension Config {
    /// The second name of `rollback`.
    package static let rollbackConfigName = "rollbackConfig"

    /// `updateConfig(changes)`: as `set`, in the seed's words.
    package enum UpdateConfig: RPCMethod {
        package static let name = "updateConfig"
        package static let access = Access.act

        package struct Params: WireObject {
            package var target: ConfigFile
            package var changes: Changes
            /// The token of the lock that is held on the service, where one is.
            package var lock: String?

            package init(target: ConfigFile, changes: Changes, lock: String? = nil) {
                self.target = target
                self.changes = changes
                self.lock = lock
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                changes = try fields.value("changes")
                lock = try fields.optional("lock")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("changes", changes)
                object.member("lock", lock)
            }
        }

        package typealias Reply = Updated
    }

    /// What `updateConfig` answers: what became of the first file, and of all where flags lie in others.
    package struct Updated: WireObject {
        package var first: Outcome
        package var files: [Outcome]

        /// Nil where there is no file.
        package init?(files: [Outcome]) {
            guard let first = files.first else { return nil }
            self.first = first
            self.files = files
        }

        package init(from fields: inout Fields) throws(WireError) {
            first = try Outcome(from: &fields)
            files = try fields.value("files", or: [])
        }

        package func write(to object: inout ObjectWriter) {
            first.write(to: &object)
            object.member("files", files)
        }
    }

    /// `validateConfig(config)`: as `validate`, in the seed's words.
    package enum ValidateConfig: RPCMethod {
        package static let name = "validateConfig"
        package static let access = Access.read

        package struct Params: WireObject {
            package var target: ConfigFile
            package var config: Changes

            package init(target: ConfigFile, config: Changes) {
                self.target = target
                self.config = config
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                config = try fields.value("config")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("config", config)
            }
        }

        package typealias Reply = Validate.Reply
    }

    /// The seed's ConfigChanges. Everything in it is one change, of the target's file and of those that flags lie in.
    package struct Changes: WireObject {
        package var environmentVars: [String: ConfigValue]
        /// Flags by name; null takes one out of its file, so that its default holds.
        package var featureFlags: [String: JSON]
        /// Chaos settings by name.
        package var chaosConfig: [String: JSON]

        package init(
            environmentVars: [String: ConfigValue] = [:], featureFlags: [String: JSON] = [:],
            chaosConfig: [String: JSON] = [:]
        ) {
            self.environmentVars = environmentVars
            self.featureFlags = featureFlags
            self.chaosConfig = chaosConfig
        }

        package init(from fields: inout Fields) throws(WireError) {
            environmentVars = try fields.value("environmentVars", or: [:])
            featureFlags = try fields.value("featureFlags", or: [:])
            chaosConfig = try fields.value("chaosConfig", or: [:])
        }

        package func write(to object: inout ObjectWriter) {
            object.member("environmentVars", environmentVars)
            object.member("featureFlags", featureFlags)
            object.member("chaosConfig", chaosConfig)
        }
    }
}
