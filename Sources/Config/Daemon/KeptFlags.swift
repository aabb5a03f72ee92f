import ConfigCore
import Settings
import Wire

/// Flags that settings declare: a service's, or those of them that one file renders.
struct KeptFlags: Sendable {
    /// In the settings' order.
    var flags: [Flag] = []
    /// Whether chaos settings may be anything but their defaults.
    var isChaosAllowed = false

    /// Those of a service.
    init(_ service: ServiceSettings) {
        flags = service.config.flags.map(Self.flag)
        isChaosAllowed = service.config.chaosAllowed
    }

    /// Those that the file at `path` renders.
    func of(_ path: String) -> KeptFlags {
        var own = self
        own.flags = flags.filter { $0.file == path }
        return own
    }

    private static func flag(_ flag: FlagSettings) -> Flag {
        let kind: Flag.Kind =
            switch flag.kind {
            case .truth(let on, let off): .truth(on: on, off: off)
            case .integer(let range): .integer(range)
            case .number(let range): .number(range)
            case .string: .string
            case .choice(let values): .choice(values)
            }
        let standard: JSON? =
            switch flag.standard {
            case .truth(let isOn): .bool(isOn)
            case .integer(let number): .integer(number)
            case .number(let number): .number(number)
            case .text(let text): .string(text)
            case nil: nil
            }
        return Flag(
            name: flag.name, kind: kind, standard: standard, summary: flag.summary, file: flag.file, key: flag.key,
            isChaos: flag.isChaos)
    }
}
