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
    /// What healthd could not be told, by service: the last word alone, since it says how things stand now.
    private var unsaid: [String: Raise.Params] = [:]
    private var isRetryPlanned = false
    /// How long after a failure what is unsaid is said again.
    private static let retryDelay: Duration = .seconds(1)

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
        say(params)
    }

    /// The trouble is over.
    func resolve(_ service: String, incident: String) {
        let params = Raise.Params(
            service: service, kind: Self.alertKind, severity: .warning, summary: "recovered", incident: incident,
            resolved: true)
        say(params)
    }

    /// Tells healthd, and again until it was heard: a page must not be lost to a restart of healthd, nor stand for ever because
    /// healthd missed its end.
    private func say(_ word: Raise.Params) {
        unsaid[word.service] = word
        peer.call(Raise.self, word, deadline: Self.deadline) { [weak self] in self?.answered($0, to: word) }
    }

    private func answered(_ result: Result<Raise.Reply, RPCError>, to word: Raise.Params) {
        switch result {
        case .success(let reply):
            if unsaid[word.service] == word { unsaid[word.service] = nil }
            if !word.resolved, let incident = reply.incident { alias(word.service, incident) }
        case .failure(let error) where Self.mayPass.contains(error.name): sayLater()
        case .failure:
            // healthd has heard it and does not take it: saying it again would change nothing.
            if unsaid[word.service] == word { unsaid[word.service] = nil }
        }
    }

    /// Refusals that another try may not meet: healthd is away, at its start, or short of time or room.
    private static let mayPass: Set<String> = ["peerSilent", "internalError", "deadlineExceeded", "limitExceeded"]

    private func sayLater() {
        guard !isRetryPlanned else { return }
        isRetryPlanned = true
        Loop.after(Self.retryDelay) { [weak self] in
            guard let self else { return }
            isRetryPlanned = false
            for word in unsaid.values.sorted(by: { $0.service < $1.service }) { say(word) }
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
