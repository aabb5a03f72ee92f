/// What a file's keys may hold: `schema` of a file. Judged on what each declared reader reads.
package struct SchemaSettings: Hashable, Sendable {
    /// One key's own rules. An empty value counts as not set, but to `minimumLength`.
    package struct Key: Hashable, Sendable {
        package var name: String
        package var kind = Kind.string
        /// Of what `kind` measures.
        package var minimum: Bound?
        package var maximum: Bound?
        /// In bytes.
        package var minimumLength: Int?
        package var maximumLength: Int?
        /// In RE2's syntax, for the whole value; known to compile.
        package var pattern: String?
        /// The values that it may have; any where empty.
        package var values: [String] = []
        package var isRequired = false
        /// Nil: by `config.secrets`, its name and its value.
        package var isSecret: Bool?
        /// For whoever meets a violation.
        package var about: String?

        package init(name: String) {
            self.name = name
        }
    }

    /// What a value is.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case string
        /// Decimal, of 64 bits.
        case integer
        /// Decimal, with a fraction or an exponent.
        case number
        /// true, false, yes, no, on, off, 1, 0, in small or capital letters.
        case boolean
        /// scheme://host…
        case url
        /// 500ms, 30s, 5min, 1h30min, 7d.
        case duration
        /// 65536, 64KiB, 10MB, 1G.
        case bytes
        /// Absolute.
        case path
        /// 1 to 65535.
        case port
    }

    /// An end of a range.
    package enum Bound: Hashable, Sendable {
        /// An integer, a port, a number of bytes, or a duration in microseconds.
        case whole(Int64)
        case real(Double)
    }

    /// One rule over several keys.
    package struct Rule: Hashable, Sendable {
        /// It holds only where this key is set, and has one of `equals` where that is not empty.
        package var when: String?
        package var equals: [String] = []
        package var demand: Demand
    }

    /// What a rule asks for.
    package enum Demand: Hashable, Sendable {
        /// All of them are set.
        case requires([String])
        /// None of them is set.
        case excludes([String])
        /// Each is less than the next, as far as they are set.
        case less([String])
        /// None is more than the next.
        case atMost([String])
        /// Exactly one of them is set.
        case oneOf([String])
    }

    /// In the file's order.
    package var keys: [Key] = []
    package var rules: [Rule] = []
    /// Whether keys may be set that are not named here.
    package var takesOthers = true

    package init() {}
}
