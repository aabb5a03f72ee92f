import Runtime
import Time
import Wire

/// One command's connection to one daemon. A daemon that gives no sign of life costs one second, whatever was asked and
/// however long the answer may take: while an answer is waited for, a cheap question beside it tells *slow* from *silent*.
@Loop final class Conversation {
    /// How long a daemon may give no sign of life.
    nonisolated static let patience: Duration = .seconds(1)

    private let daemon: DaemonName
    private let peer: Peer
    private var isConnected = false

    init(with daemon: DaemonName, _ common: AskOptions) {
        self.daemon = daemon
        peer = Peer(daemon: daemon.rawValue, path: "\(common.sockets)/\(daemon.rawValue).sock")
    }

    /// Calls `method` and waits for its answer, `longest` at most.
    func ask<Method: RPCMethod>(
        _ method: Method.Type, _ params: Method.Params, longest: Duration = Conversation.patience
    ) async throws(RPCError) -> Method.Reply {
        let json = try await ask(named: Method.name, params, longest: longest)
        do { return try Method.Reply(wire: json) } catch {
            throw .internalError("\(daemon.rawValue) answered what is no reply to \(Method.name): \(error)")
        }
    }

    /// One question to one daemon, its failure a value: for commands that show what the others say all the same.
    static func answer<Method: RPCMethod>(
        of daemon: DaemonName, _ common: AskOptions, to method: Method.Type, _ params: Method.Params
    ) async -> Result<Method.Reply, RPCError> {
        do throws(RPCError) {
            return .success(try await Conversation(with: daemon, common).ask(Method.self, params))
        } catch {
            return .failure(error)
        }
    }

    /// Calls a method by its name, with parameters and reply as they travel.
    func ask(
        named name: String, _ params: some WireObject, longest: Duration
    ) async throws(RPCError) -> JSON {
        if !isConnected {
            let failure: RPCError? = await withCheckedContinuation { continuation in
                peer.connectOnce { continuation.resume(returning: $0) }
            }
            if let failure { throw failure }
            isConnected = true
        }
        let begun = HostClock.now().instant
        var isAlive = false
        let answer: Result<JSON, RPCError> = await withCheckedContinuation { continuation in
            let first = FirstAnswer(continuation)
            peer.call(name: name, params, deadline: longest) { first.take($0) }
            guard longest > Conversation.patience else { return }
            peer.call(Common.Metrics.self, .init(generation: -1), deadline: Conversation.patience) { sign in
                // Any answer is a sign of life, a refusal too; only silence settles the call.
                if case .failure(let error) = sign, error.isSilence {
                    first.take(.failure(error))
                } else {
                    isAlive = true
                }
            }
        }
        switch answer {
        case .success(let json): return json
        case .failure(let error) where error.isSilence && isAlive && HostClock.now().instant - begun >= longest:
            throw .deadlineExceeded(method: name, deadlineMs: longest.milliseconds)
        case .failure(let error): throw error
        }
    }

    /// Passes on the first answer of several that may come.
    @Loop private final class FirstAnswer {
        private var continuation: CheckedContinuation<Result<JSON, RPCError>, Never>?

        init(_ continuation: CheckedContinuation<Result<JSON, RPCError>, Never>) { self.continuation = continuation }

        func take(_ answer: Result<JSON, RPCError>) {
            continuation?.resume(returning: answer)
            continuation = nil
        }
    }
}
