package import Wire

// A bundle: files of services with all their versions, in one file that moves to another host. It is lines of JSON, so that
// `jq`, `grep` and an eye can look into it. The first line says what it is; each file comes as a line about it and then its
// versions, the oldest first, each after the content that it needs unless an earlier one had the same. The last line has
// how many of each there are and the SHA-256 of every byte before it.

/// The first line.
package struct BundleHeader: WireObject {
    /// What the first line calls itself.
    package static let format = "mainstay configuration bundle"
    /// What this version of Mainstay writes, and the only one that it reads.
    package static let version: Int64 = 1

    /// The host that it was made on.
    package var host: String
    /// When its versions were fixed, in milliseconds since 1970.
    package var atMs: Int64

    package init(host: String, atMs: Int64) {
        self.host = host
        self.atMs = atMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        let format: String = try fields.value("format")
        guard format == Self.format else {
            throw WireError(place: "format", problem: "expected \"\(Self.format)\", found \"\(format)\"")
        }
        let version: Int64 = try fields.value("version")
        guard version == Self.version else {
            throw WireError(place: "version", problem: "expected \(Self.version), found \(version)")
        }
        host = try fields.value("host")
        atMs = try fields.value("atMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("format", Self.format)
        object.member("version", Self.version)
        object.member("host", host)
        object.member("atMs", atMs)
    }
}

/// A stretch of a content. All of a content stands together, in order.
package struct BundlePart: WireObject {
    /// The bytes of a content that one line has at most.
    package static let mostBytes = 256 << 10

    /// SHA-256 of the whole content.
    package var content: Digest
    /// Bytes of the whole content.
    package var sizeBytes: Int64
    /// Where the stretch begins.
    package var offset: Int64
    package var bytes: ConfigValue

    package init(content: Digest, sizeBytes: Int64, offset: Int64, bytes: ConfigValue) {
        self.content = content
        self.sizeBytes = sizeBytes
        self.offset = offset
        self.bytes = bytes
    }

    package init(from fields: inout Fields) throws(WireError) {
        content = try fields.value("content")
        sizeBytes = try fields.value("sizeBytes")
        offset = try fields.value("offset")
        bytes = try fields.value("bytes")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("content", content)
        object.member("sizeBytes", sizeBytes)
        object.member("offset", offset)
        object.member("bytes", bytes)
    }
}

/// A version in a bundle.
package struct BundledVersion: WireObject {
    package var record: ConfigRecord
    /// The version right before it is not in the bundle, as it was let go or not wanted.
    package var isAfterGap: Bool
    /// Its content was damaged where the bundle was made, and is not in it.
    package var isLost: Bool

    package init(_ record: ConfigRecord, isAfterGap: Bool = false, isLost: Bool = false) {
        self.record = record
        self.isAfterGap = isAfterGap
        self.isLost = isLost
    }

    package init(from fields: inout Fields) throws(WireError) {
        record = try fields.value("record")
        isAfterGap = try fields.value("afterGap", or: false)
        isLost = try fields.value("lost", or: false)
    }

    package func write(to object: inout ObjectWriter) {
        object.member("record", record)
        if isAfterGap { object.member("afterGap", true) }
        if isLost { object.member("lost", true) }
    }
}

/// The last line: what a bundle holds, and the sum over it.
package struct BundleEnd: WireObject {
    package var files: Int64 = 0
    package var versions: Int64 = 0
    package var contents: Int64 = 0
    /// Of all contents together.
    package var bytes: Int64 = 0
    /// SHA-256 of every byte before this line.
    package var sum = Digest(of: [])

    package init() {}

    package init(from fields: inout Fields) throws(WireError) {
        files = try fields.value("files")
        versions = try fields.value("versions")
        contents = try fields.value("contents")
        bytes = try fields.value("bytes")
        sum = try fields.value("sha256")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("files", files)
        object.member("versions", versions)
        object.member("contents", contents)
        object.member("bytes", bytes)
        object.member("sha256", sum)
    }
}

/// One line of a bundle.
package enum BundleLine: Hashable, Sendable, WireValue {
    case header(BundleHeader)
    case file(Config.Backup.File)
    case part(BundlePart)
    case version(BundledVersion)
    case end(BundleEnd)

    /// The longest line: a part in base64 or with every byte escaped six-fold would be shorter; so is a version with 500 keys.
    package static let longestBytes = 2 << 20

    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        guard case .object(let object) = wire else { throw .expected("an object", found: wire) }
        switch object.members.first?.key {
        case "format": self = .header(try BundleHeader(wire: wire, unknown: unknown))
        case "content": self = .part(try BundlePart(wire: wire, unknown: unknown))
        case "record": self = .version(try BundledVersion(wire: wire, unknown: unknown))
        default:
            var fields = Fields(object, unknown: unknown)
            if let file: Config.Backup.File = try fields.optional("file") {
                self = .file(file)
            } else {
                self = .end(try fields.value("end"))
            }
            try fields.finish()
        }
    }

    package func write(to writer: inout JSONWriter) {
        switch self {
        case .header(let header): header.write(to: &writer)
        case .file(let file): writer.object { $0.member("file", file) }
        case .part(let part): part.write(to: &writer)
        case .version(let version): version.write(to: &writer)
        case .end(let end): writer.object { $0.member("end", end) }
        }
    }
}
