@testable import ConfigCore
import Testing
import Time

@Suite struct ConfigDiffTests {
    private static let node = EnvEditor(readers: [Samples.dialect("node-dotenv")])

    /// The hunks as `diff -u` prints them, a secret as `<value>`.
    private static func text(_ diff: ConfigDiff) -> [String] {
        diff.hunks.flatMap { hunk in
            ["@@ -\(hunk.fromLine),\(hunk.fromLines) +\(hunk.toLine),\(hunk.toLines) @@"]
                + hunk.lines.map { line in
                    let mark = [.same: " ", .removed: "-", .added: "+"][line.kind] ?? "?"
                    let pieces = line.pieces.map { piece in
                        switch piece {
                        case .plain(let bytes): String(decoding: bytes, as: UTF8.self)
                        case .secret(let secret): "<\(String(decoding: secret.value, as: UTF8.self))>"
                        }
                    }
                    return mark + pieces.joined() + (line.isEnded ? "" : "\\")
                }
        }
    }

    private static func diff(_ old: String, _ new: String, _ editor: EnvEditor = node) -> ConfigDiff {
        ConfigDiff(from: Samples.bytes(old), to: Samples.bytes(new), editor: editor)
    }

    @Test func oneChangedLineComesWithThreeAroundIt() {
        let file = (1...9).map { "K\($0)=\($0)\n" }.joined()
        let diff = Self.diff(file, file.replacing("K5=5", with: "K5=five"))
        #expect(
            Self.text(diff) == [
                "@@ -2,7 +2,7 @@", " K2=2", " K3=3", " K4=4", "-K5=5", "+K5=five", " K6=6", " K7=7", " K8=8",
            ])
        #expect(diff.keys.map(\.key) == ["K5"])
        #expect(diff.keys[0].before == .text([0x35]))
        #expect(!diff.isCut)
    }

    @Test func farChangesAreTwoHunksAndNearOnesOne() {
        let file = (1...20).map { "K\($0)=\($0)\n" }.joined()
        let far = Self.diff(file, file.replacing("K2=2\n", with: "").replacing("K19=19\n", with: "K19=19\nNEW=1\n"))
        #expect(far.hunks.map(\.lines.count) == [5, 5])
        #expect(far.hunks.map(\.fromLine) == [1, 17])
        #expect(far.hunks.map(\.toLine) == [1, 16])
        let near = Self.diff(file, file.replacing("K2=2\n", with: "").replacing("K9=9\n", with: ""))
        #expect(near.hunks.count == 1)
    }

    @Test func emptyFilesAndEndsWithoutANewlineAreTold() {
        #expect(Self.text(Self.diff("", "A=1")) == ["@@ -0,0 +1,1 @@", "+A=1\\"])
        #expect(Self.text(Self.diff("A=1\n", "")) == ["@@ -1,1 +0,0 @@", "-A=1"])
        #expect(Self.text(Self.diff("A=1", "A=1\n")) == ["@@ -1,1 +1,1 @@", "-A=1\\", "+A=1"])
        #expect(Self.text(Self.diff("A=1\n", "A=1\r\n")) == ["@@ -1,1 +1,1 @@", "-A=1", "+A=1\r"])
        #expect(Self.diff("A=1\n", "A=1\n").hunks.isEmpty)
    }

    @Test func aSecretOverManyLinesIsOneLine() {
        let old = "A=1\nKEY='\(Samples.privateKey)'\nB=2\n"
        let new = "A=1\nKEY=\"short\"\nB=2\n"
        #expect(
            Self.text(Self.diff(old, new)) == [
                "@@ -1,29 +1,3 @@", " A=1", "-KEY='<\(Samples.privateKey)>'", "+KEY=\"<short>\"", " B=2",
            ])
        let untouched = Self.diff(old, old.replacing("B=2", with: "B=3"))
        #expect(Self.text(untouched).filter { $0.contains("<") } == [" KEY='<\(Samples.privateKey)>'"])
        #expect(untouched.hunks[0].fromLines == 29)
    }

    @Test func readersThatDifferAreNamed() {
        let editor = EnvEditor(readers: ["node-dotenv", "systemd"].map(Samples.dialect))
        let diff = Self.diff("A=1\n", "export A=1\nB=x # note\n", editor)
        #expect(diff.keys.map(\.key) == ["A", "B"])
        #expect(diff.keys.map(\.reader) == ["systemd", "node-dotenv"])
        #expect(diff.keys.map(\.otherwise) == [["node-dotenv"], ["systemd"]])
        #expect(diff.keys[0].after == nil)
    }

    @Test func whatDoesNotFitIsSaid() {
        var limits = ConfigDiff.Limits()
        limits.lineBytes = 100
        limits.keys = 3
        let many = (1...50).map { "K\($0)=\($0)\n" }.joined()
        let diff = ConfigDiff(from: [], to: Samples.bytes(many), editor: Self.node, limits: limits)
        #expect(diff.isCut)
        #expect(diff.keys.count == 3)
        #expect(diff.hunks[0].toLines == diff.hunks[0].lines.count)
        #expect(diff.hunks[0].lines.count < 50)
    }

    /// Applies the changes to `old`; must give `new`.
    private static func applied(_ changes: [LineDiff.Change], _ old: [Int32], _ new: [Int32]) -> [Int32] {
        var made: [Int32] = []
        var at = 0
        for change in changes {
            made += old[at..<change.old.lowerBound]
            made += new[change.new]
            at = change.old.upperBound
        }
        return made + old[at...]
    }

    @Test func lineDiffsTurnOneTextIntoTheOther() {
        var random = SeededRandom(seed: 7)
        for round in 0..<3000 {
            let letters = Int32.random(in: 1...6, using: &random)
            let old = (0..<Int.random(in: 0...30, using: &random)).map { _ in
                Int32.random(in: 0...letters, using: &random)
            }
            var new = old
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                if Bool.random(using: &random), !new.isEmpty {
                    new.remove(at: Int.random(in: 0..<new.count, using: &random))
                } else {
                    new.insert(
                        Int32.random(in: 0...letters, using: &random), at: Int.random(in: 0...new.count, using: &random)
                    )
                }
            }
            let changes = LineDiff.changes(from: old, to: new)
            #expect(Self.applied(changes, old, new) == new, "round \(round): \(old) to \(new)")
            let edits = changes.reduce(0) { $0 + $1.old.count + $1.new.count }
            #expect(edits == Self.leastEdits(old, new), "round \(round): \(old) to \(new)")
        }
    }

    /// The shortest script's length by the table of longest common parts.
    private static func leastEdits(_ old: [Int32], _ new: [Int32]) -> Int {
        var row = [Int](repeating: 0, count: new.count + 1)
        for line in old {
            var diagonal = 0
            for (place, other) in new.enumerated() {
                let above = row[place + 1]
                row[place + 1] = line == other ? diagonal + 1 : max(row[place], above)
                diagonal = above
            }
        }
        return old.count + new.count - 2 * (row.last ?? 0)
    }

    @Test func largeTextsAreAnchoredAndBounded() {
        var random = SeededRandom(seed: 11)
        let old = (0..<20_000).map { Int32($0) }
        var new = old
        for place in stride(from: 0, to: 20_000, by: 20) { new[place] = Int32(100_000 + place) }
        let changes = LineDiff.changes(from: old, to: new)
        #expect(Self.applied(changes, old, new) == new)
        #expect(changes.count == 1000, "each replaced line alone, though they are more than the search looks for")
        let noise = (0..<3000).map { _ in Int32.random(in: 0...3, using: &random) }
        let other = (0..<3000).map { _ in Int32.random(in: 0...3, using: &random) }
        #expect(Self.applied(LineDiff.changes(from: noise, to: other), noise, other) == other)
    }

    @Test func randomFilesAreToldRightToTheByte() {
        var random = SeededRandom(seed: 3)
        let editor = EnvEditor(readers: Dialect.all)
        for _ in 0..<300 {
            let old = Samples.bytes(Samples.file(&random))
            let new = Samples.bytes(Samples.file(&random))
            var limits = ConfigDiff.Limits()
            limits.context = 1000
            let diff = ConfigDiff(from: old, to: new, editor: editor, limits: limits)
            guard old != new else { continue }
            for (side, kind) in [(old, ConfigDiff.Line.Kind.removed), (new, .added)] {
                let bytes = diff.hunks.flatMap(\.lines).filter { $0.kind == kind || $0.kind == .same }
                    .flatMap { line in
                        line.pieces.flatMap { piece in
                            switch piece {
                            case .plain(let bytes): bytes
                            case .secret(let secret): secret.raw
                            }
                        } + (line.isEnded ? [Byte.newline] : [])
                    }
                #expect(bytes == side)
            }
        }
    }

    // MARK: Changed keys, the short way and the long one

    private static func shortWay(_ old: String, _ new: String) -> [String]? {
        let (before, after) = (node.read(Samples.bytes(old)), node.read(Samples.bytes(new)))
        return before.readings[0].changedKeys(to: after.readings[0])
    }

    @Test("assignments that stand where they stood are compared without a look-up")
    func changedAssignments() {
        #expect(Self.shortWay("A=1\nB=2\n", "A=1\nB=2\n") == [])
        #expect(Self.shortWay("A=1\nB=2\n", "A=1\nB=3\n") == ["B"])
        #expect(Self.shortWay("A=1\nB=2\n", "B=2\nA=1\n") == nil)
        #expect(Self.shortWay("A=1\n", "A=1\nB=2\n") == nil)
        // One that a later one covers counts as changed here, each key once.
        #expect(Self.shortWay("A=1\nA=2\nA=3\n", "A=5\nA=6\nA=3\n") == ["A"])
        let many = (1...9).map { "K\($0)=" }
        #expect(Self.shortWay(many.map { $0 + "1\n" }.joined(), many.map { $0 + "2\n" }.joined()) == nil)
    }

    @Test("a covered assignment that changed is no changed key")
    func coveredAssignment() {
        func changed(_ old: String, _ new: String) -> [String] {
            ConfigDiff.changedKeys(
                from: Self.node.read(Samples.bytes(old)), to: Self.node.read(Samples.bytes(new)), atMost: 10)
        }
        #expect(changed("A=1\nA=3\nB=1\n", "A=5\nA=3\nB=2\n") == ["B"])
        #expect(changed("A=1\nA=3\n", "A=1\nA=4\n") == ["A"])
        #expect(changed("A=1\nB=2\n", "B=2\n") == ["A"])
    }

    @Test("both ways tell the same keys of any two files")
    func bothWaysAgree() {
        var random = SeededRandom(seed: 11)
        var short = 0
        for _ in 0..<2000 {
            let old = Self.node.read(Samples.bytes(Samples.file(&random)))
            // Most often the same file with one byte changed, as an edit leaves it.
            var bytes = old.bytes
            if !bytes.isEmpty {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 48...57, using: &random)
            }
            let new = Self.node.read(Bool.random(using: &random) ? bytes : Samples.bytes(Samples.file(&random)))
            if old.readings[0].changedKeys(to: new.readings[0]) != nil { short += 1 }
            let (was, becomes) = (old.effective[0], new.effective[0])
            let meant = Set(was.keys).union(becomes.keys).filter { was[$0] != becomes[$0] }
            let told = ConfigDiff.changedKeys(from: old, to: new, atMost: 1000)
            // Keys that are not told by name are one.
            let shown = Set(
                meant.map { key in
                    told.contains(Secrets.shown(key)) ? Secrets.shown(key) : Secrets.namelessKey
                })
            #expect(Set(told) == shown)
        }
        #expect(short > 300)
    }
}
