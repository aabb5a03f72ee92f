import Runtime
import WatchdogAPI

/// How often what was announced, since the start, for `metrics`.
@Loop final class Tally {
    private(set) var incidents: [IncidentClass: Int] = [:]
    private(set) var actions: [ActionKind: Int] = [:]
    private(set) var refusals = 0

    nonisolated init() {}

    /// Counts an incident as it opens and an action as it begins; other events are not counted.
    func count(_ event: WatchdogEvent) {
        switch event {
        case .incidentOpened(let opened): incidents[opened.incidentClass, default: 0] += 1
        case .actionTaken(let taken) where taken.action.outcome == .underWay:
            actions[taken.action.kind, default: 0] += 1
        case .refused: refusals += 1
        case .actionTaken, .evidenceCollected, .validated, .incidentClosed, .held, .released, .budgetReset,
            .limitWarned, .operatorCalled, .recoveryRecorded, .adopted, .operatorActed, .changeFollowed:
            break
        }
    }
}
