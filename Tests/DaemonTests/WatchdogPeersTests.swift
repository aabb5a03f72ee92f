import Glibc
import HealthAPI
import Runtime
import Settings
import Systemd
import Testing
import Time
import WatchdogAPI
import WatchdogCore
import Wire

@testable import WatchdogDaemon

/// watchdogd beside others: healthd, the operator, the service's own heartbeats and hooks.
@Suite(.serialized, .enabled(if: access(NginxUnit.program, X_OK) == 0)) struct WatchdogPeersTests {
    @Test(.timeLimit(.minutes(1)))
    func `a dependency that healthd names is down, until healthd is silent`() async throws {
        let guarded = try await Guarded(besideHealthd: true)
        _ = try await guarded.running()
        let client = await guarded.client
        let known = try await client.eventually {
            try await client.call(Service.self, .init(service: "web")).dependenciesDown == ["postgres"]
        }
        #expect(known)
        await guarded.stopHealthd()
        let forgotten = try await client.eventually {
            try await client.call(Service.self, .init(service: "web")).dependenciesDown == []
        }
        #expect(forgotten)
        await guarded.end()
    }

    @Test(.timeLimit(.minutes(1))) func `a page stands among healthd's alerts, and in the journal`() async throws {
        let guarded = try await Guarded(besideHealthd: true)
        _ = try await guarded.running()
        let client = await guarded.client
        let known = try await client.eventually {
            try await client.call(Service.self, .init(service: "web")).dependenciesDown == ["postgres"]
        }
        #expect(known)
        _ = try await client.call(EscalateToOperator.self, .init(service: "web", issue: "it hums"))
        let raised = await client.eventually { HealthdStandIn.raised.map(\.summary) == ["it hums"] }
        #expect(raised)
        #expect(await HealthdStandIn.raised.first?.severity == .operator)
        let told = await client.eventually {
            guarded.entries.value.contains { $0.id == Story.operatorCalled && $0.priority == .critical }
        }
        #expect(told)
        await guarded.end()
    }

    @Test(.timeLimit(.minutes(1)))
    func `what healthd was not there to hear it hears when it is back, and of one service the last word alone`()
        async throws
    {
        let fixture = try DaemonFixture()
        let (peer, health) = await Self.besideNobody(fixture.places)
        await Self.page(health, "web", "it hums")
        await Self.page(health, "mail", "it smokes")
        await health.resolve("mail", incident: "i-2")
        let healthd = try await fixture.start(HealthdStandIn.self)
        let client = try await TestClient("healthd", fixture.places)
        let heard = await client.eventually {
            HealthdStandIn.raised.map { "\($0.service) \($0.resolved)" }.sorted() == ["mail true", "web false"]
        }
        #expect(heard)
        #expect(await HealthdStandIn.raised.first { $0.service == "web" }?.summary == "it hums")
        await peer.stop()
        await client.close()
        await DaemonFixture.stop(healthd)
    }

    @Loop private static func besideNobody(_ places: DaemonContext.Places) -> (Peer, HealthPeer) {
        let peer = Peer(daemon: "healthd", path: places.socket(of: "healthd"))
        let health = HealthPeer(peer)
        health.start(services: { [] }, dependencies: { _, _ in }, silent: {}, alias: { _, _ in })
        return (peer, health)
    }

    @Loop private static func page(_ health: HealthPeer, _ service: String, _ issue: String) {
        health.raise(OperatorCalled(service: service, incident: "i-1", severity: .critical, issue: issue))
    }

    @Test(.timeLimit(.minutes(1)))
    func `heartbeats are good answers where they are the probe, and their absence is none`() async throws {
        let guarded = try await Guarded(heartbeats: true)
        let client = await guarded.client
        let warming = try await guarded.eventually { $0.condition == .warming }
        #expect(warming)
        let watching = try await client.eventually {
            try await client.call(Heartbeat.self, .init(service: "web")).condition == .watching
        }
        #expect(watching)
        let doubted = try await guarded.eventually { $0.condition != .watching }
        #expect(doubted)
        await guarded.end()
    }

    @Test(.timeLimit(.minutes(1)))
    func `a service taken out of the settings goes on untouched, and is adopted when it is back`() async throws {
        let guarded = try await Guarded()
        let first = try await guarded.running()
        let client = await guarded.client
        try await guarded.reload(withService: false)
        #expect(try await client.call(Services.self, .init()).services == [])
        #expect(kill(first, 0) == 0)
        try await guarded.reload(withService: true)
        #expect(try await guarded.running() == first)
        await guarded.end()
    }

    @Test(arguments: [
        ("204 No Content", CallResult.done), ("503 Service Unavailable", .failed("503 Service Unavailable")),
    ])
    func `an HTTP hook is judged by its status`(status: String, expected: CallResult) async throws {
        let listener = try Listener()
        let endpoint = HTTPEndpoint(host: "localhost", port: Int(listener.port), target: "/drain")
        let result = await HookCase.run(HookSettings(action: .http(endpoint)), main: nil) {
            listener.answer("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n")
        }
        #expect(result == expected)
    }

    @Test func `a hook that does not answer is given up at its timeout`() async throws {
        let listener = try Listener()
        var hook = HookSettings(
            action: .http(HTTPEndpoint(host: "localhost", port: Int(listener.port), target: "/drain")))
        hook.timeout = .milliseconds(50)
        #expect(await HookCase.run(hook, main: nil) {} == .timedOut)
    }

    @Test func `a signal hook reaches the main process, and only the one that is meant`() async throws {
        let child = try Child("/bin/cat")
        let main = try child.identity()
        var other = main
        other.startTicks += 1
        let hook = HookSettings(action: .signal(SIGTERM))
        #expect(await HookCase.run(hook, main: other) {} == .failed(String(cString: strerror(ESRCH))))
        #expect(kill(child.pid, 0) == 0)
        #expect(await HookCase.run(hook, main: main) {} == .done)
        #expect(await HookCase.run(hook, main: nil) {} == .failed("there is no main process"))
        var information = siginfo_t()
        #expect(waitid(P_PID, id_t(child.pid), &information, WEXITED | WNOWAIT) == 0)
        child.end()
    }
}

/// One hook, with the other side played by a thread of its own.
@Loop enum HookCase {
    static func run(
        _ hook: HookSettings, main: ProcessIdentity?, other: @escaping @Sendable () -> Void
    ) async -> CallResult {
        guard let thread = EventThread(name: "hooks") else { return .failed("no thread") }
        let hooks = Hooks(exits: ProcessExits(on: thread), control: NoUnits())
        let service = GuardedService(ServiceSettings(name: "test", unit: "test.service"))
        service.main = main
        let player = Worker(name: "other-side", make: {})
        player.submit { _ in other() }
        let result = await withCheckedContinuation { done in
            hooks.run(hook, of: service) { done.resume(returning: $0) }
        }
        thread.stop()
        return result
    }
}

/// A process 1 that knows no unit.
@Loop final class NoUnits: UnitControl {
    var connection: String? { nil }
    func begin(told: @escaping @Loop (UnitControlEvent) -> Void) {}
    func read(_ unit: String) {}
    func forget(_ unit: String) {}
    func kill(_ unit: String, signal: Int32, done: @escaping @Loop (CallResult) -> Void) { done(.failed("none")) }
    func restart(_ unit: String, done: @escaping @Loop (CallResult) -> Void) { done(.failed("none")) }
    func reload(_ unit: String, done: @escaping @Loop (CallResult) -> Void) { done(.done) }
    func stop(_ unit: String, done: @escaping @Loop (CallResult) -> Void) { done(.failed("none")) }
    func lastHeartbeat(of unit: String, answered: @escaping @Loop (Instant?) -> Void) { answered(nil) }
    func run(
        _ program: CommandSettings, for service: String, time: Duration, done: @escaping @Loop (CallResult) -> Void
    ) { done(.failed("none")) }
}

/// healthd as far as watchdogd calls it: postgres is down, and pages are kept.
@Loop final class HealthdStandIn: DaemonProgram {
    nonisolated static let name = "healthd"
    nonisolated static let events = HealthEvents.all
    static private(set) var raised: [Raise.Params] = []

    init(_ context: DaemonContext, settings: AllSettings) {
        Self.raised = []
        context.server.on(Gate.self) { _, _ in
            Gate.Reply(
                allowed: false, reason: "postgres is unhealthy", dependency: "postgres", sinceMs: 1, unknown: [])
        }
        context.server.on(Raise.self) { params, _ in
            Self.raised.append(params)
            return Raise.Reply(id: "a-1", incident: params.incident)
        }
    }

    func start(started: @escaping @Loop () -> Void) { started() }
    func reload(_ settings: AllSettings) {}
    func tick(now: Moment) -> UInt64 { 0 }
    var own: NoFields { NoFields() }
    func stop(stopped: @escaping @Loop () -> Void) { stopped() }
}
