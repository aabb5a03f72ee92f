import ConfigEtcdCore
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Runtime
import Settings
import Time

/// One HTTP request to etcd on a connection of its own, ended by its answer, its deadline, its limit, or whoever wants no more of it.
@Loop final class EtcdExchange {
    /// What an answer, or a line of one that does not end, may hold: a page of keys, or a revision, and room.
    nonisolated static let mostBytes = 32 << 20

    /// An answer that was read whole.
    struct Answer {
        var status: Int
        var body: [UInt8]
    }

    private let deadline: Duration
    private var channel: (any Channel)?
    private var status: Int?
    private var body: [UInt8] = []
    private var done: (@Loop (Result<Answer, EtcdFailure>) -> Void)?
    private var timer: LoopTimer?
    /// For an answer that does not end: each line as it comes, where the status is 200.
    private let onLine: (@Loop ([UInt8]) -> Void)?

    /// Posts `body` to `path`. `done` runs once, unless it is cancelled before. With `onLine` the deadline is that of the answer's
    /// head alone, and `done` tells the end of the stream.
    init(
        _ endpoint: HTTPEndpoint, path: String, body: [UInt8], token: String?, deadline: Duration,
        onLine: (@Loop ([UInt8]) -> Void)? = nil, done: @escaping @Loop (Result<Answer, EtcdFailure>) -> Void
    ) {
        self.deadline = deadline
        self.onLine = onLine
        self.done = done
        timer = Loop.after(deadline) { [weak self] in
            self?.finish(.failure(EtcdFailure("no answer from \(endpoint.address) in \(deadline.milliseconds) ms")))
        }
        var headers: HTTPHeaders = [
            "Host": "\(endpoint.address)", "Content-Type": "application/json", "Content-Length": "\(body.count)",
            "User-Agent": "mainstay-configd-etcd/\(Suite.version)",
        ]
        if onLine == nil { headers.add(name: "Connection", value: "close") }
        if let token { headers.add(name: "Authorization", value: token) }
        connect(
            endpoint, HTTPRequestHead(version: .http1_1, method: .POST, uri: path, headers: headers),
            ByteBuffer(bytes: body))
    }

    /// Ends it without a word.
    func cancel() {
        done = nil
        close()
    }

    private func connect(_ endpoint: HTTPEndpoint, _ head: HTTPRequestHead, _ body: ByteBuffer) {
        let host = endpoint.host == "localhost" ? "127.0.0.1" : endpoint.host
        guard let address = try? SocketAddress(ipAddress: host, port: endpoint.port) else {
            return finish(.failure(EtcdFailure("\(endpoint.host) is no address")))
        }
        ClientBootstrap(group: Loop.shared.eventLoop)
            .connectTimeout(.nanoseconds(deadline.nanoseconds))
            // A member whose host is gone without a word must not be taken for a quiet one: after 10 s of silence the kernel asks,
            // and gives up 15 s later.
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 10)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 5)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: 3)
            .channelInitializer { channel in
                Loop.assume {
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(EtcdExchangeHandler(self))
                    }
                }
            }
            .connect(to: address)
            .whenComplete { result in
                Loop.assume {
                    switch result {
                    case .success(let channel): self.connected(channel, head, body)
                    case .failure(let error):
                        self.finish(.failure(EtcdFailure("\(endpoint.address): \(Self.reason(error))")))
                    }
                }
            }
    }

    private func connected(_ channel: any Channel, _ head: HTTPRequestHead, _ body: ByteBuffer) {
        guard done != nil else { return channel.close(promise: nil) }
        self.channel = channel
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil)
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    }

    private static func reason(_ error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        return String(cString: strerror(error.errnoCode)).lowercased()
    }

    fileprivate func received(_ part: HTTPClientResponsePart) {
        guard done != nil else { return }
        switch part {
        case .head(let head):
            status = Int(head.status.code)
            if onLine != nil, status == 200 {
                timer?.cancel()
                timer = nil
            }
        case .body(let bytes):
            body += bytes.readableBytesView
            if onLine != nil, status == 200 { takeLines(from: body.count - bytes.readableBytes) }
            if body.count > Self.mostBytes {
                finish(.failure(EtcdFailure("etcd answered more than \(Self.mostBytes >> 20) MiB at once")))
            }
        case .end:
            finish(.success(Answer(status: status ?? 0, body: body)))
        }
    }

    /// Hands on what ends in a new part of the body, which begins at `start`.
    private func takeLines(from start: Int) {
        var begin = 0
        var place = start
        while let end = body[place...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = Array(body[begin..<end])
            begin = end + 1
            place = begin
            if !line.isEmpty { onLine?(line) }
            // Whoever got the line may have wanted no more.
            if done == nil { return }
        }
        body.removeSubrange(..<begin)
    }

    fileprivate func closed(_ why: String) {
        finish(.failure(EtcdFailure(why)))
    }

    private func finish(_ result: Result<Answer, EtcdFailure>) {
        guard let done else { return }
        self.done = nil
        close()
        Loop.post { done(result) }
    }

    private func close() {
        timer?.cancel()
        timer = nil
        channel?.close(promise: nil)
        channel = nil
    }
}

/// NIO's side of an exchange: hands everything on, decides nothing.
private final class EtcdExchangeHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart

    private let exchange: EtcdExchange

    init(_ exchange: EtcdExchange) { self.exchange = exchange }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        Loop.assume { exchange.received(part) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        Loop.assume { exchange.closed("etcd closed the connection") }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let why = "\(error)"
        Loop.assume { exchange.closed(why) }
        context.close(promise: nil)
    }
}
