import ConfigAPI
import ConfigCore
import Runtime
import Time
import Wire

/// configd's decisions as journal entries, with the ids of systemd/mainstay.catalog. No entry holds a value.
enum ConfigJournal {
    private static let configBaseline = MessageID("d54c416785f24006972eac71bf1eb89f")
    private static let configApplied = MessageID("8a65d193350241ba8c029853dc88f772")
    private static let configRolledBack = MessageID("273bea08416e46cabb6c151d2a8138ee")
    private static let configRefused = MessageID("1bf9d12d49364333aa76ad6caa994cfd")
    private static let configAdopted = MessageID("1b508d65714347588a5a605c2866e220")
    private static let configRepaired = MessageID("b67900d248324bc594bf665736db72ce")
    private static let configTroubled = MessageID("c9529a09acd7409c971d28d5d0596589")
    private static let configInvalid = MessageID("d49b68723bcc4c048982bb84b4d1b79e")
    private static let configExpired = MessageID("93a713bda39148c7a5426b60c4561604")
    private static let configChaosOn = MessageID("35caf9ec1bf242f884f7913746f4485c")
    private static let configChaosOff = MessageID("fd59f6d418cf41d3a6474837947110fb")
    private static let configMended = MessageID("741daf9bd6834efcbc9096c569dbfd4c")

    private static let configQuarantined = MessageID("5dd7c63db8ca4fea81fa4a0f4198cf4a")
    private static let configQuarantineDropped = MessageID("be04a617ec9d446bb7e0e498df77158c")
    private static let configQuarantineDiscarded = MessageID("6a0d0b6c2f5f4c0f8a1e7f3d29b84c15")
    private static let configRestored = MessageID("395e213a35cc483eb1282b9ff84efa6a")
    private static let configUnwatched = MessageID("ffc76e9d3678491f95a14883fe6e2abd")
    private static let configWatched = MessageID("4749244a1b9846068bf7138629950d3e")

    static func entry(for version: Version, of id: Keeper.FileID) -> LogEntry {
        let draft = version.draft
        let author = draft.authorUID.map { " by uid \($0)" } ?? ""
        let reason = draft.reason.isEmpty ? "" : ": \(oneLine(draft.reason))"
        var fields = fields(of: id)
        fields["MAINSTAY_VERSION"] = String(version.number)
        let keys = phrase(draft.keys)
        let head = "\(id.service): \(id.path) is at version \(version.number)\(author)"
        return switch draft.origin {
        case .baseline:
            LogEntry(
                .info, "\(id.service): \(id.path) is kept from now on, as version 1", id: configBaseline, fields: fields
            )
        case .set: LogEntry(.notice, "\(head), with \(keys) changed\(reason)", id: configApplied, fields: fields)
        case .rollback:
            LogEntry(
                .notice, "\(head), again what version \(draft.restored ?? 0) was\(reason)", id: configRolledBack,
                fields: fields)
        case .adopted where draft.authorUID != nil:
            LogEntry(
                .notice, "\(head), with \(keys) changed, as it was set aside\(reason)", id: configApplied,
                fields: fields)
        case .adopted:
            LogEntry(
                .warning, "\(head): somebody else changed \(keys)", id: configAdopted, fields: fields)
        case .restored:
            LogEntry(
                .warning, "\(head), again what version \(draft.restored ?? 0) was\(reason)", id: configRestored,
                fields: fields)
        case .expired:
            LogEntry(
                .notice, "\(head): \(keys) had a value for a time and went back\(reason)", id: configExpired,
                fields: fields)
        }
    }

    /// The first few keys, and how many more.
    static func phrase(_ keys: [String]) -> String {
        let most = 5
        guard !keys.isEmpty else { return "no key" }
        let named = keys.prefix(most).map(oneLine).joined(separator: ", ")
        return keys.count > most ? "\(named) and \(keys.count - most) more" : named
    }

    /// A text from outside, which must not make lines of its own in a log.
    static func oneLine(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.prefix(200).map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
    }

    static func entry(refusing error: RPCError, of id: Keeper.FileID, uid: UInt32) -> LogEntry {
        LogEntry(
            .notice, "\(id.service): a change of \(id.path) by uid \(uid) was refused: \(oneLine(error.message))",
            id: configRefused,
            fields: fields(of: id).merging(["MAINSTAY_ERROR": error.name]) { $1 })
    }

    /// A chaos setting that is or was on.
    static func chaos(_ change: FlagChange, of id: Keeper.FileID, version: Int64, isHidden: Bool) -> LogEntry {
        let flag = change.flag.name
        let value = isHidden ? "" : change.after.value.map { ", \(oneLine(JSONWriter.text(of: $0)))" } ?? ""
        let fields = fields(of: id).merging(["MAINSTAY_VERSION": String(version), "MAINSTAY_FLAG": flag]) { $1 }
        guard change.isOn else {
            return LogEntry(
                .notice, "\(id.service): the chaos setting \(flag) is off again, with version \(version)",
                id: configChaosOff, fields: fields)
        }
        return LogEntry(
            .warning, "\(id.service): the chaos setting \(flag) is on\(value), with version \(version)",
            id: configChaosOn, fields: fields)
    }

    static func repaired(_ id: Keeper.FileID) -> LogEntry {
        LogEntry(
            .notice, "\(id.service): a write of \(id.path) that was cut off was cleared away", id: configRepaired,
            fields: fields(of: id))
    }

    static func invalid(_ found: ConfigInvalid, of id: Keeper.FileID) -> LogEntry {
        var fields = fields(of: id)
        fields["MAINSTAY_VERSION"] = String(found.version)
        let keys = phrase(Set(found.findings.compactMap(\.key)).sorted())
        return LogEntry(
            .warning,
            "\(id.service): \(id.path) at version \(found.version) is not what its schema expects, in \(keys)",
            id: configInvalid, fields: fields)
    }

    static func mended(_ id: Keeper.FileID) -> LogEntry {
        LogEntry(.notice, "\(id.service): \(id.path) is whole again", id: configMended, fields: fields(of: id))
    }

    /// `problem` is in words.
    static func troubled(_ id: Keeper.FileID, _ problem: String) -> LogEntry {
        LogEntry(.error, "\(id.service): \(problem)", id: configTroubled, fields: fields(of: id))
    }

    // MARK: Changes by somebody else

    static func quarantined(_ entry: ConfigQuarantined) -> LogEntry {
        LogEntry(
            .warning,
            """
            \(entry.service): what somebody else wrote to \(entry.file) was set aside as \(entry.quarantine): \
            \(oneLine(entry.message))
            """, id: configQuarantined, fields: fields(of: entry))
    }

    static func quarantineDropped(_ entry: ConfigQuarantined, _ dropped: [Int64]) -> LogEntry {
        let most = VersionStore.QuarantineBounds.self
        let numbers = dropped.map(String.init).joined(separator: ", ")
        return LogEntry(
            .notice,
            """
            \(entry.service): of what was set aside of \(entry.file), \(numbers) was dropped: \
            \(most.contents) contents and \(most.bytes >> 20) MiB are kept
            """, id: configQuarantineDropped, fields: fields(of: entry))
    }

    static func discarded(_ entry: ConfigQuarantined, uid: UInt32) -> LogEntry {
        LogEntry(
            .notice,
            "\(entry.service): what was set aside of \(entry.file) as \(entry.quarantine) was let go of by uid \(uid)",
            id: configQuarantineDiscarded, fields: fields(of: entry))
    }

    static func unwatched(_ id: Keeper.FileID, _ why: Keeper.Blindness) -> LogEntry {
        LogEntry(
            .warning,
            "\(id.service): \(id.path) is looked at each second, and others perhaps: \(why.words)", id: configUnwatched,
            fields: fields(of: id))
    }

    static func watched(_ id: Keeper.FileID, _ why: Keeper.Blindness) -> LogEntry {
        LogEntry(
            .notice, "\(id.service): changes of \(id.path) are noticed again, and of all others", id: configWatched,
            fields: fields(of: id))
    }

    private static func fields(of entry: ConfigQuarantined) -> [String: String] {
        var fields = fields(of: Keeper.FileID(service: entry.service, path: entry.file))
        fields["MAINSTAY_QUARANTINE"] = String(entry.quarantine)
        return fields
    }

    static func fields(of id: Keeper.FileID) -> [String: String] {
        ["MAINSTAY_SERVICE": id.service, "MAINSTAY_FILE": id.path]
    }
}

// MARK: Changes on trial

extension ConfigJournal {
    private static let changeOnTrial = MessageID("f914e5eecd6844edaad456d97425e43a")
    private static let changeActivated = MessageID("b0c34202ecec4b5eaf2698075ebe748e")
    private static let changeConfirmed = MessageID("7dba7101bb544ff3823f44e424483d13")
    private static let changeTakenBack = MessageID("7a8ba1ed08c0476fbd93a5062d8ef7a5")
    private static let takeBackFollowed = MessageID("8c0650100b144d16a8939d80a3d81b8c")
    private static let takeBackFailed = MessageID("9aa1f229b49242968e92adca284ca045")

    /// What has become of a trial; nil where the next entry says it.
    static func entry(for news: Trials.News, _ trial: Trial) -> LogEntry? {
        let head = "\(trial.service): change \(trial.id)"
        let window = "\(trial.window.milliseconds / 1000) s"
        switch news {
        case .applied:
            return trialEntry(
                .notice,
                "\(head) is in force on trial and waits for \(trial.activation.rawValue); then it has \(window)",
                changeOnTrial, trial)
        case .activated:
            return trialEntry(
                .notice, "\(head) is on trial for \(window): without a confirmation it goes back", changeActivated,
                trial)
        case .confirmed: return trialEntry(.notice, "\(head) was confirmed: it stays", changeConfirmed, trial)
        case .goingBack: return nil
        case .takenBack:
            let why = trial.shown(now: trial.recordedAt).end?.sentence ?? ""
            let files = trial.files.map { "\($0.path) is as version \($0.previous) was" }.joined(separator: ", ")
            return trialEntry(.warning, "\(head) was taken back, \(oneLine(why)): \(files)", changeTakenBack, trial)
        case .followed:
            return trialEntry(.notice, "\(head): the service runs what was before it again", takeBackFollowed, trial)
        }
    }

    /// A take-back that does not succeed yet, once.
    static func failed(_ trial: Trial, _ error: RPCError) -> LogEntry {
        trialEntry(
            .error,
            "\(trial.service): change \(trial.id) cannot be taken back yet: \(oneLine(error.message)). "
                + "It is tried again each 2 s, and cannot be confirmed", takeBackFailed, trial,
            ["MAINSTAY_ERROR": error.name])
    }

    private static func trialEntry(
        _ priority: LogEntry.Priority, _ text: String, _ id: MessageID, _ trial: Trial,
        _ fields: [String: String] = [:]
    ) -> LogEntry {
        let own = ["MAINSTAY_SERVICE": trial.service, "MAINSTAY_CHANGE": String(trial.id)]
        return LogEntry(priority, text, id: id, fields: fields.merging(own) { $1 })
    }
}

extension Keeper.Blindness {
    /// What is the matter and what to do about it.
    fileprivate var words: String {
        switch self {
        case .unreachable: "it cannot be opened"
        case .noWatchLeft: "its user has no watch left. Raise fs.inotify.max_user_watches (sysctl)"
        case .noDescriptorLeft: "no descriptor is left. Raise fs.inotify.max_user_instances (sysctl), or LimitNOFILE="
        case .sharedFileSystem(let name): "its file system, \(name), does not tell what other hosts write"
        case .failed(let why): "its folder cannot be watched: \(why)"
        }
    }
}
