import CLinux
import Glibc
import Settings
import Systemd
import Time
import Wire

/// The one start-up shape of all daemons: flags, settings, signals, socket, READY, keepalive, reload, stop. The main thread
/// reads files and waits for signals; everything else is the loop's and the workers'.
package enum StartUp {
    /// The name under which the listening socket lies in systemd's descriptor store.
    private static let storedName = "listen"
    /// How long a graceful stop may take. The units' TimeoutStopSec= is longer.
    private static let stopLimit: Duration = .seconds(5)

    /// Runs `Program` until it is told to stop. Exit codes: 0 stopped, 64 usage (sysexits), 78 settings, 71 no socket,
    /// 70 the program could not be made. After any of these but 0 the units wait before they start it again.
    package static func run<Program: DaemonProgram>(_ program: Program.Type) -> Never {
        let flags = Flags.parse(CommandLine.arguments, daemon: Program.name)
        let settings: AllSettings
        do { settings = try AllSettings.load(directory: flags.settings) } catch {
            fail(Program.name, "\(error)", code: 78)
        }
        if flags.isCheck {
            print("\(flags.settings): good")
            exit(0)
        }
        let signals = blockSignals()
        let running = Running<Program>(flags: flags, settings: settings, log: makeLog(flags, daemon: Program.name))
        let socket: CInt
        do { socket = try listeningSocket(running.places.socket(of: Program.name)) } catch {
            fail(Program.name, "\(error)", code: 71)
        }
        running.begin(on: socket, settings: settings)
        wait(for: signals, running)
    }

    /// The one daemon of this process.
    private final class Running<Program: DaemonProgram>: Sendable {
        let flags: Flags
        let places: DaemonContext.Places
        let log: Log
        private let principals: Principals
        private let document: JSONObject?
        @Loop private var assembly: Assembly<Program>?
        @Loop private var notifier: Worker<Void>?
        @Loop private var isStopping = false

        /// Reads what is read once; may block.
        init(flags: Flags, settings: AllSettings, log: Log) {
            self.flags = flags
            self.log = log
            places = flags.places(settings.mainstay, daemon: Program.name)
            principals = Principals.ofHost(settings.mainstay)
            document = Document.read("\(places.documents)/\(Program.name).openrpc.json", withFaults: Faults.areAllowed)
        }

        func begin(on socket: CInt, settings: AllSettings) {
            Loop.post { [self] in
                do { try assemble(on: socket, settings: settings) } catch {
                    fail(Program.name, "\(error)", code: error is SettingsRefused ? 78 : 70)
                }
            }
        }

        @Loop private func assemble(on socket: CInt, settings: AllSettings) throws {
            let context = DaemonContext(
                name: Program.name, places: places, log: log, principals: principals, isDryRun: flags.isDryRun)
            let assembly = try Assembly<Program>(context, settings: settings, document: document)
            self.assembly = assembly
            let notifier = context.worker(name: "notify", make: {})
            self.notifier = notifier
            // A quarter of what systemd allows: three ticks in a row may come late before it acts.
            let interval = Notify.watchdogInterval().map { $0 / 4 } ?? .seconds(2)
            assembly.onProgress = { notifier.submit { _ in Notify.keepalive() } }
            assembly.start(
                listeningOn: socket, tickInterval: interval,
                failed: { [places] error in fail(Program.name, "\(places.socket(of: Program.name)): \(error)", code: 71)
                },
                ready: { notifier.submit { _ in Notify.ready(status: "running") } })
        }

        func take(_ event: SignalEvent) {
            Loop.post { [self] in
                guard let assembly else { exit(0) }
                switch event {
                case .reload(let outcome, let principals):
                    assembly.reload(outcome, principals: principals)
                    notifier?.submit { _ in Notify.ready(status: event.status) }
                case .stop:
                    guard !isStopping else { return }
                    isStopping = true
                    assembly.stop { [self] in end(log) }
                    Loop.after(stopLimit) { [self] in end(log) }
                }
            }
        }
    }

    private enum SignalEvent: Sendable {
        /// With the ids of the groups and users that the settings name; nil where they were refused.
        case reload(Result<AllSettings, SettingsRefused>, Principals?)
        case stop

        /// What `systemctl status` says after it.
        var status: String {
            switch self {
            case .reload(.success, _): "running"
            case .reload(.failure, _): "running; the last reload was refused, see the journal"
            case .stop: "stopping"
            }
        }
    }

    /// Ends the process from a thread of its own, once the log is out: the loop must not wait for the journal.
    private static func end(_ log: Log) {
        Worker(name: "end", make: {}).submit { _ in
            log.drain()
            exit(0)
        }
    }

    // MARK: The main thread

    private static func blockSignals() -> sigset_t {
        signal(SIGPIPE, SIG_IGN)
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, number) }
        // Before the first thread is made: every thread inherits the mask, so that only this one takes these signals.
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        return signals
    }

    private static func wait<Program: DaemonProgram>(for signals: sigset_t, _ running: Running<Program>) -> Never {
        var signals = signals
        while true {
            var number: CInt = 0
            guard sigwait(&signals, &number) == 0 else { continue }
            guard number == SIGHUP else {
                Notify.stopping()
                running.take(.stop)
                continue
            }
            Notify.reloading()
            do {
                let settings = try AllSettings.load(directory: running.flags.settings)
                running.take(.reload(.success(settings), Principals.ofHost(settings.mainstay)))
            } catch {
                running.take(.reload(.failure(error), nil))
            }
        }
    }

    private static func makeLog(_ flags: Flags, daemon: String) -> Log {
        guard !flags.isForeground, Journal.ownsStandardError else { return .standardError() }
        return Log { entry in
            var fields = entry.fields
            fields["MAINSTAY_DAEMON"] = daemon
            Journal.send(
                JournalEntry(
                    priority: .init(rawValue: entry.priority.rawValue) ?? .info, message: entry.message,
                    messageID: entry.id?.hex,
                    fields: fields.sorted { $0.key < $1.key }.map { JournalEntry.Field($0.key, $0.value) }))
        }
    }

    /// The inherited socket where it is still what clients reach, or a new one, which is then left with systemd.
    private static func listeningSocket(_ path: String) throws(SocketError) -> CInt {
        let received = Notify.takeReceived().filter { $0.name == storedName }
        if let inherited = received.first(where: { ListeningSocket.isStillBound($0.descriptor, to: path) }) {
            return inherited.descriptor
        }
        for stale in received { close(stale.descriptor) }
        if !received.isEmpty { Notify.forget(name: storedName) }
        let socket = try ListeningSocket.bind(path)
        Notify.store(socket, name: storedName)
        return socket
    }

    private static func fail(_ daemon: String, _ why: String, code: CInt) -> Never {
        StandardError.write("\(daemon): \(why)\n")
        exit(code)
    }
}
