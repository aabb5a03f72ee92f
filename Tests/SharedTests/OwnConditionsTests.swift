import Testing
import Time
import Wire

@testable import Runtime

@Suite struct OwnConditionsTests {
    private func thread(stuck: Bool) -> ThreadState {
        ThreadState(name: "store", stuck: stuck, waiting: 3, busyMs: stuck ? 6000 : 0)
    }

    private func peer(answers: Bool, since: Duration = .zero) -> OwnConditions.PeerView {
        OwnConditions.PeerView(daemon: "healthd", answers: answers, since: .zero + since)
    }

    @Test func `a stuck thread is told once, and once that it works again`() {
        var conditions = OwnConditions()
        #expect(conditions.changes(threads: [thread(stuck: false)], peers: [], now: .zero).isEmpty)
        let told = conditions.changes(threads: [thread(stuck: true)], peers: [], now: .zero)
        #expect(told.map(\.priority) == [.error])
        #expect(told.first?.fields == ["MAINSTAY_THREAD": "store"])
        #expect(conditions.changes(threads: [thread(stuck: true)], peers: [], now: .zero).isEmpty)
        #expect(conditions.changes(threads: [thread(stuck: false)], peers: [], now: .zero).map(\.priority) == [.notice])
        #expect(conditions.changes(threads: [thread(stuck: false)], peers: [], now: .zero).isEmpty)
    }

    @Test func `a peer is silent after a second, not in the moment of its restart`() {
        var conditions = OwnConditions()
        let gone = peer(answers: false, since: .seconds(10))
        #expect(conditions.changes(threads: [], peers: [gone], now: .zero + .milliseconds(10_999)).isEmpty)
        let told = conditions.changes(threads: [], peers: [gone], now: .zero + .seconds(11))
        #expect(told.first?.fields == ["MAINSTAY_PEER": "healthd"])
        #expect(conditions.changes(threads: [], peers: [gone], now: .zero + .seconds(60)).isEmpty)
        let back = conditions.changes(threads: [], peers: [peer(answers: true)], now: .zero + .seconds(61))
        #expect(back.map(\.message) == ["healthd answers again"])
    }

    @Test func `a peer that was away for less than a second is not told of at all`() {
        var conditions = OwnConditions()
        #expect(conditions.changes(threads: [], peers: [peer(answers: false)], now: .zero + .milliseconds(500)).isEmpty)
        #expect(conditions.changes(threads: [], peers: [peer(answers: true)], now: .zero + .seconds(5)).isEmpty)
    }
}
