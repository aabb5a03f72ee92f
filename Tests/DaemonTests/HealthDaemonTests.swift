import CLinux
import Foundation
import Glibc
import HealthAPI
import HealthDaemon
import Runtime
import Settings
import Store
import Testing
import Time
import Wire

/// Real programs on loopback ports of their own, ended with the test.
private final class RealPrograms {
    let folder: String
    private var processes: [Process] = []
    private var sockets: [CInt] = []

    init(folder: String) { self.folder = folder }

    /// Ends them all. Called at the end of each test, so that nothing ends them before.
    func end() {
        for process in processes where process.isRunning { kill(process.processIdentifier, SIGKILL) }
        for process in processes { process.waitUntilExit() }
        for socket in sockets { close(socket) }
        (processes, sockets) = ([], [])
    }

    @discardableResult
    private func run(_ path: String, _ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standApart()
        try process.run()
        processes.append(process)
        return process
    }

    /// nginx that answers /good with 200 and a body, /bad with 503, /empty with 204.
    func nginx() throws -> Int {
        let port = try freePort()
        let config = """
            daemon off; master_process off; pid \(folder)/nginx.pid; error_log /dev/null;
            events { worker_connections 64; }
            http { access_log off; client_body_temp_path \(folder)/b; proxy_temp_path \(folder)/p;
              fastcgi_temp_path \(folder)/f; uwsgi_temp_path \(folder)/u; scgi_temp_path \(folder)/s;
              server { listen 127.0.0.1:\(port);
                location = /good { return 200 "all is well\\n"; }
                location = /bad { return 503; }
                location = /empty { return 204; } } }
            """
        try config.write(toFile: "\(folder)/nginx.conf", atomically: true, encoding: .utf8)
        try run("/usr/sbin/nginx", ["-c", "\(folder)/nginx.conf"])
        return port
    }

    /// redis-server without a file on disk.
    func redis() throws -> (port: Int, process: Process) {
        let port = try freePort()
        let process = try run(
            "/usr/bin/redis-server", ["--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--dir", folder])
        return (port, process)
    }

    /// A listener that takes connections into its backlog and never says a word.
    func silentListener() throws -> Int {
        let (socket, port) = try boundSocket()
        guard listen(socket, 64) == 0 else { throw Errno() }
        sockets.append(socket)
        return port
    }

    /// A port that nobody listens on.
    func freePort() throws -> Int {
        let (socket, port) = try boundSocket()
        close(socket)
        return port
    }

    private func boundSocket() throws -> (CInt, Int) {
        let socket = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(socket, generic, length) == 0 && getsockname(socket, generic, &length) == 0
            }
        }
        guard bound else { throw Errno() }
        return (socket, Int(UInt16(bigEndian: address.sin_port)))
    }

    struct Errno: Error { let code = errno }
}

@Suite("healthd on real programs", .serialized) struct HealthDaemonTests {
    /// The times of a check that is settled quickly.
    private static let quick = "interval: 200ms\n    timeout: 150ms\n    failureThreshold: 2"

    private func check(_ fixture: borrowing DaemonFixture, _ yaml: String, service: String = "web") throws {
        try fixture.writeService(service, "unit: \(service).service\n" + yaml)
    }

    private func health(_ client: TestClient) async throws -> HealthStatus {
        try await client.call(Health.self, ServiceQuery(service: nil))
    }

    /// Waits until each named check is settled as said, and answers their results.
    private func settle(
        _ client: TestClient, _ wanted: [String: Verdict], saying messages: [String: String] = [:]
    ) async throws -> [String: CheckResult] {
        var seen: [String: CheckResult] = [:]
        let isSettled = try await client.eventually {
            let checks = try await client.call(Checks.self, .init()).checks
            seen = Dictionary(checks.map { ($0.config.name, $0.result) }) { first, _ in first }
            return checks.allSatisfy { $0.result.rounds > 0 || $0.config.type == .custom }
                && wanted.allSatisfy { seen[$0.key]?.status == $0.value }
                && messages.allSatisfy { seen[$0.key]?.message == $0.value }
        }
        #expect(isSettled, "\(seen.mapValues { "\($0.status) \($0.message)" })")
        return seen
    }

    @Test("HTTP checks of a real nginx: status, body, refusal, and a listener that hangs, each by its own words")
    func http() async throws {
        let fixture = try DaemonFixture()
        let programs = RealPrograms(folder: fixture.root)
        defer { programs.end() }
        let nginx = try programs.nginx()
        let silent = try programs.silentListener()
        let nobody = try programs.freePort()
        try check(
            fixture,
            """
            checks:
              - name: good
                http: http://127.0.0.1:\(nginx)/good
                expectBody: is well
                \(Self.quick)
              - name: empty
                http: http://localhost:\(nginx)/empty
                \(Self.quick)
              - name: other
                http: http://127.0.0.1:\(nginx)/good
                expectBody: is broken
                critical: false
                \(Self.quick)
              - name: bad
                http: http://127.0.0.1:\(nginx)/bad
                \(Self.quick)
              - name: silent
                http: http://127.0.0.1:\(silent)/
                \(Self.quick)
              - name: nobody
                http: http://127.0.0.1:\(nobody)/
                \(Self.quick)
            """)
        let daemon = try await fixture.start(Healthd.self)
        let client = try await TestClient("healthd", fixture.places)
        let seen = try await settle(
            client,
            [
                "good": .ok, "empty": .ok, "other": .critical, "bad": .critical, "silent": .critical,
                "nobody": .critical,
            ],
            // On a busy host a round of any of them may be late once.
            saying: [
                "good": "200 OK", "other": "200 OK, but the body does not hold \"is broken\"",
                "bad": "503 Service Unavailable", "silent": "no answer within 150 ms", "nobody": "connection refused",
            ])
        #expect(try #require(seen["good"]?.latencyMs) < 150)
        #expect(try await health(client).status == .unhealthy)
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Test("A real Redis that is stopped, killed and started again: status, gate, one alert, its end, by events")
    func dependency() async throws {
        let fixture = try DaemonFixture()
        let programs = RealPrograms(folder: fixture.root)
        defer { programs.end() }
        let (nginx, redis) = (try programs.nginx(), try programs.redis())
        try check(
            fixture,
            """
            checks:
              - name: front
                http: http://127.0.0.1:\(nginx)/good
                \(Self.quick)
            dependencies:
              - name: redis
                tcp: 127.0.0.1:\(redis.port)
                \(Self.quick)
            """)
        let daemon = try await fixture.start(Healthd.self)
        let client = try await TestClient("healthd", fixture.places)
        _ = try await client.call(Common.Subscribe.self, .init())
        #expect(try await client.eventually { try await health(client).status == .healthy })
        #expect(try await client.call(Gate.self, .init(service: "web")).allowed)
        #expect(try await client.call(Alerts.self, .init()).alerts.isEmpty)
        kill(redis.process.processIdentifier, SIGKILL)
        #expect(try await client.eventually { try await health(client).status == .degraded })
        let gate = try await client.call(Gate.self, .init(service: "web"))
        #expect(!gate.allowed)
        #expect(gate.reason == "redis is down: connection refused")
        let status = try await health(client)
        #expect(status.cause == "redis: connection refused")
        let alerts = try await client.call(Alerts.self, .init()).alerts
        #expect(alerts.map(\.kind) == ["dependency:redis"])
        #expect(alerts.first?.incident != nil && alerts.first?.incident == status.incident)
        let dependencies = try await client.call(CheckDependencyHealth.self, ServiceQuery(service: "web"))
        #expect(dependencies.dependencies["redis"]?.status == .unhealthy)
        let again = Process()
        again.executableURL = URL(fileURLWithPath: "/usr/bin/redis-server")
        again.arguments = ["--port", "\(redis.port)", "--bind", "127.0.0.1", "--save", ""]
        again.standApart()
        try again.run()
        #expect(try await client.eventually { try await health(client).status == .healthy })
        kill(again.processIdentifier, SIGKILL)
        let names = await client.events.map(\.name)
        #expect(names.filter { $0 == HealthEvents.alertRaised }.count == 1)
        #expect(names.filter { $0 == HealthEvents.alertResolved }.count == 1)
        #expect(names.contains(HealthEvents.checkChanged) && names.contains(HealthEvents.statusChanged))
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Test("Commands: each exit status, a signal, a missing program, and a thousand times more output than is kept")
    func commands() async throws {
        let fixture = try DaemonFixture()
        let shell = { (name: String, script: String) in
            """
              - name: \(name)
                command: [/bin/sh, -c, '\(script)']
                user: nobody
                interval: 1s
                timeout: 900ms
                failureThreshold: 1

            """
        }
        var yaml = "checks:\n"
        yaml += shell("ok", "echo fine; exit 0") + shell("warning", "echo hm; exit 1")
        yaml += shell("critical", "echo broken; exit 2") + shell("unknown", "exit 3")
        yaml += shell("seven", "echo odd >&2; exit 7") + shell("signal", "kill -9 $$")
        yaml += shell("who", "echo $(id -un) $(grep -E \"Cap(Prm|Eff|Bnd|Amb)|NoNew\" /proc/self/status)")
        yaml += shell("yields", "nice")
        yaml += """
              - name: missing
                command: [/nowhere/program]
                user: nobody
                interval: 1s
                timeout: 900ms
                failureThreshold: 1
              - name: loud
                command: [/bin/sh, -c, 'echo first; head -c 67108864 /dev/zero']
                user: nobody
                interval: 2s
                timeout: 1900ms
                failureThreshold: 1
            """
        try check(fixture, yaml)
        let daemon = try await fixture.start(Healthd.self)
        let client = try await TestClient("healthd", fixture.places)
        let seen = try await settle(
            client,
            [
                "ok": .ok, "warning": .warning, "critical": .critical, "seven": .critical, "signal": .critical,
                "who": .ok, "loud": .ok, "yields": .ok,
            ])
        #expect(seen["ok"]?.message == "fine")
        #expect(seen["critical"]?.message == "broken")
        #expect(seen["unknown"]?.status == .unknown && seen["unknown"]?.last == .unknown)
        #expect(seen["seven"]?.message == "exit status 7: odd")
        #expect(seen["signal"]?.message == "killed by signal 9: no output")
        #expect(seen["missing"]?.last == .unknown)
        #expect(seen["missing"]?.message.hasPrefix("it could not be run") == true)
        let none = "0000000000000000"
        #expect(
            seen["who"]?.message
                == "nobody CapPrm: \(none) CapEff: \(none) CapBnd: \(none) CapAmb: \(none) NoNewPrivs: 1")
        #expect(seen["loud"]?.message == "first")
        #expect((seen["yields"].flatMap { Int($0.message) } ?? 0) >= 10)
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Test("A command that forks and never ends is killed with all its children, and status is answered meanwhile")
    func forkingCommand() async throws {
        let fixture = try DaemonFixture()
        let mark = "31536\(getpid() % 1000)"
        try check(
            fixture,
            """
            checks:
              - name: forks
                command: [/bin/sh, -c, 'sleep \(mark) & sleep \(mark) & sleep \(mark)']
                user: nobody
                interval: 1s
                timeout: 300ms
                failureThreshold: 1
              - name: leaves
                command: [/bin/sh, -c, 'sleep \(mark) & echo left']
                user: nobody
                interval: 1s
                timeout: 900ms
                failureThreshold: 1
            """)
        let daemon = try await fixture.start(Healthd.self)
        let client = try await TestClient("healthd", fixture.places)
        let seen = try await settle(client, ["forks": .critical, "leaves": .ok])
        #expect(seen["forks"]?.message == "no answer within 300 ms")
        #expect(seen["leaves"]?.message == "left")
        let begun = ContinuousClock.now
        let status = try await client.call(Common.Status<HealthdStatus>.self, NoFields())
        #expect(ContinuousClock.now - begun < .seconds(1))
        #expect(status.own.services.first?.status == .unhealthy)
        await DaemonFixture.stop(daemon)
        #expect(await client.eventually { Self.processes(with: mark) == 0 })
        await client.close()
    }

    @Test("A hundred rounds of commands leave no descriptor, no child and no zombie behind")
    func nothingLeft() async throws {
        let fixture = try DaemonFixture()
        let checks = (0..<5).map { number in
            "  - name: c\(number)\n    command: [/bin/echo, x]\n    user: nobody\n    interval: 200ms\n    timeout: 200ms\n"
        }
        try check(fixture, "checks:\n" + checks.joined())
        let daemon = try await fixture.start(Healthd.self)
        let client = try await TestClient("healthd", fixture.places)
        func rounds() async throws -> Int64 {
            try await client.call(Checks.self, .init()).checks.reduce(0) { $0 + $1.result.rounds }
        }
        #expect(try await client.eventually { try await rounds() > 5 })
        let (begun, pipesBefore) = (try await rounds(), Self.openPipes())
        #expect(try await client.eventually(within: .seconds(30)) { try await rounds() > begun + 100 })
        await DaemonFixture.stop(daemon)
        #expect(await client.eventually { Self.openPipes() <= pipesBefore && Self.zombies() == 0 })
        await client.close()
    }

    /// Pipes that this process has open.
    private static func openPipes() -> Int {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return files.filter { file in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(file)")
            return target?.hasPrefix("pipe:") == true
        }.count
    }

    /// Children of this process that ended and were not waited for.
    private static func zombies() -> Int {
        let pids = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return pids.filter { pid in
            guard Int(pid) != nil, let stat = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else {
                return false
            }
            let fields = String(decoding: stat, as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
            return fields.count > 1 && fields[0] == "Z" && fields[1] == "\(getpid())"
        }.count
    }

    /// Processes that have `text` among their arguments.
    private static func processes(with text: String) -> Int {
        let pids = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return pids.filter { pid in
            guard Int(pid) != nil, pid != "\(getpid())",
                let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline")
            else { return false }
            return String(decoding: line, as: UTF8.self).contains(text)
        }.count
    }

    @Test("A registered check is kept over a restart, and so are alerts; a bad one is refused with its member")
    func registered() async throws {
        let fixture = try DaemonFixture()
        let programs = RealPrograms(folder: fixture.root)
        defer { programs.end() }
        let (nginx, nobody) = (try programs.nginx(), try programs.freePort())
        try check(fixture, "checks:\n  - name: front\n    http: http://127.0.0.1:\(nginx)/good\n    \(Self.quick)\n")
        var daemon = try await fixture.start(Healthd.self)
        var client = try await TestClient("healthd", fixture.places)
        let extra = HealthCheckConfig(
            name: "extra", type: .tcp, endpoint: "127.0.0.1:\(nobody)", timeout: 150, interval: 200, failureThreshold: 1
        )
        let push = HealthCheckConfig(name: "backup", type: .custom, interval: 60_000, failureThreshold: 1)
        #expect(try await !client.call(RegisterHealthCheck.self, .init(service: "web", check: extra)).replaced)
        #expect(try await client.call(RegisterHealthCheck.self, .init(service: "web", check: extra)).replaced)
        _ = try await client.call(RegisterHealthCheck.self, .init(service: "web", check: push))
        _ = try await client.call(ReportCheck.self, .init(service: "web", name: "backup", status: .ok, message: "done"))
        _ = try await settle(client, ["front": .ok, "extra": .critical, "backup": .ok])
        var secure = extra
        secure.type = .http
        secure.endpoint = "https://127.0.0.1/"
        do {
            _ = try await client.call(RegisterHealthCheck.self, .init(service: "web", check: secure))
            Issue.record("https was taken")
        } catch let error as RPCError {
            #expect(error.name == "invalidCheck" && error.message.contains("without TLS"))
        }
        let before = try await client.call(Alerts.self, .init()).alerts
        #expect(before.map(\.kind) == ["unhealthy"])
        await client.close()
        await DaemonFixture.stop(daemon)
        unlink(fixture.places.socket(of: "healthd"))
        daemon = try await fixture.start(Healthd.self)
        client = try await TestClient("healthd", fixture.places)
        #expect(try await client.call(Alerts.self, .init()).alerts.map(\.id) == before.map(\.id))
        let seen = try await settle(client, ["front": .ok, "extra": .critical])
        #expect(seen["backup"]?.status == .unknown)
        _ = try await client.call(RemoveHealthCheck.self, .init(service: "web", name: "extra"))
        _ = try await client.call(RemoveHealthCheck.self, .init(service: "web", name: "backup"))
        #expect(try await client.eventually { try await health(client).status == .healthy })
        #expect(try await client.call(Alerts.self, .init()).alerts.isEmpty)
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Test("A reload adds and takes away checks, and leaves the others as they are")
    func reload() async throws {
        let fixture = try DaemonFixture()
        let programs = RealPrograms(folder: fixture.root)
        defer { programs.end() }
        let nginx = try programs.nginx()
        let front = "  - name: front\n    http: http://127.0.0.1:\(nginx)/good\n    \(Self.quick)\n"
        let bad = "  - name: bad\n    http: http://127.0.0.1:\(nginx)/bad\n    \(Self.quick)\n"
        try check(fixture, "checks:\n" + front)
        let daemon = try await fixture.start(Healthd.self)
        let client = try await TestClient("healthd", fixture.places)
        let before = try await settle(client, ["front": .ok])
        try check(fixture, "checks:\n" + front + bad)
        await daemon.reload(.success(try fixture.settings()))
        let during = try await settle(client, ["front": .ok, "bad": .critical])
        #expect(during["front"]?.sinceMs == before["front"]?.sinceMs)
        #expect(try await health(client).status == .unhealthy)
        try check(fixture, "checks:\n" + front)
        await daemon.reload(.success(try fixture.settings()))
        #expect(try await health(client).status == .healthy)
        #expect(try await client.call(Alerts.self, .init()).alerts.isEmpty)
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Test("Without metricsd what a service uses is unknown, said within a second or so, and so is the reason")
    func usage() async throws {
        let fixture = try DaemonFixture()
        try check(fixture, "liveness:\n  heartbeat: true\n")
        let daemon = try await fixture.start(Healthd.self)
        let client = try await TestClient("healthd", fixture.places)
        let begun = ContinuousClock.now
        let usage = try await client.call(GetResourceUsage.self, ServiceQuery())
        #expect(ContinuousClock.now - begun < .seconds(2))
        #expect(usage.service == "web" && usage.unknown.count == 12)
        #expect(usage.reason?.hasPrefix("metricsd does not answer") == true)
        #expect(try await health(client).status == .unknown)
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Test("watchdogd's pages are alerts with its incident, once each")
    func raised() async throws {
        let fixture = try DaemonFixture()
        try check(fixture, "liveness:\n  heartbeat: true\n")
        let daemon = try await fixture.start(Healthd.self)
        let client = try await TestClient("healthd", fixture.places)
        let page = Raise.Params(
            service: "web", kind: "budgetEmpty", severity: .operator, summary: "web needs a person", incident: "w1",
            openedAtMs: 1)
        let first = try await client.call(Raise.self, page)
        #expect(first.incident == "w1")
        #expect(try await client.call(Raise.self, page).id == first.id)
        let alerts = try await client.call(Alerts.self, .init()).alerts
        #expect(alerts.map(\.count) == [2])
        #expect(alerts.map(\.source) == ["watchdogd"])
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Test("A stop waits until what is to be kept is on disk")
    func stopKeeps() async throws {
        let fixture = try DaemonFixture()
        try check(fixture, "liveness:\n  heartbeat: true\n")
        let daemon = try await fixture.start(Healthd.self)
        let client = try await TestClient("healthd", fixture.places)
        let disk = try Store(path: "\(fixture.places.state)/healthd/health.db")
        // Another's lock stands for a disk that takes its time.
        try disk.execute("BEGIN IMMEDIATE")
        _ = try await client.call(
            Raise.self, Raise.Params(service: "web", kind: "k", severity: .critical, summary: "s"))
        async let stopping: Void = DaemonFixture.stop(daemon)
        try await Task.sleep(for: .milliseconds(300))
        try disk.execute("COMMIT")
        await stopping
        #expect(try disk.integer("SELECT count(*) FROM alert") == 1)
        await client.close()
    }
}
