import ConfigAPI
import ConfigEtcdAPI
import Testing
import Wire

@testable import mainstay

/// What the overview says of locks, leases and the follower of etcd.
@Suite struct HoldsTests {
    private static func status(_ services: [EtcdServiceStatus], answers: Bool = true) -> EtcdStatus {
        EtcdStatus(
            endpoint: "http://127.0.0.1:2379", answers: answers, sinceMs: Words.nowMs - 720_000,
            problem: answers ? nil : "connection refused", revision: 12, unwritten: 0, services: services)
    }

    @Test("A follower says how far it is, what was refused, and for how long etcd is away")
    func follower() {
        #expect(Self.status([]).summary.text == "follows http://127.0.0.1:2379 at revision 12")
        let refused = EtcdServiceStatus(service: "gateway", revision: 12, applied: 12, refused: 9)
        #expect(Self.status([refused]).summary.text.hasSuffix("; gateway: revision 9 was refused"))
        let waiting = EtcdServiceStatus(service: "gateway", revision: 12, outcome: .waiting, applied: 11)
        #expect(Self.status([waiting]).summary.text.hasSuffix("; gateway: revision 12 waits"))
        let away = Self.status([], answers: false).summary
        #expect(away.text == "http://127.0.0.1:2379 does not answer for 12 min: connection refused")
        #expect(away.style == .warning)
    }

    @Test("A lock is told with its holder, its age and what is left of it")
    func lock() {
        let lock = ConfigLock(
            service: "gateway", holderUID: 0, holderPID: 812, reason: "a deploy", sinceMs: Words.nowMs - 12_000,
            expiresAtMs: Words.nowMs + 48_500)
        #expect(lock.line == "by uid 0, pid 812 for 12 s, 48 s left: a deploy")
    }
}
