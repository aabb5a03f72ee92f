package import ConfigAPI
package import Time
package import Wire

/// Who owns a file and who may open it, as a version records it.
package struct FileIdentity: Hashable, Sendable {
    package var uid: UInt32
    package var gid: UInt32
    /// The permission bits alone (0o7777).
    package var mode: UInt32

    package init(uid: UInt32, gid: UInt32, mode: UInt32) {
        self.uid = uid
        self.gid = gid
        self.mode = mode
    }

    /// Whether every user of the host may read it.
    package var isWorldReadable: Bool { mode & 0o004 != 0 }
}

/// One version of a file in the ledger: what it held, by digest, and how it came to be.
///
/// Versions of a file form a chain: each one's `chain` sums its own fields and the `chain` of the one before, so that a
/// record that was changed, dropped or slipped in shows at the next `follows`.
package struct Version: Hashable, Sendable {
    /// What a version says, before it has its place in the chain.
    package struct Draft: Hashable, Sendable {
        package var origin: ConfigOrigin
        /// The version whose content this one has again.
        package var restored: Int64?
        package var content: Digest
        package var sizeBytes: Int64
        /// The keys that differ from the version before, sorted.
        package var keys: [String]
        package var at: WallTime
        /// Nil where nobody asked for it.
        package var authorUID: UInt32?
        package var reason: String
        package var identity: FileIdentity

        package init(
            origin: ConfigOrigin, restored: Int64? = nil, content: Digest, sizeBytes: Int64, keys: [String],
            at: WallTime, authorUID: UInt32?, reason: String, identity: FileIdentity
        ) {
            self.origin = origin
            self.restored = restored
            self.content = content
            self.sizeBytes = sizeBytes
            self.keys = keys
            self.at = at
            self.authorUID = authorUID
            self.reason = reason
            self.identity = identity
        }
    }

    /// Counts from 1 without a gap.
    package let number: Int64
    package let draft: Draft
    package let chain: Digest
    /// The `chain` of the version before; nil for the first. Kept so that a version can be held against its own sum where
    /// the one before is no longer there.
    package let previousChain: Digest?

    /// The version after `previous`, or the first.
    package init(_ draft: Draft, after previous: Version?) {
        number = (previous?.number ?? 0) + 1
        self.draft = draft
        previousChain = previous?.chain
        chain = Self.link(number, draft, after: previousChain)
    }

    /// A version as it was stored; `isWhole` and `follows` tell whether it is what was stored.
    package init(stored number: Int64, _ draft: Draft, chain: Digest, previousChain: Digest?) {
        self.number = number
        self.draft = draft
        self.chain = chain
        self.previousChain = previousChain
    }

    /// Whether its fields are those that were summed.
    package var isWhole: Bool {
        (number == 1) == (previousChain == nil) && chain == Self.link(number, draft, after: previousChain)
    }

    /// Whether this version, as it stands, came right after `previous`.
    package func follows(_ previous: Version?) -> Bool {
        self == Version(draft, after: previous)
    }

    /// The version as it travels, at the place that it says it has.
    package var record: ConfigRecord { Self.record(number, draft, after: previousChain).placed(at: chain) }

    private static func link(_ number: Int64, _ draft: Draft, after previous: Digest?) -> Digest {
        record(number, draft, after: previous).chain
    }

    private static func record(_ number: Int64, _ draft: Draft, after previous: Digest?) -> ConfigRecord {
        ConfigRecord(
            number: number, origin: draft.origin, restored: draft.restored, content: draft.content,
            sizeBytes: draft.sizeBytes, keys: draft.keys, atMs: draft.at.milliseconds,
            authorUID: draft.authorUID.map(Int64.init), reason: draft.reason, ownerUID: Int64(draft.identity.uid),
            ownerGID: Int64(draft.identity.gid), mode: Int64(draft.identity.mode), previousChain: previous)
    }
}
