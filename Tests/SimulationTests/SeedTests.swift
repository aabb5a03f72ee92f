import SimulationKit
import Testing
import Time

/// Whole worlds from seeds. The 48-hour runs of 200 seeds are `Scripts/prove simulation`; here each of twenty seeds runs two
/// hours, which holds every kind of fault over them.
@Suite struct SeedTests {
    @Test(arguments: Array(UInt64(1)...20)) func noInvariantIsBroken(_ seed: UInt64) {
        let report = Simulation(seed: seed).run(hours: 2)
        #expect(report.violations == [])
        #expect(report.steps > 10_000)
    }

    @Test func aSeedAlwaysGivesTheSameRun() {
        let first = Simulation(seed: 99).run(hours: 2)
        let second = Simulation(seed: 99).run(hours: 2)
        #expect(first == second)
        #expect(Simulation(seed: 100).run(hours: 2).digest != first.digest)
    }
}
