package import Wire

// What a backup is made of: `backup` fixes which versions belong to it, `records` and `content` hand them over, page by page.
// A version never changes, so pages that are asked for later are of the same look; nothing is kept for a caller meanwhile.

extension Config {
    /// `backup`: the files and the newest version of each, all of them seen at once: what a backup that begins now is about.
    package enum Backup: RPCMethod {
        package static let name = "backup"
        package static let access = Access.act

        package typealias Params = ScopeParams

        package struct Reply: WireObject {
            /// When they were seen, in milliseconds since 1970.
            package var atMs: Int64
            package var files: [File]

            package init(atMs: Int64, files: [File]) {
                self.atMs = atMs
                self.files = files
            }

            package init(from fields: inout Fields) throws(WireError) {
                atMs = try fields.value("atMs")
                files = try fields.value("files")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("atMs", atMs)
                object.member("files", files)
            }
        }

        /// One declared file.
        package struct File: WireObject {
            package var service: String
            package var file: String
            package var format: ConfigFileStatus.Format
            /// Its newest version; 0 where there was never a file.
            package var newest: Int64
            package var tags: [ConfigTag]
            /// Keys whose values go back by themselves: the newest content has what they are now.
            package var leased: [String]
            /// Why the file could not be looked at; the versions are those up to the last look.
            package var problem: String?

            package init(
                service: String, file: String, format: ConfigFileStatus.Format, newest: Int64, tags: [ConfigTag] = [],
                leased: [String] = [], problem: String? = nil
            ) {
                self.service = service
                self.file = file
                self.format = format
                self.newest = newest
                self.tags = tags
                self.leased = leased
                self.problem = problem
            }

            package init(from fields: inout Fields) throws(WireError) {
                service = try fields.value("service")
                file = try fields.value("file")
                format = try fields.value("format")
                newest = try fields.value("newest")
                tags = try fields.value("tags", or: [])
                leased = try fields.value("leased", or: [])
                problem = try fields.optional("problem")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("service", service)
                object.member("file", file)
                object.member("format", format)
                object.member("newest", newest)
                if !tags.isEmpty { object.member("tags", tags) }
                if !leased.isEmpty { object.member("leased", leased) }
                object.member("problem", problem)
            }
        }
    }

    /// `records`: versions as the ledger keeps them, the oldest first, sound or not.
    package enum Records: RPCMethod {
        package static let name = "records"
        package static let access = Access.act

        package struct Params: WireObject {
            package var target: ConfigFile
            /// Only versions after this one; 0 for all that are kept. To go on, `next` of the page before.
            package var cursor: Int64
            /// Only versions up to this one.
            package var upTo: Int64

            package init(target: ConfigFile, cursor: Int64 = 0, upTo: Int64) {
                self.target = target
                self.cursor = cursor
                self.upTo = upTo
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                cursor = try fields.value("cursor", or: 0)
                upTo = try fields.value("upTo")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("cursor", cursor)
                object.member("upTo", upTo)
            }
        }

        package struct Reply: WireObject {
            package var service: String
            package var file: String
            package var records: [ConfigRecord]
            /// Versions of this page whose record is too damaged to be told.
            package var unreadable: [Int64]
            /// Up to this version retention has let go of some.
            package var retiredUpTo: Int64
            /// The cursor of the next page; nil at the end.
            package var next: Int64?

            package init(
                service: String, file: String, records: [ConfigRecord], unreadable: [Int64] = [], retiredUpTo: Int64,
                next: Int64?
            ) {
                self.service = service
                self.file = file
                self.records = records
                self.unreadable = unreadable
                self.retiredUpTo = retiredUpTo
                self.next = next
            }

            package init(from fields: inout Fields) throws(WireError) {
                service = try fields.value("service")
                file = try fields.value("file")
                records = try fields.value("records")
                unreadable = try fields.value("unreadable", or: [])
                retiredUpTo = try fields.value("retiredUpTo")
                next = try fields.optional("next")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("service", service)
                object.member("file", file)
                object.member("records", records)
                if !unreadable.isEmpty { object.member("unreadable", unreadable) }
                object.member("retiredUpTo", retiredUpTo)
                object.member("next", next)
            }
        }
    }

    /// `verify`: holds a stretch of a file's versions against their sums: each record, the chain, each content. The first
    /// stretch also looks at the tags and at the file itself. Changes nothing but what every look puts right.
    package enum Verify: RPCMethod {
        package static let name = "verify"
        package static let access = Access.read

        package struct Params: WireObject {
            package var target: ConfigFile
            /// Where the stretch before ended, from its `next`.
            package var cursor: Int64?

            package init(target: ConfigFile, cursor: Int64? = nil) {
                self.target = target
                self.cursor = cursor
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                cursor = try fields.optional("cursor")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("cursor", cursor)
            }
        }

        package struct Reply: WireObject {
            package var service: String
            package var file: String
            /// The file's newest version; how far there is to go.
            package var newest: Int64
            /// Versions of this stretch, and the bytes of their contents.
            package var versions: Int64
            package var bytes: Int64
            /// In the order of the versions.
            package var flaws: [ConfigFlaw]
            /// The cursor of the next stretch; nil at the end.
            package var next: Int64?

            package init(
                service: String, file: String, newest: Int64 = 0, versions: Int64 = 0, bytes: Int64 = 0,
                flaws: [ConfigFlaw] = [], next: Int64? = nil
            ) {
                self.service = service
                self.file = file
                self.newest = newest
                self.versions = versions
                self.bytes = bytes
                self.flaws = flaws
                self.next = next
            }

            package init(from fields: inout Fields) throws(WireError) {
                service = try fields.value("service")
                file = try fields.value("file")
                newest = try fields.value("newest")
                versions = try fields.value("versions")
                bytes = try fields.value("bytes")
                flaws = try fields.value("flaws")
                next = try fields.optional("next")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("service", service)
                object.member("file", file)
                object.member("newest", newest)
                object.member("versions", versions)
                object.member("bytes", bytes)
                object.member("flaws", flaws)
                object.member("next", next)
            }
        }
    }
}
