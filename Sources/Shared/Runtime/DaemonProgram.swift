package import Settings
package import Time
package import Wire

/// What one daemon is, to the start-up shape that all share: it is made, started, reloaded and stopped, always on the loop,
/// and proves that its core makes progress.
@Loop package protocol DaemonProgram: AnyObject, SendableMetatype {
    /// The daemon's own part of `status`.
    associatedtype Own: WireObject

    /// `configd`, `metricsd`, `healthd`, `watchdogd`: the process, the socket and the state folder are called so.
    nonisolated static var name: String { get }

    /// The names of the events that it publishes, as `subscribe` takes them: all that its API has.
    nonisolated static var events: [String] { get }

    /// Takes the settings, registers methods on `context.server` and figures on `context.figures`. Must not block; what
    /// reads files goes to a worker from `start`.
    init(_ context: DaemonContext, settings: AllSettings) throws

    /// Begins the work. The socket is open by now; READY is sent when `started` is called, which may be later, when what
    /// was on disk has been read.
    func start(started: @escaping @Loop () -> Void)

    /// Takes new settings, which are whole and valid.
    func reload(_ settings: AllSettings)

    /// Hands a tick to the core and answers how many events the core has handled in its life. The keepalive is sent only
    /// when this number has risen since the last tick.
    func tick(now: Moment) -> UInt64

    /// The daemon's own part of `status`, built when it is asked for.
    var own: Own { get }

    /// Ends the work in good order; `stopped` must be called within five seconds or the process ends without it.
    func stop(stopped: @escaping @Loop () -> Void)
}

/// What a daemon gets from the start-up shape: its places, its socket, its log, its threads and its peers.
@Loop package final class DaemonContext {
    package nonisolated let name: String
    package nonisolated let places: Places
    package nonisolated let log: Log
    package let server: Server
    package let figures = Figures()
    /// Decide and log, but act on nothing outside (`--dry-run`).
    package nonisolated let isDryRun: Bool
    /// When the daemon was ready; when it was made, until then.
    package private(set) var readySince: Moment

    private(set) var threads: [@Sendable (Instant) -> ThreadState] = []
    private(set) var peers: [Peer] = []
    private(set) var isStopping = false
    /// What a fault for tests does where the core is entered next; nil without one.
    var coreFault: (() -> Void)?
    /// The thread that `fault.blockStore` blocks, where there is one.
    var blockStore: (() -> Void)?
    var settingsState: SettingsState
    private var conditions = OwnConditions()

    /// Where a daemon reads and writes.
    package struct Places: Hashable, Sendable {
        /// `/etc/mainstay`
        package var settings: String
        /// `/run/mainstay`: every daemon's `<name>.sock`.
        package var sockets: String
        /// `/var/lib/mainstay/<name>`, which the daemon owns.
        package var state: String
        /// Where `<name>.openrpc.json` is.
        package var documents: String

        package init(settings: String, sockets: String, state: String, documents: String) {
            self.settings = settings
            self.sockets = sockets
            self.state = state
            self.documents = documents
        }

        /// A daemon's socket.
        package func socket(of daemon: String) -> String { "\(sockets)/\(daemon).sock" }
    }

    package init(name: String, places: Places, log: Log, principals: Principals, isDryRun: Bool = false) {
        self.name = name
        self.places = places
        self.log = log
        self.isDryRun = isDryRun
        server = Server(principals: principals)
        readySince = HostClock.now()
        settingsState = SettingsState(path: places.settings, loadedAtMs: readySince.wall.milliseconds)
        watch(log.thread)
    }

    /// A named thread that shows in `status`. The thread called `store` is the one that `fault.blockStore` blocks.
    package func worker<State>(name: String, limit: Int = 1024, make: @escaping @Sendable () throws -> State)
        -> Worker<State>
    {
        let worker = Worker(name: name, limit: limit, make: make)
        watch(worker)
        if name == "store" { blockStore = { worker.submit { _ in Faults.block() } } }
        return worker
    }

    private func watch<State>(_ worker: Worker<State>) {
        threads.append { now in worker.condition(now: now) }
    }

    /// A thread that is not a `Worker` (watchdogd's `bus`), for `status`.
    package func watchThread(_ condition: @escaping @Sendable (Instant) -> ThreadState) {
        threads.append(condition)
    }

    /// A client of another daemon's socket that shows in `status`. Call `start` on it when its callbacks are set.
    package func peer(_ daemon: String) -> Peer {
        let peer = Peer(daemon: daemon, path: places.socket(of: daemon))
        peer.onRefusal = { [log] in log.write(.error, "\(daemon) does not stream what is followed: \($0)") }
        peers.append(peer)
        return peer
    }

    /// Publishes an event to the socket's subscribers.
    package func publish(_ name: String, _ data: some WireObject) {
        server.publish(name, data, atMs: HostClock.now().wall.milliseconds)
    }

    /// A program calls it as it hands an event to its core, the tick's at least: where the faults of a core sit.
    package func enterCore() { coreFault?() }

    func becameReady() { readySince = HostClock.now() }
    func beganStopping() { isStopping = true }

    /// Writes what has become of the daemon's own threads and peers since the last tick.
    func tellConditions(now: Moment) {
        let views = peers.map {
            OwnConditions.PeerView(daemon: $0.daemon, answers: $0.answers, since: $0.since.instant)
        }
        let states = threads.map { $0(now.instant) }
        for entry in conditions.changes(threads: states, peers: views, now: now.instant) { log.write(entry) }
    }

    func head(now: Moment) -> StatusHead {
        let states = threads.map { $0(now.instant) }
        let condition: StatusHead.Condition =
            isStopping ? .stopping : states.contains(where: \.stuck) ? .stuck : .running
        return StatusHead(
            daemon: name, version: Suite.version, pid: Int64(Suite.pid), condition: condition,
            upMs: (now.instant - readySince.instant).milliseconds, settings: settingsState,
            peers: peers.map(\.condition), threads: states)
    }
}
