import Time
import WatchdogAPI

/// The open incident of a service: its record, and what is needed to fill it in.
struct IncidentBook: Hashable, Sendable {
    /// Actions kept from the beginning and from the end; what lies between is only counted.
    static let firstKept = 20
    static let lastKept = 60
    static let refusalsKept = 50

    private(set) var record: IncidentRecord
    /// The last good sign before it: detection and recovery are counted from here.
    let lastSign: Instant?
    /// What operators were called for already.
    private(set) var paged: Set<String> = []
    private var began: [ActionKind: Instant] = [:]

    /// A new incident. `lastSign` may be of another life of watchdogd, then it is nil.
    init(
        id: String, service: String, why: IncidentClass, numbers: ClassNumbers, lastSign: Instant?, now: Moment
    ) {
        self.lastSign = lastSign
        record = IncidentRecord(
            id: id, service: service, openedAtMs: now.wall.milliseconds, incidentClass: why, numbers: numbers,
            detectionMs: lastSign.map { (now.instant - $0).milliseconds }, outcome: .open)
    }

    /// Goes on with a record of an earlier life: what was under way then is not any more.
    init(resuming record: IncidentRecord, now: Moment) {
        self.record = record
        // The last sign by the wall clock, since the monotonic one may be another boot's.
        lastSign = record.detectionMs.map {
            now.instant - .milliseconds(max(0, now.wall.milliseconds - record.openedAtMs + $0))
        }
        for place in self.record.actions.indices where self.record.actions[place].outcome == .underWay {
            self.record.actions[place].outcome = .abandoned
            self.record.actions[place].detail = "watchdogd was restarted"
        }
    }

    /// An action begins.
    mutating func begin(_ kind: ActionKind, detail: String?, now: Moment) -> ActionRecord {
        let action = ActionRecord(
            kind: kind, startedAtMs: now.wall.milliseconds, outcome: .underWay, detail: detail)
        add(action)
        began[kind] = now.instant
        return action
    }

    /// The last action of that kind ends; nil where none is under way.
    mutating func end(_ kind: ActionKind, _ outcome: ActionOutcome, detail: String?, now: Moment) -> ActionRecord? {
        let place = record.actions.lastIndex { $0.kind == kind && $0.outcome == .underWay }
        guard let place else { return nil }
        record.actions[place].outcome = outcome
        record.actions[place].tookMs = began[kind].map { (now.instant - $0).milliseconds }
        if let detail { record.actions[place].detail = detail }
        began[kind] = nil
        return record.actions[place]
    }

    /// Whatever is under way is given up.
    mutating func abandonActions(now: Moment) -> [ActionRecord] {
        var ended: [ActionRecord] = []
        for kind in ActionKind.allCases {
            if let action = end(kind, .abandoned, detail: nil, now: now) { ended.append(action) }
        }
        return ended
    }

    /// An action that is over as soon as it is told.
    mutating func add(_ action: ActionRecord) {
        record.actions.append(action)
        guard record.actions.count > Self.firstKept + Self.lastKept else { return }
        record.actions.remove(at: Self.firstKept)
        record.actionsLeftOut += 1
    }

    mutating func add(_ refusal: Refusal) {
        guard record.refusals.count < Self.refusalsKept else { return }
        record.refusals.append(refusal)
    }

    mutating func add(_ evidence: EvidenceNote) { record.evidence = evidence }

    mutating func add(alias: String) {
        guard alias != record.id, !record.aliases.contains(alias), record.aliases.count < Self.refusalsKept else {
            return
        }
        record.aliases.append(alias)
    }

    mutating func validated(_ validation: ValidationRecord, firstGood: Instant) {
        record.validation = validation
        record.recoveryMs = lastSign.map { (firstGood - $0).milliseconds }
    }

    mutating func close(_ outcome: IncidentOutcome, now: Moment) {
        record.outcome = outcome
        record.closedAtMs = now.wall.milliseconds
    }

    /// Whether a process was ended or started under this incident.
    var usedForce: Bool {
        record.actions.contains {
            switch $0.kind {
            case .drain, .terminate, .kill, .signal, .start: true
            case .collectEvidence, .stopUnit, .validate, .wait, .page, .external: false
            }
        }
    }

    /// Whether an operator is to be called for `cause`: once an incident.
    mutating func pages(for cause: String) -> Bool { paged.insert(cause).inserted }
}
