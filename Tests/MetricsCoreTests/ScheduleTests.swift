import MetricsAPI
import MetricsCore
import Testing
import Time

/// A moment so many milliseconds after the origin, at a plausible wall time.
func at(_ milliseconds: Int64) -> Moment {
    Moment(
        instant: .zero + .milliseconds(milliseconds), wall: WallTime(milliseconds: 1_795_506_583_000 + milliseconds))
}

@Suite("A collector's schedule")
struct ScheduleTests {
    private var timers = TimerIDs()
    private var schedule = CollectorSchedule(
        plan: CollectorPlan(name: "system", level: .system, interval: .seconds(1), deadline: .milliseconds(500)))

    private mutating func start() -> TimerID {
        let actions = schedule.started(now: at(300), timers: &timers)
        guard case .setTimer(let timer, let due) = actions.first, actions.count == 1 else {
            Issue.record("\(actions)")
            return TimerID(0)
        }
        #expect(due == at(1000).instant, "the first round falls on a whole second")
        return timer
    }

    private mutating func begin(_ timer: TimerID, at now: Moment) -> (round: UInt64, deadline: TimerID) {
        let actions = schedule.timerFired(timer, now: now, timers: &timers)
        guard actions.count == 2, case .collect(let round) = actions[0],
            case .setTimer(let deadline, let due) = actions[1]
        else {
            Issue.record("\(actions)")
            return (0, TimerID(0))
        }
        #expect(due == now.instant + .milliseconds(500))
        return (round, deadline)
    }

    private func nextTimer(_ actions: [CollectorSchedule.Action]) -> (id: TimerID, due: Instant)? {
        for case .setTimer(let id, let due) in actions { return (id, due) }
        return nil
    }

    @Test("Good rounds follow each other at whole intervals")
    mutating func steady() throws {
        let (round, _) = begin(start(), at: at(1003))
        let (since, actions) = schedule.collected(round: round, now: at(1010), timers: &timers)
        #expect(since == at(1003))
        #expect(schedule.lastDuration == .milliseconds(7))
        #expect(try #require(nextTimer(actions)).due == at(2000).instant)
        #expect(schedule.condition == .up)
    }

    @Test("A failing round is tried five times within its interval, then once an interval, until one succeeds")
    mutating func backoff() throws {
        var (timer, now) = (start(), at(1000))
        var waits: [Int64] = []
        var downs = 0
        for attempt in 1...8 {
            let (round, _) = begin(timer, at: now)
            let actions = schedule.failed(round: round, reason: "refused", now: now, timers: &timers)
            downs += actions.filter { if case .reportDown("refused", 5) = $0 { true } else { false } }.count
            #expect(actions.contains(.markStale) == (attempt >= 5))
            let next = try #require(nextTimer(actions))
            waits.append((next.due - now.instant).milliseconds)
            now = at((next.due - .zero).milliseconds + 1)
            timer = next.id
        }
        #expect(waits[..<4] == [62, 125, 250, 500])
        #expect(waits[4] < 100, "all five fall into one interval")
        #expect(waits[5...].allSatisfy { $0 >= 998 && $0 <= 1000 })
        #expect(downs == 1)
        #expect(schedule.condition == .down)
        let (round, _) = begin(timer, at: now)
        let (_, actions) = schedule.collected(round: round, now: now, timers: &timers)
        #expect(actions.contains { if case .reportUp = $0 { true } else { false } })
        #expect(schedule.failures == 0)
        #expect(schedule.condition == .up)
    }

    @Test("A round past its deadline is stuck: nothing is started until it returns, and its late values do not count")
    mutating func stuck() throws {
        let (round, deadline) = begin(start(), at: at(1000))
        let actions = schedule.timerFired(deadline, now: at(1500), timers: &timers)
        #expect(actions == [.markStale, .reportDown(reason: "no answer in 500 ms", attempts: 5)])
        #expect(schedule.condition == .stuck)
        #expect(nextTimer(actions) == nil)
        #expect(schedule.asked(now: at(1600), timers: &timers).isEmpty)
        let (since, after) = schedule.collected(round: round, now: at(90_300), timers: &timers)
        #expect(since == nil)
        let next = try #require(nextTimer(after))
        #expect(next.due == at(91_000).instant)
        let again = begin(next.id, at: at(91_000))
        let (_, recovered) = schedule.collected(round: again.round, now: at(91_001), timers: &timers)
        #expect(recovered.contains(.reportUp(downFor: .milliseconds(89_501))))
    }

    @Test("Timers and rounds that are not waited for any more do nothing")
    mutating func stale() {
        let timer = start()
        let (round, deadline) = begin(timer, at: at(1000))
        #expect(schedule.timerFired(timer, now: at(1001), timers: &timers).isEmpty)
        _ = schedule.collected(round: round, now: at(1010), timers: &timers)
        #expect(schedule.timerFired(deadline, now: at(1500), timers: &timers).isEmpty)
        #expect(schedule.collected(round: round, now: at(1501), timers: &timers).actions.isEmpty)
        #expect(schedule.failed(round: round, reason: "late", now: at(1502), timers: &timers).isEmpty)
        _ = schedule.stopped()
        #expect(schedule.state == .idle)
        #expect(schedule.asked(now: at(1600), timers: &timers).isEmpty)
    }

    @Test("A round asked for begins at once, or joins the one under way")
    mutating func asked() {
        let timer = start()
        let actions = schedule.asked(now: at(400), timers: &timers)
        #expect(actions.first == .cancelTimer(timer))
        #expect(actions.contains(.collect(round: 1)))
        #expect(schedule.asked(now: at(410), timers: &timers).isEmpty)
    }
}
