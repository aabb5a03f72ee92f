import Testing
import Time
import WatchdogAPI

@testable import WatchdogCore

/// The parts of a guard, each by itself.
@Suite struct PartsTests {
    private let settings = GuardSettings(unit: "gateway.service")

    private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

    private func moment(_ seconds: Double) -> Moment {
        Moment(instant: at(seconds), wall: WallTime(milliseconds: Int64(seconds * 1000)))
    }

    /// A file that was edited by hand, or damaged so that it still reads.
    @Test(arguments: [Int64(1) << 53, -(Int64(1) << 53)])
    func `figures that no clock gives are taken up without a trap`(figure: Int64) {
        let hold = HoldInfo(reason: "for ever", by: "uid 0", sinceMs: figure, untilMs: figure)
        let memory = GuardMemory(
            keptAtMs: figure, budgetTokens: Double(figure), backoffLevel: figure, halfOpenLevel: figure,
            healthyMs: figure, openIncident: "i-1", hold: hold, stoppedByUs: false)
        let record = IncidentRecord(
            id: "i-1", service: "gateway", openedAtMs: figure, incidentClass: .dead,
            numbers: ClassNumbers(windowMs: figure), detectionMs: figure, outcome: .open)
        var core = WatchdogCore(services: ["gateway": settings])
        var now = moment(1000)
        _ = core.started(now: now)
        _ = core.handle(.memoryRestored(memory, openIncident: record), of: "gateway", now: now)
        let main = ProcessIdentity(pid: 7, startTicks: 7)
        _ = core.handle(
            .unitSeen(UnitView(active: .active, sub: "running", main: main, mainStartedAt: at(900))), of: "gateway",
            now: now)
        now = now.advanced(by: .seconds(3600))
        _ = core.pressureSeen(someAvg10: 0, now: now)
        #expect(core.openIncident(of: "gateway")?.id == "i-1")
    }

    // MARK: The budget

    @Test func `the bucket holds five, and only health refills it, one in two minutes`() {
        var budget = RestartBudget(settings: settings)
        for _ in 0..<5 {
            #expect(budget.allowsRestart)
            budget.takeRestart()
        }
        #expect(!budget.allowsRestart)
        budget.settle(at: at(100_000), settings: settings)
        #expect(!budget.allowsRestart, "time without health refills nothing")
        budget.healthBegan(at: at(100_000))
        budget.settle(at: at(100_119), settings: settings)
        #expect(!budget.allowsRestart)
        budget.settle(at: at(100_121), settings: settings)
        #expect(budget.allowsRestart)
        budget.settle(at: at(200_000), settings: settings)
        #expect(budget.tokens == 5)
    }

    @Test func `each wait doubles to its cap, within the jitter`() {
        var budget = RestartBudget(settings: settings)
        #expect(budget.wait(settings: settings, spread: 0.5) == .zero)
        for expected in [1.0, 2, 4, 8, 16, 30, 30, 30] {
            budget.takeRestart()
            #expect(budget.wait(settings: settings, spread: 0.5).inSeconds == expected)
            #expect(abs(budget.wait(settings: settings, spread: 0).inSeconds - expected * 0.8) < 0.01)
            #expect(abs(budget.wait(settings: settings, spread: 1).inSeconds - expected * 1.2) < 0.01)
        }
        for expected in [60.0, 120, 240, 300, 300] {
            #expect(budget.slowWait(settings: settings).inSeconds == expected)
            budget.takeSlowTry()
        }
    }

    @Test func `health that breaks begins its ten minutes anew`() {
        var budget = RestartBudget(settings: settings)
        budget.takeRestart()
        budget.healthBegan(at: at(0))
        budget.healthEnded(at: at(599), settings: settings)
        budget.healthBegan(at: at(600))
        budget.settle(at: at(1199), settings: settings)
        #expect(budget.backoffLevel == 1)
        budget.settle(at: at(1200), settings: settings)
        #expect(budget.backoffLevel == 0)
    }

    @Test func `what was kept is taken up within bounds, whatever the file says`() {
        let memory = GuardMemory(
            keptAtMs: 0, budgetTokens: 1e9, backoffLevel: -7, halfOpenLevel: .max, healthyMs: -1, stoppedByUs: false)
        var budget = RestartBudget(restoring: memory, settings: settings)
        #expect(budget.tokens == 5)
        #expect(budget.backoffLevel == 0)
        #expect(budget.healthy == .zero)
        #expect(budget.slowWait(settings: settings) == settings.halfOpenCap)
        budget.takeSlowTry()
    }

    // MARK: The probes

    @Test func `an answer after the timeout is late, though its timer has not fired yet`() {
        var probes = ProbeWindow(keeps: 5)
        let id = probes.send(at: moment(0))
        #expect(probes.finished(id, .good(detail: "200"), timeout: .seconds(1), at: moment(1.2)) == .late)
        #expect(probes.unanswered == 1)
        #expect(probes.goodInRow == 0)
    }

    @Test func `one late probe is kept open, and the next is given up`() throws {
        var probes = ProbeWindow(keeps: 5)
        let first = probes.send(at: moment(0))
        #expect(probes.currentTimedOut() == nil)
        let second = probes.send(at: moment(1))
        #expect(probes.currentTimedOut() == second)
        #expect(probes.finished(second, .good(detail: "200"), timeout: .seconds(1), at: moment(2.5)) == .void)
        #expect(probes.finished(first, .good(detail: "200"), timeout: .seconds(1), at: moment(3)) == .late)
        #expect(try #require(probes.lastLateAnswer).after == .seconds(3))
        #expect(probes.notes.map(\.verdict) == [.late, .unanswered])
    }

    @Test func `a probe that could not be sent counts neither way`() {
        var probes = ProbeWindow(keeps: 5)
        let id = probes.send(at: moment(0))
        #expect(probes.finished(id, .notSent(reason: "EMFILE"), timeout: .seconds(1), at: moment(0.1)) == .void)
        #expect(probes.notes.isEmpty)
    }

    // MARK: The host

    @Test func `pressure clears with hysteresis, and holds force back for 20 s at most`() {
        var gate = HostGate()
        gate.pressureSeen(61, limit: 60, at: at(0))
        #expect(gate.holds(at: at(1)))
        gate.pressureSeen(55, limit: 60, at: at(10))
        #expect(gate.holds(at: at(10)), "not below the limit by enough")
        gate.pressureSeen(49, limit: 60, at: at(12))
        #expect(!gate.holds(at: at(12)))
        gate.pressureSeen(90, limit: 60, at: at(80))
        gate.pressureSeen(90, limit: 60, at: at(99))
        #expect(gate.holds(at: at(99)))
        gate.pressureSeen(90, limit: 60, at: at(101))
        #expect(!gate.holds(at: at(101)), "not for ever")
        #expect(!gate.voidsProbes(at: at(101)))
    }

    @Test func `pressure that swings around the limit gets one hold, not one a swing`() {
        var gate = HostGate()
        var held = 0
        for second in 0..<120 {
            gate.pressureSeen(second % 20 < 10 ? 80 : 20, limit: 60, at: at(Double(second)))
            if gate.holds(at: at(Double(second))) { held += 1 }
        }
        #expect(held == 10, "the swings of the first 20 s, and no later one")
        gate.pressureSeen(20, limit: 60, at: at(180))
        gate.pressureSeen(80, limit: 60, at: at(181))
        #expect(gate.holds(at: at(181)), "after a minute of calm the hold is whole again")
    }

    @Test func `a late timer of ours is remembered for five seconds`() {
        var gate = HostGate()
        gate.delaySeen(.milliseconds(700), limit: 60, at: at(0))
        #expect(gate.holds(at: at(4)))
        gate.update(limit: 60, at: at(5))
        #expect(!gate.holds(at: at(5)))
    }

    // MARK: Limits

    @Test func `a figure that swings around its soft limit is told once`() {
        var limited = settings
        limited.memoryLimit = GuardSettings.Limit(value: 1000)
        var watch = LimitWatch()
        let process = ProcessIdentity(pid: 1, startTicks: 1)
        var told = 0
        for second in 0..<600 {
            let bytes: Int64 = second % 40 < 30 ? 820 : 790
            let sample = ResourceSample(
                process: process, taken: at(Double(second)), residentBytes: bytes, processCpuMs: nil, openFiles: nil)
            told += watch.sampled(sample, settings: limited).count
        }
        #expect(told == 1)
    }

    @Test func `the CPU of a process is the difference between two readings, and another process begins anew`() {
        var watch = LimitWatch()
        func sample(_ pid: Int32, _ seconds: Double, _ cpuMs: Int64) -> ResourceSample {
            ResourceSample(
                process: ProcessIdentity(pid: pid, startTicks: 1), taken: at(seconds), residentBytes: nil,
                processCpuMs: cpuMs, openFiles: nil)
        }
        _ = watch.sampled(sample(1, 0, 100), settings: settings)
        #expect(watch.cpuPercent == nil)
        _ = watch.sampled(sample(1, 5, 7600), settings: settings)
        #expect(watch.cpuPercent == 150)
        _ = watch.sampled(sample(2, 6, 10), settings: settings)
        #expect(watch.cpuPercent == nil)
    }

    // MARK: Ids

    @Test func `ids of one service never repeat, though the clock stands still or steps back`() {
        var machine = GuardMachine(service: "gateway", settings: settings, now: moment(1000))
        var ids: Set<String> = []
        for step in 0..<100 {
            machine.openIncident(.failing, ClassNumbers(), now: moment(1000 - Double(step % 3)))
            if let id = machine.openRecord?.id { ids.insert(id) }
            machine.closeIncident(.recoveredAlone, now: moment(1000))
        }
        #expect(ids.count == 100)
    }
}
