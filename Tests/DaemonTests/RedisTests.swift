import Deadlines
import Foundation
import MetricsAPI
import MetricsCore
import NIOCore
import NIOPosix
import Redis
import Runtime
import Testing
import Time
import Wire

@testable import MetricsDaemon

/// A Redis server as far as metricsd needs one: it takes one password, or none, and answers INFO; or it never answers.
final class FakeRedis: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let info: String?
    private let password: String?
    private let trickles: Bool

    init(info: String?, password: String? = nil, trickles: Bool = false) {
        self.info = info
        self.password = password
        self.trickles = trickles
    }

    /// One byte of a long answer each 50 ms, until the client goes.
    func channelActive(context: ChannelHandlerContext) {
        guard trickles else { return }
        let channel = context.channel
        channel.writeAndFlush(ByteBuffer(string: "$1000\r\n"), promise: nil)
        channel.eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(50), delay: .milliseconds(50)) { task in
            guard channel.isActive else { return task.cancel() }
            channel.writeAndFlush(ByteBuffer(string: "x"), promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let info else { return }
        let command = String(buffer: unwrapInboundIn(data))
        let answer =
            if command.contains("AUTH") {
                password.map(command.contains) == true ? "+OK\r\n" : "-WRONGPASS invalid username-password pair\r\n"
            } else if info.hasPrefix("-") || info.hasPrefix("*") {
                info
            } else {
                "$\(info.utf8.count)\r\n\(info)\r\n"
            }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: answer)), promise: nil)
    }

    static func serve(
        _ info: String?, password: String? = nil, trickles: Bool = false
    ) async throws -> (channel: any Channel, port: Int) {
        let channel = try await ServerBootstrap(group: Loop.shared.eventLoop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        FakeRedis(info: info, password: password, trickles: trickles))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return (channel, try #require(channel.localAddress?.port))
    }
}

@Suite("Redis", .timeLimit(.minutes(2)))
struct RedisTests {
    /// As 7.0.15 answers, shortened.
    static let info = """
        # Server\r
        redis_version:7.0.15\r
        redis_mode:standalone\r
        os:Linux 6.1.0 x86_64\r
        process_id:16377\r
        tcp_port:6379\r
        uptime_in_seconds:100\r
        \r
        # Clients\r
        connected_clients:3\r
        maxclients:10000\r
        # Memory\r
        used_memory:1039984\r
        used_memory_human:1015.61K\r
        maxmemory:67108864\r
        maxmemory_policy:allkeys-lru\r
        mem_fragmentation_ratio:12.94\r
        # Persistence\r
        rdb_last_bgsave_status:ok\r
        aof_enabled:0\r
        aof_last_write_status:err\r
        # Stats\r
        total_commands_processed:17\r
        keyspace_hits:9\r
        keyspace_misses:1\r
        evicted_keys:2\r
        latest_fork_usec:250\r
        # Replication\r
        role:master\r
        connected_slaves:1\r
        slave0:ip=10.0.0.7,port=6380,state=online,offset=1751844676,lag=1\r
        # Commandstats\r
        cmdstat_get:calls=2,usec=10,usec_per_call=5.00,rejected_calls=0,failed_calls=1\r
        cmdstat_client|setname:calls=1,usec=3,usec_per_call=3.00\r
        # Errorstats\r
        errorstat_WRONGTYPE:count=4\r
        # Keyspace\r
        db0:keys=5,expires=1,avg_ttl=99950\r

        """

    private func figures(_ text: String) -> [String: Double] {
        var round = RoundBuilder()
        RedisLines.add(Array(text.utf8), own: [Label("instance", "i")], wallSeconds: 1000.7, to: &round)
        let collection = round.finish(withTable: true)
        let names = (collection.table ?? []).map { "\($0)".replacing("instance=\"i\",", with: "") }
        return Dictionary(zip(names, collection.values)) { first, _ in first }
    }

    @Test("An answer's figures come under redis_exporter's names")
    func names() {
        let found = figures(Self.info)
        let own = "{instance=\"i\"}"
        for (name, value) in [
            ("redis_connected_clients", 3.0), ("redis_config_maxclients", 10000),
            ("redis_memory_used_bytes", 1_039_984),
            ("redis_memory_max_bytes", 67_108_864), ("redis_config_maxmemory", 67_108_864),
            ("redis_mem_fragmentation_ratio", 12.94), ("redis_rdb_last_bgsave_status", 1), ("redis_aof_enabled", 0),
            ("redis_aof_last_write_status", 0), ("redis_commands_processed_total", 17),
            ("redis_keyspace_hits_total", 9), ("redis_keyspace_misses_total", 1), ("redis_evicted_keys_total", 2),
            ("redis_latest_fork_seconds", 0.00025), ("redis_start_time_seconds", 900), ("redis_process_id", 16377),
        ] { #expect(found[name + own] == value, "\(name)") }
        #expect(found["redis_db_keys{db=\"db0\",instance=\"i\"}"] == 5)
        #expect(found["redis_db_avg_ttl_seconds{db=\"db0\",instance=\"i\"}"] == 99.95)
        #expect(found["redis_commands_total{cmd=\"get\",instance=\"i\"}"] == 2)
        #expect(found["redis_commands_failed_calls_total{cmd=\"get\",instance=\"i\"}"] == 1)
        #expect(found["redis_commands_duration_seconds_total{cmd=\"client|setname\",instance=\"i\"}"] == 3e-6)
        #expect(found["redis_errors_total{err=\"WRONGTYPE\",instance=\"i\"}"] == 4)
        let replica = "slave_ip=\"10.0.0.7\",slave_port=\"6380\",slave_state=\"online\"}"
        #expect(found["redis_connected_slave_lag_seconds{\(replica)"] == 1)
        let instance = found.keys.first { $0.hasPrefix("redis_instance_info{") }
        #expect(instance?.contains("maxmemory_policy=\"allkeys-lru\"") == true)
        #expect(instance?.contains("role=\"master\"") == true)
        #expect(found.count == 31, "\(found.keys.sorted().joined(separator: "\n"))")
    }

    @Test("Lines that are damaged are left out, and the others stay")
    func damaged() {
        let found = figures(
            """
            connected_clients
            connected_clients:many
            blocked_clients:
            used_memory:1e999
            :7
            db0:keys=x,expires=1
            db:keys=1,expires=1
            dbx:keys=1,expires=1
            cmdstat_get:calls=2
            cmdstat_:
            errorstat_A:
            slave0:ip=1.2.3.4
            slavex:offset=3
            keyspace_hits:4
            """)
        #expect(found == ["redis_keyspace_hits_total{instance=\"i\"}": 4])
        #expect(figures("").isEmpty)
        var random = SeededRandom(seed: 3)
        for _ in 0..<500 {
            var bytes = Array(Self.info.utf8)
            for _ in 0..<8 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            var round = RoundBuilder()
            RedisLines.add(bytes, own: [], wallSeconds: 1, to: &round)
            #expect(round.count > 15)
        }
    }

    @Test("What clients choose makes no more than so many series")
    func bounded() {
        let commands = (0..<1000).map { "cmdstat_c\($0):calls=1,usec=1" }.joined(separator: "\n")
        #expect(figures(commands).count == 2 * RedisLines.mostOfAKind)
        let long = String(repeating: "a", count: 100_000)
        #expect(figures("errorstat_\(long):count=1\nkeyspace_hits:4").count == 1)
    }

    @Test("An answer that is none, a list, an error and silence each end the round, in time")
    func refusals() async throws {
        for (answer, failure) in [
            ("-LOADING Redis is loading", RedisFailure.refused("LOADING Redis is loading")),
            ("*2147483647\r\n", .unexpected("a list")),
        ] {
            let server = try await FakeRedis.serve(answer + "\r\n")
            let found = await ask(server.port, within: .seconds(2))
            #expect(found.failure == failure, "\(answer)")
            try await server.channel.close()
        }
        let mute = try await FakeRedis.serve(nil)
        let found = await ask(mute.port, within: .milliseconds(200))
        #expect(found.failure == .timedOut)
        #expect((.milliseconds(190) ... .milliseconds(1500)).contains(found.took))
        try await mute.channel.close()
        guard case .unreachable = await ask(mute.port, within: .seconds(1)).failure else {
            Issue.record("nobody listens there any more")
            return
        }
    }

    @Test("An answer that trickles in is given up at the deadline, however steadily it comes")
    func trickle() async throws {
        let server = try await FakeRedis.serve(nil, trickles: true)
        let found = await ask(server.port, within: .milliseconds(400))
        #expect(found.failure == .timedOut)
        #expect((.milliseconds(390) ... .milliseconds(1500)).contains(found.took))
        try await server.channel.close()
    }

    /// On a thread of its own, as in the daemon: the fake server is the loop's.
    private func ask(_ port: Int, within timeout: Duration) async -> (failure: RedisFailure?, took: Duration) {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                let start = HostClock.now().instant
                var failure: RedisFailure?
                do throws(RedisFailure) {
                    let deadline = Deadline(after: timeout)
                    let connection = try RedisConnection(
                        to: .tcp(address: "127.0.0.1", port: port), before: deadline)
                    _ = try connection.ask(["INFO"], before: deadline)
                } catch {
                    failure = error
                }
                continuation.resume(returning: (failure, HostClock.now().instant - start))
            }
        }
    }
}

@Suite("metricsd and the servers of a service", .timeLimit(.minutes(2)))
struct ServerCollectorTests {
    private static let quick = "metricsd:\n  interval: 200ms\n  flushInterval: 400ms\n"

    private func points(_ client: TestClient, _ selector: String) async throws -> [SeriesPoints] {
        try await client.call(QueryRange.self, .init(selector: selector)).series
    }

    private func write(_ text: String, _ path: String) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    private func service(_ servers: String) -> String {
        "unit: gateway.service\ninfrastructure:\n  redis:\n\(servers)\n"
    }

    private func server(_ port: Int, _ rest: String = "") -> String {
        "    - {address: '127.0.0.1:\(port)', interval: 1s, timeout: 300ms\(rest)}"
    }

    @Test("One that hangs is down by its own metric, and neither its neighbour nor the host misses a round")
    func hanging() async throws {
        let fixture = try DaemonFixture()
        let good = try await FakeRedis.serve(RedisTests.info, password: "s3cret")
        let hung = try await FakeRedis.serve(nil)
        try write(Self.quick, "\(fixture.places.settings)/mainstay.yaml")
        let password = "\(fixture.places.settings)/password"
        try write("s3cret\nnot this\n", password)
        try fixture.writeService(
            "gateway",
            service([server(good.port, ", passwordFile: \(password)"), server(hung.port)].joined(separator: "\n")))
        let daemon = try await fixture.start(Metricsd.self)
        let client = try await TestClient("metricsd", fixture.places)
        let labels = "instance=\"127.0.0.1:\(good.port)\",job=\"redis\",service=\"gateway\""
        #expect(
            await client.eventually {
                (try? await points(client, "redis_keyspace_hits_total{\(labels)}"))?.first?.points.count ?? 0 >= 4
            })
        let reply = try await client.call(Collect.self, .init(level: .infrastructure))
        #expect(
            reply.failed == [
                CollectorFailure(collector: "redis:gateway:127.0.0.1:\(hung.port)", reason: "no answer in time")
            ])
        let up = reply.samples.filter { $0.name == "redis_up" }
        #expect(up.count == 2)
        #expect(
            try await points(client, "redis_up{instance=\"127.0.0.1:\(hung.port)\"}").first?.points.last?.value.value
                == 0)
        // Whole rounds of the host, while the server hangs: none is further from the next than one and a half intervals.
        let times = try #require(try await points(client, "node_load1").first).points.map(\.timeMs)
        #expect(times.count >= 10)
        let gaps = zip(times, times.dropFirst()).map { $1 - $0 }
        #expect(gaps.filter { $0 > 300 }.count <= 1, "\(gaps)")
        await client.close()
        await DaemonFixture.stop(daemon)
        try await good.channel.close()
        try await hung.channel.close()
    }

    @Test("A reload begins with servers that are new, and lets go of those that are not named any more")
    func reloaded() async throws {
        let fixture = try DaemonFixture()
        let first = try await FakeRedis.serve(RedisTests.info)
        let second = try await FakeRedis.serve(RedisTests.info)
        try write(Self.quick, "\(fixture.places.settings)/mainstay.yaml")
        try fixture.writeService("gateway", service(server(first.port)))
        let daemon = try await fixture.start(Metricsd.self)
        let client = try await TestClient("metricsd", fixture.places)
        #expect(try await collectors(client) == ["redis:gateway:127.0.0.1:\(first.port)", "servers"])
        try fixture.writeService("gateway", service(server(second.port)))
        await daemon.reload(.success(try fixture.settings()))
        #expect(try await collectors(client) == ["redis:gateway:127.0.0.1:\(second.port)", "servers"])
        #expect(
            await client.eventually {
                let found = try? await client.call(Collect.self, .init(level: .infrastructure)).samples
                return found?.contains { $0.name == "redis_up" && $0.value.value == 1 } == true
                    && found?.allSatisfy { $0.labels["instance"] == "127.0.0.1:\(second.port)" } == true
            })
        try fixture.writeService("gateway", "unit: gateway.service\n")
        await daemon.reload(.success(try fixture.settings()))
        #expect(try await collectors(client) == [])
        await client.close()
        await DaemonFixture.stop(daemon)
        try await first.channel.close()
        try await second.channel.close()
    }

    private func collectors(_ client: TestClient) async throws -> [String] {
        try await client.call(Levels.self, NoFields()).collectors.filter { $0.level == .infrastructure }.map(\.name)
    }
}
