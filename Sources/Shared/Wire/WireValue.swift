/// What can stand in a message.
package protocol WireValue: Sendable {
    /// Reads the value, or says what was expected instead. `unknown` is the rule for members that no message knows,
    /// handed down to every object inside.
    init(wire: JSON, unknown: Fields.Unknown) throws(WireError)
    /// Writes the value.
    func write(to writer: inout JSONWriter)
}

/// A message, or a part of one: a JSON object with named members in a fixed order.
package protocol WireObject: WireValue, Hashable {
    /// Reads the members. In a request a member that is not asked for is an error; in a reply it is ignored.
    init(from fields: inout Fields) throws(WireError)
    /// Writes the members, always in the same order.
    func write(to object: inout ObjectWriter)
}

extension WireValue {
    /// Reads as replies and events are read: unknown members are ignored.
    package init(wire: JSON) throws(WireError) {
        try self.init(wire: wire, unknown: .ignored)
    }
}

extension WireObject {
    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        guard case .object(let object) = wire else { throw .expected("an object", found: wire) }
        var fields = Fields(object, unknown: unknown)
        try self.init(from: &fields)
        try fields.finish()
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { write(to: &$0) }
    }
}

/// The members of an object while a message is read from it; remembers which were asked for.
package struct Fields {
    /// The rule for members that nothing asked for.
    package enum Unknown: Hashable, Sendable {
        /// Requests: a misspelt parameter must not be taken for an absent one.
        case refused
        /// Replies and events: an older client must live with a newer daemon.
        case ignored
    }

    private let object: JSONObject
    private let unknown: Unknown
    private var asked: Set<String> = []
    private var takesAll = false

    /// The members of `object`.
    package init(_ object: JSONObject, unknown: Unknown) {
        self.object = object
        self.unknown = unknown
    }

    private mutating func take(_ key: String) -> JSON? {
        if unknown == .refused { asked.insert(key) }
        return object[key]
    }

    /// A member that must be there.
    package mutating func value<Value: WireValue>(_ key: String) throws(WireError) -> Value {
        guard let json = take(key) else { throw WireError(place: key, problem: "expected a value, found nothing") }
        return try read(json, key)
    }

    /// A member that may be absent or null.
    package mutating func optional<Value: WireValue>(_ key: String) throws(WireError) -> Value? {
        guard let json = take(key), json != .null else { return nil }
        return try read(json, key)
    }

    /// A member with a stated value where it is absent.
    package mutating func value<Value: WireValue>(_ key: String, or standard: Value) throws(WireError) -> Value {
        try optional(key) ?? standard
    }

    /// Every member as it stands, for messages that carry an open map.
    package mutating func all() -> JSONObject {
        takesAll = true
        return object
    }

    private func read<Value: WireValue>(_ json: JSON, _ key: String) throws(WireError) -> Value {
        do { return try Value(wire: json, unknown: unknown) } catch { throw error.within(key) }
    }

    /// Refuses what nobody asked for, where the rule says so.
    package func finish() throws(WireError) {
        guard unknown == .refused, !takesAll else { return }
        guard let stranger = object.members.first(where: { !asked.contains($0.key) }) else { return }
        let known = asked.sorted().joined(separator: ", ")
        let offer = known.isEmpty ? "none is taken" : "known are \(known)"
        throw WireError(place: stranger.key, problem: "unknown parameter; \(offer)")
    }
}

/// A message without members.
package struct NoFields: WireObject {
    package init() {}
    package init(from fields: inout Fields) throws(WireError) {}
    package func write(to object: inout ObjectWriter) {}
}

// MARK: Scalars and containers

extension JSON: WireValue {
    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) { self = wire }

    package func write(to writer: inout JSONWriter) {
        switch self {
        case .null: writer.null()
        case .bool(let value): writer.bool(value)
        case .integer(let value): writer.integer(value)
        case .number(let value): writer.number(value)
        case .string(let value): writer.string(value)
        case .array(let elements): writer.array(elements)
        case .object(let object): object.write(to: &writer)
        }
    }
}

extension JSONObject: WireObject {
    package init(from fields: inout Fields) throws(WireError) { self = fields.all() }

    package func write(to object: inout ObjectWriter) {
        for (key, value) in members { object.member(key, value) }
    }
}

extension String: WireValue {
    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        guard case .string(let value) = wire else { throw .expected("a string", found: wire) }
        self = value
    }

    package func write(to writer: inout JSONWriter) { writer.string(self) }
}

extension Bool: WireValue {
    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        guard case .bool(let value) = wire else { throw .expected("true or false", found: wire) }
        self = value
    }

    package func write(to writer: inout JSONWriter) { writer.bool(self) }
}

extension Int64: WireValue {
    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        guard case .integer(let value) = wire else { throw .expected("an integer", found: wire) }
        self = value
    }

    package func write(to writer: inout JSONWriter) { writer.integer(self) }
}

extension Int: WireValue {
    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        self = Int(try Int64(wire: wire, unknown: unknown))
    }
    package func write(to writer: inout JSONWriter) { writer.integer(Int64(self)) }
}

extension Double: WireValue {
    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        switch wire {
        case .integer(let value): self = Double(value)
        case .number(let value): self = value
        case .null, .bool, .string, .array, .object: throw .expected("a number", found: wire)
        }
    }

    package func write(to writer: inout JSONWriter) { writer.number(self) }
}

extension Array: WireValue where Element: WireValue {
    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        guard case .array(let elements) = wire else { throw .expected("an array", found: wire) }
        self = []
        reserveCapacity(elements.count)
        for (place, element) in elements.enumerated() {
            do { append(try Element(wire: element, unknown: unknown)) } catch { throw error.within("[\(place)]") }
        }
    }

    package func write(to writer: inout JSONWriter) { writer.array(self) }
}

extension Dictionary: WireValue where Key == String, Value: WireValue {
    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        guard case .object(let object) = wire else { throw .expected("an object", found: wire) }
        self = [:]
        for (key, value) in object.members {
            do { self[key] = try Value(wire: value, unknown: unknown) } catch { throw error.within(key) }
        }
    }

    /// Keys sorted, so that the same map is the same bytes.
    package func write(to writer: inout JSONWriter) {
        writer.object { object in
            for (key, value) in sorted(by: { $0.key < $1.key }) { object.member(key, value) }
        }
    }
}

/// An enumeration that travels as its raw string conforms by saying `enum X: String, WireValue`.
extension WireValue where Self: RawRepresentable & CaseIterable, RawValue == String {
    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        let text = try String(wire: wire, unknown: unknown)
        guard let value = Self(rawValue: text) else {
            let known = Self.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
            throw WireError(place: "", problem: "expected one of \(known), found \"\(text)\"")
        }
        self = value
    }

    package func write(to writer: inout JSONWriter) { writer.string(rawValue) }
}
