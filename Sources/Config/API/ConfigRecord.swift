package import Wire

/// One version as the ledger keeps it, without its content: all that its place in the chain sums, and that place. It travels
/// with a backup, so that whoever holds a bundle can check the chain without the host that it comes from.
package struct ConfigRecord: WireObject {
    package var number: Int64
    package var origin: ConfigOrigin
    /// The version whose content this one has again.
    package var restored: Int64?
    /// SHA-256 of what the file held.
    package var content: Digest
    package var sizeBytes: Int64
    package var keys: [String]
    /// When it was applied, in milliseconds since 1970.
    package var atMs: Int64
    /// Nil where nobody asked for it.
    package var authorUID: Int64?
    package var reason: String
    /// The file's owner and permission bits at that time, as numbers of the host that it was on.
    package var ownerUID: Int64
    package var ownerGID: Int64
    package var mode: Int64
    /// The sum of all of the above and of `previousChain`.
    package private(set) var chain: Digest
    /// The `chain` of the version before; nil for the first.
    package var previousChain: Digest?

    /// A record with the place in the chain that follows from its fields.
    package init(
        number: Int64, origin: ConfigOrigin, restored: Int64?, content: Digest, sizeBytes: Int64, keys: [String],
        atMs: Int64, authorUID: Int64?, reason: String, ownerUID: Int64, ownerGID: Int64, mode: Int64,
        previousChain: Digest?
    ) {
        self.number = number
        self.origin = origin
        self.restored = restored
        self.content = content
        self.sizeBytes = sizeBytes
        self.keys = keys
        self.atMs = atMs
        self.authorUID = authorUID
        self.reason = reason
        self.ownerUID = ownerUID
        self.ownerGID = ownerGID
        self.mode = mode
        self.previousChain = previousChain
        chain = content
        chain = sum
    }

    /// The same with the place that a ledger has it at, right or wrong.
    package func placed(at chain: Digest) -> ConfigRecord {
        var placed = self
        placed.chain = chain
        return placed
    }

    /// Whether its fields are those that were summed.
    package var isWhole: Bool { (number == 1) == (previousChain == nil) && chain == sum }

    /// Each field with its length before it, so that no two records run together to the same bytes.
    private var sum: Digest {
        var fields: [[UInt8]] = [
            Array("mainstay configuration version, form 1".utf8), previousChain?.bytes ?? [], Self.text(number),
            Array(origin.rawValue.utf8), restored.map(Self.text) ?? [], content.bytes, Self.text(sizeBytes),
            Self.text(atMs), authorUID.map(Self.text) ?? [], Array(reason.utf8), Self.text(ownerUID),
            Self.text(ownerGID), Self.text(mode),
        ]
        fields += keys.map { Array($0.utf8) }
        var sum = SHA256()
        for field in fields {
            sum.update(Self.text(Int64(field.count)))
            sum.update([UInt8(ascii: ":")])
            sum.update(field)
        }
        return sum.finish()
    }

    private static func text(_ number: Int64) -> [UInt8] { Array(String(number).utf8) }

    package init(from fields: inout Fields) throws(WireError) {
        number = try fields.value("version")
        origin = try fields.value("origin")
        restored = try fields.optional("restored")
        content = try fields.value("content")
        sizeBytes = try fields.value("sizeBytes")
        keys = try fields.value("keys")
        atMs = try fields.value("atMs")
        authorUID = try fields.optional("authorUID")
        reason = try fields.value("reason")
        ownerUID = try fields.value("ownerUID")
        ownerGID = try fields.value("ownerGID")
        mode = try fields.value("mode")
        chain = try fields.value("chain")
        previousChain = try fields.optional("previousChain")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("version", number)
        object.member("origin", origin)
        object.member("restored", restored)
        object.member("content", content)
        object.member("sizeBytes", sizeBytes)
        object.member("keys", keys)
        object.member("atMs", atMs)
        object.member("authorUID", authorUID)
        object.member("reason", reason)
        object.member("ownerUID", ownerUID)
        object.member("ownerGID", ownerGID)
        object.member("mode", mode)
        object.member("chain", chain)
        object.member("previousChain", previousChain)
    }
}

/// Follows the records of one file, the oldest first, and tells where the chain is broken.
package struct ChainCheck: Hashable, Sendable {
    private var previous: ConfigRecord?

    package init(after previous: ConfigRecord? = nil) {
        self.previous = previous
    }

    /// Takes the next record. `isAfterGap` says that the one right before it was let go by retention.
    package mutating func take(_ record: ConfigRecord, isAfterGap: Bool) -> [ConfigFlaw] {
        defer { previous = record }
        var flaws: [ConfigFlaw] = []
        if !record.isWhole { flaws.append(.recordDamaged(record.number)) }
        if let previous, previous.number == record.number - 1 {
            if record.previousChain != previous.chain { flaws.append(.chainBroken(record.number)) }
        } else if !isAfterGap, record.number > 1 {
            flaws.append(.versionsMissing(from: (previous?.number ?? 0) + 1, to: record.number - 1))
        }
        return flaws
    }
}
