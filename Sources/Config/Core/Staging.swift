package import Time

/// Contents that come in parts, since they are larger than a frame: kept for their user, file and name until they are taken, or
/// until no part came for a while. All of them together are bounded, so that nobody's unfinished upload costs the daemon
/// its memory.
package struct Staging: Hashable, Sendable {
    /// Whose part it is.
    package struct Owner: Hashable, Sendable {
        package var uid: UInt32
        package var file: Keeper.FileID
        /// The caller's own name for it.
        package var upload: String

        package init(uid: UInt32, file: Keeper.FileID, upload: String) {
            self.uid = uid
            self.file = file
            self.upload = upload
        }
    }

    /// Why a part is not taken.
    package enum Refusal: Error, Hashable, Sendable {
        /// It does not go on where the parts before end.
        case gap(stagedBytes: Int)
        /// The content would be larger than any file.
        case tooLarge(bytes: Int)
        /// Other contents wait already.
        case full
    }

    /// Contents at a time: the larger files of a service that is restored. Their bytes are bounded apart.
    package static let mostContents = 16
    /// All of them together: two files of the largest size.
    package static let mostBytes = 2 * EnvEditor.largestFileBytes
    /// How long a content waits for its next part.
    package static let patience: Duration = .seconds(60)

    private struct Content: Hashable {
        var bytes: [UInt8]
        var touchedAt: Instant
    }

    private var contents: [Owner: Content] = [:]

    package init() {}

    /// Takes a part; answers how many bytes are there. A part at 0 begins anew.
    package mutating func received(
        _ part: [UInt8], at offset: Int, of owner: Owner, now: Instant
    ) throws(Refusal) -> Int {
        ticked(now: now)
        if offset == 0 { contents[owner] = nil }
        let staged = contents[owner]?.bytes.count ?? 0
        guard offset == staged else { throw .gap(stagedBytes: staged) }
        let bytes = staged + part.count
        guard bytes <= EnvEditor.largestFileBytes else { throw .tooLarge(bytes: bytes) }
        let all = contents.values.reduce(part.count) { $0 + $1.bytes.count }
        guard all <= Self.mostBytes, contents[owner] != nil || contents.count < Self.mostContents else { throw .full }
        contents[owner, default: Content(bytes: [], touchedAt: now)].bytes += part
        contents[owner]?.touchedAt = now
        return bytes
    }

    /// Hands over what is staged and forgets it; nil where nothing is.
    package mutating func take(_ owner: Owner) -> [UInt8]? {
        contents.removeValue(forKey: owner)?.bytes
    }

    /// Forgets what nobody went on with.
    package mutating func ticked(now: Instant) {
        contents = contents.filter { now - $0.value.touchedAt < Self.patience }
    }
}
