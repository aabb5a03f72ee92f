package import Wire

// Looking back, and going back.

extension Config {
    /// `history`: the versions, the newest first.
    package enum History: RPCMethod {
        package static let name = "history"
        package static let access = Access.read
        /// The most that one answer holds.
        package static let largestLimit: Int64 = 1000

        package struct Params: WireObject {
            package var target: ConfigFile
            /// At most so many (1 to 1,000).
            package var limit: Int64
            /// Where the page before ended, from its `next`.
            package var cursor: Int64?

            package init(target: ConfigFile, limit: Int64 = 50, cursor: Int64? = nil) {
                self.target = target
                self.limit = limit
                self.cursor = cursor
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                limit = try fields.value("limit", or: 50)
                guard (1...largestLimit).contains(limit) else {
                    throw WireError(place: "limit", problem: "expected 1 to \(largestLimit), found \(limit)")
                }
                cursor = try fields.optional("cursor")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("limit", limit)
                object.member("cursor", cursor)
            }
        }

        package struct Reply: WireObject {
            package var service: String
            package var file: String
            package var versions: [ConfigVersion]
            /// The cursor of the next page; nil at the end.
            package var next: Int64?

            package init(service: String, file: String, versions: [ConfigVersion], next: Int64?) {
                self.service = service
                self.file = file
                self.versions = versions
                self.next = next
            }

            package init(from fields: inout Fields) throws(WireError) {
                service = try fields.value("service")
                file = try fields.value("file")
                versions = try fields.value("versions")
                next = try fields.optional("next")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("service", service)
                object.member("file", file)
                object.member("versions", versions)
                object.member("next", next)
            }
        }
    }

    /// `rollback`: makes a new version with the content of an earlier one.
    package enum Rollback: RPCMethod {
        package static let name = "rollback"
        package static let access = Access.act

        package struct Params: WireObject {
            package var target: ConfigFile
            /// The version to bring back; the one before the one in force where nil.
            package var version: Int64?
            /// Instead of `version`, the name of one.
            package var tag: String?
            package var ifVersion: Int64?
            /// For the history and the journal; at most 1,000 bytes.
            package var reason: String
            /// Also where somebody gave the file to another owner.
            package var force: Bool
            /// As of `set`.
            package var confirmMs: Int64?
            /// The token of the lock that is held on the service, where one is.
            package var lock: String?

            package init(
                target: ConfigFile, version: Int64? = nil, tag: String? = nil, ifVersion: Int64? = nil,
                reason: String = "", force: Bool = false, confirmMs: Int64? = nil, lock: String? = nil
            ) {
                self.target = target
                self.version = version
                self.tag = tag
                self.ifVersion = ifVersion
                self.reason = reason
                self.force = force
                self.confirmMs = confirmMs
                self.lock = lock
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                version = try fields.optional("version")
                tag = try fields.optional("tag")
                guard version == nil || tag == nil else {
                    throw WireError(place: "tag", problem: "expected a version or a tag, found both")
                }
                ifVersion = try fields.optional("ifVersion")
                reason = try Config.reason(&fields)
                force = try fields.value("force", or: false)
                confirmMs = try Config.confirmMs(&fields)
                lock = try fields.optional("lock")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("version", version)
                object.member("tag", tag)
                object.member("ifVersion", ifVersion)
                object.member("reason", reason)
                object.member("force", force)
                object.member("confirmMs", confirmMs)
                object.member("lock", lock)
            }
        }

        package typealias Reply = Outcome
    }
}
