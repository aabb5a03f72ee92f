import ConfigCore
import Patterns
import Settings

extension Schema {
    /// The schema that settings give; its patterns are known to compile.
    init(_ settings: SchemaSettings) {
        self.init(
            keys: Dictionary(settings.keys.map { ($0.name, Key($0)) }, uniquingKeysWith: { $1 }),
            rules: settings.rules.map { Rule(when: $0.when, equals: $0.equals, demand: Demand($0.demand)) },
            takesOthers: settings.takesOthers)
    }
}

extension Schema.Key {
    fileprivate init(_ settings: SchemaSettings.Key) {
        self.init()
        kind = Schema.Kind(settings.kind)
        minimum = settings.minimum.map { Schema.Measure($0) }
        maximum = settings.maximum.map { Schema.Measure($0) }
        minimumLength = settings.minimumLength
        maximumLength = settings.maximumLength
        if let text = settings.pattern, let compiled = try? Pattern(text) {
            pattern = Schema.PatternTest(text) { compiled.matches($0) }
        }
        values = settings.values
        isRequired = settings.isRequired
        isSecret = settings.isSecret
        about = settings.about
    }
}

extension Schema.Kind {
    fileprivate init(_ settings: SchemaSettings.Kind) {
        self =
            switch settings {
            case .string: .string
            case .integer: .integer
            case .number: .number
            case .boolean: .boolean
            case .url: .url
            case .duration: .duration
            case .bytes: .bytes
            case .path: .path
            case .port: .port
            }
    }
}

extension Schema.Measure {
    fileprivate init(_ settings: SchemaSettings.Bound) {
        self =
            switch settings {
            case .whole(let number): .whole(number)
            case .real(let number): .real(number)
            }
    }
}

extension Schema.Demand {
    fileprivate init(_ settings: SchemaSettings.Demand) {
        self =
            switch settings {
            case .requires(let keys): .requires(keys)
            case .excludes(let keys): .excludes(keys)
            case .less(let keys): .less(keys)
            case .atMost(let keys): .atMost(keys)
            case .oneOf(let keys): .oneOf(keys)
            }
    }
}
