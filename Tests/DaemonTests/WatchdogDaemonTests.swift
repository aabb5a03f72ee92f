import CLinux
import Foundation
import Glibc
import Runtime
import Settings
import Synchronization
import Systemd
import Testing
import Time
import WatchdogAPI
import WatchdogCore
import Wire

@testable import WatchdogDaemon

/// The daemon in this process, guarding a real nginx that a stand-in for process 1 runs.
@Suite(.serialized, .enabled(if: access(NginxUnit.program, X_OK) == 0)) struct WatchdogDaemonTests {
    @Test(.timeLimit(.minutes(1)))
    func `a killed nginx is noticed, started again and proven, and the journal tells it`() async throws {
        let guarded = try await Guarded()
        let first = try await guarded.running()
        #expect(kill(first, SIGKILL) == 0)
        let incident = try await guarded.closedIncident()
        #expect(incident.incidentClass == .dead)
        #expect(incident.outcome == .recovered)
        #expect(incident.numbers.exitSignal == "SIGKILL")
        #expect(try #require(incident.validation).goodProbes == 2)
        #expect(try await guarded.running() != first)
        let story = guarded.entries.value.filter { $0.fields["MAINSTAY_INCIDENT"] == incident.id }
        #expect(story.first?.id == Story.incidentOpened)
        #expect(story.last?.id == Story.incidentClosed)
        #expect(story.contains { $0.id == Story.validated })
        #expect(story.allSatisfy { $0.fields["MAINSTAY_SERVICE"] == "web" })
        await guarded.end()
    }

    @Test(.timeLimit(.minutes(1)))
    func `a stopped nginx is named so, its evidence is kept before the kill, and it serves again`() async throws {
        let guarded = try await Guarded()
        let first = try await guarded.running()
        #expect(kill(first, SIGSTOP) == 0)
        let incident = try await guarded.closedIncident()
        #expect(incident.incidentClass == .stopped)
        #expect(incident.outcome == .recovered)
        let evidence = try #require(incident.evidence)
        #expect(evidence.facts["state"] == "T")
        #expect(evidence.tookMs <= 500)
        #expect(incident.actions.map(\.kind).prefix(2) == [.collectEvidence, .kill])
        let bundle = try Data(contentsOf: URL(fileURLWithPath: try #require(evidence.path)))
        #expect(bundle.count == Int(evidence.bytes))
        #expect(try await guarded.running() != first)
        await guarded.end()
    }

    @Test(.timeLimit(.minutes(1)))
    func `what the operator stops stays stopped, and what the operator starts is guarded again`() async throws {
        let guarded = try await Guarded()
        _ = try await guarded.running()
        await guarded.unit.operatorStops()
        let stopped = try await guarded.eventually { $0.condition == .operatorStopped }
        #expect(stopped)
        await guarded.unit.operatorStarts()
        let back = try await guarded.eventually { $0.condition == .watching }
        #expect(back)
        #expect(try await guarded.client.call(Incidents.self, .init()).incidents == [])
        await guarded.end()
    }

    @Test(.timeLimit(.minutes(1)))
    func `the daemon's own end and return leave the service's pid and its hold as they were`() async throws {
        let guarded = try await Guarded()
        let first = try await guarded.running()
        _ = try await guarded.client.call(Hold.self, .init(service: "web", reason: "an upgrade"))
        try await guarded.restartDaemon()
        let held = try await guarded.eventually { $0.condition == .held && $0.pid == Int64(first) }
        #expect(held)
        _ = try await guarded.client.call(Release.self, .init(service: "web"))
        let watching = try await guarded.eventually { $0.condition == .watching }
        #expect(watching)
        #expect(try await guarded.running() == first)
        await guarded.end()
    }

    @Test(.timeLimit(.minutes(1)))
    func `a store that answers nothing holds back no recovery`() async throws {
        let guarded = try await Guarded()
        let first = try await guarded.running()
        let freed = await guarded.blockStore()
        #expect(kill(first, SIGKILL) == 0)
        let back = try await guarded.eventually { $0.condition == .watching && $0.pid != Int64(first) }
        #expect(back)
        await #expect(throws: RPCError.self) { try await guarded.client.call(Incidents.self, .init()) }
        freed.signal()
        #expect(try await guarded.closedIncident().incidentClass == .dead)
        await guarded.end()
    }

    @Test(.timeLimit(.minutes(1)))
    func `refusals carry their reason: unknown service, incident, cursor, range`() async throws {
        let guarded = try await Guarded()
        let client = await guarded.client
        func name(_ body: @Loop () async throws -> Void) async -> String? {
            do {
                try await body()
                return nil
            } catch { return (error as? RPCError)?.name }
        }
        #expect(await name { _ = try await client.call(Service.self, .init(service: "x")) } == "unknownService")
        #expect(await name { _ = try await client.call(Incident.self, .init(id: "x")) } == "unknownIncident")
        #expect(await name { _ = try await client.call(Incidents.self, .init(cursor: "x")) } == "badCursor")
        #expect(await name { _ = try await client.call(Incidents.self, .init(limit: 0)) } == "outOfRange")
        #expect(await name { _ = try await client.call(Release.self, .init(service: "web")) } == "notHeld")
        await guarded.end()
    }
}

/// The daemon, its client, and the nginx it guards.
@Loop final class Guarded {
    private let fixture: DaemonFixture
    private var assembly: Assembly<WatchdogUnderTest>
    private var healthd: Assembly<HealthdStandIn>?
    private(set) var client: TestClient
    nonisolated let unit: NginxUnit
    nonisolated let entries = Shared([LogEntry]())

    /// `heartbeats` instead of an HTTP probe; `besideHealthd` with a stand-in for healthd.
    init(heartbeats: Bool = false, besideHealthd: Bool = false) async throws {
        fixture = try DaemonFixture()
        let port = try Listener().port
        unit = try await NginxUnit(root: fixture.root, port: port)
        let probe = heartbeats ? "heartbeat: true" : "http: http://127.0.0.1:\(port)/"
        try fixture.writeService(
            "web",
            """
            unit: web.service
            liveness:
              \(probe)
              interval: 200ms
              timeout: 200ms
            recovery:
              startTimeout: 5s
            """)
        if besideHealthd { healthd = try await fixture.start(HealthdStandIn.self) }
        WatchdogUnderTest.use(unit)
        let entries = entries
        let log = Log(sink: { entry in entries.change { $0.append(entry) } })
        assembly = try await fixture.start(WatchdogUnderTest.self, log: log)
        client = try await TestClient("watchdogd", fixture.places)
    }

    /// The pid, as soon as the service is watched.
    func running() async throws -> Int32 {
        let watching = try await eventually { $0.condition == .watching && $0.pid != nil }
        try #require(watching)
        let pid = try await client.call(Service.self, .init(service: "web")).summary.pid
        return Int32(try #require(pid))
    }

    func eventually(_ condition: @Sendable (WatchdogAPI.ServiceSummary) -> Bool) async throws -> Bool {
        try await client.eventually(within: .seconds(20)) {
            condition(try await client.call(Service.self, .init(service: "web")).summary)
        }
    }

    /// The newest incident, once it is over.
    func closedIncident() async throws -> IncidentRecord {
        let closed = try await client.eventually(within: .seconds(20)) {
            try await client.call(Incidents.self, .init()).incidents.first?.closedAtMs != nil
        }
        try #require(closed)
        return try #require(try await client.call(Incidents.self, .init()).incidents.first)
    }

    func restartDaemon() async throws {
        client.close()
        await DaemonFixture.stop(assembly)
        assembly = try await fixture.start(WatchdogUnderTest.self)
        client = try await TestClient("watchdogd", fixture.places)
    }

    /// New settings in which the service stands, or does not.
    func reload(withService: Bool) throws {
        var settings = try fixture.settings()
        if !withService { settings.services = [] }
        assembly.reload(.success(settings))
    }

    func stopHealthd() async {
        if let healthd { await DaemonFixture.stop(healthd) }
        healthd = nil
    }

    /// Blocks the daemon's store until the answer is signalled.
    func blockStore() async -> DispatchSemaphore {
        let gate = DispatchSemaphore(value: 0)
        assembly.blockStore(until: gate)
        return gate
    }

    func end() async {
        client.close()
        await DaemonFixture.stop(assembly)
        await stopHealthd()
        await unit.end()
    }
}

extension Assembly<WatchdogUnderTest> {
    @Loop func blockStore(until gate: DispatchSemaphore) {
        program.daemon.store.submit { _ in gate.wait() }
    }
}

/// watchdogd with another process 1.
@Loop final class WatchdogUnderTest: DaemonProgram {
    nonisolated static let name = "watchdogd"
    nonisolated static let events = WatchdogDaemon.events
    private static var unit: NginxUnit?
    let daemon: WatchdogDaemon

    static func use(_ unit: NginxUnit) { self.unit = unit }

    struct NoThread: Error {}

    init(_ context: DaemonContext, settings: AllSettings) throws {
        guard let bus = EventThread(name: "bus"), let unit = Self.unit else { throw NoThread() }
        daemon = WatchdogDaemon(context, settings: settings, bus: bus, control: unit)
    }

    func start(started: @escaping @Loop () -> Void) { daemon.start(started: started) }
    func reload(_ settings: AllSettings) { daemon.reload(settings) }
    func tick(now: Moment) -> UInt64 { daemon.tick(now: now) }
    var own: WatchdogStatus { daemon.own }
    func stop(stopped: @escaping @Loop () -> Void) { daemon.stop(stopped: stopped) }
}

/// Process 1 for one unit, `web.service`: runs an nginx of one process with `Restart=always` and `RestartSec=15s`, as
/// the guarded unit's drop-in has it.
@Loop final class NginxUnit: UnitControl {
    nonisolated static let program = "/usr/sbin/nginx"
    private static let name = "web.service"

    private let thread: EventThread
    private let exits: ProcessExits
    private let configuration: String
    private var told: @Loop (UnitControlEvent) -> Void = { _ in }
    private var pid: pid_t?
    private var view = UnitView(active: .inactive, sub: "dead")

    init(root: String, port: UInt16) async throws {
        thread = try #require(EventThread(name: "process-one"))
        exits = ProcessExits(on: thread)
        configuration = "\(root)/nginx.conf"
        try """
        daemon off; master_process off; pid \(root)/nginx.pid; error_log /dev/null;
        events { worker_connections 64; }
        http {
            access_log off; client_body_temp_path \(root); proxy_temp_path \(root); fastcgi_temp_path \(root);
            uwsgi_temp_path \(root); scgi_temp_path \(root);
            server { listen 127.0.0.1:\(port); location / { return 200 "ok"; } }
        }
        """.write(toFile: configuration, atomically: true, encoding: .utf8)
        try spawn()
    }

    var connection: String? { "a test" }

    func begin(told: @escaping @Loop (UnitControlEvent) -> Void) {
        self.told = told
    }

    func read(_ unit: String) { Loop.post { self.show() } }

    func forget(_ unit: String) {}

    func kill(_ unit: String, signal: Int32, done: @escaping @Loop (CallResult) -> Void) {
        if let pid { _ = Glibc.kill(pid, signal) }
        Loop.post { done(.done) }
    }

    func restart(_ unit: String, done: @escaping @Loop (CallResult) -> Void) {
        whenEnded {
            do {
                try self.spawn()
                done(.done)
            } catch { done(.failed("\(error)")) }
        }
    }

    func reload(_ unit: String, done: @escaping @Loop (CallResult) -> Void) { done(.done) }
    func stop(_ unit: String, done: @escaping @Loop (CallResult) -> Void) {
        whenEnded {
            self.view = UnitView(active: .inactive, sub: "dead")
            self.show()
            done(.done)
        }
    }

    func lastHeartbeat(of unit: String, answered: @escaping @Loop (Instant?) -> Void) { answered(nil) }

    func run(
        _ program: CommandSettings, for service: String, time: Duration, done: @escaping @Loop (CallResult) -> Void
    ) {
        done(.failed("no programs here"))
    }

    /// `systemctl stop`.
    func operatorStops() {
        view.job = UnitView.Job(kind: "stop", ours: false)
        show()
        whenEnded {
            self.view = UnitView(active: .inactive, sub: "dead")
            self.show()
        }
    }

    /// `systemctl start`.
    func operatorStarts() {
        do { try spawn() } catch { Issue.record("\(error)") }
    }

    /// Ends nginx and this stand-in.
    func end() async {
        told = { _ in }
        await withCheckedContinuation { done in whenEnded { done.resume() } }
        thread.stop()
    }

    private var whenGone: [@Loop () -> Void] = []

    private func whenEnded(_ then: @escaping @Loop () -> Void) {
        guard let pid else { return then() }
        whenGone.append(then)
        Glibc.kill(pid, SIGKILL)
    }

    private func spawn() throws {
        var started: pid_t = 0
        // It must not outlive a test that fails, nor hold its standard output open.
        let words = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--", Self.program, "-c", configuration]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for output in [STDOUT_FILENO, STDERR_FILENO] {
            posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0)
        }
        let vector: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for item in vector { free(item) } }
        try #require(posix_spawn(&started, words[0], &actions, nil, vector, Glibc.environ) == 0)
        let pid = started
        self.pid = pid
        let main = ProcessIdentity(pid: pid, startTicks: try #require(ProcessStart.ticks(of: pid)))
        view = UnitView(active: .active, sub: "running", main: main, mainStartedAt: HostClock.now().instant)
        show()
        exits.watch(pid) { _ in Loop.post { self.ended(pid) } }
    }

    private func ended(_ ended: pid_t) {
        var status: Int32 = 0
        waitpid(ended, &status, 0)
        guard ended == pid else { return }
        pid = nil
        view = UnitView(
            active: .activating, sub: "auto-restart", result: "signal", exitSignal: status & 0x7F)
        let waiting = whenGone
        whenGone = []
        if waiting.isEmpty { show() }
        for then in waiting { then() }
    }

    private func show() {
        told(.unitSeen(unit: Self.name, view, controlGroup: ""))
    }
}

/// A value shared with callbacks of other threads.
final class Shared<Value: Sendable>: Sendable {
    private let state: Mutex<Value>
    init(_ value: Value) { state = Mutex(value) }
    var value: Value { state.withLock { $0 } }
    func change(_ body: (inout sending Value) -> Void) { state.withLock { body(&$0) } }
}
