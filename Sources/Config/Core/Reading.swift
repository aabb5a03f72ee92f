/// What one reader makes of a file.
package struct Reading: Hashable, Sendable {
    /// Every assignment that takes effect, in the file's order. Of several with one key the last counts, in all dialects.
    package var bindings: [Binding] = []
    /// Why the reader refuses the file, if it does. What stands before is in `bindings` all the same.
    package var failure: Failure?
    /// Where quotes stand in the file that open a value and never close.
    package var openQuotes: [Int] = []

    /// One assignment.
    package struct Binding: Hashable, Sendable {
        /// The key, its bytes read as UTF-8 (what is not UTF-8 shows as U+FFFD).
        package var key: String
        package var value: Value
        /// From the statement's first byte to the end of its last line, without the line end; offsets in the file.
        package var statement: Range<Int>
        /// The value as it stands in the file, quotes included.
        package var raw: Range<Int>
    }

    /// What a reader takes for a key's value.
    package enum Value: Hashable, Sendable {
        /// These bytes.
        case text([UInt8])
        /// Not what stands in the file (given here), but something that depends on the reader's environment.
        case depends([UInt8])
    }

    /// Where and why a reader gives up on the file.
    package struct Failure: Hashable, Sendable {
        /// Where in the file.
        package var offset: Int
        /// In words that follow "the reader …".
        package var reason: String
    }

    /// The value of every key.
    package var effective: [String: Value] {
        Dictionary(bindings.map { ($0.key, $0.value) }, uniquingKeysWith: { _, last in last })
    }

    /// More keys than these are no edit's, and are told faster by a look-up each.
    private static let fewKeys = 8

    /// Whether both have as many assignments, of the same keys in the same order.
    func hasKeys(of other: Reading) -> Bool {
        // By their bytes: to Swift two spellings of one text are equal.
        bindings.count == other.bindings.count
            && zip(bindings, other.bindings).allSatisfy { $0.key.utf8.elementsEqual($1.key.utf8) }
    }

    /// The keys whose assignments differ, each once and in the file's order, where the keys are the same and few of these
    /// differ; nil where more has changed than that, which this is not for.
    func changedKeys(to other: Reading) -> [String]? {
        guard hasKeys(of: other) else { return nil }
        var changed: [String] = []
        for (was, becomes) in zip(bindings, other.bindings) where was.value != becomes.value {
            guard !changed.contains(was.key) else { continue }
            guard changed.count < Self.fewKeys else { return nil }
            changed.append(was.key)
        }
        return changed
    }

    /// The assignment of `key` that counts.
    package func binding(of key: String) -> Binding? {
        bindings.last { $0.key == key }
    }
}
