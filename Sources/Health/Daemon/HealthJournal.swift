import HealthAPI
import HealthCore
import Runtime
import Wire

/// healthd's decisions as journal entries, with the ids of systemd/mainstay.catalog.
enum HealthJournal {
    private static let checkChanged = MessageID("1465a37b95ae48f1b830f85e6606bfe8")
    private static let statusChanged = MessageID("1d635dc67ae04607ba1d15d6460e2637")
    private static let alertRaised = MessageID("f282f846e0794e00b80209afed2797b9")
    private static let alertResolved = MessageID("b9f4df0230fb46759e6d4ce10f5911bc")
    private static let incidentAlias = MessageID("71aa487b4cba45f583a96eedc8e683f7")

    /// The entry for a piece of news; nil where the journal need not hear it.
    static func entry(for news: HealthNews) -> LogEntry? {
        switch news {
        case .checkChanged(let change):
            // A check that was seen well for the first time: the status tells it, once for all of them.
            if change.previous == .unknown, change.status == .ok { return nil }
            return LogEntry(
                change.status == .ok ? .info : .notice,
                "\(change.service): check \(change.check) is \(change.status.rawValue): \(change.message)",
                id: checkChanged,
                fields: [
                    "MAINSTAY_SERVICE": change.service, "MAINSTAY_CHECK": change.check,
                    "MAINSTAY_STATUS": change.status.rawValue,
                ])
        case .statusChanged(let change):
            var fields = ["MAINSTAY_SERVICE": change.service, "MAINSTAY_STATUS": change.status.rawValue]
            fields["MAINSTAY_INCIDENT"] = change.incident
            return LogEntry(
                change.status == .unhealthy ? .warning : .notice,
                "\(change.service) is \(change.status.rawValue)" + (change.cause.map { ": \($0)" } ?? ""),
                id: statusChanged, fields: fields)
        case .alertRaised(let alert):
            return LogEntry(
                alert.severity == .warning ? .warning : .error, alert.summary, id: alertRaised,
                fields: fields(of: alert))
        case .alertResolved(let alert):
            return LogEntry(.notice, "over: \(alert.summary)", id: alertResolved, fields: fields(of: alert))
        case .incidentAliased(let service, let alias, let winner):
            return LogEntry(
                .notice, "\(service): incident \(alias) is \(winner)", id: incidentAlias,
                fields: ["MAINSTAY_SERVICE": service, "MAINSTAY_INCIDENT": winner, "MAINSTAY_ALIAS": alias])
        }
    }

    private static let changeJudged = MessageID("88e90f6a40a840f2b5955078919c6d94")

    /// What is thought of a change on trial, when that changes.
    static func entry(for opinion: CommitJudge.Opinion, of service: String) -> LogEntry {
        let words =
            switch opinion.verdict {
            case .asGood: "is as good as what was before it"
            case .worse: "is worse than what was before it"
            case .unknown: "cannot be judged"
            }
        return LogEntry(
            opinion.verdict == .worse ? .warning : .notice,
            "\(service): change \(opinion.change) \(words): \(opinion.reason)", id: changeJudged,
            fields: [
                "MAINSTAY_SERVICE": service, "MAINSTAY_CHANGE": String(opinion.change),
                "MAINSTAY_OPINION": opinion.verdict.rawValue,
            ])
    }

    private static func fields(of alert: Alert) -> [String: String] {
        var fields = [
            "MAINSTAY_SERVICE": alert.service, "MAINSTAY_ALERT": alert.id, "MAINSTAY_SEVERITY": alert.severity.rawValue,
        ]
        fields["MAINSTAY_INCIDENT"] = alert.incident
        return fields
    }
}
