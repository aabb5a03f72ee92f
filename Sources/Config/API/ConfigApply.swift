package import Wire

extension Config {
    /// `apply`: changes several files of a service, all or none, also across a crash between them.
    package enum Apply: RPCMethod {
        package static let name = "apply"
        package static let access = Access.act
        /// The most files of one call.
        package static let mostFiles = 64

        package struct Params: WireObject {
            package var service: String
            /// 1 to 64 files, each once.
            package var changes: [FileChange]
            /// For the history and the journal; at most 1,000 bytes.
            package var reason: String
            /// Also where much of a file goes with it.
            package var force: Bool
            /// Answer as if, and write nothing.
            package var dryRun: Bool
            /// As of `set`.
            package var confirmMs: Int64?
            /// The token of the lock that is held on the service, where one is.
            package var lock: String?

            package init(
                service: String, changes: [FileChange], reason: String = "", force: Bool = false, dryRun: Bool = false,
                confirmMs: Int64? = nil, lock: String? = nil
            ) {
                self.service = service
                self.changes = changes
                self.reason = reason
                self.force = force
                self.dryRun = dryRun
                self.confirmMs = confirmMs
                self.lock = lock
            }

            package init(from fields: inout Fields) throws(WireError) {
                service = try fields.value("service")
                changes = try fields.value("changes")
                guard (1...mostFiles).contains(changes.count) else {
                    throw WireError(
                        place: "changes", problem: "expected 1 to \(mostFiles) files, found \(changes.count)")
                }
                reason = try Config.reason(&fields)
                force = try fields.value("force", or: false)
                dryRun = try fields.value("dryRun", or: false)
                confirmMs = try Config.confirmMs(&fields)
                lock = try fields.optional("lock")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("service", service)
                object.member("changes", changes)
                object.member("reason", reason)
                object.member("force", force)
                object.member("dryRun", dryRun)
                object.member("confirmMs", confirmMs)
                object.member("lock", lock)
            }
        }

        /// What becomes of one file.
        package struct FileChange: WireObject {
            package var file: String
            package var values: [String: ConfigValue]
            /// Keys whose every line goes.
            package var remove: [String]
            /// Instead of `values` and `remove`: all that the file is to hold, as of `put`.
            package var content: ConfigValue?
            /// Instead of `content`, what the caller staged for the file under this name.
            package var staged: String?
            /// Only if this is the file's version in force; one file where it is not stops the whole call.
            package var ifVersion: Int64?

            package init(
                file: String, values: [String: ConfigValue] = [:], remove: [String] = [], content: ConfigValue? = nil,
                staged: String? = nil, ifVersion: Int64? = nil
            ) {
                self.file = file
                self.values = values
                self.remove = remove
                self.content = content
                self.staged = staged
                self.ifVersion = ifVersion
            }

            package init(from fields: inout Fields) throws(WireError) {
                file = try fields.value("file")
                values = try fields.value("values", or: [:])
                remove = try fields.value("remove", or: [])
                (content, staged) = try Config.wholeContent(&fields)
                guard content == nil && staged == nil || values.isEmpty && remove.isEmpty else {
                    throw WireError(place: "values", problem: "expected no keys beside the whole content")
                }
                ifVersion = try fields.optional("ifVersion")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("file", file)
                if content == nil, staged == nil {
                    object.member("values", values)
                    object.member("remove", remove)
                }
                object.member("content", content)
                object.member("staged", staged)
                object.member("ifVersion", ifVersion)
            }
        }

        package struct Reply: WireObject {
            /// What became of each file, in the call's order.
            package var files: [Outcome]

            package init(files: [Outcome]) {
                self.files = files
            }

            package init(from fields: inout Fields) throws(WireError) {
                files = try fields.value("files")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("files", files)
            }
        }
    }
}
