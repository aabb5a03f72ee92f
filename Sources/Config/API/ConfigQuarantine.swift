package import Wire

// What somebody else wrote and was set aside, with the last version put back: `quarantine` lists it, `quarantined` hands
// it out, `adopt` takes it over after all.

/// Why a content was set aside.
package enum ConfigQuarantineCause: String, WireValue, CaseIterable {
    /// The settings say that changes past configd do not stay (`onOutsideChange: restore`).
    case policy
    /// Nothing was left in the file.
    case empty
    /// Zero bytes, where there were none.
    case zeroBytes
    /// Bytes that are no UTF-8, where all was.
    case notText
    /// A declared reader refuses the file, which it read before.
    case unreadable
    /// More was gone than `maximumShrink` allows.
    case shrunk
}

/// One content that was set aside, without its bytes.
package struct ConfigQuarantined: WireObject {
    package var service: String
    package var file: String
    /// Its number; never given to another one.
    package var quarantine: Int64
    /// When it was set aside, in milliseconds since 1970.
    package var atMs: Int64
    package var cause: ConfigQuarantineCause
    /// In words, without a value.
    package var message: String
    package var sizeBytes: Int64
    /// As `ConfigVersion.fingerprint`.
    package var fingerprint: String
    /// SHA-256 of the content, for callers who may act.
    package var checksum: String?
    /// Who owned the file that held it.
    package var ownerUID: Int64
    /// The version that came into force in its place; nil where it could not be put back yet.
    package var restored: Int64?
    /// The version that it became after all, by `adopt`.
    package var adopted: Int64?

    package init(
        service: String, file: String, quarantine: Int64, atMs: Int64, cause: ConfigQuarantineCause, message: String,
        sizeBytes: Int64, fingerprint: String, checksum: String?, ownerUID: Int64, restored: Int64?, adopted: Int64?
    ) {
        self.service = service
        self.file = file
        self.quarantine = quarantine
        self.atMs = atMs
        self.cause = cause
        self.message = message
        self.sizeBytes = sizeBytes
        self.fingerprint = fingerprint
        self.checksum = checksum
        self.ownerUID = ownerUID
        self.restored = restored
        self.adopted = adopted
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        file = try fields.value("file")
        quarantine = try fields.value("quarantine")
        atMs = try fields.value("atMs")
        cause = try fields.value("cause")
        message = try fields.value("message")
        sizeBytes = try fields.value("sizeBytes")
        fingerprint = try fields.value("fingerprint")
        checksum = try fields.optional("checksum")
        ownerUID = try fields.value("ownerUID")
        restored = try fields.optional("restored")
        adopted = try fields.optional("adopted")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("file", file)
        object.member("quarantine", quarantine)
        object.member("atMs", atMs)
        object.member("cause", cause)
        object.member("message", message)
        object.member("sizeBytes", sizeBytes)
        object.member("fingerprint", fingerprint)
        object.member("checksum", checksum)
        object.member("ownerUID", ownerUID)
        object.member("restored", restored)
        object.member("adopted", adopted)
    }
}

extension Config {
    /// `quarantine`: what is kept of a file, the newest first; at most 20 contents a file.
    package enum Quarantine: RPCMethod {
        package static let name = "quarantine"
        package static let access = Access.read
        package typealias Params = ConfigFile

        package struct Reply: WireObject {
            package var service: String
            package var file: String
            package var contents: [ConfigQuarantined]

            package init(service: String, file: String, contents: [ConfigQuarantined]) {
                self.service = service
                self.file = file
                self.contents = contents
            }

            package init(from fields: inout Fields) throws(WireError) {
                service = try fields.value("service")
                file = try fields.value("file")
                contents = try fields.value("contents")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("service", service)
                object.member("file", file)
                object.member("contents", contents)
            }
        }
    }

    /// `quarantined`: one content with its bytes, in pages of 128 KiB.
    package enum Quarantined: RPCMethod {
        package static let name = "quarantined"
        package static let access = Access.act

        package struct Params: WireObject {
            package var target: ConfigFile
            /// The newest where nil.
            package var quarantine: Int64?
            /// The offset at which the page begins, from the `next` of the page before.
            package var cursor: Int64?

            package init(target: ConfigFile, quarantine: Int64? = nil, cursor: Int64? = nil) {
                self.target = target
                self.quarantine = quarantine
                self.cursor = cursor
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                quarantine = try fields.optional("quarantine")
                cursor = try fields.optional("cursor")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("quarantine", quarantine)
                object.member("cursor", cursor)
            }
        }

        package struct Reply: WireObject {
            package var about: ConfigQuarantined
            /// The page's bytes.
            package var content: ConfigValue
            /// The cursor of the next page; nil at the end.
            package var next: Int64?

            package init(about: ConfigQuarantined, content: ConfigValue, next: Int64?) {
                self.about = about
                self.content = content
                self.next = next
            }

            package init(from fields: inout Fields) throws(WireError) {
                about = try fields.value("about")
                content = try fields.value("content")
                next = try fields.optional("next")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("about", about)
                object.member("content", content)
                object.member("next", next)
            }
        }
    }

    /// `adopt`: makes a new version of a content that was set aside, whatever spoke against it.
    package enum Adopt: RPCMethod {
        package static let name = "adopt"
        package static let access = Access.act

        package struct Params: WireObject {
            package var target: ConfigFile
            /// The newest where nil.
            package var quarantine: Int64?
            /// Only if this is the version in force: compare and swap.
            package var ifVersion: Int64?
            /// For the history and the journal; at most 1,000 bytes.
            package var reason: String
            /// Also where somebody gave the file to another owner.
            package var force: Bool
            /// The token of the lock that is held on the service, where one is.
            package var lock: String?

            package init(
                target: ConfigFile, quarantine: Int64? = nil, ifVersion: Int64? = nil, reason: String = "",
                force: Bool = false, lock: String? = nil
            ) {
                self.target = target
                self.quarantine = quarantine
                self.ifVersion = ifVersion
                self.reason = reason
                self.force = force
                self.lock = lock
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                quarantine = try fields.optional("quarantine")
                ifVersion = try fields.optional("ifVersion")
                reason = try Config.reason(&fields)
                force = try fields.value("force", or: false)
                lock = try fields.optional("lock")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("quarantine", quarantine)
                object.member("ifVersion", ifVersion)
                object.member("reason", reason)
                object.member("force", force)
                object.member("lock", lock)
            }
        }

        package typealias Reply = Outcome
    }
}
