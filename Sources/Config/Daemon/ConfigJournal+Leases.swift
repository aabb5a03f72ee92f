import ConfigAPI
import ConfigCore
import Runtime
import Time
import Wire

/// Leases and locks as journal entries. That one went back is told with its version.
extension ConfigJournal {
    private static let configLeased = MessageID("0672bf0e555e45b6bac10259b1182549")
    private static let leaseOverridden = MessageID("c863baa36bb6437e85e94b699f5ff6c4")
    private static let lockExpired = MessageID("5f0e1c6b7a1d4f0c9a4f3b1f6b1c2d7e")
    private static let leaseStuck = MessageID("6179a983c6584c569fb58b82aedf4b9b")

    static func leased(_ claim: Leases.Claim, for left: Duration, of id: Keeper.FileID) -> LogEntry {
        let reason = claim.reason.isEmpty ? "" : ": \(oneLine(claim.reason))"
        return LogEntry(
            .notice,
            "\(id.service): uid \(claim.authorUID) gave \(oneLine(claim.key)) of \(id.path) a value for "
                + "\(left.milliseconds / 1000) s\(reason)", id: configLeased,
            fields: fields(of: id).merging(["MAINSTAY_VERSION": String(claim.version)]) { $1 })
    }

    static func entry(for news: Custody.LeaseNews) -> LogEntry {
        let keys = phrase(news.keys)
        let head = "\(news.file.service): the lease of \(keys) in \(news.file.path)"
        return switch news.how {
        case .leftAlone:
            LogEntry(
                .notice, "\(head) has ended; what somebody set meanwhile stays", id: leaseOverridden,
                fields: fields(of: news.file))
        case .overridden(let uid):
            LogEntry(
                .notice, "\(head) is over: a change by uid \(uid) has another value for it, or the same for good",
                id: leaseOverridden, fields: fields(of: news.file))
        }
    }

    static func lockExpired(_ lock: LockBook.Lock) -> LogEntry {
        LogEntry(
            .warning,
            "\(lock.service): process \(lock.holder.pid) of uid \(lock.holder.uid) held the lock of the files and gave no sign "
                + "of life in its time; others may change them again", id: lockExpired,
            fields: ["MAINSTAY_SERVICE": lock.service])
    }

    /// A take-back that does not succeed yet, once.
    static func stuck(_ claims: [Leases.Claim], of id: Keeper.FileID, _ error: RPCError) -> LogEntry {
        LogEntry(
            .error,
            "\(id.service): \(phrase(claims.map(\.key))) of \(id.path) cannot be taken back yet: "
                + "\(oneLine(error.message)). It is tried again until it succeeds", id: leaseStuck,
            fields: fields(of: id).merging(["MAINSTAY_ERROR": error.name]) { $1 })
    }
}
