/// What is doubtful in an `.env` file as it stands, whatever its schema says: lines of which its readers make different
/// things, and habits that end in such lines.
package struct Lint: Sendable {
    /// What was found.
    package enum Rule: Hashable, Sendable {
        /// The reader refuses the file here, for a reason in words that follow "it …".
        case unreadable(reader: String, reason: String)
        /// A quote that never closes, by the readers named.
        case openQuote(readers: [String])
        /// A byte order mark, which these readers take for a part of the first key.
        case byteOrderMark(readers: [String])
        /// So many lines end with a carriage return, which these readers take for the end of each value.
        case carriageReturns(readers: [String], lines: Int)
        /// Set again in that line, which counts.
        case duplicateKey(line: Int)
        /// Blanks at the end of the line, which these readers take for the end of the value.
        case trailingBlanks(readers: [String])
        /// No reader makes anything of the line.
        case unreadLine
        /// Readers read it differently.
        case disagreement(Disagreement)

        /// Whether some reader certainly does not read what was meant.
        package var isError: Bool {
            switch self {
            case .unreadable, .openQuote, .byteOrderMark, .carriageReturns: true
            case .duplicateKey, .trailingBlanks, .unreadLine, .disagreement: false
            }
        }
    }

    /// One finding.
    package struct Finding: Hashable, Sendable {
        package var rule: Rule
        /// From 1.
        package var line: Int
        /// As `Secrets.shown` gives it.
        package var key: String?
    }

    /// Everything that is doubtful in `file`, line by line, at most `limit`.
    package static func findings(in file: [UInt8], editor: EnvEditor, limit: Int = 1000) -> [Finding] {
        let readings = editor.readings(of: file)
        var lint = Lint(file: file, readers: editor.readers, readings: readings)
        lint.lookAtReaders()
        lint.lookAtBindings()
        lint.lookAtGaps()
        var lines = LineCounter(file)
        var findings = lint.found.sorted { $0.offset < $1.offset }.map { offset, rule, key in
            Finding(rule: rule, line: lines.line(of: offset), key: key.map(Secrets.shown))
        }
        findings += Disagreement.all(in: file, editor: editor, readings, limit: limit).map {
            Finding(rule: .disagreement($0), line: $0.line, key: $0.key)
        }
        let ordered = findings.enumerated().sorted { ($0.element.line, $0.offset) < ($1.element.line, $1.offset) }
        return Array(ordered.map(\.element).prefix(limit))
    }

    private let file: [UInt8]
    private let readers: [Dialect]
    private let readings: [Reading]
    private var found: [(offset: Int, rule: Rule, key: String?)] = []

    private init(file: [UInt8], readers: [Dialect], readings: [Reading]) {
        self.file = file
        self.readers = readers
        self.readings = readings
    }

    private mutating func lookAtReaders() {
        var quotes: [Int: [String]] = [:]
        for (reader, reading) in zip(readers, readings) {
            if let failure = reading.failure {
                found.append((failure.offset, .unreadable(reader: reader.name, reason: failure.reason), nil))
            }
            for offset in reading.openQuotes { quotes[offset, default: []].append(reader.name) }
        }
        for (offset, names) in quotes { found.append((offset, .openQuote(readers: names), nil)) }
        if file.starts(with: Dialect.byteOrderMark) {
            let names = readers.filter { !$0.skipsByteOrderMark }.map(\.name)
            if !names.isEmpty { found.append((0, .byteOrderMark(readers: names), nil)) }
        }
        let keeping = readers.filter { $0.carriageReturns == .kept && !$0.newlines.contains(Byte.carriageReturn) }
        guard !keeping.isEmpty else { return }
        let isEnd = { [file] (at: Int) in file[at] == Byte.newline && file[at - 1] == Byte.carriageReturn }
        if let first = file.indices.dropFirst().first(where: isEnd) {
            let count = file.indices.dropFirst().count(where: isEnd)
            found.append((first - 1, .carriageReturns(readers: keeping.map(\.name), lines: count), nil))
        }
    }

    private mutating func lookAtBindings() {
        var doubles: [Int: (String, Int)] = [:]
        var blanks: [Int: (String, [String])] = [:]
        let blank: ByteSet = " \t"
        for (reader, reading) in zip(readers, readings) {
            var last: [String: Int] = [:]
            for binding in reading.bindings.reversed() {
                let start = binding.statement.lowerBound
                if let counting = last[binding.key] { doubles[start] = (binding.key, counting) }
                last[binding.key] = last[binding.key] ?? start
                if case .text(let value) = binding.value, let end = value.last, blank.contains(end),
                    let raw = file[binding.raw].last, blank.contains(raw)
                {
                    blanks[start, default: (binding.key, [])].1.append(reader.name)
                }
            }
        }
        var lines = LineCounter(file)
        var lineOf: [Int: Int] = [:]
        for counting in doubles.values.map(\.1).sorted() { lineOf[counting] = lines.line(of: counting) }
        for (offset, (key, counting)) in doubles {
            found.append((offset, .duplicateKey(line: lineOf[counting] ?? 0), key))
        }
        for (offset, (key, names)) in blanks { found.append((offset, .trailingBlanks(readers: names), key)) }
    }

    private mutating func lookAtGaps() {
        // What follows a place where a reader gave up was for others to read, or for nobody.
        guard readings.contains(where: { $0.failure == nil }) else { return }
        let statements = readings.flatMap { $0.bindings.map(\.statement) }
        var unread: [Int] = []
        Secrets.forEachGapLine(of: file, beside: statements) { line in
            if Secrets.isUnread(file[line]) { unread.append(line.lowerBound) }
        }
        for offset in unread { found.append((offset, .unreadLine, nil)) }
    }
}
