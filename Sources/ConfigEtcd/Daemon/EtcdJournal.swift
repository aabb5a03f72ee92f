import ConfigEtcdAPI
import ConfigEtcdCore
import Runtime

/// configd-etcd's decisions as journal entries, with the ids of systemd/mainstay.catalog. No entry holds a value.
enum EtcdJournal {
    private static let etcdConnected = MessageID("86b0ebdb2b0e4ab0991a1df8484c10f8")
    private static let etcdSilent = MessageID("9f91ac3ff6a241b593ebf5fd33bc27af")
    private static let etcdApplied = MessageID("f8606c55a5054fe8aff657d132a5626c")
    private static let etcdRefused = MessageID("13ab045417b9423a828bdc695b0165b7")
    private static let etcdTakenBack = MessageID("9c4f65f293024ca2a937ce8e09cf2cc2")
    private static let etcdWaiting = MessageID("4a5628ec928e44e7ad448cd98bc1731e")
    private static let etcdGoesOn = MessageID("8e10a85f043d49098f1a77fffc8d9abb")

    /// `members` are the names of the cluster's members.
    static func entry(for news: FollowerNews, members: [String]) -> LogEntry {
        switch news {
        case .connected(let endpoint, let head):
            LogEntry(
                .notice, "etcd is followed at \(members[endpoint]), which is at revision \(head.revision)",
                id: etcdConnected)
        case .silent(let endpoint, let why):
            LogEntry(
                .warning, "etcd is not followed, the files stay as they are: \(members[endpoint]): \(why)",
                id: etcdSilent)
        case .applied(let service, let through, let count, let version):
            LogEntry(
                .notice, "\(service): \(phrase(count, through))" + (version.map { " as version \($0)" } ?? ""),
                id: etcdApplied, fields: fields(service, through))
        case .confirmed(let service, let through, let version):
            LogEntry(
                .notice,
                "\(service): etcd revision \(through) was confirmed" + (version.map { " as version \($0)" } ?? ""),
                id: etcdApplied, fields: fields(service, through))
        case .refused(let refusal): entry(.warning, "was refused", refusal, etcdRefused)
        case .takenBack(let refusal): entry(.warning, "was taken back", refusal, etcdTakenBack)
        case .waiting(let service, let revision, let objection):
            LogEntry(
                .warning, "\(service): etcd revision \(revision) waits: \(oneLine(objection.message))", id: etcdWaiting,
                fields: fields(service, revision).merging(["MAINSTAY_ERROR": objection.error]) { $1 })
        case .goesOn(let service):
            LogEntry(
                .notice, "\(service): etcd is followed again", id: etcdGoesOn, fields: ["MAINSTAY_SERVICE": service])
        }
    }

    private static func phrase(_ count: Int, _ through: Int64) -> String {
        count == 1
            ? "etcd revision \(through) is applied" : "\(count) etcd revisions up to \(through) are applied at once"
    }

    private static func entry(
        _ priority: LogEntry.Priority, _ what: String, _ refusal: EtcdRefusal, _ id: MessageID
    ) -> LogEntry {
        LogEntry(
            priority, "\(refusal.service): etcd revision \(refusal.revision) \(what): \(oneLine(refusal.message))",
            id: id,
            fields: fields(refusal.service, refusal.revision).merging(["MAINSTAY_ERROR": refusal.error]) { $1 })
    }

    private static func fields(_ service: String, _ revision: Int64) -> [String: String] {
        ["MAINSTAY_SERVICE": service, "MAINSTAY_REVISION": "\(revision)"]
    }

    /// A text from outside, which must not make lines of its own in a log.
    private static func oneLine(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.prefix(300).map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
    }
}
