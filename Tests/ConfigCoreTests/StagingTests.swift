import ConfigCore
import Testing
import Time

/// Contents that come in parts.
@Suite struct StagingTests {
    private static let start = Instant(nanoseconds: 0)

    private static func owner(_ uid: UInt32, _ upload: String = "a") -> Staging.Owner {
        Staging.Owner(uid: uid, file: Keeper.FileID(service: "gateway", path: "/x"), upload: upload)
    }

    @Test func partsComeTogetherInOrder() throws {
        var staging = Staging()
        #expect(try staging.received([1, 2], at: 0, of: Self.owner(1), now: Self.start) == 2)
        #expect(try staging.received([9], at: 0, of: Self.owner(1, "b"), now: Self.start) == 1)
        #expect(throws: Staging.Refusal.gap(stagedBytes: 2)) {
            try staging.received([3], at: 3, of: Self.owner(1), now: Self.start)
        }
        #expect(try staging.received([3], at: 2, of: Self.owner(1), now: Self.start) == 3)
        #expect(staging.take(Self.owner(2)) == nil, "another user's upload is another one")
        #expect(staging.take(Self.owner(1)) == [1, 2, 3])
        #expect(staging.take(Self.owner(1)) == nil)
        #expect(try staging.received([4], at: 0, of: Self.owner(1), now: Self.start) == 1)
        #expect(try staging.received([5], at: 0, of: Self.owner(1), now: Self.start) == 1)
        #expect(staging.take(Self.owner(1)) == [5], "a part at 0 begins anew")
    }

    @Test func whatNobodyGoesOnWithIsForgotten() throws {
        var staging = Staging()
        _ = try staging.received([1], at: 0, of: Self.owner(1), now: Self.start)
        let nearly = Self.start + Staging.patience - .seconds(1)
        _ = try staging.received([2], at: 1, of: Self.owner(1), now: nearly)
        staging.ticked(now: Self.start + Staging.patience)
        #expect(try staging.received([3], at: 2, of: Self.owner(1), now: nearly + .seconds(1)) == 3)
        staging.ticked(now: nearly + .seconds(1) + Staging.patience)
        #expect(staging.take(Self.owner(1)) == nil)
    }

    @Test func memoryIsBounded() throws {
        var staging = Staging()
        let full = [UInt8](repeating: 0, count: EnvEditor.largestFileBytes)
        _ = try staging.received(full, at: 0, of: Self.owner(1), now: Self.start)
        #expect(throws: Staging.Refusal.tooLarge(bytes: full.count + 1)) {
            try staging.received([1], at: full.count, of: Self.owner(1), now: Self.start)
        }
        _ = try staging.received(full, at: 0, of: Self.owner(2), now: Self.start)
        #expect(throws: Staging.Refusal.full) {
            try staging.received([1], at: 0, of: Self.owner(3), now: Self.start)
        }
        var many = Staging()
        for uid in 0..<UInt32(Staging.mostContents) {
            _ = try many.received([1], at: 0, of: Self.owner(uid), now: Self.start)
        }
        #expect(throws: Staging.Refusal.full) { try many.received([1], at: 0, of: Self.owner(99), now: Self.start) }
        #expect(try many.received([1], at: 1, of: Self.owner(0), now: Self.start) == 2)
    }
}
