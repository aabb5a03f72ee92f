import ConfigCore
import Store
import Wire

/// A transaction over files, step by step as `Commit` says.
extension Custody {
    /// What a transaction makes of one file, with what it takes to do it.
    struct FileWrite {
        var kept: KeptFile
        var sight: Sight
        /// The versions to make, the oldest first, each with its content; not empty.
        var versions: [(version: Version, content: [UInt8])]
    }

    /// How a commit ended, and the file that a failure was about.
    struct Written {
        var outcome: Commit.Outcome
        var path = ""
    }

    /// Writes all of `writes`, or none. `alsoRecording` runs in the database's transaction that records the intent: what it
    /// writes is durable before a file is touched, and is gone where the transaction is refused.
    func commit(
        _ writes: [FileWrite], alsoRecording: (Intent) throws(StoreError) -> Void = { _ in }
    ) -> Written {
        let drafted = writes.map { write in
            FileIntent(
                path: write.kept.id.path, versions: write.versions.map(\.version),
                temporary: GuardedFile.temporary(beside: write.kept.id.path),
                before: write.sight.contentDigest)
        }
        let intent: Intent
        do throws(StepFailure) {
            let id = try ledger("read") { () throws(StoreError) in try versions.freeIntent() }
            intent = Intent(id: id, files: drafted)
        } catch { return Written(outcome: .refused(error), path: drafted.first?.path ?? "") }
        var commit = Commit(intent)
        var action = commit.begin()
        var failedPath: String?
        while true {
            do throws(StepFailure) {
                if case .end(let outcome) = action { return Written(outcome: outcome, path: failedPath ?? "") }
                try perform(action, writes, alsoRecording)
                action = commit.succeeded()
            } catch {
                failedPath = failedPath ?? action.file?.path ?? intent.files[0].path
                action = commit.failed(error)
            }
        }
    }

    private func perform(
        _ action: Commit.Action, _ writes: [FileWrite], _ alsoRecording: (Intent) throws(StoreError) -> Void
    ) throws(StepFailure) {
        func file(_ intent: FileIntent) throws(StepFailure) -> FileWrite {
            guard let write = writes.first(where: { $0.kept.id.path == intent.path }) else {
                throw StepFailure(.disk("no such file in the transaction"), step: "write")
            }
            return write
        }
        switch action {
        case .end: break
        case .recordIntent(let intent): try record(intent, writes, alsoRecording)
        case .writeTemporary(let intent):
            guard let last = try file(intent).versions.last else { return }
            try file(intent).sight.file.writeTemporary(
                intent.temporary, last.content, identity: last.version.draft.identity)
        case .compareFile(let intent): try file(intent).sight.file.compare()
        case .replaceFile(let intent): try file(intent).sight.file.replace(with: intent.temporary)
        case .syncFolder(let intent): try file(intent).sight.file.syncFolder()
        case .concludeIntent(let intent): concludeLater(intent)
        case .takeBack(let intent): try takeBack(intent)
        case .removeTemporary(let intent): try file(intent).sight.file.removeTemporary(intent.temporary)
        case .dropIntent(let intent): try ledger("drop") { () throws(StoreError) in try versions.drop(intent) }
        }
    }

    private func record(
        _ intent: Intent, _ writes: [FileWrite], _ alsoRecording: (Intent) throws(StoreError) -> Void
    ) throws(StepFailure) {
        for write in writes {
            guard let last = write.versions.last else { continue }
            write.sight.file.begin(last.content, identity: last.version.draft.identity, on: beside)
        }
        var contents: [Digest: [UInt8]] = [:]
        for (version, content) in writes.flatMap(\.versions) { contents[version.draft.content] = content }
        try ledger("record") { () throws(StoreError) in
            try versions.transaction { () throws(StoreError) in
                try versions.record(intent, contents: contents)
                try alsoRecording(intent)
                for write in writes {
                    guard let newest = write.versions.last?.version.number,
                        let oldest = write.versions.first?.version.number
                    else { continue }
                    // Never the version in force, however many come at once: where the write fails it is what is put back.
                    let unwanted = min(newest - write.kept.versionsKept - 1, oldest - 2)
                    try versions.prune(write.kept.id.path, upTo: unwanted)
                }
            }
        }
    }

    /// Puts back, durably, what the file held before the transaction; from the ledger, which holds it.
    func takeBack(_ intent: FileIntent) throws(StepFailure) {
        let file = try GuardedFile(path: intent.path)
        try file.removeTemporary(intent.temporary)
        guard let before = intent.before else {
            try file.remove()
            return try file.syncFolder()
        }
        let (content, head) = try ledger("read") { () throws(StoreError) in
            (try versions.content(before), try versions.head(of: intent.path))
        }
        guard let content, let identity = file.identity ?? head?.draft.identity else {
            throw StepFailure(
                .versions(
                    "the content that \(intent.path) had is damaged",
                    remedy: "Write the file by hand; configd takes it over"), step: "put back")
        }
        try file.writeTemporary(intent.temporary, content, identity: identity)
        try file.replace(with: intent.temporary)
        try file.syncFolder()
    }
}
