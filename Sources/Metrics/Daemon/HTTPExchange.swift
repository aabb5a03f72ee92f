import NIOCore
import NIOHTTP1
import NIOPosix
import Runtime
import Time

/// One HTTP request and its answer, on a connection of its own: it ends at its timeout, at its limit, or with the answer, and holds up
/// nothing, as the socket is the loop's.
@Loop final class HTTPExchange {
    enum Failure: Error, CustomStringConvertible {
        case unreachable(String)
        case timedOut(Int64)
        case tooLarge(Int)
        case closed

        var description: String {
            switch self {
            case .unreachable(let why): "cannot connect: \(why)"
            case .timedOut(let milliseconds): "no answer in \(milliseconds) ms"
            case .tooLarge(let bytes): "answered more than \(bytes) bytes"
            case .closed: "closed the connection before its answer was whole"
            }
        }
    }

    struct Request: Sendable {
        var head: HTTPRequestHead
        var body: [UInt8] = []
        var timeout: Duration
        /// Bytes of an answer that are taken.
        var mostBytes: Int
    }

    struct Answer: Sendable {
        var head: HTTPResponseHead
        var body: [UInt8]
    }

    private let request: Request
    private var head: HTTPResponseHead?
    private var body: [UInt8] = []
    private var then: (@Loop (Result<Answer, any Error>) -> Void)?
    private var timer: LoopTimer?
    private var channel: (any Channel)?

    private init(_ request: Request, _ then: @escaping @Loop (Result<Answer, any Error>) -> Void) {
        self.request = request
        self.then = then
    }

    /// `then` runs once, at the latest at the timeout. Closing the connection after the answer is asked for.
    static func run(
        _ request: Request, to address: SocketAddress, _ then: @escaping @Loop (Result<Answer, any Error>) -> Void
    ) {
        var request = request
        request.head.headers.replaceOrAdd(name: "Connection", value: "close")
        request.head.headers.replaceOrAdd(name: "User-Agent", value: "mainstay-metricsd")
        HTTPExchange(request, then).connect(to: address)
    }

    private func connect(to address: SocketAddress) {
        let timeout = request.timeout
        timer = Loop.after(timeout) { [self] in give(.failure(Failure.timedOut(timeout.milliseconds))) }
        let handler = ExchangeHandler(request, self)
        ClientBootstrap(group: Loop.shared.eventLoop)
            .connectTimeout(.nanoseconds(timeout.nanoseconds))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(to: address)
            .whenComplete { result in
                Loop.assume {
                    switch result {
                    case .success(let channel): self.opened(channel)
                    case .failure(let error): self.give(.failure(Failure.unreachable("\(error)")))
                    }
                }
            }
    }

    private func opened(_ channel: any Channel) {
        self.channel = channel
        if then == nil { channel.close(promise: nil) }
    }

    fileprivate func began(_ head: HTTPResponseHead) { self.head = head }

    fileprivate func append(_ part: ByteBuffer) {
        guard then != nil else { return }
        body.append(contentsOf: part.readableBytesView)
        if body.count > request.mostBytes { give(.failure(Failure.tooLarge(request.mostBytes))) }
    }

    fileprivate func ended() {
        guard let head else { return }
        give(.success(Answer(head: head, body: body)))
    }

    fileprivate func give(_ result: Result<Answer, any Error>) {
        guard let then else { return }
        self.then = nil
        timer?.cancel()
        timer = nil
        channel?.close(promise: nil)
        then(result)
    }
}

/// NIO's side of an exchange: sends the request, gathers the answer.
private final class ExchangeHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: HTTPExchange.Request
    private let exchange: HTTPExchange

    init(_ request: HTTPExchange.Request, _ exchange: HTTPExchange) {
        self.request = request
        self.exchange = exchange
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(request.head)), promise: nil)
        if !request.body.isEmpty {
            let buffer = context.channel.allocator.buffer(bytes: request.body)
            context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): Loop.assume { exchange.began(head) }
        case .body(let part): Loop.assume { exchange.append(part) }
        case .end: Loop.assume { exchange.ended() }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        Loop.assume { exchange.give(.failure(HTTPExchange.Failure.closed)) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        Loop.assume { exchange.give(.failure(error)) }
        context.close(promise: nil)
    }
}
