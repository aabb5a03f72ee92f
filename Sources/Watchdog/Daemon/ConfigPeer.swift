import ConfigAPI
import Runtime
import Time
import WatchdogCore
import Wire

/// configd as watchdogd sees it: what each service has on trial, or has to be brought back from, and where the word goes that
/// it was. configd keeps it on disk, so nothing of it is kept here: after each silence everything is asked for anew.
@Loop final class ConfigPeer {
    private let peer: Peer
    private var services: @Loop () -> [String] = { [] }
    private var seen: @Loop (_ service: String, ServiceChange?) -> Void = { _, _ in }

    /// A take-back writes files, and answers when they are durable.
    private static let deadline: Duration = .seconds(10)
    /// How long a configd that cannot read its rows is left alone.
    private static let retryDelay: Duration = .seconds(1)

    /// What configd could not be told, by service.
    private lazy var unsaid = Unsaid<Word>(alsoPassing: ConfigErrors.passing) { [weak self] in self?.send($0) }

    private struct Word: Hashable {
        var service: String
        var change: Int64
        var says: Says
    }

    private enum Says: Hashable {
        case activated(invocation: String)
        case cancel(why: String)
    }

    init(_ peer: Peer) {
        self.peer = peer
    }

    func start(
        services: @escaping @Loop () -> [String], seen: @escaping @Loop (_ service: String, ServiceChange?) -> Void
    ) {
        self.services = services
        self.seen = seen
        peer.onGap = { [weak self] _ in self?.ask() }
        peer.onEvent = { [weak self] event in
            guard let pending = try? ConfigPending(wire: .object(event.data)) else { return }
            self?.told(pending.service, pending)
        }
        peer.follow(ConfigEvents.ofTrials)
        peer.start()
    }

    /// Asks for everything that is on trial. What configd does not name has nothing.
    func ask() {
        peer.call(Config.Pending.self, .init(), deadline: Self.deadline) { [weak self] result in
            guard let self else { return }
            guard case .success(let reply) = result else {
                // A new connection asks by itself; a configd that cannot read its rows is asked again.
                if peer.answers { Loop.after(Self.retryDelay) { [weak self] in self?.ask() } }
                return
            }
            for service in services() { told(service, reply.pending.first { $0.service == service }) }
        }
    }

    private func told(_ service: String, _ pending: ConfigPending?) {
        // What it names anew is answered anew; what it does not name is over.
        if unsaid[service]?.change != pending?.id { unsaid.forget(service) }
        seen(service, pending.flatMap(ServiceChange.init))
    }

    /// The service runs what its files hold.
    func activated(_ service: String, _ change: Int64, invocation: String) {
        unsaid.say(Word(service: service, change: change, says: .activated(invocation: invocation)), about: service)
    }

    /// The service is not well with the change.
    func cancel(_ service: String, _ change: Int64, why: String) {
        unsaid.say(Word(service: service, change: change, says: .cancel(why: why)), about: service)
    }

    private func send(_ word: Word) {
        // One that was said too late, or of another change, is refused for good: configd's own word tells how things stand.
        let answered: @Loop (Result<ConfigPending, RPCError>) -> Void = { [weak self] in
            self?.unsaid.answered(word, about: word.service, $0)
        }
        switch word.says {
        case .activated(let invocation):
            let params = Config.Activated.Params(service: word.service, id: word.change, invocation: invocation)
            peer.call(Config.Activated.self, params, deadline: Self.deadline, done: answered)
        case .cancel(let why):
            let params = Config.Word(service: word.service, id: word.change, reason: why)
            peer.call(Config.Cancel.self, params, deadline: Self.deadline, done: answered)
        }
    }
}
