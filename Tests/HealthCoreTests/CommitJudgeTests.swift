import ConfigAPI
import HealthAPI
import HealthCore
import MetricsAPI
import Testing
import Time

/// A judge and its service in made-up time: a commit at 1,000,000 ms, activated 5 s later, with a window of 60 s.
private struct Bench {
    static let start = Moment(instant: Instant(nanoseconds: 9_000_000_000_000), wall: WallTime(milliseconds: 1_000_000))
    var judge: CommitJudge
    var now = Bench.start
    var said: [CommitJudge.Action] = []
    /// When what was before came into force.
    var before: Int64 = 0

    init(exportsFigures: Bool = true) { judge = CommitJudge(exportsFigures: exportsFigures) }

    mutating func at(_ seconds: Int64) { now = Self.start.advanced(by: .seconds(seconds)) }

    private mutating func note(_ actions: [CommitJudge.Action]) {
        said += actions.filter {
            switch $0 {
            case .confirm, .cancel: true
            case .measure, .tell: false
            }
        }
    }

    func pending(_ phase: ConfigPending.Phase) -> ConfigPending {
        ConfigPending(
            id: 4, service: "gateway", files: [.init(file: "/srv/.env", version: 8, previous: 7)], phase: phase,
            activation: .restart, wantsActivation: phase == .applied, windowMs: 60_000, leftMs: 60_000,
            atMs: 1_000_000, beforeMs: before, sinceMs: now.wall.milliseconds, authorUID: 0, reason: "")
    }

    mutating func see(_ phase: ConfigPending.Phase?, _ status: ServiceHealth = .healthy) {
        note(judge.changeSeen(phase.map(pending), status: status, now: now))
    }

    mutating func open(_ status: ServiceHealth = .healthy) {
        see(.applied, status)
        at(5)
        see(.activated, status)
    }

    mutating func status(_ status: ServiceHealth) { note(judge.statusSeen(status, now: now)) }

    /// Stretches of 5 s from the activation to now, as metricsd would tell them.
    mutating func measure(_ p95Ms: Double, errors: Double = 0, requests: Double = 300, before: Double? = 10) {
        let slices = stride(from: Int64(1_005_000), through: now.wall.milliseconds - 5000, by: 5000).map {
            ServedFigures(fromMs: $0, toMs: $0 + 5000, requests: requests, errors: errors * requests, p95Ms: p95Ms)
        }
        let was = before.map {
            ServedFigures(fromMs: 880_000, toMs: 1_000_000, requests: 7800, errors: 0, p95Ms: $0)
        }
        note(judge.measured(4, .seen(before: was, after: slices), now: now))
    }

    /// Looks each 5 s until that second.
    mutating func run(
        to seconds: Int64, _ p95Ms: Double, errors: Double = 0, requests: Double = 300, before: Double? = 10
    ) {
        for second in stride(from: Int64(10), through: seconds, by: 5) {
            at(second)
            note(judge.ticked(now: now))
            measure(p95Ms, errors: errors, requests: requests, before: before)
        }
    }

    var words: [String] {
        said.map {
            switch $0 {
            case .confirm(let change, _): "confirm \(change)"
            case .cancel(let change, _): "cancel \(change)"
            case .measure, .tell: ""
            }
        }
    }
}

@Suite struct CommitJudgeTests {
    @Test func asGoodAsBeforeIsConfirmedLateInTheWindowAndOnce() {
        var bench = Bench()
        bench.open()
        bench.run(to: 45, 11)
        #expect(bench.words == [])
        bench.run(to: 64, 11)
        #expect(bench.words == ["confirm 4"])
    }

    @Test func threeTimesSlowerIsCancelledAfterTwoStretches() {
        var bench = Bench()
        bench.open()
        bench.run(to: 10, 30)
        #expect(bench.words == [])
        bench.run(to: 15, 30)
        #expect(bench.words == ["cancel 4"])
        bench.run(to: 64, 30)
        #expect(bench.words == ["cancel 4"])
    }

    @Test func aColdStartIsNotJudged() {
        var bench = Bench()
        bench.open()
        bench.at(10)
        bench.measure(80)
        bench.at(15)
        let slices = [
            ServedFigures(fromMs: 1_005_000, toMs: 1_010_000, requests: 300, errors: 0, p95Ms: 80),
            ServedFigures(fromMs: 1_010_000, toMs: 1_015_000, requests: 300, errors: 0, p95Ms: 9),
        ]
        let before = ServedFigures(fromMs: 880_000, toMs: 1_000_000, requests: 7800, errors: 0, p95Ms: 10)
        _ = bench.judge.measured(4, .seen(before: before, after: slices), now: bench.now)
        #expect(bench.words == [])
        bench.run(to: 64, 10)
        #expect(bench.words == ["confirm 4"])
    }

    @Test func aFewMillisecondsAreNoSlowdown() {
        var bench = Bench()
        bench.open()
        bench.run(to: 64, 5, before: 1)
        #expect(bench.words == ["confirm 4"])
    }

    @Test func onlyWhatWasInForceBeforeIsComparedWith() {
        func asked(_ before: Int64) -> ClosedRange<Int64>? {
            var bench = Bench()
            bench.before = before
            bench.see(.applied)
            bench.at(5)
            for case .measure(_, let before, _) in bench.judge.changeSeen(
                bench.pending(.activated), status: .healthy, now: bench.now)
            {
                return before
            }
            return nil
        }
        #expect(asked(0) == 880_000...1_000_000)
        #expect(asked(950_000) == 960_000...1_000_000)
        #expect(asked(999_000) == 1_000_000...1_000_000)
    }

    @Test func withoutATimeBeforeNothingIsSaidOfABusyService() {
        var bench = Bench()
        bench.open()
        bench.run(to: 64, 10, before: nil)
        #expect(bench.words == [])
        var idle = Bench()
        idle.open()
        idle.run(to: 64, 10, requests: 0, before: nil)
        #expect(idle.words == ["confirm 4"])
    }

    @Test func moreErrorsAreWorse() {
        var bench = Bench()
        bench.open()
        bench.run(to: 20, 10, errors: 0.1)
        #expect(bench.words == ["cancel 4"])
    }

    @Test func anUnhealthyServiceIsCancelledAtOnceUnlessItWasBefore() {
        var bench = Bench()
        bench.open()
        bench.at(7)
        bench.status(.unhealthy)
        #expect(bench.words == ["cancel 4"])
        var sick = Bench()
        sick.open(.unhealthy)
        sick.run(to: 64, 10)
        #expect(sick.words == [], "it is not worse, and not good")
        var mended = Bench()
        mended.open(.unhealthy)
        mended.at(7)
        mended.status(.healthy)
        mended.run(to: 64, 10)
        #expect(mended.words == ["confirm 4"])
    }

    @Test func whatCannotBeSeenIsNeverConfirmed() {
        var blind = Bench()
        blind.open()
        for second in stride(from: Int64(10), through: 64, by: 2) {
            blind.at(second)
            _ = blind.judge.ticked(now: blind.now)
            _ = blind.judge.measured(4, .blind("metricsd is silent"), now: blind.now)
        }
        #expect(blind.words == [])
        var unseen = Bench()
        unseen.open()
        unseen.status(.unknown)
        unseen.run(to: 64, 10)
        #expect(unseen.words == [])
    }

    @Test func figuresThatStoppedComingAreNoConfirmation() {
        var bench = Bench()
        bench.open()
        bench.run(to: 25, 10)
        for second in stride(from: Int64(27), through: 64, by: 2) {
            bench.at(second)
            _ = bench.judge.ticked(now: bench.now)
        }
        #expect(bench.words == [])
    }

    @Test func aServiceWithoutFiguresIsJudgedByItsChecks() {
        var bench = Bench(exportsFigures: false)
        bench.open()
        for second in stride(from: Int64(7), through: 64, by: 2) where bench.words.isEmpty {
            bench.at(second)
            bench.status(.healthy)
        }
        #expect(bench.words == ["confirm 4"])
        #expect(bench.now.instant - Bench.start.instant >= .seconds(49))
    }

    @Test func aHealthdThatCameLaterStillComparesWithTheTimeBefore() {
        var slow = Bench()
        slow.at(5)
        slow.see(.activated)
        slow.run(to: 20, 30)
        #expect(slow.words == ["cancel 4"])
        var degraded = Bench()
        degraded.at(5)
        degraded.see(.activated, .degraded)
        degraded.run(to: 64, 10)
        #expect(degraded.words == [], "whether it was degraded before is not known")
    }

    @Test func whatIsOverIsForgotten() {
        var bench = Bench()
        bench.open()
        bench.run(to: 40, 10)
        bench.see(.takenBack)
        #expect(bench.judge.isIdle)
        bench.run(to: 64, 10)
        #expect(bench.words == [])
    }
}

@Suite struct ServedFiguresTests {
    private func series(_ name: String, _ labels: [String: String], _ values: [Double]) -> SeriesPoints {
        SeriesPoints(
            name: name, labels: labels,
            points: values.enumerated().map { Point(timeMs: Int64($0) * 5000, value: $1) })
    }

    @Test func theGatewaysPageIsRead() throws {
        let page = [
            series("gateway_requests_total", ["code": "200"], [100, 400, 700]),
            series("gateway_requests_total", ["code": "503"], [0, 0, 30]),
            series("gateway_request_duration_seconds_bucket", ["le": "0.01"], [100, 400, 400]),
            series("gateway_request_duration_seconds_bucket", ["le": "0.025"], [100, 400, 700]),
            series("gateway_request_duration_seconds_bucket", ["le": "+Inf"], [100, 400, 730]),
            series("gateway_heap_used_bytes", [:], [1, 2, 3]),
        ]
        let slices = ServedFigures.slices(of: page, requestsTotal: nil)
        #expect(slices.map(\.requests) == [300, 330])
        #expect(slices.map(\.errors) == [0, 30])
        #expect(slices[0].p95Ms.map { abs($0 - 9.5) < 0.001 } == true)
        // 313.5 of 330 lie above the last finite bound's 300.
        #expect(slices[1].p95Ms == 25)
        let whole = try #require(ServedFigures.whole(of: page, requestsTotal: "gateway_requests_total"))
        #expect(whole.requests == 630)
        #expect(whole.errorShare == 30.0 / 630)
    }

    @Test func aCounterThatBeganAnewCountsFromNothing() {
        let page = [series("x_requests_total", [:], [1000, 50, 80])]
        #expect(ServedFigures.slices(of: page, requestsTotal: nil).map(\.requests) == [50, 30])
        #expect(ServedFigures.slices(of: [], requestsTotal: nil) == [])
        #expect(ServedFigures.whole(of: [], requestsTotal: nil) == nil)
    }
}
