/// One write of one file, as a machine: which durable step comes next, and what to do when one fails.
///
/// The order is the whole point. First the version and its content are recorded, durably, as an intent; then the content
/// is written beside the file and made durable; then one rename puts it in the file's place; then the folder is made
/// durable; then the intent is concluded, durably; only then is the caller told. A crash between any two steps leaves an
/// intent and a file that is, byte for byte, the old or the new one; `Recovery` decides from those two alone.
///
/// The conclusion may not wait, although the file says the same: it does so only until somebody's editor writes it. After
/// that and a power cut the intent would look like one that never reached the file, and a version that a client was told
/// of would be dropped (the simulator's seed 35).
///
/// A step that fails before the rename is undone, and the file is the old one. A failure after it cannot be undone
/// without writing again to a disk that just refused: the outcome is `doubtful`, the intent stays, and `Recovery` settles
/// it from what the disk then shows. No step is tried twice: after a failed fsync the kernel marks the page clean, so a
/// second try would lie (FACTS §3).
package struct Commit: Hashable, Sendable {
    /// What is to be done next; `succeeded` or `failed` tells of its end.
    package enum Action: Hashable, Sendable {
        /// Record the version with its content as an intent, durably.
        case recordIntent(Intent)
        /// Create the temporary, fill it, give it owner, mode and attributes, make it durable, read it back.
        case writeTemporary(String)
        /// If the file is still the one that was read, put the temporary in its place.
        case replaceFile(temporary: String)
        /// Make the folder, and so the rename, durable.
        case syncDirectory
        /// Note, durably, that the intent is the file's version now.
        case concludeIntent
        case removeTemporary(String)
        case dropIntent
        /// Nothing is left to do.
        case end(Outcome)
    }

    /// How a commit ended.
    package enum Outcome: Hashable, Sendable {
        /// The file and its version are durable, whatever happens to the file from now on.
        case applied(Version)
        /// The file is what it was.
        case refused(StepFailure)
        /// The file shows the change, and the disk did not confirm it or its version.
        case doubtful(StepFailure)
    }

    private enum State: Hashable {
        /// -> recording
        case ready
        /// -> writing, or forgetting where even that failed half-way
        case recording
        /// -> replacing, or clearing
        case writing
        /// -> settling, or clearing
        case replacing
        /// -> concluding, or over (doubtful)
        case settling
        /// -> over (applied, or doubtful)
        case concluding
        /// After a failure: the temporary goes. -> forgetting
        case clearing(StepFailure)
        /// After a failure: the intent goes. -> over (refused)
        case forgetting(StepFailure)
        case over
    }

    package let intent: Intent
    private var state = State.ready

    package init(_ intent: Intent) {
        self.intent = intent
    }

    /// The first step. Called once.
    package mutating func begin() -> Action {
        precondition(state == .ready, "a commit is begun once")
        state = .recording
        return .recordIntent(intent)
    }

    /// The step that was asked for is done.
    package mutating func succeeded() -> Action {
        switch state {
        case .ready, .over: preconditionFailure("no step is under way")
        case .recording:
            state = .writing
            return .writeTemporary(intent.temporary)
        case .writing:
            state = .replacing
            return .replaceFile(temporary: intent.temporary)
        case .replacing:
            state = .settling
            return .syncDirectory
        case .settling:
            state = .concluding
            return .concludeIntent
        case .concluding: return end(.applied(intent.version))
        case .clearing(let failure):
            state = .forgetting(failure)
            return .dropIntent
        case .forgetting(let failure): return end(.refused(failure))
        }
    }

    /// The step that was asked for failed.
    package mutating func failed(_ failure: StepFailure) -> Action {
        switch state {
        case .ready, .over: preconditionFailure("no step is under way")
        case .recording:
            // A transaction whose commit failed may have reached the disk all the same.
            state = .forgetting(failure)
            return .dropIntent
        case .writing, .replacing:
            state = .clearing(failure)
            return .removeTemporary(intent.temporary)
        case .settling, .concluding: return end(.doubtful(failure))
        // What cannot be cleared away now, the next look at the file clears away.
        case .clearing(let first):
            state = .forgetting(first)
            return .dropIntent
        case .forgetting(let first): return end(.refused(first))
        }
    }

    private mutating func end(_ outcome: Outcome) -> Action {
        state = .over
        return .end(outcome)
    }
}

/// Why a step on the disk failed.
package struct StepFailure: Error, Hashable, Sendable {
    /// What stood in the way, by what an operator can do about it.
    package enum Cause: Hashable, Sendable {
        case missing
        /// In words: "a symbolic link", "a file with 2 names".
        case notPlainFile(String)
        /// The file is not the one that was read before: somebody else wrote it meanwhile.
        case changedMeanwhile
        case mountPoint
        case noSpace
        case readOnly
        case notPermitted
        case tooLarge(bytes: Int64)
        /// What was read back is not what was written.
        case readBackDiffers
        /// The store of versions failed.
        case versions(String, remedy: String)
        case disk(String)
    }

    package var cause: Cause
    /// What was being done, as an order: "open", "make durable".
    package var step: String

    package init(_ cause: Cause, step: String) {
        self.cause = cause
        self.step = step
    }
}
