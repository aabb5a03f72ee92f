import Runtime
import Time
import Wire

/// One command's connection to one daemon. A daemon that gives no sign of life for a second is given up, whatever was asked
/// and however long the answer may take: while an answer is waited for, a cheap question beside it, asked each second, tells
/// *slow* from *silent*. Its loop answers it while its threads are at work.
@Loop final class Conversation {
    /// How long a daemon may give no sign of life.
    nonisolated static let patience: Duration = .seconds(1)

    private let daemon: DaemonName
    private let peer: Peer
    private var isConnected = false
    /// Whether the call under way had a sign of life.
    private var hasShownLife = false
    /// The generation of the daemon's table of figures, so that a sign of life does not carry the table each time.
    private var tableGeneration: Int64 = 0

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
        hasShownLife = false
        let answer: Result<JSON, RPCError> = await withCheckedContinuation { continuation in
            let first = FirstAnswer(continuation)
            peer.call(name: name, params, deadline: longest) { first.take($0) }
            if longest > Conversation.patience { askForLife(before: first) }
        }
        switch answer {
        case .success(let json): return json
        case .failure(let error) where error.isSilence && hasShownLife && HostClock.now().instant - begun >= longest:
            throw .deadlineExceeded(method: name, deadlineMs: longest.milliseconds)
        case .failure(let error): throw error
        }
    }

    /// Asks for a sign of life, and again a second after each, until there is an answer; silence is one.
    private func askForLife(before first: FirstAnswer) {
        peer.call(Common.Metrics.self, .init(generation: tableGeneration), deadline: Conversation.patience) { sign in
            switch sign {
            case .failure(let error) where error.isSilence: return first.take(.failure(error))
            // Any answer is a sign of life, a refusal too.
            case .failure: break
            case .success(let figures): self.tableGeneration = figures.generation
            }
            self.hasShownLife = true
            Loop.after(Conversation.patience) {
                if first.isAwaited { self.askForLife(before: first) }
            }
        }
    }

    /// Passes on the first answer of several that may come.
    @Loop private final class FirstAnswer {
        private var continuation: CheckedContinuation<Result<JSON, RPCError>, Never>?

        init(_ continuation: CheckedContinuation<Result<JSON, RPCError>, Never>) { self.continuation = continuation }

        var isAwaited: Bool { continuation != nil }

        func take(_ answer: Result<JSON, RPCError>) {
            continuation?.resume(returning: answer)
            continuation = nil
        }
    }
}
