package import ConfigAPI
package import Wire

/// A typed key of a service's configuration: a feature flag or a chaos setting.
///
/// The file that it is rendered in is the only place where its value lies, so everything that holds for the file holds for
/// it. A value is a JSON scalar; `accepted` is the door that every new one goes through, `reading` what a file says.
package struct Flag: Hashable, Sendable {
    /// What a value may be.
    package enum Kind: Hashable, Sendable {
        /// The texts that stand for true and false; nil: `true` and `false`, in a JSON file the words.
        case truth(on: String?, off: String?)
        case integer(ClosedRange<Int64>)
        /// Finite.
        case number(ClosedRange<Double>)
        case string
        case choice([String])

        /// The word that messages have for it.
        package var name: ConfigFlag.Kind {
            switch self {
            case .truth: .bool
            case .integer: .integer
            case .number: .number
            case .string: .string
            case .choice: .enum
            }
        }

        /// What a value must be, in the words of an error.
        package var expected: String {
            switch self {
            case .truth: "true or false"
            case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
            case .number(let range):
                range.upperBound == .greatestFiniteMagnitude && range.lowerBound == -.greatestFiniteMagnitude
                    ? "a number" : "a number from \(range.lowerBound) to \(range.upperBound)"
            case .string: "a string"
            case .choice(let values): "one of \(values.joined(separator: ", "))"
            }
        }
    }

    /// What a file says of a flag.
    package struct Reading: Hashable, Sendable {
        /// Nil where there is none.
        package var value: JSON?
        package var source: ConfigFlag.Source
        /// To be shown only to whoever may see values.
        package var isSecret: Bool

        package init(value: JSON?, source: ConfigFlag.Source, isSecret: Bool = false) {
            self.value = value
            self.source = source
            self.isSecret = isSecret
        }

        /// Of a file that cannot be read.
        package static let unreadable = Reading(value: nil, source: .unreadable)
    }

    package var name: String
    package var kind: Kind
    /// What holds where the file says nothing; of a chaos setting what *off* is.
    package var standard: JSON?
    package var summary: String
    /// The path of its file.
    package var file: String
    /// In a file of lines a variable's name, in a JSON file a pointer.
    package var key: String
    package var isChaos: Bool

    package init(
        name: String, kind: Kind, standard: JSON? = nil, summary: String = "", file: String, key: String,
        isChaos: Bool = false
    ) {
        self.name = name
        self.kind = kind
        self.standard = standard
        self.summary = summary
        self.file = file
        self.key = key
        self.isChaos = isChaos
    }

    /// A new value in its own type (1 is a number too); nil where the flag cannot be that.
    package func accepted(_ value: JSON) -> JSON? {
        switch (kind, value) {
        case (.truth, .bool), (.string, .string): return value
        case (.integer(let range), .integer(let number)): return range.contains(number) ? value : nil
        case (.number(let range), .integer(let number)):
            return range.contains(Double(number)) ? .number(Double(number)) : nil
        case (.number(let range), .number(let number)):
            return number.isFinite && range.contains(number) ? value : nil
        case (.choice(let values), .string(let text)): return values.contains(text) ? value : nil
        case (.truth, _), (.integer, _), (.number, _), (.string, _), (.choice, _): return nil
        }
    }

    /// The change that makes `value`, which was accepted, the flag's; nil takes it out of the file.
    package func change(to value: JSON?, in format: FileFormat) -> ValueChange {
        guard let value else { return .unset(key: key) }
        return .place(key: key, value: rendered(value, in: format))
    }

    private func rendered(_ value: JSON, in format: FileFormat) -> ConfigValue {
        switch value {
        case .string(let text): return .text(text)
        case .bool(let isOn):
            if case .truth(let on?, let off?) = kind { return .text(isOn ? on : off) }
            return bare(isOn ? "true" : "false", in: format)
        case .number(let number) where number == number.rounded() && abs(number) < 1e15:
            return bare(String(Int64(number)), in: format)
        case .null, .integer, .number, .array, .object: return bare(JSONWriter.text(of: value), in: format)
        }
    }

    /// A value that is no string: in a file of lines its spelling, in a JSON file itself.
    private func bare(_ text: String, in format: FileFormat) -> ConfigValue {
        switch format {
        case .env, .whole: .text(text)
        case .json: .json(text)
        }
    }

    /// What `content`, the file's, says.
    package func reading(of content: [UInt8], _ format: FileFormat) -> Reading {
        var entry: FileFormat.Entry?
        do throws(EditRefusal) {
            try format.forEachEntry(of: content, named: [key]) { _, found in
                entry = found
                return false
            }
        } catch {
            guard case .unknownKey = error else { return .unreadable }
            return Reading(value: standard, source: standard == nil ? .unset : .standard)
        }
        guard let entry, let value = value(entry.value, in: format) else {
            return Reading(value: nil, source: .unreadable, isSecret: entry?.isSecret ?? false)
        }
        return Reading(value: value, source: .file, isSecret: entry.isSecret)
    }

    private func value(_ found: ConfigValue?, in format: FileFormat) -> JSON? {
        switch found {
        case nil, .bytes: return nil
        case .json(let text): return (try? JSONReader.read(text)).flatMap(accepted)
        case .text(let text):
            switch kind {
            case .truth(let on, let off):
                // A JSON file that has no texts of its own for true and false has the words.
                if case .json = format, on == nil { return nil }
                return text == on ?? "true" ? .bool(true) : text == off ?? "false" ? .bool(false) : nil
            case .string, .choice: return accepted(.string(text))
            case .integer, .number:
                if case .json = format { return nil }
                return (try? JSONReader.read(text)).flatMap(accepted)
            }
        }
    }

    /// Whether a version that changed `keys` may have changed this flag: its key, or one around it in a JSON file.
    package func mayHaveChanged(_ keys: [String]) -> Bool {
        keys.count >= FileFormat.mostKeysNoted
            || keys.contains { $0 == FileFormat.wholeKey || $0 == key || key.hasPrefix("\($0)/") }
    }
}

/// A flag that a change of its file gives another value.
package struct FlagChange: Hashable, Sendable {
    package var flag: Flag
    package var before: Flag.Reading
    package var after: Flag.Reading

    /// The changes of `flags` from one content of their file to another, in the flags' order. What was, is not known where
    /// `old` is nil.
    package static func all(
        of flags: [Flag], from old: [UInt8]?, to new: [UInt8], _ format: FileFormat
    ) -> [FlagChange] {
        flags.compactMap { flag in
            let before = old.map { flag.reading(of: $0, format) } ?? Flag.Reading(value: nil, source: .unset)
            let after = flag.reading(of: new, format)
            let isSame = before.value == after.value && (before.source == .unreadable) == (after.source == .unreadable)
            return isSame ? nil : FlagChange(flag: flag, before: before, after: after)
        }
    }

    /// Why a new content will not do, by the first of its flags that is not what it may be.
    package enum Refusal: Error, Hashable, Sendable {
        /// The content gives a flag something that it cannot be.
        case invalidValue(Flag)
        /// A chaos setting leaves its default, which the settings do not allow.
        case chaosNotAllowed(Flag)
    }

    /// Holds a change of a file to its flags. What was wrong before and stays so is no matter of this change.
    package static func check(
        _ flags: [Flag], from old: [UInt8]?, to new: [UInt8], _ format: FileFormat, chaosAllowed: Bool
    ) throws(Refusal) {
        guard !flags.isEmpty else { return }
        for flag in flags {
            guard flag.reading(of: new, format).source == .unreadable else { continue }
            let wasSo = old.map { format.value(of: flag.key, in: $0) == format.value(of: flag.key, in: new) } ?? false
            if !wasSo { throw .invalidValue(flag) }
        }
        guard !chaosAllowed else { return }
        let chaos = flags.filter(\.isChaos)
        for change in all(of: chaos, from: old, to: new, format) where change.isOn {
            throw .chaosNotAllowed(change.flag)
        }
    }

    /// Whether a chaos setting is anything but its default now.
    package var isOn: Bool { after.value != flag.standard }
    /// Whether it was before.
    package var wasOn: Bool { before.value != flag.standard }
}
