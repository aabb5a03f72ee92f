import ConfigAPI
import ConfigCore
import Testing
import Time
import Wire

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
        func isTaken(_ draft: Version.Draft, number: Int64 = 2) -> Bool {
            let stored = Version(stored: number, draft, chain: second.chain, previousChain: second.previousChain)
            return stored.follows(first) || stored.isWhole
        }
        #expect(isTaken(second.draft))
        var forged = second.draft
        forged.reason = "other"
        #expect(!isTaken(forged))
        forged = second.draft
        forged.keys = ["AB"]
        #expect(!isTaken(forged))
        forged = second.draft
        forged.identity.mode = 0o644
        #expect(!isTaken(forged))
        #expect(!isTaken(second.draft, number: 3))
        #expect(!Version(stored: 2, second.draft, chain: second.chain, previousChain: nil).isWhole)
        let otherFirst = Version(draft("A"), after: nil)
        #expect(!second.follows(otherFirst))
    }
}
