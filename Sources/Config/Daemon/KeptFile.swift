import ConfigAPI
import ConfigCore
import Settings

/// One file that settings declare, as the store thread needs it.
struct KeptFile: Sendable {
    var id: Keeper.FileID
    var format: FileFormat
    /// The flags that it renders.
    var flags: KeptFlags
    /// The names of the declared readers; of files with lines alone.
    var readers: [String]
    /// A change that loses more than so many per cent of keys or bytes is refused.
    var maximumShrinkPercent: Double
    /// What its keys may hold. Nil: anything.
    var schema: Schema?
    /// How long its validator may take. Nil: it has none.
    var validatorLimit: Duration?
    /// What becomes of changes past configd.
    var onOutsideChange: OutsideChange.Policy
    /// Versions kept beside the newest.
    var versionsKept: Int64
    /// What a change on trial needs so that the service takes it up.
    var activation: ConfigActivation
    /// How long that may take.
    var activationLimit: Duration

    /// A watchdogd that has to be started first, a turn among other restarts, and a slow disk.
    private static let activationReserve: Duration = .seconds(30)

    /// All files of all services, in the settings' order.
    static func all(_ settings: AllSettings) -> [KeptFile] {
        settings.services.flatMap { service in
            let flags = KeptFlags(service)
            return service.config.files.map { file in
                let schema = file.schema.map { Schema($0) }
                let secrets = Secrets(named: service.config.secrets, marked: schema?.secretMarks ?? [:])
                let readers = file.format == .env ? file.readers.map(\.rawValue) : []
                return KeptFile(
                    id: Keeper.FileID(service: service.name, path: file.path),
                    format: format(of: file, readers, secrets), flags: flags.of(file.path), readers: readers,
                    maximumShrinkPercent: service.config.maximumShrink, schema: schema,
                    validatorLimit: (file.validator ?? service.config.validator)?.timeout,
                    onOutsideChange: file.onOutsideChange == .restore ? .restore : .adopt,
                    versionsKept: Int64(max(1, settings.mainstay.configd.versionsKept)),
                    activation: ConfigActivation(file.activation ?? service.config.activation),
                    activationLimit: activationLimit(service.recovery))
            }
        }
    }

    private static func format(
        of file: ConfigFileSettings, _ readers: [String], _ secrets: Secrets
    ) -> FileFormat {
        switch file.format {
        case .env: .env(EnvEditor(readers: readers.compactMap(Dialect.named), secrets: secrets))
        case .json: .json(secrets)
        case .whole: .whole
        }
    }

    /// What watchdogd's own way may take by the service's settings: drain, stop, start and its first good answers.
    private static func activationLimit(_ recovery: RecoverySettings) -> Duration {
        recovery.drainTimeout + recovery.stopTimeout + recovery.startTimeout + activationReserve
    }
}

extension ConfigActivation {
    /// The settings' words as the socket's.
    init(_ settings: ActivationSettings) {
        self =
            switch settings {
            case .nothing: .nothing
            case .signalHUP: .SIGHUP
            case .signalUSR1: .SIGUSR1
            case .signalUSR2: .SIGUSR2
            case .reload: .reload
            case .restart: .restart
            }
    }
}
