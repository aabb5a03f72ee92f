import ConfigAPI
import ConfigCore
import Runtime
import Wire

/// Changes whose files have validators, between their plan and their write. The store thread makes the content and is free
/// again; the validator runs, on behalf of the thread `validate`; the change then goes to the write pinned to the version
/// that it was planned on, so that what is written is what was looked at.
@Loop final class Validating {
    private let store: Worker<Custody>
    private let context: DaemonContext
    /// A thread costs memory: only where there is a validator to wait for.
    private lazy var worker: Worker<Void> = context.worker(name: "validate", limit: 64) {}
    private let client: ValidatorClient
    /// Beyond its own limit: to be started, and to be heard.
    private static let reserve: Duration = .seconds(10)

    init(_ context: DaemonContext, store: Worker<Custody>) {
        self.store = store
        self.context = context
        client = ValidatorClient(path: "\(context.places.sockets)/validate.socket")
    }

    /// Answers the same request, pinned, or why it is refused.
    func validate(
        _ request: Custody.Request, then: @escaping @Loop @Sendable (Result<Custody.Request, RPCError>) -> Void
    ) {
        store.submit(
            deadline: ChangeQueue.deadline,
            { custody in
                do throws(RPCError) {
                    return Result<[Custody.Candidate], RPCError>.success(try custody.candidates(of: request))
                } catch { return .failure(error) }
            },
            then: { [weak self] result in
                switch result {
                case .success(.success(let candidates)): self?.run(request, candidates, then)
                case .success(.failure(let error)): then(.failure(error))
                case .failure(let error): then(.failure(Configd.error(error)))
                }
            })
    }

    private func run(
        _ request: Custody.Request, _ candidates: [Custody.Candidate],
        _ then: @escaping @Loop @Sendable (Result<Custody.Request, RPCError>) -> Void
    ) {
        var pinned = request
        for place in pinned.parts.indices { pinned.parts[place].ifVersion = candidates[place].base }
        let checked = candidates.filter { $0.content != nil }
        guard !checked.isEmpty else { return then(.success(pinned)) }
        let reserve = Self.reserve
        let limit = checked.reduce(reserve) { $0 + ($1.kept.validatorLimit ?? .zero) + reserve }
        worker.submit(
            deadline: limit,
            { [client, pinned] _ in
                for candidate in checked {
                    if let refusal = client.refusal(of: candidate, limit: reserve) {
                        return Result<Custody.Request, RPCError>.failure(refusal)
                    }
                }
                return .success(pinned)
            },
            then: { result in
                switch result {
                case .success(let answer): then(answer)
                case .failure(let error):
                    let path = checked.first?.kept.id.path ?? ""
                    if case WorkerError.full = error {
                        then(.failure(.limitExceeded("too many changes wait for validators already")))
                    } else {
                        then(.failure(ConfigErrors.validatorUnavailable(path, why: "no answer in \(limit)")))
                    }
                }
            })
    }
}

extension Custody {
    /// What a change would make of one file.
    struct Candidate: Sendable {
        var kept: KeptFile
        /// The version in force that it rests on.
        var base: Int64
        var before: [UInt8]
        /// For the file's validator; nil where it has none or nothing would change.
        var content: [UInt8]?
    }
}

extension Custody.Request {
    /// Whether a validator has to be asked. Not for a rollback that is forced: at three in the morning the version that
    /// worked is wanted back, whatever a validator of today thinks of it.
    var needsValidator: Bool {
        parts.contains { part in
            if case .rollback = part.work, terms.force { return false }
            // What leased keys were before has stood in the file: a validator that fails must not keep a lease for good.
            if case .takeBack = part.work { return false }
            return part.kept.validatorLimit != nil
        }
    }
}
