package import ConfigAPI
package import Wire

/// What to do about a file when configd looks at it: at start, each minute, and before every change. The same decision
/// serves a crash of configd, a power cut, and somebody else's editor.
package enum Recovery {
    /// One thing to put right about a transaction that was recorded and not concluded.
    package enum Step: Hashable, Sendable {
        /// Make durable what may be only seen: a rename that a power cut could still take back.
        case syncFolder(of: FileIntent)
        /// The intent's versions are the files' now.
        case concludeIntent(Intent)
        /// Put back, durably, what the file held before.
        case takeBack(FileIntent)
        case removeTemporary(FileIntent)
        /// The transaction did not take place.
        case dropIntent(Intent)
    }

    /// The steps, in order, that settle a transaction whose files now hold `contents` (nil: there is no file), in its own
    /// order. Where a file still holds what it did, the renames were cut off: nobody was told of the transaction, and none
    /// of it stays; what was replaced is put back. Otherwise it took place, or may as well have: a file that is neither old
    /// nor new is somebody else's later work, and is left alone.
    package static func steps(for intent: Intent, contents: [Digest?]) -> [Step] {
        let found = zip(intent.files, contents)
        let temporaries = intent.files.map(Step.removeTemporary)
        let isCutOff = found.contains { $0.before == $1 && $0.after != $1 }
        guard isCutOff else {
            return intent.oneFileAFolder.map(Step.syncFolder) + temporaries + [.concludeIntent(intent)]
        }
        let replaced = found.filter { $0.after == $1 && $0.before != $1 }
        return replaced.map { .takeBack($0.0) } + temporaries + [.dropIntent(intent)]
    }

    /// Whether and as what a file is taken over as it is, once no intent is left; nil where it is its newest version or is
    /// missing. A missing file is not brought back by itself: somebody took it away, and an operator's `rollback` brings it
    /// back.
    package static func adoption(head: Version?, content: Digest?) -> ConfigOrigin? {
        guard let content, content != head?.draft.content else { return nil }
        return head == nil ? .baseline : .adopted
    }
}
