import CLinux
import Glibc
import Synchronization
import Systemd
import Testing
import Time

@Suite struct EventThreadTests {
    @Test func `posted work runs in order, on one thread`() async throws {
        let thread = try #require(EventThread(name: "test-events"))
        let numbers = await withCheckedContinuation { done in
            let seen = Box([Int]())
            for number in 0..<1000 {
                thread.post { seen.change { $0.append(number) } }
            }
            thread.post {
                thread.checkIsolated()
                done.resume(returning: seen.value)
            }
        }
        #expect(numbers == Array(0..<1000))
        thread.stop()
    }

    @Test func `timers fire in the order of their deadlines, and a cancelled one never does`() async throws {
        let thread = try #require(EventThread(name: "test-events"))
        let fired = await withCheckedContinuation { done in
            thread.post {
                let seen = Box([String]())
                thread.after(.milliseconds(6)) { done.resume(returning: seen.value) }
                thread.after(.milliseconds(4)) { seen.change { $0.append("second") } }
                let cancelled = thread.after(.milliseconds(3)) { seen.change { $0.append("cancelled") } }
                thread.after(.milliseconds(2)) { seen.change { $0.append("first") } }
                thread.cancel(cancelled)
            }
        }
        #expect(fired == ["first", "second"])
        thread.stop()
    }

    @Test func `a timer that cancels another due in the same turn wins`() async throws {
        let thread = try #require(EventThread(name: "test-events"))
        let fired = await withCheckedContinuation { done in
            thread.post {
                let seen = Box([String]())
                let now = EventThread.now
                let second = Box(TimerID?.none)
                thread.at(now) {
                    seen.change { $0.append("first") }
                    if let id = second.value { thread.cancel(id) }
                }
                let id = thread.at(now + .nanoseconds(1)) { seen.change { $0.append("second") } }
                second.change { $0 = id }
                thread.after(.milliseconds(2)) { done.resume(returning: seen.value) }
            }
        }
        #expect(fired == ["first"])
        thread.stop()
    }

    @Test func `the end of a process that is a zombie already is told, and of one that is gone`() async throws {
        let thread = try #require(EventThread(name: "test-events"))
        let exits = ProcessExits(on: thread)
        let child = try start("/bin/true")
        // A zombie from here on: this test reaps it only after it was told.
        var information = siginfo_t()
        #expect(waitid(P_PID, id_t(child), &information, WEXITED | WNOWAIT) == 0)
        let zombie = await withCheckedContinuation { done in exits.watch(child) { done.resume(returning: $0) } }
        #expect(zombie == child)
        var status: Int32 = 0
        #expect(waitpid(child, &status, 0) == child)
        let gone = await withCheckedContinuation { done in exits.watch(child) { done.resume(returning: $0) } }
        #expect(gone == child)
        thread.stop()
    }

    @Test(.timeLimit(.minutes(1)))
    func `what is posted after the end is dropped, and no descriptor is written to that is not the thread's`()
        async throws
    {
        let thread = try #require(EventThread(name: "test-events"))
        thread.stop()
        while !thread.isOver { await Task.yield() }
        // These take the lowest numbers that are free, the thread's old ones among them.
        let heirs = (0..<64).map { _ in eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)) }
        defer { for heir in heirs { close(heir) } }
        thread.post { Issue.record("it ran") }
        #expect(thread.load.waiting == 0)
        for heir in heirs {
            var count: eventfd_t = 0
            #expect(eventfd_read(heir, &count) == -1, "somebody wrote \(count)")
        }
    }

    @Test func `a kill is noticed within milliseconds`() async throws {
        let thread = try #require(EventThread(name: "test-events"))
        let exits = ProcessExits(on: thread)
        let child = try start("/bin/sleep", "100")
        let killed = Box(Instant.zero)
        let noticed = await withCheckedContinuation { done in
            exits.watch(child) { _ in done.resume(returning: EventThread.now) }
            thread.post {
                killed.change { $0 = EventThread.now }
                kill(child, SIGKILL)
            }
        }
        var status: Int32 = 0
        waitpid(child, &status, 0)
        // 54 us at the median on an idle machine; this one may be building.
        #expect(noticed - killed.value < .milliseconds(200))
        thread.stop()
    }
}

/// A value shared with callbacks of another thread.
final class Box<Value: Sendable>: Sendable {
    private let state: Mutex<Value>
    init(_ value: Value) { state = Mutex(value) }
    var value: Value { state.withLock { $0 } }
    func change(_ body: (inout sending Value) -> Void) { state.withLock { body(&$0) } }
}

/// Starts a program of the system as this test's child. It shares no standard stream with the test process, so that one
/// that is left over cannot hold the pipe of whoever runs the tests.
func start(_ path: String, _ arguments: String..., input: Int32? = nil, output: String = "/dev/null") throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let input {
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
    } else {
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    }
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
    var pid: pid_t = 0
    var vector: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    defer { for item in vector { free(item) } }
    let result = posix_spawn(&pid, path, &actions, nil, &vector, Glibc.environ)
    try #require(result == 0)
    return pid
}
