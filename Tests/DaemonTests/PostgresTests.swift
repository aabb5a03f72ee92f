import Deadlines
import Foundation
import MetricsAPI
import MetricsCore
import NIOCore
import NIOPosix
import Postgres
import Runtime
import Testing
import Time
import Wire

@testable import MetricsDaemon

/// A PostgreSQL server as far as metricsd needs one: it believes everybody, answers every statement with one table, and refuses
/// those that hold a word. Frontend/Backend Protocol 3.0.
private final class FakePostgres: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let refused: String

    init(refusing refused: String) { self.refused = refused }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var request = unwrapInboundIn(data)
        var answer = context.channel.allocator.buffer(capacity: 512)
        if request.getInteger(at: 0, as: UInt8.self) == 0 {
            Self.write("R", [0, 0, 0, 0], to: &answer)
            Self.write("S", Array("server_version\u{0}15.18\u{0}".utf8), to: &answer)
            Self.write("Z", Array("I".utf8), to: &answer)
        }
        while request.getInteger(at: request.readerIndex, as: UInt8.self) == UInt8(ascii: "Q") {
            guard let length = request.getInteger(at: request.readerIndex + 1, as: UInt32.self),
                let query = request.readString(length: Int(length) + 1)
            else { break }
            if query.contains(refused) {
                Self.write("E", Array("SERROR\u{0}C42501\u{0}Mpermission denied\u{0}\u{0}".utf8), to: &answer)
            } else {
                Self.writeTable(to: &answer)
            }
            Self.write("Z", Array("I".utf8), to: &answer)
        }
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
    }

    private static func write(_ kind: String, _ body: [UInt8], to buffer: inout ByteBuffer) {
        buffer.writeString(kind)
        buffer.writeInteger(UInt32(body.count + 4))
        buffer.writeBytes(body)
    }

    private static func writeTable(to buffer: inout ByteBuffer) {
        var head: [UInt8] = [0, 2]
        for name in ["datname", "count"] {
            head += Array(name.utf8) + [0] + [0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0]
        }
        write("T", head, to: &buffer)
        write("D", [0, 2, 0, 0, 0, 3] + Array("app".utf8) + [0, 0, 0, 1] + Array("7".utf8), to: &buffer)
        write("C", Array("SELECT 1\u{0}".utf8), to: &buffer)
    }

    static func serve(refusing refused: String) async throws -> (channel: any Channel, port: Int) {
        let channel = try await ServerBootstrap(group: Loop.shared.eventLoop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FakePostgres(refusing: refused))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return (channel, try #require(channel.localAddress?.port))
    }
}

@Suite("PostgreSQL", .timeLimit(.minutes(2)))
struct PostgresTests {
    private func figures(_ table: PostgresTable, _ query: PostgresQuery) -> [String: Double] {
        var round = RoundBuilder()
        PostgresRows.add(table, of: query, own: [Label("instance", "i")], to: &round)
        let collection = round.finish(withTable: true)
        let names = (collection.table ?? []).map { "\($0)".replacing(",instance=\"i\"", with: "") }
        return Dictionary(zip(names, collection.values)) { first, _ in first }
    }

    private func query(_ prefix: String) throws -> PostgresQuery {
        try #require(PostgresQuery.often.first { $0.prefix == prefix })
    }

    @Test("A row's numbers and truths are figures, its labels are labels, and the rest is left out")
    func rows() throws {
        let table = PostgresTable(
            columns: ["datid", "datname", "numbackends", "checksum_failures", "stats_reset", "is it", "idle"],
            rows: [
                ["5", "app", "3", nil, "2026-12-01 04:43:31+00", "1", "t"], ["0", nil, "0", "1e999", "NaN", "2", "f"],
                ["7", "short"],
            ])
        #expect(
            figures(table, try query("pg_stat_database")) == [
                "pg_stat_database_numbackends{datid=\"5\",datname=\"app\"}": 3,
                "pg_stat_database_idle{datid=\"5\",datname=\"app\"}": 1,
                "pg_stat_database_numbackends{datid=\"0\"}": 0, "pg_stat_database_idle{datid=\"0\"}": 0,
            ])
        let written = PostgresTable(columns: ["checkpoints_timed"], rows: [["12"]])
        #expect(
            figures(written, try query("pg_stat_bgwriter"))["pg_stat_bgwriter_checkpoints_timed_total{instance=\"i\"}"]
                == 12)
        #expect(figures(PostgresTable(columns: [], rows: [[]]), .sizes).isEmpty)
    }

    @Test("Each statement that may bring many rows has its limit, and none is two")
    func statements() {
        for query in PostgresQuery.often + [.sizes] {
            #expect(
                query.statement.contains("LIMIT") || query.labels.count < 1 || query.prefix == "pg", "\(query.prefix)")
            #expect(!query.statement.contains(";"), "\(query.prefix)")
        }
    }

    @Test("Silence ends at the deadline, nobody at once, and a refused statement leaves the connection")
    func refusals() async throws {
        let mute = try await FakeRedis.serve(nil)
        let late = await ask(mute.port, ["SELECT 1"], within: .milliseconds(200))
        #expect(late.failures == [.timedOut])
        #expect((.milliseconds(190) ... .milliseconds(1500)).contains(late.took))
        try await mute.channel.close()
        guard case .unreachable = await ask(mute.port, ["SELECT 1"], within: .seconds(1)).failures.first else {
            Issue.record("nobody listens there any more")
            return
        }
        let server = try await FakePostgres.serve(refusing: "secret")
        let found = await ask(server.port, ["SELECT secret", "SELECT 1"], within: .seconds(2))
        #expect(found.failures == [.refused("ERROR:  permission denied")])
        #expect(found.tables == [PostgresTable(columns: ["datname", "count"], rows: [["app", "7"]])])
        try await server.channel.close()
    }

    private struct Asked: Sendable {
        var failures: [PostgresFailure] = []
        var tables: [PostgresTable] = []
        var took: Duration = .zero
    }

    /// On a thread of its own, as in the daemon: the fake server is the loop's.
    private func ask(_ port: Int, _ statements: [String], within timeout: Duration) async -> Asked {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                let start = HostClock.now().instant
                let deadline = Deadline(after: timeout)
                var asked = Asked()
                do throws(PostgresFailure) {
                    let connection = try PostgresConnection(
                        to: .tcp(address: "127.0.0.1", port: port),
                        as: .init(user: "a", password: nil, database: "b"), statementTimeoutMs: 1000, before: deadline)
                    for statement in statements {
                        do throws(PostgresFailure) {
                            asked.tables.append(try connection.ask(statement, before: deadline))
                        } catch {
                            asked.failures.append(error)
                        }
                    }
                } catch {
                    asked.failures.append(error)
                }
                asked.took = HostClock.now().instant - start
                continuation.resume(returning: asked)
            }
        }
    }

    @Test("A server's figures are stored beside one that hangs, and a statement that is refused costs only its own")
    func collected() async throws {
        let fixture = try DaemonFixture()
        let good = try await FakePostgres.serve(refusing: "pg_locks")
        let hung = try await FakeRedis.serve(nil)
        let servers = [good.port, hung.port].map {
            "      - {address: '127.0.0.1:\($0)', user: a, interval: 1s, timeout: 300ms}"
        }
        try "metricsd:\n  interval: 200ms\n  infrastructure:\n    postgres:\n\(servers.joined(separator: "\n"))\n"
            .write(toFile: "\(fixture.places.settings)/mainstay.yaml", atomically: true, encoding: .utf8)
        let daemon = try await fixture.start(Metricsd.self)
        let client = try await TestClient("metricsd", fixture.places)
        var reply = try await client.call(Collect.self, .init(level: .infrastructure))
        reply = try await client.call(Collect.self, .init(level: .infrastructure))
        #expect(
            reply.failed == [
                CollectorFailure(collector: "postgres:127.0.0.1:\(hung.port)", reason: "no answer in time")
            ])
        let values = Dictionary(reply.samples.map { ($0.name + ($0.labels["instance"] ?? ""), $0.value.value) }) {
            first, _ in first
        }
        let place = "127.0.0.1:\(good.port)"
        #expect(values["pg_stat_activity_count\(place)"] == 7)
        #expect(values["pg_database_count\(place)"] == 7)
        #expect(values["pg_locks_count\(place)"] == nil)
        #expect(values["pg_exporter_last_scrape_error\(place)"] == 1)
        let up = try await client.call(Collect.self, .init(level: .infrastructure)).samples.filter {
            $0.name == "pg_up"
        }
        #expect(Dictionary(up.map { ($0.labels["instance"], $0.value.value) }) { $1 }[place] == 1)
        #expect(Dictionary(up.map { ($0.labels["instance"], $0.value.value) }) { $1 }["127.0.0.1:\(hung.port)"] == 0)
        await client.close()
        await DaemonFixture.stop(daemon)
        try await good.channel.close()
        try await hung.channel.close()
    }
}
