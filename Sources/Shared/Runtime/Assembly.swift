import CLinux
import Glibc
package import Settings
import Time
package import Wire

/// A daemon put together and running: its program, its socket, the methods that all daemons answer, its keepalive. Tests
/// make it in process; `StartUp` makes it for a process of its own.
@Loop package final class Assembly<Program: DaemonProgram> {
    package let context: DaemonContext
    package let program: Program
    private let document: JSONObject?
    private var lagSeconds = 0.0
    private var lastTick: Moment
    private var lastProgress: UInt64 = 0
    private var ticker: LoopRepeat?

    /// Called on each tick on which loop and core both made progress since the one before.
    package var onProgress: @Loop () -> Void = {}

    /// `document` is the daemon's OpenRPC document, nil where it is not installed.
    package init(_ context: DaemonContext, settings: AllSettings, document: JSONObject?) throws {
        self.context = context
        self.document = document
        lastTick = HostClock.now()
        context.server.onSubscribe(to: Program.events)
        program = try Program(context, settings: settings)
        takeLimits(settings)
        registerCommonMethods()
        addCommonFigures()
        Faults.register(on: context)
    }

    /// Whoever drops a daemon without stopping it (a test that failed) leaves nothing that calls into it.
    isolated deinit {
        ticker?.cancel()
        context.peers.forEach { $0.stop() }
        context.server.close()
    }

    /// Serves `socket` and starts the program; `tickInterval` is how often progress is looked for. `failed` is called, and
    /// nothing started, where the socket cannot be served.
    package func start(
        listeningOn socket: CInt, tickInterval: Duration, failed: @escaping @Loop (any Error) -> Void,
        ready: @escaping @Loop () -> Void
    ) {
        context.server.listen(on: socket) { [self] result in
            switch result {
            case .success: begin(tickInterval, ready)
            case .failure(let error): failed(error)
            }
        }
    }

    private func begin(_ tickInterval: Duration, _ ready: @escaping @Loop () -> Void) {
        lastTick = HostClock.now()
        ticker = Loop.every(tickInterval) { [weak self] in self?.tick(expecting: tickInterval) }
        program.start { [context] in
            context.becameReady()
            context.log.write(OwnJournal.started(context.name, socket: context.places.socket(of: context.name)))
            ready()
        }
    }

    /// New settings, already read and whole; or why the old ones stay. `principals` are the ids that go with them: nil leaves
    /// those in force. Connections that are open stay what they were taken for.
    package func reload(_ outcome: Result<AllSettings, SettingsRefused>, principals: Principals? = nil) {
        if let principals { context.server.principals = principals }
        switch outcome {
        case .success(let settings):
            context.settingsState = SettingsState(
                path: context.places.settings, loadedAtMs: HostClock.now().wall.milliseconds)
            takeLimits(settings)
            program.reload(settings)
            context.log.write(OwnJournal.reloaded(from: context.places.settings))
        case .failure(let refused):
            context.settingsState.refused = refused.description
            context.log.write(OwnJournal.refused(refused.description))
        }
    }

    private func takeLimits(_ settings: AllSettings) {
        let connections = settings.mainstay.connections
        context.server.setConnectionLimits(all: connections.maximum, perUser: connections.maximumPerUser)
    }

    /// Stops the program, then the socket. Once is enough: `stopped` of a second call is not called.
    package func stop(stopped: @escaping @Loop () -> Void) {
        guard !context.isStopping else { return }
        context.beganStopping()
        context.log.write(OwnJournal.stopping(context.name))
        program.stop { [self] in
            ticker?.cancel()
            context.peers.forEach { $0.stop() }
            context.server.close()
            stopped()
        }
    }

    private func tick(expecting interval: Duration) {
        let now = HostClock.now()
        lagSeconds = max(0, (now.instant - lastTick.instant - interval).inSeconds)
        lastTick = now
        let progress = program.tick(now: now)
        if progress > lastProgress { onProgress() }
        lastProgress = progress
        context.tellConditions(now: now)
    }

    private func registerCommonMethods() {
        let server = context.server
        server.on(Common.Discover.self) { [document, context] _, _ throws(RPCError) in
            guard let document else {
                throw RPCError(
                    code: -32603, name: "internalError",
                    message: "\(context.places.documents)/\(context.name).openrpc.json is missing or not JSON",
                    remedy: "Install the suite's documents, or name their folder with --documents")
            }
            return document
        }
        server.on(Common.Status<Program.Own>.self) { [context, weak program] _, _ throws(RPCError) in
            guard let program else { throw .internalError("\(context.name) has stopped") }
            return StatusReply(head: context.head(now: HostClock.now()), own: program.own)
        }
        server.on(Common.Metrics.self) { [context] params, _ in
            context.figures.reply(known: params.generation, now: HostClock.now())
        }
    }

    private func addCommonFigures() {
        let figures = context.figures
        let server = context.server
        figures.addProcess()
        figures.add("mainstay_loop_lag_seconds", .gauge) { [weak self] in self?.lagSeconds ?? .nan }
        figures.add("mainstay_requests_total", .counter) { Double(server.figures.requests) }
        figures.add("mainstay_requests_refused_total", .counter) { Double(server.figures.refused) }
        figures.add("mainstay_connections", .gauge) { Double(server.openConnections) }
        figures.add("mainstay_connections_accepted_total", .counter) { Double(server.figures.accepted) }
        figures.add("mainstay_connections_dropped_total", .counter) { Double(server.figures.dropped) }
        figures.add("mainstay_events_total", .counter) { Double(server.nextSequence - 1) }
        figures.add("mainstay_events_lost_total", .counter) { Double(server.figures.eventsLost) }
        figures.add("mainstay_log_entries_lost", .gauge) { [context] in Double(context.log.lostEntries) }
    }
}
