import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Runtime
import Settings
import Systemd
import Time
import WatchdogCore

/// The user's own actions on a service (drain, escalate): an HTTP POST, a signal, or a program. Each has its time; none
/// is waited for.
@Loop final class Hooks {
    private let exits: ProcessExits
    private let control: any UnitControl

    init(exits: ProcessExits, control: any UnitControl) {
        self.exits = exits
        self.control = control
    }

    /// Runs the hook; `done` is called once, at the latest when its timeout is over.
    func run(_ hook: HookSettings, of service: GuardedService, done: @escaping @Loop (CallResult) -> Void) {
        let ending = Ending(done)
        let timer = Loop.after(hook.timeout) { ending.give(.timedOut) }
        let finished: @Loop @Sendable (CallResult) -> Void = { result in
            timer.cancel()
            ending.give(result)
        }
        switch hook.action {
        case .http(let endpoint): post(to: endpoint, time: hook.timeout, finished)
        case .signal(let number): send(number, to: service.main, finished)
        case .command(let command): control.run(command, for: service.name, time: hook.timeout, done: finished)
        }
    }

    /// Gives a result once.
    @Loop private final class Ending {
        private var done: (@Loop (CallResult) -> Void)?

        init(_ done: @escaping @Loop (CallResult) -> Void) { self.done = done }

        func give(_ result: CallResult) {
            let done = self.done
            self.done = nil
            done?(result)
        }
    }

    private func send(
        _ number: Int32, to main: ProcessIdentity?, _ done: @escaping @Loop @Sendable (CallResult) -> Void
    ) {
        guard let main else { return done(.failed("there is no main process")) }
        exits.signal(main.pid, startTicks: main.startTicks, signal: number) { code in
            Loop.post { done(code == 0 ? .done : .failed(String(cString: strerror(code)))) }
        }
    }

    private func post(
        to endpoint: HTTPEndpoint, time: Duration, _ done: @escaping @Loop @Sendable (CallResult) -> Void
    ) {
        let host = endpoint.host == "localhost" ? "127.0.0.1" : endpoint.host
        guard let address = try? SocketAddress(ipAddress: host, port: endpoint.port) else {
            return done(.failed("\(endpoint) is no address"))
        }
        ClientBootstrap(group: Loop.shared.eventLoop)
            .connectTimeout(.nanoseconds(time.nanoseconds))
            .channelInitializer { channel in
                Loop.assume {
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(HookHandler(endpoint, done))
                    }
                }
            }
            .connect(to: address)
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    channel.eventLoop.scheduleTask(in: .nanoseconds(time.nanoseconds)) { channel.close(promise: nil) }
                case .failure(let error): Loop.assume { done(.failed("\(error)")) }
                }
            }
    }
}

/// Sends one POST without a body; 200 to 299 is good.
private final class HookHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let endpoint: HTTPEndpoint
    private let done: @Loop @Sendable (CallResult) -> Void

    init(_ endpoint: HTTPEndpoint, _ done: @escaping @Loop @Sendable (CallResult) -> Void) {
        self.endpoint = endpoint
        self.done = done
    }

    func channelActive(context: ChannelHandlerContext) {
        let headers: HTTPHeaders = [
            "Host": "\(endpoint.address)", "User-Agent": "mainstay-watchdogd", "Content-Length": "0",
            "Connection": "close",
        ]
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: endpoint.target, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            let isGood = (200..<300).contains(head.status.code)
            Loop.assume { done(isGood ? .done : .failed("\(head.status.code) \(head.status.reasonPhrase)")) }
        case .body: break
        case .end: context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        Loop.assume { done(.failed("closed without an answer")) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
