/// One transaction over one file or several, as a machine: which durable step comes next, and what to do when one fails.
///
/// The order is the whole point. First the versions and their contents are recorded, durably, as an intent; then each
/// content is written beside its file and made durable; then each file is replaced by one rename; then the folders are made
/// durable; then the intent is concluded, and the caller is told. A crash between any two steps leaves an
/// intent and files that are, byte for byte, old or new; `Recovery` decides from those alone.
///
/// The conclusion is not waited for: it is recorded while the answer is on its way, before the ledger is next asked
/// anything, and reaches the disk with the next change, or a moment later by itself. Where a crash takes it before, the
/// files say the same; and where somebody's editor has written one of them in that moment, so that it is neither old nor
/// new, `Recovery` takes the transaction for done as well: it was before that edit, in the history as in the world (the
/// simulator's seed 35). One case is left: an editor that in that moment puts back, durably, the very bytes that the change
/// replaced, and then comes the crash: the file is as the editor left it, and the version is not in the history.
///
/// A step that fails before the first rename is undone, and every file is the old one. A rename that fails after another
/// one went well is undone as well: what was replaced is written back, from the ledger, which holds the old content. A
/// failure after the last rename cannot be undone without writing again to a disk that just refused: the outcome is
/// `doubtful`, the intent stays, and `Recovery` settles it from what the disk then shows. No step is tried twice: after a
/// failed fsync the kernel marks the page clean, so a second try would lie (FACTS §3).
package struct Commit: Hashable, Sendable {
    /// What is to be done next; `succeeded` or `failed` tells of its end.
    package enum Action: Hashable, Sendable {
        /// Record the versions with their contents as an intent, durably.
        case recordIntent(Intent)
        /// Create the temporary, fill it, give it owner, mode and attributes, make it durable, read it back.
        case writeTemporary(FileIntent)
        /// See whether the file is still the one that was read.
        case compareFile(FileIntent)
        /// If the file is still the one that was read, put the temporary in its place.
        case replaceFile(FileIntent)
        /// Make the file's folder, and so the renames in it, durable.
        case syncFolder(of: FileIntent)
        /// Note that the intent's versions are the files' now: before the ledger is asked again, and durable later.
        case concludeIntent(Intent)
        /// Put back, durably, what the file held before.
        case takeBack(FileIntent)
        case removeTemporary(FileIntent)
        case dropIntent(Intent)
        /// Nothing is left to do.
        case end(Outcome)

        /// The file that the step is about; nil for a step about the whole transaction.
        package var file: FileIntent? {
            switch self {
            case .writeTemporary(let file), .compareFile(let file), .replaceFile(let file), .syncFolder(let file),
                .takeBack(let file), .removeTemporary(let file):
                file
            case .recordIntent, .concludeIntent, .dropIntent, .end: nil
            }
        }
    }

    /// How a commit ended.
    package enum Outcome: Hashable, Sendable {
        /// The files and their versions are durable.
        case applied
        /// Every file is what it was.
        case refused(StepFailure)
        /// A file shows the change, and the disk did not confirm it or its version.
        case doubtful(StepFailure)
    }

    private enum State: Hashable {
        /// -> recording
        case ready
        /// -> writing, or forgetting where even that failed half-way
        case recording
        /// The file of this place. -> the next; comparing, or replacing where there is one file; or clearing
        case writing(Int)
        /// -> the next; replacing; or clearing
        case comparing(Int)
        /// -> the next; settling; or takingBack, clearing where none was replaced
        case replacing(Int)
        /// The folder of this place. -> the next; concluding; or over (doubtful)
        case settling(Int)
        /// -> over (applied, or doubtful)
        case concluding
        /// After a failure: what was replaced is written back, the last first. -> clearing, or over (doubtful)
        case takingBack(Int, StepFailure)
        /// After a failure: the temporaries up to this place go, the last first. -> forgetting
        case clearing(Int, StepFailure)
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
        return enter(.recording)
    }

    /// The step that was asked for is done.
    package mutating func succeeded() -> Action {
        let last = intent.files.count - 1
        return switch state {
        case .ready, .over: preconditionFailure("no step is under way")
        case .recording: enter(.writing(0))
        case .writing(let place) where place < last: enter(.writing(place + 1))
        // One file is compared when it is replaced; of several none is replaced before all were found unchanged.
        case .writing: enter(last == 0 ? .replacing(0) : .comparing(0))
        case .comparing(let place): enter(place < last ? .comparing(place + 1) : .replacing(0))
        case .replacing(let place): enter(place < last ? .replacing(place + 1) : .settling(0))
        case .settling(let place):
            enter(place < intent.oneFileAFolder.count - 1 ? .settling(place + 1) : .concluding)
        case .concluding: end(.applied)
        case .takingBack(let place, let failure):
            enter(place > 0 ? .takingBack(place - 1, failure) : .clearing(last, failure))
        case .clearing(let place, let failure):
            enter(place > 0 ? .clearing(place - 1, failure) : .forgetting(failure))
        case .forgetting(let failure): end(.refused(failure))
        }
    }

    /// The step that was asked for failed.
    package mutating func failed(_ failure: StepFailure) -> Action {
        switch state {
        case .ready, .over: preconditionFailure("no step is under way")
        // A transaction whose commit failed may have reached the disk all the same.
        case .recording: return enter(.forgetting(failure))
        case .writing(let place): return enter(.clearing(place, failure))
        case .comparing: return enter(.clearing(intent.files.count - 1, failure))
        case .replacing(let place):
            return enter(
                place > 0 ? .takingBack(place - 1, failure) : .clearing(intent.files.count - 1, failure))
        case .settling, .concluding: return end(.doubtful(failure))
        case .takingBack(_, let first): return end(.doubtful(first))
        // The intent stays, and with it the names of what is to be cleared away: the next look at the file does it.
        case .clearing(_, let first), .forgetting(let first): return end(.refused(first))
        }
    }

    private mutating func enter(_ next: State) -> Action {
        state = next
        switch next {
        case .ready, .over: preconditionFailure("no step begins there")
        case .recording: return .recordIntent(intent)
        case .writing(let place): return .writeTemporary(intent.files[place])
        case .comparing(let place): return .compareFile(intent.files[place])
        case .replacing(let place): return .replaceFile(intent.files[place])
        case .settling(let place): return .syncFolder(of: intent.oneFileAFolder[place])
        case .concluding: return .concludeIntent(intent)
        case .takingBack(let place, _): return .takeBack(intent.files[place])
        case .clearing(let place, _): return .removeTemporary(intent.files[place])
        case .forgetting: return .dropIntent(intent)
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
        /// Somebody else is writing the file, or has just done so; look again after this long.
        case beingWritten(again: Duration)
        /// Somebody else has written what is not to stay, and it cannot be put right now. In words that follow the path.
        case outsideChange(String, remedy: String)
    }

    package var cause: Cause
    /// What was being done, as an order: "open", "make durable".
    package var step: String

    package init(_ cause: Cause, step: String) {
        self.cause = cause
        self.step = step
    }
}
