import Runtime
import WatchdogAPI
import Wire

/// The journal's version of what happened: each entry with its MESSAGE_ID and the fields by which
/// `journalctl MAINSTAY_INCIDENT=…` tells one incident across daemons. The ids are settled in systemd/mainstay.catalog.
enum Story {
    static let incidentOpened = MessageID("9435a05092664faeb3c3e86981851b49")
    static let evidenceCollected = MessageID("3b1e7e08013647d1b1d04e4a8abe93dd")
    static let actionTaken = MessageID("70d55d4d7f6f40f0b8fb9ecddab736b5")
    static let validated = MessageID("cb3b4803b29f4404876a4067dc140dfc")
    static let incidentClosed = MessageID("7f9443a4c62a45c19c023b0cf11b0662")
    static let incidentAlias = MessageID("71aa487b4cba45f583a96eedc8e683f7")
    static let operatorCalled = MessageID("dd7cd14c43d84b0bbd8f0dc4e4c91125")
    static let recoveryRecorded = MessageID("567f687427cd4eb0a6d982d3947bd6c6")
    static let adopted = MessageID("47123f812edd433887f1d07e90a43591")
    static let held = MessageID("33dc549ce5e24b938da42e4f045af34d")
    static let released = MessageID("a4be7a370d5640058b508c39e0feb8cd")
    static let budgetReset = MessageID("d0036b8630d642e2873d2b48d48867a1")
    static let refused = MessageID("ab1159038a2f40728d337ff12de0f198")
    static let limitWarned = MessageID("1762b50cea5c4f9c8b9bc86e8ff41e03")
    static let operatorActed = MessageID("833cb135bb5b450bb7ecf563a516a52a")
    static let changeFollowed = MessageID("02497b54d98e424cac32f7356ac5bd14")

    /// One event as a journal entry.
    static func entry(_ event: WatchdogEvent) -> LogEntry {
        var entry = body(of: event)
        entry.fields["MAINSTAY_DAEMON"] = "watchdogd"
        if let incident = event.incident { entry.fields["MAINSTAY_INCIDENT"] = incident }
        return entry
    }

    private static func body(of event: WatchdogEvent) -> LogEntry {
        switch event {
        case .incidentOpened(let data): opened(data)
        case .evidenceCollected(let data): collected(data)
        case .actionTaken(let data): taken(data)
        case .validated(let data): validated(data)
        case .incidentClosed(let data): closed(data)
        case .held(let data):
            entry(.notice, data.service, "held by \(data.hold.by): \(data.hold.reason)", held)
        case .released(let data): entry(.notice, data.service, "released by \(data.by)", released)
        case .refused(let data): refused(data)
        case .budgetReset(let data):
            entry(.notice, data.service, "the restart budget was refilled by \(data.by)", budgetReset)
        case .limitWarned(let data):
            entry(
                .warning, data.service,
                "\(data.limit) is \(Figures.text(data.measured)) of \(Figures.text(data.limitValue)) allowed",
                limitWarned)
        case .operatorCalled(let data):
            entry(
                data.severity == .critical ? .critical : .warning, data.service, "an operator is needed: \(data.issue)",
                operatorCalled)
        case .recoveryRecorded(let data):
            entry(
                .notice, data.service, "somebody else acted: \(data.action), \(data.success ? "it helped" : "in vain")",
                recoveryRecorded, ["MAINSTAY_ACTION": data.action])
        case .adopted(let data):
            entry(
                data.warning == nil ? .info : .warning, data.service,
                "guarded\(data.pid.map { ", pid \($0)" } ?? ", not running")\(data.warning.map { ". \($0)" } ?? "")",
                adopted)
        case .operatorActed(let data):
            entry(.notice, data.service, "\(data.what), and not by Mainstay", operatorActed)
        case .changeFollowed(let data): followed(data)
        }
    }

    private static func followed(_ data: ChangeFollowed) -> LogEntry {
        let change = data.back ? "what was before change \(data.change)" : "change \(data.change)"
        let detail = data.detail.map { ": \($0)" } ?? ""
        let text =
            switch data.outcome {
            case .underWay: "is brought to \(change) by \(data.activation)\(detail)"
            case .done: "runs \(change)\(detail)"
            case .failed, .timedOut, .abandoned: "is not well with \(change)\(detail)"
            }
        return entry(
            data.outcome == .failed ? .warning : .notice, data.service, text, changeFollowed,
            ["MAINSTAY_CHANGE": "\(data.change)", "MAINSTAY_OUTCOME": data.outcome.rawValue])
    }

    private static func opened(_ data: IncidentOpened) -> LogEntry {
        let detected = data.detectionMs.map { ", \($0) ms after the last good sign" } ?? ""
        var fields = ["MAINSTAY_CLASS": data.incidentClass.rawValue]
        fields["MAINSTAY_DETECTED_MS"] = data.detectionMs.map { "\($0)" }
        return entry(
            data.incidentClass == .requested ? .notice : .error, data.service,
            "\(data.incidentClass.rawValue)\(detected)\(numbers(data.numbers))", incidentOpened, fields)
    }

    private static func collected(_ data: EvidenceCollected) -> LogEntry {
        let note = data.evidence
        let facts = note.facts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "; ")
        let place = note.path.map { ", \(note.bytes) bytes in \($0)" } ?? ""
        return entry(
            .notice, data.service,
            "evidence in \(note.tookMs) ms\(note.complete ? "" : ", cut short")\(place): \(facts)",
            evidenceCollected)
    }

    private static func taken(_ data: ActionTaken) -> LogEntry {
        let action = data.action
        let detail = action.detail.map { " (\($0))" } ?? ""
        let took = action.tookMs.map { " after \($0) ms" } ?? ""
        let failed = action.outcome == .failed || action.outcome == .timedOut
        return entry(
            failed ? .warning : .notice, data.service,
            "\(action.kind.rawValue)\(detail): \(action.outcome.rawValue)\(took)", actionTaken,
            ["MAINSTAY_ACTION": action.kind.rawValue, "MAINSTAY_OUTCOME": action.outcome.rawValue])
    }

    private static func validated(_ data: Validated) -> LogEntry {
        var fields: [String: String] = [:]
        fields["MAINSTAY_RECOVERED_MS"] = data.recoveryMs.map { "\($0)" }
        let recovered = data.recoveryMs.map { ", \($0) ms after the last good sign" } ?? ""
        return entry(
            .notice, data.service, "serves again: \(data.validation.goodProbes) good answers running\(recovered)",
            validated, fields)
    }

    private static func closed(_ data: IncidentClosed) -> LogEntry {
        entry(
            .notice, data.service,
            "\(data.incidentClass.rawValue) is over: \(data.outcome.rawValue) in \(data.lastedMs) ms",
            incidentClosed,
            ["MAINSTAY_CLASS": data.incidentClass.rawValue, "MAINSTAY_OUTCOME": data.outcome.rawValue])
    }

    private static func refused(_ data: Refused) -> LogEntry {
        entry(
            .notice, data.service, "nothing is done: \(data.reason.rawValue)\(data.detail.map { " (\($0))" } ?? "")",
            refused, ["MAINSTAY_REASON": data.reason.rawValue])
    }

    /// Another daemon's name for an open incident.
    static func alias(_ alias: String, of incident: String, service: String) -> LogEntry {
        var entry = entry(
            .info, service, "incident \(incident) is also known as \(alias)", incidentAlias,
            ["MAINSTAY_ALIAS": alias])
        entry.fields["MAINSTAY_DAEMON"] = "watchdogd"
        entry.fields["MAINSTAY_INCIDENT"] = incident
        return entry
    }

    private static func entry(
        _ priority: LogEntry.Priority, _ service: String, _ text: String, _ id: MessageID,
        _ fields: [String: String] = [:]
    ) -> LogEntry {
        LogEntry(
            priority, "\(service): \(text)", id: id,
            fields: fields.merging(["MAINSTAY_SERVICE": service]) { own, _ in own })
    }

    /// The figures that decided, in the words of the wire.
    private static func numbers(_ numbers: ClassNumbers) -> String {
        guard case .object(let object)? = try? JSONReader.read(JSONWriter.bytes(of: numbers)), !object.isEmpty else {
            return ""
        }
        let parts = object.members.map { member in
            let value =
                switch member.value {
                case .string(let text): text
                case let other: JSONWriter.text(of: other)
                }
            return "\(member.key) \(value)"
        }
        return "; " + parts.joined(separator: ", ")
    }
}
