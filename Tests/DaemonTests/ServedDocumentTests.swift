import ConfigDaemon
import Foundation
import HealthDaemon
import MetricsDaemon
import Runtime
import Settings
import Testing
import WatchdogDaemon
import Wire

/// What the real daemons serve is what their documents say.
@Suite struct ServedDocumentTests {
    static let protocols = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Protocols")

    @Test("configd serves its document, and the methods in it")
    func configd() async throws { try await compare(Configd.self) }

    @Test("metricsd serves its document, and the methods in it")
    func metricsd() async throws { try await compare(Metricsd.self) }

    @Test("healthd serves its document, and the methods in it")
    func healthd() async throws { try await compare(Healthd.self) }

    @Test("watchdogd serves its document, and the methods in it")
    func watchdogd() async throws { try await compare(WatchdogDaemon.self) }

    @Test(
        "With MAINSTAY_FAULTS=1 a daemon knows the faults for tests, and without it there are none",
        arguments: [true, false])
    func faults(allowed: Bool) async throws {
        let fixture = try DaemonFixture()
        let daemon = Process()
        daemon.executableURL = CommandRun.built("configd")
        daemon.arguments = [
            "--foreground", "--settings", fixture.places.settings, "--sockets", fixture.places.sockets, "--state",
            fixture.places.state, "--documents", Self.protocols.path,
        ]
        daemon.environment = ["MAINSTAY_FAULTS": allowed ? "1" : "0"]
        daemon.standApart()
        try daemon.run()
        defer { daemon.terminate() }
        let names = ["fault.blockStore", "fault.deadlockCore", "fault.spinCore", "fault.spinLoop"]
        let served = try JSONObject(
            wire: try await json(from: daemon, "rpc.discover", "{}", fixture.places.sockets))
        let documented = try [JSONObject](wire: served["methods"] ?? .null).compactMap { $0["name"]?.text }
        #expect(documented.filter { $0.hasPrefix("fault.") }.sorted() == (allowed ? names : []))
        for name in names {
            // A parameter that it does not take: a fault that is there refuses it, and nothing breaks.
            let reply = try await json(from: daemon, name, #"{"x": 1}"#, fixture.places.sockets)
            let error = try RPCError(wire: try JSONObject(wire: reply)["error"] ?? .null)
            #expect(error.name == (allowed ? "invalidParams" : "methodNotFound"), "\(name)")
        }
    }

    @Test("Protocols/README.md states the limits that the sockets keep")
    func limits() throws {
        let text = try String(contentsOf: Self.protocols.appending(path: "README.md"), encoding: .utf8)
        let limits = Server.Limits()
        #expect(Frame.longestBodyBytes == 1 << 20 && text.contains("| a request | 1 MiB |"))
        #expect(text.contains("| nesting of JSON | \(JSONReader.deepest) |"))
        #expect(limits.connections == 1024 && limits.connectionsPerUser == 64)
        #expect(text.contains("| connections of one user; in all | 64; 1,024 |"))
        #expect(
            limits.unfinishedBytes == 16 << 20 && text.contains("| unfinished frames of all connections | 16 MiB |"))
        #expect(text.contains("| open calls of one connection | \(limits.openCalls) |"))
        #expect(limits.unsentBytes == 256 << 10 && text.contains("| bytes that a reader leaves unread | 256 KiB |"))
        #expect(limits.stalledReader == .seconds(10) && text.contains("closed after 10 s |"))
        #expect(Request.longestDeadlineMs == 3_600_000 && Request.standardDeadlineMs == 5000)
        #expect(text.contains("`deadlineMs`, 1 to 3,600,000, 5,000 where not given"))
    }

    /// What a daemon of its own process answers, asked again until its socket is there.
    private func json(
        from daemon: Process, _ method: String, _ params: String, _ sockets: String
    ) async throws -> JSON {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(20)
        while true {
            let run = try await CommandRun.of(["call", "configd", method, params, "--json"], sockets: sockets)
            if run.status != 3 { return try JSONReader.read(run.output) }
            try #require(clock.now < end && daemon.isRunning, "\(run)")
            try await clock.sleep(for: .milliseconds(20))
        }
    }

    /// Asks the daemon over its socket, without its work having begun: what it registers it registers when it is made.
    private func compare<Program: DaemonProgram>(_ program: Program.Type) async throws {
        let fixture = try DaemonFixture()
        let places = DaemonContext.Places(
            settings: fixture.places.settings, sockets: fixture.places.sockets, state: fixture.places.state,
            documents: Self.protocols.path)
        let file = Self.protocols.appending(path: "\(Program.name).openrpc.json")
        let written = try JSONObject(wire: try JSONReader.read(Array(try Data(contentsOf: file))))
        let all = try [JSONObject](wire: written["methods"] ?? .null)
        let open = all.filter { !($0["name"]?.text ?? "").hasPrefix("fault.") }
        let server = try await serve(
            program, places, try fixture.settings(), Document.read(file.path, withFaults: false))
        let client = try await TestClient(Program.name, fixture.places)
        let served = try await client.call(Common.Discover.self, NoFields())
        #expect(served["methods"] == .array(open.map { .object($0) }), "rpc.discover hides the faults and nothing else")
        for key in written.keys where key != "methods" { #expect(served[key] == written[key], "\(key)") }
        #expect(await server.methods == open.compactMap { $0["name"]?.text }.sorted())
        await client.close()
        await server.close()
    }

    @Loop private func serve<Program: DaemonProgram>(
        _ program: Program.Type, _ places: DaemonContext.Places, _ settings: AllSettings, _ document: JSONObject?
    ) throws -> Server {
        let context = DaemonContext(
            name: Program.name, places: places, log: Log(sink: { _ in }), principals: DaemonFixture.principals)
        let assembly = try Assembly<Program>(context, settings: settings, document: document)
        context.server.listen(on: try ListeningSocket.bind(places.socket(of: Program.name))) { _ in }
        Self.kept.append(assembly)
        return context.server
    }

    /// Daemons live as long as their process; these do too.
    @Loop private static var kept: [AnyObject] = []
}

extension JSON {
    fileprivate var text: String? {
        if case .string(let text) = self { text } else { nil }
    }
}
