import Testing
import Time

@Suite struct TimeTests {
    @Test func `instants and durations go there and back`() {
        let start = Instant(nanoseconds: 5)
        let later = start + .milliseconds(1500)
        #expect(later == Instant(nanoseconds: 1_500_000_005))
        #expect(later - start == .milliseconds(1500))
        #expect(start - later == .milliseconds(-1500))
        #expect(later - .milliseconds(1500) == start)
        #expect(Duration.nanoseconds(-1_999_999).milliseconds == -1)
        #expect(Duration.milliseconds(-1).nanoseconds == -1_000_000)
        #expect(Duration.milliseconds(1 << 53).milliseconds == 1 << 53)
    }

    @Test func `sums beyond what 64 bits hold stop at their end`() {
        let ages = Duration.milliseconds(1 << 53)
        #expect(ages.nanoseconds == .max)
        #expect((ages * -1).nanoseconds == .min)
        #expect(Duration.seconds(Int64.max).milliseconds == .max)
        let now = Instant(nanoseconds: 7)
        let before = Instant(nanoseconds: -7)
        #expect(now + ages == Instant(nanoseconds: .max))
        #expect(before - ages == Instant(nanoseconds: .min))
        #expect(before + ages * -1 == Instant(nanoseconds: .min))
        #expect(now - ages * -1 == Instant(nanoseconds: .max))
        #expect(Instant(nanoseconds: .max) - before == .nanoseconds(Int64.max))
        #expect(Instant(nanoseconds: .min) - now == .nanoseconds(Int64.min))
    }
}
