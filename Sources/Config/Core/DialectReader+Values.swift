/// The half of `DialectReader` that reads values. Each function leaves `position` right after what it read, on the same
/// line; nil means that the statement sets nothing (its line is skipped) or that the reader fails.
extension DialectReader {
    mutating func readValue() -> (Reading.Value, Range<Int>)? {
        dialect.value.joinsParts ? readParts() : readWhole()
    }

    // MARK: One quoted or one bare text

    private mutating func readWhole() -> (Reading.Value, Range<Int>)? {
        let rule = dialect.value
        let from = position
        skip(rule.leading)
        let bareFrom = position
        skip(rule.leadingBeforeQuote)
        guard position < end, let quote = rule.quotes.first(where: { $0.quote == bytes[position] }) else {
            position = bareFrom
            return readBare(separatorEnd: from)
        }
        let open = position
        guard let close = closing(quote, openedAt: open) else {
            return readUnterminated(quote, openedAt: open, bareFrom: bareFrom, separatorEnd: from)
        }
        position = close + 1
        guard tailFits(after: position) else {
            switch quote.tail {
            case .anything: return (value(quote, open + 1..<close), open..<close + 1)
            case .commentOrBare:
                position = bareFrom
                return readBare(separatorEnd: from)
            case .commentOrUnset: skipLine()
            case .commentOrFailure: fail(at: open, "finds text after the closing quote")
            }
            return nil
        }
        return (value(quote, open + 1..<close), open..<close + 1)
    }

    private mutating func readUnterminated(
        _ quote: Dialect.QuoteRule, openedAt open: Int, bareFrom: Int, separatorEnd: Int
    ) -> (Reading.Value, Range<Int>)? {
        noteOpenQuote(at: open)
        switch quote.unterminated {
        case .bare:
            position = bareFrom
            return readBare(separatorEnd: separatorEnd)
        case .wholeLine:
            position = open
            skipLine()
            if position < end { return (.text(Array(bytes[open..<position])), open..<position) }
            position = open
        case .unset:
            position = open
            skipLine()
        case .toEndOfFile:
            position = end
            return (value(quote, open + 1..<end), open..<end)
        case .fails: fail(at: open, "finds no closing quote")
        }
        return nil
    }

    private mutating func readBare(separatorEnd: Int) -> (Reading.Value, Range<Int>)? {
        let rule = dialect.value
        let from = position
        var at = from
        while at < end, !dialect.newlines.contains(bytes[at]), !rule.stops.contains(bytes[at]) {
            if bytes[at] == Byte.hash, at > from, rule.commentAfter.contains(bytes[at - 1]) { break }
            at += 1
        }
        position = at
        var span = from..<at
        while let last = bytes[span].last, rule.trims.contains(last) { span = span.lowerBound..<span.upperBound - 1 }
        while let first = bytes[span].first, rule.trims.contains(first) { span = span.lowerBound + 1..<span.upperBound }
        if span.isEmpty { return (.text([]), separatorEnd..<separatorEnd) }
        if rule.unquotesBare, let quote = rule.quotes.first(where: { $0.quote == bytes[span.lowerBound] }) {
            let closed = span.count >= 2 && bytes[span.upperBound - 1] == quote.quote
            let inner = closed ? span.lowerBound + 1..<span.upperBound - 1 : span
            return (value(quote, inner), span)
        }
        let content = Array(bytes[span])
        return (expands(content, rule.expands) ? .depends(content) : .text(content), span)
    }

    // MARK: Parts that follow each other

    private mutating func readParts() -> (Reading.Value, Range<Int>)? {
        let rule = dialect.value
        let separatorEnd = position
        skip(rule.leading)
        let from = position
        var parts = Parts()
        while position < end, !dialect.newlines.contains(bytes[position]) {
            let byte = bytes[position]
            if let quote = rule.quotes.first(where: { $0.quote == byte }), !parts.inBare || rule.bareOpensQuotes {
                guard readPart(quote, into: &parts) else { return nil }
            } else if byte == Byte.backslash, rule.bareEscapes, position + 1 < end || !rule.fails.contains(byte) {
                // A backslash that ends the file is dropped, but by a reader that fails on it.
                if position + 1 < end, !dialect.newlines.contains(bytes[position + 1]) {
                    parts.content.append(bytes[position + 1])
                }
                position = min(position + 2, end)
                parts.endBare(at: position)
            } else if byte == Byte.space || byte == 0x09 {
                if rule.blankEnds { break }
                if parts.inBare { parts.content.append(byte) }
                position += 1
            } else if rule.fails.contains(byte) {
                fail(at: position, "takes \"\(Character(UnicodeScalar(byte)))\" for a command's")
                return nil
            } else {
                if expandsBare(byte, first: position == from, rule.expands) { parts.depends = true }
                parts.content.append(byte)
                position += 1
                parts.endBare(at: position)
            }
        }
        return finish(parts, from: from, separatorEnd: separatorEnd)
    }

    private struct Parts {
        var content: [UInt8] = []
        /// How much of `content` trailing blanks cannot be cut from, and where in the text it ends.
        var keep = 0
        var keepEnd: Int?
        var inBare = false
        var depends = false

        mutating func endBare(at position: Int) {
            inBare = true
            keep = content.count
            keepEnd = position
        }
    }

    /// Reads a quoted part; false where the reader fails.
    private mutating func readPart(_ quote: Dialect.QuoteRule, into parts: inout Parts) -> Bool {
        let open = position
        let close = closing(quote, openedAt: open)
        if close == nil { noteOpenQuote(at: open) }
        if close == nil, quote.unterminated == .fails {
            fail(at: open, "finds no closing quote")
            return false
        }
        switch value(quote, open + 1..<(close ?? end)) {
        case .text(let content): parts.content += content
        case .depends(let content):
            parts.content += content
            parts.depends = true
        }
        position = close.map { $0 + 1 } ?? end
        parts.keep = parts.content.count
        parts.keepEnd = position
        return true
    }

    private mutating func finish(
        _ parts: Parts, from: Int, separatorEnd: Int
    ) -> (Reading.Value, Range<Int>)? {
        let raw = parts.keepEnd.map { from..<$0 } ?? separatorEnd..<separatorEnd
        if dialect.value.blankEnds {
            skip(" \t")
            guard position >= end || dialect.newlines.contains(bytes[position]) || bytes[position] == Byte.hash else {
                fail(at: position, "takes the words after the value for a command")
                return nil
            }
        }
        if parts.depends { return (.depends(Array(bytes[raw])), raw) }
        return (.text(Array(parts.content.prefix(parts.keep))), raw)
    }

    // MARK: Quotes

    /// Where the quote opened at `open` closes.
    private func closing(_ rule: Dialect.QuoteRule, openedAt open: Int) -> Int? {
        var at = open + 1
        switch rule.closes {
        case .atFirst:
            while at < end, bytes[at] != rule.quote { at += 1 }
            return at < end ? at : nil
        case .atFirstUnescaped:
            while at < end, bytes[at] != rule.quote { at += bytes[at] == Byte.backslash ? 2 : 1 }
            return at < end ? at : nil
        case .whereItFits:
            // A `\"` is stepped over first, and come back to where no later quote fits.
            var stepped: [Int] = []
            while at < end {
                if bytes[at] == rule.quote {
                    stepped.append(at)
                    if bytes[at - 1] != Byte.backslash || at - 1 == open { break }
                }
                at += 1
            }
            guard rule.tail == .commentOrBare else { return stepped.last }
            return stepped.last { tailFits(after: $0 + 1) }
        }
    }

    /// Whether only blanks and a comment stand before the line's end.
    func tailFits(after place: Int) -> Bool {
        var at = place
        while at < end, bytes[at] == Byte.space || (0x09...0x0D).contains(bytes[at]),
            !dialect.newlines.contains(bytes[at])
        { at += 1 }
        return at >= end || dialect.newlines.contains(bytes[at]) || bytes[at] == Byte.hash
    }

    /// What stands between quotes, unescaped.
    private func value(_ rule: Dialect.QuoteRule, _ inner: Range<Int>) -> Reading.Value {
        var content: [UInt8] = []
        content.reserveCapacity(inner.count)
        var depends = false
        var at = inner.lowerBound
        while at < inner.upperBound {
            let byte = bytes[at]
            if byte == Byte.backslash, at + 1 < inner.upperBound, let meant = rule.escapes[bytes[at + 1]] {
                content += meant
                at += 2
                continue
            }
            if expandsQuoted(byte, rule.expands) { depends = true }
            // Only the end of the file can leave such a quote's last backslash without its byte: it is dropped.
            if byte == Byte.backslash, at + 1 == inner.upperBound, rule.closes == .atFirstUnescaped { break }
            content.append(byte)
            at += 1
        }
        if rule.expands == .atDollarBrace, expands(content, .atDollarBrace) { depends = true }
        return depends ? .depends(Array(bytes[inner])) : .text(content)
    }

    // MARK: Expansion

    private func expandsQuoted(_ byte: UInt8, _ rule: Dialect.Expansion) -> Bool {
        switch rule {
        case .never, .atDollarBrace: false
        case .atDollar: byte == Byte.dollar
        case .likeShell: byte == Byte.dollar || byte == Byte.backtick
        }
    }

    private func expandsBare(_ byte: UInt8, first: Bool, _ rule: Dialect.Expansion) -> Bool {
        guard rule == .likeShell else { return expandsQuoted(byte, rule) }
        let tilde = byte == Byte.tilde && (first || bytes[position - 1] == Byte.colon)
        return tilde || byte == Byte.dollar || byte == Byte.backtick
    }

    private func expands(_ content: [UInt8], _ rule: Dialect.Expansion) -> Bool {
        switch rule {
        case .never, .likeShell: return false
        case .atDollar: return content.contains(Byte.dollar)
        case .atDollarBrace:
            return zip(content, content.dropFirst()).contains { $0 == Byte.dollar && $1 == Byte.openBrace }
        }
    }
}
