import HealthAPI
import HealthCore
import NIOCore
import Runtime
import Time

/// One TCP connection: that it is taken, and where something is expected, that it is said.
final class TCPRun: ConnectionRun {
    private let probe: TCPProbe
    private var answer: [UInt8] = []

    init(_ probe: TCPProbe, names: Names, timeout: Duration, done: @escaping @Loop @Sendable (ProbeOutcome) -> Void) {
        self.probe = probe
        super.init(done: done)
        let talk: @Loop @Sendable (any Channel) throws -> Void = { [unowned self] channel in
            try channel.pipeline.syncOperations.addHandler(TCPRunHandler(self))
        }
        let talks = probe.send != nil || probe.expect != nil
        connect(probe.host, probe.port, names: names, timeout: timeout, configure: talks ? talk : nil)
    }

    override func connected() {
        if let text = probe.send {
            channel?.writeAndFlush(ByteBuffer(string: text), promise: nil)
        }
        if probe.expect == nil { finish(ProbeOutcome(.ok, "connected")) }
    }

    fileprivate func received(_ bytes: ByteBuffer) {
        guard let expected = probe.expect else { return }
        answer += bytes.readableBytesView.prefix(Self.answerLimit - answer.count)
        if answer.contains(Array(expected.utf8)) {
            finish(ProbeOutcome(.ok, "answered \"\(expected.cut(toBytes: 80))\""))
        } else if answer.count >= Self.answerLimit {
            finish(ProbeOutcome(.critical, "64 KiB of answer do not hold \"\(expected.cut(toBytes: 80))\""))
        }
    }

    fileprivate func closed() {
        finish(ProbeOutcome(.critical, "the connection was closed before the answer that was expected"))
    }
}

/// NIO's side of an attempt: hands everything on, decides nothing.
private final class TCPRunHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let run: TCPRun

    init(_ run: TCPRun) { self.run = run }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        Loop.assume { run.received(bytes) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        Loop.assume { run.closed() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        Loop.assume { run.failed(error) }
    }
}
