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
    /// How long a graceful stop may take.
    private static let stopLimit: Duration = .seconds(5)

    /// Runs `Program` until it is told to stop. Exit codes: 0 stopped, 64 usage (sysexits), 78 settings, 71 no socket,
    /// 70 the program could not be made.
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
        let log = makeLog(flags)
        let places = flags.places(settings.mainstay, daemon: Program.name)
        let principals = Principals.ofHost(settings.mainstay)
        let socket: CInt
        do { socket = try listeningSocket(places.socket(of: Program.name)) } catch {
            fail(Program.name, "\(error)", code: 71)
        }
        let document = Document.read(
            "\(places.documents)/\(Program.name).openrpc.json", withFaults: Faults.areAllowed)
        let running = Running<Program>()
        Loop.post {
            let context = DaemonContext(
                name: Program.name, places: places, log: log, principals: principals, isDryRun: flags.isDryRun)
            do {
                let assembly = try Assembly<Program>(context, settings: settings, document: document)
                running.assembly = assembly
                try begin(assembly, on: socket)
            } catch {
                fail(Program.name, "\(error)", code: 70)
            }
        }
        wait(for: signals, flags: flags) { event in
            Loop.post {
                guard let assembly = running.assembly else { exit(0) }
                handle(event, assembly, log: log)
            }
        }
    }

    @Loop private static func begin<Program: DaemonProgram>(_ assembly: Assembly<Program>, on socket: CInt) throws {
        let notifier = assembly.context.worker(name: "notify", make: {})
        // A quarter of what systemd allows: three ticks in a row may come late before it acts.
        let interval = Notify.watchdogInterval().map { $0 / 4 } ?? .seconds(2)
        assembly.onProgress = { notifier.submit { _ in Notify.keepalive() } }
        try assembly.start(listeningOn: socket, tickInterval: interval) {
            notifier.submit { _ in Notify.ready(status: "running") }
        }
    }

    /// Keeps the daemon alive for as long as the process.
    @Loop private final class Running<Program: DaemonProgram> {
        var assembly: Assembly<Program>?
        nonisolated init() {}
    }

    private enum SignalEvent: Sendable {
        case reload(Result<AllSettings, SettingsRefused>)
        case stop
    }

    @Loop private static func handle<Program: DaemonProgram>(
        _ event: SignalEvent, _ assembly: Assembly<Program>, log: Log
    ) {
        switch event {
        case .reload(let outcome):
            assembly.reload(outcome)
            let status =
                switch outcome {
                case .success: "running"
                case .failure: "running; the last reload was refused, see the journal"
                }
            Notify.ready(status: status)
        case .stop:
            assembly.stop { end(log) }
            Loop.after(stopLimit) { end(log) }
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

    private static func wait(
        for signals: sigset_t, flags: Flags, _ post: (SignalEvent) -> Void
    ) -> Never {
        var signals = signals
        while true {
            var number: CInt = 0
            guard sigwait(&signals, &number) == 0 else { continue }
            guard number == SIGHUP else {
                Notify.stopping()
                post(.stop)
                continue
            }
            Notify.reloading()
            do { post(.reload(.success(try AllSettings.load(directory: flags.settings)))) } catch {
                post(.reload(.failure(error)))
            }
        }
    }

    private static func makeLog(_ flags: Flags) -> Log {
        guard !flags.isForeground, Journal.ownsStandardError else { return .standardError() }
        return Log { entry in
            Journal.send(
                JournalEntry(
                    priority: .init(rawValue: entry.priority.rawValue) ?? .info, message: entry.message,
                    messageID: entry.id?.hex,
                    fields: entry.fields.sorted { $0.key < $1.key }.map { JournalEntry.Field($0.key, $0.value) }))
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
