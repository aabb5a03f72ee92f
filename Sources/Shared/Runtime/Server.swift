import NIOCore
import NIOPosix
import Time
package import Wire

/// A daemon's socket: reads requests, checks who asks, routes, answers, and streams events. Limits bound what any peer can
/// make it hold; bad input closes that connection and nothing else.
@Loop package final class Server {
    /// What one daemon takes on.
    package struct Limits: Hashable, Sendable {
        /// Connections of one user.
        package var connectionsPerUser = 64
        /// Connections in all.
        package var connections = 1024
        /// Bytes of frames that have begun and not ended, over all connections.
        package var unfinishedBytes = 16 << 20
        /// Bytes that wait for one slow reader before events are dropped for it and its requests are left unread.
        package var unsentBytes = 256 << 10
        /// How long a reader may leave such bytes unread before it is dropped.
        package var stalledReader: Duration = .seconds(10)
        /// Requests of one connection that are answered before the others have their turn.
        package var requestsATurn = 32
        /// Calls of one connection that are answered later.
        package var openCalls = 256

        package init() {}
    }

    /// What the wire may become of a call.
    enum Outcome {
        case reply([UInt8])
        case later
        /// The peer does not speak this protocol: say why, and close.
        case close(RPCError)
    }

    struct Route {
        var access: Access
        var answer: @Loop (Request, Caller, Connection) throws(RPCError) -> Outcome
    }

    package private(set) var limits: Limits
    /// Whom connections are taken for from now on.
    package internal(set) var principals: Principals
    /// The uid that a service runs as, for methods of the class *self*; set by the daemon that knows.
    package var ownerOfService: @Loop (String) -> UInt32? = { _ in nil }

    private(set) var routes: [String: Route] = [:]
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var perUser: [UInt32: Int] = [:]
    private var connectionsMade: UInt64 = 0
    private var closedListeners: [@Loop (Caller) -> Void] = []
    private var listener: (any Channel)?
    private var events: [String] = []
    private var sequence: Int64 = 0
    private(set) var counts = Counts()
    private var unfinishedBytes = 0
    private var isClosed = false

    /// The socket's own figures since the start.
    package struct Counts: Hashable, Sendable {
        package var requests: Int64 = 0
        package var refused: Int64 = 0
        package var accepted: Int64 = 0
        package var dropped: Int64 = 0
        package var eventsLost: Int64 = 0
    }

    package init(principals: Principals, limits: Limits = Limits()) {
        self.principals = principals
        self.limits = limits
    }

    /// The figures since the start.
    package var figures: Counts { counts }
    /// Connections that are open now.
    package var openConnections: Int { connections.count }
    /// The names of the methods that are answered here.
    package var methods: [String] { routes.keys.sorted() }
    /// The number that the next event will have.
    package var nextSequence: Int64 { sequence + 1 }

    /// Changes how many connections are taken from now on; those that are open stay.
    func setConnectionLimits(all: Int, perUser: Int) {
        limits.connections = all
        limits.connectionsPerUser = perUser
    }

    // MARK: Methods

    /// Answers `method` at once.
    package func on<Method: RPCMethod>(
        _ method: Method.Type, alsoNamed others: [String] = [],
        _ handler: @escaping @Loop (Method.Params, Caller) throws(RPCError) -> Method.Reply
    ) {
        register(Method.self, others) { request, caller, _ throws(RPCError) in
            let params: Method.Params = try Self.params(request)
            return .reply(ServerMessage.reply(to: request.id, try handler(params, caller)))
        }
    }

    /// Answers `method` later, through the responder, within the caller's deadline.
    package func onLater<Method: RPCMethod>(
        _ method: Method.Type, alsoNamed others: [String] = [],
        _ handler: @escaping @Loop (Method.Params, Caller, Responder<Method.Reply>) throws(RPCError) -> Void
    ) {
        register(Method.self, others) { [limits] request, caller, connection throws(RPCError) in
            guard connection.openCalls < limits.openCalls else {
                throw .limitExceeded("\(limits.openCalls) calls of this connection are open already")
            }
            let params: Method.Params = try Self.params(request)
            let responder = Responder<Method.Reply>(request: request, connection: connection)
            do throws(RPCError) { try handler(params, caller, responder) } catch {
                responder.abandon()
                throw error
            }
            return .later
        }
    }

    private func register<Method: RPCMethod>(
        _ method: Method.Type, _ others: [String],
        _ answer: @escaping @Loop (Request, Caller, Connection) throws(RPCError) -> Outcome
    ) {
        for name in [Method.name] + others {
            precondition(routes[name] == nil, "two handlers for \(name)")
            routes[name] = Route(access: Method.access, answer: answer)
        }
    }

    private static func params<Params: WireObject>(_ request: Request) throws(RPCError) -> Params {
        do { return try Params(wire: .object(request.params), unknown: .refused) } catch {
            throw .invalidParams(error.placed(in: "params"))
        }
    }

    /// The answer to one frame's body.
    func answer(_ body: [UInt8], on connection: Connection) -> Outcome {
        counts.requests += 1
        let json: JSON
        do { json = try JSONReader.read(body) } catch { return .close(.parseError(error)) }
        let request: Request
        do { request = try Request(json) } catch { return .close(.invalidRequest(error)) }
        guard let route = routes[request.method] else {
            return refuse(request.id, .methodNotFound(request.method))
        }
        var owner: UInt32?
        if case .own = route.access, case .string(let service)? = request.params["service"] {
            owner = ownerOfService(service)
        }
        guard principals.allow(connection.caller, route.access, owner: owner) else {
            return refuse(
                request.id,
                .accessDenied(
                    method: request.method, needs: route.access, uid: connection.caller.uid, groups: principals.groups))
        }
        do { return try route.answer(request, connection.caller, connection) } catch {
            return refuse(request.id, error)
        }
    }

    private func refuse(_ id: RequestID?, _ error: RPCError) -> Outcome {
        counts.refused += 1
        return .reply(ServerMessage.failure(to: id, error))
    }

    // MARK: Events

    /// Registers `subscribe` to `events`, which alone needs the connection itself. A name that is none of them would be
    /// waited for in vain, so it is refused.
    func onSubscribe(to events: [String]) {
        self.events = events
        register(Common.Subscribe.self, []) { [unowned self] request, _, connection throws(RPCError) in
            let params: Common.Subscribe.Params = try Self.params(request)
            if let stranger = params.events?.first(where: { !events.contains($0) }) {
                throw .unknownEvent(stranger, known: events)
            }
            connection.subscribe(to: params.events)
            return .reply(ServerMessage.reply(to: request.id, Common.Subscribe.Reply(next: nextSequence)))
        }
    }

    /// Sends an event to whoever subscribed to it. A reader that is too slow loses it, and is told how many it lost; so are all
    /// of them of an event that fits no frame.
    package func publish(_ name: String, _ data: some WireObject, atMs: Int64) {
        assert(events.contains(name), "the event \(name) is missing in the program's list: nobody can ask for it")
        sequence += 1
        guard connections.values.contains(where: { $0.wants(name) }) else { return }
        let members = (try? JSONReader.read(JSONWriter.bytes(of: data))) ?? .object([:])
        guard case .object(let object) = members else { return }
        let event = Event(sequence: sequence, name: name, atMs: atMs, data: object)
        let frame = Frame.around(ServerMessage.eventBytes(event))
        for connection in connections.values where connection.wants(name) { connection.sendEvent(frame) }
    }

    // MARK: Connections

    /// Serves a listening socket until `close`; `done` is told once whether it can be served.
    package func listen(on descriptor: CInt, done: @escaping @Loop (Result<Void, any Error>) -> Void) {
        let bootstrap = ServerBootstrap(group: Loop.shared.eventLoop)
            .serverChannelOption(.maxMessagesPerRead, value: 16)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelOption(
                .writeBufferWaterMark, value: .init(low: limits.unsentBytes / 2, high: limits.unsentBytes)
            )
            .childChannelInitializer { channel in
                Loop.assume { self.admit(channel) }
            }
        bootstrap.withBoundSocket(descriptor).whenComplete { result in
            Loop.assume {
                if case .success(let channel) = result {
                    if self.isClosed { channel.close(promise: nil) } else { self.listener = channel }
                }
                done(result.map { _ in })
            }
        }
    }

    private func admit(_ channel: any Channel) -> EventLoopFuture<Void> {
        // Taken from the backlog while the listener was already closing.
        guard !isClosed else { return channel.close() }
        let pipeline = channel.pipeline.syncOperations
        let principals = principals
        let caller: Caller?? = try? pipeline.withUnsafeTransportIfAvailable { (socket: NIOBSDSocket.Handle) in
            Caller(socket: socket, principals: principals)
        }
        guard var caller = caller ?? nil else { return channel.close() }
        connectionsMade += 1
        caller.connection = ConnectionID(number: connectionsMade)
        let connection = Connection(channel: channel, caller: caller, server: self)
        let refusal: RPCError? =
            if perUser[caller.uid, default: 0] >= limits.connectionsPerUser {
                .limitExceeded("uid \(caller.uid) has \(limits.connectionsPerUser) connections open already")
            } else if connections.count >= limits.connections {
                .limitExceeded("\(limits.connections) connections are open already")
            } else { nil }
        do { try pipeline.addHandler(ConnectionHandler(connection)) } catch { return channel.close() }
        if let refusal {
            counts.dropped += 1
            connection.refuseAll(with: refusal)
            return channel.eventLoop.makeSucceededVoidFuture()
        }
        counts.accepted += 1
        perUser[caller.uid, default: 0] += 1
        connections[ObjectIdentifier(connection)] = connection
        return channel.eventLoop.makeSucceededVoidFuture()
    }

    func forget(_ connection: Connection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        let uid = connection.caller.uid
        perUser[uid, default: 1] -= 1
        if perUser[uid] == 0 { perUser[uid] = nil }
        for listener in closedListeners { listener(connection.caller) }
    }

    /// Has `body` called after a connection has closed, whoever closed it; the kernel does for a client that was killed. For what
    /// is bound to a connection: by then nothing can be answered on it.
    package func onClosed(_ body: @escaping @Loop (Caller) -> Void) { closedListeners.append(body) }

    func countDropped() { counts.dropped += 1 }
    func countLostEvent() { counts.eventsLost += 1 }

    /// Books a change in the bytes of unfinished frames. Where all hold too much, the connection that holds the most ends: not
    /// the one that happened to come last, which may be anybody's.
    func bookUnfinished(change: Int) {
        unfinishedBytes += change
        guard unfinishedBytes > limits.unfinishedBytes else { return }
        connections.values.max { $0.bookedBytes < $1.bookedBytes }?.endForUnfinishedFrames()
    }

    /// Stops listening and closes every connection.
    package func close() {
        isClosed = true
        listener?.close(promise: nil)
        listener = nil
        for connection in connections.values { connection.close() }
    }
}

/// The way back for a call that is answered later: once, or by the deadline's error.
@Loop package final class Responder<Reply: WireObject> {
    private let id: RequestID
    private weak var connection: Connection?
    private var timer: LoopTimer?
    private var isOpen = true
    /// How long the caller waits, from the call on.
    package let deadline: Duration

    init(request: Request, connection: Connection) {
        id = request.id
        deadline = .milliseconds(request.deadlineMs)
        self.connection = connection
        connection.openCalls += 1
        // The timer keeps the responder alive: a handler that drops it has its caller told all the same.
        timer = Loop.after(.milliseconds(request.deadlineMs)) { [self] in
            fail(.deadlineExceeded(method: request.method, deadlineMs: request.deadlineMs))
        }
    }

    /// Answers the call; after the first answer nothing more is sent.
    package func succeed(_ reply: Reply) { finish(ServerMessage.reply(to: id, reply)) }

    /// Refuses the call.
    package func fail(_ error: RPCError) { finish(ServerMessage.failure(to: id, error)) }

    /// Answers or refuses.
    package func give(_ result: Result<Reply, RPCError>) {
        switch result {
        case .success(let reply): succeed(reply)
        case .failure(let error): fail(error)
        }
    }

    func abandon() {
        guard isOpen else { return }
        isOpen = false
        timer?.cancel()
        connection?.openCalls -= 1
    }

    private func finish(_ bytes: [UInt8]) {
        guard isOpen else { return }
        abandon()
        connection?.send(bytes)
    }
}
