import ConfigAPI
@testable import ConfigEtcdCore
import Testing
import Wire

/// Whose fault a refusal is: the host's is tried again, the revision's is told in its status.
@Suite struct FaultTests {
    @Test func whatTheHostCannotDoNowMakesARevisionWait() {
        for error in [
            ConfigErrors.noSpace("/etc/gateway/.env"), ConfigErrors.versionConflict(expected: 1, found: 2),
            ConfigErrors.validatorUnavailable("/etc/gateway/.env", why: "no unit"),
            ConfigErrors.keepsChanging("/etc/gateway/.env"),
            .peerSilent("configd", "no answer"),
        ] {
            #expect(Fault(error) == .ofTheHost, "\(error.name)")
        }
    }

    @Test func whatIsWrongWithARevisionIsItsOwn() {
        for error in [ConfigErrors.invalidKey("1", reader: nil), ConfigErrors.zeroByte("A")] {
            #expect(Fault(error) == .ofTheRevision, "\(error.name)")
        }
    }
}
