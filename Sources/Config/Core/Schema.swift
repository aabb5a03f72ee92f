/// What the keys of a file may hold, judged on what each declared reader reads: the types, ranges, patterns and values of
/// single keys, and the rules over several.
///
/// A key is *set* where a reader reads a value that is not empty: an empty one counts as not set, as most programs take it.
/// What depends on a reader's environment is set and cannot be judged further.
package struct Schema: Hashable, Sendable {
    /// One key's own rules.
    package struct Key: Hashable, Sendable {
        package var kind = Kind.string
        package var minimum: Measure?
        package var maximum: Measure?
        /// In bytes; the one measure that an empty value is held to.
        package var minimumLength: Int?
        package var maximumLength: Int?
        package var pattern: PatternTest?
        /// The values that it may have; any where empty.
        package var values: [String] = []
        package var isRequired = false
        /// Nil: by its name and value.
        package var isSecret: Bool?
        /// For whoever meets a violation.
        package var about: String?

        package init() {}
    }

    /// A regular expression for a whole value, compiled in a room that may use its library.
    package struct PatternTest: Hashable, Sendable {
        package var text: String
        var matches: @Sendable ([UInt8]) -> Bool

        package init(_ text: String, matches: @escaping @Sendable ([UInt8]) -> Bool) {
            self.text = text
            self.matches = matches
        }

        package static func == (left: PatternTest, right: PatternTest) -> Bool { left.text == right.text }

        package func hash(into hasher: inout Hasher) { hasher.combine(text) }
    }

    /// One rule over several keys.
    package struct Rule: Hashable, Sendable {
        /// It holds only where this key is set, and has one of `equals` where that is not empty.
        package var when: String?
        package var equals: [String]
        package var demand: Demand

        package init(when: String? = nil, equals: [String] = [], demand: Demand) {
            self.when = when
            self.equals = equals
            self.demand = demand
        }
    }

    /// What a rule asks for.
    package enum Demand: Hashable, Sendable {
        case requires([String])
        case excludes([String])
        /// Each is less than the next, as far as they are set and measured.
        case less([String])
        /// None is more than the next.
        case atMost([String])
        /// Exactly one is set.
        case oneOf([String])
    }

    /// What was violated: the settings' word for it.
    package enum Clause: String, Hashable, Sendable {
        case type
        case minimum
        case maximum
        case minimumLength
        case maximumLength
        case pattern
        case values = "enum"
        case required
        case others
        case requires
        case excludes
        case less
        case atMost
        case oneOf
    }

    /// One violation by some readers' reading.
    package struct Violation: Hashable, Sendable {
        package var clause: Clause
        /// The keys that it is about, the one to mend first.
        package var keys: [String]
        package var expected: String
        /// What is read of the first key; nil: not set.
        package var found: Reading.Value?
        /// The readers that read so, and whether these are all.
        package var readers: [String]
        package var isToAll: Bool
        package var about: String?

        fileprivate var identity: [String] { [clause.rawValue, expected] + keys }
    }

    /// What one reader makes of a file.
    package struct View: Hashable, Sendable {
        package var reader: String
        package var values: [String: Reading.Value]

        package init(reader: String, values: [String: Reading.Value]) {
            self.reader = reader
            self.values = values
        }
    }

    package var keys: [String: Key]
    package var rules: [Rule]
    /// Whether keys may be set that are not named here.
    package var takesOthers: Bool

    package init(keys: [String: Key] = [:], rules: [Rule] = [], takesOthers: Bool = true) {
        self.keys = keys
        self.rules = rules
        self.takesOthers = takesOthers
    }

    /// Which keys it calls secrets, and which it says are none.
    package var secretMarks: [String: Bool] { keys.compactMapValues(\.isSecret) }

    // MARK: Judging

    /// Everything that is wrong by any view, in the keys' order, rules over several keys last.
    package func violations(in views: [View]) -> [Violation] {
        var found: [Violation] = []
        var places: [[String]: Int] = [:]
        for view in views {
            for violation in violations(in: view) {
                if let place = places[violation.identity] {
                    found[place].readers.append(view.reader)
                } else {
                    places[violation.identity] = found.count
                    found.append(violation)
                }
            }
        }
        for place in found.indices { found[place].isToAll = found[place].readers.count == views.count }
        return found.enumerated().sorted { left, right in
            let (first, second) = (left.element, right.element)
            let orders = (first.clause.isOverKeys ? 1 : 0, second.clause.isOverKeys ? 1 : 0)
            if orders.0 != orders.1 { return orders.0 < orders.1 }
            return orders.0 == 0 && first.keys[0] != second.keys[0]
                ? first.keys[0] < second.keys[0] : left.offset < right.offset
        }.map(\.element)
    }

    /// What a change may not leave: violations that were not there before, and those about a key that it changes. What was
    /// wrong before and is not touched does not stand in the way of a change that mends something else.
    package func refused(from old: [View], to new: [View]) -> [Violation] {
        let before = Set(violations(in: old).map(\.identity))
        var changed: Set<String> = []
        for (was, becomes) in zip(old, new) {
            for name in Set(was.values.keys).union(becomes.values.keys) where was.values[name] != becomes.values[name] {
                changed.insert(name)
            }
        }
        return violations(in: new).filter { violation in
            !before.contains(violation.identity) || violation.keys.contains(where: changed.contains)
        }
    }

    private func violations(in view: View) -> [Violation] {
        var found: [Violation] = []
        func violate(_ clause: Clause, _ names: [String], _ expected: String) {
            found.append(
                Violation(
                    clause: clause, keys: names, expected: expected, found: view.values[names[0]],
                    readers: [view.reader], isToAll: false, about: keys[names[0]]?.about))
        }
        for (name, key) in keys {
            guard let value = view.values[name] else {
                if key.isRequired { violate(.required, [name], "a value") }
                continue
            }
            guard case .text(let bytes) = value else { continue }
            for (clause, expected) in key.faults(of: bytes) { violate(clause, [name], expected) }
        }
        if !takesOthers {
            for name in view.values.keys where keys[name] == nil {
                violate(.others, [name], "no key that the schema does not name")
            }
        }
        for rule in rules where isInForce(rule, view) {
            if let (clause, names, expected) = fault(of: rule, view) { violate(clause, names, expected) }
        }
        return found
    }

    // MARK: Rules over several keys

    private func isSet(_ name: String, _ view: View) -> Bool {
        switch view.values[name] {
        case nil: false
        case .text(let bytes): !bytes.isEmpty
        case .depends: true
        }
    }

    private func isInForce(_ rule: Rule, _ view: View) -> Bool {
        guard let when = rule.when else { return true }
        guard !rule.equals.isEmpty else { return isSet(when, view) }
        guard case .text(let bytes)? = view.values[when] else { return false }
        return rule.equals.contains { $0.utf8.elementsEqual(bytes) }
    }

    private func fault(of rule: Rule, _ view: View) -> (Clause, [String], String)? {
        let condition = rule.when.map { when in
            rule.equals.isEmpty
                ? ", since \(when) is set" : ", since \(when) is \(rule.equals.joined(separator: " or "))"
        }
        let why = condition ?? ""
        let witness = rule.when.map { [$0] } ?? []
        switch rule.demand {
        case .requires(let names):
            guard let missing = names.first(where: { !isSet($0, view) }) else { return nil }
            return (.requires, [missing] + witness, "a value\(why)")
        case .excludes(let names):
            guard let present = names.first(where: { isSet($0, view) }) else { return nil }
            return (.excludes, [present] + witness, "no value\(why)")
        case .less(let names):
            guard let (low, high) = disorder(of: names, view, isStrict: true) else { return nil }
            return (.less, [low, high] + witness, "less than \(high)\(why)")
        case .atMost(let names):
            guard let (low, high) = disorder(of: names, view, isStrict: false) else { return nil }
            return (.atMost, [low, high] + witness, "at most \(high)\(why)")
        case .oneOf(let names):
            let present = names.filter { isSet($0, view) }
            guard present.count != 1 else { return nil }
            let rest = names.filter { !present.contains($0) }
            return (.oneOf, present + rest + witness, "exactly one of \(names.joined(separator: ", ")) set\(why)")
        }
    }

    /// The first pair of neighbours, among those that are set and measured, that stands the wrong way round.
    private func disorder(of names: [String], _ view: View, isStrict: Bool) -> (String, String)? {
        let measured = names.compactMap { name -> (String, Measure)? in
            guard case .text(let bytes)? = view.values[name], let measure = keys[name]?.kind.measure(bytes) else {
                return nil
            }
            return (name, measure)
        }
        for (low, high) in zip(measured, measured.dropFirst()) {
            if isStrict ? !low.1.isLess(than: high.1) : high.1.isLess(than: low.1) { return (low.0, high.0) }
        }
        return nil
    }
}

extension Schema.Clause {
    /// Whether it is about several keys.
    fileprivate var isOverKeys: Bool {
        switch self {
        case .requires, .excludes, .less, .atMost, .oneOf: true
        case .type, .minimum, .maximum, .minimumLength, .maximumLength, .pattern, .values, .required, .others: false
        }
    }
}
