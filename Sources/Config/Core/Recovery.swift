package import ConfigAPI

/// What to do about a file when configd looks at it: at start, each minute, and before every change. The same decision
/// serves a crash of configd, a power cut, and somebody else's editor.
package enum Recovery {
    /// What is there.
    package struct Found: Hashable, Sendable {
        /// The newest version that is concluded.
        package var head: Version?
        /// A version that was recorded and not concluded.
        package var intent: Intent?
        /// The file's content; nil where there is no file.
        package var content: Digest?

        package init(head: Version?, intent: Intent?, content: Digest?) {
            self.head = head
            self.intent = intent
            self.content = content
        }
    }

    /// One thing to put right.
    package enum Step: Hashable, Sendable {
        /// Make durable what may be only seen: a rename that a power cut could still take back.
        case syncDirectory
        /// The intent is the file's version now.
        case concludeIntent
        /// The write never reached the file.
        case dropIntent
        case removeTemporary(String)
        /// Take the file over, as it is, as a new version.
        case adopt(ConfigOrigin)
    }

    /// The steps in order; none where the file is its newest version, or is missing. A missing file is not brought back by
    /// itself: somebody took it away, and an operator's `rollback` brings it back.
    package static func steps(for found: Found) -> [Step] {
        var steps: [Step] = []
        var expected = found.head?.draft.content
        if let intent = found.intent {
            if found.content == intent.version.draft.content {
                steps += [.syncDirectory, .concludeIntent, .removeTemporary(intent.temporary)]
                expected = found.content
            } else {
                steps += [.removeTemporary(intent.temporary), .dropIntent]
            }
        }
        if let content = found.content, content != expected {
            steps.append(.adopt(found.head == nil ? .baseline : .adopted))
        }
        return steps
    }
}
