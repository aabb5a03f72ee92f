/// A typed key of the service's configuration: a feature flag or a chaos setting. Its value is what a file says at `key`.
package struct FlagSettings: Hashable, Sendable {
    /// A value as settings write it.
    package enum Value: Hashable, Sendable {
        case truth(Bool)
        case integer(Int64)
        case number(Double)
        case text(String)
    }

    /// What a value may be.
    package enum Kind: Hashable, Sendable {
        /// The texts that stand for true and false; nil: `true` and `false`, which JSON has words for.
        case truth(on: String?, off: String?)
        case integer(ClosedRange<Int64>)
        case number(ClosedRange<Double>)
        case string
        case choice([String])
    }

    package var name: String
    package var kind: Kind
    /// What holds where the file says nothing; of a chaos setting what *off* is.
    package var standard: Value?
    package var summary: String
    /// A file under `config.files`.
    package var file: String
    /// In a file of lines a variable's name, in a JSON file a pointer.
    package var key: String
    package var isChaos: Bool
}

extension FlagSettings {
    private enum Word: String, CaseIterable {
        case bool
        case integer
        case number
        case string
        case `enum`
    }

    /// The largest magnitude of an integer that every JSON reader keeps exact: 2^53 (RFC 8259, section 6).
    private static let largestInteger: Int64 = 9_007_199_254_740_992

    /// Reads one item of `config.flags`; nil where something is wrong with it, which is complained about.
    static func read(from section: inout Section, files: [ConfigFileSettings]) -> FlagSettings? {
        var (name, summary, isChaos) = ("", "", false)
        var word: Word?
        section.require("name", .name, into: &name)
        section.require("type", Shape<Word>.word.optional, into: &word)
        section.read("description", .text, into: &summary)
        section.read("chaos", .truth, into: &isChaos)
        var place = Place()
        if !section.section("render", { place.read(from: &$0, files: files, isTruth: word == .bool) }) {
            section.refuse("render", "expected where the flag is rendered: a file and its key or pointer")
        }
        for key in ["minimum", "maximum", "values", "default"] { section.note(key) }
        guard let word, let kind = kind(word, place, from: &section) else { return nil }
        let standard = standard(kind, from: &section)
        if isChaos, standard == nil {
            section.refuse("chaos", "expected a default beside it: what off is")
        }
        guard !name.isEmpty, let file = place.file, let key = place.key else { return nil }
        return FlagSettings(
            name: name, kind: kind, standard: standard, summary: summary, file: file, key: key, isChaos: isChaos)
    }

    private static func kind(_ word: Word, _ place: Place, from section: inout Section) -> Kind? {
        var values: [String] = []
        let isRanged = word == .integer || word == .number
        for key in ["minimum", "maximum"] where section.contains(key) && !isRanged {
            section.refuse(key, "expected with type integer or number only")
        }
        if section.contains("values"), word != .enum { section.refuse("values", "expected with type enum only") }
        switch word {
        case .bool: return .truth(on: place.on, off: place.off)
        case .string: return .string
        case .enum:
            section.require("values", .list(of: .text, 1...100), into: &values)
            return values.isEmpty ? nil : .choice(values)
        case .integer:
            var (least, most) = (-largestInteger, largestInteger)
            section.read("minimum", .integer(least...most), into: &least)
            section.read("maximum", .integer(-largestInteger...largestInteger), into: &most)
            return range(least, most, from: &section).map(Kind.integer)
        case .number:
            var (least, most) = (-Double.greatestFiniteMagnitude, Double.greatestFiniteMagnitude)
            section.read("minimum", .decimal, into: &least)
            section.read("maximum", .decimal, into: &most)
            return range(least, most, from: &section).map(Kind.number)
        }
    }

    private static func range<Bound>(_ least: Bound, _ most: Bound, from section: inout Section) -> ClosedRange<Bound>?
    {
        guard least <= most else {
            section.refuse("maximum", "expected at least minimum (\(least)), found \(most)")
            return nil
        }
        return least...most
    }

    private static func standard(_ kind: Kind, from section: inout Section) -> Value? {
        var value: Value?
        switch kind {
        case .truth: section.read("default", Shape<Bool>.truth.mapped(Value.truth), into: &value)
        case .integer(let range):
            section.read("default", Shape<Int64>.integer(range).mapped(Value.integer), into: &value)
        case .number(let range):
            let shape = Shape<Double>.decimal.only("a number from \(range.lowerBound) to \(range.upperBound)") {
                range.contains($0)
            }
            section.read("default", shape.mapped(Value.number), into: &value)
        case .string: section.read("default", Shape<String>.anyText.mapped(Value.text), into: &value)
        case .choice(let values):
            let shape = Shape<String>.text.only("one of \(values.joined(separator: ", "))") { values.contains($0) }
            section.read("default", shape.mapped(Value.text), into: &value)
        }
        return value
    }

    /// Where a flag is rendered, while it is read.
    private struct Place {
        var file: String?
        var key: String?
        var on: String?
        var off: String?

        mutating func read(from section: inout Section, files: [ConfigFileSettings], isTruth: Bool) {
            section.require("file", Shape<String>.path.optional, into: &file)
            let chosen = section.choice(["key", "pointer"], required: true)
            section.read("key", .text, into: &key)
            section.read("pointer", .pointer, into: &key)
            section.read("true", .anyText, into: &on)
            section.read("false", .anyText, into: &off)
            if on != nil || off != nil {
                if !isTruth { section.refuse(on == nil ? "false" : "true", "expected with type bool only") }
                if on == off || on == nil || off == nil {
                    section.refuse(on == nil ? "false" : "true", "expected two texts, one for true and one for false")
                }
            }
            guard let path = file else { return }
            guard let declared = files.first(where: { $0.path == path }) else {
                return section.refuse("file", "expected a file of config.files, found \(path)")
            }
            switch declared.format {
            case .env:
                if chosen == "pointer" { section.refuse("pointer", "expected key: this file's format is env") }
            case .json: if chosen == "key" { section.refuse("key", "expected pointer: this file's format is json") }
            case .whole: section.refuse("file", "expected a file with keys; this file's format is whole")
            }
        }
    }
}

extension Shape where Value == Int64 {
    /// A whole number, which may be negative.
    fileprivate static func integer(_ range: ClosedRange<Int64>) -> Shape<Int64> {
        Shape(expected: "a whole number from \(range.lowerBound) to \(range.upperBound)") { node in
            node.plainText.flatMap { Int64($0) }.flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Shape where Value == Double {
    /// A finite number, which may be negative, in decimal figures.
    fileprivate static var decimal: Shape<Double> {
        Shape(expected: "a number") { node in
            guard let text = node.plainText, text.allSatisfy({ $0.isASCII && ($0.isNumber || "+-.eE".contains($0)) })
            else { return nil }
            return Double(text).flatMap { $0.isFinite ? $0 : nil }
        }
    }
}

extension Shape where Value == String {
    /// A text that may be empty where it is quoted.
    fileprivate static var anyText: Shape<String> {
        Shape(expected: "a text") { node in
            guard let text = node.text, !node.isNothing, text.utf8.count <= 4096 else { return nil }
            return text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) ? text : nil
        }
    }

    /// A JSON pointer that is not the whole text's (RFC 6901).
    fileprivate static var pointer: Shape<String> {
        text.only("a JSON pointer such as /server/port") { text in
            text.hasPrefix("/")
                && text.split(separator: "~", omittingEmptySubsequences: false).dropFirst().allSatisfy {
                    $0.hasPrefix("0") || $0.hasPrefix("1")
                }
        }
    }
}
