import CLinux
import ConfigAPI
import ConfigCore
@testable import ConfigDaemon
import Foundation
import Glibc
import Runtime
import Settings
import Testing
import Time
import Wire

/// Locks of a service's files: over the socket, and against other programs.
@Suite struct ConfigLockTests {
    private static let target = ConfigFile(service: "gateway")

    private static func withConfigd(
        _ body: (DaemonContext.Places, TestClient, _ path: String) async throws -> Void
    ) async throws {
        let fixture = try DaemonFixture()
        let path = "\(fixture.root)/.env"
        try Data("PORT=3000\n".utf8).write(to: URL(filePath: path))
        try fixture.writeService(
            "gateway", "unit: gateway.service\nconfig:\n  files:\n    - path: \(path)\n      readers: [sh]\n")
        let assembly = try await fixture.start(Configd.self)
        let client = try await TestClient("configd", fixture.places)
        try await body(fixture.places, client, path)
        await client.close()
        await DaemonFixture.stop(assembly)
    }

    private static func set(_ value: String, lock: String? = nil) -> Config.Set.Params {
        Config.Set.Params(target: target, values: ["PORT": .text(value)], lock: lock)
    }

    @Test("The command's status tells who holds locks and which keys are leased, since when and for how long; no value")
    func shownByTheCommand() async throws {
        try await Self.withConfigd { places, client, _ in
            let before = try await CommandRun.of(["status"], sockets: places.sockets)
            #expect(!before.output.contains("HELD"))
            var params = Self.set("canary1")
            params.forMs = 600_000
            params.reason = "a test of load"
            _ = try await client.call(Config.Set.self, params)
            _ = try await client.call(Config.Lock.self, .init(service: "gateway", ttlMs: 60_000, reason: "a deploy"))
            for words in [["status"], ["status", "gateway"], ["status", "--json"], ["status", "gateway", "--json"]] {
                let run = try await CommandRun.of(words, sockets: places.sockets)
                for part in ["a deploy", "a test of load", "PORT", "\(getpid())"] {
                    #expect(run.output.contains(part), "\(words): no \(part) in \(run)")
                }
                #expect(!run.output.contains("canary1"))
            }
        }
    }

    @Test("While a lock is held, changes of others are refused with the holder's name, and its token lets them through")
    func held() async throws {
        try await Self.withConfigd { places, client, path in
            let other = try await TestClient("configd", places)
            _ = try await other.call(
                Common.Subscribe.self, .init(events: [ConfigEvents.locked, ConfigEvents.unlocked]))
            let lock = try await client.call(Config.Lock.self, .init(service: "gateway", reason: "a deploy"))
            let refused = await other.refusal(Config.Set.self, Self.set("1"))
            #expect(refused?.name == "locked")
            #expect(refused?.details["holderPID"] == .integer(Int64(getpid())))
            #expect(refused?.message.contains("a deploy") == true)
            #expect(await other.refusal(Config.Lock.self, .init(service: "gateway"))?.name == "locked")
            #expect(await client.refusal(Config.Set.self, Self.set("1"))?.name == "locked", "the token counts")
            let through = try await other.call(Config.Set.self, Self.set("1", lock: lock.token))
            #expect(through.version == 2)
            let status = try await other.call(Common.Status<ConfigStatus>.self, .init()).own
            #expect(status.locks.map(\.reason) == ["a deploy"])
            let since = try #require(status.locks.first?.sinceMs)
            #expect((0...60_000).contains(HostClock.now().wall.milliseconds - since))
            _ = try await client.call(Config.Lock.self, .init(service: "gateway", token: lock.token))
            _ = try await client.call(Config.Unlock.self, .init(token: lock.token))
            #expect(await other.refusal(Config.Set.self, Self.set("2", lock: lock.token))?.name == "lockLost")
            #expect(await other.refusal(Config.Set.self, Self.set("2")) == nil)
            let told = await other.eventually { other.events.map(\.name) == ["locked", "unlocked"] }
            #expect(told)
            await other.close()
        }
    }

    @Test("The end of the holder's connection frees the lock at once")
    func disconnected() async throws {
        try await Self.withConfigd { places, client, _ in
            let other = try await TestClient("configd", places)
            _ = try await other.call(Config.Lock.self, .init(service: "gateway", ttlMs: 3_600_000))
            #expect(await client.refusal(Config.Set.self, Self.set("1"))?.name == "locked")
            await other.close()
            let free = await client.eventually { await client.refusal(Config.Set.self, Self.set("1")) == nil }
            #expect(free)
        }
    }

    @Test("A holder that hangs loses it when its time is over")
    func expired() async throws {
        try await Self.withConfigd { places, client, _ in
            let other = try await TestClient("configd", places)
            let lock = try await other.call(Config.Lock.self, .init(service: "gateway", ttlMs: 1000))
            let free = await client.eventually { await client.refusal(Config.Set.self, Self.set("1")) == nil }
            #expect(free)
            let late = await other.refusal(Config.Set.self, Self.set("2", lock: lock.token))
            #expect(late?.name == "lockLost")
            await other.close()
        }
    }

    @Test("The end of a lease is kept off by no lock")
    func leaseUnderALock() async throws {
        try await Self.withConfigd { _, client, path in
            var leased = Self.set("1")
            leased.forMs = 1000
            _ = try await client.call(Config.Set.self, leased)
            _ = try await client.call(Config.Lock.self, .init(service: "gateway"))
            let back = try await client.eventually {
                try String(contentsOfFile: path, encoding: .utf8) == "PORT=3000\n"
            }
            #expect(back)
        }
    }

    // MARK: Other programs

    /// Another program's lock of a file, as Python's `fcntl.lockf` takes it; ends with `stop`.
    private final class Program: Sendable {
        private let process = Process()

        /// `kind` is `lockf` or `flock`.
        init(_ kind: String, _ path: String) async throws {
            let output = Pipe()
            process.executableURL = URL(filePath: "/usr/bin/python3")
            process.arguments = [
                "-c",
                """
                import fcntl, sys, time
                lock = open(sys.argv[1], "r+")
                fcntl.\(kind)(lock, fcntl.LOCK_EX)
                print("locked", flush=True)
                time.sleep(60)
                """, path,
            ]
            process.standardInput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            process.standardOutput = output
            try process.run()
            _ = output.fileHandleForReading.availableData
        }

        var pid: Int32 { process.processIdentifier }
        func stop() { kill(process.processIdentifier, SIGKILL) }
    }

    @Test("A program that holds the lock file keeps configd from writing, and is named; flock(1) does not")
    func otherProgram() async throws {
        try await Self.withConfigd { places, client, path in
            _ = try await client.call(Config.Set.self, Self.set("1"))
            let lockFile = "\(places.sockets)/configd/gateway.lock"
            var status = stat()
            #expect(stat(lockFile, &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o660)
            let flock = try await Program("flock", lockFile)
            #expect(await client.refusal(Config.Set.self, Self.set("2")) == nil)
            flock.stop()
            let program = try await Program("lockf", lockFile)
            let refused = await client.refusal(Config.Set.self, Self.set("3"))
            #expect(refused?.name == "lockedByOther")
            #expect(refused?.details["pid"] == .integer(Int64(program.pid)))
            #expect(await client.refusal(Config.Lock.self, .init(service: "gateway"))?.name == "lockedByOther")
            #expect(try await client.call(Common.Status<ConfigStatus>.self, .init()).own.locks.isEmpty)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "PORT=2\n")
            program.stop()
            let free = await client.eventually { await client.refusal(Config.Set.self, Self.set("3")) == nil }
            #expect(free)
        }
    }

    @Test("A lock over the socket keeps other programs out too, as long as it is held")
    func bothLocks() async throws {
        try await Self.withConfigd { places, client, _ in
            let lock = try await client.call(Config.Lock.self, .init(service: "gateway"))
            _ = try await client.call(Config.Set.self, Self.set("1", lock: lock.token))
            let file = open("\(places.sockets)/configd/gateway.lock", O_RDWR | O_CLOEXEC)
            defer { close(file) }
            #expect(mainstay_ofd_lock(file, 1) != 0)
            _ = try await client.call(Config.Unlock.self, .init(token: lock.token))
            let free = await client.eventually { mainstay_ofd_lock(file, 1) == 0 }
            #expect(free)
        }
    }

    @Test("A take-back waits a minute for a program, and then no longer")
    func stoppedProgram() throws {
        let fixture = try DaemonFixture()
        let locks = ProgramLocks(folder: "\(fixture.root)/locks", group: nil)
        try locks.take("gateway", for: "one")
        let others = ProgramLocks(folder: "\(fixture.root)/locks", group: nil)
        #expect(throws: ProgramLocks.Held.self) { try others.take("gateway", for: "two") }
        let now = HostClock.now().instant
        #expect(throws: ProgramLocks.Held.self) { try others.takeForTakeBack("gateway", for: "two", now: now) }
        #expect(throws: ProgramLocks.Held.self) {
            try others.takeForTakeBack("gateway", for: "two", now: now + .seconds(59))
        }
        try others.takeForTakeBack("gateway", for: "two", now: now + .seconds(60))
        locks.release("gateway", for: "one")
        try others.take("gateway", for: "two")
        #expect(throws: ProgramLocks.Held.self) { try locks.take("gateway", for: "one") }
    }

    // MARK: The command

    @Test("config lock runs a command that alone may change the files, and ends as it does")
    func command() async throws {
        try await Self.withConfigd { places, client, path in
            let mainstay = CommandRun.built("mainstay").path
            let script = """
                \(mainstay) config set gateway PORT=7 || exit 1
                MAINSTAY_CONFIG_LOCK= \(mainstay) config set gateway PORT=8 && exit 2
                exit 42
                """
            let run = try await CommandRun.of(
                ["config", "lock", "gateway", "--", "sh", "-c", script], sockets: places.sockets)
            #expect(run.status == 42)
            #expect(run.errors.contains("locked"))
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "PORT=7\n")
            #expect(await client.refusal(Config.Set.self, Self.set("9")) == nil)
            let strange = try await CommandRun.of(
                ["config", "lock", "gateway", "--", "/nonexistent"], sockets: places.sockets)
            #expect(strange.status == 127)
        }
    }

    @Test("KILL of the holder frees the lock at once; a lost lock ends the command by TERM")
    func killed() async throws {
        try await Self.withConfigd { places, client, path in
            let process = Process()
            process.standApart()
            process.executableURL = CommandRun.built("mainstay")
            process.arguments = ["config", "lock", "gateway", "--ttl", "1h", "--", "sleep", "30"]
            process.environment = ["MAINSTAY_SOCKETS": places.sockets, "PATH": "/usr/bin:/bin"]
            try process.run()
            let held = await client.eventually {
                await client.refusal(Config.Set.self, Self.set("1"))?.name == "locked"
            }
            #expect(held)
            // Its command lives on, and must not hold the connection.
            kill(process.processIdentifier, SIGKILL)
            let free = await client.eventually { await client.refusal(Config.Set.self, Self.set("1")) == nil }
            #expect(free)
            // A lock that is taken from its holder: the command hears of it at the next renewal.
            async let run = CommandRun.of(
                ["config", "lock", "gateway", "--ttl", "1500ms", "--", "sleep", "30"], sockets: places.sockets)
            let locked = await client.eventually {
                await client.refusal(Config.Set.self, Self.set("2"))?.name == "locked"
            }
            #expect(locked)
            let status = try await client.call(Common.Status<ConfigStatus>.self, .init()).own
            let pid = try #require(status.locks.first?.holderPID)
            // While it is stopped it cannot renew, and its time passes.
            kill(pid_t(pid), SIGSTOP)
            let lost = await client.eventually { await client.refusal(Config.Set.self, Self.set("2")) == nil }
            kill(pid_t(pid), SIGCONT)
            #expect(lost)
            let ended = try await run
            #expect(ended.status == 128 + SIGTERM)
            #expect(ended.errors.contains("is lost"))
        }
    }
}
