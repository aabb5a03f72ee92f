import Files
import Glibc
import Runtime
import Settings
import Systemd
import Time
import WatchdogAPI
import WatchdogCore
import Wire

extension WatchdogDaemon {
    /// The one switch: each order of the core to the part that carries it out.
    func carryOut(_ action: GuardAction, for service: GuardedService) {
        let name = service.name
        switch action {
        case .setTimer(let id, let delay): setTimer(id, after: delay, service)
        case .cancelTimer(let id): service.timers.removeValue(forKey: id)?.cancel()
        case .restoreMemory: restoreMemory(name)
        case .readUnit: control.read(service.unit)
        case .watchProcess(let process): watch(process, service)
        case .unwatchProcess:
            if let watched = service.watched { unwatch(watched) }
            service.watched = nil
        case .startProbe(let id): startProbe(id, service)
        case .abandonProbe(let id):
            service.waitingForHeartbeat.removeAll { $0 == id }
            probes.abandon(id, of: name)
        case .sampleProgress(let process, let withQueue): sampleProgress(process, service, withQueue: withQueue)
        case .sampleResources(let process): sampleResources(process, service)
        case .collectEvidence(let incident, let process): collectEvidence(incident, process, service)
        case .drain(let call): drain(call, service)
        case .killUnit(let call, let signal):
            control.kill(service.unit, signal: signal.number) { [weak self] in
                self?.handle(.callFinished(call, $0), of: name)
            }
        case .killProcess(let call, let process, let signal): killProcess(call, process, signal, name)
        case .startUnit(let call):
            control.restart(service.unit) { [weak self] in self?.handle(.callFinished(call, $0), of: name) }
        case .stopUnit(let call):
            control.stop(service.unit) { [weak self] in self?.handle(.callFinished(call, $0), of: name) }
        case .reloadUnit(let call):
            control.reload(service.unit) { [weak self] in self?.handle(.callFinished(call, $0), of: name) }
        case .tellActivated(let change, let invocation): configuration.activated(name, change, invocation: invocation)
        case .cancelChange(let change, let why): configuration.cancel(name, change, why: why)
        case .keepMemory(let memory): keep { try $0.keep(memory, of: name) }
        case .recordIncident(let record): keep { try $0.keep(record) }
        case .announce(let event): announce(event, service)
        }
    }

    private func setTimer(_ id: TimerID, after delay: Duration, _ service: GuardedService) {
        service.timers.removeValue(forKey: id)?.cancel()
        service.timers[id] = Loop.after(delay) { [weak self, weak service] in
            guard let self, let service else { return }
            service.timers[id] = nil
            handle(.timerFired(id), of: service.name)
        }
    }

    // MARK: Seeing

    private func restoreMemory(_ name: String) {
        store.submit(deadline: .seconds(1)) {
            $0.memory(of: name)
        } then: { [weak self] result in
            let kept = try? result.get()
            if case .failure(let error) = result { self?.storeTurned("\(error)") }
            self?.handle(.memoryRestored(kept?.0, openIncident: kept?.1), of: name)
        }
    }

    private func watch(_ process: ProcessIdentity, _ service: GuardedService) {
        if let watched = service.watched, watched != process { unwatch(watched) }
        service.watched = process
        let name = service.name
        exits.watch(process.pid, startTicks: process.startTicks) { [weak self] _ in
            Loop.post { self?.handle(.processExited(process), of: name) }
        }
    }

    func unwatch(_ process: ProcessIdentity) {
        exits.unwatch(process.pid)
        proc.submit { $0.forget(process) }
    }

    private func startProbe(_ id: ProbeID, _ service: GuardedService) {
        guard let liveness = service.settings.liveness else { return }
        if case .heartbeat = liveness.probe {
            return awaitHeartbeat(id, service, within: liveness.interval)
        }
        probes.start(id, of: service.name, liveness.probe, patience: liveness.lateAnswer) { [weak self, weak service] in
            guard let self, let service else { return }
            handle(.probeFinished(id, $0), of: service.name)
        }
    }

    /// A sign of life in the last interval is a good answer at once; otherwise the next one is, late as it may be.
    private func awaitHeartbeat(_ id: ProbeID, _ service: GuardedService, within interval: Duration) {
        service.waitingForHeartbeat.append(id)
        control.lastHeartbeat(of: service.unit) { [weak self, weak service] toSystemd in
            guard let self, let service else { return }
            let latest = [service.lastHeartbeat, toSystemd].compactMap { $0 }.max()
            service.lastHeartbeat = latest
            if let latest, HostClock.now().instant - latest <= interval { answerHeartbeatProbes(service) }
        }
    }

    /// The service has said that it lives: that answers every probe that waits for it.
    func heartbeatArrived(_ service: GuardedService) {
        service.lastHeartbeat = HostClock.now().instant
        answerHeartbeatProbes(service)
    }

    private func answerHeartbeatProbes(_ service: GuardedService) {
        let waiting = service.waitingForHeartbeat
        service.waitingForHeartbeat = []
        for id in waiting { handle(.probeFinished(id, .good(detail: "heartbeat")), of: service.name) }
    }

    private func sampleProgress(_ process: ProcessIdentity, _ service: GuardedService, withQueue: Bool) {
        let port = withQueue ? service.port : nil
        let name = service.name
        proc.submit(deadline: Self.readDeadline) {
            try $0.progress(process, port: port)
        } then: { [weak self] result in
            switch result {
            case .success(let sample): self?.handle(.progressSampled(sample), of: name)
            case .failure: self?.handle(.sampleFailed(process), of: name)
            }
        }
    }

    private func sampleResources(_ process: ProcessIdentity, _ service: GuardedService) {
        let group = service.controlGroup
        proc.submit(deadline: Self.readDeadline) { reader in
            Sighting(
                resources: try reader.resources(process), owner: ProcFile.owner(of: process.pid),
                memoryLimit: ControlGroup.memoryLimit(group))
        } then: { [weak self, weak service] result in
            guard let self, let service else { return }
            switch result {
            case .success(let seen):
                learnt(seen, of: service)
                handle(.resourcesSampled(seen.resources), of: service.name)
            case .failure: handle(.sampleFailed(process), of: service.name)
            }
        }
    }

    private func collectEvidence(_ incident: String, _ process: ProcessIdentity, _ service: GuardedService) {
        let limits = settings.mainstay.watchdogd.evidence
        let name = service.name
        let now = HostClock.now()
        let report: JSON =
            (try? core.report(of: name, now: now)).flatMap { try? JSONReader.read(JSONWriter.bytes(of: $0)) } ?? .null
        let about = Evidence.Context(
            service: name, incident: incident, atMs: now.wall.milliseconds, controlGroup: service.controlGroup,
            report: report)
        let bounds = Evidence.Bounds(time: limits.timeout, bytes: Int(limits.size))
        evidence.submit(deadline: limits.timeout) { _ in
            Evidence.gather(process, about, bounds)
        } then: { [weak self] result in
            self?.evidenceGathered(result, incident, of: name, after: limits.timeout)
        }
    }

    private func evidenceGathered(
        _ result: Result<Evidence.Bundle, any Error>, _ incident: String, of name: String, after limit: Duration
    ) {
        switch result {
        case .success(let bundle):
            let path = Records.evidencePath(of: incident, in: context.places.state)
            let note = EvidenceNote(
                path: path, bytes: Int64(bundle.bytes.count), tookMs: bundle.took.milliseconds,
                complete: bundle.isComplete, facts: bundle.facts)
            keep { try $0.keepEvidence(bundle.bytes, of: incident) }
            handle(.evidenceCollected(incident: incident, note), of: name)
        case .failure(let error):
            let note = EvidenceNote(
                bytes: 0, tookMs: limit.milliseconds, complete: false, facts: ["failed": "\(error)"])
            handle(.evidenceCollected(incident: incident, note), of: name)
        }
    }

    // MARK: Acting

    private func drain(_ call: CallID, _ service: GuardedService) {
        let name = service.name
        guard let hook = service.settings.hooks.drain else {
            return handle(.callFinished(call, .failed("there is no drain hook")), of: name)
        }
        hooks.run(hook, of: service) { [weak self] in self?.handle(.callFinished(call, $0), of: name) }
    }

    private func killProcess(_ call: CallID, _ process: ProcessIdentity, _ signal: KillSignal, _ name: String) {
        exits.signal(process.pid, startTicks: process.startTicks, signal: signal.number) { [weak self] code in
            let result: CallResult = code == 0 || code == ESRCH ? .done : .failed(String(cString: strerror(code)))
            Loop.post { self?.handle(.callFinished(call, result), of: name) }
        }
    }

    // MARK: Keeping and telling

    /// Has the store write something; nobody waits for it.
    private func keep(_ write: @escaping @Sendable (inout Records) throws -> Void) {
        store.submit(deadline: .seconds(10), write) { [weak self] result in
            switch result {
            case .success: self?.storeTurned(nil)
            case .failure(let error): self?.storeTurned("\(error)")
            }
        }
    }

    private func announce(_ event: WatchdogEvent, _ service: GuardedService) {
        context.log.write(Story.entry(event))
        context.publish(event.name, event.data)
        tally.count(event)
        switch event {
        case .incidentOpened(let opened): service.incident = opened.incident
        case .adopted(let adopted): service.incident = adopted.incident
        case .incidentClosed(let closed):
            service.incident = nil
            if !context.isDryRun { health.resolve(service.name, incident: closed.incident) }
        case .operatorCalled(let call):
            guard !context.isDryRun else { return }
            health.raise(call)
            if let hook = service.settings.hooks.escalate { hooks.run(hook, of: service) { _ in } }
        case .evidenceCollected, .actionTaken, .validated, .held, .released, .refused, .budgetReset, .limitWarned,
            .recoveryRecorded, .operatorActed, .changeFollowed:
            break
        }
    }
}

extension KillSignal {
    /// The kernel's number for it.
    var number: Int32 {
        switch self {
        case .SIGKILL: Glibc.SIGKILL
        case .SIGTERM: Glibc.SIGTERM
        case .SIGINT: Glibc.SIGINT
        case .SIGQUIT: Glibc.SIGQUIT
        case .SIGABRT: Glibc.SIGABRT
        case .SIGHUP: Glibc.SIGHUP
        case .SIGUSR1: Glibc.SIGUSR1
        case .SIGUSR2: Glibc.SIGUSR2
        }
    }
}
