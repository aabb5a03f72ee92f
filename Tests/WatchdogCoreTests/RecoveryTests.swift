import Testing
import Time
import WatchdogAPI

@testable import WatchdogCore

/// What is done, what is refused, and what outlives watchdogd.
@Suite struct RecoveryTests {
    private func starts(in rig: Rig) -> Int { rig.forced.count { $0 == "startUnit" } }

    // MARK: Back-off and budget

    @Test func `the waits grow, are capped, and one restart follows validated health at once`() {
        var rig = Rig()
        rig.settle()
        var waits: [Int64] = []
        for _ in 0..<5 {
            let died = rig.now.instant
            rig.end(code: 1, signal: nil)
            rig.run(.seconds(40))
            waits.append((rig.gateway.mainStartedAt - died).milliseconds)
        }
        #expect(waits[0] < 50)
        for (wait, expected) in zip(waits.dropFirst(), [1000.0, 2000, 4000, 8000]) {
            #expect(Double(wait) >= expected * 0.8 && Double(wait) <= expected * 1.2 + 50)
        }
        #expect(rig.incidents.allSatisfy { $0.outcome == .recovered })
    }

    @Test func `ten minutes of validated health forget the back-off`() {
        var rig = Rig()
        rig.settle()
        rig.end()
        rig.run(.seconds(599))
        rig.end()
        rig.run(.milliseconds(500))
        #expect(rig.condition == .backingOff)
        rig.run(.seconds(602))
        let died = rig.now.instant
        rig.end()
        rig.run(.seconds(1))
        #expect((rig.gateway.mainStartedAt - died).milliseconds < 50)
    }

    @Test func `a crash loop spends the budget, calls an operator once, and is tried slowly for ever`() {
        var rig = Rig()
        rig.settle()
        rig.gateway.crashesAfterMs = 200
        rig.end(code: 1, signal: nil)
        rig.run(.seconds(60))
        #expect(starts(in: rig) == 5)
        #expect(rig.condition == .halfOpen)
        rig.run(.seconds(3600))
        // 60 + 120 + 240 + 300 each: 14 tries in the hour, whatever systemd would do by itself.
        #expect((16...20).contains(starts(in: rig)))
        #expect(rig.log.count { $0.contains("operatorCalled") } == 1)
        #expect(rig.incidents.count == 1, "one trouble is one incident")
        rig.gateway.crashesAfterMs = nil
        rig.run(.seconds(310))
        #expect(rig.condition == .watching)
        #expect(rig.incidents.first?.outcome == .recovered)
    }

    @Test func `the budget is not refilled by a restart of watchdogd`() {
        var rig = Rig()
        rig.settle()
        rig.gateway.crashesAfterMs = 200
        rig.end(code: 1, signal: nil)
        for _ in 0..<10 {
            rig.run(.seconds(6))
            rig.restartWatchdogd()
        }
        rig.run(.seconds(5))
        #expect(starts(in: rig) <= 6)
        #expect(rig.incidents.count == 1)
    }

    @Test func `a reset refills the budget and tries at once`() {
        var rig = Rig()
        rig.settle()
        rig.gateway.crashesAfterMs = 200
        rig.end(code: 1, signal: nil)
        rig.run(.seconds(120))
        #expect(rig.condition == .halfOpen)
        rig.gateway.crashesAfterMs = nil
        rig.send(.resetAsked(by: "uid 0"))
        rig.run(.seconds(3))
        #expect(rig.condition == .watching)
        #expect(rig.incidents.first?.outcome == .recovered)
    }

    @Test func `a hang that ends by itself during the wait is not restarted`() {
        var rig = Rig()
        rig.settle()
        for _ in 0..<5 {
            rig.end()
            rig.run(.seconds(20))
        }
        let before = starts(in: rig)
        rig.behave(.spinning)
        rig.run(.seconds(5))
        #expect(rig.condition == .backingOff || rig.condition == .halfOpen)
        rig.behave(.serving(latencyMs: 5))
        rig.run(.seconds(10))
        #expect(rig.condition == .watching)
        #expect(starts(in: rig) == before)
        #expect(rig.incidents.last?.outcome == .recoveredAlone)
    }

    @Test func `an answer during the evidence spares the process`() {
        var rig = Rig()
        rig.settle(20)
        rig.behave(.spinning)
        while rig.condition != .collectingEvidence { rig.run(.milliseconds(10)) }
        rig.behave(.serving(latencyMs: 1))
        rig.run(.seconds(20))
        #expect(rig.forced.isEmpty)
        #expect(rig.condition == .watching)
        #expect(rig.incidents.map(\.outcome) == [.recoveredAlone])
    }

    @Test func `evidence that does not come in half a second is not waited for`() throws {
        var rig = Rig()
        rig.settle(20)
        rig.behave(.blocked)
        while rig.condition != .collectingEvidence { rig.run(.milliseconds(10)) }
        rig.drop { if case .evidenceCollected = $0 { true } else { false } }
        rig.run(.seconds(10))
        let record = try #require(rig.incidents.first)
        #expect(record.outcome == .recovered)
        let evidence = try #require(record.actions.first { $0.kind == .collectEvidence })
        #expect(evidence.outcome == .timedOut)
        #expect(evidence.tookMs == 500)
    }

    @Test func `a process that SIGKILL does not end keeps no other service waiting, and an operator is called`() {
        var rig = Rig()
        rig.settle(20)
        rig.gateway.endsAtKill = false
        rig.behave(.blocked)
        rig.run(.seconds(60))
        #expect(rig.condition == .killing)
        #expect(rig.log.count { $0.contains("operatorCalled") } == 1)
        #expect(rig.core.status(now: rig.now).restartsUnderWay == 0)
        rig.gateway.endsAtKill = true
        rig.run(.seconds(30))
        #expect(rig.condition == .watching)
    }

    @Test func `a start that brings no service is ended and tried again under the same incident`() {
        var rig = Rig()
        rig.settle()
        rig.gateway.afterStart = .blocked
        rig.end()
        rig.run(.seconds(10))
        rig.gateway.afterStart = .serving(latencyMs: 5)
        rig.run(.seconds(30))
        #expect(rig.condition == .watching)
        #expect(rig.incidents.count == 1)
        #expect(rig.incidents.first?.outcome == .recovered)
        #expect(starts(in: rig) == 2)
    }

    @Test func `a service slow to start has the time that its settings give it`() {
        var rig = Rig { $0.startTimeout = .seconds(60) }
        rig.settle()
        rig.gateway.startMs = 50_000
        rig.end()
        rig.run(.seconds(70))
        #expect(starts(in: rig) == 1)
        #expect(rig.condition == .watching)
    }

    @Test func `with a silent systemd the process is killed past it, and the start is asked for until it answers`() {
        var rig = Rig()
        rig.settle(20)
        rig.gateway.systemdAnswers = false
        rig.behave(.spinning)
        rig.run(.seconds(12))
        #expect(rig.forced.contains { $0.hasPrefix("killProcess") })
        #expect(rig.condition == .starting)
        rig.gateway.systemdAnswers = true
        rig.run(.seconds(20))
        #expect(rig.condition == .watching)
    }

    // MARK: Refusals

    @Test func `a dependency that is down explains a failing service`() {
        var rig = Rig()
        rig.settle()
        rig.send(.dependenciesSeen(down: ["postgres"]))
        rig.behave(.wrong)
        rig.run(.seconds(120))
        #expect(rig.forced.isEmpty)
        #expect(rig.incidents.first?.refusals.map(\.reason) == [.dependencyDown])
        rig.send(.dependenciesSeen(down: []))
        rig.behave(.serving(latencyMs: 5))
        rig.run(.seconds(10))
        #expect(rig.incidents.map(\.outcome) == [.recoveredAlone])
        #expect(rig.forced.isEmpty)
    }

    @Test func `no answer for as long as the settings bear is enough, and no sooner`() {
        var rig = Rig { $0.livelockedAfter = .seconds(10) }
        rig.settle(20)
        rig.behave(.storming)
        rig.run(.seconds(9))
        #expect(rig.incidents.isEmpty)
        rig.run(.seconds(3))
        #expect(rig.incidents.map(\.incidentClass) == [.livelocked])
    }

    @Test func `requests served all the while are a saturated service, though no probe is answered`() {
        var rig = Rig()
        rig.settle(20)
        rig.behave(.storming)
        for total in 1...120 {
            rig.send(.servedRequestsSeen(total: Int64(total) * 65))
            rig.run(.seconds(1))
        }
        #expect(rig.forced.isEmpty)
        #expect(rig.incidents.map(\.incidentClass) == [.saturated])
    }

    @Test func `a main thread that spins is left alone while others serve its port`() {
        var rig = Rig()
        rig.settle(20)
        rig.behave(.spinning)
        for total in 1...120 {
            rig.send(.servedRequestsSeen(total: Int64(total) * 4096))
            rig.run(.milliseconds(500))
        }
        #expect(rig.forced.isEmpty)
        #expect(rig.incidents.map(\.incidentClass) == [.saturated])
        rig.run(.seconds(30))
        #expect(rig.incidents.map(\.incidentClass) == [.saturated, .spinning], "when it serves no more")
        #expect(rig.condition == .watching)
    }

    @Test func `what was served before the trouble is no sign of service in it`() {
        var rig = Rig()
        rig.settle(20)
        rig.send(.servedRequestsSeen(total: 1000))
        rig.run(.seconds(3600))
        rig.behave(.storming)
        rig.run(.seconds(5))
        rig.send(.servedRequestsSeen(total: 235_000))
        rig.run(.seconds(40))
        #expect(rig.incidents.map(\.incidentClass) == [.livelocked])
    }

    @Test func `a log storm is ended within 60 s even where the host is starved from its decision on`() {
        var rig = Rig()
        rig.settle(20)
        rig.behave(.storming)
        let began = rig.now.instant
        rig.run(.seconds(30))
        rig.pressure(90)
        rig.run(.seconds(40))
        #expect(rig.condition == .watching)
        #expect((rig.gateway.upAt - began).inSeconds < 60)
    }

    @Test func `a log storm on a starved host is ended within 90 s of its beginning`() {
        var rig = Rig()
        rig.settle(20)
        rig.pressure(90)
        rig.run(.seconds(35))
        rig.behave(.storming)
        let began = rig.now.instant
        rig.run(.seconds(90))
        #expect(rig.condition == .watching)
        #expect((rig.gateway.upAt - began).inSeconds < 60, "a host that is always starved holds nothing back for ever")
    }

    @Test func `a hang is ended though a dependency is down, and healthd's silence holds nothing back`() {
        var rig = Rig()
        rig.settle(20)
        rig.send(.dependenciesSeen(down: ["postgres"]))
        rig.behave(.spinning)
        rig.run(.seconds(10))
        #expect(rig.incidents.map(\.outcome) == [.recovered])
        rig.send(.dependenciesUnknown)
        rig.behave(.wrong)
        rig.run(.seconds(20))
        #expect(rig.incidents.map(\.outcome) == [.recovered, .recovered])
    }

    @Test func `on a starved host force waits, for 20 s at most`() throws {
        var rig = Rig()
        rig.settle(20)
        rig.pressure(83)
        rig.behave(.blocked)
        let began = rig.now.instant
        rig.run(.seconds(19))
        #expect(rig.forced.isEmpty)
        #expect(rig.condition == .waitingForHost)
        #expect(rig.log.contains { $0.contains("refused starvedHost") })
        rig.run(.seconds(20))
        #expect(rig.condition == .watching)
        #expect((rig.gateway.upAt - began).inSeconds < 60)
    }

    @Test func `when the host has CPU again the verdict is reached anew`() {
        var rig = Rig()
        rig.settle(20)
        rig.pressure(83)
        rig.behave(.blocked)
        rig.run(.seconds(10))
        rig.behave(.serving(latencyMs: 5))
        rig.pressure(5)
        rig.run(.seconds(10))
        #expect(rig.forced.isEmpty)
        #expect(rig.condition == .watching)
        #expect(rig.incidents.isEmpty)
    }

    @Test func `a death is answered at once on a starved host too: nothing is lost by a start`() {
        var rig = Rig()
        rig.settle()
        rig.pressure(90)
        rig.end()
        rig.run(.seconds(5))
        #expect(rig.forced == ["startUnit"])
        #expect(rig.condition == .watching)
    }

    @Test func `a stall of watchdogd itself voids what was under way`() {
        for stallMs in [600, 3000, 20_000, 120_000] as [Int64] {
            var rig = Rig()
            rig.settle(20)
            rig.run(.milliseconds(400))
            rig.stall(.milliseconds(stallMs))
            rig.run(.seconds(20))
            #expect(rig.incidents.isEmpty)
            #expect(rig.forced.isEmpty)
            #expect(rig.condition == .watching)
        }
    }

    @Test func `watching only, everything is told and nothing is done`() {
        var rig = Rig { $0.mayAct = false }
        rig.settle(20)
        rig.behave(.spinning)
        rig.run(.seconds(30))
        #expect(rig.forced.isEmpty)
        #expect(rig.incidents.first?.refusals.map(\.reason) == [.observing])
        rig.end()
        rig.run(.seconds(30))
        #expect(rig.forced.isEmpty)
    }

    @Test func `a storm waits for turns: never more restarts at once than the host's limit`() {
        let names = (0..<20).map { "s\($0)" }
        var rig = Rig(Dictionary(uniqueKeysWithValues: names.map { ($0, GuardSettings(unit: "\($0).service")) }))
        rig.settle()
        for name in names { rig.end(name) }
        var most: Int64 = 0
        for _ in 0..<2000 {
            rig.run(.milliseconds(10))
            most = max(most, rig.core.status(now: rig.now).restartsUnderWay)
        }
        #expect(most == 4)
        rig.run(.seconds(10))
        #expect(names.allSatisfy { rig.condition(of: $0) == .watching })
        #expect(rig.incidents.count == 20)
    }

    // MARK: Limits

    @Test func `a soft limit warns once, a hard one restarts where the settings say so`() throws {
        var rig = Rig {
            $0.memoryLimit = GuardSettings.Limit(value: 100, sustained: .seconds(20), action: .restart)
        }
        rig.settle()
        func held(_ bytes: Int64) {
            for _ in 0..<6 {
                rig.run(.seconds(5))
                guard let process = rig.gateway.process, rig.condition == .watching else { return }
                rig.send(
                    .resourcesSampled(
                        ResourceSample(
                            process: process, taken: rig.now.instant, residentBytes: bytes, processCpuMs: nil,
                            openFiles: nil)))
            }
        }
        held(90)
        held(90)
        #expect(rig.log.count { $0.contains("limitWarned memory") } == 1)
        #expect(rig.incidents.isEmpty)
        held(120)
        rig.run(.seconds(10))
        let record = try #require(rig.incidents.first)
        #expect(record.incidentClass == .overLimit)
        #expect(record.numbers.measured == 120)
        #expect(rig.forced == ["killUnit SIGTERM", "startUnit"])
        #expect(record.outcome == .recovered)
    }

    // MARK: The operator

    @Test func `systemctl stop is the operator's: no incident, no act, until it is started again`() {
        var rig = Rig()
        rig.settle()
        rig.operatorStops()
        rig.run(.seconds(600))
        #expect(rig.condition == .operatorStopped)
        #expect(rig.forced.isEmpty && rig.incidents.isEmpty)
        rig.gateway.begin(at: rig.now.instant)
        rig.send(.unitSeen(rig.view("gateway")))
        rig.run(.seconds(5))
        #expect(rig.condition == .watching)
        #expect(rig.forced.isEmpty && rig.incidents.isEmpty)
        rig.end()
        rig.run(.seconds(5))
        #expect(rig.incidents.map(\.outcome) == [.recovered], "guarded as before")
    }

    @Test func `systemctl stop of a unit that we keep down for a wait ends the tries`() {
        var rig = Rig()
        rig.settle()
        rig.gateway.crashesAfterMs = 200
        rig.end(code: 1, signal: nil)
        rig.run(.seconds(100))
        #expect(rig.condition == .halfOpen)
        rig.send(.foreignJobEnded)
        let forced = rig.forced
        rig.run(.seconds(1200))
        #expect(rig.condition == .operatorStopped)
        #expect(rig.forced == forced)
        #expect(rig.incidents.map(\.outcome) == [.takenOver])
    }

    @Test func `systemctl restart, and an upgrade, are the operator's`() {
        var rig = Rig()
        rig.settle()
        for _ in 0..<5 {
            rig.operatorRestarts()
            rig.run(.seconds(30))
            #expect(rig.condition == .watching)
        }
        #expect(rig.forced.isEmpty && rig.incidents.isEmpty)
    }

    @Test func `an operator's stop in the middle of a recovery ends it`() {
        for ms in stride(from: 0, through: 3000, by: 50) {
            var rig = Rig()
            rig.settle(20)
            rig.behave(.spinning)
            rig.run(.milliseconds(1500 + Int64(ms)))
            rig.operatorStops()
            let forced = rig.forced
            rig.run(.seconds(60))
            #expect(rig.condition == .operatorStopped, "\(rig.story)")
            #expect(rig.forced == forced, "nothing after the operator's stop")
            #expect(rig.incidents.allSatisfy { $0.outcome == .takenOver || $0.outcome == .recovered })
        }
    }

    @Test func `a shutdown of the host holds everything`() {
        var rig = Rig()
        rig.settle()
        rig.managerStops(true)
        rig.end()
        rig.run(.seconds(60))
        #expect(rig.forced.isEmpty && rig.incidents.isEmpty)
        #expect(rig.condition == .hostStopping)
        rig.managerStops(false)
        rig.run(.seconds(5))
        #expect(rig.condition == .watching, "called off: what died is started")
    }

    @Test func `a held service is watched and never touched, and released it is looked at anew`() {
        var rig = Rig()
        rig.settle(20)
        rig.send(.holdAsked(reason: "debugging", forDuration: nil, by: "uid 0"))
        rig.behave(.spinning)
        rig.run(.seconds(120))
        #expect(rig.forced.isEmpty)
        rig.restartWatchdogd()
        rig.run(.seconds(10))
        #expect(rig.condition == .held, "a hold outlives watchdogd")
        rig.end()
        rig.run(.seconds(60))
        #expect(rig.forced == ["stopUnit"], "systemd's own restart is cancelled")
        rig.send(.releaseAsked(by: "uid 0"))
        rig.run(.seconds(5))
        #expect(rig.condition == .watching)
        #expect(rig.incidents.map(\.incidentClass) == [.dead])
    }

    @Test func `a hold with a time ends by itself`() {
        var rig = Rig()
        rig.settle()
        rig.send(.holdAsked(reason: "deploy", forDuration: .seconds(60), by: "uid 0"))
        rig.run(.seconds(59))
        #expect(rig.condition == .held)
        rig.run(.seconds(2))
        #expect(rig.condition == .watching)
    }

    @Test func `an operator's restart is validated, recorded and costs no budget`() throws {
        var rig = Rig()
        rig.settle()
        let before = rig.core.summaries(now: rig.now).first?.restartsLeft
        let (reply, _) = try rig.ask(.restartAsked(RestartOrder(way: .graceful, reason: "new code"), by: "uid 0"))
        #expect(reply.incident != nil)
        #expect(throws: (any Error).self, "never two at once") {
            try rig.ask(.restartAsked(RestartOrder(way: .forced, reason: nil), by: "uid 0"))
        }
        rig.run(.seconds(5))
        #expect(rig.forced == ["killUnit SIGTERM", "startUnit"])
        #expect(rig.incidents.map(\.incidentClass) == [.requested])
        #expect(rig.incidents.map(\.outcome) == [.recovered])
        #expect(rig.core.summaries(now: rig.now).first?.restartsLeft == before)
    }

    @Test func `a graceful shutdown leaves the unit stopped`() throws {
        var rig = Rig()
        rig.settle()
        _ = try rig.ask(.shutdownAsked(timeout: .seconds(3), reason: nil, by: "uid 0"))
        rig.run(.seconds(60))
        #expect(rig.forced == ["killUnit SIGTERM", "stopUnit"])
        #expect(rig.condition == .operatorStopped)
        #expect(rig.incidents.map(\.outcome) == [.shutDown])
    }

    // MARK: Our own restart

    @Test func `a restart of watchdogd adopts the same process without an incident`() {
        var rig = Rig()
        rig.settle()
        for _ in 0..<5 {
            rig.restartWatchdogd(after: .seconds(2))
            rig.run(.seconds(10))
            #expect(rig.condition == .watching)
        }
        #expect(rig.incidents.isEmpty && rig.forced.isEmpty)
        #expect(rig.gateway.starts == 1)
    }

    @Test func `a unit without the drop-in is warned of, and no more once it has it`() {
        var rig = Rig()
        #expect(rig.core.summaries(now: rig.now).first?.warning == nil, "nothing is known yet")
        rig.gateway.restart = "on-failure"
        rig.settle()
        let warning = rig.core.summaries(now: rig.now).first?.warning
        #expect(warning?.contains("Restart=on-failure") == true)
        #expect(warning?.contains("/etc/systemd/system/gateway.service.d/50-mainstay.conf") == true)
        rig.gateway.restart = "always"
        rig.restartWatchdogd(after: .seconds(2))
        rig.run(.seconds(10))
        #expect(rig.core.summaries(now: rig.now).first?.warning == nil)
    }

    @Test func `a hang begun while watchdogd was away is recovered within 60 s`() {
        for fault in [FakeService.Behaviour.spinning, .blocked, .stopped, .storming] {
            var rig = Rig()
            rig.settle(20)
            rig.behave(fault)
            let began = rig.now.instant
            rig.restartWatchdogd(after: .seconds(4))
            rig.run(.seconds(60))
            #expect(rig.incidents.map(\.outcome) == [.recovered])
            #expect((rig.gateway.upAt - began).inSeconds < 60)
        }
    }

    @Test func `an incident goes on under its id wherever watchdogd is killed`() {
        for ms in stride(from: 0, through: 4000, by: 40) {
            var rig = Rig()
            rig.settle(20)
            rig.behave(.spinning)
            rig.run(.milliseconds(1000 + Int64(ms)))
            rig.restartWatchdogd()
            rig.run(.seconds(60))
            #expect(rig.condition == .watching)
            #expect(rig.incidents.count == 1)
            #expect(rig.incidents.allSatisfy { $0.outcome == .recovered && $0.closedAtMs != nil }, "\(rig.story)")
            #expect(rig.gateway.starts == 2)
        }
    }

    @Test func `without its memory watchdogd adopts and guards all the same`() {
        var rig = Rig()
        rig.settle()
        rig.memories = [:]
        rig.restartWatchdogd()
        rig.behave(.blocked)
        rig.run(.seconds(45))
        #expect(rig.incidents.map(\.outcome) == [.recovered])
    }

    @Test func `a stepped wall clock refills nothing and holds nothing up`() {
        for stepMs in [-86_400_000, 86_400_000] as [Int64] {
            var rig = Rig()
            rig.settle()
            rig.gateway.crashesAfterMs = 200
            rig.end(code: 1, signal: nil)
            rig.run(.seconds(60))
            rig.now.wall.milliseconds += stepMs
            let before = starts(in: rig)
            rig.run(.seconds(50))
            #expect(starts(in: rig) <= before + 1)
            rig.gateway.crashesAfterMs = nil
            rig.run(.seconds(300))
            #expect(rig.condition == .watching)
        }
    }
}
