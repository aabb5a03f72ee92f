package import Wire

// The methods of configd's socket. `status`, `metrics`, `subscribe` and `rpc.discover` are common to all daemons (Wire).
// What a reader may see: values of a file that is not world-readable need the class *act*; everyone who may read gets key
// names and fingerprints.

/// configd's methods.
package enum Config {
    /// The longest reason that is kept with a version, in bytes.
    package static let longestReasonBytes = 1000

    static func reason(_ fields: inout Fields) throws(WireError) -> String {
        let reason: String = try fields.value("reason", or: "")
        guard reason.utf8.count <= longestReasonBytes else {
            throw WireError(
                place: "reason", problem: "expected at most \(longestReasonBytes) bytes, found \(reason.utf8.count)")
        }
        return reason
    }

    /// `get`: the keys of a file as it stands now, or of one of its versions.
    package enum Get: RPCMethod {
        package static let name = "get"
        package static let access = Access.read

        package struct Params: WireObject {
            package var target: ConfigFile
            /// Only these keys; all where nil.
            package var keys: [String]?
            /// Where the page before ended, from its `next`.
            package var cursor: Int64?

            package init(target: ConfigFile, keys: [String]? = nil, cursor: Int64? = nil) {
                self.target = target
                self.keys = keys
                self.cursor = cursor
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                keys = try fields.optional("keys")
                cursor = try fields.optional("cursor")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("keys", keys)
                object.member("cursor", cursor)
            }
        }

        package typealias Reply = Entries
    }

    /// `show`: what a version was and held.
    package enum Show: RPCMethod {
        package static let name = "show"
        package static let access = Access.read

        package struct Params: WireObject {
            package var target: ConfigFile
            package var version: Int64
            /// Where the page before ended, from its `next`.
            package var cursor: Int64?

            package init(target: ConfigFile, version: Int64, cursor: Int64? = nil) {
                self.target = target
                self.version = version
                self.cursor = cursor
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                version = try fields.value("version")
                cursor = try fields.optional("cursor")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("version", version)
                object.member("cursor", cursor)
            }
        }

        package typealias Reply = Entries
    }

    /// What `get` and `show` answer.
    package struct Entries: WireObject {
        package var service: String
        package var file: String
        package var version: ConfigVersion
        /// In the file's order.
        package var entries: [ConfigEntry]
        /// True where the file is not world-readable and the caller may not see its values.
        package var hidden: Bool
        /// The cursor of the next page; nil at the end. A page holds what fits into half a frame.
        package var next: Int64?

        package init(
            service: String, file: String, version: ConfigVersion, entries: [ConfigEntry], hidden: Bool,
            next: Int64? = nil
        ) {
            self.service = service
            self.file = file
            self.version = version
            self.entries = entries
            self.hidden = hidden
            self.next = next
        }

        package init(from fields: inout Fields) throws(WireError) {
            service = try fields.value("service")
            file = try fields.value("file")
            version = try fields.value("version")
            entries = try fields.value("entries")
            hidden = try fields.value("hidden")
            next = try fields.optional("next")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("service", service)
            object.member("file", file)
            object.member("version", version)
            object.member("entries", entries)
            object.member("hidden", hidden)
            object.member("next", next)
        }
    }

    /// `set`: changes values and removes keys, all or none.
    package enum Set: RPCMethod {
        package static let name = "set"
        package static let access = Access.act

        package struct Params: WireObject {
            package var target: ConfigFile
            package var values: [String: ConfigValue]
            /// Keys whose every line goes.
            package var remove: [String]
            /// Only if this is the version in force: compare and swap.
            package var ifVersion: Int64?
            /// For the history and the journal; at most 1,000 bytes.
            package var reason: String
            /// Also where much of the file goes with it.
            package var force: Bool
            /// Answer as if, and write nothing.
            package var dryRun: Bool
            /// On trial: it goes back by itself unless it is confirmed within this time of its activation.
            package var confirmMs: Int64?
            /// The keys go back by themselves after this time, in milliseconds; nil where they stay. As of `leaseLengths`.
            package var forMs: Int64?
            /// The token of the lock that is held on the service, where one is.
            package var lock: String?

            package init(
                target: ConfigFile, values: [String: ConfigValue], remove: [String] = [], ifVersion: Int64? = nil,
                reason: String = "", force: Bool = false, dryRun: Bool = false, confirmMs: Int64? = nil,
                forMs: Int64? = nil, lock: String? = nil
            ) {
                self.target = target
                self.values = values
                self.remove = remove
                self.ifVersion = ifVersion
                self.reason = reason
                self.force = force
                self.dryRun = dryRun
                self.confirmMs = confirmMs
                self.forMs = forMs
                self.lock = lock
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                values = try fields.value("values", or: [:])
                remove = try fields.value("remove", or: [])
                ifVersion = try fields.optional("ifVersion")
                reason = try Config.reason(&fields)
                force = try fields.value("force", or: false)
                dryRun = try fields.value("dryRun", or: false)
                confirmMs = try Config.confirmMs(&fields)
                forMs = try Config.forMs(&fields)
                guard forMs == nil || confirmMs == nil else {
                    throw WireError(
                        place: "forMs", problem: "expected no confirmMs beside it: what goes back is on no trial")
                }
                lock = try fields.optional("lock")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("values", values)
                object.member("remove", remove)
                object.member("ifVersion", ifVersion)
                object.member("reason", reason)
                object.member("force", force)
                object.member("dryRun", dryRun)
                object.member("confirmMs", confirmMs)
                object.member("forMs", forMs)
                object.member("lock", lock)
            }
        }

        package typealias Reply = Outcome
    }

    /// What changes answer, once the version is durable.
    package struct Outcome: WireObject {
        package var service: String
        package var file: String
        /// The version in force now.
        package var version: Int64
        /// The one before, where this call made a new one.
        package var previous: Int64?
        /// The keys that changed, sorted, at most 500; empty where the file already said all of it.
        package var keys: [String]
        package var dryRun: Bool
        /// What a dry run would write, line by line.
        package var difference: ConfigDifference?
        /// When its leased keys go back, by the host's clock as it stands now, in milliseconds since 1970.
        package var leasedUntilMs: Int64?
        /// Leased keys that were not taken back, since somebody else had set them meanwhile.
        package var leftAlone: [String]

        /// Names the change on trial that this call made, for `confirm` and `cancel`.
        package var pending: Int64?

        package init(
            service: String, file: String, version: Int64, previous: Int64?, keys: [String], dryRun: Bool,
            difference: ConfigDifference? = nil, pending: Int64? = nil, leasedUntilMs: Int64? = nil,
            leftAlone: [String] = []
        ) {
            self.service = service
            self.file = file
            self.version = version
            self.previous = previous
            self.keys = keys
            self.dryRun = dryRun
            self.difference = difference
            self.pending = pending
            self.leasedUntilMs = leasedUntilMs
            self.leftAlone = leftAlone
        }

        package init(from fields: inout Fields) throws(WireError) {
            service = try fields.value("service")
            file = try fields.value("file")
            version = try fields.value("version")
            previous = try fields.optional("previous")
            keys = try fields.value("keys")
            dryRun = try fields.value("dryRun", or: false)
            difference = try fields.optional("difference")
            pending = try fields.optional("pending")
            leasedUntilMs = try fields.optional("leasedUntilMs")
            leftAlone = try fields.value("leftAlone", or: [])
        }

        package func write(to object: inout ObjectWriter) {
            object.member("service", service)
            object.member("file", file)
            object.member("version", version)
            object.member("previous", previous)
            object.member("keys", keys)
            object.member("dryRun", dryRun)
            object.member("difference", difference)
            object.member("pending", pending)
            object.member("leasedUntilMs", leasedUntilMs)
            if !leftAlone.isEmpty { object.member("leftAlone", leftAlone) }
        }
    }

    /// `validate`: what a change would meet, and what the file's readers make of it as it stands. Writes nothing.
    package enum Validate: RPCMethod {
        package static let name = "validate"
        package static let access = Access.read

        package struct Params: WireObject {
            package var target: ConfigFile
            package var values: [String: ConfigValue]
            package var remove: [String]

            package init(target: ConfigFile, values: [String: ConfigValue] = [:], remove: [String] = []) {
                self.target = target
                self.values = values
                self.remove = remove
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                values = try fields.value("values", or: [:])
                remove = try fields.value("remove", or: [])
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("values", values)
                object.member("remove", remove)
            }
        }

        package struct Reply: WireObject {
            /// No finding is an error.
            package var valid: Bool
            /// At most 1,000, the errors first.
            package var findings: [ConfigFinding]
            /// The readers that were asked.
            package var readers: [String]
            /// Those of them whose own parser our tests cannot run, so that their model rests on their source alone.
            package var modelled: [String]

            package init(valid: Bool, findings: [ConfigFinding], readers: [String], modelled: [String] = []) {
                self.valid = valid
                self.findings = findings
                self.readers = readers
                self.modelled = modelled
            }

            package init(from fields: inout Fields) throws(WireError) {
                valid = try fields.value("valid")
                findings = try fields.value("findings")
                readers = try fields.value("readers")
                modelled = try fields.value("modelled", or: [])
            }

            package func write(to object: inout ObjectWriter) {
                object.member("valid", valid)
                object.member("findings", findings)
                object.member("readers", readers)
                object.member("modelled", modelled)
            }
        }
    }

    /// `state`: the seed's ConfigurationState.
    package enum State: RPCMethod {
        package static let name = "state"
        package static let access = Access.read
        package typealias Params = ConfigFile

        package struct Reply: WireObject {
            package var version: String
            /// When the version was applied, in milliseconds since 1970.
            package var timestamp: Int64
            /// Nil where the caller may not see values.
            package var environment: [String: ConfigValue]?
            /// Sorted.
            package var keys: [String]
            /// The service's flags that are true or false, from all of its files.
            package var featureFlags: [String: Bool]
            /// SHA-256 of the file where the caller may see its values, its fingerprint otherwise.
            package var checksum: String
            /// The version that `rollback` brings back.
            package var backup: String?

            package init(
                version: String, timestamp: Int64, environment: [String: ConfigValue]?, keys: [String],
                featureFlags: [String: Bool], checksum: String, backup: String?
            ) {
                self.version = version
                self.timestamp = timestamp
                self.environment = environment
                self.keys = keys
                self.featureFlags = featureFlags
                self.checksum = checksum
                self.backup = backup
            }

            package init(from fields: inout Fields) throws(WireError) {
                version = try fields.value("version")
                timestamp = try fields.value("timestamp")
                environment = try fields.optional("environment")
                keys = try fields.value("keys")
                featureFlags = try fields.value("featureFlags")
                checksum = try fields.value("checksum")
                backup = try fields.optional("backup")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("version", version)
                object.member("timestamp", timestamp)
                object.member("environment", environment)
                object.member("keys", keys)
                object.member("featureFlags", featureFlags)
                object.member("checksum", checksum)
                object.member("backup", backup)
            }
        }
    }
}
