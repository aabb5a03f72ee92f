import ConfigAPI
import ConfigCore
import Testing
import Time
import Wire

/// When the keeper looks sooner than each minute.
@Suite struct KeeperNoticeTests {
    private let id = Keeper.FileID(service: "gateway", path: "/etc/gateway/.env")
    private let other = Keeper.FileID(service: "worker", path: "/etc/worker/.env")
    private let first = version("old", after: nil)
    private let start = Instant.zero

    private static func version(_ content: String, after previous: Version?) -> Version {
        let draft = Version.Draft(
            origin: .set, content: Digest(of: content.utf8), sizeBytes: Int64(content.utf8.count), keys: [],
            at: WallTime(milliseconds: 0), authorUID: 0, reason: "", identity: FileIdentity(uid: 0, gid: 0, mode: 0o600)
        )
        return Version(draft, after: previous)
    }

    private func at(_ milliseconds: Int64) -> Instant { start + .milliseconds(milliseconds) }

    /// A keeper that has looked at its files at `start`, long ago by `begins`.
    private func keeper(_ ids: [Keeper.FileID]) -> Keeper {
        var keeper = Keeper()
        _ = keeper.configured(ids, now: start)
        for id in ids { _ = keeper.looked(id, .whole(first), versions: [], now: start) }
        return keeper
    }

    @Test func aNoticeLeadsToALookInAMoment() {
        var keeper = keeper([id, other])
        #expect(keeper.noticed([id], now: at(1000)) == [.startTimer(TimerID(1), at: at(1030))])
        #expect(keeper.noticed([id], now: at(1010)) == [], "one notice is enough")
        #expect(keeper.timerFired(TimerID(1), now: at(1030)) == [.look(id)])
        #expect(keeper.looked(id, .whole(first), versions: [], now: at(1031)) == [])
        #expect(keeper.timerFired(TimerID(1), now: at(1032)) == [], "that timer is over")
    }

    @Test func aStormCostsFourLooksASecondAndDelaysNone() {
        var keeper = keeper([id])
        var timer: (id: TimerID, at: Instant)?
        var looks: [Instant] = []
        for step in 0..<2000 {
            let now = at(1000 + Int64(step))
            var actions = keeper.noticed([id], now: now)
            if let due = timer, due.at <= now {
                timer = nil
                actions += keeper.timerFired(due.id, now: now)
            }
            for action in actions {
                if case .startTimer(let id, let time) = action { timer = (id, time) }
                guard case .look = action else { continue }
                looks.append(now)
                for action in keeper.looked(id, .whole(first), versions: [], now: now) {
                    if case .startTimer(let id, let time) = action { timer = (id, time) }
                }
            }
        }
        #expect(looks.first == at(1030))
        #expect((7...9).contains(looks.count), "\(looks.count) looks in two seconds")
        for (one, next) in zip(looks, looks.dropFirst()) {
            #expect(next - one >= Keeper.noticeGap)
            #expect(next - one < .milliseconds(300))
        }
    }

    @Test func aStreamOfChangesThroughConfigdDoesNotPutALookOff() {
        var keeper = keeper([id])
        #expect(keeper.changed(id, .whole(first), versions: [], now: at(1000)) == [])
        #expect(keeper.noticed([id], now: at(1001)) == [.startTimer(TimerID(1), at: at(1250))])
        for step in 1...24 {
            let now = at(1000 + Int64(step) * 10)
            #expect(keeper.changed(id, .whole(first), versions: [], now: now) == [])
            #expect(keeper.noticed([id], now: now) == [])
        }
        #expect(keeper.timerFired(TimerID(1), now: at(1250)) == [.look(id)])
    }

    @Test func whatIsNoticedDuringALookIsLookedAtOnceMore() {
        var keeper = keeper([id])
        _ = keeper.noticed([id], now: at(1000))
        #expect(keeper.timerFired(TimerID(1), now: at(1030)) == [.look(id)])
        #expect(keeper.noticed([id], now: at(1031)) == [])
        #expect(
            keeper.looked(id, .whole(first), versions: [], now: at(1040)) == [.startTimer(TimerID(2), at: at(1290))])
    }

    @Test func aHalfWrittenFileIsNoTroubleAndIsLookedAtAgain() {
        var keeper = keeper([id])
        let half = Keeper.Condition.troubled(StepFailure(.beingWritten(again: .milliseconds(300)), step: "read"))
        _ = keeper.noticed([id], now: at(1000))
        _ = keeper.timerFired(TimerID(1), now: at(1030))
        #expect(keeper.looked(id, half, versions: [], now: at(1031)) == [.startTimer(TimerID(2), at: at(1331))])
        #expect(keeper.condition(of: id) == .whole(first))
        #expect(keeper.timerFired(TimerID(2), now: at(1331)) == [.look(id)])
        let second = Self.version("new", after: first)
        #expect(keeper.looked(id, .whole(second), versions: [second], now: at(1332)) == [.announce(id, second)])
    }

    @Test func aBlindFileIsLookedAtEachSecondAndItsReasonIsToldOnce() {
        var keeper = keeper([id, other])
        #expect(keeper.blinded(id, .noWatchLeft, now: at(10)).first == .reportBlind(id, .noWatchLeft))
        #expect(keeper.blinded(other, .noWatchLeft, now: at(10)).contains(.reportBlind(other, .noWatchLeft)) == false)
        #expect(keeper.blindCount == 2)
        #expect(keeper.timerFired(TimerID(1), now: at(1000)) == [.look(id), .look(other)])
        #expect(
            keeper.looked(id, .whole(first), versions: [], now: at(1001)) == [.startTimer(TimerID(2), at: at(2001))])
        #expect(keeper.sighted(id) == [])
        #expect(keeper.sighted(other) == [.reportSighted(other, .noWatchLeft)])
        #expect(keeper.sighted(other) == [])
        #expect(keeper.timerFired(TimerID(2), now: at(2001)) == [], "both are noticed again")
    }

    @Test func aFolderThatIsGoneIsToldByTheLookAlone() {
        var keeper = keeper([id])
        #expect(keeper.blinded(id, .unreachable, now: at(10)) == [.startTimer(TimerID(1), at: at(1000))])
        #expect(keeper.blinded(id, .noWatchLeft, now: at(20)) == [.reportBlind(id, .noWatchLeft)])
        #expect(keeper.blinded(id, .unreachable, now: at(30)) == [.reportSighted(id, .noWatchLeft)])
        #expect(keeper.sighted(id) == [])
    }
}
