/// Reads a file as one row of the dialect table says.
///
/// It never refuses bytes and never reads the environment: whatever a real reader would expand, run or refuse is said in
/// the reading. The table's comments say what each rule means; this is the one place that follows them.
package struct DialectReader {
    let dialect: Dialect
    let text: SourceText
    let bytes: [UInt8]
    var position = 0
    var end: Int
    var reading = Reading()

    /// What `dialect` makes of `file`.
    package static func read(_ file: [UInt8], as dialect: Dialect) -> Reading {
        var reader = DialectReader(file, dialect)
        reader.readStatements()
        return reader.reading
    }

    private init(_ file: [UInt8], _ dialect: Dialect) {
        self.dialect = dialect
        text = SourceText(file, dialect.carriageReturns)
        bytes = text.bytes
        end = bytes.count
        if dialect.skipsByteOrderMark, bytes.starts(with: Dialect.byteOrderMark) { position = 3 }
        if dialect.trimsFile {
            skip(" ")
            while end > position, bytes[end - 1] == Byte.space { end -= 1 }
        }
    }

    private mutating func readStatements() {
        if let limit = dialect.longestLineBytes, let offset = lineLonger(than: limit) {
            fail(at: offset, "reads no line over \(limit) bytes")
        }
        while reading.failure == nil, position < end {
            let byte = bytes[position]
            if dialect.newlines.contains(byte) || dialect.blanks.contains(byte) {
                position += 1
            } else if !(dialect.comments.contains(byte) && skipComment()) {
                readStatement()
            }
        }
    }

    private func lineLonger(than limit: Int) -> Int? {
        var start = 0
        for (offset, byte) in bytes.enumerated() where byte == Byte.newline {
            if offset - start > limit { return start }
            start = offset + 1
        }
        return bytes.count - start > limit ? start : nil
    }

    /// Skips the comment line at `position`; false where the reader does not take it for one.
    private mutating func skipComment() -> Bool {
        let (newlines, escapes) = (dialect.newlines, dialect.commentsEscape)
        var at = position
        while at < end, !newlines.contains(bytes[at]) { at += escapes && bytes[at] == Byte.backslash ? 2 : 1 }
        if at >= end, dialect.commentsNeedNewline { return false }
        position = min(at, end)
        return true
    }

    // MARK: Statement and key

    private mutating func readStatement() {
        let start = position
        let rule = dialect.key
        skip(rule.leading)
        let isIndented = position > start
        let exported = skipExport()
        var key = readKey()
        let keyEnd = position
        if key.isEmpty, rule.blankIsByteBefore, isIndented, start > 0 { key = start - 1..<start }
        let isValid = isValidKey(key)
        skip(rule.beforeSeparator)
        guard skipSeparator() else {
            position = max(keyEnd, start + 1)
            if rule.withoutSeparator == .unsets, isValid, tailFits(after: keyEnd) {
                let name = String(decoding: bytes[key], as: UTF8.self)
                reading.bindings.removeAll { $0.key == name }
                skipLine()
            } else if rule.withoutSeparator == .inherits, !isValid {
                conclude(rule.whenInvalid, at: start, "takes no such name")
            } else if exported, rule.withoutSeparator == .fails, isValid {
                skipLine()
            } else {
                conclude(rule.withoutSeparator, at: start, "finds no assignment")
            }
            return
        }
        guard isValid || rule.whenInvalid == .dropsBinding else {
            return conclude(rule.whenInvalid, at: start, "takes no such name")
        }
        guard let (value, raw) = readValue() else { return }
        skipLine()
        guard isValid else { return }
        reading.bindings.append(
            Reading.Binding(
                key: String(decoding: bytes[key], as: UTF8.self), value: value,
                statement: text.inFile(start..<position), raw: text.inFile(raw)))
    }

    /// Reads the key at `position`; empty where there is none.
    private mutating func readKey() -> Range<Int> {
        let rule = dialect.key
        let start = position
        if let quote = rule.quotedBy, start < end, bytes[start] == quote {
            guard let close = bytes[(start + 1)..<end].firstIndex(of: quote) else { return start..<start }
            position = close + 1
            return start + 1..<close
        }
        if rule.takesFirst, position < end { position += 1 }
        skip(rule.bytes)
        var keyEnd = position
        while keyEnd > start, rule.trailing.contains(bytes[keyEnd - 1]) { keyEnd -= 1 }
        return start..<keyEnd
    }

    private func isValidKey(_ key: Range<Int>) -> Bool {
        guard let first = bytes[key].first else { return false }
        guard dialect.key.mayStartWithDigit || !ByteSet.digits.contains(first) else { return false }
        return bytes[key].allSatisfy(dialect.key.valid.contains)
    }

    private static let exportWord = Array("export".utf8)

    /// Skips `export` and what must follow it; true where it was there.
    private mutating func skipExport() -> Bool {
        let word = Self.exportWord
        guard dialect.export != .none, position + word.count < end,
            bytes[position..<position + word.count].elementsEqual(word)
        else { return false }
        var at = position + word.count
        switch dialect.export {
        case .none: return false
        case .withOneSpace:
            guard bytes[at] == Byte.space else { return false }
            at += 1
            // `export = x` names a key `export`: what follows must not be the separator.
            var next = at
            while next < end, bytes[next] == Byte.space { next += 1 }
            guard next < end, bytes[next] != Byte.equals else { return false }
        case .with(let blanks):
            let first = at
            while at < end, blanks.contains(bytes[at]) { at += 1 }
            guard at > first, at < end, dialect.key.bytes.contains(bytes[at]) else { return false }
        }
        position = at
        return true
    }

    /// Skips `=` or a colon that separates; false, and nothing skipped, where neither stands here.
    private mutating func skipSeparator() -> Bool {
        guard position < end else { return false }
        if bytes[position] == Byte.equals {
            position += 1
            return true
        }
        guard bytes[position] == Byte.colon else { return false }
        switch dialect.key.colon {
        case .ordinary: return false
        case .separates: position += 1
        case .separatesBeforeBlank:
            // The expression wants the colon right after the key.
            guard position > 0, dialect.key.bytes.contains(bytes[position - 1]), position + 1 < end,
                isBlank(bytes[position + 1])
            else { return false }
            position += 2
        }
        return true
    }

    private func isBlank(_ byte: UInt8) -> Bool {
        byte == Byte.space || (0x09...0x0D).contains(byte)
    }

    private mutating func conclude(_ consequence: Dialect.Consequence, at offset: Int, _ reason: String) {
        switch consequence {
        case .skipsLine, .inherits, .unsets, .dropsBinding: skipLine()
        case .endsReading: position = end
        case .fails: fail(at: offset, reason)
        }
    }

    // MARK: Small steps

    mutating func skip(_ set: ByteSet) {
        var at = position
        while at < end, set.contains(bytes[at]) { at += 1 }
        position = at
    }

    mutating func skipLine() {
        let newlines = dialect.newlines
        var at = position
        while at < end, !newlines.contains(bytes[at]) { at += 1 }
        position = at
    }

    mutating func noteOpenQuote(at offset: Int) {
        reading.openQuotes.append(text.inFile(offset..<offset + 1).lowerBound)
    }

    mutating func fail(at offset: Int, _ reason: String) {
        let place = min(offset, bytes.count)
        reading.failure = Reading.Failure(offset: text.inFile(place..<place).lowerBound, reason: reason)
        position = end
    }
}
