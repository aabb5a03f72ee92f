internal import Patterns
internal import Time

extension SchemaSettings {
    private static let mostKeys = 500
    private static let mostRules = 100

    static func read(from section: inout Section) -> SchemaSettings {
        var schema = SchemaSettings()
        section.mappings("keys", atMost: mostKeys) { name, item in
            schema.keys.append(Key.read(name, from: &item))
        }
        section.list("rules", atMost: mostRules) { item in
            if let rule = Rule.read(from: &item, schema) { schema.rules.append(rule) }
        }
        section.read("others", .truth, into: &schema.takesOthers)
        return schema
    }
}

extension SchemaSettings.Key {
    private static let mostValues = 200

    fileprivate static func read(_ name: String, from section: inout Section) -> SchemaSettings.Key {
        var key = SchemaSettings.Key(name: name)
        section.read("type", .word, into: &key.kind)
        readRange(of: &key, from: &section)
        section.read("minimumLength", .whole(0...131_072), into: &key.minimumLength)
        section.read("maximumLength", .whole(0...131_072), into: &key.maximumLength)
        if let least = key.minimumLength, let most = key.maximumLength, least > most {
            section.refuse("minimumLength", "expected at most maximumLength (\(most)), found \(least)")
        }
        section.read("pattern", .text, into: &key.pattern)
        if let text = key.pattern {
            do throws(Pattern.Problem) { _ = try Pattern(text) } catch {
                section.refuse(
                    "pattern",
                    "expected a regular expression in RE2's syntax, found one of which RE2 says: \(error.reason)")
            }
        }
        section.read("enum", .list(of: .enumerated, 1...mostValues), into: &key.values)
        section.read("required", .truth, into: &key.isRequired)
        section.read("secret", .truth, into: &key.isSecret)
        section.read("description", .text, into: &key.about)
        return key
    }

    private static func readRange(of key: inout SchemaSettings.Key, from section: inout Section) {
        guard let shape = key.kind.bound else {
            for end in ["minimum", "maximum"] where section.contains(end) {
                section.note(end)
                section.refuse(end, "expected none, since type \(key.kind.rawValue) has no order")
            }
            section.note("minimum")
            section.note("maximum")
            return
        }
        section.read("minimum", shape, into: &key.minimum)
        section.read("maximum", shape, into: &key.maximum)
        if let minimum = key.minimum, let maximum = key.maximum, minimum > maximum {
            section.refuse("minimum", "expected at most maximum")
        }
    }
}

extension SchemaSettings.Kind {
    /// How an end of a range is written; nil where there is no order.
    fileprivate var bound: Shape<SchemaSettings.Bound>? {
        switch self {
        case .string, .boolean, .url, .path: nil
        case .integer: .wholeBound(Int64.min...Int64.max)
        case .port: .wholeBound(1...65535)
        case .number: .realBound
        case .duration:
            Shape(expected: "a duration with its unit, such as 500ms or 10min") { node in
                node.text.flatMap(Quantity.duration).map { .whole($0.milliseconds * 1000) }
            }
        case .bytes:
            Shape(expected: "a size with its unit, such as 64KiB") { node in
                node.text.flatMap(Quantity.bytes).map { .whole($0) }
            }
        }
    }
}

extension SchemaSettings.Bound {
    fileprivate static func > (left: SchemaSettings.Bound, right: SchemaSettings.Bound) -> Bool {
        switch (left, right) {
        case (.whole(let left), .whole(let right)): left > right
        case (.real(let left), .real(let right)): left > right
        case (.whole, .real), (.real, .whole): false
        }
    }
}

extension SchemaSettings.Rule {
    fileprivate static func read(from section: inout Section, _ schema: SchemaSettings) -> SchemaSettings.Rule? {
        var rule = SchemaSettings.Rule(demand: .requires([]))
        section.read("when", .configKey, into: &rule.when)
        section.read("equals", .list(of: .enumerated, 1...50), into: &rule.equals)
        if rule.when == nil, !rule.equals.isEmpty { section.refuse("equals", "expected `when` beside it, found none") }
        let chosen = section.choice(["requires", "excludes", "less", "atMost", "oneOf"], required: true)
        guard let chosen else { return nil }
        var keys: [String] = []
        section.read(
            chosen, .list(of: .configKey, ["requires", "excludes"].contains(chosen) ? 1...50 : 2...50), into: &keys)
        guard !keys.isEmpty else { return nil }
        if rule.when == nil, ["requires", "excludes"].contains(chosen) {
            section.refuse(chosen, "expected `when` beside it, found none")
        }
        if ["less", "atMost"].contains(chosen) { checkOrder(of: keys, chosen, schema, &section) }
        switch chosen {
        case "requires": rule.demand = .requires(keys)
        case "excludes": rule.demand = .excludes(keys)
        case "less": rule.demand = .less(keys)
        case "atMost": rule.demand = .atMost(keys)
        default: rule.demand = .oneOf(keys)
        }
        return rule
    }

    /// What is compared must be measured alike.
    private static func checkOrder(
        of keys: [String], _ chosen: String, _ schema: SchemaSettings, _ section: inout Section
    ) {
        let kinds = keys.map { name in schema.keys.first { $0.name == name }?.kind }
        if let place = kinds.firstIndex(where: { $0?.bound == nil }) {
            let found = kinds[place].map { "type \($0.rawValue)" } ?? "none under keys"
            section.refuse(
                chosen, "expected \(keys[place]) under keys, with a type that has an order, found \(found)")
        } else if let place = kinds.firstIndex(where: { $0 != kinds[0] }) {
            section.refuse(
                chosen, "expected keys of one type, found \(keys[0]) and \(keys[place]) of two")
        }
    }
}

extension Shape where Value == SchemaSettings.Bound {
    fileprivate static func wholeBound(_ range: ClosedRange<Int64>) -> Shape<SchemaSettings.Bound> {
        let isAny = range == Int64.min...Int64.max
        return Shape(expected: "a whole number\(isAny ? "" : " from \(range.lowerBound) to \(range.upperBound)")") {
            node in
            node.plainText.flatMap { Int64($0) }.flatMap { range.contains($0) ? .whole($0) : nil }
        }
    }

    fileprivate static var realBound: Shape<SchemaSettings.Bound> {
        Shape(expected: "a number") { node in
            node.plainText.flatMap { Double($0) }.flatMap { $0.isFinite ? .real($0) : nil }
        }
    }
}

extension Shape where Value == String {
    /// A key of a configuration file.
    fileprivate static var configKey: Shape<String> {
        text.only("the name of a key, of up to 256 bytes") { $0.utf8.count <= 256 }
    }

    /// A value as it is compared: a number or a word as it is written, quoted or not.
    fileprivate static var enumerated: Shape<String> {
        Shape(expected: "a text of up to 1,000 bytes") { node in
            guard let text = node.text, text.utf8.count <= 1000 else { return nil }
            return text
        }
    }
}
