import HealthAPI
import HealthCore
import Testing

@Suite("Checks add up to a status") struct HealthFoldTests {
    private typealias Part = HealthFold.Part

    @Test("The worst check decides; one that is not critical degrades at worst")
    func worst() {
        #expect(HealthFold.health(of: [Part(.ok), Part(.ok)]) == .healthy)
        #expect(HealthFold.health(of: [Part(.ok), Part(.warning)]) == .degraded)
        #expect(HealthFold.health(of: [Part(.ok), Part(.critical, isCritical: false)]) == .degraded)
        #expect(HealthFold.health(of: [Part(.warning), Part(.critical), Part(.unknown)]) == .unhealthy)
    }

    @Test("What nobody can see is never healthy, and hides nothing that is worse")
    func unknown() {
        #expect(HealthFold.health(of: [Part(.ok), Part(.unknown)]) == .unknown)
        #expect(HealthFold.health(of: [Part(.warning), Part(.unknown)]) == .degraded)
        #expect(HealthFold.health(of: [Part]()) == .unknown)
    }

    @Test("A dependency that is down degrades; one that is degraded is its own matter; an unseen one leaves it unknown")
    func dependencies() {
        #expect(HealthFold.health(own: .healthy, dependencies: [.unhealthy, .healthy]) == .degraded)
        #expect(HealthFold.health(own: .healthy, dependencies: [.degraded]) == .healthy)
        #expect(HealthFold.health(own: .healthy, dependencies: [.unknown]) == .unknown)
        #expect(HealthFold.health(own: .unhealthy, dependencies: [.unhealthy]) == .unhealthy)
        #expect(HealthFold.health(own: nil, dependencies: [.healthy]) == .healthy)
        #expect(HealthFold.health(own: nil, dependencies: []) == .unknown)
    }
}
