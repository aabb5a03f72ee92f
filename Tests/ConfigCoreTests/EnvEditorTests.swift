@testable import ConfigCore
import Testing
import Time

@Suite struct EnvEditorTests {
    private let usual = EnvEditor(readers: [])

    private func edited(
        _ file: String, _ key: String, _ value: String, readers: [String] = []
    ) throws(EditRefusal) -> String {
        let editor = EnvEditor(readers: readers.map(Samples.dialect))
        let change = EnvEditor.Change.set(key: key, value: Array(value.utf8))
        return String(decoding: try editor.apply([change], to: Array(file.utf8)), as: UTF8.self)
    }

    private func refusal(_ file: String, _ key: String, _ value: String, readers: [String] = []) -> EditRefusal? {
        do {
            _ = try edited(file, key, value, readers: readers)
            return nil
        } catch { return error }
    }

    @Test func onlyTheValuesOwnBytesChange() throws {
        let key = Samples.privateKey
        let before = "# gateway\r\nPORT=3000\r\n\r\nKEY=\"\(key)\"\r\nURL = 'x' # why\r\nnonsense\r\n"
        let after = before.replacing("PORT=3000", with: "PORT=3001")
        #expect(try edited(before, "PORT", "3001", readers: ["node-dotenv", "node-env-file"]) == after)
        #expect(
            try edited(before, "URL", "y", readers: ["node-dotenv", "python-dotenv"])
                == before.replacing("'x'", with: "'y'"))
    }

    @Test func aNewKeyGoesToTheEndInTheFilesOwnLineEnds() throws {
        #expect(try edited("A=1\n", "B", "2") == "A=1\nB=2\n")
        #expect(try edited("A=1", "B", "2") == "A=1\nB=2\n")
        #expect(try edited("A=1\r\n", "B", "2", readers: ["node-dotenv"]) == "A=1\r\nB=2\r\n")
        #expect(try edited("", "B", "two words") == "B='two words'\n")
        #expect(try edited("\u{FEFF}", "B", "2", readers: ["node-dotenv"]) == "\u{FEFF}B=2\n")
    }

    @Test func aPrivateKeyIsWrittenSoThatAllRealReadersReadItBack() throws {
        let after = try edited("A=1\n", "KEY", Samples.privateKey)
        #expect(after == "A=1\nKEY='\(Samples.privateKey)'\n")
    }

    @Test func ofDuplicateKeysTheOneThatCountsIsChangedAndTheOtherKept() throws {
        #expect(try edited("K=1\nL=2\nK=3\n", "K", "4") == "K=1\nL=2\nK=4\n")
    }

    @Test func whereAKeyStandsAloneLaterANewLineCountsToTheReaderThatItUnsetsItFor() throws {
        #expect(try edited("K=1\nK\n", "K", "2", readers: ["python-dotenv"]) == "K=1\nK\nK=2\n")
    }

    @Test func theQuotingThatStandsIsKeptWhereItWillDo() throws {
        #expect(try edited("K=\"old\"\n", "K", "new") == "K=\"new\"\n")
        #expect(try edited("K='old'\n", "K", "new") == "K='new'\n")
        #expect(try edited("K=\"old\"\n", "K", "a\\b") == "K='a\\b'\n")
        #expect(try edited("export K=old # note\n", "K", "new", readers: ["sh"]) == "export K=new # note\n")
    }

    @Test func aValueThatAlreadyReadsSoChangesNothing() throws {
        #expect(try edited("K = 'same'  # note\n", "K", "same", readers: ["node-dotenv"]) == "K = 'same'  # note\n")
    }

    @Test func whereOneReaderDoesNotSeeTheAssignmentANewLineIsAdded() throws {
        // systemd drops `export K=…` without a word, so the line that counts for it must be another.
        #expect(
            try edited("export K=old\n", "K", "new", readers: ["systemd", "sh"]) == "export K=old\nK=new\n")
    }

    @Test func whatNoQuotingCanSayToAllReadersIsRefusedWithTheReadersName() {
        let value = "it's \"both\" `ways`\n$HOME"
        #expect(refusal("A=1\n", "K", value) != nil)
        #expect(
            refusal("A=1\n", "K", "two\nlines", readers: ["docker"])
                == .unwritable(key: "K", reader: "docker", wouldRead: "'two"))
        #expect(
            refusal("A=1\n", "K", "${X}", readers: ["python-dotenv"])
                == .unwritable(key: "K", reader: "python-dotenv", wouldRead: "what ${X} expands to"))
        #expect(
            refusal("A=1\n", "a.b", "v", readers: ["node-dotenv", "systemd"])
                == .invalidKey(key: "a.b", reader: "systemd"))
        #expect(refusal("A=1\n", "a b", "v") == .invalidKey(key: "a b", reader: nil))
        #expect(refusal("A=1\n", "K", "a\u{0}b") == .zeroByte(key: "K"))
    }

    @Test func keysWithDotsAndDashesAreWrittenForReadersThatTakeThem() throws {
        #expect(try edited("", "a.b-c", "v", readers: ["node-dotenv", "python-dotenv", "docker"]) == "a.b-c=v\n")
    }

    @Test func aFileThatAReaderRefusesIsNotWrittenTo() {
        #expect(
            refusal("A=1\nK='open\n", "A", "2", readers: ["sh"])
                == .unreadable(reader: "sh", line: 2, "finds no closing quote"))
    }

    @Test func sizesAreLimited() {
        let value = String(repeating: "x", count: 128 * 1024)
        #expect(refusal("", "K", value) == .valueTooLarge(key: "K", bytes: 131_072))
        #expect(refusal("", "K", String(value.dropLast(3)), readers: ["node-dotenv"]) == nil)
        let flood = (0...256).map { EnvEditor.Change.set(key: "K\($0)", value: []) }
        #expect(throws: EditRefusal.tooManyChanges(257, allowed: 256)) { try usual.apply(flood, to: []) }
        #expect(EnvEditor.changesAllowed(bytes: EnvEditor.largestFileBytes) == 4)
        let full = [UInt8](repeating: 0x23, count: EnvEditor.largestFileBytes + 1)
        #expect(throws: EditRefusal.fileTooLarge(bytes: full.count)) { try usual.apply([], to: full) }
    }

    @Test func aRemovalTakesEveryLineOfTheKeyAndNothingElse() throws {
        let file = Samples.bytes("A=1\n# c\nK='x\ny' # note\r\nB=2\n  K=3\n")
        let editor = EnvEditor(readers: [Samples.dialect("node-dotenv")])
        #expect(try editor.apply([.remove(key: "K")], to: file) == Samples.bytes("A=1\n# c\nB=2\n"))
        #expect(throws: EditRefusal.unknownKey(key: "Z")) { try editor.apply([.remove(key: "Z")], to: file) }
    }

    @Test func severalChangesAreAllMadeOrNone() throws {
        let file = Samples.bytes("A=1\nB=2\n")
        let good: [EnvEditor.Change] = [.set(key: "A", value: [0x33]), .remove(key: "B"), .set(key: "C", value: [])]
        #expect(try usual.apply(good, to: file) == Samples.bytes("A=3\nC=\n"))
        #expect(throws: EditRefusal.self) { try usual.apply(good + [.set(key: "", value: [])], to: file) }
    }

    @Test("random edits of random files change one stretch, and every reader reads what was meant")
    func randomEdits() {
        var random = SeededRandom(seed: 7)
        var written = 0
        for _ in 0..<1500 {
            let before = Array(Samples.file(&random).utf8)
            let value = Array(Samples.value(&random).utf8)
            let readers = Dialect.all.filter { _ in Bool.random(using: &random) }
            let editor = EnvEditor(readers: readers)
            guard let after = try? editor.apply([.set(key: "K", value: value)], to: before) else { continue }
            written += 1
            for (old, new) in zip(editor.readings(of: before), editor.readings(of: after)) {
                #expect(new.effective["K"] == .text(value))
                #expect(old.effective.filter { $0.key != "K" } == new.effective.filter { $0.key != "K" })
            }
            let kept = zip(before, after).prefix { $0 == $1 }.count
            let keptAtEnd = zip(before.dropFirst(kept).reversed(), after.dropFirst(kept).reversed())
                .prefix { $0 == $1 }.count
            let gone = before.dropFirst(kept).dropLast(keptAtEnd)
            let standing = editor.readings(of: before).compactMap { $0.binding(of: "K")?.raw }
            let isValue =
                gone.isEmpty || standing.contains { kept >= $0.lowerBound && kept + gone.count <= $0.upperBound }
            #expect(isValue, "\(String(decoding: before, as: UTF8.self).debugDescription)")
        }
        #expect(written > 500)
    }

    @Test func theShrinkGuardAsksOnlyWhereMuchIsLost() {
        let many = Samples.bytes((1...10).map { "KEY\($0)=\(String(repeating: "v", count: 60))\n" }.joined())
        let few = Samples.bytes("KEY1=v\n")
        let loss = ShrinkGuard.loss(from: many, to: few, format: .env(usual), limitPercent: 30)
        #expect(loss?.keysBefore == 10)
        #expect(loss?.keysAfter == 1)
        #expect(
            ShrinkGuard.loss(
                from: Samples.bytes("K=long value\n"), to: Samples.bytes("K=\n"), format: .env(usual), limitPercent: 30)
                == nil)
        #expect(ShrinkGuard.loss(from: few, to: many, format: .env(usual), limitPercent: 30) == nil)
    }

    @Test func whatReadersReadDifferentlyIsTold() {
        let editor = EnvEditor(readers: [Samples.dialect("node-dotenv"), Samples.dialect("systemd")])
        let found = Disagreement.all(in: Samples.bytes("A=1\nexport K=v\nL=a#b\n"), editor: editor)
        func view(_ reader: String, _ value: String?) -> Disagreement.View {
            Disagreement.View(readers: [reader], value: value.map { .text(Samples.bytes($0)) })
        }
        #expect(
            found == [
                Disagreement(
                    key: "K", line: 2, views: [view("node-dotenv", "v"), view("systemd", nil)], isSecret: false),
                Disagreement(
                    key: "L", line: 3, views: [view("node-dotenv", "a"), view("systemd", "a#b")], isSecret: false),
            ])
    }
}
