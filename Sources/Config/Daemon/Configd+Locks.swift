import ConfigAPI
import ConfigCore
import Runtime
import Time
import Wire

/// Locks over the socket, on the loop: gives and frees them, and says whether a change is let through.
@Loop final class Locking {
    private let context: DaemonContext
    private let store: Worker<Custody>
    private var book = LockBook()

    init(_ context: DaemonContext, store: Worker<Custody>) {
        self.context = context
        self.store = store
        context.server.onClosed { [weak self] caller in self?.disconnected(caller) }
    }

    /// As `status` shows them.
    var shown: [ConfigLock] { book.held.map(shown) }

    /// Why a change may not be made now; nil where it may. What configd takes back by itself no lock keeps off.
    func refusal(of request: Custody.Request) -> RPCError? {
        guard !request.isOwn, !request.terms.isTakeBack, let service = request.files.first?.service else { return nil }
        do throws(LockBook.Refusal) {
            try book.changeAsked(of: service, showing: request.terms.lock, now: HostClock.now().instant)
        } catch { return self.error(error) }
        return nil
    }

    // MARK: Methods

    /// Answers `lock`: a new one when every change that was let through before has ended and other programs are kept out.
    func lock(
        _ params: Config.Lock.Params, _ caller: Caller, _ responder: Responder<Config.Lock.Reply>
    ) throws(RPCError) {
        let now = HostClock.now().instant
        let time = Duration.milliseconds(params.ttlMs)
        if let token = params.token {
            perform(
                try asked { () throws(LockBook.Refusal) in
                    try book.renewalAsked(token, of: params.service, for: time, now: now)
                })
            return responder.succeed(reply(token, ttlMs: params.ttlMs))
        }
        let holder = LockBook.Holder(connection: caller.connection.number, pid: caller.pid, uid: caller.uid)
        let token = Self.token()
        perform(
            try asked { () throws(LockBook.Refusal) in
                try book.lockAsked(
                    params.service, by: holder, for: time, reason: params.reason, token: token, now: now)
            })
        let service = params.service
        store.submit(
            deadline: ChangeQueue.deadline,
            { custody in
                do throws(RPCError) { try custody.lock(service, for: token) } catch { return RPCError?.some(error) }
                return nil
            },
            then: { [weak self] (result: Result<RPCError?, any Error>) in
                self?.locked(token, result, params.ttlMs, responder)
            })
    }

    private func locked(
        _ token: String, _ result: Result<RPCError?, any Error>, _ ttlMs: Int64,
        _ responder: Responder<Config.Lock.Reply>
    ) {
        let failure: RPCError?
        switch result {
        case .success(let refused): failure = refused
        case .failure(let error): failure = Configd.error(error)
        }
        if let failure {
            perform(book.unlockAsked(token) ?? [], isSilent: true)
            return responder.fail(failure)
        }
        guard let lock = book.lock(token) else { return responder.fail(.limitExceeded("the lock's time has passed")) }
        context.publish(ConfigEvents.locked, shown(lock))
        responder.succeed(reply(token, ttlMs: ttlMs))
    }

    func unlock(_ token: String) throws(RPCError) {
        guard let actions = book.unlockAsked(token) else { throw ConfigErrors.lockLost(service: nil) }
        perform(actions)
    }

    private func disconnected(_ caller: Caller) { perform(book.disconnected(caller.connection.number)) }

    private func asked(
        _ body: () throws(LockBook.Refusal) -> [LockBook.Action]
    ) throws(RPCError) -> [LockBook.Action] {
        do throws(LockBook.Refusal) { return try body() } catch { throw self.error(error) }
    }

    private func perform(_ actions: [LockBook.Action], isSilent: Bool = false) {
        for action in actions {
            switch action {
            case .setTimer(let id, let time):
                Loop.after(time - HostClock.now().instant) { [weak self] in
                    guard let self else { return }
                    perform(book.timerFired(id, now: HostClock.now().instant))
                }
            case .free(let lock, let end):
                store.submit { $0.locks.release(lock.service, for: lock.token) }
                guard !isSilent else { continue }
                context.publish(ConfigEvents.unlocked, shown(lock))
                if end == .expired { context.log.write(ConfigJournal.lockExpired(lock)) }
            }
        }
    }

    // MARK: Words

    private func shown(_ lock: LockBook.Lock) -> ConfigLock {
        ConfigLock(
            service: lock.service, holderUID: Int64(lock.holder.uid), holderPID: Int64(lock.holder.pid),
            reason: lock.reason, sinceMs: wallMs(of: lock.takenAt), expiresAtMs: wallMs(of: lock.endsAt))
    }

    private func reply(_ token: String, ttlMs: Int64) -> Config.Lock.Reply {
        Config.Lock.Reply(
            token: token,
            expiresAtMs: book.lock(token).map { wallMs(of: $0.endsAt) } ?? HostClock.now().wall.milliseconds)
    }

    private func wallMs(of instant: Instant) -> Int64 {
        let now = HostClock.now()
        return now.wall.milliseconds + (instant - now.instant).milliseconds
    }

    private func error(_ refusal: LockBook.Refusal) -> RPCError {
        switch refusal {
        case .held(let lock): ConfigErrors.locked(shown(lock))
        case .lost(let service): ConfigErrors.lockLost(service: service)
        }
    }

    /// 128 bits that nobody guesses.
    private static func token() -> String {
        var random = SystemRandomNumberGenerator()
        let parts: [UInt64] = [random.next(), random.next()]
        return parts.map { part in
            let digits = String(part, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

extension Configd {
    /// `lock`, with the seed's name, and `unlock`.
    func registerLocks() {
        context.server.onLater(Config.Lock.self, alsoNamed: [Config.withConfigLockName]) {
            [unowned self] params, caller, responder throws(RPCError) in
            _ = try self.files(of: params.service)
            try locking.lock(params, caller, responder)
        }
        context.server.on(Config.Unlock.self) { [unowned self] params, _ throws(RPCError) in
            try locking.unlock(params.token)
            return NoFields()
        }
    }
}
