import ConfigAPI
import HealthAPI
import HealthCore
import MetricsAPI
import Runtime
import Settings
import Time
import Wire

/// healthd's word on changes on trial: hears configd, asks metricsd what was served, and says to configd what the judge of
/// each service orders. While configd or metricsd is silent nothing is said, and the change goes back by itself.
@Loop final class Judging {
    private let configd: Peer
    private let metricsd: Peer
    private let log: Log
    private let status: (_ service: String) -> ServiceHealth?
    private var judges: [String: CommitJudge] = [:]
    private var scraped: [String: ScrapeSettings] = [:]
    private var tick: LoopRepeat?
    /// What configd could not be told, by service.
    private lazy var unsaid = Unsaid<Word>(alsoPassing: ConfigErrors.passing) { [weak self] in self?.send($0) }

    private struct Word: Hashable {
        var service: String
        var change: Int64
        var reason: String
        var isGood: Bool
    }

    private static let interval: Duration = .seconds(2)
    private static let retryDelay: Duration = .seconds(1)
    /// A take-back writes files, and answers when they are durable.
    private static let wordDeadline: Duration = .seconds(10)
    private static let measureDeadline: Duration = .seconds(2)

    /// `status` is what a service's checks add up to; nil where there is no such service.
    init(
        _ context: DaemonContext, configd: Peer, metricsd: Peer, settings: AllSettings,
        status: @escaping (_ service: String) -> ServiceHealth?
    ) {
        self.configd = configd
        self.metricsd = metricsd
        log = context.log
        self.status = status
        reload(settings)
    }

    func told(_ event: Event) {
        guard ConfigEvents.ofTrials.contains(event.name), let pending = try? ConfigPending(wire: .object(event.data))
        else {
            return
        }
        seen(pending.service, pending)
    }

    /// Where services export their figures.
    func reload(_ settings: AllSettings) {
        scraped = Dictionary(
            settings.services.compactMap { service in service.metrics.map { (service.name, $0) } },
            uniquingKeysWith: { $1 })
    }

    func stop() { tick?.cancel() }

    /// The service's checks add up to another status.
    func statusChanged(_ service: String, _ status: ServiceHealth) {
        judge(service) { $0.statusSeen(status, now: $1) }
    }

    // MARK: configd

    /// What is on trial: asked after a gap.
    func ask() {
        configd.call(Config.Pending.self, .init(), deadline: .seconds(5)) { [weak self] result in
            guard let self else { return }
            guard case .success(let reply) = result else {
                // A new connection asks by itself; a configd that cannot read its rows is asked again.
                if configd.answers { Loop.after(Self.retryDelay) { [weak self] in self?.ask() } }
                return
            }
            let named = Set(reply.pending.map(\.service))
            for service in judges.keys.sorted() where !named.contains(service) { seen(service, nil) }
            for pending in reply.pending { seen(pending.service, pending) }
        }
    }

    private func seen(_ service: String, _ pending: ConfigPending?) {
        if unsaid[service]?.change != pending?.id || pending?.isOnTrial != true { unsaid.forget(service) }
        guard let status = status(service) else { return }
        if judges[service] == nil { judges[service] = CommitJudge(exportsFigures: scraped[service] != nil) }
        judge(service) { $0.changeSeen(pending, status: status, now: $1) }
        if judges[service]?.isIdle ?? true { judges[service] = nil }
        settleTick()
    }

    private func settleTick() {
        if judges.isEmpty {
            tick?.cancel()
            tick = nil
        } else if tick == nil {
            tick = Loop.every(Self.interval) { [weak self] in
                guard let self else { return }
                for service in judges.keys.sorted() { judge(service) { $0.ticked(now: $1) } }
            }
        }
    }

    // MARK: Orders

    private func judge(_ service: String, _ event: (inout CommitJudge, Moment) -> [CommitJudge.Action]) {
        guard var judge = judges[service] else { return }
        let actions = event(&judge, HostClock.now())
        judges[service] = judge
        for action in actions {
            switch action {
            case .measure(let change, let before, let after): measure(service, change, before: before, after: after)
            case .confirm(let change, let reason):
                unsaid.say(Word(service: service, change: change, reason: reason, isGood: true), about: service)
            case .cancel(let change, let reason):
                unsaid.say(Word(service: service, change: change, reason: reason, isGood: false), about: service)
            case .tell(let opinion): log.write(HealthJournal.entry(for: opinion, of: service))
            }
        }
    }

    private func measure(_ service: String, _ change: Int64, before: ClosedRange<Int64>, after: ClosedRange<Int64>) {
        let requests = scraped[service]?.requestsTotal
        query(service, before) { [weak self] then in
            self?.query(service, after) { [weak self] now in
                let sight = Self.sight(then, now, requests)
                self?.judge(service) { $0.measured(change, sight, now: $1) }
            }
        }
    }

    private func query(
        _ service: String, _ range: ClosedRange<Int64>,
        _ done: @escaping @Loop (Result<QueryRange.Reply, RPCError>) -> Void
    ) {
        let params = QueryRange.Params(
            selector: ServedFigures.selector(for: service), fromMs: range.lowerBound, toMs: range.upperBound)
        metricsd.call(QueryRange.self, params, deadline: Self.measureDeadline, done: done)
    }

    private static func sight(
        _ before: Result<QueryRange.Reply, RPCError>, _ after: Result<QueryRange.Reply, RPCError>, _ requests: String?
    ) -> CommitJudge.Sight {
        do {
            return .seen(
                before: ServedFigures.whole(of: try before.get().series, requestsTotal: requests),
                after: ServedFigures.slices(of: try after.get().series, requestsTotal: requests))
        } catch { return .blind("metricsd does not say what was served: \(error)") }
    }

    private func send(_ word: Word) {
        let params = Config.Word(service: word.service, id: word.change, reason: word.reason)
        // One that was said too late is refused for good: configd's own word tells how things stand.
        let answered: @Loop (Result<ConfigPending, RPCError>) -> Void = { [weak self] in
            self?.unsaid.answered(word, about: word.service, $0)
        }
        if word.isGood {
            configd.call(Config.Confirm.self, params, deadline: Self.wordDeadline, done: answered)
        } else {
            configd.call(Config.Cancel.self, params, deadline: Self.wordDeadline, done: answered)
        }
    }
}
