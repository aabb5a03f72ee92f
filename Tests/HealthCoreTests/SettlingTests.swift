import HealthAPI
import HealthCore
import Testing

@Suite("A verdict is believed after thresholds") struct SettlingTests {
    /// Verdicts as letters: o, w, c, u.
    private func settled(_ rounds: String, _ thresholds: Thresholds) -> String {
        var settling = Settling(thresholds: thresholds)
        let letters: [Character: Verdict] = ["o": .ok, "w": .warning, "c": .critical, "u": .unknown]
        return String(
            rounds.compactMap { letters[$0] }.map { verdict in
                settling.roundEnded(verdict)
                return settling.verdict.rawValue.first ?? "?"
            })
    }

    @Test("The first good round is believed at once; the first bad ones are not")
    func start() {
        #expect(settled("o", Thresholds()) == "o")
        #expect(settled("ccc", Thresholds()) == "uuc")
        #expect(settled("oo", Thresholds(success: 2)) == "uo")
    }

    @Test("It takes the stated failures running to be critical, and the stated successes to be ok")
    func consecutive() {
        #expect(settled("oococccoco", Thresholds(success: 2, failure: 3)) == "uooooocccc")
        #expect(settled("oocccoo", Thresholds(success: 2, failure: 3)) == "uooocco")
    }

    @Test("A warning is a level of its own, on the way up and down")
    func warning() {
        #expect(settled("oowwccwwoo", Thresholds(success: 2, failure: 2)) == "uoowwccwwo")
    }

    @Test("Mixed bad rounds reach the mildest level that all of them reached")
    func mixed() {
        #expect(settled("owcwccc", Thresholds(success: 1, failure: 3)) == "ooowwwc")
    }

    @Test("Unknown rounds neither raise nor clear, and do not break a row of failures")
    func unknownDoesNotCount() {
        #expect(settled("ocucuc", Thresholds(success: 1, failure: 3)) == "oooooc")
        #expect(settled("occcuuuuuu", Thresholds(success: 1, failure: 3)) == "oooccccccc")
        #expect(settled("owwwuuuu", Thresholds(success: 1, failure: 3)) == "ooowwwww")
    }

    @Test("What nobody has seen for as long as a failure takes is not ok, but unknown, until it is seen again")
    func blind() {
        #expect(settled("ouuuo", Thresholds(success: 1, failure: 3)) == "ooouo")
        #expect(settled("ouuuccc", Thresholds(success: 1, failure: 3)) == "ooouuuc")
    }

    @Test("Failures before a time of blindness do not count after it")
    func blindForgets() {
        #expect(settled("occuuuccc", Thresholds(success: 1, failure: 3)) == "ooooouuuc")
    }

    @Test("With 3 of 5, flapping raises, and clears only when the window would not raise it again")
    func window() {
        #expect(settled("oocococococ", Thresholds(success: 2, failure: 3, window: 5)) == "uoooooccccc")
        #expect(settled("occcooo", Thresholds(success: 1, failure: 3, window: 5)) == "oooccco")
    }
}
