import ConfigAPI
import HealthAPI
import MetricsAPI
import WatchdogAPI
import Wire

extension Overview {
    /// A row a daemon: how it is and, in a phrase, what it has to say.
    var daemonTable: Table {
        var table = Table("DAEMON", "STATE", ">UP", ">PID", "SAYS")
        for (daemon, head) in heads {
            switch head {
            case .success(let head):
                table.add(
                    Cell(daemon.rawValue), head.condition.cell, Cell(Words.length(ms: head.upMs)), "\(head.pid)",
                    says(daemon, head))
            case .failure(let error):
                let state = error.isSilence ? Cell("silent", .bad) : Cell("refused", .warning)
                let why = error.message.split(separator: ": ", maxSplits: 1).last.map(String.init) ?? error.message
                table.add(Cell(daemon.rawValue), state, .none, .none, Cell(why, .dim))
            }
        }
        addFollower(to: &table)
        return table
    }

    private func says(_ daemon: DaemonName, _ head: StatusHead) -> Cell {
        let stuck = head.threads.filter(\.stuck)
        if let thread = stuck.first {
            return Cell("thread \(thread.name) is stuck for \(Words.length(ms: thread.busyMs))", .bad)
        }
        if let refused = head.settings.refused {
            return Cell("settings refused, the old ones stay: \(refused)", .bad)
        }
        let silent = head.peers.filter { !$0.answers }.map(\.daemon)
        if !silent.isEmpty { return Cell("does not hear \(silent.joined(separator: ", "))", .warning) }
        return switch daemon {
        case .configd: (try? configd.get())?.own.summary ?? .none
        case .metricsd: (try? metricsd.get())?.own.summary ?? .none
        case .healthd: (try? healthd.get())?.own.summary ?? .none
        case .watchdogd: (try? watchdogd.get())?.own.summary ?? .none
        case .configdEtcd: .none
        }
    }

    /// A row a service, or a sentence where there is none to show.
    func serviceLines(on screen: Screen) -> [String] {
        let services = services
        guard !services.isEmpty else {
            return failures.isEmpty
                ? ["No service: write /etc/mainstay/services/NAME.yaml, then systemctl reload mainstay-watchdogd"]
                : ["No service is known to the daemons that answered"]
        }
        var table = Table("SERVICE", "HEALTH", "GUARD", ">SINCE", ">PID", ">RESTARTS LEFT", ">CONFIG", "INCIDENT")
        for service in services {
            let guarding = service.guarding
            table.add(
                Cell(service.name), service.health?.status.cell ?? .none, guarding?.condition.cell ?? .none,
                (guarding?.sinceMs ?? service.health?.sinceMs).map { Cell(Words.age(since: $0)) } ?? .none,
                guarding?.pid.map { "\($0)" } ?? .none,
                guarding.map { Cell(Words.tenths($0.restartsLeft), $0.isOutOfRestarts ? .bad : .plain) } ?? .none,
                service.configCell, service.storyCell)
        }
        return table.lines(on: screen)
    }
}

extension ServiceLine {
    /// The version in force; several files by the one that is worst.
    fileprivate var configCell: Cell {
        guard let first = files.first else { return .none }
        if let ill = files.first(where: { $0.condition != .whole }) { return ill.condition.cell }
        if let pending, pending.isOnTrial, let file = pending.files.first {
            return Cell("v\(file.version) on trial", .warning)
        }
        return files.count == 1 ? "v\(first.version)" : Cell(Words.count(files.count, "file"))
    }

    /// The open incident, or what else an operator should know before acting.
    fileprivate var storyCell: Cell {
        if let guarding, let incident = guarding.incident {
            let what = guarding.incidentClass.map { "\($0.rawValue), " } ?? ""
            return Cell("\(what)\(incident)", .bad)
        }
        if let hold = guarding?.hold { return Cell("held by \(hold.by): \(hold.reason)", .warning) }
        if let health, health.status != .healthy, let cause = health.cause { return Cell(cause, .warning) }
        // The first clause here; `mainstay status SERVICE` shows the remedy too.
        if let warning = guarding?.warning, let clause = warning.split(separator: ":").first {
            return Cell(String(clause), .warning)
        }
        return .none
    }
}

extension WatchdogAPI.ServiceSummary {
    /// The budget has no whole restart left: the next trouble is met by one slow try after another.
    var isOutOfRestarts: Bool { restartsLeft < 1 }

    /// An incident is open, force is under way, or none is left.
    var isInTrouble: Bool { incident != nil || isOutOfRestarts || condition.cell.style == .bad }
}

extension StatusHead.Condition {
    var cell: Cell {
        switch self {
        case .running: Cell(rawValue, .good)
        case .stuck: Cell(rawValue, .bad)
        case .stopping: Cell(rawValue, .warning)
        }
    }
}

extension ServiceHealth {
    var cell: Cell {
        switch self {
        case .healthy: Cell(rawValue, .good)
        case .degraded: Cell(rawValue, .warning)
        case .unhealthy: Cell(rawValue, .bad)
        case .unknown: Cell(rawValue, .dim)
        }
    }
}

extension Verdict {
    var cell: Cell {
        switch self {
        case .ok: Cell(rawValue, .good)
        case .warning: Cell(rawValue, .warning)
        case .critical: Cell(rawValue, .bad)
        case .unknown: Cell(rawValue, .dim)
        }
    }
}

extension GuardCondition {
    var cell: Cell {
        switch self {
        case .watching: Cell(rawValue, .good)
        case .adopting, .warming, .operatorActing, .operatorStopped, .hostStopping: Cell(rawValue, .dim)
        case .suspecting, .confirming, .saturated, .waitingForHost, .waitingForTurn, .held: Cell(rawValue, .warning)
        case .judgingDeath, .backingOff, .collectingEvidence, .draining, .terminating, .killing, .starting, .validating,
            .halfOpen:
            Cell(rawValue, .bad)
        }
    }
}

extension ConfigFileStatus.Condition {
    var cell: Cell {
        switch self {
        case .whole: Cell(rawValue, .good)
        case .unknown: Cell(rawValue, .dim)
        case .missing, .troubled: Cell(rawValue, .bad)
        }
    }
}

extension ConfigStatus {
    fileprivate var summary: Cell {
        guard let ill = files.first(where: { $0.condition == .missing || $0.condition == .troubled }) else {
            let leased = leasedKeys > 0 ? ", \(Words.count(leasedKeys, "key")) leased" : ""
            return Cell("\(Words.count(files.count, "file")) kept\(leased)")
        }
        return Cell("\(ill.file) is \(ill.condition.rawValue)\(ill.problem.map { ": \($0)" } ?? "")", .bad)
    }
}

extension MetricsStatus {
    fileprivate var summary: Cell {
        switch store {
        case .working:
            if let ill = remotes.first(where: { $0.condition == .failing }) {
                return Cell("cannot hand on to \(ill.url)\(ill.reason.map { ": \($0)" } ?? "")", .warning)
            }
            let committed = committedToMs.map { ", on disk up to \(Words.age(since: $0)) ago" } ?? ""
            return Cell("\(liveSeries) live series\(committed)")
        case .failing:
            return Cell("the store fails\(storeReason.map { ": \($0)" } ?? ""); values are kept in memory", .bad)
        }
    }
}

extension HealthdStatus {
    fileprivate var summary: Cell {
        let told = alerts == 0 ? "no alert" : "\(Words.count(alerts, "alert")) (mainstay alerts)"
        let style: Style = urgentAlerts > 0 ? .bad : alerts > 0 ? .warning : .plain
        return Cell("\(Words.count(checks, "check")), \(told)", style)
    }
}

extension WatchdogStatus {
    fileprivate var summary: Cell {
        if hostStopping { return Cell("the host is stopping: nothing is acted on", .warning) }
        if hostStarved { return Cell("the host is starved of CPU: force is held back", .warning) }
        let open = services.filter { $0.incident != nil }.count
        let told = open == 0 ? "no incident" : "\(Words.count(open, "incident")) open"
        return Cell("guards \(Words.count(services.count, "service")), \(told)", open == 0 ? .plain : .bad)
    }
}
