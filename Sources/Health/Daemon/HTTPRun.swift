import HealthAPI
import HealthCore
import NIOCore
import NIOHTTP1
import Runtime
import Time

/// One HTTP/1.1 request on a connection of its own: its answer is read whole, or as far as it is kept, and judged.
final class HTTPRun: ConnectionRun {
    private let probe: HTTPProbe
    private var status: HTTPResponseStatus?
    private var body: [UInt8] = []

    init(_ probe: HTTPProbe, names: Names, timeout: Duration, done: @escaping @Loop @Sendable (ProbeOutcome) -> Void) {
        self.probe = probe
        super.init(done: done)
        connect(probe.host, probe.port, names: names, timeout: timeout) { [unowned self] channel in
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHTTPClientHandlers()
            try pipeline.addHandler(HTTPRunHandler(self))
        }
    }

    override func connected() {
        guard let channel else { return }
        let bare = probe.host.contains(":") ? "[\(probe.host)]" : probe.host
        let head = HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: probe.method), uri: probe.target,
            headers: [
                "Host": probe.port == 80 ? bare : "\(bare):\(probe.port)",
                "User-Agent": "mainstay-healthd/\(Suite.version)", "Accept": "*/*", "Connection": "close",
            ])
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    }

    fileprivate func received(_ part: HTTPClientResponsePart) {
        switch part {
        case .head(let head): status = head.status
        case .body(let bytes):
            body += bytes.readableBytesView.prefix(Self.answerLimit - body.count)
            if body.count >= Self.answerLimit { judge() }
        case .end: judge()
        }
    }

    fileprivate func closed() {
        let what = status == nil ? "the connection was closed before an answer" : "the answer was cut short"
        finish(ProbeOutcome(.critical, what))
    }

    private func judge() {
        guard let status else { return closed() }
        let text = "\(status.code) \(status.reasonPhrase)"
        let code = Int(status.code)
        guard probe.expectedStatus.contains(where: { $0.contains(code) }) else {
            return finish(ProbeOutcome(.critical, text))
        }
        if let expected = probe.expectedBody, !body.contains(Array(expected.utf8)) {
            return finish(
                ProbeOutcome(.critical, "\(text), but the body does not hold \"\(expected.cut(toBytes: 80))\""))
        }
        finish(ProbeOutcome(.ok, text))
    }
}

/// NIO's side of an attempt: hands everything on, decides nothing.
private final class HTTPRunHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart

    private let run: HTTPRun

    init(_ run: HTTPRun) { self.run = run }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        Loop.assume { run.received(part) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        Loop.assume { run.closed() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        Loop.assume { run.failed(error) }
    }
}
