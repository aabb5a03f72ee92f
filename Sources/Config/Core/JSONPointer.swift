/// A place in a JSON text (RFC 6901): the empty pointer is the whole text, `/server/ports/0` the first port. `~` in a key is
/// written `~0`, `/` is written `~1`.
package struct JSONPointer: Hashable, Sendable {
    /// The longest pointer, in bytes.
    package static let longestBytes = 4096

    /// The keys and numbers on the way, in UTF-8, escapes resolved.
    package var tokens: [[UInt8]]

    package init(tokens: [[UInt8]] = []) {
        self.tokens = tokens
    }

    /// Reads a pointer; nil where the text is none or is too long.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.longestBytes else { return nil }
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty else {
            tokens = []
            return
        }
        guard bytes[0] == Self.slash else { return nil }
        var tokens: [[UInt8]] = []
        for part in bytes.dropFirst().split(separator: Self.slash, omittingEmptySubsequences: false) {
            guard let token = Self.token(part) else { return nil }
            tokens.append(token)
        }
        self.tokens = tokens
    }

    private static let slash = UInt8(ascii: "/")

    private static func token(_ part: ArraySlice<UInt8>) -> [UInt8]? {
        var token: [UInt8] = []
        var rest = part
        while let byte = rest.popFirst() {
            guard byte == Byte.tilde else {
                token.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "0"): token.append(Byte.tilde)
            case UInt8(ascii: "1"): token.append(slash)
            case .some, nil: return nil
            }
        }
        return token
    }

    /// The pointer as it is written; what is not UTF-8 in a key shows as U+FFFD.
    package var text: String {
        String(decoding: tokens.flatMap { [Self.slash] + Self.escaped($0) }, as: UTF8.self)
    }

    /// A token as it is written.
    static func escaped(_ token: [UInt8]) -> [UInt8] {
        token.flatMap { byte -> [UInt8] in
            switch byte {
            case Byte.tilde: [Byte.tilde, UInt8(ascii: "0")]
            case slash: [Byte.tilde, UInt8(ascii: "1")]
            default: [byte]
            }
        }
    }

    /// The container around this place; nil for the whole text.
    package var parent: JSONPointer? {
        tokens.isEmpty ? nil : JSONPointer(tokens: Array(tokens.dropLast()))
    }

    /// `token` as the number of an array's element: digits without a leading zero.
    static func index(_ token: [UInt8]) -> Int? {
        guard !token.isEmpty, token.count <= 9, token.allSatisfy(ByteSet.digits.contains),
            token.count == 1 || token[0] != UInt8(ascii: "0")
        else { return nil }
        return token.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }
}

extension JSONDocument {
    /// The value at `pointer`; nil where there is none. Of a repeated key the last counts, as for most readers.
    package func node(at pointer: JSONPointer) -> Int? {
        var node = 0
        for token in pointer.tokens {
            guard let next = child(of: node, named: token) else { return nil }
            node = next
        }
        return node
    }

    /// The first key on the way to `pointer`, itself included, that its object has more than once.
    func repeatedKey(towards pointer: JSONPointer) -> Int? {
        guard !repeated.isEmpty else { return nil }
        var node = 0
        for token in pointer.tokens {
            let members = members(of: node, named: token)
            if members.count > 1 { return members[1].key }
            guard let next = child(of: node, named: token) else { return nil }
            node = next
        }
        return nil
    }

    private func child(of node: Int, named token: [UInt8]) -> Int? {
        switch nodes[node].kind {
        case .object: return members(of: node, named: token).last?.value
        case .array:
            guard let index = JSONPointer.index(token) else { return nil }
            return elements(of: node).dropFirst(index).first { _ in true }?.value
        case .string, .number, .word, .key: return nil
        }
    }

    /// Calls `body` with every value that holds no other, and with empty objects and arrays, in the text's order: its
    /// pointer and node. Ends where `body` says false.
    package func forEachLeaf(_ body: (JSONPointer, Int) -> Bool) {
        var pointer = JSONPointer()
        _ = leaves(of: 0, &pointer, body)
    }

    /// Goes no deeper than `deepest`.
    private func leaves(of node: Int, _ pointer: inout JSONPointer, _ body: (JSONPointer, Int) -> Bool) -> Bool {
        guard nodes[node].past > node + 1 else { return body(pointer, node) }
        for (index, element) in elements(of: node).enumerated() {
            pointer.tokens.append(element.key.map { text(of: $0) } ?? Array(String(index).utf8))
            defer { pointer.tokens.removeLast() }
            guard leaves(of: element.value, &pointer, body) else { return false }
        }
        return true
    }

    /// The place of a node; of a key, that of its value.
    package func pointer(to node: Int) -> JSONPointer {
        var pointer = JSONPointer()
        var container = 0
        while container != node {
            var index = 0
            var around: Element?
            for element in elements(of: container) {
                if element.key == node || (element.value..<nodes[element.value].past).contains(node) {
                    around = element
                    break
                }
                index += 1
            }
            guard let around else { return pointer }
            pointer.tokens.append(around.key.map { text(of: $0) } ?? Array(String(index).utf8))
            container = around.key == node ? node : around.value
        }
        return pointer
    }

    /// How many values hold no other; empty objects and arrays count.
    package var leafCount: Int {
        nodes.indices.count { nodes[$0].kind != .key && nodes[$0].past == $0 + 1 }
    }
}
