import ConfigCore
import Testing
import Time

@Suite struct OutsideChangeTests {
    private static let editor = EnvEditor(readers: [Samples.dialect("node-dotenv"), Samples.dialect("systemd")])
    private static let sound = (1...10).map { "KEY\($0)='\(String(repeating: "v", count: 60))'\n" }.joined()

    private static func damage(_ found: String, from last: String = sound) -> OutsideChange.Damage? {
        OutsideChange.damage(
            from: Samples.bytes(last), to: Samples.bytes(found), format: .env(editor), limitPercent: 30)
    }

    private static func still(
        _ milliseconds: Int64, _ writer: OutsideChange.Writer, waited: Int64? = nil
    ) -> OutsideChange.Stillness {
        OutsideChange.Stillness(
            stillFor: .milliseconds(milliseconds), waitedFor: .milliseconds(waited ?? milliseconds), writer: writer)
    }

    // MARK: What is damaged

    @Test func aChangedValueIsNoDamage() {
        #expect(Self.damage(Self.sound.replacing("KEY3='v", with: "KEY3='w")) == nil)
        #expect(Self.damage(Self.sound + "NEW=1\n") == nil)
    }

    @Test func aFileEmptiedIsDamagedHoweverSmallItWas() {
        #expect(Self.damage("", from: "A=1\n") == .empty)
        #expect(Self.damage(" \n\t\r\n", from: "A=1\n") == .empty)
        #expect(Self.damage("", from: "\n") == nil, "it said nothing before")
    }

    @Test func zeroBytesAreDamageWhereThereWereNone() {
        #expect(Self.damage(String(repeating: "\0", count: Self.sound.utf8.count)) == .zeroBytes)
        #expect(Self.damage(Self.sound + "\0") == .zeroBytes)
        #expect(Self.damage("A=1\0\nB=2\n", from: "A=1\0\n") == nil)
    }

    @Test func bytesThatAreNoTextAreDamageWhereAllWasText() {
        let found = Samples.bytes("A=1\nB=") + [0xFF, 0xFE, 0x0A]
        let last = Samples.bytes("A=1\nB=2\n")
        #expect(
            OutsideChange.damage(from: last, to: found, format: .env(Self.editor), limitPercent: 30) == .notText)
        #expect(
            OutsideChange.damage(from: found, to: found + last, format: .env(Self.editor), limitPercent: 30) == nil)
    }

    @Test func aReaderThatRefusesWhatItReadBeforeIsNamedWithTheLine() {
        let editor = EnvEditor(readers: [Samples.dialect("node-dotenv"), Samples.dialect("sh")])
        let last = Samples.bytes("A=1\nB='two'\n")
        let found = Samples.bytes("A=1\nB='two\n")
        guard
            case .unreadable(let reader, let line, _) = OutsideChange.damage(
                from: last, to: found, format: .env(editor), limitPercent: 30)
        else {
            Issue.record("sh reads no quote that is left open")
            return
        }
        #expect(reader == "sh")
        #expect(line == 2)
        #expect(
            OutsideChange.damage(from: found, to: found + last, format: .env(editor), limitPercent: 30) == nil,
            "sh refused it before: that is no news")
    }

    @Test func aJSONFileThatNoLongerIsOneIsDamaged() {
        let last = Samples.bytes("{\n  \"rate\": 100,\n  \"burst\": 20\n}\n")
        func damage(_ found: String, from last: [UInt8]) -> OutsideChange.Damage? {
            OutsideChange.damage(from: last, to: Samples.bytes(found), format: .json(Secrets()), limitPercent: 30)
        }
        guard case .unreadable("JSON", 2, _) = damage("{\n  \"rate\": ,\n  \"burst\": 20\n}\n", from: last) else {
            Issue.record("a value is missing in line 2")
            return
        }
        #expect(damage("{\"rate\": 200, \"burst\": 20}\n", from: last) == nil)
        #expect(damage("{\"rate\": ,}\n", from: Samples.bytes("{,}")) == nil, "it was none before")
        #expect(
            OutsideChange.damage(
                from: last, to: Samples.bytes("rate = 100\nburst = 20, or more\n"), format: .whole, limitPercent: 30)
                == nil)
    }

    @Test func muchGoneIsDamageAsTheShrinkGuardSays() {
        let half = String(Self.sound.prefix(Self.sound.count / 2))
        guard case .shrunk(let loss) = Self.damage(half) else {
            Issue.record("half of the file is gone")
            return
        }
        #expect(loss.bytesAfter == half.utf8.count)
        let found = Samples.bytes(half)
        #expect(
            OutsideChange.damage(
                from: Samples.bytes(Self.sound), to: found, format: .env(Self.editor), limitPercent: 100)
                == nil, "where the settings allow it")
    }

    // MARK: When it is believed

    @Test func aSoundChangeIsTakenOverAtOnceOrPutBackByPolicy() {
        for writer in [OutsideChange.Writer.gone, .unknown] {
            #expect(OutsideChange.verdict(on: nil, policy: .adopt, Self.still(0, writer)) == .adopt)
            #expect(OutsideChange.verdict(on: nil, policy: .restore, Self.still(0, writer)) == .restore(.policy))
        }
    }

    @Test func aSoundChangeThatIsStillOpenWaitsForItsEnd() {
        #expect(
            OutsideChange.verdict(on: nil, policy: .adopt, Self.still(100, .present)) == .wait(.milliseconds(400)))
        #expect(OutsideChange.verdict(on: nil, policy: .adopt, Self.still(500, .present)) == .adopt)
    }

    @Test func damageHoldsStillBeforeItIsBelievedLongerTheLessIsKnownOfItsWriter() {
        func verdict(_ milliseconds: Int64, _ writer: OutsideChange.Writer) -> OutsideChange.Verdict {
            OutsideChange.verdict(on: .empty, policy: .adopt, Self.still(milliseconds, writer))
        }
        #expect(verdict(0, .gone) == .wait(.milliseconds(300)))
        #expect(verdict(300, .gone) == .restore(.damage(.empty)))
        #expect(verdict(300, .unknown) == .wait(.milliseconds(700)))
        #expect(verdict(1000, .unknown) == .restore(.damage(.empty)))
        #expect(verdict(1000, .present) == .wait(.seconds(9)))
        #expect(verdict(10_000, .present) == .restore(.damage(.empty)))
    }

    @Test func whoWritesOnAndOnIsNotWaitedForBeyondTheLimit() {
        let busy = Self.still(0, .present, waited: 9_950)
        #expect(OutsideChange.verdict(on: .empty, policy: .adopt, busy) == .wait(.milliseconds(50)))
        let over = Self.still(0, .present, waited: 10_000)
        #expect(OutsideChange.verdict(on: .empty, policy: .adopt, over) == .restore(.damage(.empty)))
        #expect(OutsideChange.verdict(on: nil, policy: .adopt, over) == .adopt)
    }

    @Test func aFileThatIsGoneIsPutBackWhereNobodyElseMayChangeIt() {
        #expect(OutsideChange.verdict(onMissingFile: .adopt, Self.still(5000, .gone)) == nil)
        #expect(
            OutsideChange.verdict(onMissingFile: .restore, Self.still(400, .gone)) == .wait(.milliseconds(600)))
        #expect(OutsideChange.verdict(onMissingFile: .restore, Self.still(1000, .gone)) == .bringBack)
    }
}

@Suite struct SuspicionTests {
    private let start = Instant.zero

    private func mark(_ change: Int64) -> FileMark {
        FileMark(device: 1, inode: 2, sizeBytes: 3, modifiedNs: change, changedNs: change)
    }

    @Test func stillnessBeginsAnewWithEachChangeAndWaitingDoesNot() {
        var suspicion = Suspicion()
        _ = suspicion.seen(mark(1), writer: .gone, age: nil, now: start)
        let second = suspicion.seen(mark(1), writer: .gone, age: nil, now: start + .milliseconds(200))
        #expect(second.stillFor == .milliseconds(200))
        let third = suspicion.seen(mark(2), writer: .gone, age: nil, now: start + .milliseconds(250))
        #expect(third.stillFor == .zero)
        #expect(third.waitedFor == .milliseconds(250))
        suspicion.cleared()
        let fourth = suspicion.seen(mark(2), writer: .gone, age: nil, now: start + .seconds(9))
        #expect(fourth.waitedFor == .zero)
    }

    @Test func theFilesOwnAgeCountsWhereNothingElseIsKnown() {
        var suspicion = Suspicion()
        let old = suspicion.seen(mark(1), writer: .unknown, age: .seconds(3600), now: start)
        #expect(old.stillFor == .seconds(3600))
        var other = Suspicion()
        let future = other.seen(mark(1), writer: .unknown, age: .seconds(-5), now: start)
        #expect(future.stillFor == .zero, "its clock is ahead of this one")
    }

    @Test func threeTimesAMinuteAFileIsPutBackAndNotOnceMore() {
        var suspicion = Suspicion()
        for second in 0..<3 {
            let now = start + .seconds(Int64(second) * 10)
            #expect(suspicion.mayRestore(now: now))
            suspicion.restored(now: now)
        }
        #expect(!suspicion.mayRestore(now: start + .seconds(59)))
        #expect(suspicion.mayRestore(now: start + .seconds(60)))
        suspicion.restored(now: start + .seconds(60))
        #expect(!suspicion.mayRestore(now: start + .seconds(61)))
        suspicion.pardoned()
        #expect(suspicion.mayRestore(now: start + .seconds(61)))
    }
}
