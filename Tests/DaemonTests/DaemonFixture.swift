import CLinux
import Foundation
import Runtime
import Settings
import Testing
import Time
import Wire

/// A folder of its own for one test, with everything a daemon needs, removed at the end.
struct DaemonFixture: ~Copyable {
    /// For what goes on beside a test's own thread.
    static let beside = Worker<Void>(name: "beside") {}

    let root: String
    let places: DaemonContext.Places

    init() throws {
        root = "/tmp/mainstay-test-\(UUID().uuidString.prefix(8))"
        for folder in ["settings/services", "sockets", "state"] {
            try FileManager.default.createDirectory(atPath: "\(root)/\(folder)", withIntermediateDirectories: true)
        }
        places = DaemonContext.Places(
            settings: "\(root)/settings", sockets: "\(root)/sockets", state: "\(root)/state", documents: "\(root)")
    }

    deinit {
        try? FileManager.default.removeItem(atPath: root)
    }

    /// Writes `services/NAME.yaml`.
    func writeService(_ name: String, _ yaml: String) throws {
        try yaml.write(toFile: "\(root)/settings/services/\(name).yaml", atomically: true, encoding: .utf8)
    }

    func settings() throws -> AllSettings {
        try AllSettings.load(directory: places.settings)
    }

    /// What a test may do without a group: everything.
    static let principals = Principals(actors: nil, readers: nil, daemons: [:])

    /// Makes and starts a daemon in this process; returns when it is ready.
    func start<Program: DaemonProgram>(
        _ program: Program.Type, log: Log = Log(sink: { _ in }), tickInterval: Duration = .milliseconds(100)
    ) async throws -> Assembly<Program> {
        let settings = try settings()
        let places = DaemonContext.Places(
            settings: places.settings, sockets: places.sockets, state: "\(places.state)/\(Program.name)",
            documents: places.documents)
        try FileManager.default.createDirectory(atPath: places.state, withIntermediateDirectories: true)
        let socket = try ListeningSocket.bind(places.socket(of: Program.name))
        return try await startOnLoop(Program.self, settings, places, socket, log, tickInterval)
    }

    @Loop private func startOnLoop<Program: DaemonProgram>(
        _ program: Program.Type, _ settings: AllSettings, _ places: DaemonContext.Places, _ socket: CInt, _ log: Log,
        _ tickInterval: Duration
    ) async throws -> Assembly<Program> {
        let context = DaemonContext(name: Program.name, places: places, log: log, principals: Self.principals)
        let assembly = try Assembly<Program>(context, settings: settings, document: nil)
        await withCheckedContinuation { continuation in
            assembly.start(
                listeningOn: socket, tickInterval: tickInterval,
                failed: {
                    Issue.record($0)
                    continuation.resume()
                }, ready: { continuation.resume() })
        }
        return assembly
    }

    /// Stops a daemon and waits until it has.
    static func stop<Program: DaemonProgram>(_ assembly: Assembly<Program>) async {
        await stopOnLoop(assembly)
    }

    @Loop private static func stopOnLoop<Program: DaemonProgram>(_ assembly: Assembly<Program>) async {
        await withCheckedContinuation { continuation in assembly.stop { continuation.resume() } }
    }
}

/// A connected client for tests, with calls as `async` functions.
@Loop final class TestClient {
    let peer: Peer
    private(set) var events: [Event] = []
    private(set) var lost: [Int64] = []

    init(_ daemon: String, _ places: DaemonContext.Places) async throws {
        peer = Peer(daemon: daemon, path: places.socket(of: daemon))
        peer.onEvent = { [unowned self] in events.append($0) }
        peer.onGap = { [unowned self] in if let count = $0 { lost.append(count) } }
        let failure: RPCError? = await withCheckedContinuation { continuation in
            peer.connectOnce { continuation.resume(returning: $0) }
        }
        if let failure { throw failure }
    }

    func call<Method: RPCMethod>(
        _ method: Method.Type, _ params: Method.Params, deadline: Duration = .seconds(5)
    ) async throws -> Method.Reply {
        let result: Result<Method.Reply, RPCError> = await withCheckedContinuation { continuation in
            peer.call(Method.self, params, deadline: deadline) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// The refusal of a call; nil where it was answered.
    func refusal<Method: RPCMethod>(
        _ method: Method.Type, _ params: Method.Params, deadline: Duration = .seconds(60)
    ) async -> RPCError? {
        do {
            _ = try await call(method, params, deadline: deadline)
            return nil
        } catch { return error as? RPCError }
    }

    /// Waits until `condition` holds, looking every 10 ms, for at most `limit`; says whether it did.
    func eventually(within limit: Duration = .seconds(10), _ condition: @Loop () async throws -> Bool) async rethrows
        -> Bool
    {
        let clock = ContinuousClock()
        let end = clock.now + limit
        while clock.now < end {
            if try await condition() { return true }
            try? await clock.sleep(for: .milliseconds(10))
        }
        return false
    }

    func close() { peer.stop() }
}
