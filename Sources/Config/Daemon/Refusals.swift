import ConfigAPI
import ConfigCore
import Wire

/// The Core's refusals and the disk's failures as the socket's errors.
enum Refusals {
    static func error(_ refusal: EditRefusal) -> RPCError {
        switch refusal {
        case .invalidKey(let key, let reader): ConfigErrors.invalidKey(key, reader: reader)
        case .unknownKey(let key): ConfigErrors.unknownKey(key)
        case .valueTooLarge(let key, let bytes):
            ConfigErrors.valueTooLarge(key, bytes: Int64(bytes), limit: Int64(EnvEditor.largestEntryBytes))
        case .fileTooLarge(let bytes):
            ConfigErrors.fileTooLarge(bytes: Int64(bytes), limit: Int64(EnvEditor.largestFileBytes))
        case .tooManyChanges(let count, let allowed):
            ConfigErrors.tooManyChanges(Int64(count), limit: Int64(allowed))
        case .zeroByte(let key): ConfigErrors.zeroByte(key)
        case .unreadable(let reader, let line, let reason):
            ConfigErrors.unreadable(reader: reader, line: Int64(line), reason: reason)
        case .unwritable(let key, let reader, let wouldRead):
            ConfigErrors.unwritable(key: key, reader: reader, wouldRead: wouldRead)
        case .wouldChangeOther(let key, let reader, let other):
            ConfigErrors.wouldChangeOther(key: key, reader: reader, other: other)
        case .textOnly(let key): ConfigErrors.textOnly(key)
        case .keptWhole: ConfigErrors.keptWhole()
        case .invalidJSON(let problem):
            ConfigErrors.invalidJSON(
                line: Int64(problem.line), column: Int64(problem.column), problem: problem.problem)
        case .invalidJSONValue(let key, let problem):
            ConfigErrors.invalidJSONValue(
                key, line: Int64(problem.line), column: Int64(problem.column), problem: problem.problem)
        case .invalidPointer(let key): ConfigErrors.invalidPointer(key)
        case .missingParent(let key): ConfigErrors.missingParent(key)
        case .repeatedKey(let key, let line): ConfigErrors.repeatedKey(key, line: Int64(line))
        }
    }

    static func error(_ failure: StepFailure, path: String) -> RPCError {
        switch failure.cause {
        case .missing: ConfigErrors.fileMissing(path)
        case .notPlainFile(let found): ConfigErrors.notPlainFile(path, found: found)
        case .changedMeanwhile: ConfigErrors.keepsChanging(path)
        case .mountPoint: ConfigErrors.mountPoint(path)
        case .noSpace: ConfigErrors.noSpace(path)
        case .readOnly: ConfigErrors.readOnly(path)
        case .notPermitted: ConfigErrors.notPermitted(path, step: failure.step)
        case .tooLarge(let bytes):
            ConfigErrors.fileTooLarge(bytes: bytes, limit: Int64(EnvEditor.largestFileBytes))
        case .readBackDiffers:
            ConfigErrors.diskFailed(path, step: failure.step, why: "the disk gave back other bytes than were written")
        case .versions(let why, let remedy): ConfigErrors.versionsUnavailable(why, remedy: remedy)
        case .beingWritten: ConfigErrors.beingWritten(path)
        case .outsideChange(let why, let remedy): ConfigErrors.outsideChange(path, why: why, remedy: remedy)
        case .disk(let why): ConfigErrors.diskFailed(path, step: failure.step, why: why)
        }
    }
}
