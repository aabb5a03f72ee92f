/// A JSON text cut into its values without losing a byte: a concrete syntax tree over the file's own bytes.
///
/// What is read is RFC 8259 and nothing more: no comment, trailing comma or byte-order mark, since a reader that takes
/// them is no JSON reader and two readers would differ. A key that stands twice is allowed by the RFC and read differently
/// by parsers; it is read here, told as `repeated`, and never edited. Numbers and strings keep their spelling: nothing is
/// converted, so a number of any size or precision is what it was. The tree is one flat array, in the file's order, of 16
/// bytes a node; what stands between the nodes is found by subtraction.
package struct JSONDocument: Hashable, Sendable {
    /// What a node is.
    package enum Kind: UInt8, Hashable, Sendable {
        case object
        case array
        case string
        case number
        /// `true`, `false` or `null`.
        case word
        /// The key of the member whose value is the next node.
        case key
    }

    /// A value or a key, by offsets in `bytes`.
    package struct Node: Hashable, Sendable {
        package let kind: Kind
        private let lower: UInt32
        private var upper: UInt32
        private var following: UInt32

        init(_ kind: Kind, from start: Int, to end: Int, past: Int) {
            self.kind = kind
            lower = UInt32(truncatingIfNeeded: start)
            upper = UInt32(truncatingIfNeeded: end)
            following = UInt32(truncatingIfNeeded: past)
        }

        /// The first byte.
        package var start: Int { Int(lower) }
        /// The byte after the last.
        package var end: Int { Int(upper) }
        /// The node after this one and all inside it.
        package var past: Int { Int(following) }

        mutating func close(at end: Int, past: Int) {
            upper = UInt32(truncatingIfNeeded: end)
            following = UInt32(truncatingIfNeeded: past)
        }
    }

    /// The deepest nesting that is read.
    package static let deepest = 128
    /// The most keys and values of one text: more is data, not configuration, and its tree would not fit into a daemon.
    package static let mostNodes = 1 << 20

    /// The text.
    package let bytes: [UInt8]
    /// All keys and values in the text's order; the first is the whole text's value.
    package let nodes: [Node]
    /// Nodes of keys that stood earlier in the same object.
    package let repeated: [Int]

    /// Reads `bytes`, 4 GiB at most.
    package init(_ bytes: [UInt8]) throws(JSONProblem) {
        var scanner = JSONScanner(bytes)
        do throws(JSONScanner.Failure) { try scanner.scan() } catch {
            throw JSONProblem(error.problem, at: error.offset, in: bytes)
        }
        self.bytes = bytes
        nodes = scanner.nodes
        repeated = scanner.repeated
    }

    /// The text again, put together from the tree: the same bytes.
    package var rendered: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        var done = 0
        for node in nodes where node.kind != .object && node.kind != .array {
            text += bytes[done..<node.start]
            text += bytes[node.start..<node.end]
            done = node.end
        }
        return text + bytes[done...]
    }

    /// A node as it stands in the text.
    package func raw(_ node: Int) -> ArraySlice<UInt8> { bytes[nodes[node].start..<nodes[node].end] }

    /// The line of an offset, from 1.
    package func line(of offset: Int) -> Int { bytes.prefix(offset).count { $0 == Byte.newline } + 1 }

    // MARK: Inside objects and arrays

    /// A member of an object or an element of an array.
    struct Element: Hashable {
        /// The node of the key; nil in an array.
        var key: Int?
        var value: Int
        /// From the key's first byte, or the value's.
        var start: Int
        /// The byte after the value.
        var end: Int
    }

    /// What an object or array holds, in its order.
    struct Elements: Sequence, IteratorProtocol {
        private let document: JSONDocument
        /// The node that the next one begins with.
        private var place: Int
        private let past: Int
        private let isObject: Bool

        fileprivate init(_ document: JSONDocument, of container: Int) {
            self.document = document
            place = container + 1
            past = document.nodes[container].past
            isObject = document.nodes[container].kind == .object
        }

        mutating func next() -> Element? {
            guard place < past else { return nil }
            let first = place
            let value = isObject ? first + 1 : first
            place = document.nodes[value].past
            return Element(
                key: isObject ? first : nil, value: value, start: document.nodes[first].start,
                end: document.nodes[value].end)
        }
    }

    /// What the object or array at `container` holds; nothing where it is neither.
    func elements(of container: Int) -> Elements { Elements(self, of: container) }

    /// How many members or elements a container has.
    package func elementCount(of container: Int) -> Int { elements(of: container).reduce(0) { count, _ in count + 1 } }

    /// The members of an object that have this key; several where it is repeated.
    func members(of object: Int, named key: [UInt8]) -> [Element] {
        guard nodes[object].kind == .object else { return [] }
        return elements(of: object).filter { $0.key.map { text(of: $0) == key } ?? false }
    }

    // MARK: Strings

    /// What a string or key says, its escapes resolved, in UTF-8; half of a surrogate pair, which JSON allows and Unicode
    /// does not, as the three bytes that it would have.
    package func text(of node: Int) -> [UInt8] {
        let inner = bytes[(nodes[node].start + 1)..<(nodes[node].end - 1)]
        guard inner.contains(Byte.backslash) else { return Array(inner) }
        return JSONString.decoded(inner)
    }
}

/// Why a text is no JSON, and where.
package struct JSONProblem: Error, Hashable, Sendable {
    /// From 1.
    package var line: Int
    /// In characters, from 1.
    package var column: Int
    /// What was expected and what was found.
    package var problem: String

    init(_ problem: String, at offset: Int, in bytes: [UInt8]) {
        let before = bytes.prefix(offset)
        let lineStart = before.lastIndex(of: Byte.newline).map { $0 + 1 } ?? 0
        line = before.count { $0 == Byte.newline } + 1
        // A byte that goes on with a character begins none.
        column = before[lineStart...].count { $0 & 0xC0 != 0x80 } + 1
        self.problem = problem
    }
}
