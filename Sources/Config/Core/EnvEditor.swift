/// Changes values in an `.env` file that several programs read.
///
/// A change is written only if every declared reader then reads the changed key as meant *and every other key exactly as
/// before*; the readers' models are asked about the whole new file, not about the line. Where the value goes (the
/// assignment that counts, as any of the readers sees it, or a new line at the end) and how it is quoted are tried in
/// order until all agree. If nothing agrees the change is refused with the reader that stands in the way and what it
/// would have read.
package struct EnvEditor: Sendable {
    /// One change of one key; a value is any bytes but zero.
    package typealias Change = KeyChange

    /// A value over 128 KiB cannot be an environment variable at all (Linux MAX_ARG_STRLEN, which counts the key, the
    /// `=` and a closing zero byte too).
    package static let largestEntryBytes = 128 * 1024
    /// The largest file that is read or written.
    package static let largestFileBytes = 16 * 1024 * 1024
    /// The longest key.
    package static let longestKeyBytes = 256
    /// The most changes of one call.
    package static let mostChanges = 256
    /// Every change has every reader read the file anew: so many bytes a reader, and no more, in one call.
    private static let mostBytesRead = 64 << 20

    /// The most changes that one call may make of a file of `bytes`.
    package static func changesAllowed(bytes: Int) -> Int {
        min(mostChanges, max(1, mostBytesRead / max(1, bytes)))
    }

    /// Who reads the file; not empty.
    package let readers: [Dialect]
    /// Which values no refusal may tell.
    package let secrets: Secrets

    /// An editor for a file with these readers; without any, `Dialect.unstated` is taken.
    package init(readers: [Dialect], secrets: Secrets = .usual) {
        self.readers = readers.isEmpty ? Dialect.unstated : readers
        self.secrets = secrets
    }

    /// A file and what its readers make of it, read once for all that is asked about it.
    package struct State: Sendable {
        package let bytes: [UInt8]
        /// In the order of the editor's readers.
        package let readings: [Reading]

        /// The value of every key, to each reader.
        var effective: [[String: Reading.Value]] { readings.map(\.effective) }
    }

    /// What each reader makes of `file`, in the order of `readers`.
    package func readings(of file: [UInt8]) -> [Reading] {
        readers.map { DialectReader.read(file, as: $0) }
    }

    /// Has every reader read `file`.
    package func read(_ file: [UInt8]) -> State { State(bytes: file, readings: readings(of: file)) }

    /// `file` after `changes`, all or none.
    package func apply(_ changes: [Change], to file: [UInt8]) throws(EditRefusal) -> [UInt8] {
        guard file.count <= Self.largestFileBytes else { throw .fileTooLarge(bytes: file.count) }
        return try apply(changes, to: read(file)).bytes
    }

    /// `file` after `changes`, all or none.
    package func apply(_ changes: [Change], to file: State) throws(EditRefusal) -> State {
        guard file.bytes.count <= Self.largestFileBytes else { throw .fileTooLarge(bytes: file.bytes.count) }
        let allowed = Self.changesAllowed(bytes: file.bytes.count)
        guard changes.count <= allowed else { throw .tooManyChanges(changes.count, allowed: allowed) }
        var state = file
        for (reader, reading) in zip(readers, state.readings) {
            if let failure = reading.failure {
                throw .unreadable(
                    reader: reader.name, line: Self.line(of: failure.offset, in: file.bytes), failure.reason)
            }
        }
        for change in changes {
            switch change {
            case .set(let key, let value), .place(let key, let value): state = try set(key, to: value, in: state)
            case .remove(let key): state = try remove(key, in: state)
            }
        }
        guard state.bytes.count <= Self.largestFileBytes else { throw .fileTooLarge(bytes: state.bytes.count) }
        return state
    }

    // MARK: Setting

    private func set(_ key: String, to value: [UInt8], in state: State) throws(EditRefusal) -> State {
        try check(key, value)
        if state.readings.allSatisfy({ $0.binding(of: key)?.value == .text(value) }) { return state }
        var nearest: EditRefusal?
        for place in places(of: key, in: state) {
            for quoting in Quoting.order(like: Array(state.bytes[place.raw])) {
                guard quoting != .literal || mayStandLiterally(value), let written = quoting.write(value) else {
                    continue
                }
                let bytes = place.filled(with: written, in: state.bytes)
                let next = read(bytes)
                guard let objection = objection(to: key, being: .text(value), before: state, after: next) else {
                    return next
                }
                // Single quotes are what an operator expects, so that attempt's objection is the one to tell.
                if nearest == nil || (quoting == .single && place.isLast) { nearest = objection }
            }
        }
        throw nearest ?? .unwritable(key: key, reader: readers[0].name, wouldRead: nil)
    }

    /// Readers in JavaScript and Python trim and split at Unicode's blanks too, which the table does not follow: beyond
    /// ASCII only readers without any quoting are trusted with bare text.
    private func mayStandLiterally(_ value: [UInt8]) -> Bool {
        value.allSatisfy { $0 < 0x80 } || readers.allSatisfy { $0.value.quotes.isEmpty }
    }

    private func check(_ key: String, _ value: [UInt8]) throws(EditRefusal) {
        let name = Array(key.utf8)
        guard !name.isEmpty, name.count <= Self.longestKeyBytes, name.allSatisfy(Self.keyBytes.contains) else {
            throw .invalidKey(key: key, reader: nil)
        }
        for reader in readers {
            let digitLeads = ByteSet.digits.contains(name[0]) && !reader.key.mayStartWithDigit
            guard name.allSatisfy(reader.key.valid.contains), !digitLeads else {
                throw .invalidKey(key: key, reader: reader.name)
            }
        }
        let entryBytes = name.count + value.count + 2
        guard entryBytes <= Self.largestEntryBytes else { throw .valueTooLarge(key: key, bytes: value.count) }
        guard !value.contains(0) else { throw .zeroByte(key: key) }
    }

    /// What a key of ours may consist of; what a file already holds is another matter.
    private static let keyBytes = ByteSet.wordBytes.union(".-")

    /// Where a value can go: `raw` is replaced by `before`, the value and `after`.
    private struct Place: Hashable {
        var raw: Range<Int>
        var before: [UInt8] = []
        var after: [UInt8] = []
        var isLast = false

        func filled(with written: [UInt8], in bytes: [UInt8]) -> [UInt8] {
            Array(bytes[..<raw.lowerBound]) + before + written + after + Array(bytes[raw.upperBound...])
        }
    }

    /// The assignments that count to one reader or another, then a new line at the end.
    private func places(of key: String, in state: State) -> [Place] {
        var places: [Place] = []
        for reading in state.readings {
            guard let binding = reading.binding(of: key) else { continue }
            let place = Place(raw: binding.raw)
            if !places.contains(place) { places.append(place) }
        }
        let bytes = state.bytes
        let crlf = [Byte.carriageReturn, Byte.newline]
        let end = bytes.count..<bytes.count
        let assignment = Array(key.utf8) + [Byte.equals]
        let isCRLF =
            bytes.indices.dropFirst().first { bytes[$0] == Byte.newline }
            .map { bytes[$0 - 1] == Byte.carriageReturn } ?? false
        for lineEnd in isCRLF ? [crlf, [Byte.newline]] : [[Byte.newline]] {
            let closesLine = bytes.isEmpty || bytes.last == Byte.newline || bytes == Dialect.byteOrderMark
            places.append(
                Place(raw: end, before: (closesLine ? [] : lineEnd) + assignment, after: lineEnd, isLast: true))
        }
        return places
    }

    // MARK: Removing

    /// Takes out every line that assigns `key` to any reader.
    private func remove(_ key: String, in state: State) throws(EditRefusal) -> State {
        var lines: [Range<Int>] = []
        for reading in state.readings {
            for binding in reading.bindings where binding.key == key {
                lines.append(wholeLines(binding.statement, in: state.bytes))
            }
        }
        guard !lines.isEmpty else { throw .unknownKey(key: key) }
        var bytes: [UInt8] = []
        var done = 0
        for line in lines.sorted(by: { $0.lowerBound < $1.lowerBound }) where line.upperBound > done {
            if line.lowerBound > done { bytes += state.bytes[done..<line.lowerBound] }
            done = line.upperBound
        }
        bytes += state.bytes[done...]
        let next = read(bytes)
        if let objection = objection(to: key, being: nil, before: state, after: next) { throw objection }
        return next
    }

    private func wholeLines(_ statement: Range<Int>, in bytes: [UInt8]) -> Range<Int> {
        var lower = statement.lowerBound
        while lower > 0, bytes[lower - 1] != Byte.newline, !bytes[..<lower].elementsEqual(Dialect.byteOrderMark) {
            lower -= 1
        }
        var upper = statement.upperBound
        while upper < bytes.count, bytes[upper] != Byte.newline { upper += 1 }
        return lower..<min(upper + 1, bytes.count)
    }

    // MARK: Asking the readers

    /// Why the change from `before` to `after` will not do: some reader would not read `key` as `meant`, or another key
    /// otherwise than before.
    private func objection(
        to key: String, being meant: Reading.Value?, before: State, after: State
    ) -> EditRefusal? {
        for (place, reader) in readers.enumerated() {
            let new = after.readings[place]
            if let failure = new.failure {
                return .unwritable(key: key, reader: reader.name, wouldRead: "nothing: it \(failure.reason)")
            }
            let old = before.readings[place]
            let found = new.binding(of: key)?.value
            guard found == meant else {
                var wouldRead: String?
                if let found { wouldRead = shown(found, of: key, meant: meant, in: new, after) }
                return .unwritable(key: key, reader: reader.name, wouldRead: wouldRead)
            }
            // Most often nothing else was touched, and then no key has to be looked up.
            guard old.changedKeys(to: new) != [key] else { continue }
            let (was, becomes) = (old.effective, new.effective)
            let changed =
                becomes.first { $0.key != key && was[$0.key] != $0.value }?.key
                ?? was.first { $0.key != key && becomes[$0.key] == nil }?.key
            if let changed {
                return .wouldChangeOther(key: key, reader: reader.name, other: Secrets.shown(changed))
            }
        }
        return nil
    }

    /// What a reader would read, unless that is a secret, or a secret of another key would stand in it.
    private func shown(
        _ value: Reading.Value, of key: String, meant: Reading.Value?, in reading: Reading, _ file: State
    ) -> String {
        let raw = reading.binding(of: key)?.raw ?? 0..<0
        let isHidden =
            secrets.isSecret(key, value: value.bytes) || secrets.isSecret(key, value: meant?.bytes ?? [])
            || secrets.stretches(in: file.bytes, readings: file.readings).contains { $0.range.overlaps(raw) }
        guard !isHidden else { return "what is not shown, since it is a secret" }
        return switch value {
        case .text(let bytes): String(decoding: bytes, as: UTF8.self)
        case .depends(let bytes): "what \(String(decoding: bytes, as: UTF8.self)) expands to"
        }
    }

    /// The line, counted from 1, in which `offset` lies.
    static func line(of offset: Int, in file: [UInt8]) -> Int {
        file.prefix(offset).count { $0 == Byte.newline } + 1
    }
}

/// Why the editor did not change a file. The file is untouched in every case.
package enum EditRefusal: Error, Hashable, Sendable {
    /// The key is none, or, where a reader is named, none to that reader.
    case invalidKey(key: String, reader: String?)
    /// A removal of what is not there.
    case unknownKey(key: String)
    case valueTooLarge(key: String, bytes: Int)
    case fileTooLarge(bytes: Int)
    case tooManyChanges(Int, allowed: Int)
    /// No environment variable can hold a zero byte.
    case zeroByte(key: String)
    /// A reader refuses the file as it stands already.
    case unreadable(reader: String, line: Int, _ reason: String)
    /// No quoting that all readers read as meant; `reader` would read `wouldRead` (nil: not set at all).
    case unwritable(key: String, reader: String, wouldRead: String?)
    /// Every way to write the value would change another key to this reader.
    case wouldChangeOther(key: String, reader: String, other: String)
    /// A file of lines takes texts, not JSON values.
    case textOnly(key: String)
    /// A file without keys is changed as a whole.
    case keptWhole
    /// The file, or what is to take its place, is no JSON.
    case invalidJSON(JSONProblem)
    /// The value is no JSON.
    case invalidJSONValue(key: String, JSONProblem)
    /// The key of a JSON file is no pointer, or names the whole text where that will not do.
    case invalidPointer(key: String)
    /// Nothing is there that the key could be a member or the next element of.
    case missingParent(key: String)
    /// The way to the key leads over one that its object has twice, the second in this line.
    case repeatedKey(key: String, line: Int)
}
