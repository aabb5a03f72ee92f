import ArgumentParser
import ConfigAPI
// `environ` is a variable of C's, which nobody changes once the command runs.
@preconcurrency import Glibc
import Runtime
import Synchronization
import Time
import Wire

extension ConfigCommand {
    /// The name of the variable that holds the token of the lock that a command runs under.
    static let lockVariable = "MAINSTAY_CONFIG_LOCK"

    /// The lock that this command runs under, for changes to be let through.
    static var heldLock: String? {
        getenv(lockVariable).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// `config lock SERVICE -- COMMAND…`
    struct Lock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run a command while nobody else changes the service's files.",
            discussion: """
                The command's `mainstay config set`, and whatever passes its $MAINSTAY_CONFIG_LOCK as `lock`, are let \
                through. Ends with the command's status, or 128 and the signal that ended it; 2 where somebody else \
                holds the lock, 127 where the command cannot be run. If the lock is lost, the command gets SIGTERM. \
                What configd takes back by itself, the end of a lease or of a trial, is not kept off.
                """)

        @OptionGroup var service: ServiceArgument
        @Option(
            help: ArgumentHelp(
                "How long the lock outlasts a hang of this command; it is made longer while it runs.",
                valueName: "duration"))
        var ttl = LengthArgument(milliseconds: 60_000)
        @Option(help: ArgumentHelp("Wait for another holder so long.", valueName: "duration"))
        var wait: LengthArgument?
        @Option(help: "Shown to whoever is refused meanwhile.")
        var reason = ""
        @OptionGroup var common: AskOptions
        @Argument(parsing: .postTerminator, help: "The command and its arguments, after --.")
        var command: [String]

        func validate() throws {
            guard !command.isEmpty else { throw ValidationError("name a command, after --") }
            guard Config.lockLengths.contains(ttl.milliseconds) else {
                throw ValidationError("--ttl takes 1s to 1h")
            }
        }

        func run() async throws {
            let lock = await HeldLock(service.service, ttlMs: ttl.milliseconds, reason: reason, common)
            do throws(RPCError) { try await lock.take(waiting: .milliseconds(wait?.milliseconds ?? 0)) } catch {
                StandardError.tell(error)
                throw ExitCode(Outcome(error).rawValue)
            }
            let status = await lock.run(command)
            await lock.release()
            throw ExitCode(status)
        }
    }
}

/// A lock of a service's files, held by a connection of this process while a command runs.
@Loop private final class HeldLock {
    private let service: String
    private let ttlMs: Int64
    private let reason: String
    private let sockets: String
    private let peer: Peer
    private var token = ""
    private var heldUntil = HostClock.now().instant
    private var child = Child()
    private var renewal: LoopRepeat?
    private var isLost = false

    /// Between two tries while somebody else holds the lock.
    private nonisolated static let retryInterval: Duration = .milliseconds(200)
    /// What an answer may take that waits for the disk and for another program.
    private nonisolated static let longestAnswer: Duration = .seconds(15)
    /// A command may run for as long as it likes; ten years are as long.
    private nonisolated static let longestRun: Duration = .seconds(315_360_000)

    init(_ service: String, ttlMs: Int64, reason: String, _ common: AskOptions) {
        self.service = service
        self.ttlMs = ttlMs
        self.reason = reason
        sockets = common.sockets
        peer = Peer(daemon: DaemonName.configd.rawValue, path: "\(common.sockets)/configd.sock")
    }

    /// Takes the lock; where somebody holds it, tries again for `limit`.
    func take(waiting limit: Duration) async throws(RPCError) {
        let failure: RPCError? = await withCheckedContinuation { continuation in
            peer.connectOnce { continuation.resume(returning: $0) }
        }
        if let failure { throw failure }
        let end = HostClock.now().instant + limit
        while true {
            let result = await ask(token: nil, deadline: Self.longestAnswer)
            switch result {
            case .success(let reply):
                token = reply.token
                heldUntil = HostClock.now().instant + .milliseconds(ttlMs)
                return
            case .failure(let error):
                let isHeld = ["locked", "lockedByOther"].contains(error.name)
                guard isHeld, HostClock.now().instant < end else { throw error }
            }
            await withCheckedContinuation { continuation in
                Loop.after(Self.retryInterval) { continuation.resume() }
            }
        }
    }

    /// Runs the command and makes the lock longer meanwhile; its exit status, or 128 and the number of the signal that ended it.
    func run(_ command: [String]) async -> Int32 {
        let environment = [ConfigCommand.lockVariable: token, "MAINSTAY_SOCKETS": sockets]
        guard child.start(command, adding: environment) else {
            StandardError.write("mainstay: \(command[0]): \(String(cString: strerror(errno)))\n")
            return 127
        }
        peer.onChange = { [weak self] answers in if !answers { self?.renew() } }
        renewal = Loop.every(.milliseconds(max(1, ttlMs / 3))) { [weak self] in self?.renew() }
        let waiter = Worker<Child>(name: "child", make: { [child = self.child] in child })
        let status: Int32 = await withCheckedContinuation { continuation in
            waiter.submit(deadline: Self.longestRun, { $0.waited() }) { result in
                continuation.resume(returning: (try? result.get()) ?? 127)
            }
        }
        renewal?.cancel()
        return status
    }

    /// Gives the lock back, so that the next who asks need not wait for the end of the connection to be seen.
    func release() async {
        peer.onChange = { _ in }
        await withCheckedContinuation { continuation in
            peer.call(Config.Unlock.self, .init(token: token), deadline: .seconds(1)) { _ in continuation.resume() }
        }
        peer.stop()
    }

    private func renew() {
        guard !isLost else { return }
        guard peer.isConnected else { return lose("configd closed the connection") }
        let asked = HostClock.now().instant
        let params = Config.Lock.Params(service: service, ttlMs: ttlMs, reason: reason, token: token)
        peer.call(Config.Lock.self, params, deadline: .milliseconds(max(500, ttlMs / 3))) { [weak self] result in
            guard let self else { return }
            switch result {
            case .success: heldUntil = asked + .milliseconds(ttlMs)
            case .failure(let error) where error.isSilence && peer.isConnected:
                if HostClock.now().instant >= heldUntil { lose("\(error)") }
            case .failure(let error): lose("\(error)")
            }
        }
    }

    private func lose(_ why: String) {
        guard !isLost else { return }
        isLost = true
        renewal?.cancel()
        StandardError.write("mainstay: the lock of \(service) is lost: \(why); the command gets SIGTERM\n")
        child.end()
    }

    private func ask(token: String?, deadline: Duration) async -> Result<Config.Lock.Reply, RPCError> {
        let params = Config.Lock.Params(service: service, ttlMs: ttlMs, reason: reason, token: token)
        return await withCheckedContinuation { continuation in
            peer.call(Config.Lock.self, params, deadline: deadline) { continuation.resume(returning: $0) }
        }
    }
}

/// The command that runs under the lock, of which there is one.
private struct Child: Sendable {
    /// 0 where none runs: what a signal's handler sees, which may take no lock.
    private static let running = Atomic<Int32>(0)
    private var pid: pid_t = 0

    /// Starts it with these variables beside our own; false, and errno, where it cannot be run. What ends us by a signal then
    /// ends it: SIGTERM and SIGHUP are passed on, and a terminal sends its own to both.
    mutating func start(_ command: [String], adding variables: [String: String]) -> Bool {
        for (name, value) in variables { setenv(name, value, 1) }
        // Touched before a handler can be, since the first use of a static makes it.
        Self.running.store(0, ordering: .relaxed)
        signal(SIGINT) { _ in }
        for number in [SIGTERM, SIGHUP] {
            signal(number) { number in
                let pid = Child.running.load(ordering: .relaxed)
                if pid > 0 { kill(pid, number) }
            }
        }
        var arguments = command.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        // The threads of the loop take no signals, and a child would inherit that; so would it that SIGPIPE is ignored.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let code = posix_spawnp(&pid, command[0], nil, &attributes, &arguments, environ)
        errno = code
        if code == 0 { Self.running.store(pid, ordering: .relaxed) }
        return code == 0
    }

    /// Waits for its end. Blocks.
    func waited() -> Int32 {
        var status: CInt = 0
        while waitpid(pid, &status, 0) < 0 { guard errno == EINTR else { return 127 } }
        Self.running.store(0, ordering: .relaxed)
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    func end() { if pid > 0 { kill(pid, SIGTERM) } }
}
