package import Wire

// A file as a whole, of any format: what a file without keys is changed by, and what any file can be read by.

extension Config {
    /// Reads the two ways in which a whole content is given; at most one of them.
    static func wholeContent(_ fields: inout Fields) throws(WireError) -> (content: ConfigValue?, staged: String?) {
        let content: ConfigValue? = try fields.optional("content")
        let staged: String? = try fields.optional("staged")
        guard content == nil || staged == nil else {
            throw WireError(place: "content", problem: "expected either content or staged")
        }
        if case .json = content {
            throw WireError(place: "content", problem: "expected a text or {\"base64\": …}, found a JSON value")
        }
        return (content, staged)
    }

    /// `put`: replaces what a file holds, with the guarantees of `set`. A file that is read by key must still be readable.
    package enum Put: RPCMethod {
        package static let name = "put"
        package static let access = Access.act

        package struct Params: WireObject {
            package var target: ConfigFile
            /// What the file is to hold: text, or base64; with `staged`, nothing.
            package var content: ConfigValue?
            /// The content is what the caller staged for this file under this name.
            package var staged: String?
            /// Only if this is the version in force: compare and swap.
            package var ifVersion: Int64?
            /// For the history and the journal; at most 1,000 bytes.
            package var reason: String
            /// Also where much of the file goes with it.
            package var force: Bool
            /// Answer as if, and write nothing.
            package var dryRun: Bool
            /// As of `set`.
            package var confirmMs: Int64?
            /// The token of the lock that is held on the service, where one is.
            package var lock: String?

            package init(
                target: ConfigFile, content: ConfigValue? = nil, staged: String? = nil, ifVersion: Int64? = nil,
                reason: String = "", force: Bool = false, dryRun: Bool = false, confirmMs: Int64? = nil,
                lock: String? = nil
            ) {
                self.target = target
                self.content = content
                self.staged = staged
                self.ifVersion = ifVersion
                self.reason = reason
                self.force = force
                self.dryRun = dryRun
                self.confirmMs = confirmMs
                self.lock = lock
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                (content, staged) = try Config.wholeContent(&fields)
                guard content != nil || staged != nil else {
                    throw WireError(place: "content", problem: "expected either content or staged")
                }
                ifVersion = try fields.optional("ifVersion")
                reason = try Config.reason(&fields)
                force = try fields.value("force", or: false)
                dryRun = try fields.value("dryRun", or: false)
                confirmMs = try Config.confirmMs(&fields)
                lock = try fields.optional("lock")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("content", content)
                object.member("staged", staged)
                object.member("ifVersion", ifVersion)
                object.member("reason", reason)
                object.member("force", force)
                object.member("dryRun", dryRun)
                object.member("confirmMs", confirmMs)
                object.member("lock", lock)
            }
        }

        package typealias Reply = Outcome
    }

    /// `stage`: hands over a part of a content that is too large for one frame. The parts are kept for the caller's user and
    /// the file, under a name that the caller picks, in memory, until `put` takes them or a minute passes without another one.
    package enum Stage: RPCMethod {
        package static let name = "stage"
        package static let access = Access.act

        package struct Params: WireObject {
            package var target: ConfigFile
            /// Names the upload, so that two of them do not mix; 1 to 64 bytes.
            package var upload: String
            /// Where the part goes: 0 begins anew, otherwise the bytes that are staged already.
            package var offset: Int64
            /// Text, or base64.
            package var content: ConfigValue

            package init(target: ConfigFile, upload: String, offset: Int64, content: ConfigValue) {
                self.target = target
                self.upload = upload
                self.offset = offset
                self.content = content
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                upload = try fields.value("upload")
                guard (1...64).contains(upload.utf8.count) else {
                    throw WireError(place: "upload", problem: "expected 1 to 64 bytes, found \(upload.utf8.count)")
                }
                offset = try fields.value("offset")
                content = try fields.value("content")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("upload", upload)
                object.member("offset", offset)
                object.member("content", content)
            }
        }

        package struct Reply: WireObject {
            /// The bytes that are staged now.
            package var stagedBytes: Int64

            package init(stagedBytes: Int64) {
                self.stagedBytes = stagedBytes
            }

            package init(from fields: inout Fields) throws(WireError) {
                stagedBytes = try fields.value("stagedBytes")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("stagedBytes", stagedBytes)
            }
        }
    }

    /// `content`: the bytes of a file as it stands now, or of one of its versions.
    package enum Content: RPCMethod {
        package static let name = "content"
        package static let access = Access.act

        package struct Params: WireObject {
            package var target: ConfigFile
            /// The one in force where nil.
            package var version: Int64?
            /// Where the page before ended, from its `next`.
            package var cursor: Int64?

            package init(target: ConfigFile, version: Int64? = nil, cursor: Int64? = nil) {
                self.target = target
                self.version = version
                self.cursor = cursor
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                version = try fields.optional("version")
                cursor = try fields.optional("cursor")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("version", version)
                object.member("cursor", cursor)
            }
        }

        package struct Reply: WireObject {
            package var service: String
            package var file: String
            package var version: ConfigVersion
            /// A page of it: text where it is UTF-8, base64 otherwise.
            package var content: ConfigValue
            /// The cursor of the next page; nil at the end. Ask for it with this version, so that all pages are of one.
            package var next: Int64?

            package init(service: String, file: String, version: ConfigVersion, content: ConfigValue, next: Int64?) {
                self.service = service
                self.file = file
                self.version = version
                self.content = content
                self.next = next
            }

            package init(from fields: inout Fields) throws(WireError) {
                service = try fields.value("service")
                file = try fields.value("file")
                version = try fields.value("version")
                content = try fields.value("content")
                next = try fields.optional("next")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("service", service)
                object.member("file", file)
                object.member("version", version)
                object.member("content", content)
                object.member("next", next)
            }
        }
    }
}
