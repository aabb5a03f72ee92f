import Testing
import Time
import WatchdogAPI

@testable import WatchdogCore

/// Each class from its first sign to its recovery, in virtual time, with the bounds of ProgressWindow's sum.
@Suite struct DetectionTests {
    /// Faults begin at many moments between two probes, so that the worst case is among them.
    private static let offsetsMs: [Int64] = [0, 1, 6, 100, 250, 500, 750, 900, 990, 999]

    private func recoveries(
        from fault: FakeService.Behaviour, interval: Duration
    ) throws -> [(record: IncidentRecord, outageMs: Int64)] {
        try Self.offsetsMs.map { offset in
            var rig = Rig(interval: interval)
            rig.settle(20)
            rig.run(.milliseconds(offset * interval.milliseconds / 1000))
            rig.behave(fault)
            let began = rig.now.instant
            rig.run(.seconds(60))
            let record = try #require(rig.incidents.first)
            #expect(rig.incidents.count == 1)
            #expect(record.outcome == .recovered)
            #expect(rig.gateway.starts == 2)
            return (record, (rig.gateway.upAt - began).milliseconds - rig.gateway.startMs)
        }
    }

    @Test(arguments: [
        (FakeService.Behaviour.stopped, IncidentClass.stopped, 1, 1700),
        (.spinning, .spinning, 1, 3000), (.blocked, .blocked, 1, 3000),
        (.spinningBesideWorker, .spinning, 1, 4000), (.storming, .livelocked, 1, 31500),
        (.stopped, .stopped, 2, 2700), (.spinning, .spinning, 2, 4500), (.blocked, .blocked, 2, 4500),
        (.spinningBesideWorker, .spinning, 2, 5500), (.storming, .livelocked, 2, 33500),
    ])
    func `a hang is named and ended within the sum of its windows`(
        fault: FakeService.Behaviour, expected: IncidentClass, intervalSeconds: Int, mostMs: Int
    ) throws {
        let runs = try recoveries(from: fault, interval: .seconds(intervalSeconds))
        for run in runs {
            #expect(run.record.incidentClass == expected)
            #expect(run.outageMs <= Int64(mostMs), "above the service's own start")
            #expect(run.record.evidence != nil, "evidence comes before force")
        }
        let median = runs.map(\.outageMs).sorted()[runs.count / 2]
        if intervalSeconds == 1 && expected == .stopped { #expect(median <= 1500) }
        if intervalSeconds == 1 && fault == .spinningBesideWorker { #expect(median <= 3500) }
        if intervalSeconds == 1 && (fault == .spinning || fault == .blocked) { #expect(median <= 2500) }
    }

    @Test func `a death is known at once, started at once and proven`() throws {
        var rig = Rig()
        rig.settle()
        rig.end(signal: 9)
        rig.run(.seconds(5))
        let record = try #require(rig.incidents.first)
        #expect(record.incidentClass == .dead)
        #expect(record.numbers.exitSignal == "SIGKILL")
        #expect(record.outcome == .recovered)
        #expect(try #require(record.detectionMs) <= 3)
        #expect(rig.forced == ["startUnit"], "a dead process needs no killing")
        #expect(rig.condition == .watching)
    }

    @Test func `a zombie that nobody reaps is dead, though systemd shows it running`() throws {
        var rig = Rig()
        rig.settle()
        rig.gateway.isReaped = false
        rig.end(code: 1, signal: nil)
        rig.run(.seconds(5))
        let record = try #require(rig.incidents.first)
        #expect(record.incidentClass == .dead)
        #expect(record.outcome == .recovered)
        #expect(try #require(record.detectionMs) < 1000)
    }

    @Test func `a zombie seen in the counters is dead, a zombie leader with living threads is not`() throws {
        var rig = Rig()
        rig.settle()
        let process = try #require(rig.gateway.process)
        func zombie(threads: Int) -> GuardEvent {
            .progressSampled(
                ProgressSample(
                    process: process, taken: rig.now.instant, state: "Z", threads: threads, readCalls: nil,
                    writeCalls: nil, userCpuMs: 0, kernelCpuMs: 0, processCpuMs: 0, voluntarySwitches: nil))
        }
        rig.send(zombie(threads: 3))
        #expect(rig.condition == .watching)
        rig.send(zombie(threads: 1))
        #expect(rig.condition == .judgingDeath)
    }

    @Test(arguments: [1, 2])
    func `a saturated service is never restarted, and the incident ends with the load`(intervalSeconds: Int) throws {
        for latency in [1200, 2350, 6000] as [Int64] {
            var rig = Rig(interval: .seconds(intervalSeconds))
            rig.settle(20)
            rig.behave(.saturated(latencyMs: latency))
            rig.run(.seconds(120))
            #expect(rig.forced.isEmpty)
            #expect(rig.condition == .saturated)
            let record = try #require(rig.incidents.first)
            #expect(record.incidentClass == .saturated)
            #expect(record.refusals.map(\.reason) == [.saturated])
            rig.behave(.serving(latencyMs: 5))
            rig.run(.seconds(10))
            #expect(rig.condition == .watching)
            #expect(rig.incidents.count == 1)
            #expect(rig.incidents.first?.outcome == .recoveredAlone)
        }
    }

    @Test func `a saturated service that hangs after all is recovered under an incident of its own`() {
        var rig = Rig()
        rig.settle(20)
        rig.behave(.saturated(latencyMs: 2350))
        rig.run(.seconds(30))
        rig.behave(.spinning)
        rig.run(.seconds(20))
        #expect(rig.incidents.map(\.incidentClass) == [.saturated, .spinning])
        #expect(rig.incidents.map(\.outcome) == [.becameWorse, .recovered])
    }

    @Test(arguments: [(1, 2000), (2, 2400)])
    func `one long pause of a collector is not a wedge`(intervalSeconds: Int, pauseMs: Int) {
        for offset in Self.offsetsMs {
            var rig = Rig(interval: .seconds(intervalSeconds))
            rig.settle(20)
            rig.run(.milliseconds(offset))
            rig.behave(.collecting)
            rig.run(.milliseconds(pauseMs))
            rig.behave(.serving(latencyMs: 5))
            rig.run(.seconds(30))
            #expect(rig.incidents.isEmpty)
            #expect(rig.forced.isEmpty)
        }
    }

    @Test func `what serves by calls that no counter shows is not taken for a wedge under load`() {
        var rig = Rig()
        rig.gateway.afterStart = .servingElsewhere(latencyMs: 5)
        rig.settle(20)
        rig.behave(.saturatedElsewhere(latencyMs: 6000))
        rig.run(.seconds(60))
        #expect(rig.forced.isEmpty)
        #expect(rig.incidents.map(\.incidentClass) == [.saturated])
    }

    @Test func `a hang that no counter proves is ended after 30 s without an answer`() throws {
        var rig = Rig()
        rig.gateway.afterStart = .servingElsewhere(latencyMs: 5)
        rig.settle(20)
        rig.behave(.blocked)
        rig.run(.seconds(40))
        let record = try #require(rig.incidents.first)
        #expect(record.incidentClass == .unknown)
        #expect(record.outcome == .recovered)
        #expect(try #require(record.detectionMs) <= 32_000)
    }

    @Test func `switches prove a blocked thread where the calls do not speak`() throws {
        var rig = Rig()
        rig.gateway.afterStart = .servingUnseen(latencyMs: 5)
        rig.settle(20)
        rig.behave(.blocked)
        rig.run(.seconds(10))
        #expect(rig.incidents.map(\.incidentClass) == [.blocked])
    }

    @Test func `a debugger's stop is left alone, and an operator is called after 30 s`() {
        var rig = Rig()
        rig.settle(20)
        rig.behave(.debugged)
        rig.run(.seconds(120))
        #expect(rig.forced.isEmpty)
        #expect(rig.log.contains { $0.contains("refused debugged") })
        #expect(rig.log.filter { $0.contains("operatorCalled") }.count >= 1)
        rig.behave(.serving(latencyMs: 5))
        rig.run(.seconds(5))
        #expect(rig.condition == .watching)
    }

    @Test func `a stop of less than a fifth of a second is nobody's business`() {
        var rig = Rig()
        rig.settle(20)
        for _ in 0..<20 {
            rig.run(.milliseconds(950))
            rig.behave(.stopped)
            rig.run(.milliseconds(150))
            rig.behave(.serving(latencyMs: 5))
            rig.run(.seconds(2))
        }
        #expect(rig.incidents.isEmpty)
    }

    @Test func `three wrong answers of five are a failing service, ended gently`() throws {
        var rig = Rig { $0.canDrain = true }
        rig.settle(20)
        rig.behave(.wrong)
        rig.run(.seconds(20))
        let record = try #require(rig.incidents.first)
        #expect(record.incidentClass == .failing)
        #expect(record.outcome == .recovered)
        #expect(rig.forced == ["killUnit SIGTERM", "startUnit"])
        let kinds = record.actions.map(\.kind)
        #expect(kinds == [.collectEvidence, .drain, .terminate, .start, .validate])
    }

    @Test func `a failing service that ignores SIGTERM is killed after its time`() throws {
        var rig = Rig()
        rig.settle(20)
        rig.gateway.endsAtTerm = false
        rig.behave(.wrong)
        rig.run(.seconds(30))
        #expect(rig.forced == ["killUnit SIGTERM", "killUnit SIGKILL", "startUnit"])
        #expect(rig.incidents.first?.outcome == .recovered)
    }

    @Test func `flapping answers are failing, though never three wrong in a row`() {
        var rig = Rig()
        rig.settle(20)
        for turn in 0..<20 where rig.incidents.isEmpty {
            rig.behave(turn % 3 == 0 ? .serving(latencyMs: 2) : .wrong)
            rig.run(.seconds(1))
        }
        #expect(rig.incidents.map(\.incidentClass) == [.failing])
    }

    @Test func `a service that refuses connections while it runs is failing`() {
        var rig = Rig()
        rig.settle(20)
        rig.behave(.refusing)
        rig.run(.seconds(5))
        #expect(rig.incidents.map(\.incidentClass) == [.failing])
    }

    @Test func `without a probe death and stop are seen all the same`() {
        var rig = Rig { $0.hasProbe = false }
        rig.settle()
        #expect(rig.condition == .watching)
        rig.behave(.stopped)
        rig.run(.seconds(10))
        rig.end()
        rig.run(.seconds(20))
        #expect(rig.incidents.map(\.incidentClass) == [.stopped, .dead])
        #expect(rig.incidents.map(\.outcome) == [.recovered, .recovered])
    }
}
