package import Wire

/// A transaction that is recorded and about to be written: what a crash leaves behind until it is concluded or dropped.
/// Over several files it is all or none.
package struct Intent: Hashable, Sendable {
    /// Names the transaction in the ledger.
    package var id: Int64
    /// What it makes of each file; not empty, each path once.
    package var files: [FileIntent]

    package init(id: Int64, files: [FileIntent]) {
        self.id = id
        self.files = files
    }

    /// One of its files for each folder that they lie in, in their order: what has to be made durable after the renames.
    package var oneFileAFolder: [FileIntent] {
        var seen: Set<Substring> = []
        return files.filter { seen.insert($0.folder).inserted }
    }
}

/// What a transaction makes of one file.
package struct FileIntent: Hashable, Sendable {
    /// As the settings say it; the ledger's name of the file.
    package var path: String
    /// The versions after the file's newest one, the oldest first; not empty. Only the last one's content is ever written:
    /// those before are changes that waited for the same write.
    package var versions: [Version]
    /// The name, in the file's own folder, that the content is first written under.
    package var temporary: String
    /// What the file held; nil where it was missing.
    package var before: Digest?

    package init(path: String, versions: [Version], temporary: String, before: Digest?) {
        self.path = path
        self.versions = versions
        self.temporary = temporary
        self.before = before
    }

    /// The content that is written.
    package var after: Digest? { versions.last?.draft.content }

    /// The folder that the file lies in.
    fileprivate var folder: Substring { path[..<(path.lastIndex(of: "/") ?? path.startIndex)] }
}
