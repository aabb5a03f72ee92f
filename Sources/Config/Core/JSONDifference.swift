/// What differs between two JSON texts, by place.
enum JSONDifference {
    /// Whether two values are the same to a reader that keeps numbers as they are spelled: blanks and the escapes of
    /// strings do not count, the order of members does.
    static func isSame(_ one: Int, of left: JSONDocument, _ other: Int, of right: JSONDocument) -> Bool {
        let first = left.nodes[one]
        let second = right.nodes[other]
        guard first.past - one == second.past - other else { return false }
        for offset in 0..<(first.past - one) {
            let node = left.nodes[one + offset]
            guard node.kind == right.nodes[other + offset].kind,
                node.past - one == right.nodes[other + offset].past - other
            else { return false }
            switch node.kind {
            case .object, .array: continue
            case .string, .key:
                guard left.text(of: one + offset) == right.text(of: other + offset) else { return false }
            case .number, .word:
                guard left.raw(one + offset).elementsEqual(right.raw(other + offset)) else { return false }
            }
        }
        return true
    }

    /// The pointers whose value differs, in the order of `new` and then what is gone, at most `limit`. Inside objects and
    /// arrays that both have, what differs is named; a value of another kind, a new one and one that is gone by itself.
    static func pointers(from old: JSONDocument, to new: JSONDocument, atMost limit: Int) -> [String] {
        var walk = Walk(old: old, new: new, limit: limit)
        walk.compare(0, 0)
        return walk.found
    }

    private struct Walk {
        let old: JSONDocument
        let new: JSONDocument
        let limit: Int
        var pointer = JSONPointer()
        var found: [String] = []

        /// Goes no deeper than `JSONDocument.deepest`.
        mutating func compare(_ before: Int, _ after: Int) {
            guard found.count < limit, !old.raw(before).elementsEqual(new.raw(after)) else { return }
            switch (old.nodes[before].kind, new.nodes[after].kind) {
            case (.object, .object): compareMembers(before, after)
            case (.array, .array): compareElements(before, after)
            default: if !JSONDifference.isSame(before, of: old, after, of: new) { note(pointer) }
            }
        }

        private mutating func note(_ pointer: JSONPointer) {
            if found.count < limit { found.append(pointer.text) }
        }

        private mutating func at(_ token: [UInt8], _ body: (inout Walk) -> Void) {
            pointer.tokens.append(token)
            body(&self)
            pointer.tokens.removeLast()
        }

        private func values(_ document: JSONDocument, of object: Int) -> [[UInt8]: Int] {
            var values: [[UInt8]: Int] = [:]
            for element in document.elements(of: object) {
                if let key = element.key { values[document.text(of: key)] = element.value }
            }
            return values
        }

        private mutating func compareMembers(_ before: Int, _ after: Int) {
            let was = values(old, of: before)
            let isNow = values(new, of: after)
            for element in new.elements(of: after) {
                guard let node = element.key else { continue }
                let key = new.text(of: node)
                // Of a repeated key the last counts.
                guard isNow[key] == element.value else { continue }
                at(key) { walk in
                    if let before = was[key] { walk.compare(before, element.value) } else { walk.note(walk.pointer) }
                }
            }
            for element in old.elements(of: before) {
                guard let node = element.key else { continue }
                let key = old.text(of: node)
                if isNow[key] == nil, was[key] == element.value { at(key) { $0.note($0.pointer) } }
            }
        }

        private mutating func compareElements(_ before: Int, _ after: Int) {
            var was = old.elements(of: before)
            var isNow = new.elements(of: after)
            var index = 0
            while found.count < limit {
                let (one, other) = (was.next(), isNow.next())
                guard one != nil || other != nil else { return }
                at(Array(String(index).utf8)) { walk in
                    if let one, let other { walk.compare(one.value, other.value) } else { walk.note(walk.pointer) }
                }
                index += 1
            }
        }
    }
}
