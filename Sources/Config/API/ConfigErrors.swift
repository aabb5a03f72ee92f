package import Wire

/// configd's own refusals, codes from 1000. `unknownService` and the socket's own stand in Wire. After each of them the
/// file is what it was, but for `durabilityUnknown`, which says so.
package enum ConfigErrors {
    // MARK: What was asked for is not there

    /// The service has no such file, or several and none was named.
    package static func unknownFile(service: String, file: String?, known: [String]) -> RPCError {
        let message =
            if let file { "\(service) has no file \(file)" } else if known.isEmpty {
                "\(service) has no configuration file"
            } else { "\(service) has \(known.count) files, and the call names none" }
        return RPCError(
            code: 1001, name: "unknownFile", message: message,
            remedy: "Files are declared under `config.files` in the service's settings; name one as `file`",
            details: ["known": .array(known.map { .string($0) })])
    }

    /// The file sets no such key.
    package static func unknownKey(_ key: String) -> RPCError {
        RPCError(
            code: 1002, name: "unknownKey", message: "the file sets no key \"\(key)\"",
            remedy: "`get` without keys lists all", details: ["key": .string(key)])
    }

    /// No such version is kept.
    package static func unknownVersion(_ version: Int64, newest: Int64) -> RPCError {
        RPCError(
            code: 1003, name: "unknownVersion", message: "version \(version) is not kept; the newest is \(newest)",
            remedy: "`history` lists the versions",
            details: ["version": .integer(version), "newest": .integer(newest)])
    }

    /// `rollback` without a version where there is no earlier one.
    package static func nothingToRollBack(version: Int64) -> RPCError {
        RPCError(
            code: 1004, name: "nothingToRollBack", message: "there is no version before \(version)",
            remedy: "Name a version, or make a change first", details: ["version": .integer(version)])
    }

    // MARK: The change will not do

    /// Compare and swap: another version is in force.
    package static func versionConflict(expected: Int64, found: Int64) -> RPCError {
        RPCError(
            code: 1010, name: "versionConflict",
            message: "version \(found) is in force, the change expects \(expected)",
            remedy: "Read the file again, and repeat the change on what it says now",
            details: ["expected": .integer(expected), "found": .integer(found)])
    }

    /// No name of a variable, or none to a declared reader.
    package static func invalidKey(_ key: String, reader: String?) -> RPCError {
        var details: JSONObject = ["key": .string(key)]
        details["reader"] = reader.map { .string($0) }
        let message =
            if let reader { "\(reader) takes no key \"\(key)\"" } else { "\"\(key)\" is no name of a variable" }
        return RPCError(
            code: 1011, name: "invalidKey", message: message,
            remedy:
                "Use letters, digits and _, not a digit first; dots and dashes where every declared reader takes them",
            details: details)
    }

    /// The value cannot be an environment variable.
    package static func valueTooLarge(_ key: String, bytes: Int64, limit: Int64) -> RPCError {
        RPCError(
            code: 1012, name: "valueTooLarge",
            message: "the value of \(key) has \(bytes) bytes; an environment variable holds \(limit) with its name",
            remedy: "Put it into a file of its own and let the variable name that file",
            details: ["key": .string(key), "bytes": .integer(bytes), "limit": .integer(limit)])
    }

    /// The file is, or would become, too large.
    package static func fileTooLarge(bytes: Int64, limit: Int64) -> RPCError {
        RPCError(
            code: 1013, name: "fileTooLarge", message: "the file has \(bytes) bytes, the limit is \(limit)",
            remedy: "An .env file holds settings; keep data elsewhere",
            details: ["bytes": .integer(bytes), "limit": .integer(limit)])
    }

    /// A zero byte in a value.
    package static func zeroByte(_ key: String) -> RPCError {
        RPCError(
            code: 1014, name: "zeroByte", message: "the value of \(key) holds a zero byte",
            remedy: "No environment variable can; encode the value", details: ["key": .string(key)])
    }

    /// A declared reader refuses the file as it stands.
    package static func unreadable(reader: String, line: Int64, reason: String) -> RPCError {
        RPCError(
            code: 1015, name: "unreadable", message: "\(reader) refuses line \(line) of the file: it \(reason)",
            remedy: "Mend that line by hand; configd takes the change over",
            details: ["reader": .string(reader), "line": .integer(line)])
    }

    /// No quoting makes every declared reader read the value as meant.
    package static func unwritable(key: String, reader: String, wouldRead: String?) -> RPCError {
        var details: JSONObject = ["key": .string(key), "reader": .string(reader)]
        details["wouldRead"] = wouldRead.map { .string($0) }
        return RPCError(
            code: 1016, name: "unwritable",
            message: "no quoting of \(key) is read as meant by all readers; \(reader) would read otherwise",
            remedy: "Encode the value (base64), put it into a file of its own, or declare fewer readers",
            details: details)
    }

    /// However the change is written, a reader would read another key otherwise.
    package static func wouldChangeOther(key: String, reader: String, other: String) -> RPCError {
        RPCError(
            code: 1017, name: "wouldChangeOther",
            message: "with \(key) changed, \(reader) would read \(other) otherwise than before",
            remedy: "A quote before it is probably left open: `validate` shows what readers make of the file",
            details: ["key": .string(key), "reader": .string(reader), "other": .string(other)])
    }

    /// Much of the file would go.
    package static func shrinkRefused(
        keysBefore: Int64, keysAfter: Int64, bytesBefore: Int64, bytesAfter: Int64, limitPercent: Double
    ) -> RPCError {
        RPCError(
            code: 1018, name: "shrinkRefused",
            message: "the change leaves \(keysAfter) of \(keysBefore) keys and \(bytesAfter) of \(bytesBefore) bytes",
            remedy: "Say `force` if that is meant",
            details: [
                "keysBefore": .integer(keysBefore), "keysAfter": .integer(keysAfter),
                "bytesBefore": .integer(bytesBefore), "bytesAfter": .integer(bytesAfter),
                "limitPercent": .number(limitPercent),
            ])
    }

    /// More changes in one call than the file's size allows.
    package static func tooManyChanges(_ count: Int64, limit: Int64) -> RPCError {
        RPCError(
            code: 1019, name: "tooManyChanges",
            message: "the call makes \(count) changes, this file takes \(limit) at once",
            remedy: "Make them in several calls", details: ["count": .integer(count), "limit": .integer(limit)])
    }

    /// The environment does not fit into one reply.
    package static func environmentTooLarge(bytes: Int64) -> RPCError {
        RPCError(
            code: 1020, name: "environmentTooLarge", message: "the file's \(bytes) bytes do not fit into one reply",
            remedy: "`get` answers in pages", details: ["bytes": .integer(bytes)])
    }

    /// A change over several files names one of them twice.
    package static func fileNamedTwice(_ path: String) -> RPCError {
        RPCError(
            code: 1190, name: "fileNamedTwice", message: "the change names \(path) twice",
            remedy: "Name each file once, with all of its values", details: ["path": .string(path)])
    }

    /// No version has this name.
    package static func unknownTag(_ tag: String, known: [String]) -> RPCError {
        RPCError(
            code: 1191, name: "unknownTag", message: "no version has the tag \(tag)",
            remedy: "`tags` lists them; `tag` gives one",
            details: ["tag": .string(tag), "known": .array(known.map { .string($0) })])
    }

    /// The file has as many tags as it can.
    package static func tooManyTags(_ limit: Int64) -> RPCError {
        RPCError(
            code: 1192, name: "tooManyTags", message: "the file has \(limit) tags already",
            remedy: "Take one away with `untag`", details: ["limit": .integer(limit)])
    }

    // MARK: The file or its disk will not do

    /// The names of refusals of a word on a trial that another try may not meet: the disk is slow or full, another program writes.
    package static let passing: Set<String> = ["versionsUnavailable", "diskFailed", "noSpace", "keepsChanging"]

    /// The declared file is not there.
    package static func fileMissing(_ path: String) -> RPCError {
        RPCError(
            code: 1030, name: "fileMissing", message: "\(path) is not there",
            remedy: "Create it with its owner and mode, or bring the last version back with `rollback` and its number",
            details: ["path": .string(path)])
    }

    /// A symbolic link, a device, a folder, or a file with a second name.
    package static func notPlainFile(_ path: String, found: String) -> RPCError {
        RPCError(
            code: 1031, name: "notPlainFile", message: "\(path) is \(found), not a file with one name",
            remedy: "Declare the real file's path, and give it one name", details: ["path": .string(path)])
    }

    /// Mounted over: a rename cannot replace it, and writing in place is what corrupts files.
    package static func mountPoint(_ path: String) -> RPCError {
        RPCError(
            code: 1032, name: "mountPoint", message: "\(path) is mounted over, so it cannot be replaced in one step",
            remedy: "Mount its folder instead of the file", details: ["path": .string(path)])
    }

    /// The disk or a quota is full.
    package static func noSpace(_ path: String) -> RPCError {
        RPCError(
            code: 1033, name: "noSpace", message: "no space to write beside \(path)",
            remedy: "Free space on that file system", details: ["path": .string(path)])
    }

    /// The file system is read-only.
    package static func readOnly(_ path: String) -> RPCError {
        RPCError(
            code: 1034, name: "readOnly", message: "the file system of \(path) is read-only",
            remedy: "Mount it writable; under systemd add its folder to ReadWritePaths= of mainstay-configd.service",
            details: ["path": .string(path)])
    }

    /// configd may not read or write there.
    package static func notPermitted(_ path: String, step: String) -> RPCError {
        RPCError(
            code: 1035, name: "notPermitted", message: "configd may not \(step) \(path)",
            remedy: "Start it from its unit, which grants what that takes, or mend the folder's permissions",
            details: ["path": .string(path)])
    }

    /// Another owner than its versions record: somebody may have put a file of their own there.
    package static func ownerChanged(_ path: String, expected: Int64, found: Int64) -> RPCError {
        RPCError(
            code: 1036, name: "ownerChanged",
            message: "\(path) belongs to uid \(found), its versions to uid \(expected)",
            remedy: "If that is meant, say `force`; otherwise give it back with chown",
            details: ["path": .string(path), "expected": .integer(expected), "found": .integer(found)])
    }

    /// A step on the disk failed otherwise.
    package static func diskFailed(_ path: String, step: String, why: String) -> RPCError {
        RPCError(
            code: 1037, name: "diskFailed", message: "could not \(step) \(path): \(why)",
            remedy: "Look at the kernel's log; the file is what it was", details: ["path": .string(path)])
    }

    /// The file was replaced, but the disk did not confirm it: it may be the old one after a power cut.
    package static func durabilityUnknown(_ path: String, why: String) -> RPCError {
        RPCError(
            code: 1038, name: "durabilityUnknown",
            message: "\(path) holds the change, but the disk did not confirm it: \(why)",
            remedy: "Look at the kernel's log; after a crash configd finds by itself which version is in force",
            details: ["path": .string(path)])
    }

    /// The store of versions does not work, so nothing is written: a change that cannot be taken back is none.
    package static func versionsUnavailable(_ why: String, remedy: String) -> RPCError {
        RPCError(
            code: 1040, name: "versionsUnavailable", message: "the store of versions does not work: \(why)",
            remedy: remedy)
    }

    /// A kept version's content is not what its checksum says.
    package static func versionDamaged(_ version: Int64) -> RPCError {
        RPCError(
            code: 1041, name: "versionDamaged", message: "the content kept of version \(version) is damaged",
            remedy: "Bring back another version; look at the disk of /var/lib/mainstay",
            details: ["version": .integer(version)])
    }

    // MARK: JSON and other files

    /// The file, or what was to take its place, is no JSON (RFC 8259).
    package static func invalidJSON(line: Int64, column: Int64, problem: String) -> RPCError {
        RPCError(
            code: 1150, name: "invalidJSON", message: "line \(line), column \(column): \(problem)",
            remedy: "Mend it there; a file in another form is declared with `format: whole`",
            details: ["line": .integer(line), "column": .integer(column)])
    }

    /// The value for a JSON file is no JSON.
    package static func invalidJSONValue(_ key: String, line: Int64, column: Int64, problem: String) -> RPCError {
        RPCError(
            code: 1151, name: "invalidJSONValue",
            message: "the value of \(key) is no JSON: line \(line), column \(column): \(problem)",
            remedy: "Send a string as it is, and any other value as {\"json\": \"its JSON text\"}",
            details: ["key": .string(key), "line": .integer(line), "column": .integer(column)])
    }

    /// No JSON pointer, or one that names the whole text where a part is meant.
    package static func invalidPointer(_ key: String) -> RPCError {
        RPCError(
            code: 1152, name: "invalidPointer", message: "\"\(key)\" names no part of a JSON file",
            remedy: "Name it by its keys, each after a slash: /server/port; ~ in a key is ~0, / is ~1 (RFC 6901)",
            details: ["key": .string(key)])
    }

    /// A value that no object or array is there for.
    package static func missingParent(_ key: String) -> RPCError {
        RPCError(
            code: 1153, name: "missingParent", message: "the file has no object or array that \(key) could go into",
            remedy: "Set that first, with {\"json\": \"{}\"}; an array takes its next number, or -, at its end",
            details: ["key": .string(key)])
    }

    /// A key of a JSON object that stands there twice, which readers read differently.
    package static func repeatedKey(_ key: String, line: Int64) -> RPCError {
        RPCError(
            code: 1154, name: "repeatedKey", message: "a key on the way to \(key) stands again in line \(line)",
            remedy: "Remove it, which removes all of them, and set it anew",
            details: ["key": .string(key), "line": .integer(line)])
    }

    /// A change by key of a file that has none.
    package static func keptWhole() -> RPCError {
        RPCError(
            code: 1155, name: "keptWhole", message: "the file is kept whole, without keys",
            remedy: "`put` changes it as a whole, `content` reads it; the settings' `format` says what a file is")
    }

    /// A JSON value for a file of lines.
    package static func textOnly(_ key: String) -> RPCError {
        RPCError(
            code: 1156, name: "textOnly", message: "\(key) is of an .env file, which takes texts and no JSON",
            remedy: "Send the value as a string; where the file is JSON, declare it with `format: json`",
            details: ["key": .string(key)])
    }

    /// A part of a content that does not go on where the parts before it end.
    package static func stagingGap(stagedBytes: Int64) -> RPCError {
        RPCError(
            code: 1157, name: "stagingGap", message: "\(stagedBytes) bytes are staged; the part does not go on there",
            remedy: "Go on at `stagedBytes`, or begin anew at 0; what nobody goes on with is dropped after a minute",
            details: ["stagedBytes": .integer(stagedBytes)])
    }

    /// Nothing is staged under this name.
    package static func nothingStaged(_ upload: String) -> RPCError {
        RPCError(
            code: 1158, name: "nothingStaged", message: "nothing is staged under the name \"\(upload)\"",
            remedy: "Hand it over with `stage` by the same user; what nobody goes on with is dropped after a minute",
            details: ["upload": .string(upload)])
    }

    // MARK: Changes on trial

    /// Another change of the service's files is on trial.
    package static func confirmationPending(service: String, id: Int64) -> RPCError {
        RPCError(
            code: 1170, name: "confirmationPending",
            message: "change \(id) of \(service) waits for its confirmation, and no other is made meanwhile",
            remedy: "`pending` shows it; `confirm` or `cancel` it, or wait until it goes back by itself",
            details: ["id": .integer(id)])
    }

    /// The change was confirmed, or went back, or there was none of that number.
    package static func notPending(service: String, id: Int64) -> RPCError {
        RPCError(
            code: 1171, name: "notPending", message: "change \(id) of \(service) is not on trial, or not any more",
            remedy: "`pending` shows what is; `history` shows what has become of the others",
            details: ["id": .integer(id)])
    }

    /// `confirm` before the service runs the change: nobody can have seen yet whether it is good.
    package static func notActivated(service: String, id: Int64) -> RPCError {
        RPCError(
            code: 1172, name: "notActivated", message: "\(service) was not brought to change \(id) yet",
            remedy: "watchdogd does that and says so; if it cannot, the change goes back by itself",
            details: ["id": .integer(id)])
    }

    /// A change on trial while the service does not follow the take-back of the one before yet.
    package static func takeBackUnfollowed(service: String, id: Int64) -> RPCError {
        RPCError(
            code: 1173, name: "takeBackUnfollowed",
            message: "\(service) was not brought back from change \(id) yet, so the next could not be judged",
            remedy: "watchdogd does that; look at its journal, or restart \(service) and try again",
            details: ["id": .integer(id)])
    }

    // MARK: Schema and lint

    /// The change would leave what the file's schema does not allow. `findings` hold no secret.
    package static func schemaViolated(_ findings: [ConfigFinding]) -> RPCError {
        let first = findings.first
        let rest = findings.count > 1 ? ", and \(findings.count - 1) more" : ""
        return RPCError(
            code: 1120, name: "schemaViolated",
            message: "\(first?.key ?? ""): the schema expects \(first?.expected ?? "")\(rest)",
            remedy:
                "Set what it expects, in one call where several keys belong together; or change `schema` in the settings",
            details: ["findings": .array(findings.map(\.json))])
    }

    /// More bytes to lint than one call takes.
    package static func contentTooLarge(bytes: Int64, limit: Int64) -> RPCError {
        RPCError(
            code: 1121, name: "contentTooLarge", message: "the content has \(bytes) bytes, one call takes \(limit)",
            remedy: "Declare the file in the settings: `lint` by its service has no such limit",
            details: ["bytes": .integer(bytes), "limit": .integer(limit)])
    }

    /// No dialect is called so.
    package static func unknownReader(_ reader: String, known: [String]) -> RPCError {
        RPCError(
            code: 1122, name: "unknownReader", message: "no reader is called \"\(reader)\"",
            remedy: "Known are \(known.joined(separator: ", "))", details: ["known": .array(known.map { .string($0) })])
    }

    /// The file's validator does not accept the content. `output` is the first 4 KiB that it said, without secrets.
    package static func validatorRefused(_ path: String, why: String, output: String) -> RPCError {
        RPCError(
            code: 1123, name: "validatorRefused", message: "the validator of \(path) \(why)",
            remedy: output.isEmpty ? "It said nothing; run it by hand" : "It said: \(output)",
            details: ["output": .string(output)])
    }

    /// The file's validator could not be run, so the change is refused: an unchecked one is what it is there to prevent.
    package static func validatorUnavailable(_ path: String, why: String) -> RPCError {
        RPCError(
            code: 1124, name: "validatorUnavailable", message: "the validator of \(path) could not be run: \(why)",
            remedy: "systemctl start mainstay.validate.socket; journalctl -u 'mainstay.validate@*' has the story")
    }

    // MARK: Flags

    /// No such flag, or one of the other kind (`featureFlags`, `chaosConfig`).
    package static func unknownFlag(service: String, flag: String, known: [String]) -> RPCError {
        RPCError(
            code: 1159, name: "unknownFlag", message: "\(service) has no flag \(flag) here",
            remedy: "Flags are declared under `config.flags` in the service's settings; `flags` lists them",
            details: ["flag": .string(flag), "known": .array(known.map { .string($0) })])
    }

    /// A value that the flag cannot be.
    package static func invalidFlagValue(_ flag: String, expected: String) -> RPCError {
        RPCError(
            code: 1160, name: "invalidFlagValue", message: "the flag \(flag) is \(expected)",
            remedy: "Give it such a value, or null for its default", details: ["flag": .string(flag)])
    }

    /// A chaos setting was to be switched on where the settings do not allow it.
    package static func chaosNotAllowed(service: String, flag: String) -> RPCError {
        RPCError(
            code: 1161, name: "chaosNotAllowed",
            message: "\(flag) is a chaos setting, and the settings of \(service) allow none to be on",
            remedy: "Say `chaosAllowed: true` under `config` in the service's settings, and reload",
            details: ["flag": .string(flag)])
    }

    /// A key that a flag of the same call is rendered at, or two flags at one key.
    package static func keyNamedTwice(_ key: String) -> RPCError {
        RPCError(
            code: 1162, name: "keyNamedTwice", message: "the change names \(key) twice",
            remedy: "A flag is rendered at that key: name one of them", details: ["key": .string(key)])
    }
}

extension ConfigFinding {
    /// As it travels.
    fileprivate var json: JSON { (try? JSONReader.read(JSONWriter.bytes(of: self))) ?? .null }
}
