import CLinux
import Files
import Glibc
import Synchronization
import Systemd
import Testing
import Time

/// Against a real systemd: a user instance of its own, in a mount namespace that looks booted, with its private socket.
/// Skipped where this is not root or systemd is not installed.
@Suite(.serialized, .enabled(if: PrivateSystemd.isPossible)) struct ProcessOneTests {
    @Test(.timeLimit(.minutes(1))) func `a unit is started, followed, killed, and stopped`() async throws {
        let systemd = try PrivateSystemd()
        defer { systemd.stop() }
        try systemd.install("mainstay-test.service", "[Service]\nExecStart=/bin/sleep 1000\n")
        let thread = try #require(EventThread(name: "test-bus"))
        let (events, feed) = AsyncStream.makeStream(of: ProcessOneEvent.self)
        let one = ProcessOne(on: thread, routes: [systemd.route]) { feed.yield($0) }
        one.follow("mainstay-test.service")
        var reader = events.makeAsyncIterator()
        try await Self.next(&reader) { if case .connected = $0 { true } else { false } }

        let job = try await withCheckedContinuation { done in
            one.start("mainstay-test.service") { done.resume(returning: $0) }
        }.get()
        #expect(job != 0)
        let running = try await Self.nextState(&reader) { $0.subState == "running" && $0.mainPid > 0 }
        #expect(running.loadState == "loaded")
        #expect(running.activeState == "active")
        #expect(running.invocation.count == 32)
        #expect(kill(running.mainPid, 0) == 0)

        try await withCheckedContinuation { done in
            one.kill("mainstay-test.service", .main, signal: SIGKILL) { done.resume(returning: $0) }
        }.get()
        let failed = try await Self.nextState(&reader) { $0.activeState == "failed" }
        #expect(failed.result == "signal")
        #expect(failed.exitStatus == SIGKILL)

        _ = try await withCheckedContinuation { done in
            one.start("mainstay-test.service") { done.resume(returning: $0) }
        }.get()
        let again = try await Self.nextState(&reader) { $0.subState == "running" && $0.mainPid > 0 }
        #expect(again.invocation != running.invocation)
        let stop = try await withCheckedContinuation { done in
            one.stop("mainstay-test.service") { done.resume(returning: $0) }
        }.get()
        try await Self.next(&reader) {
            if case .jobRemoved(stop, "mainstay-test.service", "done") = $0 { true } else { false }
        }
        let stopped = try await Self.nextState(&reader) { $0.job == 0 }
        #expect(stopped.activeState == "inactive")
        #expect(stopped.mainPid == 0)
        one.close()
        thread.stop()
    }

    @Test(.timeLimit(.minutes(1)), arguments: [("/bin/true", "done"), ("/bin/false", "failed")])
    func `a program runs as a unit of its own, and its job tells how it ended`(program: String, result: String)
        async throws
    {
        let systemd = try PrivateSystemd()
        defer { systemd.stop() }
        let thread = try #require(EventThread(name: "test-bus"))
        let (events, feed) = AsyncStream.makeStream(of: ProcessOneEvent.self)
        let one = ProcessOne(on: thread, routes: [systemd.route]) { feed.yield($0) }
        var reader = events.makeAsyncIterator()
        try await Self.next(&reader) { if case .connected = $0 { true } else { false } }
        let hook = ProcessOne.Program(arguments: [program], user: "root", timeout: .seconds(10))
        let job = try await withCheckedContinuation { done in
            one.run(hook, as: "mainstay-hook-test.service") { done.resume(returning: $0) }
        }.get()
        try await Self.next(&reader) { $0 == .jobRemoved(id: job, unit: "mainstay-hook-test.service", result: result) }
        one.close()
        thread.stop()
    }

    @Test(.timeLimit(.minutes(1))) func `each WATCHDOG=1 of a unit moves its last sign of life`() async throws {
        let systemd = try PrivateSystemd()
        defer { systemd.stop() }
        let script = "systemd-notify --ready; while systemd-notify WATCHDOG=1; do sleep 0.05; done"
        try systemd.install(
            "mainstay-beats.service",
            "[Service]\nType=notify\nNotifyAccess=all\nWatchdogSec=30\nExecStart=/bin/sh -c '\(script)'\n")
        let thread = try #require(EventThread(name: "test-bus"))
        let (events, feed) = AsyncStream.makeStream(of: ProcessOneEvent.self)
        let one = ProcessOne(on: thread, routes: [systemd.route]) { feed.yield($0) }
        var reader = events.makeAsyncIterator()
        try await Self.next(&reader) { if case .connected = $0 { true } else { false } }
        func last() async throws -> UInt64 {
            try await withCheckedContinuation { done in
                one.lastKeepalive(of: "mainstay-beats.service") { done.resume(returning: $0) }
            }.get()
        }
        #expect(try await last() == 0)
        let job = try await withCheckedContinuation { done in
            one.start("mainstay-beats.service") { done.resume(returning: $0) }
        }.get()
        try await Self.next(&reader) { $0 == .jobRemoved(id: job, unit: "mainstay-beats.service", result: "done") }
        let first = try await last()
        #expect(first > 0)
        // As many questions as it takes; the test's own time limit ends it where the unit is mute.
        var later = first
        while later == first {
            try Task.checkCancellation()
            later = try await last()
        }
        #expect(later > first)
        one.close()
        thread.stop()
    }

    @Test(.timeLimit(.minutes(1))) func `a call about a unit that is not there fails with systemd's own reason`()
        async throws
    {
        let systemd = try PrivateSystemd()
        defer { systemd.stop() }
        let thread = try #require(EventThread(name: "test-bus"))
        let (events, feed) = AsyncStream.makeStream(of: ProcessOneEvent.self)
        let one = ProcessOne(on: thread, routes: [systemd.route]) { feed.yield($0) }
        var reader = events.makeAsyncIterator()
        try await Self.next(&reader) { if case .connected = $0 { true } else { false } }
        let answer = await withCheckedContinuation { done in
            one.start("mainstay-none.service") { done.resume(returning: $0) }
        }
        #expect(
            throws: ProcessOneFailure(
                name: "org.freedesktop.systemd1.NoSuchUnit", message: "Unit mainstay-none.service not found.")
        ) { try answer.get() }
        one.close()
        thread.stop()
    }

    @Test(.timeLimit(.minutes(1))) func `a stopped process 1 costs a call its deadline and no more`() async throws {
        let systemd = try PrivateSystemd()
        defer { systemd.stop() }
        let thread = try #require(EventThread(name: "test-bus"))
        let (events, feed) = AsyncStream.makeStream(of: ProcessOneEvent.self)
        let one = ProcessOne(on: thread, routes: [systemd.route]) { feed.yield($0) }
        var reader = events.makeAsyncIterator()
        try await Self.next(&reader) { if case .connected = $0 { true } else { false } }
        systemd.signal(SIGSTOP)
        let asked = EventThread.now
        let answer = await withCheckedContinuation { done in
            one.start("mainstay-none.service") { done.resume(returning: $0) }
        }
        #expect(throws: ProcessOneFailure.timedOut) { try answer.get() }
        #expect(EventThread.now - asked < ProcessOne.callDeadline + .seconds(2))
        systemd.signal(SIGCONT)
        one.close()
        thread.stop()
    }

    @Test(.timeLimit(.minutes(1))) func `a unit that process 1 was too busy to show is told when it answers again`()
        async throws
    {
        let systemd = try PrivateSystemd()
        defer { systemd.stop() }
        try systemd.install("mainstay-test.service", "[Service]\nExecStart=/bin/sleep 1000\n")
        let thread = try #require(EventThread(name: "test-bus"))
        let (events, feed) = AsyncStream.makeStream(of: ProcessOneEvent.self)
        let one = ProcessOne(on: thread, routes: [systemd.route]) { feed.yield($0) }
        var reader = events.makeAsyncIterator()
        try await Self.next(&reader) { if case .connected = $0 { true } else { false } }
        // In memory already, as a unit that runs is: nothing new will be signalled of it.
        _ = try await withCheckedContinuation { done in
            one.start("mainstay-test.service") { done.resume(returning: $0) }
        }.get()
        one.follow("mainstay-test.service")
        _ = try await Self.nextState(&reader) { $0.subState == "running" && $0.job == 0 }
        one.unfollow("mainstay-test.service")
        systemd.signal(SIGSTOP)
        one.follow("mainstay-test.service")
        // Until every question about the unit is past its deadline: the load, then the reading, then one call more.
        for _ in 0..<3 {
            let answer = await withCheckedContinuation { done in
                one.lastKeepalive(of: "mainstay-test.service") { done.resume(returning: $0) }
            }
            #expect(throws: ProcessOneFailure.timedOut) { try answer.get() }
        }
        systemd.signal(SIGCONT)
        let state = try await Self.nextState(&reader) { $0.name == "mainstay-test.service" }
        #expect(state.loadState == "loaded")
        one.close()
        thread.stop()
    }

    @Test(.timeLimit(.minutes(1))) func `the next route is taken where the first gives no connection`() async throws {
        let systemd = try PrivateSystemd()
        defer { systemd.stop() }
        let thread = try #require(EventThread(name: "test-bus"))
        let (events, feed) = AsyncStream.makeStream(of: ProcessOneEvent.self)
        let nowhere = ProcessOne.Route(address: "unix:path=/nonexistent/private", isBroker: false)
        let one = ProcessOne(on: thread, routes: [nowhere, systemd.route]) { feed.yield($0) }
        var reader = events.makeAsyncIterator()
        try await Self.next(&reader) { if case .disconnected = $0 { true } else { false } }
        try await Self.next(&reader) { $0 == .connected(systemd.route) }
        one.close()
        thread.stop()
    }

    @Test(.timeLimit(.minutes(1))) func `a test process that crashes leaves no systemd, and nothing holds its output`()
        async throws
    {
        let systemd = try PrivateSystemd()
        let thread = try #require(EventThread(name: "test-bus"))
        let (events, feed) = AsyncStream.makeStream(of: ProcessOneEvent.self)
        let one = ProcessOne(on: thread, routes: [systemd.route]) { feed.yield($0) }
        var reader = events.makeAsyncIterator()
        try await Self.next(&reader) { if case .connected = $0 { true } else { false } }
        let manager = try #require(systemd.pid)
        for process in [systemd.keeper, manager] {
            for output in [STDOUT_FILENO, STDERR_FILENO] {
                #expect(Contents.ofLink("/proc/\(process)/fd/\(output)") == "\(systemd.directory)/output")
            }
        }
        // Frozen, as a test that crashes at the worst moment leaves it.
        systemd.signal(SIGSTOP)
        systemd.letGo()
        var status: Int32 = 0
        #expect(waitpid(systemd.keeper, &status, 0) == systemd.keeper)
        #expect(kill(manager, 0) == -1 && errno == ESRCH)
        #expect(access(systemd.directory, F_OK) == -1)
        one.close()
        thread.stop()
    }

    /// Reads events until one fits.
    private static func next(
        _ reader: inout AsyncStream<ProcessOneEvent>.Iterator, where fits: (ProcessOneEvent) -> Bool
    ) async throws {
        while let event = await reader.next(isolation: #isolation) {
            if fits(event) { return }
        }
        throw CancellationError()
    }

    private static func nextState(
        _ reader: inout AsyncStream<ProcessOneEvent>.Iterator, where fits: (UnitState) -> Bool
    ) async throws -> UnitState {
        var found: UnitState?
        try await next(&reader) { event in
            guard case .unitChanged(let state) = event, fits(state) else { return false }
            found = state
            return true
        }
        return try #require(found)
    }
}

/// A user instance of systemd under a temporary XDG_RUNTIME_DIR. `systemd --user` insists on a booted system, so it
/// sees a /run/systemd of its own.
///
/// It must not outlive the test process, not even one that crashed, and must never hold the pipe on which somebody waits
/// for that process's output. So it writes to a file, and a shell that is its parent ends it when the shell's own
/// standard input does: the kernel closes that with the test process. (PR_SET_PDEATHSIG would do so when the *thread*
/// that started it ends, and threads of Swift's pool come and go.)
final class PrivateSystemd: Sendable {
    let directory: String
    /// The shell that ends systemd.
    let keeper: pid_t
    private let lifeline: Atomic<Int32>

    static var isPossible: Bool {
        getuid() == 0 && access("/usr/lib/systemd/systemd", X_OK) == 0 && access("/usr/bin/unshare", X_OK) == 0
    }

    var route: ProcessOne.Route {
        ProcessOne.Route(address: "unix:path=\(directory)/systemd/private", isBroker: false)
    }

    /// Its pid; nil before it has been started.
    var pid: pid_t? { Contents.firstLine("\(directory)/pid").flatMap { Int32($0) } }

    init() throws {
        var template = Array("/tmp/mainstay-systemd-XXXXXX".utf8CString)
        directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        mkdir("\(directory)/units", 0o700)
        let script = """
            mount -t tmpfs none /run/systemd && mkdir -p /run/systemd/system
            export XDG_RUNTIME_DIR=\(directory) HOME=\(directory) SYSTEMD_UNIT_PATH=\(directory)/units:
            /usr/lib/systemd/systemd --user --log-target=null --unit=basic.target </dev/null &
            echo $! >\(directory)/pid
            read -r nothing
            kill -CONT $!; kill -TERM $!
            wait $!
            rm -rf \(directory)
            """
        var ends: [Int32] = [-1, -1]
        try #require(mainstay_pipe(&ends) == 0)
        defer { close(ends[0]) }
        lifeline = Atomic(ends[1])
        keeper = try start(
            "/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script, input: ends[0],
            output: "\(directory)/output")
    }

    func install(_ name: String, _ text: String) throws {
        let file = open("\(directory)/units/\(name)", O_CREAT | O_WRONLY | O_CLOEXEC, 0o644)
        try #require(file >= 0)
        #expect(text.withCString { write(file, $0, strlen($0)) } == text.utf8.count)
        close(file)
    }

    func signal(_ signal: Int32) {
        if let pid { kill(pid, signal) }
    }

    /// What the end of the test process comes to: from here on the keeper ends systemd.
    func letGo() {
        let end = lifeline.exchange(-1, ordering: .relaxed)
        if end >= 0 { close(end) }
    }

    func stop() {
        letGo()
        var status: Int32 = 0
        waitpid(keeper, &status, 0)
    }
}
