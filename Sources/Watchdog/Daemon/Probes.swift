import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Runtime
import Settings
import Time
import WatchdogCore

/// The liveness probes that are open: each on a connection of its own, which stays open past its timeout, because a
/// late answer is the proof that the service is busy and not hung (FACTS §4). Whether an answer was late is the core's
/// to say.
@Loop final class Probes {
    /// A probe and the service it belongs to.
    private struct Key: Hashable {
        var service: String
        var id: ProbeID
    }

    private var open: [Key: LivenessProbe] = [:]

    /// Probes that are neither answered nor abandoned.
    var count: Int { open.count }

    /// Whether a probe of the service has waited for longer than `limit`.
    func isOverdue(_ service: String, longerThan limit: Duration, now: Instant) -> Bool {
        open.contains { key, probe in key.service == service && now - probe.sent > limit }
    }

    /// Sends one probe; `finished` is called at most once, and never after `abandon`.
    func start(
        _ id: ProbeID, of service: String, _ target: LivenessSettings.Probe, patience: Duration,
        finished: @escaping @Loop (ProbeResult) -> Void
    ) {
        let key = Key(service: service, id: id)
        let probe = LivenessProbe { [weak self] result in
            self?.open[key] = nil
            finished(result)
        }
        open[key] = probe
        probe.start(target, patience: patience)
    }

    /// Closes the probe's connection.
    func abandon(_ id: ProbeID, of service: String) {
        open.removeValue(forKey: Key(service: service, id: id))?.close()
    }

    /// Closes every probe of a service that is guarded no longer.
    func abandonAll(of service: String) {
        for (key, probe) in open where key.service == service {
            open[key] = nil
            probe.close()
        }
    }
}

/// One probe on its way.
@Loop private final class LivenessProbe {
    let sent = HostClock.now().instant
    private var finished: (@Loop (ProbeResult) -> Void)?
    private var channel: (any Channel)?
    private var attempt: ConnectAttempt?
    private var isClosed = false

    /// How long the rest of an answer may take once it has begun.
    private static let lastBytesTime: TimeAmount = .seconds(1)

    init(finished: @escaping @Loop (ProbeResult) -> Void) {
        self.finished = finished
    }

    func start(_ target: LivenessSettings.Probe, patience: Duration) {
        let address: SocketAddress
        do { address = try Self.address(of: target) } catch {
            // The settings allow only addresses, so this is a path that is too long or a kernel without IPv6.
            Loop.post { self.finish(.notSent(reason: "\(error)")) }
            return
        }
        if target.carriesNothing, ConnectAttempt.suits(address) { return attempt(address) }
        ClientBootstrap(group: Loop.shared.eventLoop)
            // In this time a full backlog may find room; a service that stays silent longer gives no report at all.
            .connectTimeout(.nanoseconds(patience.nanoseconds))
            .channelInitializer { channel in
                Loop.assume {
                    channel.eventLoop.makeCompletedFuture {
                        guard case .http(let endpoint) = target else { return }
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(HTTPProbeHandler(endpoint, probe: self))
                    }
                }
            }
            .connect(to: address)
            .whenComplete { result in
                Loop.assume {
                    switch result {
                    case .success(let channel): self.connected(channel, target)
                    case .failure(let error): self.connectFailed(error)
                    }
                }
            }
    }

    /// Reports no more and closes the connection.
    func close() {
        isClosed = true
        finished = nil
        channel?.close(promise: nil)
        attempt?.close()
    }

    private func attempt(_ address: SocketAddress) {
        attempt = ConnectAttempt(to: address) { [weak self] code in
            guard let self else { return }
            if code == 0 { finish(.good(detail: "connected")) } else { connectFailed(code) }
            attempt?.close()
        }
    }

    private func connected(_ channel: any Channel, _ target: LivenessSettings.Probe) {
        self.channel = channel
        if isClosed { return channel.close(promise: nil) }
        switch target {
        case .tcp, .unix, .heartbeat:
            finish(.good(detail: "connected"))
            channel.close(promise: nil)
        case .http: break  // The handler sends its request and hears the answer.
        }
    }

    private func connectFailed(_ error: any Error) {
        guard let code = (error as? IOError)?.errnoCode else {
            // NIO's own connect timeout: it was not answered, which needs no report.
            if !(error is ChannelError) { finish(.notSent(reason: "\(error)")) }
            return
        }
        connectFailed(code)
    }

    private func connectFailed(_ code: Int32) {
        switch code {
        case ECONNREFUSED, ENOENT: finish(.refused)
        // A Unix socket whose backlog is full: somebody listens, and does not accept. As an unanswered TCP connect.
        case EAGAIN: break
        case EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL, EACCES, EPERM:
            finish(.notSent(reason: String(cString: strerror(code))))
        default: finish(.wrong(detail: String(cString: strerror(code))))
        }
    }

    fileprivate func answered(_ status: HTTPResponseStatus) {
        let isGood = (200..<400).contains(status.code)
        finish(isGood ? .good(detail: "\(status.code)") : .wrong(detail: "\(status.code) \(status.reasonPhrase)"))
        // The service gets the time to finish its answer; cutting it off would look like a client that gave up.
        let channel = channel
        Loop.shared.eventLoop.scheduleTask(in: Self.lastBytesTime) { channel?.close(promise: nil) }
    }

    fileprivate func failed(_ detail: String) {
        finish(.wrong(detail: detail))
    }

    private func finish(_ result: ProbeResult) {
        let finished = self.finished
        self.finished = nil
        finished?(result)
    }

    private static func address(of target: LivenessSettings.Probe) throws -> SocketAddress {
        switch target {
        case .http(let endpoint): try address(host: endpoint.host, port: endpoint.port)
        case .tcp(let endpoint): try address(host: endpoint.host, port: endpoint.port)
        case .unix(let path): try SocketAddress(unixDomainSocketPath: path)
        // The core starts no probes for a service that sends heartbeats.
        case .heartbeat: try address(host: "localhost", port: 0)
        }
    }

    private static func address(host: String, port: Int) throws -> SocketAddress {
        // As the settings read it: no name is looked up here, which could block.
        try SocketAddress(ipAddress: host == "localhost" ? "127.0.0.1" : host, port: port)
    }
}

extension LivenessSettings.Probe {
    /// Whether it asks for a connection alone.
    fileprivate var carriesNothing: Bool {
        switch self {
        case .tcp, .unix: true
        case .http, .heartbeat: false
        }
    }
}

/// Sends one GET and hands on the answer's status.
private final class HTTPProbeHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let endpoint: HTTPEndpoint
    private let probe: LivenessProbe

    init(_ endpoint: HTTPEndpoint, probe: LivenessProbe) {
        self.endpoint = endpoint
        self.probe = probe
    }

    func channelActive(context: ChannelHandlerContext) {
        let headers: HTTPHeaders = [
            "Host": "\(endpoint.address)", "User-Agent": "mainstay-watchdogd", "Accept": "*/*", "Connection": "close",
        ]
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: endpoint.target, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): Loop.assume { probe.answered(head.status) }
        case .body: break  // The status says it; what else it says is healthd's to read.
        case .end: context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        Loop.assume { probe.failed("closed without an answer") }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let detail = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "no HTTP: \(error)"
        Loop.assume { probe.failed(detail) }
        context.close(promise: nil)
    }
}
