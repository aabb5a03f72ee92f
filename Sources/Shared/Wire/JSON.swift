/// A JSON value as the wire knows it. Integers and fractions are apart, since an id or a count must never pass through a
/// Double; integers keep within ±2^53 so that every JSON reader in any language keeps them exact (RFC 8259 §6).
package enum JSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)

    /// The largest magnitude of an integer on the wire: 2^53.
    package static let largestInteger: Int64 = 9_007_199_254_740_992

    /// What this value is, in the words of an error message.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) { self = .object(JSONObject(elements)) }
}

/// A JSON object that keeps the order of its members, so that what was read is written back the same. Keys are unique;
/// equality ignores the order, as JSON does.
package struct JSONObject: Sendable, ExpressibleByDictionaryLiteral {
    /// The members in the order in which they stood or were set.
    package private(set) var members: [(key: String, value: JSON)] = []

    package init() {}

    /// Members in the order given; of two with one key the later wins.
    package init(_ pairs: [(String, JSON)]) {
        members.reserveCapacity(pairs.count)
        for (key, value) in pairs { self[key] = value }
    }

    package init(dictionaryLiteral elements: (String, JSON)...) {
        self.init(elements)
    }

    /// For the reader, which has already refused duplicates.
    init(unique members: [(key: String, value: JSON)]) {
        self.members = members
    }

    package var count: Int { members.count }
    package var isEmpty: Bool { members.isEmpty }
    package var keys: [String] { members.map(\.key) }

    /// The value of a key, nil where it is absent. Setting nil removes it. A linear search: objects on this wire are
    /// small, and large maps are read once, member by member.
    package subscript(key: String) -> JSON? {
        get { members.first { $0.key == key }?.value }
        set {
            guard let place = members.firstIndex(where: { $0.key == key }) else {
                if let newValue { members.append((key, newValue)) }
                return
            }
            if let newValue { members[place].value = newValue } else { members.remove(at: place) }
        }
    }
}

extension JSONObject: Hashable {
    package static func == (left: JSONObject, right: JSONObject) -> Bool {
        guard left.count == right.count else { return false }
        let sorted = right.members.sorted { $0.key < $1.key }
        return zip(left.members.sorted { $0.key < $1.key }, sorted).allSatisfy {
            $0.key == $1.key && $0.value == $1.value
        }
    }

    package func hash(into hasher: inout Hasher) {
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            hasher.combine(key)
            hasher.combine(value)
        }
    }
}
