import Glibc
import NIOCore
import NIOPosix
package import Time
package import Wire

/// A client of another daemon's socket: one connection, kept up by itself, many calls at once. Nothing here waits: a call
/// that is not answered by its deadline fails, and the peer then counts as *silent* until it answers again.
@Loop package final class Peer {
    /// The daemon's name: `healthd`.
    package let daemon: String
    /// Called when the peer begins or ceases to answer.
    package var onChange: @Loop (_ answers: Bool) -> Void = { _ in }
    /// Called for each event followed.
    package var onEvent: @Loop (Event) -> Void = { _ in }
    /// Called when events were lost: by a gap of the connection (nil) or by the peer's own count. What was built from
    /// events must then be asked for anew.
    package var onGap: @Loop (Int64?) -> Void = { _ in }
    /// Called when the peer refuses what `follow` asked for: no event comes, though it answers. It is asked again at the next
    /// connection, or by another `follow`.
    package var onRefusal: @Loop (RPCError) -> Void = { _ in }
    /// Whether the peer answers, as far as is known.
    package private(set) var answers = false
    /// Since when that is so.
    package private(set) var since: Moment

    private let path: String
    private var channel: (any Channel)?
    private var frames = FrameReader()
    private var isConnecting = false
    private var isStopped = false
    private var retryDelay: Duration
    private var nextID: Int64 = 0
    private var open: [Int64: OpenCall] = [:]
    private var followed: [String]??
    private var probe: LoopRepeat?
    /// The generation of the peer's table of figures, as its last sign of life told it; 0 before the first.
    private var tableGeneration: Int64 = 0

    private struct OpenCall {
        var method: String
        var timer: LoopTimer
        var finish: @Loop (Result<JSON, RPCError>) -> Void
    }

    /// The first wait before a connection is tried again; doubled up to `longestRetryDelay`.
    private static let firstRetryDelay: Duration = .milliseconds(100)
    private static let longestRetryDelay: Duration = .seconds(2)
    /// How often a peer that is connected is asked whether it lives, and how long it has.
    private static let probeInterval: Duration = .seconds(2)
    private static let probeDeadline: Duration = .seconds(1)
    /// What may wait on this side for a peer that does not read: beside what the kernel takes, one frame more than this.
    private static let unsentBytes = 1 << 20

    /// A client of the socket at `path`; call `start` to keep it connected.
    package init(daemon: String, path: String) {
        self.daemon = daemon
        self.path = path
        retryDelay = Peer.firstRetryDelay
        since = HostClock.now()
    }

    /// Connects, and connects again whenever the connection is lost, until `stop`.
    package func start() {
        connect()
        probe = Loop.every(Peer.probeInterval) { [weak self] in self?.ask() }
    }

    /// Connects once, for a client that lives for a few calls; fails as `peerSilent` where nobody listens.
    package func connectOnce(_ done: @escaping @Loop (RPCError?) -> Void) {
        open(done)
    }

    /// Fails what is open and connects no more.
    package func stop() {
        isStopped = true
        probe?.cancel()
        channel?.close(promise: nil)
        failAll("stopped")
    }

    /// Asks for events from now on and after every reconnect; nil for all.
    package func follow(_ events: [String]?) {
        followed = .some(events)
        if channel != nil { subscribe() }
    }

    /// Whether there is a connection, whether or not the peer answers on it.
    package var isConnected: Bool { channel != nil }

    /// As `status` shows the peer.
    package var condition: PeerState {
        PeerState(daemon: daemon, answers: answers, sinceMs: since.wall.milliseconds)
    }

    // MARK: Calls

    /// Calls `method`; `done` runs once, with the reply or the reason, at the latest at the deadline.
    package func call<Method: RPCMethod>(
        _ method: Method.Type, _ params: Method.Params, deadline: Duration,
        done: @escaping @Loop (Result<Method.Reply, RPCError>) -> Void
    ) {
        call(name: Method.name, params, deadline: deadline) { result in
            switch result {
            case .failure(let error): done(.failure(error))
            case .success(let json):
                do throws(WireError) { done(.success(try Method.Reply(wire: json))) } catch {
                    done(.failure(.internalError("\(Method.name) answered what is no reply of its: \(error)")))
                }
            }
        }
    }

    /// Calls a method by its name, with parameters as they are.
    package func call(
        name: String, _ params: some WireObject, deadline: Duration,
        done: @escaping @Loop (Result<JSON, RPCError>) -> Void
    ) {
        guard let channel else { return done(.failure(.peerSilent(daemon, "nobody listens on \(path)"))) }
        guard channel.isWritable else { return done(.failure(.peerSilent(daemon, "it does not read"))) }
        nextID += 1
        let id = nextID
        let body = Request.bytes(id: .integer(id), method: name, params: params, deadlineMs: deadline.milliseconds)
        guard let frame = Frame.around(body) else {
            return done(.failure(.limitExceeded("the request is over \(Frame.longestBodyBytes) bytes")))
        }
        let timer = Loop.after(deadline) { [weak self] in self?.deadlinePassed(id) }
        open[id] = OpenCall(method: name, timer: timer, finish: done)
        var buffer = channel.allocator.buffer(capacity: frame.count)
        buffer.writeBytes(frame)
        channel.writeAndFlush(buffer, promise: nil)
    }

    private func deadlinePassed(_ id: Int64) {
        guard let call = open.removeValue(forKey: id) else { return }
        turn(answers: false)
        call.finish(.failure(.peerSilent(daemon, "no answer to \(call.method) in time")))
    }

    private func ask() {
        guard channel != nil else { return }
        // With the table's generation, so that a sign of life is a few figures and not the whole table each time.
        call(Common.Metrics.self, .init(generation: tableGeneration), deadline: Peer.probeDeadline) { [weak self] in
            if case .success(let reply) = $0 { self?.tableGeneration = reply.generation }
        }
    }

    private func subscribe() {
        guard case .some(let events) = followed else { return }
        let connection = channel
        call(Common.Subscribe.self, .init(events: events), deadline: .seconds(5)) { [weak self] result in
            switch result {
            case .success: self?.onGap(nil)
            case .failure(let error) where error.isSilence: self?.subscribeLater(on: connection)
            case .failure(let error): self?.onRefusal(error)
            }
        }
    }

    /// Asks again while the connection stands: a new one asks by itself. An answer to the first request, should it still
    /// come, is not waited for any more, and what was missed by then must be told.
    private func subscribeLater(on connection: (any Channel)?) {
        Loop.after(Peer.probeInterval) { [weak self] in
            guard let self, !isStopped, let connection, channel === connection else { return }
            subscribe()
        }
    }

    // MARK: Connection

    private func connect() {
        open { [weak self] error in
            guard let self, error != nil else { return }
            turn(answers: false)
            retryLater()
        }
    }

    private func open(_ done: @escaping @Loop (RPCError?) -> Void) {
        guard channel == nil, !isConnecting, !isStopped else { return }
        isConnecting = true
        ClientBootstrap(group: Loop.shared.eventLoop)
            .connectTimeout(.seconds(1))
            .channelOption(
                .writeBufferWaterMark, value: .init(low: Peer.unsentBytes / 2, high: Peer.unsentBytes)
            )
            .channelInitializer { channel in
                Loop.assume {
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        // A program that is started here must not hold the connection open when this one has died.
                        try pipeline.withUnsafeTransportIfAvailable { (socket: NIOBSDSocket.Handle) in
                            _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
                        }
                        try pipeline.addHandler(PeerHandler(peer: self))
                    }
                }
            }
            .connect(unixDomainSocketPath: path)
            .whenComplete { result in
                Loop.assume {
                    self.isConnecting = false
                    switch result {
                    case .success(let channel):
                        self.channel = channel
                        self.retryDelay = Peer.firstRetryDelay
                        self.turn(answers: true)
                        self.subscribe()
                        done(nil)
                    case .failure(let error):
                        done(.peerSilent(self.daemon, self.reason(error)))
                    }
                }
            }
    }

    /// Why no connection was made, in words for whoever must mend it.
    private func reason(_ error: any Error) -> String {
        guard let error = error as? IOError else { return "connect to \(path): \(error)" }
        return switch error.errnoCode {
        case ENOENT, ECONNREFUSED: "nobody listens on \(path)"
        case EACCES: "this user may not connect to \(path)"
        // A full backlog of a Unix socket is EAGAIN, which NIO throws.
        case EAGAIN: "it takes no new connection on \(path)"
        default: "connect to \(path): \(String(cString: strerror(error.errnoCode)))"
        }
    }

    private func retryLater() {
        guard !isStopped else { return }
        Loop.after(retryDelay) { [weak self] in self?.connect() }
        retryDelay = min(retryDelay * 2, Peer.longestRetryDelay)
    }

    private func turn(answers now: Bool) {
        guard answers != now else { return }
        answers = now
        since = HostClock.now()
        onChange(now)
    }

    private func failAll(_ why: String) {
        let calls = open.values
        open = [:]
        for call in calls {
            call.timer.cancel()
            call.finish(.failure(.peerSilent(daemon, why)))
        }
    }

    fileprivate func arrived(_ buffer: ByteBuffer) {
        frames.append(buffer.readableBytesView)
        do {
            while let body = try frames.next() { received(body) }
        } catch {
            channel?.close(promise: nil)
        }
    }

    private func received(_ body: [UInt8]) {
        guard let json = try? JSONReader.read(body), let message = try? ServerMessage(json) else {
            // A peer of another make: nothing it says can be trusted on this connection.
            channel?.close(promise: nil)
            return
        }
        turn(answers: true)
        switch message {
        case .reply(.integer(let id), let result): finish(id, .success(result))
        case .failure(.integer(let id), let error): finish(id, .failure(error))
        case .failure(_, let error): failAll("\(error)")
        case .reply(.string, _): break
        case .event(let event): onEvent(event)
        case .lagged(let lost): onGap(lost)
        }
    }

    private func finish(_ id: Int64, _ result: Result<JSON, RPCError>) {
        // No such call: its deadline has passed, and its caller has gone on.
        guard let call = open.removeValue(forKey: id) else { return }
        call.timer.cancel()
        call.finish(result)
    }

    fileprivate func disconnected() {
        channel = nil
        frames = FrameReader()
        turn(answers: false)
        failAll("the connection was lost")
        if probe != nil { retryLater() }
    }

}

/// NIO's side of a peer: hands everything on, decides nothing.
private final class PeerHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let peer: Peer

    init(peer: Peer) { self.peer = peer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        Loop.assume { peer.arrived(buffer) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        Loop.assume { peer.disconnected() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
