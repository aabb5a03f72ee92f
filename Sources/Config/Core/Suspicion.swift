package import Time

/// What a file looks like from outside; equal marks mean that nobody has written in between. Nil stands for no file.
package struct FileMark: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64
    package var sizeBytes: Int64
    /// In nanoseconds since 1970, by the file system's own clock.
    package var modifiedNs: Int64
    /// The same, of the last change of any kind; nobody can set this one.
    package var changedNs: Int64

    package init(device: UInt64, inode: UInt64, sizeBytes: Int64, modifiedNs: Int64, changedNs: Int64) {
        self.device = device
        self.inode = inode
        self.sizeBytes = sizeBytes
        self.modifiedNs = modifiedNs
        self.changedNs = changedNs
    }
}

/// What is remembered of one file that is other than its newest version, from look to look: since when, for how long it
/// has held still, and how often it was put back.
package struct Suspicion: Hashable, Sendable {
    /// So often a file is put back within `pace`; who then writes it once more is left alone until that has passed, so that
    /// two programs that want different things do not fill history and journal.
    package static let mostRestores = 3
    /// The window of `mostRestores`.
    package static let pace: Duration = .seconds(60)

    private struct Sighting: Hashable {
        var mark: FileMark?
        /// When the content was first seen to be other than the version.
        var first: Instant
        /// When this mark was first seen.
        var since: Instant
    }

    private var sighting: Sighting?
    private var restores: [Instant] = []

    package init() {}

    /// The file is its newest version, or has become a version.
    package mutating func cleared() { sighting = nil }

    /// The file is other than its version, and looks like `mark`. `age` is how old its last change is by the clock of the
    /// host, where that is all there is to go by: at the first look of this life.
    package mutating func seen(
        _ mark: FileMark?, writer: OutsideChange.Writer, age: Duration?, now: Instant
    ) -> OutsideChange.Stillness {
        var current = sighting ?? Sighting(mark: mark, first: now, since: now)
        if current.mark != mark {
            current.mark = mark
            current.since = now
        }
        sighting = current
        return OutsideChange.Stillness(
            stillFor: max(now - current.since, age ?? .zero), waitedFor: now - current.first, writer: writer)
    }

    /// Whether the file may be put back now.
    package func mayRestore(now: Instant) -> Bool {
        restores.count { now - $0 < Self.pace } < Self.mostRestores
    }

    /// It was put back.
    package mutating func restored(now: Instant) {
        restores = restores.filter { now - $0 < Self.pace } + [now]
        sighting = nil
    }

    /// An operator has said which content is meant: whoever wrote the other ones may have been right.
    package mutating func pardoned() { restores = [] }
}
