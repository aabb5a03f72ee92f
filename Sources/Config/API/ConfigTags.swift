package import Wire

/// A name that somebody gave a version of a file: it can be brought back by that name, and retention never drops it.
package struct ConfigTag: WireObject {
    package var name: String
    package var version: Int64
    /// When the name was given, in milliseconds since 1970.
    package var atMs: Int64
    package var authorUID: Int64

    package init(name: String, version: Int64, atMs: Int64, authorUID: Int64) {
        self.name = name
        self.version = version
        self.atMs = atMs
        self.authorUID = authorUID
    }

    package init(from fields: inout Fields) throws(WireError) {
        name = try fields.value("name")
        version = try fields.value("version")
        atMs = try fields.value("atMs")
        authorUID = try fields.value("authorUID")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("name", name)
        object.member("version", version)
        object.member("atMs", atMs)
        object.member("authorUID", authorUID)
    }
}

extension Config {
    /// The most tags that one file has.
    package static let mostTags = 256

    /// Reads a tag's name: 1 to 64 letters, digits, dots, dashes and underlines, the first no digit, so that it is never
    /// taken for a version's number.
    static func tagName(_ fields: inout Fields) throws(WireError) -> String {
        let name: String = try fields.value("name")
        let isGood =
            (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            } && !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(name.utf8.first ?? 0)
        guard isGood else {
            throw WireError(
                place: "name",
                problem: "expected 1 to 64 letters, digits, dots, dashes and underlines, the first no digit")
        }
        return name
    }

    /// `tag`: gives a version a name. A name that another version has moves to this one.
    package enum Tag: RPCMethod {
        package static let name = "tag"
        package static let access = Access.act

        package struct Params: WireObject {
            package var target: ConfigFile
            package var name: String
            /// The one in force where nil.
            package var version: Int64?

            package init(target: ConfigFile, name: String, version: Int64? = nil) {
                self.target = target
                self.name = name
                self.version = version
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                name = try Config.tagName(&fields)
                version = try fields.optional("version")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("name", name)
                object.member("version", version)
            }
        }

        package typealias Reply = ConfigTag
    }

    /// `untag`: takes a name away; the version stays for as long as retention lets it.
    package enum Untag: RPCMethod {
        package static let name = "untag"
        package static let access = Access.act

        package struct Params: WireObject {
            package var target: ConfigFile
            package var name: String

            package init(target: ConfigFile, name: String) {
                self.target = target
                self.name = name
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                name = try Config.tagName(&fields)
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("name", name)
            }
        }

        /// The tag as it was.
        package typealias Reply = ConfigTag
    }

    /// `tags`: the names of a file's versions, the newest version first.
    package enum Tags: RPCMethod {
        package static let name = "tags"
        package static let access = Access.read
        package typealias Params = ConfigFile

        package struct Reply: WireObject {
            package var service: String
            package var file: String
            package var tags: [ConfigTag]

            package init(service: String, file: String, tags: [ConfigTag]) {
                self.service = service
                self.file = file
                self.tags = tags
            }

            package init(from fields: inout Fields) throws(WireError) {
                service = try fields.value("service")
                file = try fields.value("file")
                tags = try fields.value("tags")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("service", service)
                object.member("file", file)
                object.member("tags", tags)
            }
        }
    }
}
