import ConfigAPI
import Testing
import Time
import WatchdogAPI

@testable import WatchdogCore

/// The service follows its configuration: to a change on trial, and back.
@Suite struct FollowingTests {
    private func settled(_ change: (inout GuardSettings) -> Void = { _ in }) -> Rig {
        var rig = Rig(change: change)
        rig.settle(20)
        return rig
    }

    private func onTrial(
        _ rig: Rig, _ activation: ConfigActivation = .restart, wants: Bool = true, since: Duration = .zero
    ) -> GuardEvent {
        .changeSeen(
            ServiceChange(
                id: 4, phase: .onTrial(since: rig.now.instant - since), activation: activation, wantsActivation: wants))
    }

    private func takenBack(
        _ rig: Rig, _ activation: ConfigActivation = .restart, applied: Duration = .seconds(10)
    ) -> GuardEvent {
        .changeSeen(
            ServiceChange(
                id: 4, phase: .takenBack(since: rig.now.instant, appliedAt: rig.now.instant - applied),
                activation: activation, wantsActivation: true))
    }

    private func tokens(_ rig: Rig) -> Double { rig.core.summaries(now: rig.now).first?.restartsLeft ?? -1 }

    @Test func aChangeIsBroughtByOneRestartThatCostsNothingAndIsNoIncident() {
        var rig = settled()
        let before = tokens(rig)
        rig.send(onTrial(rig))
        rig.run(.seconds(5))
        #expect(rig.forced == ["killUnit SIGTERM", "startUnit"], "\(rig.story)")
        #expect(rig.told == ["activated 4"], "\(rig.story)")
        #expect(rig.incidents.isEmpty)
        #expect(tokens(rig) == before)
        #expect(rig.condition == .watching)
    }

    @Test func whatWasSaidIsSaidAgainAfterASilenceAndNothingIsDoneTwice() {
        var rig = settled()
        let word = onTrial(rig)
        rig.send(word)
        rig.run(.seconds(5))
        rig.send(word)
        rig.run(.seconds(5))
        #expect(rig.told == ["activated 4", "activated 4"])
        #expect(rig.forced == ["killUnit SIGTERM", "startUnit"])
    }

    @Test func aWatchdogdThatDiedAfterTheRestartOnlySaysSo() {
        var rig = settled()
        let word = onTrial(rig)
        rig.run(.seconds(1))
        rig.send(word)
        rig.run(.milliseconds(500))
        rig.restartWatchdogd()
        rig.run(.seconds(2))
        rig.send(word)
        rig.run(.seconds(10))
        #expect(rig.forced == ["killUnit SIGTERM", "startUnit"], "\(rig.story)")
        #expect(rig.told == ["activated 4"])
    }

    @Test func aHeldOrStoppedServiceIsLeftAlone() {
        var held = settled()
        held.send(.holdAsked(reason: "test", forDuration: nil, by: "uid 0"))
        held.send(onTrial(held))
        held.run(.seconds(30))
        #expect(held.forced.isEmpty && held.told.isEmpty)
        var stopped = settled()
        stopped.operatorStops()
        stopped.send(onTrial(stopped))
        stopped.run(.seconds(30))
        #expect(stopped.forced.isEmpty && stopped.told.isEmpty, "\(stopped.story)")
        // What does not run, runs nothing that was taken back.
        stopped.send(takenBack(stopped))
        #expect(stopped.told == ["activated 4"])
    }

    @Test func aChangeThatWedgesTheServiceIsAskedBackBeforeAnythingElse() {
        var rig = settled()
        rig.services["gateway"]?.afterStart = .spinning
        rig.send(onTrial(rig))
        rig.run(.seconds(16))
        #expect(rig.told == ["cancel 4"], "\(rig.story)")
        #expect(rig.incidents.count == 1)
        rig.services["gateway"]?.afterStart = .serving(latencyMs: 5)
        let before = tokens(rig)
        rig.send(takenBack(rig, applied: .seconds(17)))
        rig.run(.seconds(10))
        #expect(rig.told == ["cancel 4", "activated 4"], "\(rig.story)")
        #expect(rig.incidents.map(\.outcome) == [.recovered])
        #expect(tokens(rig) == before)
    }

    @Test func aChangeThatKillsTheServiceIsAskedBackAndWithoutConfigdItIsRecoveredAllTheSame() {
        var rig = settled()
        rig.services["gateway"]?.crashesAfterMs = 150
        rig.send(onTrial(rig))
        rig.run(.seconds(4))
        #expect(rig.told == ["cancel 4"], "\(rig.story)")
        let starts = rig.forced.count { $0 == "startUnit" }
        rig.run(.seconds(10))
        // Nobody answered: the ordinary way, with its budget and its back-off.
        #expect(rig.forced.count { $0 == "startUnit" } > starts, "\(rig.story)")
        #expect(tokens(rig) < 5)
    }

    @Test func aServiceThatFailsInTheWindowIsAskedBack() {
        var rig = settled()
        rig.send(onTrial(rig))
        rig.run(.seconds(5))
        rig.send(onTrial(rig, wants: false, since: .seconds(5)))
        rig.behave(.wrong)
        rig.run(.seconds(6))
        #expect(rig.told == ["activated 4", "cancel 4"], "\(rig.story)")
        rig.services["gateway"]?.afterStart = .serving(latencyMs: 5)
        let before = tokens(rig)
        rig.send(takenBack(rig, applied: .seconds(12)))
        rig.run(.seconds(10))
        #expect(tokens(rig) == before, "\(rig.story)")
        #expect(rig.told.last == "activated 4")
        #expect(rig.condition == .watching, "\(rig.story)")
    }

    @Test func aProcessThatNeverRanTheChangeNeedsNoWayBack() {
        var rig = settled()
        rig.send(takenBack(rig, applied: .seconds(5)))
        rig.run(.seconds(5))
        #expect(rig.forced.isEmpty)
        #expect(rig.told == ["activated 4"])
    }

    @Test func aProcessThatStartedInBetweenIsBroughtBack() {
        var rig = settled()
        rig.run(.seconds(1))
        rig.send(takenBack(rig, applied: .seconds(60)))
        rig.run(.seconds(5))
        #expect(rig.forced == ["killUnit SIGTERM", "startUnit"], "\(rig.story)")
        #expect(rig.told == ["activated 4"])
    }

    @Test func aReloadThatFailsTakesTheChangeBackAndAWayBackThatFailsRestarts() {
        var rig = settled()
        rig.reloads = .failed("failed")
        rig.send(onTrial(rig, .reload))
        rig.run(.seconds(2))
        #expect(rig.told == ["cancel 4"])
        rig.send(takenBack(rig, .reload))
        rig.run(.seconds(6))
        #expect(rig.forced == ["killUnit SIGTERM", "startUnit"], "\(rig.story)")
        #expect(rig.told == ["cancel 4", "activated 4"])
    }

    @Test func aReloadIsToldWhenGoodAnswersCameAfterIt() {
        var rig = settled()
        rig.send(onTrial(rig, .reload))
        #expect(rig.told.isEmpty)
        rig.run(.seconds(5))
        #expect(rig.told == ["activated 4"], "\(rig.story)")
        #expect(rig.forced.isEmpty)
    }

    @Test func whileTheHostIsStarvedNothingIsBegun() {
        var rig = settled()
        rig.pressure(90)
        rig.send(onTrial(rig))
        rig.run(.seconds(5))
        #expect(rig.forced.isEmpty)
        rig.pressure(1)
        rig.run(.seconds(10))
        #expect(rig.told == ["activated 4"], "\(rig.story)")
    }
}
