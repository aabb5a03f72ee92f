package import Wire

/// Something that is wrong with what configd keeps, with the way out. It names versions and never a value.
package struct ConfigFlaw: WireObject {
    /// What is wrong, as a word for scripts.
    package enum Kind: String, WireValue, CaseIterable {
        /// A record is not what was written.
        case recordDamaged
        /// A record does not follow the one before it: one of them was put in another's place.
        case chainBroken
        /// Records are gone that retention did not let go.
        case versionsMissing
        /// A version's content is gone.
        case contentMissing
        /// A version's content is not what was written.
        case contentDamaged
        /// A tag names a version that is not kept.
        case tagLost
        /// The declared file is not there.
        case fileMissing
        /// The declared file cannot be held against its newest version.
        case fileTroubled
        /// The database itself cannot be read.
        case ledgerUnreadable
    }

    package var kind: Kind
    /// The version that it is about; nil where it is about none, or about several.
    package var version: Int64?
    package var message: String
    package var remedy: String

    package init(_ kind: Kind, version: Int64? = nil, message: String, remedy: String) {
        self.kind = kind
        self.version = version
        self.message = message
        self.remedy = remedy
    }

    package init(from fields: inout Fields) throws(WireError) {
        kind = try fields.value("kind")
        version = try fields.optional("version")
        message = try fields.value("message")
        remedy = try fields.value("remedy")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("kind", kind)
        object.member("version", version)
        object.member("message", message)
        object.member("remedy", remedy)
    }
}

extension ConfigFlaw {
    private static let lookAtDisk =
        "Look at the disk of /var/lib/mainstay, and who wrote there; every version that is not named here is sound"

    static func recordDamaged(_ version: Int64) -> ConfigFlaw {
        ConfigFlaw(
            .recordDamaged, version: version, message: "the record of version \(version) is not what was written",
            remedy: lookAtDisk)
    }

    /// A row of the ledger that no record can be made of.
    package static func recordUnreadable(_ version: Int64) -> ConfigFlaw {
        ConfigFlaw(
            .recordDamaged, version: version, message: "the record of version \(version) cannot be read",
            remedy: lookAtDisk)
    }

    static func chainBroken(_ version: Int64) -> ConfigFlaw {
        ConfigFlaw(
            .chainBroken, version: version,
            message: "version \(version) does not follow version \(version - 1): one of them is not what was recorded",
            remedy: lookAtDisk)
    }

    static func versionsMissing(from: Int64, to: Int64) -> ConfigFlaw {
        let which = from == to ? "version \(from) is" : "versions \(from) to \(to) are"
        return ConfigFlaw(
            .versionsMissing, version: from == to ? from : nil, message: "\(which) gone, and not by retention",
            remedy: lookAtDisk)
    }

    /// The content of a version is gone, or is not what its digest says.
    package static func contentLost(_ version: Int64, isGone: Bool) -> ConfigFlaw {
        ConfigFlaw(
            isGone ? .contentMissing : .contentDamaged, version: version,
            message: "the content of version \(version) is \(isGone ? "gone" : "not what was written")",
            remedy: """
                It cannot be brought back from here; from a bundle that has it: `mainstay config restore BUNDLE --at \
                \(version)`. Look at the disk of /var/lib/mainstay
                """)
    }

    /// A tag whose version is not kept.
    package static func tagLost(_ tag: String, version: Int64) -> ConfigFlaw {
        ConfigFlaw(
            .tagLost, version: version, message: "the tag \(tag) names version \(version), which is not kept",
            remedy: "`mainstay config tag --delete` takes the name away; look at the disk of /var/lib/mainstay")
    }
}
