import NIOCore
import Time
import Wire

/// One client of a daemon's socket.
@Loop final class Connection {
    let caller: Caller
    /// Calls that are answered later and still open.
    var openCalls = 0

    private let channel: any Channel
    /// Strong: NIO may close the channel after everybody else has let the server go. The circle ends with the connection.
    private let server: Server
    private var frames = FrameReader()
    /// Bytes that arrived and were not answered yet, as the server counts them.
    private(set) var bookedBytes = 0
    /// Whether whole requests may wait in `frames`: for their turn, or for a reader that does not read.
    private var hasBacklog = false
    private var subscription: Subscription?
    private var stalled: LoopTimer?
    private var isClosing = false

    private struct Subscription {
        /// The events wanted; nil for all.
        var names: Set<String>?
        var lost: Int64 = 0
    }

    init(channel: any Channel, caller: Caller, server: Server) {
        self.channel = channel
        self.caller = caller
        self.server = server
    }

    // MARK: In

    func received(_ buffer: ByteBuffer) {
        guard !isClosing else { return }
        frames.append(buffer.readableBytesView)
        takeTurn()
    }

    /// Answers what has arrived: a few requests a turn, so that a peer that sends thousands at once does not keep the loop from
    /// the others, and none while its earlier answers lie unread, so that they cannot pile up.
    private func takeTurn() {
        var left = server.limits.requestsATurn
        hasBacklog = false
        do {
            while !isClosing {
                guard channel.isWritable, left > 0 else {
                    hasBacklog = true
                    break
                }
                guard let body = try frames.next() else { break }
                left -= 1
                switch server.answer(body, on: self) {
                case .reply(let bytes): write(bytes)
                case .later: break
                case .close(let error): return end(with: error)
                }
            }
        } catch {
            end(with: .parseError(error))
            return
        }
        let change = frames.pendingBytes - bookedBytes
        bookedBytes += change
        server.bookUnfinished(change: change)
        updateReading()
        if hasBacklog && channel.isWritable { Loop.post { [self] in resume() } }
    }

    private func resume() {
        guard !isClosing, hasBacklog else { return }
        takeTurn()
        channel.flush()
    }

    private func updateReading() {
        channel.setOption(.autoRead, value: channel.isWritable && !hasBacklog).whenFailure { _ in }
    }

    /// Called by the server for the connection that holds the most, when all of them hold too much.
    func endForUnfinishedFrames() {
        end(with: .limitExceeded("unfinished frames fill the \(server.limits.unfinishedBytes) bytes kept for all"))
    }

    func readCompleted() { channel.flush() }

    // MARK: Out

    private func write(_ body: [UInt8]) {
        // Whatever is answered is made to fit (`ServerMessage.reply`).
        if let frame = Frame.around(body) { put(frame) }
    }

    private func put(_ frame: [UInt8]) {
        var buffer = channel.allocator.buffer(capacity: frame.count)
        buffer.writeBytes(frame)
        channel.write(buffer, promise: nil)
    }

    /// Sends a reply outside of a read.
    func send(_ body: [UInt8]) {
        guard !isClosing else { return }
        write(body)
        channel.flush()
    }

    /// A reader that leaves its bytes unread is read from no more, and dropped after a while.
    func writabilityChanged() {
        stalled?.cancel()
        stalled = nil
        updateReading()
        if channel.isWritable {
            if hasBacklog { Loop.post { [self] in resume() } }
            tellLost()
        } else {
            stalled = Loop.after(server.limits.stalledReader) { [weak self] in
                self?.server.countDropped()
                self?.close()
            }
        }
    }

    // MARK: Events

    func subscribe(to names: [String]?) {
        subscription = Subscription(names: names.map(Set.init), lost: subscription?.lost ?? 0)
    }

    func wants(_ name: String) -> Bool {
        guard let subscription else { return false }
        return subscription.names?.contains(name) ?? true
    }

    /// Sends an event in its frame; nil for one that fits none, which is lost to everybody.
    func sendEvent(_ frame: [UInt8]?) {
        guard !isClosing else { return }
        guard let frame, channel.isWritable else {
            subscription?.lost += 1
            server.countLostEvent()
            return tellLost()
        }
        put(frame)
        channel.flush()
    }

    /// Says how many events were lost, as soon as there is room for it.
    private func tellLost() {
        guard let lost = subscription?.lost, lost > 0, channel.isWritable else { return }
        subscription?.lost = 0
        send(ServerMessage.laggedBytes(lost: lost))
    }

    // MARK: The end

    /// Says why and closes.
    private func end(with error: RPCError) {
        server.countDropped()
        refuseAll(with: error)
    }

    /// Sends one error and closes when it is out, or after a second where nobody reads.
    func refuseAll(with error: RPCError) {
        write(ServerMessage.failure(to: nil, error))
        isClosing = true
        forgetFrames()
        channel.flush()
        channel.close(mode: .output, promise: nil)
        Loop.after(.seconds(1)) { [self] in channel.close(promise: nil) }
    }

    func close() {
        isClosing = true
        channel.close(promise: nil)
    }

    func closed() {
        isClosing = true
        stalled?.cancel()
        forgetFrames()
        server.forget(self)
    }

    private func forgetFrames() {
        frames = FrameReader()
        hasBacklog = false
        server.bookUnfinished(change: -bookedBytes)
        bookedBytes = 0
    }
}

/// NIO's side of a connection: hands everything on, decides nothing.
final class ConnectionHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let connection: Connection

    init(_ connection: Connection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        Loop.assume { connection.received(buffer) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        Loop.assume { connection.readCompleted() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        Loop.assume { connection.writabilityChanged() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        Loop.assume { connection.closed() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        Loop.assume { connection.close() }
    }
}
