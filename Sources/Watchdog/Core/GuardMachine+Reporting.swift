package import Time
package import WatchdogAPI

// What the machine says of itself.
extension GuardMachine {
    /// The service at a glance.
    package func summary(now: Moment) -> ServiceSummary {
        var settled = budget
        settled.settle(at: now.instant, settings: settings)
        return ServiceSummary(
            service: service, unit: settings.unit, condition: condition, sinceMs: stateSince.wall.milliseconds,
            pid: process.map { Int64($0.pid) }, lastGoodMs: lastGood?.wall.milliseconds,
            incident: incident?.record.id, incidentClass: incident?.record.incidentClass,
            restartsLeft: settled.tokens, hold: hold, warning: unitWarning)
    }

    /// Only with `Restart=always` does a unit that ended by itself look otherwise than one that somebody stopped, and only
    /// then does process 1 stand in for a watchdogd that is gone.
    var unitWarning: String? {
        guard let restart = unit?.restart, restart != "always", unit?.active != .missing else { return nil }
        return "\(settings.unit) has Restart=\(restart): when it ends by itself, that looks like an operator's stop. "
            + "Install /usr/share/mainstay/guarded.conf as /etc/systemd/system/\(settings.unit).d/50-mainstay.conf, then "
            + "run systemctl daemon-reload"
    }

    /// Everything.
    package func report(now: Moment) -> ServiceReport {
        let next: Int64? =
            switch state {
            case .backingOff, .halfOpen: due(.step).map { now.wall.milliseconds + ($0 - now.instant).milliseconds }
            case .adopting, .warming, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .judgingDeath,
                .waitingForTurn, .collectingEvidence, .draining, .terminating, .killing, .starting, .validating, .held,
                .operatorActing, .operatorStopped, .hostStopping:
                nil
            }
        return ServiceReport(
            summary: summary(now: now), process: figures(now: now), probes: probes.notes,
            backoffLevel: Int64(budget.backoffLevel), nextActMs: next,
            mainThreadServes: progress.worth.mainThreadServes, refusals: refusals,
            dependenciesDown: dependenciesDown, lastHeartbeatMs: lastHeartbeat?.wall.milliseconds,
            lastIncident: lastIncident)
    }

    /// The seed's `ProcessHealth`.
    package func health(now: Moment) -> ProcessHealth {
        ProcessHealth(
            service: service, alive: process != nil, responsive: probes.notes.last?.verdict == .good,
            condition: condition, process: figures(now: now), lastGoodMs: lastGood?.wall.milliseconds,
            lastProbe: probes.notes.last, incidentClass: incident?.record.incidentClass)
    }

    /// The open incident's record as it stands, for `incident` while the store is behind.
    package var openRecord: IncidentRecord? { incident?.record }

    private func figures(now: Moment) -> ProcessFigures? {
        guard let process else { return nil }
        let counters = progress.latest.flatMap { $0.process == process ? $0 : nil }
        let held = limits.latest.flatMap { $0.process == process ? $0 : nil }
        let taken = [counters?.taken, held?.taken].compactMap { $0 }.max() ?? now.instant
        // Without a view of this process the age is not known.
        let started = unit?.main == process ? unit?.mainStartedAt : nil
        let wall = now.wall.milliseconds
        return ProcessFigures(
            pid: Int64(process.pid), startedAtMs: started.map { wall - (now.instant - $0).milliseconds },
            state: counters.map { String($0.state) }, threads: counters.map { Int64($0.threads) },
            residentBytes: held?.residentBytes, cpuPercent: limits.cpuPercent, openFiles: held?.openFiles,
            openFilesLimit: held?.openFilesLimit, atMs: wall - (now.instant - taken).milliseconds)
    }
}
