import CLinux
import Glibc
import NIOCore
import NIOPosix
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

/// What watchdogd reads of real processes and asks of real sockets.
@Suite struct WatchdogEffectsTests {
    @Test func `a spinning main thread shows CPU and no calls, a stopped one its state`() throws {
        let child = try Child("/bin/sh", "-c", "while :; do :; done")
        defer { child.end() }
        var reader = ProcessReader()
        let identity = try child.identity()
        let before = try reader.progress(identity, port: nil)
        var after = before
        let end = EventThread.now + .seconds(10)
        while after.userCpuMs - before.userCpuMs < 50, EventThread.now < end {
            after = try reader.progress(identity, port: nil)
        }
        #expect(after.userCpuMs - before.userCpuMs >= 50)
        #expect(after.state == "R")
        #expect(after.writeCalls == before.writeCalls)
        #expect(after.threads == 1)
        kill(child.pid, SIGSTOP)
        while try reader.progress(identity, port: nil).state != "T" {}
        let resources = try reader.resources(identity)
        #expect(try #require(resources.residentBytes) > 100_000)
        #expect(try #require(resources.openFiles) >= 1)
        #expect(try #require(resources.openFilesLimit) >= 256)
    }

    @Test func `a pid that is another process's by now is not read`() throws {
        let child = try Child("/bin/cat")
        defer { child.end() }
        var reader = ProcessReader()
        var identity = try child.identity()
        identity.startTicks += 1
        #expect(throws: ProcessReader.Gone.self) { try reader.progress(identity, port: nil) }
    }

    @Test func `descriptors kept open never read as a later process`() throws {
        let child = try Child("/bin/cat")
        var reader = ProcessReader()
        let identity = try child.identity()
        _ = try reader.progress(identity, port: nil)
        child.end()
        #expect(throws: ProcessReader.Gone.self) { try reader.progress(identity, port: nil) }
    }

    @Test func `connections that nobody accepts are counted at their port`() throws {
        let listener = try Listener()
        let clients = try (0..<3).map { _ in try listener.connect() }
        defer { for client in clients { close(client) } }
        var kernel = InetDiag()
        #expect(AcceptQueues.waiting(port: listener.port, &kernel) == 3)
        #expect(AcceptQueues.waiting(port: listener.port, in: getpid()) == 3)
        #expect(AcceptQueues.waiting(port: 1, &kernel) == nil)
    }

    @Test func `an answer counts when it is written, on a connection old or new, and not when it is only read`() throws
    {
        let listener = try Listener()
        let clients = try (0..<2).map { _ in try listener.connect() }
        let served = (0..<2).map { _ in accept(listener.descriptor, nil, nil) }
        defer { for descriptor in clients + served { close(descriptor) } }
        var kernel = InetDiag()
        var answers = AnswersWritten()
        func total(atMs time: Int64) -> Int64 {
            let sockets = kernel.sockets(
                port: listener.port, [.established, .closeWait, .finWait1, .finWait2], withBytes: true)
            answers.looked(sockets ?? [], at: Instant(nanoseconds: time * 1_000_000))
            return answers.total
        }
        _ = send(served[0], "early", 5, 0)
        #expect(total(atMs: 0) == 0, "the first look only begins")
        _ = send(clients[0], "question", 8, 0)
        #expect(total(atMs: 2000) == 0, "a question is no answer")
        _ = send(served[0], "answer", 6, 0)
        #expect(total(atMs: 4000) == 1)
        #expect(total(atMs: 6000) == 1, "once")
        _ = send(served[1], "answer", 6, 0)
        #expect(total(atMs: 60_000) == 1, "after a long pause a look only begins")
    }

    @Test func `evidence names each thread with its wait, the open files by kind, and the state`() throws {
        let child = try Child("/bin/cat")
        defer { child.end() }
        kill(child.pid, SIGSTOP)
        var reader = ProcessReader()
        while try reader.progress(child.identity(), port: nil).state != "T" {}
        let bundle = Evidence.gather(
            try child.identity(), .test, Evidence.Bounds(time: .milliseconds(500), bytes: 64 << 20))
        let isComplete = bundle.isComplete
        #expect(isComplete)
        #expect(bundle.took <= .milliseconds(500))
        #expect(bundle.facts["state"] == "T")
        #expect(bundle.facts["threads"] == "1 T")
        guard case .object(let object) = try JSONReader.read(bundle.bytes),
            case .array(let threads)? = object["threads"],
            case .object(let thread)? = threads.first, case .object(let files)? = object["openFiles"]
        else {
            Issue.record("no object with threads")
            return
        }
        #expect(thread["name"] == "cat")
        #expect(thread["wchan"] == .string(bundle.facts["wchan"] ?? ""))
        #expect(bundle.facts["wchan"]?.isEmpty == false)
        #expect(files["kinds"] != nil)
        #expect(object["incident"] == "i-1")
    }

    @Test func `evidence without time left says what is missing`() throws {
        let bundle = Evidence.gather(
            ProcessIdentity(pid: getpid(), startTicks: 1), .test, Evidence.Bounds(time: .zero, bytes: 64 << 20))
        let isComplete = bundle.isComplete
        #expect(!isComplete)
        guard case .object(let object) = try JSONReader.read(bundle.bytes),
            case .array(let missing)? = object["missing"]
        else {
            Issue.record("no list of what is missing")
            return
        }
        #expect(missing.first == "threads")
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ProbeResult.good(detail: "200")),
        ("HTTP/1.1 204 No Content\r\n\r\n", .good(detail: "204")),
        (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            .wrong(detail: "503 Service Unavailable")
        ),
        ("", .wrong(detail: "closed without an answer")),
    ])
    func `an HTTP probe is judged by the status`(answer: String, expected: ProbeResult) async throws {
        let listener = try Listener()
        let result = await ProbeCase.run(
            .http(HTTPEndpoint(host: "localhost", port: Int(listener.port), target: "/health"))
        ) { _ in
            listener.answer(answer)
        }
        #expect(result.result == expected)
        #expect(result.open == 0)
    }

    @Test func `an answer that is no HTTP is wrong`() async throws {
        let listener = try Listener()
        let target = LivenessSettings.Probe.http(
            HTTPEndpoint(host: "localhost", port: Int(listener.port), target: "/health"))
        let result = await ProbeCase.run(target) { _ in listener.answer("SSH-2.0-OpenSSH_9.2\r\n\r\n") }
        guard case .wrong = result.result else {
            Issue.record("\(String(describing: result.result))")
            return
        }
    }

    @Test func `a port on which nobody listens is refused`() async throws {
        let port = try Listener().port
        let result = await ProbeCase.run(.tcp(TCPEndpoint(host: "127.0.0.1", port: Int(port)))) { _ in }
        #expect(result.result == .refused)
    }

    @Test func `a TCP probe is good when its connection is taken`() async throws {
        let listener = try Listener()
        let result = await ProbeCase.run(.tcp(TCPEndpoint(host: "127.0.0.1", port: Int(listener.port)))) { _ in }
        #expect(result.result == .good(detail: "connected"))
    }

    @Test func `a socket file that is not there is refused`() async throws {
        let result = await ProbeCase.run(.unix(path: "/nonexistent/socket")) { _ in }
        #expect(result.result == .refused)
    }

    @Test func `what process 1 did not say itself is no refusal of its`() {
        let own = ProcessOneFailure(name: "mainstay.NotSent", message: "StartUnit: Transport endpoint is not connected")
        for failure in [.timedOut, .notConnected, .disconnected, own] {
            #expect(SystemdControl.callResult(failure) == .timedOut, "\(failure.name)")
        }
        let refused = ProcessOneFailure(name: "org.freedesktop.systemd1.UnitMasked", message: "masked")
        #expect(SystemdControl.callResult(refused) == .failed("org.freedesktop.systemd1.UnitMasked"))
    }

    @Test func `an answer long after the timeout is still heard`() async throws {
        let listener = try Listener()
        let target = LivenessSettings.Probe.http(
            HTTPEndpoint(host: "localhost", port: Int(listener.port), target: "/health"))
        // The listener answers a connection that waited in its queue: the probe itself knows no timeout.
        let result = await ProbeCase.run(target) { sent in
            while EventThread.now - sent < .milliseconds(30) {}
            listener.answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        #expect(result.result == .good(detail: "200"))
    }
}

/// A program of the system, as this test's child.
final class Child: Sendable {
    let pid: pid_t
    private let input: Int32
    private let isOver = Atomic<Bool>(false)

    init(_ path: String, _ arguments: String...) throws {
        var pipes: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pipes) == 0)
        defer { close(pipes[0]) }
        input = pipes[1]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, pipes[0], 0)
        for output in [STDOUT_FILENO, STDERR_FILENO] {
            posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0)
        }
        // Threads of Swift's pool block most signals, and a child would inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var started: pid_t = 0
        let vector: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for item in vector { free(item) } }
        try #require(posix_spawn(&started, path, &actions, &attributes, vector, Glibc.environ) == 0)
        pid = started
    }

    func identity() throws -> ProcessIdentity {
        ProcessIdentity(pid: pid, startTicks: try #require(ProcessStart.ticks(of: pid)))
    }

    /// Kills and reaps it.
    func end() {
        guard !isOver.exchange(true, ordering: .relaxed) else { return }
        close(input)
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }
}

/// A listening socket on a port of its own, which accepts when it is told to.
final class Listener: Sendable {
    let port: UInt16
    let descriptor: Int32

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = descriptor
        var address = Self.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        port = try withUnsafeMutablePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                try #require(bind(descriptor, name, length) == 0)
                try #require(getsockname(descriptor, name, &length) == 0)
            }
            return UInt16(bigEndian: pointer.pointee.sin_port)
        }
        try #require(listen(descriptor, 16) == 0)
    }

    deinit { close(descriptor) }

    /// Accepts one connection, reads its request, sends `text`, and closes.
    func answer(_ text: String) {
        let connection = accept(descriptor, nil, nil)
        var request = [UInt8](repeating: 0, count: 4096)
        _ = recv(connection, &request, request.count, 0)
        _ = text.withCString { send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
        shutdown(connection, Int32(SHUT_WR))
        // The rest of what the client says is read, so that closing does not reset what was sent.
        while recv(connection, &request, request.count, 0) > 0 {}
        close(connection)
    }

    func connect() throws -> Int32 {
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = Self.loopback(port: port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0)
        return client
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        return address
    }
}

/// One probe, with the other side played by a thread of its own.
@Loop enum ProbeCase {
    static func run(
        _ target: LivenessSettings.Probe, other: @escaping @Sendable (_ sent: Instant) -> Void
    ) async -> (result: ProbeResult, open: Int) {
        let probes = Probes()
        let player = Worker(name: "other-side", make: {})
        let sent = EventThread.now
        player.submit { _ in other(sent) }
        let result: ProbeResult = await withCheckedContinuation { done in
            probes.start(ProbeID(1), of: "test", target, patience: .seconds(30)) { done.resume(returning: $0) }
        }
        return (result, probes.count)
    }
}

extension Evidence.Context {
    static let test = Evidence.Context(
        service: "test", incident: "i-1", atMs: 1, controlGroup: "", report: .null)
}
