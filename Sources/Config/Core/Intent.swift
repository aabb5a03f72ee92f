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

/// A file as it was seen: what it held, and by what it is known to be the very one that was seen and not another of the
/// same content.
package struct FileSight: Hashable, Sendable {
    package var content: Digest
    package var inode: UInt64
    /// When the file, or what is recorded about it, last changed (ctime), in nanoseconds since 1970.
    package var changedAtNs: Int64

    package init(content: Digest, inode: UInt64, changedAtNs: Int64) {
        self.content = content
        self.inode = inode
        self.changedAtNs = changedAtNs
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
    /// What the file was; nil where it was missing.
    package var before: FileSight?

    package init(path: String, versions: [Version], temporary: String, before: FileSight?) {
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
