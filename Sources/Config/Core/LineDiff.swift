/// Which lines of one text became which of another: changed stretches, in order, everything between them the same.
///
/// Myers's greedy search (1986) where few lines differ; where many do, the lines that stand once on either side cut the
/// texts into smaller ones (the patience of Bram Cohen's diff); where neither helps, or the work runs out, a stretch is
/// told as replaced. So the answer is always right, shortest where little changed, and its cost is bounded.
package struct LineDiff {
    /// Lines `old` became lines `new`; one of them may be empty. Counted from 0.
    package struct Change: Hashable, Sendable {
        package var old: Range<Int>
        package var new: Range<Int>
    }

    /// So many lines removed and added are looked for by Myers's search; its memory grows with the square.
    private static let mostEdits = 400
    /// Steps in all before the rest is told as replaced: about half a second.
    private static let mostSteps = 40_000_000
    /// So often a text is cut into smaller ones.
    private static let deepest = 64

    private let old: [Int32]
    private let new: [Int32]
    private var steps = 0
    private var changes: [Change] = []

    /// The changes from `old` to `new`, whose lines are equal where their numbers are.
    package static func changes(from old: [Int32], to new: [Int32]) -> [Change] {
        var diff = LineDiff(old: old, new: new)
        diff.compare(old.indices, new.indices, depth: 0)
        return diff.changes
    }

    private init(old: [Int32], new: [Int32]) {
        self.old = old
        self.new = new
    }

    private mutating func compare(_ oldLines: Range<Int>, _ newLines: Range<Int>, depth: Int) {
        let (before, after) = trimmed(oldLines, newLines)
        guard !before.isEmpty, !after.isEmpty else { return add(before, after) }
        if searched(before, after) { return }
        let anchors = depth < Self.deepest && steps < Self.mostSteps ? anchors(before, after) : []
        guard !anchors.isEmpty else { return add(before, after) }
        var (oldAt, newAt) = (before.lowerBound, after.lowerBound)
        for anchor in anchors {
            compare(oldAt..<anchor.old, newAt..<anchor.new, depth: depth + 1)
            (oldAt, newAt) = (anchor.old + 1, anchor.new + 1)
        }
        compare(oldAt..<before.upperBound, newAt..<after.upperBound, depth: depth + 1)
    }

    private mutating func add(_ before: Range<Int>, _ after: Range<Int>) {
        guard !before.isEmpty || !after.isEmpty else { return }
        if let last = changes.last, last.old.upperBound == before.lowerBound, last.new.upperBound == after.lowerBound {
            changes[changes.count - 1] = Change(
                old: last.old.lowerBound..<before.upperBound, new: last.new.lowerBound..<after.upperBound)
        } else {
            changes.append(Change(old: before, new: after))
        }
    }

    private mutating func trimmed(_ before: Range<Int>, _ after: Range<Int>) -> (Range<Int>, Range<Int>) {
        var (oldLow, oldHigh, newLow, newHigh) = (
            before.lowerBound, before.upperBound, after.lowerBound, after.upperBound
        )
        while oldLow < oldHigh, newLow < newHigh, old[oldLow] == new[newLow] {
            oldLow += 1
            newLow += 1
        }
        while oldLow < oldHigh, newLow < newHigh, old[oldHigh - 1] == new[newHigh - 1] {
            oldHigh -= 1
            newHigh -= 1
        }
        steps += before.count - (oldHigh - oldLow)
        return (oldLow..<oldHigh, newLow..<newHigh)
    }

    // MARK: Myers

    /// Adds the shortest changes; false where there are too many of them.
    private mutating func searched(_ before: Range<Int>, _ after: Range<Int>) -> Bool {
        let (oldCount, newCount) = (before.count, after.count)
        let most = min(Self.mostEdits, oldCount + newCount)
        let offset = most + 1
        // The furthest line of `before` that was reached on each diagonal.
        var furthest = [Int32](repeating: 0, count: 2 * most + 3)
        var trace: [[Int32]] = []
        for edits in 0...most {
            for diagonal in stride(from: -edits, through: edits, by: 2) {
                let isDown =
                    diagonal == -edits
                    || diagonal != edits && furthest[offset + diagonal - 1] < furthest[offset + diagonal + 1]
                var x = Int(isDown ? furthest[offset + diagonal + 1] : furthest[offset + diagonal - 1] + 1)
                let start = x
                while x < oldCount, x - diagonal < newCount,
                    old[before.lowerBound + x] == new[after.lowerBound + x - diagonal]
                { x += 1 }
                steps += x - start + 1
                furthest[offset + diagonal] = Int32(x)
                if x >= oldCount, x - diagonal >= newCount {
                    unwind(trace, edits, before, after)
                    return true
                }
            }
            trace.append(Array(furthest[(offset - edits)...(offset + edits)]))
            if steps >= Self.mostSteps { return false }
        }
        return false
    }

    /// Follows the search back from its end and adds what it changed.
    private mutating func unwind(_ trace: [[Int32]], _ edits: Int, _ before: Range<Int>, _ after: Range<Int>) {
        var (x, y) = (before.count, after.count)
        var found: [Change] = []
        for edit in stride(from: edits, to: 0, by: -1) {
            let reached = trace[edit - 1]
            func furthest(_ diagonal: Int) -> Int {
                let place = diagonal + edit - 1
                return reached.indices.contains(place) ? Int(reached[place]) : -1
            }
            let diagonal = x - y
            let isDown = diagonal == -edit || diagonal != edit && furthest(diagonal - 1) < furthest(diagonal + 1)
            let from = isDown ? diagonal + 1 : diagonal - 1
            (x, y) = (furthest(from), furthest(from) - from)
            let (oldLine, newLine) = (before.lowerBound + x, after.lowerBound + y)
            found.append(
                isDown
                    ? Change(old: oldLine..<oldLine, new: newLine..<newLine + 1)
                    : Change(old: oldLine..<oldLine + 1, new: newLine..<newLine))
        }
        for change in found.reversed() { add(change.old, change.new) }
    }

    // MARK: Patience

    /// Lines that stand once on either side, as many as keep their order.
    private mutating func anchors(_ before: Range<Int>, _ after: Range<Int>) -> [(old: Int, new: Int)] {
        steps += before.count + after.count
        let oldPlaces = Self.onlyPlaces(old[before])
        let newPlaces = Self.onlyPlaces(new[after])
        let pairs = oldPlaces.compactMap { line, place in newPlaces[line].map { (old: place, new: $0) } }
            .sorted { $0.old < $1.old }
        return Self.longestRising(pairs)
    }

    private static func onlyPlaces(_ lines: ArraySlice<Int32>) -> [Int32: Int] {
        var places: [Int32: Int] = [:]
        for (place, line) in zip(lines.indices, lines) { places[line] = places[line] == nil ? place : -1 }
        return places.filter { $0.value >= 0 }
    }

    /// The longest part of `pairs`, which rise in `old`, that rises in `new` too.
    private static func longestRising(_ pairs: [(old: Int, new: Int)]) -> [(old: Int, new: Int)] {
        // The last pair of the best rising part of each length, and of each pair the one before it.
        var ends: [Int] = []
        var previous = [Int](repeating: -1, count: pairs.count)
        for (index, pair) in pairs.enumerated() {
            var (low, high) = (0, ends.count)
            while low < high {
                let middle = (low + high) / 2
                if pairs[ends[middle]].new < pair.new { low = middle + 1 } else { high = middle }
            }
            if low > 0 { previous[index] = ends[low - 1] }
            if low == ends.count { ends.append(index) } else { ends[low] = index }
        }
        var rising: [(old: Int, new: Int)] = []
        var at = ends.last ?? -1
        while at >= 0 {
            rising.append(pairs[at])
            at = previous[at]
        }
        return rising.reversed()
    }
}
