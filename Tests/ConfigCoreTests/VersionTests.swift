import ConfigAPI
import ConfigCore
import Testing
import Time

@Suite struct VersionTests {
    private func draft(_ content: String, reason: String = "", keys: [String] = []) -> Version.Draft {
        Version.Draft(
            origin: .set, content: Digest(of: content.utf8), sizeBytes: Int64(content.utf8.count), keys: keys,
            at: WallTime(milliseconds: 1000), authorUID: 0, reason: reason,
            identity: FileIdentity(uid: 0, gid: 0, mode: 0o600))
    }

    @Test func versionsCountFromOneAndFollowEachOther() {
        let first = Version(draft("a"), after: nil)
        let second = Version(draft("b"), after: first)
        #expect([first.number, second.number] == [1, 2])
        #expect(first.follows(nil))
        #expect(second.follows(first))
        #expect(!second.follows(nil))
    }

    @Test func anyChangedFieldBreaksTheChain() {
        let first = Version(draft("a"), after: nil)
        let second = Version(draft("b", reason: "why", keys: ["A", "B"]), after: first)
        var forged = second.draft
        forged.reason = "other"
        #expect(!Version(stored: 2, forged, chain: second.chain).follows(first))
        forged = second.draft
        forged.keys = ["AB"]
        #expect(!Version(stored: 2, forged, chain: second.chain).follows(first))
        forged = second.draft
        forged.identity.mode = 0o644
        #expect(!Version(stored: 2, forged, chain: second.chain).follows(first))
        #expect(!Version(stored: 3, second.draft, chain: second.chain).follows(first))
        let otherFirst = Version(draft("A"), after: nil)
        #expect(!second.follows(otherFirst))
    }
}
