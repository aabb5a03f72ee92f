package import Wire

// The seed's backup and restore: not a file that moves, but a point that a service's files are brought back to.

extension Config {
    /// `backupConfig()`: gives the newest versions of all of a service's files one name, at one look. Retention keeps what has a
    /// name; `untag` lets go of it.
    package enum BackupConfig: RPCMethod {
        package static let name = "backupConfig"
        package static let access = Access.act
        package typealias Params = ServiceParams

        package struct Reply: WireObject {
            /// The name, a tag of each of the files.
            package var backupId: String
            /// The version of each file by its path.
            package var versions: [String: Int64]

            package init(backupId: String, versions: [String: Int64]) {
                self.backupId = backupId
                self.versions = versions
            }

            package init(from fields: inout Fields) throws(WireError) {
                backupId = try fields.value("backupId")
                versions = try fields.value("versions")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("backupId", backupId)
                object.member("versions", versions)
            }
        }
    }

    /// `restoreConfig(backupId)`: brings all files that have the name back to it, all or none.
    package enum RestoreConfig: RPCMethod {
        package static let name = "restoreConfig"
        package static let access = Access.act

        package struct Params: WireObject {
            package var service: String
            package var backupId: String
            /// For the history and the journal; at most 1,000 bytes.
            package var reason: String
            /// As of `rollback`.
            package var force: Bool
            /// The token of the lock that is held on the service, where one is.
            package var lock: String?

            package init(
                service: String, backupId: String, reason: String = "", force: Bool = false, lock: String? = nil
            ) {
                self.service = service
                self.backupId = backupId
                self.reason = reason
                self.force = force
                self.lock = lock
            }

            package init(from fields: inout Fields) throws(WireError) {
                service = try fields.value("service")
                backupId = try fields.value("backupId")
                reason = try Config.reason(&fields)
                force = try fields.value("force", or: false)
                lock = try fields.optional("lock")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("service", service)
                object.member("backupId", backupId)
                object.member("reason", reason)
                object.member("force", force)
                object.member("lock", lock)
            }
        }

        package typealias Reply = Apply.Reply
    }
}
