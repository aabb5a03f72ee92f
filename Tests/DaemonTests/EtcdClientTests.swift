import ConfigEtcdCore
import NIOCore
import NIOPosix
import Runtime
import Settings
import Testing
import Time
import Wire

@testable import ConfigEtcdDaemon

/// What a real etcd does not do on demand: answers cut short, cut in pieces, or of another make; and no answer at all.
@Suite struct EtcdClientTests {
    /// Takes connections on a free port of its own and says `pieces` to each, one after the other, once something was asked.
    @Loop private final class CannedServer {
        private let channel: any Channel
        let port: Int

        init(_ pieces: [String], closes: Bool = true) async throws {
            channel = try await ServerBootstrap(group: Loop.shared.eventLoop)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Canned(pieces, closes: closes))
                    }
                }
                .bind(host: "127.0.0.1", port: 0).get()
            port = channel.localAddress?.port ?? 0
        }

        deinit { channel.close(promise: nil) }
    }

    private final class Canned: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let pieces: [String]
        private let closes: Bool

        init(_ pieces: [String], closes: Bool) {
            self.pieces = pieces
            self.closes = closes
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            for piece in pieces {
                context.channel.writeAndFlush(ByteBuffer(string: piece), promise: nil)
            }
            if closes { context.close(promise: nil) }
        }
    }

    private static let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

    private static func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

    @Loop private func client(_ port: Int) -> EtcdClient {
        var settings = EtcdSettings()
        settings.endpoints = [HTTPEndpoint(host: "127.0.0.1", port: port, target: "/")]
        return EtcdClient(settings, files: Worker(name: "files", make: {}))
    }

    @Loop private func call(
        _ pieces: [String], closes: Bool = true, deadline: Duration = .seconds(2)
    ) async throws -> Result<JSON, EtcdFailure> {
        let server = try await CannedServer(pieces, closes: closes)
        let client = client(server.port)
        return await withCheckedContinuation { continuation in
            client.call("/v3/kv/range", [:], at: 0, deadline: deadline) { continuation.resume(returning: $0) }
        }
    }

    @Test @Loop func `an answer that is cut short, of another make or missing is a failure with its reason`()
        async throws
    {
        let cut = try await call([Self.head, Self.chunk("{\"header\":")])
        #expect(throws: EtcdFailure.self) { try cut.get() }
        let other = try await call(["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"])
        #expect(other == .failure(EtcdFailure("etcd answered what is not JSON")))
        let refused = try await call([
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 26\r\n\r\n{\"error\":\"etcdserver: no\"} "
        ])
        #expect(refused == .failure(EtcdFailure("etcdserver: no")))
        let late = try await call([], closes: false, deadline: .milliseconds(100))
        guard case .failure(let failure) = late else {
            Issue.record("it answered")
            return
        }
        #expect(failure.message.hasSuffix("in 100 ms"))
    }

    @Test @Loop func `the lines of a watch are put together from whatever pieces they come in`() async throws {
        let server = try await CannedServer([
            Self.head, Self.chunk("{\"result\":{\"a\""), Self.chunk(":1}}\n{\"result\":{\"b\":2}}\n"),
            Self.chunk("{\"result\":{\"c\":3}}\nnot JSON\n"), Self.chunk("{\"result\":{\"d\":4}}\n"),
        ])
        let client = client(server.port)
        var lines: [JSON] = []
        var stream: EtcdClient.Stream?
        let end: EtcdFailure = await withCheckedContinuation { continuation in
            stream = client.stream("/v3/watch", [:], at: 0, deadline: .seconds(2)) {
                lines.append($0)
            } ended: {
                continuation.resume(returning: $0)
            }
        }
        #expect(stream != nil)
        #expect(lines == [["result": ["a": 1]], ["result": ["b": 2]], ["result": ["c": 3]]])
        #expect(end == EtcdFailure("etcd answered what is not JSON"), "and nothing after it is believed")
    }

    @Test @Loop func `a watch that etcd ends, and one that nobody answers, are told`() async throws {
        for (pieces, closes) in [([Self.head, "0\r\n\r\n"], true), ([], false)] {
            let server = try await CannedServer(pieces, closes: closes)
            let client = client(server.port)
            let end: EtcdFailure = await withCheckedContinuation { continuation in
                _ = client.stream("/v3/watch", [:], at: 0, deadline: .milliseconds(300), line: { _ in }) {
                    continuation.resume(returning: $0)
                }
            }
            #expect(!end.message.isEmpty)
        }
    }
}
