import ConfigCore
import Settings

/// One file that settings declare, as the store thread needs it.
struct KeptFile: Sendable {
    var id: Keeper.FileID
    var editor: EnvEditor
    /// The names of the declared readers.
    var readers: [String]
    /// A change that loses more than so many per cent of keys or bytes is refused.
    var maximumShrinkPercent: Double
    /// Versions kept beside the newest.
    var versionsKept: Int64

    /// All files of all services, in the settings' order.
    static func all(_ settings: AllSettings) -> [KeptFile] {
        settings.services.flatMap { service in
            service.config.files.map { file in
                let readers = file.readers.map(\.rawValue)
                return KeptFile(
                    id: Keeper.FileID(service: service.name, path: file.path),
                    editor: EnvEditor(
                        readers: readers.compactMap(Dialect.named), secrets: Secrets(named: service.config.secrets)),
                    readers: readers,
                    maximumShrinkPercent: service.config.maximumShrink,
                    versionsKept: Int64(max(1, settings.mainstay.configd.versionsKept)))
            }
        }
    }
}
