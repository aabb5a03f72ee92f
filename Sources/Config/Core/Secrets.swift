/// Which values of a file are secrets: no error, event, journal entry, finding or diff holds one.
///
/// A key is a secret where the schema marks it (and is none where it says so). Otherwise it is one by its name: by the
/// globs that settings give as `config.secrets`, or, where they give none, by the usual words (`soundsSecret`). Whatever
/// its key is called, a value that holds a private PEM block or a URL with a user in it is a secret too.
package struct Secrets: Hashable, Sendable {
    /// Globs for names: `*` any run of characters, `?` any one. Nil: the usual words.
    private var named: [String]?
    /// What the schema says of a key.
    private var marked: [String: Bool]

    /// By the usual words alone.
    package static let usual = Secrets()

    package init(named: [String]? = nil, marked: [String: Bool] = [:]) {
        self.named = named
        self.marked = marked
    }

    /// Whether every value of `key` is a secret.
    package func isSecret(_ key: String) -> Bool {
        if let marked = marked[key] { return marked }
        if let named { return named.contains { Glob.matches($0, key) } }
        return Self.soundsSecret(key)
    }

    /// Whether `value` of `key` is a secret.
    package func isSecret(_ key: String, value: [UInt8]) -> Bool {
        marked[key] ?? (isSecret(key) || Self.looksSecret(value))
    }

    // MARK: Names

    /// What stands in the place of a key that is no name, but perhaps a part of a secret whose quotes were lost.
    package static let namelessKey = "(no name)"

    /// A key as it may be shown: what a reader takes for one may be a line of a broken PEM block.
    package static func shown(_ key: String) -> String {
        let longestName = 128
        let isName = key.utf8.count <= longestName && key.utf8.allSatisfy(ByteSet.wordBytes.union(".-").contains)
        return isName ? key : namelessKey
    }

    /// The keys of `reading` that may not be shown, since they stand within a private PEM block.
    package static func keysInBlocks(of file: [UInt8], _ reading: Reading) -> Set<String> {
        var keys: Set<String> = []
        var at = 0
        while let block = pemBlock(in: file, from: at) {
            for binding in reading.bindings where block.dropFirst().contains(binding.statement.lowerBound) {
                keys.insert(binding.key)
            }
            at = block.upperBound
        }
        return keys
    }

    /// Anywhere in a name, whatever stands beside them.
    private static let telling = [
        "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY", "ACCESSKEY", "PRIVATEKEY",
    ]
    /// As a word of a name. Short ones stand in harmless words too: `PASS` in `BYPASS`, `KEY` in `MONKEY`.
    private static let tellingWords: Set<String> = [
        "KEY", "KEYS", "PASS", "PWD", "PW", "PSK", "SALT", "DSN", "CREDS", "JWT",
    ]

    /// Whether a name has one of the usual words of secrets in it: `DB_PASSWORD`, `apiKey`, `gateway.tls.key`.
    static func soundsSecret(_ key: String) -> Bool {
        let bare = String(decoding: key.utf8.filter(isLetterOrDigit).map(upper), as: UTF8.self)
        if telling.contains(where: { bare.utf8.holds($0.utf8) }) { return true }
        let words = words(of: key)
        // `REDIS_AUTH` is one, `AUTH_URL` is none.
        return words.contains(where: tellingWords.contains) || words.last == "AUTH"
    }

    /// The words of a name in capitals: cut where no letter or digit stands, and where a capital follows a small letter.
    private static func words(of key: String) -> [String] {
        var words: [[UInt8]] = []
        var before: UInt8 = 0
        for byte in key.utf8 {
            defer { before = byte }
            guard isLetterOrDigit(byte) else { continue }
            let isHump = (0x61...0x7A).contains(before) && (0x41...0x5A).contains(byte)
            if words.isEmpty || isHump || !isLetterOrDigit(before) { words.append([]) }
            words[words.count - 1].append(upper(byte))
        }
        return words.map { String(decoding: $0, as: UTF8.self) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        byte != UInt8(ascii: "_") && ByteSet.wordBytes.contains(byte)
    }

    private static func upper(_ byte: UInt8) -> UInt8 { (0x61...0x7A).contains(byte) ? byte - 0x20 : byte }

    // MARK: Values

    private static let pemBegin = Array("-----BEGIN ".utf8)
    private static let pemEnd = Array("-----END ".utf8)
    private static let pemDashes = Array("-----".utf8)

    /// Whether a value is a secret whatever its key is called.
    static func looksSecret(_ value: [UInt8]) -> Bool {
        pemBlock(in: value, from: 0) != nil || hasURLWithUser(value)
    }

    /// The first PEM block from `start` on that is no certificate, public key or parameter (RFC 7468's labels). Without an
    /// end it is the one line.
    fileprivate static func pemBlock(in bytes: [UInt8], from start: Int) -> Range<Int>? {
        var at = start
        while let begin = bytes[at...].firstRange(of: pemBegin) {
            at = begin.upperBound
            guard let labelEnd = bytes[at...].firstRange(of: pemDashes) else { return nil }
            let label = bytes[begin.upperBound..<labelEnd.lowerBound]
            let isOpen = ["CERTIFICATE", "PUBLIC", "CRL", "PARAMETERS"].contains { label.holds($0.utf8) }
            if isOpen { continue }
            guard let end = bytes[at...].firstRange(of: pemEnd),
                let close = bytes[end.upperBound...].firstRange(of: pemDashes)
            else { return begin.lowerBound..<(bytes[at...].firstIndex(of: Byte.newline) ?? bytes.count) }
            return begin.lowerBound..<close.upperBound
        }
        return nil
    }

    /// `scheme://user@`, `scheme://user:password@`: a password, or a token in a user's place.
    private static func hasURLWithUser(_ value: [UInt8]) -> Bool {
        var at = 0
        while let slashes = value[at...].firstRange(of: Array("://".utf8)) {
            at = slashes.upperBound
            let authority = value[at...].prefix { $0 > 0x20 }
            if let sign = authority.firstIndex(of: UInt8(ascii: "@")), sign > at { return true }
        }
        return false
    }

    // MARK: Where they stand

    /// A part of a file that no output may show.
    package struct Stretch: Hashable, Sendable {
        package var range: Range<Int>
        /// What a fingerprint is made of: the value as the first reader that sees it reads it, so that equal values look
        /// equal however they are quoted.
        package var value: [UInt8]

        package init(range: Range<Int>, value: [UInt8]) {
            self.range = range
            self.value = value
        }
    }

    /// Every secret in `file` as any of its readers sees it, in the file's order, none overlapping: values, assignments
    /// in comments, private PEM blocks, and lines that no reader makes anything of, since half a broken secret is one.
    package func stretches(in file: [UInt8], readings: [Reading]) -> [Stretch] {
        var found: [Stretch] = []
        var statements: [Range<Int>] = []
        for reading in readings {
            for binding in reading.bindings {
                statements.append(binding.statement)
                let value = binding.value.bytes
                if isSecret(binding.key, value: value) || isSecret(binding.key, value: Array(file[binding.raw])) {
                    found.append(Stretch(range: binding.raw, value: value))
                }
                commented(file, binding.raw.upperBound..<binding.statement.upperBound).map { found.append($0) }
            }
        }
        var at = 0
        while let block = Self.pemBlock(in: file, from: at) {
            found.append(Stretch(range: block, value: Array(file[block])))
            at = block.upperBound
        }
        Self.forEachGapLine(of: file, beside: statements) { line in
            if Self.isUnread(file[line]) {
                found.append(Stretch(range: line, value: Array(file[line])))
            } else {
                commented(file, line).map { found.append($0) }
            }
        }
        return Self.merged(found)
    }

    private static let blanks: ByteSet = " \t\r\u{0B}\u{0C}\u{FEFF}"
    private static let commentMarks: ByteSet = "#;"

    /// Whether a line that lies in no statement is neither blank nor a comment.
    static func isUnread(_ line: ArraySlice<UInt8>) -> Bool {
        line.first { !blanks.contains($0) }.map { !commentMarks.contains($0) } ?? false
    }

    /// The value of an assignment that a comment in `range` holds, or all of its text, where it is a secret.
    private func commented(_ file: [UInt8], _ range: Range<Int>) -> Stretch? {
        guard let mark = file[range].firstIndex(where: Self.commentMarks.contains) else { return nil }
        let separators: ByteSet = "=:"
        let nameBytes = ByteSet.wordBytes.union("-.")
        for separator in mark..<range.upperBound where separators.contains(file[separator]) {
            let before = file[mark..<separator]
            let name = before[..<(before.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? mark)].reversed().prefix {
                nameBytes.contains($0)
            }
            let value = file[(separator + 1)..<range.upperBound]
            guard isSecret(String(decoding: name.reversed(), as: UTF8.self)), value.contains(where: { $0 > 0x20 })
            else {
                continue
            }
            return Stretch(range: separator + 1..<range.upperBound, value: Array(value))
        }
        let text = Array(file[mark..<range.upperBound])
        return Self.looksSecret(text) ? Stretch(range: mark..<range.upperBound, value: text) : nil
    }

    /// Calls `body` with every line, or part of one, that lies in no statement; without its line's end.
    static func forEachGapLine(of file: [UInt8], beside statements: [Range<Int>], _ body: (Range<Int>) -> Void) {
        var at = 0
        func lines(upTo end: Int) {
            while at < end {
                let lineEnd = file[at..<end].firstIndex(of: Byte.newline) ?? end
                if lineEnd > at { body(at..<lineEnd) }
                at = lineEnd + 1
            }
        }
        for statement in statements.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            lines(upTo: statement.lowerBound)
            at = max(at, statement.upperBound)
        }
        lines(upTo: file.count)
    }

    /// Overlapping stretches as one, known by the value that was found first.
    static func merged(_ found: [Stretch]) -> [Stretch] {
        let ordered = found.enumerated().filter { !$1.range.isEmpty }
            .sorted { ($0.element.range.lowerBound, $0.offset) < ($1.element.range.lowerBound, $1.offset) }
        var merged: [(order: Int, Stretch)] = []
        for (order, stretch) in ordered {
            guard let last = merged.last, last.1.range.upperBound > stretch.range.lowerBound else {
                merged.append((order, stretch))
                continue
            }
            let range = last.1.range.lowerBound..<max(last.1.range.upperBound, stretch.range.upperBound)
            let value = order < last.order ? stretch.value : last.1.value
            merged[merged.count - 1] = (min(order, last.order), Stretch(range: range, value: value))
        }
        return merged.map(\.1)
    }
}

/// Patterns for names in settings: `*` stands for any run of characters, `?` for any one, all else for itself.
enum Glob {
    /// Whether all of `text` is what `pattern` says. Linear in their product: only the last `*` is ever come back to.
    static func matches(_ pattern: String, _ text: String) -> Bool {
        let pattern = Array(pattern.utf8)
        let text = Array(text.utf8)
        var (place, at) = (0, 0)
        var star: (place: Int, at: Int)?
        while at < text.count {
            if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
                star = (place + 1, at)
                place += 1
            } else if place < pattern.count, pattern[place] == UInt8(ascii: "?") || pattern[place] == text[at] {
                place += 1
                at += 1
            } else if let last = star {
                star = (last.place, last.at + 1)
                (place, at) = (last.place, last.at + 1)
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}

extension Reading.Value {
    /// The value, or, where it depends on the reader's environment, what stands in the file.
    package var bytes: [UInt8] {
        switch self {
        case .text(let bytes), .depends(let bytes): bytes
        }
    }
}

extension Collection<UInt8> {
    /// Whether `part` stands anywhere in these bytes.
    func holds(_ part: some Collection<UInt8>) -> Bool {
        var rest = self[...]
        while rest.count >= part.count {
            if rest.starts(with: part) { return true }
            rest = rest.dropFirst()
        }
        return false
    }
}

extension ArraySlice<UInt8> {
    /// Where `part`, which is not empty, stands first.
    func firstRange(of part: [UInt8]) -> Range<Int>? {
        guard let first = part.first else { return nil }
        var at = startIndex
        while at + part.count <= endIndex {
            guard let next = self[at...].firstIndex(of: first), next + part.count <= endIndex else { return nil }
            if self[next..<next + part.count].elementsEqual(part) { return next..<next + part.count }
            at = next + 1
        }
        return nil
    }
}
