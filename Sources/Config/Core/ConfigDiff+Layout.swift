/// A file cut into lines that never cut a secret: one that goes over several lines makes one line of them.
struct GuardedText {
    let bytes: [UInt8]
    let secrets: [Secrets.Stretch]

    init(_ bytes: [UInt8], _ secrets: [Secrets.Stretch]) {
        self.bytes = bytes
        self.secrets = secrets
    }

    /// Where the line that begins at `start` ends, its line's end included.
    func lineEnd(from start: Int) -> Int {
        var at = start
        while let newline = bytes[at...].firstIndex(of: Byte.newline) {
            guard let secret = secret(over: newline) else { return newline + 1 }
            at = secret.range.upperBound
        }
        return bytes.count
    }

    /// Where the line begins that ends at `end`, which is over 0.
    func lineStart(endingAt end: Int) -> Int {
        // Its own line's end is none of the line before.
        var at = end - 1
        if let secret = secret(over: at) { at = secret.range.lowerBound }
        while at > 0 {
            guard let newline = bytes[..<at].lastIndex(of: Byte.newline) else { return 0 }
            guard let secret = secret(over: newline) else { return newline + 1 }
            at = secret.range.lowerBound
        }
        return 0
    }

    /// The lines of `range`, which begins and ends with one; the first `limit` where there are more.
    func lines(in range: Range<Int>, atMost limit: Int) -> [Range<Int>] {
        var lines: [Range<Int>] = []
        var at = range.lowerBound
        while at < range.upperBound, lines.count < limit {
            let end = min(lineEnd(from: at), range.upperBound)
            lines.append(at..<end)
            at = end
        }
        return lines
    }

    /// The secrets that begin in `range`, at places counted from its beginning.
    func secrets(in range: Range<Int>) -> [Secrets.Stretch] {
        secrets[firstSecret(endingAfter: range.lowerBound)...].prefix { $0.range.lowerBound < range.upperBound }
            .map { secret in
                let lower = max(secret.range.lowerBound, range.lowerBound) - range.lowerBound
                let upper = min(secret.range.upperBound, range.upperBound) - range.lowerBound
                return Secrets.Stretch(range: lower..<upper, value: secret.value)
            }
    }

    /// The secret in which the byte at `offset` lies.
    private func secret(over offset: Int) -> Secrets.Stretch? {
        let index = firstSecret(endingAfter: offset)
        guard index < secrets.count, secrets[index].range.contains(offset) else { return nil }
        return secrets[index]
    }

    private func firstSecret(endingAfter offset: Int) -> Int {
        var (low, high) = (0, secrets.count)
        while low < high {
            let middle = (low + high) / 2
            if secrets[middle].range.upperBound <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Lays changed lines out as hunks, with lines around them, as `diff -u` does.
struct HunkLayout {
    private(set) var hunks: [ConfigDiff.Hunk] = []
    private(set) var isCut = false

    private let old: GuardedText
    private let new: GuardedText
    private let oldLines: [Range<Int>]
    private let newLines: [Range<Int>]
    private let context: Int
    private var bytesLeft: Int
    /// Up to where lines were counted on each side: an offset, and the number of the line that begins there.
    private var oldCount = (offset: 0, line: 1)
    private var newCount = (offset: 0, line: 1)

    init(
        old: GuardedText, _ oldLines: [Range<Int>], new: GuardedText, _ newLines: [Range<Int>],
        _ limits: ConfigDiff.Limits
    ) {
        self.old = old
        self.oldLines = oldLines
        self.new = new
        self.newLines = newLines
        context = max(0, limits.context)
        bytesLeft = limits.lineBytes
    }

    /// Makes the hunks of `changes`, which are in order.
    mutating func lay(out changes: [LineDiff.Change]) {
        var at = 0
        while at < changes.count, !isCut {
            var end = at + 1
            // Changes whose surroundings touch share a hunk.
            while end < changes.count, changes[end].old.lowerBound - changes[end - 1].old.upperBound <= 2 * context {
                end += 1
            }
            layHunk(changes[at..<end])
            at = end
        }
    }

    private mutating func layHunk(_ changes: ArraySlice<LineDiff.Change>) {
        guard let first = changes.first, let last = changes.last else { return }
        let before = min(context, first.old.lowerBound, first.new.lowerBound)
        var oldAt = first.old.lowerBound - before
        var newAt = first.new.lowerBound - before
        let starts = (start(old, oldLines, oldAt), start(new, newLines, newAt))
        Self.count(old.bytes, upTo: starts.0, &oldCount)
        Self.count(new.bytes, upTo: starts.1, &newCount)
        var hunk = ConfigDiff.Hunk(
            fromLine: oldCount.line, fromLines: 0, toLine: newCount.line, toLines: 0, lines: [])
        let after = min(context, oldLines.count - last.old.upperBound)
        let ending = LineDiff.Change(
            old: last.old.upperBound + after..<last.old.upperBound + after,
            new: last.new.upperBound..<last.new.upperBound)
        for change in changes + [ending] {
            while oldAt < change.old.lowerBound {
                add(old, oldLines[oldAt], .same, also: new.secrets(in: newLines[newAt]), to: &hunk)
                oldAt += 1
                newAt += 1
            }
            for line in change.old { add(old, oldLines[line], .removed, to: &hunk) }
            for line in change.new { add(new, newLines[line], .added, to: &hunk) }
            (oldAt, newAt) = (max(oldAt, change.old.upperBound), max(newAt, change.new.upperBound))
        }
        // A side without lines is placed after the line before, as diff does.
        if hunk.fromLines == 0 { hunk.fromLine -= 1 }
        if hunk.toLines == 0 { hunk.toLine -= 1 }
        if !hunk.lines.isEmpty { hunks.append(hunk) }
    }

    private func start(_ text: GuardedText, _ lines: [Range<Int>], _ line: Int) -> Int {
        line < lines.count ? lines[line].lowerBound : lines.last?.upperBound ?? text.bytes.count
    }

    private static func count(_ bytes: [UInt8], upTo offset: Int, _ counted: inout (offset: Int, line: Int)) {
        guard offset > counted.offset else { return }
        counted.line += bytes[counted.offset..<offset].count { $0 == Byte.newline }
        counted.offset = offset
    }

    private mutating func add(
        _ text: GuardedText, _ range: Range<Int>, _ kind: ConfigDiff.Line.Kind, also others: [Secrets.Stretch] = [],
        to hunk: inout ConfigDiff.Hunk
    ) {
        guard !isCut, range.count <= bytesLeft else {
            isCut = true
            return
        }
        bytesLeft -= range.count
        let bytes = text.bytes[range]
        let secrets = Secrets.merged(text.secrets(in: range) + others)
        hunk.lines.append(ConfigDiff.Line(Array(bytes), kind, secrets))
        let lines = max(1, bytes.count { $0 == Byte.newline } + (bytes.last == Byte.newline ? 0 : 1))
        if kind != .added { hunk.fromLines += lines }
        if kind != .removed { hunk.toLines += lines }
    }
}

extension ConfigDiff.Line {
    /// The line in `bytes`, with `secrets` at places in it.
    fileprivate init(_ bytes: [UInt8], _ kind: Kind, _ secrets: [Secrets.Stretch]) {
        self.kind = kind
        isEnded = bytes.last == Byte.newline
        let end = isEnded ? bytes.count - 1 : bytes.count
        pieces = []
        var at = 0
        for secret in secrets {
            if at < secret.range.lowerBound { pieces.append(.plain(Array(bytes[at..<secret.range.lowerBound]))) }
            // A quote that is left open takes the last line's end with it.
            let range = secret.range.clamped(to: 0..<end)
            pieces += Self.shown(secret, Array(bytes[range]))
            at = range.upperBound
        }
        if at < end { pieces.append(.plain(Array(bytes[at..<end]))) }
    }

    /// A secret, its quotes left to be seen.
    private static func shown(_ secret: Secrets.Stretch, _ raw: [UInt8]) -> [ConfigDiff.Piece] {
        let quotes: ByteSet = "'\"`"
        guard raw.count >= 2, let first = raw.first, raw.last == first, quotes.contains(first) else {
            return [.secret(ConfigDiff.Secret(value: secret.value, raw: raw))]
        }
        let inner = Array(raw.dropFirst().dropLast())
        return [.plain([first]), .secret(ConfigDiff.Secret(value: secret.value, raw: inner)), .plain([first])]
    }
}
