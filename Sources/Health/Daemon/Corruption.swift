import ConfigAPI
import Runtime
import Settings
import Wire

/// Asks configd what it keeps of each declared file, whenever that may have changed.
@Loop final class Corruption {
    private let configd: Peer
    private let seen: (_ contents: [ConfigQuarantined], _ file: String, _ service: String) -> Void
    private(set) var files: [String: Set<String>] = [:]

    /// The events after which a file is asked about.
    static let events = [
        ConfigEvents.quarantined, ConfigEvents.restored, ConfigEvents.adopted, ConfigEvents.discarded,
    ]
    private static let deadline: Duration = .seconds(5)
    private static let retryDelay: Duration = .seconds(1)

    init(
        configd: Peer, settings: AllSettings,
        seen: @escaping (_ contents: [ConfigQuarantined], _ file: String, _ service: String) -> Void
    ) {
        self.configd = configd
        self.seen = seen
        files = Self.files(settings)
    }

    /// Other files may be declared.
    func reload(_ settings: AllSettings) {
        files = Self.files(settings)
        ask()
    }

    private static func files(_ settings: AllSettings) -> [String: Set<String>] {
        Dictionary(
            settings.services.map { ($0.name, Set($0.config.files.map(\.path))) }, uniquingKeysWith: { $1 })
    }

    /// Asks about every file: after a gap, nothing that was heard before it holds.
    func ask() {
        for (service, paths) in files { for path in paths { ask(path, of: service) } }
    }

    func told(_ event: Event) {
        guard Self.events.contains(event.name), case .string(let service)? = event.data["service"],
            case .string(let path)? = event.data["file"]
        else { return }
        ask(path, of: service)
    }

    private func ask(_ path: String, of service: String) {
        guard files[service]?.contains(path) == true else { return }
        configd.call(Config.Quarantine.self, ConfigFile(service: service, file: path), deadline: Self.deadline) {
            [weak self] result in
            guard let self else { return }
            switch result {
            case .success(let reply): seen(reply.contents, path, service)
            // A new connection asks by itself, and so does a reload where configd does not know the file yet.
            case .failure(let error):
                guard configd.answers, error.mayPass || ConfigErrors.passing.contains(error.name) else { return }
                Loop.after(Self.retryDelay) { [weak self] in self?.ask(path, of: service) }
            }
        }
    }
}
