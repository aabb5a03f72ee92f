/// What changed between two contents of a file: by key, as its readers read it, and by line, as its bytes are. Secrets are
/// apart in both, so that whoever shows it can show something else in their place.
package struct ConfigDiff: Hashable, Sendable {
    /// One key that some reader reads otherwise.
    package struct KeyChange: Hashable, Sendable {
        /// As `Secrets.shown` gives it.
        package var key: String
        /// Nil: not set.
        package var before: Reading.Value?
        package var after: Reading.Value?
        /// The first reader that sees a change, and sees this one.
        package var reader: String
        /// Readers that see another change of this key, or none.
        package var otherwise: [String]
        package var isSecret: Bool
    }

    /// A stretch of the file with changed lines and some around them.
    package struct Hunk: Hashable, Sendable {
        /// The first line, from 1, and how many; a hunk without lines on one side stands after that line (as in `diff -u`).
        package var fromLine: Int
        package var fromLines: Int
        package var toLine: Int
        package var toLines: Int
        package var lines: [Line]
    }

    /// A line, or, where a secret goes over several, all of its lines as one.
    package struct Line: Hashable, Sendable {
        /// Where it stands.
        package enum Kind: Hashable, Sendable {
            case same
            case removed
            case added
        }

        package var kind: Kind
        package var pieces: [Piece]
        /// False for the last line of a file that does not end with a line's end.
        package var isEnded: Bool
    }

    /// A part of a line.
    package enum Piece: Hashable, Sendable {
        case plain([UInt8])
        case secret(Secret)
    }

    /// A secret in a line.
    package struct Secret: Hashable, Sendable {
        /// As the first reader that sees it reads it.
        package var value: [UInt8]
        /// As it stands in the file, without the quotes around it, with the line ends in it.
        package var raw: [UInt8]
    }

    /// What is shown at most.
    package struct Limits: Hashable, Sendable {
        /// Lines shown before and after changed ones.
        package var context = 3
        package var keys = 500
        /// Bytes of lines.
        package var lineBytes = 192 << 10

        package init() {}
    }

    /// In the keys' order.
    package internal(set) var keys: [KeyChange] = []
    package private(set) var hunks: [Hunk] = []
    /// Keys or lines are missing here, by the limits.
    package internal(set) var isCut = false

    /// From `old` to `new`, both `.env` files read by the editor's readers.
    package init(from old: [UInt8], to new: [UInt8], editor: EnvEditor, limits: Limits = Limits()) {
        let before = editor.readings(of: old)
        let after = editor.readings(of: new)
        self.init(
            from: old, editor.secrets.stretches(in: old, readings: before), to: new,
            editor.secrets.stretches(in: new, readings: after), limits: limits)
        var withheld: Set<String> = []
        for (was, becomes) in zip(before, after) {
            withheld.formUnion(Secrets.keysInBlocks(of: old, was))
            withheld.formUnion(Secrets.keysInBlocks(of: new, becomes))
        }
        compareKeys(before, after, withheld, editor, limits)
    }

    /// From `old` to `new` by their lines alone, with the places of secrets in each as `Secrets.stretches` gives them.
    package init(
        from old: [UInt8], _ oldSecrets: [Secrets.Stretch], to new: [UInt8], _ newSecrets: [Secrets.Stretch],
        limits: Limits = Limits()
    ) {
        compareLines(GuardedText(old, oldSecrets), GuardedText(new, newSecrets), limits)
    }

    // MARK: Keys

    private mutating func compareKeys(
        _ before: [Reading], _ after: [Reading], _ withheld: Set<String>, _ editor: EnvEditor, _ limits: Limits
    ) {
        let old = before.map(\.effective)
        let new = after.map(\.effective)
        var names: Set<String> = []
        for values in old + new { names.formUnion(values.keys) }
        let changed = names.filter { name in zip(old, new).contains { $0[name] != $1[name] } }
        isCut = isCut || changed.count > limits.keys
        for name in changed.sorted().prefix(limits.keys) {
            guard let witness = old.indices.first(where: { old[$0][name] != new[$0][name] }) else { continue }
            let (from, to) = (old[witness][name], new[witness][name])
            let others = old.indices.filter { old[$0][name] != from || new[$0][name] != to }
            let isSecret = old.indices.contains { reader in
                [old[reader][name], new[reader][name]].contains { value in
                    value.map { editor.secrets.isSecret(name, value: $0.bytes) } ?? false
                }
            }
            keys.append(
                KeyChange(
                    key: withheld.contains(name) ? Secrets.namelessKey : Secrets.shown(name), before: from, after: to,
                    reader: editor.readers[witness].name,
                    otherwise: others.map { editor.readers[$0].name },
                    isSecret: isSecret || withheld.contains(name)))
        }
    }

    /// The keys that differ to the editor's first reader, as they may be shown, sorted, at most `limit`.
    package static func changedKeys(
        from old: EnvEditor.State, to new: EnvEditor.State, atMost limit: Int
    ) -> [String] {
        guard let before = old.readings.first, let after = new.readings.first else { return [] }
        let changed = changedKeys(from: before, to: after)
        guard !changed.isEmpty else { return [] }
        let withheld = Secrets.keysInBlocks(of: old.bytes, old.readings[0])
            .union(Secrets.keysInBlocks(of: new.bytes, new.readings[0]))
        let shown = Set(changed.map { withheld.contains($0) ? Secrets.namelessKey : Secrets.shown($0) })
        return Array(shown.sorted().prefix(limit))
    }

    private static func changedKeys(from before: Reading, to after: Reading) -> [String] {
        if let assigned = before.changedKeys(to: after) {
            return assigned.filter { before.binding(of: $0)?.value != after.binding(of: $0)?.value }
        }
        let (was, becomes) = (before.effective, after.effective)
        return becomes.filter { was[$0.key] != $0.value }.map(\.key) + was.keys.filter { becomes[$0] == nil }
    }

    // MARK: Lines

    /// More lines than this on a side are told as one replaced block, without a search.
    private static let mostLines = 50_000

    private mutating func compareLines(_ old: GuardedText, _ new: GuardedText, _ limits: Limits) {
        guard old.bytes != new.bytes else { return }
        let (oldMiddle, newMiddle) = Self.middles(old, new, context: limits.context)
        let oldLines = old.lines(in: oldMiddle, atMost: Self.mostLines)
        let newLines = new.lines(in: newMiddle, atMost: Self.mostLines)
        let isWhole =
            oldLines.last?.upperBound ?? oldMiddle.upperBound == oldMiddle.upperBound
            && newLines.last?.upperBound ?? newMiddle.upperBound == newMiddle.upperBound
        var changes = [LineDiff.Change(old: oldLines.indices, new: newLines.indices)]
        if isWhole {
            let (oldNumbers, newNumbers) = Self.numbered(oldLines.map { old.bytes[$0] }, newLines.map { new.bytes[$0] })
            changes = LineDiff.changes(from: oldNumbers, to: newNumbers)
        } else {
            isCut = true
        }
        var layout = HunkLayout(old: old, oldLines, new: new, newLines, limits)
        layout.lay(out: changes)
        hunks = layout.hunks
        isCut = isCut || layout.isCut
    }

    /// What is left of two texts when equal lines are cut off both ends, but for `context` of them.
    private static func middles(
        _ old: GuardedText, _ new: GuardedText, context: Int
    ) -> (Range<Int>, Range<Int>) {
        var start = 0
        while start < old.bytes.count, start < new.bytes.count {
            let end = old.lineEnd(from: start)
            guard end == new.lineEnd(from: start), old.bytes[start..<end] == new.bytes[start..<end] else { break }
            start = end
        }
        var (oldEnd, newEnd) = (old.bytes.count, new.bytes.count)
        while oldEnd > start, newEnd > start {
            let (oldStart, newStart) = (old.lineStart(endingAt: oldEnd), new.lineStart(endingAt: newEnd))
            guard oldStart >= start, newStart >= start, oldEnd - oldStart == newEnd - newStart,
                old.bytes[oldStart..<oldEnd] == new.bytes[newStart..<newEnd]
            else { break }
            (oldEnd, newEnd) = (oldStart, newStart)
        }
        for _ in 0..<context {
            if start > 0 { start = min(old.lineStart(endingAt: start), new.lineStart(endingAt: start)) }
            if oldEnd < old.bytes.count, newEnd < new.bytes.count {
                let further = old.lineEnd(from: oldEnd) - oldEnd
                guard new.lineEnd(from: newEnd) - newEnd == further else { continue }
                (oldEnd, newEnd) = (oldEnd + further, newEnd + further)
            }
        }
        return (start..<oldEnd, start..<newEnd)
    }

    /// Lines as numbers that are equal where the lines are.
    private static func numbered(_ old: [ArraySlice<UInt8>], _ new: [ArraySlice<UInt8>]) -> ([Int32], [Int32]) {
        var numbers: [ArraySlice<UInt8>: Int32] = [:]
        func number(_ line: ArraySlice<UInt8>) -> Int32 {
            if let number = numbers[line] { return number }
            numbers[line] = Int32(numbers.count)
            return Int32(numbers.count - 1)
        }
        return (old.map(number), new.map(number))
    }
}
