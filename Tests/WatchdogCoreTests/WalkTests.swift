import ConfigAPI
import Testing
import Time
import WatchdogAPI

@testable import WatchdogCore

/// Every event in every state: an answer, no trap, always a timer, and no force where none may be used.
@Suite struct WalkTests {
    /// A guard in each state, by the shortest way there.
    private func rigs() -> [GuardCondition: Rig] {
        var rigs: [GuardCondition: Rig] = [:]
        func settled(_ change: (inout GuardSettings) -> Void = { _ in }) -> Rig {
            var rig = Rig(change: change)
            rig.settle(20)
            return rig
        }
        func collect(_ rig: Rig, for span: Duration, by stepMs: Int64 = 1) {
            var rig = rig
            let end = rig.now.instant + span
            while rig.now.instant < end {
                if rigs[rig.condition] == nil { rigs[rig.condition] = rig }
                rig.run(.milliseconds(stepMs))
            }
        }
        var fresh = Rig()
        fresh.gateway.begin(at: fresh.now.instant)
        fresh.core = WatchdogCore(services: fresh.settings)
        fresh.boot()
        collect(fresh, for: .seconds(2))
        var spinning = settled()
        spinning.behave(.spinning)
        collect(spinning, for: .seconds(6))
        var stopped = settled()
        stopped.behave(.stopped)
        collect(stopped, for: .seconds(3))
        var failing = settled { $0.canDrain = true }
        failing.behave(.wrong)
        collect(failing, for: .seconds(8))
        var dying = settled()
        for _ in 0..<9 {
            dying.end()
            collect(dying, for: .seconds(3), by: 2)
            dying.run(.seconds(20))
        }
        collect(dying, for: .seconds(3))
        var saturated = settled()
        saturated.behave(.saturated(latencyMs: 2350))
        saturated.run(.seconds(30))
        collect(saturated, for: .seconds(1))
        var starved = settled()
        starved.pressure(90)
        starved.behave(.blocked)
        collect(starved, for: .seconds(10), by: 10)
        var held = settled()
        held.send(.holdAsked(reason: "test", forDuration: nil, by: "uid 0"))
        collect(held, for: .seconds(1))
        var theirs = settled()
        theirs.gateway.job = UnitView.Job(kind: "restart", ours: false)
        theirs.send(.unitSeen(theirs.view("gateway")))
        collect(theirs, for: .milliseconds(5))
        var gone = settled()
        gone.operatorStops()
        collect(gone, for: .seconds(1))
        var halting = settled()
        halting.managerStops(true)
        collect(halting, for: .seconds(1))
        return rigs
    }

    /// A guard that waits for a turn cannot be seen from outside, since turns are granted at once.
    private func machines() -> [(GuardMachine, Moment)] {
        var found = rigs().compactMap { _, rig in rig.core.machine("gateway").map { ($0, rig.now) } }
        if let (machine, now) = found.first(where: { $0.0.condition == .watching }) {
            var waiting = machine
            _ = waiting.apply(
                .restartAsked(RestartOrder(way: .forced, reason: nil), by: "uid 0"), now: now)
            found.append((waiting, now))
        }
        return found
    }

    private func events(for machine: GuardMachine, now: Moment) -> [GuardEvent] {
        let process = machine.process ?? machine.lastProcess ?? ProcessIdentity(pid: 7, startTicks: 70)
        let other = ProcessIdentity(pid: 8, startTicks: 80)
        let sample = { (state: Character, tracer: Int32) in
            GuardEvent.progressSampled(
                ProgressSample(
                    process: process, taken: now.instant, state: state, readCalls: 1, writeCalls: 1, userCpuMs: 1,
                    kernelCpuMs: 1, processCpuMs: 2, voluntarySwitches: 1, tracerPid: tracer))
        }
        let probe = machine.probes.current?.id ?? machine.probes.late?.id ?? ProbeID(1)
        var events: [GuardEvent] = [
            .memoryRestored(nil, openIncident: nil), .memoryRestored(machine.memory(now: now), openIncident: nil),
            .probeFinished(probe, .good(detail: "200")), .probeFinished(probe, .wrong(detail: "503")),
            .probeFinished(probe, .refused), .probeFinished(probe, .notSent(reason: "EMFILE")),
            .probeFinished(ProbeID(999_999), .good(detail: "200")), sample("S", 0), sample("R", 0), sample("T", 0),
            sample("t", 9), sample("Z", 0), .sampleFailed(process),
            .resourcesSampled(
                ResourceSample(
                    process: process, taken: now.instant, residentBytes: 1, processCpuMs: 1, openFiles: 1)),
            .evidenceCollected(
                incident: machine.openRecord?.id ?? "x", EvidenceNote(bytes: 0, tookMs: 1, complete: true)),
            .callFinished(machine.call ?? CallID(1), .done), .callFinished(machine.call ?? CallID(1), .timedOut),
            .callFinished(machine.call ?? CallID(1), .failed("canceled")), .callFinished(CallID(999_999), .done),
            .unitUnreadable(reason: "test"), .foreignJobEnded, .processExited(process), .processExited(other),
            .managerSeen(stopping: true), .managerSeen(stopping: false), .heartbeatReceived,
            .servedRequestsSeen(total: 10), .servedRequestsSeen(total: 20), .dependenciesSeen(down: ["postgres"]),
            .dependenciesSeen(down: []), .dependenciesUnknown, .settingsChanged(machine.settings),
            .holdAsked(reason: "test", forDuration: nil, by: "uid 0"),
            .holdAsked(reason: "test", forDuration: .seconds(1), by: "uid 0"), .releaseAsked(by: "uid 0"),
            .resetAsked(by: "uid 0"), .restartAsked(RestartOrder(way: .graceful, reason: nil), by: "uid 0"),
            .restartAsked(RestartOrder(way: .signal(.SIGINT), reason: nil), by: "uid 0"),
            .restartAsked(RestartOrder(way: .forced, reason: "test"), by: "uid 0"),
            .shutdownAsked(timeout: .seconds(1), reason: nil, by: "uid 0"), .escalationAsked(issue: "test", .warning),
            .recoveryReported(action: "test", success: true, took: nil), .aliasLearnt("other-1"),
            .hostStarved(true, detail: "test"), .hostStarved(false, detail: "test"), .ownDelaySeen(.seconds(1)),
            .turnGranted, .timerFired(TimerID(999_999)), .changeSeen(nil),
            .changeSeen(
                ServiceChange(id: 4, phase: .onTrial(since: now.instant), activation: .restart, wantsActivation: true)),
            .changeSeen(
                ServiceChange(id: 4, phase: .onTrial(since: now.instant), activation: .reload, wantsActivation: true)),
            .changeSeen(ServiceChange(id: 4, phase: .goingBack, activation: .restart, wantsActivation: false)),
            .changeSeen(
                ServiceChange(
                    id: 4, phase: .takenBack(since: now.instant, appliedAt: nil), activation: .restart,
                    wantsActivation: true)),
        ]
        for active in [
            UnitView.Active.active, .reloading, .inactive, .failed, .activating, .deactivating, .maintenance, .missing,
        ] {
            for sub in ["running", "auto-restart", "dead"] {
                for main in [nil, process, other] {
                    events.append(.unitSeen(UnitView(active: active, sub: sub, main: main, result: "exit-code")))
                }
            }
        }
        for kind in ["stop", "restart", "start", "reload"] {
            for ours in [true, false] {
                events.append(
                    .unitSeen(
                        UnitView(
                            active: .active, sub: "running", main: process,
                            job: UnitView.Job(kind: kind, ours: ours))))
            }
        }
        events += machine.pendingTimers.map { .timerFired($0) }
        return events
    }

    private func check(_ machine: GuardMachine, _ actions: [GuardAction], before: GuardMachine, _ event: GuardEvent) {
        #expect(machine.hasTimer, "\(before.condition) was left without a timer by \(event)")
        var force: [GuardAction] = []
        for action in actions {
            switch action {
            case .killUnit, .killProcess, .startUnit, .drain: force.append(action)
            default: break
            }
        }
        switch machine.condition {
        case .held, .operatorActing, .hostStopping, .saturated, .waitingForHost, .adopting, .watching, .suspecting:
            #expect(force.isEmpty, "\(before.condition) and \(event) led to \(force) and \(machine.condition)")
        default: break
        }
        #expect(force.count <= 1, "\(before.condition) and \(event) led to \(force)")
    }

    @Test func `the ways there reach every state`() {
        let reached = Set(machines().map(\.0.condition))
        let missing = GuardCondition.allCases.filter { !reached.contains($0) }
        #expect(missing.isEmpty)
    }

    @Test func `every event in every state has an answer, and so has every event after it`() {
        for (machine, now) in machines() {
            for event in events(for: machine, now: now) {
                var first = machine
                let actions = first.apply(event, now: now)
                check(first, actions, before: machine, event)
                let later = now.advanced(by: .seconds(1))
                for next in events(for: first, now: later) {
                    var second = first
                    let nextActions = second.apply(next, now: later)
                    check(second, nextActions, before: first, next)
                }
            }
        }
    }

    @Test func `a timer that is not waited for any more does nothing`() {
        for (machine, now) in machines() {
            let stale = machine.pendingTimers
            var moved = machine
            _ = moved.apply(.holdAsked(reason: "test", forDuration: nil, by: "uid 0"), now: now)
            for id in stale where !moved.pendingTimers.contains(id) {
                var after = moved
                #expect(after.apply(.timerFired(id), now: now.advanced(by: .seconds(60))).isEmpty)
                #expect(after == moved)
            }
        }
    }
}
