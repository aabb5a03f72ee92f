/// Changes values in a JSON file by their place, and nothing else of it.
///
/// A value is replaced where it stands. A new member or element goes to the end of its object or array, with the blanks,
/// the comma and the indentation that the file has there already; one that is removed takes its comma with it. After every
/// change the whole text is read again, so what is written is JSON whatever came in.
package enum JSONEditor {
    /// `file` after `changes`, all or none and one after the other: keys are pointers (RFC 6901), values JSON texts. The
    /// last token of a pointer may be `-`, or the number after the last, for a new element at an array's end.
    package static func apply(_ changes: [KeyChange], to file: [UInt8]) throws(EditRefusal) -> [UInt8] {
        guard file.count <= EnvEditor.largestFileBytes else { throw .fileTooLarge(bytes: file.count) }
        let allowed = EnvEditor.changesAllowed(bytes: file.count)
        guard changes.count <= allowed else { throw .tooManyChanges(changes.count, allowed: allowed) }
        var document = try document(file)
        for change in changes {
            switch change {
            case .set(let key, let value): document = try set(key, to: value, in: document)
            case .place(let key, let value): document = try place(key, value, in: document)
            case .remove(let key): document = try remove(key, from: document)
            }
        }
        guard document.bytes.count <= EnvEditor.largestFileBytes else {
            throw .fileTooLarge(bytes: document.bytes.count)
        }
        return document.bytes
    }

    /// The file as a tree, or why it is none.
    package static func document(_ file: [UInt8]) throws(EditRefusal) -> JSONDocument {
        do throws(JSONProblem) { return try JSONDocument(file) } catch { throw .invalidJSON(error) }
    }

    private static func pointer(_ key: String, in document: JSONDocument) throws(EditRefusal) -> JSONPointer {
        guard let pointer = JSONPointer(key) else { throw .invalidPointer(key: key) }
        if let repeated = document.repeatedKey(towards: pointer) {
            throw .repeatedKey(key: key, line: document.line(of: document.nodes[repeated].start))
        }
        return pointer
    }

    private static func replacing(
        _ range: Range<Int>, with bytes: [UInt8], in document: JSONDocument
    ) throws(EditRefusal) -> JSONDocument {
        try Self.document(Array(document.bytes[..<range.lowerBound]) + bytes + document.bytes[range.upperBound...])
    }

    // MARK: Setting

    private static func set(
        _ key: String, to value: [UInt8], in document: JSONDocument
    ) throws(EditRefusal) -> JSONDocument {
        let pointer = try pointer(key, in: document)
        let meant: JSONDocument
        do throws(JSONProblem) { meant = try JSONDocument(value) } catch {
            throw .invalidJSONValue(key: key, error)
        }
        let written = Array(meant.raw(0))
        if let node = document.node(at: pointer) {
            guard !JSONDifference.isSame(0, of: meant, node, of: document) else { return document }
            let place = document.nodes[node].start..<document.nodes[node].end
            return try replacing(place, with: written, in: document)
        }
        guard let last = pointer.tokens.last, let parent = pointer.parent, let container = document.node(at: parent)
        else { throw .missingParent(key: key) }
        switch document.nodes[container].kind {
        case .object:
            return try insert(written, named: JSONString.encoded(last), into: container, of: document)
        case .array:
            guard last == [UInt8(ascii: "-")] || JSONPointer.index(last) == document.elementCount(of: container)
            else {
                throw .missingParent(key: key)
            }
            return try insert(written, named: nil, into: container, of: document)
        case .string, .number, .word, .key: throw .missingParent(key: key)
        }
    }

    /// Sets a value with the objects around it: those that are missing come with it, each with this one member.
    private static func place(
        _ key: String, _ value: [UInt8], in document: JSONDocument
    ) throws(EditRefusal) -> JSONDocument {
        var pointer = try pointer(key, in: document)
        var value = value
        let style = JSONStyle(of: document)
        while let parent = pointer.parent, document.node(at: parent) == nil {
            value =
                Array("{".utf8) + JSONString.encoded(pointer.tokens.last ?? []) + style.colon + value + Array("}".utf8)
            pointer = parent
        }
        return try set(pointer.text, to: value, in: document)
    }

    private static func insert(
        _ value: [UInt8], named key: [UInt8]?, into container: Int, of document: JSONDocument
    ) throws(EditRefusal) -> JSONDocument {
        let style = JSONStyle(of: document)
        let elements = document.elements(of: container)
        var last: JSONDocument.Element?
        var before: JSONDocument.Element?
        for element in elements { (before, last) = (last, element) }
        guard let last else {
            let (lead, tail) = style.surroundings(of: container, in: document)
            let member = key.map { $0 + style.colon + value } ?? value
            let inside = (document.nodes[container].start + 1)..<(document.nodes[container].end - 1)
            return try replacing(inside, with: lead + member + tail, in: document)
        }
        let separator: [UInt8]
        if let before {
            separator = Array(document.bytes[before.end..<last.start])
        } else {
            let lead = document.bytes[(document.nodes[container].start + 1)..<last.start]
            separator = [JSONStyle.comma] + (lead.isEmpty ? style.gap : Array(lead))
        }
        var member = value
        if let key, let node = last.key {
            member = key + document.bytes[document.nodes[node].end..<document.nodes[last.value].start] + value
        }
        return try replacing(last.end..<last.end, with: separator + member, in: document)
    }

    // MARK: Removing

    /// Of a repeated key every member goes: the way out of what no two readers read alike.
    private static func remove(_ key: String, from document: JSONDocument) throws(EditRefusal) -> JSONDocument {
        guard let pointer = JSONPointer(key), let last = pointer.tokens.last, let parent = pointer.parent else {
            throw .invalidPointer(key: key)
        }
        _ = try Self.pointer(parent.text, in: document)
        guard let container = document.node(at: parent), document.node(at: pointer) != nil else {
            throw .unknownKey(key: key)
        }
        let isObject = document.nodes[container].kind == .object
        let index = JSONPointer.index(last)
        var kept: [JSONDocument.Element] = []
        var gone: [Int] = []
        for (place, element) in document.elements(of: container).enumerated() {
            let isMeant = isObject ? element.key.map { document.text(of: $0) } == last : place == index
            if isMeant { gone.append(place) } else { kept.append(element) }
        }
        let inside = (document.nodes[container].start + 1)..<(document.nodes[container].end - 1)
        guard !kept.isEmpty else { return try replacing(inside, with: [], in: document) }
        return try cut(gone, of: container, from: document)
    }

    /// Takes out elements of which at least one other stays.
    private static func cut(
        _ gone: [Int], of container: Int, from document: JSONDocument
    ) throws(EditRefusal) -> JSONDocument {
        let elements = Array(document.elements(of: container))
        var bytes: [UInt8] = []
        var done = 0
        var trailing = elements.count
        while let last = gone.last(where: { $0 == trailing - 1 }) { trailing = last }
        for place in gone {
            // What stands at the end goes with the comma before it, everything else with the one after it.
            let start = place >= trailing ? elements[place - 1].end : elements[place].start
            let end = place >= trailing ? elements[place].end : elements[place + 1].start
            bytes += document.bytes[done..<start]
            done = end
        }
        return try Self.document(bytes + document.bytes[done...])
    }
}

/// How a JSON file is laid out, as its own values show it.
struct JSONStyle: Hashable {
    static let comma = UInt8(ascii: ",")

    /// Between a comma and the next element of the same line.
    private(set) var gap: [UInt8] = []
    /// Between a key and its value, with the colon.
    private(set) var colon: [UInt8] = Array(": ".utf8)
    /// What an inner line begins with beyond the line around it; nil where all stands on one line.
    private var unit: [UInt8]?
    private var lineEnd: [UInt8] = [Byte.newline]
    /// Inside the brackets of what stands on one line: `{ "a": 1 }`.
    private var padding: [UInt8] = []

    /// Takes the first of each kind that `document` shows.
    init(of document: JSONDocument) {
        let bytes = document.bytes
        if let end = bytes.firstIndex(of: Byte.newline), end > 0, bytes[end - 1] == Byte.carriageReturn {
            lineEnd = [Byte.carriageReturn, Byte.newline]
        }
        var hasGap = false
        var hasColon = false
        var hasPadding = false
        for container in document.nodes.indices where document.nodes[container].past > container + 1 {
            guard !(hasGap && hasColon && hasPadding && unit != nil) else { break }
            guard document.nodes[container].kind != .key else { continue }
            var elements = document.elements(of: container)
            guard let first = elements.next() else { continue }
            if !hasColon, let key = first.key {
                colon = Array(bytes[document.nodes[key].end..<document.nodes[first.value].start])
                hasColon = true
            }
            let lead = bytes[(document.nodes[container].start + 1)..<first.start]
            if let newline = lead.lastIndex(of: Byte.newline) {
                let inner = lead[(newline + 1)...]
                let outer = Self.indentation(of: document.nodes[container].start, in: bytes)
                if unit == nil, inner.starts(with: outer) { unit = Array(inner.dropFirst(outer.count)) }
            } else if !hasPadding {
                padding = Array(lead)
                hasPadding = true
            }
            if !hasGap, let second = elements.next() {
                let between = bytes[first.end..<second.start]
                if !between.contains(Byte.newline), let comma = between.firstIndex(of: Self.comma) {
                    gap = Array(between[(comma + 1)...])
                    hasGap = true
                }
            }
        }
        if !hasGap, colon.last == Byte.space { gap = [Byte.space] }
        // A text without any value inside shows nothing: it gets what people write.
        if document.nodes.count == 1 { unit = [Byte.space, Byte.space] }
    }

    /// What stands before and after the first element of the empty container.
    func surroundings(of container: Int, in document: JSONDocument) -> (lead: [UInt8], tail: [UInt8]) {
        guard let unit else { return (padding, padding) }
        let outer = Array(Self.indentation(of: document.nodes[container].start, in: document.bytes))
        return (lineEnd + outer + unit, lineEnd + outer)
    }

    /// The blanks at the beginning of the line in which `offset` lies.
    private static func indentation(of offset: Int, in bytes: [UInt8]) -> ArraySlice<UInt8> {
        let start = bytes[..<offset].lastIndex(of: Byte.newline).map { $0 + 1 } ?? 0
        return bytes[start..<offset].prefix { $0 == Byte.space || $0 == 0x09 }
    }
}
