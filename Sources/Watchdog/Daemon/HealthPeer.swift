import HealthAPI
import Runtime
import Time
import WatchdogAPI
import Wire

/// healthd as watchdogd sees it: what each service depends on and is down now, and where pages go. Nothing waits for
/// it; while it is silent its last words are not believed.
@Loop final class HealthPeer {
    private let peer: Peer
    private var dependencies: @Loop (_ service: String, _ down: [String]) -> Void = { _, _ in }
    private var alias: @Loop (_ service: String, _ alias: String) -> Void = { _, _ in }

    /// How long the gate may take: an answer that comes later is of no use to a recovery.
    private static let deadline: Duration = .seconds(1)
    /// What healthd could not be told, by service: a page must not be lost to a restart of healthd, nor stand for ever because
    /// healthd missed its end.
    private lazy var unsaid = Unsaid<Raise.Params> { [weak self] in self?.send($0) }

    /// The kind under which watchdogd's pages stand among healthd's alerts.
    private static let alertKind = "recovery"

    init(_ peer: Peer) {
        self.peer = peer
    }

    func start(
        services: @escaping @Loop () -> [String],
        dependencies: @escaping @Loop (_ service: String, _ down: [String]) -> Void,
        silent: @escaping @Loop () -> Void,
        alias: @escaping @Loop (_ service: String, _ alias: String) -> Void
    ) {
        self.dependencies = dependencies
        self.alias = alias
        peer.onChange = { answers in if !answers { silent() } }
        // Events were lost, or this is a new connection: everything is asked for anew.
        peer.onGap = { [weak self] _ in services().forEach { self?.askGate($0) } }
        peer.onEvent = { [weak self] in self?.heard($0) }
        peer.follow([HealthEvents.checkChanged, HealthEvents.statusChanged])
        peer.start()
    }

    /// Asks what stands in the way of a restart.
    func askGate(_ service: String) {
        peer.call(Gate.self, .init(service: service), deadline: Self.deadline) { [weak self] result in
            // No answer: silence is told by the peer's own change, once for all services.
            guard let self, case .success(let gate) = result else { return }
            dependencies(service, gate.allowed ? [] : [gate.dependency ?? gate.reason])
        }
    }

    /// A page: healthd's alerts carry it further.
    func raise(_ call: OperatorCalled) {
        let params = Raise.Params(
            service: call.service, kind: Self.alertKind, severity: call.severity == .critical ? .operator : .warning,
            summary: call.issue, incident: call.incident)
        unsaid.say(params, about: call.service)
    }

    /// The trouble is over.
    func resolve(_ service: String, incident: String) {
        let params = Raise.Params(
            service: service, kind: Self.alertKind, severity: .warning, summary: "recovered", incident: incident,
            resolved: true)
        unsaid.say(params, about: service)
    }

    private func send(_ word: Raise.Params) {
        peer.call(Raise.self, word, deadline: Self.deadline) { [weak self] result in
            guard let self else { return }
            unsaid.answered(word, about: word.service, result)
            if !word.resolved, case .success(let reply) = result, let incident = reply.incident {
                alias(word.service, incident)
            }
        }
    }

    private func heard(_ event: Event) {
        switch event.name {
        case HealthEvents.checkChanged:
            if let changed = try? CheckChanged(wire: .object(event.data)), changed.dependency != nil {
                askGate(changed.service)
            }
        case HealthEvents.statusChanged:
            guard let changed = try? StatusChanged(wire: .object(event.data)) else { return }
            askGate(changed.service)
            if let incident = changed.incident { alias(changed.service, incident) }
        default: break  // Not followed.
        }
    }
}
