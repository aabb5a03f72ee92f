/// What becomes of a file that somebody else has written: whether its content is taken over as a version, or set aside and
/// the last version put back, or whether it is too early to tell.
///
/// A content is *damaged* where it shows what no person means: nothing at all, zero bytes, bytes that are no text where all
/// was text, a line that a declared reader refuses where it read the file before, or much of the file gone. It is judged
/// against the last version alone, so a file that always was strange stays what it is. Whoever means such a content takes
/// it over from the quarantine by name.
///
/// A program that truncates a file and writes it anew leaves exactly these marks for a moment, and so does one that writes
/// slowly. So a content has to hold still before it is believed, the longer the worse it looks and the less is known of
/// its writer.
package enum OutsideChange {
    /// What the settings say of changes past configd.
    package enum Policy: Hashable, Sendable {
        /// They become versions.
        case adopt
        /// They are set aside, and the last version is put back.
        case restore
    }

    /// What shows that a content was not meant.
    package enum Damage: Hashable, Sendable {
        /// Nothing is left but blanks.
        case empty
        /// Zero bytes, where there were none: what a file system leaves of a write that a power cut took.
        case zeroBytes
        /// Bytes that are no UTF-8, where all was.
        case notText
        /// A declared reader refuses the file, which it read before; `JSON` for a file that was JSON.
        case unreadable(reader: String, line: Int, reason: String)
        /// More is gone than the settings allow (`ShrinkGuard`).
        case shrunk(ShrinkGuard.Loss)
    }

    /// Why a content is set aside.
    package enum Cause: Hashable, Sendable {
        case policy
        case damage(Damage)
    }

    /// Whether somebody has the file open for writing, as far as inotify tells.
    package enum Writer: Hashable, Sendable {
        /// It was closed, or put in place whole, after its last change.
        case gone
        /// It was changed, and not closed since.
        case present
        /// Nothing is watched, or not for long enough.
        case unknown
    }

    /// How long a content has held still, and who may still be at it.
    package struct Stillness: Hashable, Sendable {
        /// Since the file was last seen to change.
        package var stillFor: Duration
        /// Since it was first seen to be other than its newest version.
        package var waitedFor: Duration
        package var writer: Writer

        package init(stillFor: Duration, waitedFor: Duration, writer: Writer) {
            self.stillFor = stillFor
            self.waitedFor = waitedFor
            self.writer = writer
        }
    }

    /// What is to be done.
    package enum Verdict: Hashable, Sendable {
        case adopt
        /// Set the content aside, then put the last version back.
        case restore(Cause)
        /// Nothing is there to set aside: put the last version back.
        case bringBack
        /// Look again after this long.
        case wait(Duration)
    }

    /// A damaged content that was closed is believed after this: a program that truncates and writes in two openings is
    /// through by then.
    package static let closedSettle: Duration = .milliseconds(300)
    /// A damaged content of which only polling tells: two polls.
    package static let unknownSettle: Duration = .seconds(1)
    /// A sound content that is still open may be the first half of one: a write that pauses this long is taken for a whole.
    package static let openSettle: Duration = .milliseconds(500)
    /// After this the content is judged as it stands, whoever still writes it.
    package static let patience: Duration = .seconds(10)

    /// What to do about a content with `damage`, or without.
    package static func verdict(on damage: Damage?, policy: Policy, _ stillness: Stillness) -> Verdict {
        let needed: Duration =
            switch (stillness.writer, damage) {
            case (.gone, nil), (.unknown, nil): .zero
            case (.present, nil): openSettle
            case (.gone, .some): closedSettle
            case (.unknown, .some): unknownSettle
            case (.present, .some): patience
            }
        if stillness.stillFor < needed, stillness.waitedFor < patience {
            return .wait(min(needed - stillness.stillFor, patience - stillness.waitedFor))
        }
        if let damage { return .restore(.damage(damage)) }
        return policy == .restore ? .restore(.policy) : .adopt
    }

    /// What to do about a file that is gone; nil where that is left to an operator, whose `rollback` brings it back. An
    /// editor that removes and writes anew leaves a file missing for a moment.
    package static func verdict(onMissingFile policy: Policy, _ stillness: Stillness) -> Verdict? {
        switch policy {
        case .adopt: nil
        case .restore:
            stillness.stillFor < unknownSettle ? .wait(unknownSettle - stillness.stillFor) : .bringBack
        }
    }

    /// What is wrong with `found`, if anything, where the last version held `last`. `limitPercent` is the shrink guard's.
    package static func damage(
        from last: [UInt8], to found: [UInt8], format: FileFormat, limitPercent: Double
    ) -> Damage? {
        if isBlank(found) { return isBlank(last) ? nil : .empty }
        if found.contains(0), !last.contains(0) { return .zeroBytes }
        if !isText(found), isText(last) { return .notText }
        if let refusal = refusal(from: last, to: found, format) { return refusal }
        return ShrinkGuard.loss(from: last, to: found, format: format, limitPercent: limitPercent).map { .shrunk($0) }
    }

    private static func refusal(from last: [UInt8], to found: [UInt8], _ format: FileFormat) -> Damage? {
        if case .json = format {
            guard let problem = jsonProblem(found), jsonProblem(last) == nil else { return nil }
            return .unreadable(reader: "JSON", line: problem.line, reason: problem.problem)
        }
        for reader in format.readers {
            guard let failure = DialectReader.read(found, as: reader).failure,
                DialectReader.read(last, as: reader).failure == nil
            else { continue }
            let line = found[..<min(failure.offset, found.count)].count { $0 == Byte.newline } + 1
            return .unreadable(reader: reader.name, line: line, reason: failure.reason)
        }
        return nil
    }

    private static func jsonProblem(_ content: [UInt8]) -> JSONProblem? {
        do throws(JSONProblem) { _ = try JSONDocument(content) } catch { return error }
        return nil
    }

    private static func isBlank(_ content: [UInt8]) -> Bool {
        content.allSatisfy { $0 == Byte.space || (0x09...0x0D).contains($0) }
    }

    private static func isText(_ content: [UInt8]) -> Bool {
        String(validating: content, as: UTF8.self) != nil
    }
}
