import ConfigAPI
import ConfigCore
import Testing
import Time
import Wire

/// One trial as a trace: events with their times on one side, what was ordered and the phase that it left on the other.
private struct Trace {
    static let boot = "boot-1"
    static let start = Moment(instant: Instant(nanoseconds: 5_000_000_000_000), wall: WallTime(milliseconds: 1_000_000))
    static let chain = Digest(of: "version 8".utf8)

    var trial: Trial
    var now = Trace.start
    var boot: String? = Trace.boot
    /// What the ledger holds of the file.
    var file = Trial.FileSeen(chain: Trace.chain, newest: 8)

    init(_ activation: ConfigActivation = .restart, window: Duration = .seconds(60)) {
        trial = Trial(
            id: 40, service: "gateway",
            files: [.init(path: "/srv/.env", version: 8, chain: Self.chain, previous: 7)], window: window,
            activation: activation, activationLimit: .seconds(50), authorUID: 1000, reason: "more clients",
            boot: Self.boot, before: WallTime(milliseconds: 900_000), now: Self.start)
    }

    mutating func at(_ seconds: Int64) { now = Self.start.advanced(by: .seconds(seconds)) }

    mutating func look() -> Trial.Order { trial.looked([file], now: now, boot: boot) }

    mutating func confirm(_ id: Int64 = 40) throws(Trial.Refusal) -> Trial.Order {
        try trial.confirm(id, now: now, boot: boot)
    }

    mutating func cancel(_ id: Int64 = 40) throws(Trial.Refusal) -> Trial.Order {
        try trial.cancel(id, reason: "slow", uid: 990, now: now)
    }

    mutating func activate(_ id: Int64 = 40) throws(Trial.Refusal) -> Trial.Order {
        try trial.activated(id, invocation: "812@55", now: now)
    }

    /// In force, and the window open since second 10.
    static func open(_ activation: ConfigActivation = .restart) throws -> Trace {
        var trace = Trace(activation)
        _ = trace.trial.written(now: trace.now)
        trace.at(10)
        if activation != .nothing { _ = try trace.activate() }
        return trace
    }

    var end: PendingEnd? { trial.shown(now: now).end }
}

@Suite struct TrialTests {
    @Test func theWindowOpensWithTheActivationAndNotBefore() throws {
        var trace = Trace()
        #expect(trace.trial.written(now: trace.now) == .keep)
        #expect(trace.trial.wantsActivation)
        #expect(throws: Trial.Refusal.notActivated) { _ = try trace.confirm() }
        trace.at(40)
        #expect(try trace.activate() == .keep)
        #expect(trace.trial.deadline?.instant == trace.now.instant + .seconds(60))
        trace.at(99)
        #expect(trace.look() == .nothing)
        #expect(try trace.confirm() == .forget)
    }

    @Test func aSecondActivationOpensNoSecondWindow() throws {
        var trace = try Trace.open()
        let deadline = trace.trial.deadline
        trace.at(50)
        #expect(try trace.activate() == .nothing)
        #expect(trace.trial.deadline == deadline)
    }

    @Test func withoutActivationItGoesBackByTheLimit() {
        var trace = Trace()
        _ = trace.trial.written(now: trace.now)
        trace.at(49)
        #expect(trace.look() == .nothing)
        trace.at(50)
        #expect(trace.look() == .takeBack)
        #expect(trace.end?.kind == .unactivated)
        #expect(throws: Trial.Refusal.notPending) { _ = try trace.activate() }
    }

    @Test func withoutAConfirmationItGoesBackAtTheWindowsEnd() throws {
        var trace = try Trace.open()
        trace.at(70)
        #expect(trace.look() == .takeBack)
        #expect(trace.end?.kind == .unconfirmed)
        #expect(trace.trial.wentBack(now: trace.now, boot: trace.boot) == .keep)
        #expect(trace.trial.wantsActivation)
        #expect(try trace.activate() == .forget)
    }

    @Test func whatNeedsNothingIsActivatedByItsWriteAndForgottenByItsTakeBack() throws {
        var trace = Trace(.nothing)
        _ = trace.trial.written(now: trace.now)
        #expect(!trace.trial.wantsActivation)
        trace.at(60)
        #expect(trace.look() == .takeBack)
        #expect(trace.trial.wentBack(now: trace.now, boot: trace.boot) == .forget)
    }

    @Test func ofConfirmCancelAndTakeBackTheSecondIsRefused() throws {
        var trace = try Trace.open()
        #expect(try trace.cancel() == .takeBack)
        #expect(trace.end == PendingEnd(.cancelled, detail: "slow", uid: 990))
        #expect(throws: Trial.Refusal.notPending) { _ = try trace.confirm() }
        #expect(throws: Trial.Refusal.notPending) { _ = try trace.cancel() }
        _ = trace.trial.wentBack(now: trace.now, boot: trace.boot)
        #expect(throws: Trial.Refusal.notPending) { _ = try trace.confirm() }
    }

    @Test func whoMeansAnotherChangeIsRefused() throws {
        var trace = try Trace.open()
        #expect(throws: Trial.Refusal.notPending) { _ = try trace.confirm(39) }
        #expect(throws: Trial.Refusal.notPending) { _ = try trace.cancel(41) }
        #expect(throws: Trial.Refusal.notPending) { _ = try trace.activate(0) }
        #expect(try trace.confirm() == .forget)
    }

    @Test func aConfirmationThatComesAtTheDeadlineIsTooLate() throws {
        var trace = try Trace.open()
        trace.at(70)
        #expect(throws: Trial.Refusal.notPending) { _ = try trace.confirm() }
        #expect(trace.look() == .takeBack)
    }

    @Test func aCrashInTheSameBootGoesOnByTheDeadlineOnDisk() throws {
        var trace = try Trace.open()
        trace.trial = try Trial(wire: JSONReader.read(JSONWriter.bytes(of: trace.trial)))
        trace.at(69)
        #expect(trace.look() == .nothing)
        trace.at(70)
        #expect(trace.look() == .takeBack)
    }

    @Test func anotherBootTakesItBackAtOnceWhateverItsClocksSay() throws {
        for boot in ["boot-2", nil] {
            var trace = try Trace.open()
            trace.boot = boot
            trace.at(11)
            #expect(throws: Trial.Refusal.notPending) { _ = try trace.confirm() }
            #expect(trace.look() == .takeBack)
            #expect(trace.end?.kind == .rebooted)
            // What runs now may have been started with it: that is told, and waited for.
            #expect(trace.trial.wentBack(now: trace.now, boot: trace.boot) == .keep)
            #expect(trace.look() == .nothing)
        }
        var trace = try Trace.open()
        // The same boot cannot be earlier than it was.
        trace.at(-1)
        #expect(trace.look() == .takeBack)
    }

    @Test(arguments: [-86_400_000, 86_400_000] as [Int64])
    func aSteppedClockNeitherConfirmsNorProlongs(_ stepMs: Int64) throws {
        var trace = try Trace.open()
        trace.at(69)
        trace.now.wall.milliseconds += stepMs
        #expect(trace.look() == .nothing)
        trace.at(70)
        trace.now.wall.milliseconds += stepMs
        #expect(trace.look() == .takeBack)
    }

    @Test func anEditFromOutsideEndsTheTrial() throws {
        var trace = try Trace.open()
        trace.file.newest = 9
        #expect(trace.look() == .takeBack)
        #expect(trace.end?.kind == .edited)
    }

    @Test func aTransactionThatNeverTookPlaceLeavesNoTrial() {
        var trace = Trace()
        trace.file = .init(chain: nil, newest: 7)
        #expect(trace.look() == .forget)
        // Its number is another version's by now.
        trace.file = .init(chain: Digest(of: "an editor's".utf8), newest: 8)
        #expect(trace.look() == .forget)
    }

    @Test func aCrashAfterTheWriteFindsItInForce() {
        var trace = Trace()
        trace.at(3)
        #expect(trace.look() == .keep)
        #expect(trace.trial.appliedAt == trace.now)
        // From then on the time for its activation counts, and its process must have started later.
        #expect(trace.trial.wantsActivation)
    }

    @Test func aTakeBackThatWasCutOffIsOrderedAgain() throws {
        var trace = try Trace.open()
        _ = try trace.cancel()
        trace.at(12)
        #expect(trace.look() == .takeBack)
        trace.boot = "boot-2"
        #expect(trace.look() == .takeBack)
    }

    @Test func afterAnotherBootATakenBackChangeWantsNothing() throws {
        var trace = try Trace.open()
        _ = try trace.cancel()
        _ = trace.trial.wentBack(now: trace.now, boot: trace.boot)
        #expect(trace.look() == .nothing)
        trace.boot = "boot-2"
        #expect(trace.look() == .forget)
    }

    @Test func everyPhaseIsReadBackAsItWasWritten() throws {
        var trace = Trace(.SIGHUP)
        var phases = [trace.trial]
        _ = trace.trial.written(now: trace.now)
        phases.append(trace.trial)
        _ = try trace.activate()
        phases.append(trace.trial)
        _ = try trace.cancel()
        phases.append(trace.trial)
        _ = trace.trial.wentBack(now: trace.now, boot: trace.boot)
        phases.append(trace.trial)
        for phase in phases {
            #expect(try Trial(wire: JSONReader.read(JSONWriter.bytes(of: phase)), unknown: .refused) == phase)
        }
    }

    /// Whatever comes in whatever order: at most one of confirm, cancel and take-back succeeds, nothing is confirmed without
    /// being asked to, and nothing stays on trial past its time.
    @Test(arguments: UInt64(1)...200) func atMostOneWordCounts(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var trace = Trace(ConfigActivation.allCases.randomElement(using: &random) ?? .restart)
        var seconds: Int64 = 0
        var confirmed = 0
        var goneBack = 0
        for _ in 0..<60 where confirmed + goneBack == 0 || !trace.trial.isPending {
            seconds += Int64.random(in: 0...20, using: &random)
            trace.at(seconds)
            var order = trace.look()
            let past = trace.trial.deadline.map { trace.now.instant >= $0.instant } ?? false
            #expect(!past || !trace.trial.isPending)
            if order == .nothing || order == .keep {
                switch Int.random(in: 0...4, using: &random) {
                case 0: order = (try? trace.activate()) ?? .nothing
                case 1:
                    if let said = try? trace.confirm() {
                        confirmed += 1
                        order = said
                    }
                case 2: order = (try? trace.cancel()) ?? .nothing
                default: break
                }
            }
            if order == .takeBack {
                goneBack += 1
                _ = trace.trial.wentBack(now: trace.now, boot: trace.boot)
            }
            #expect(confirmed + goneBack <= 1)
            if order == .forget { break }
        }
        #expect(confirmed + goneBack == 1)
    }
}

@Suite struct TrialsTests {
    private static func trial() -> Trial {
        var trial = Trace().trial
        _ = trial.written(now: Trace.start)
        return trial
    }

    private static func timers(_ actions: [Trials.Action]) -> [(TimerID, Duration)] {
        actions.compactMap { if case .setTimer(let id, let after) = $0 { (id, after) } else { nil } }
    }

    @Test func eachPhaseIsToldOnceAndHasItsTimer() throws {
        var trials = Trials()
        var trial = Self.trial()
        let now = Trace.start
        var actions = trials.changed("gateway", to: trial, now: now)
        #expect(actions.first == .announce(.applied, trial))
        #expect(Self.timers(actions).map(\.1) == [.seconds(50)])
        // The same row again is no news.
        actions = trials.changed("gateway", to: trial, now: now)
        #expect(!actions.contains(.announce(.applied, trial)))
        _ = try trial.activated(40, invocation: "1@1", now: now)
        actions = trials.changed("gateway", to: trial, now: now)
        #expect(actions.contains(.announce(.activated, trial)))
        let timer = try #require(Self.timers(actions).first)
        #expect(timer.1 == .seconds(60))
        #expect(trials.timerFired(timer.0) == [.settle(service: "gateway")])
        #expect(trials.timerFired(timer.0) == [])
        #expect(
            trials.changed("gateway", to: nil, ending: .confirmed, now: now) == [.announce(.confirmed, trial)])
        #expect(trials.shown(now: now) == [])
    }

    @Test func aTakeBackThatTheDiskRefusesIsTriedAgain() throws {
        var trials = Trials()
        var trial = Self.trial()
        _ = trials.changed("gateway", to: trial, now: Trace.start)
        _ = try trial.cancel(40, reason: "", uid: 0, now: Trace.start)
        var actions = trials.changed("gateway", to: trial, now: Trace.start)
        #expect(actions.contains(.announce(.goingBack, trial)))
        let timer = try #require(Self.timers(actions).first)
        #expect(trials.timerFired(timer.0) == [.settle(service: "gateway")])
        actions = trials.changed("gateway", to: trial, now: Trace.start)
        #expect(Self.timers(actions).map(\.1) == [Trials.retryInterval])
        _ = trial.wentBack(now: Trace.start, boot: Trace.boot)
        actions = trials.changed("gateway", to: trial, now: Trace.start)
        #expect(actions.contains(.announce(.takenBack, trial)))
        #expect(
            trials.changed("gateway", to: nil, now: Trace.start) == [.announce(.followed, trial)])
    }

    @Test func aTakeBackThatNobodyHasToFollowIsToldThoughItsRowIsGone() throws {
        var trials = Trials()
        var trial = Trace(.nothing).trial
        let now = Trace.start
        _ = trial.written(now: now)
        _ = trials.changed("gateway", to: trial, now: now)
        _ = try trial.cancel(40, reason: "slow", uid: 990, now: now)
        #expect(trial.wentBack(now: now, boot: Trace.boot) == .forget)
        let actions = trials.changed("gateway", to: nil, ending: .takenBack(trial), now: now)
        #expect(actions.filter { if case .announce = $0 { true } else { false } } == [.announce(.takenBack, trial)])
        #expect(trials.changed("gateway", to: nil, now: now) == [])
        // What never took place did not go back.
        var activated = Trace(.nothing).trial
        _ = activated.written(now: now)
        _ = trials.changed("worker", to: activated, now: now)
        #expect(
            !trials.changed("worker", to: nil, now: now).contains { if case .announce = $0 { true } else { false } })
    }

    @Test func aRefusedTrialThatMayHaveLeftItsRowIsLookedAtUntilThatIsKnown() throws {
        var trials = Trials()
        let first = try #require(Self.timers(trials.notAnswered("gateway")).first)
        #expect(first.1 == Trials.retryInterval)
        #expect(trials.timerFired(first.0) == [.settle(service: "gateway")])
        let second = try #require(Self.timers(trials.notAnswered("gateway")).first)
        #expect(trials.timerFired(first.0) == [])
        #expect(trials.changed("gateway", to: nil, now: Trace.start) == [.cancelTimer(second.0)])
        // A row whose transaction is not known to have taken place is looked at as soon.
        let row = Trace().trial
        let actions = trials.changed("gateway", to: row, now: Trace.start)
        #expect(Self.timers(actions).map(\.1) == [Trials.retryInterval])
    }

    @Test func whatIsFoundAtTheStartIsSettledBeforeAnythingElse() {
        var trials = Trials()
        #expect(trials.found([Self.trial()], now: Trace.start) == [.settle(service: "gateway")])
        #expect(trials.versionAnnounced(of: "gateway") == [.settle(service: "gateway")])
        #expect(trials.versionAnnounced(of: "worker") == [])
    }
}
