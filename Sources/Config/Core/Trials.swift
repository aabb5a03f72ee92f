package import ConfigAPI
package import Time

/// What configd's loop knows of the changes on trial, one a service at most, and when it has the store thread settle one: the
/// machine beside `Keeper`. The rows themselves are the store thread's, and so is the word on each; what that thread wrote
/// comes back here as events, and what subscribers and the journal hear is decided from the difference.
package struct Trials: Hashable, Sendable {
    /// What the daemon is to do.
    package enum Action: Hashable, Sendable {
        /// Have the store thread look at the service's trial and do what its row, its files and the clock ask for.
        case settle(service: String)
        /// Give the id back with `timerFired` after this time.
        case setTimer(TimerID, after: Duration)
        case cancelTimer(TimerID)
        /// Tell subscribers and the journal.
        case announce(News, Trial)
    }

    /// What has become of a trial.
    package enum News: Hashable, Sendable {
        /// It is in force, and wants its service to be brought to it.
        case applied
        case activated
        case confirmed
        /// It goes back; the previous files are being written.
        case goingBack
        /// The previous files are in force again.
        case takenBack
        /// Its service runs them.
        case followed
    }

    /// How a trial ended whose row went with that.
    package enum Ending: Hashable, Sendable {
        case confirmed
        /// The previous files are in force, and nothing has to be done for them; the trial as it was then.
        case takenBack(Trial)
    }

    /// A take-back that the disk refused, or a store thread that did not answer, is tried again after this.
    package static let retryInterval: Duration = .seconds(2)

    private struct Held: Hashable {
        var trial: Trial
        var timer: TimerID?
    }

    private var trials: [String: Held] = [:]
    /// Services whose row may be another than is known here, and must be looked at again.
    private var doubtful: [String: TimerID] = [:]
    private var ids = TimerIDs()

    package init() {}

    // MARK: What it says

    /// As the socket shows them, by the services' names.
    package func shown(now: Moment) -> [ConfigPending] {
        trials.sorted { $0.key < $1.key }.map { $0.value.trial.shown(now: now) }
    }

    /// The service's trial; nil where there is none.
    package func trial(of service: String) -> Trial? { trials[service]?.trial }

    // MARK: Events

    /// What the store thread found at the start, before anything was settled.
    package mutating func found(_ kept: [Trial], now: Moment) -> [Action] {
        for trial in kept { trials[trial.service] = Held(trial: trial) }
        return kept.map { .settle(service: $0.service) }
    }

    /// A job of the store thread has ended that may have changed the service's row: the row as it is now, and how the trial ended
    /// where that took the row. A row that is gone without an ending never took place, or is of a file that the settings do not
    /// name any more.
    package mutating func changed(
        _ service: String, to row: Trial?, ending: Ending? = nil, now: Moment
    ) -> [Action] {
        let before = trials[service]
        var actions: [Action] = doubtful.removeValue(forKey: service).map { [.cancelTimer($0)] } ?? []
        if let timer = before?.timer { actions.append(.cancelTimer(timer)) }
        trials[service] = row.map { Held(trial: $0) }
        if let (news, about) = Self.news(from: before?.trial, to: row, ending) {
            actions.append(.announce(news, about))
        }
        guard let row else { return actions }
        switch row.phase {
        // Only a look tells whether it took place, and only another one whether it is back.
        case .recorded, .goingBack: actions.append(wait(for: service, Self.retryInterval))
        case .applied, .activated, .takenBack:
            guard let deadline = row.deadline else { break }
            actions.append(wait(for: service, max(.zero, deadline.instant - now.instant)))
        }
        return actions
    }

    /// The store thread did not answer, or failed: it may have done what was asked, or not. A change that was refused may have
    /// left its row all the same.
    package mutating func notAnswered(_ service: String) -> [Action] {
        let stale = [trials[service]?.timer, doubtful[service]].compactMap { $0 }
        trials[service]?.timer = nil
        let id = ids.next()
        doubtful[service] = id
        return stale.map { .cancelTimer($0) } + [.setTimer(id, after: Self.retryInterval)]
    }

    /// An id that is no longer waited for does nothing.
    package mutating func timerFired(_ id: TimerID) -> [Action] {
        if let service = doubtful.first(where: { $0.value == id })?.key {
            doubtful[service] = nil
            return [.settle(service: service)]
        }
        guard let service = trials.first(where: { $0.value.timer == id })?.key else { return [] }
        trials[service]?.timer = nil
        return [.settle(service: service)]
    }

    /// The service's files were looked at and its trial may have become another: somebody else's edit, a version found after
    /// a crash. Asked at each version that is announced.
    package func versionAnnounced(of service: String) -> [Action] {
        trials[service]?.trial.isPending == true ? [.settle(service: service)] : []
    }

    private mutating func wait(for service: String, _ time: Duration) -> Action {
        let id = ids.next()
        trials[service]?.timer = id
        return .setTimer(id, after: time)
    }

    /// What there is to tell, and of which trial.
    private static func news(from old: Trial?, to new: Trial?, _ ending: Ending?) -> (News, Trial)? {
        if let new { return news(from: old, to: new).map { ($0, new) } }
        switch (ending, old) {
        case (.takenBack(let trial), _): return (.takenBack, trial)
        case (.confirmed, let old?): return (.confirmed, old)
        case (_, nil): return nil
        case (nil, let old?):
            switch old.phase {
            case .recorded, .applied, .activated: return nil
            case .goingBack: return (.takenBack, old)
            case .takenBack: return (.followed, old)
            }
        }
    }

    private static func news(from old: Trial?, to new: Trial) -> News? {
        if let old, old.id == new.id, rank(old) == rank(new) { return nil }
        switch new.phase {
        case .recorded: return nil
        case .applied: return .applied
        case .activated: return .activated
        case .goingBack: return .goingBack
        case .takenBack: return .takenBack
        }
    }

    private static func rank(_ trial: Trial) -> Int {
        switch trial.phase {
        case .recorded: 0
        case .applied: 1
        case .activated: 2
        case .goingBack: 3
        case .takenBack: 4
        }
    }
}
