import CLinux
import Foundation
import Glibc
import Runtime
import Settings
import Synchronization
import Testing
import Time
import Wire

/// The smallest daemon: what all sockets share is tested on it.
@Loop private final class Echo: DaemonProgram {
    nonisolated static let name = "echod"
    nonisolated static let events = ["shouted", "whispered"]
    private let context: DaemonContext
    private var ticks: UInt64 = 0
    var worker: Worker<Int>?
    /// Connections that closed, in their order, and of each open one what `say` was asked on it last.
    private(set) var closed: [ConnectionID] = []
    private(set) var speakers: [String: ConnectionID] = [:]

    enum Say: RPCMethod {
        static let name = "say"
        static let access = Access.read

        struct Params: WireObject {
            var text: String
            var times: Int

            init(text: String, times: Int = 1) {
                self.text = text
                self.times = times
            }

            init(from fields: inout Fields) throws(WireError) {
                text = try fields.value("text")
                times = try fields.value("times", or: 1)
            }

            func write(to object: inout ObjectWriter) {
                object.member("text", text)
                object.member("times", times)
            }
        }

        struct Reply: WireObject {
            var text: String

            init(text: String) { self.text = text }
            init(from fields: inout Fields) throws(WireError) { text = try fields.value("text") }
            func write(to object: inout ObjectWriter) { object.member("text", text) }
        }
    }

    /// Never answered by its handler: only the deadline ends it.
    enum Ponder: RPCMethod {
        static let name = "ponder"
        static let access = Access.read
        typealias Params = NoFields
        typealias Reply = NoFields
    }

    enum OnlyPeers: RPCMethod {
        static let name = "onlyPeers"
        static let access = Access.peer(["watchdogd"])
        typealias Params = NoFields
        typealias Reply = NoFields
    }

    init(_ context: DaemonContext, settings: AllSettings) throws {
        self.context = context
        context.server.on(Say.self) { [unowned self] params, caller in
            speakers[params.text] = caller.connection
            return Say.Reply(text: String(repeating: params.text, count: params.times))
        }
        context.server.onClosed { [unowned self] in closed.append($0.connection) }
        context.server.onLater(Ponder.self) { _, _, _ in }
        context.server.on(OnlyPeers.self) { _, _ in NoFields() }
        worker = context.worker(name: "store", make: { 0 })
    }

    func start(started: @escaping @Loop () -> Void) { started() }
    func reload(_ settings: AllSettings) {}
    func tick(now: Moment) -> UInt64 {
        ticks += 1
        return ticks
    }
    var own: NoFields { NoFields() }
    func stop(stopped: @escaping @Loop () -> Void) {
        stops += 1
        stopped()
    }
    private(set) var stops = 0
    func shout(_ count: Int, bytes: Int) {
        for _ in 0..<count { context.publish("shouted", Say.Reply(text: String(repeating: "x", count: bytes))) }
    }
}

/// A plain blocking connection, for bytes that no client of ours would send.
private struct RawSocket: ~Copyable {
    let descriptor: CInt

    init(_ path: String, patienceSeconds: Int = 5) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(connected == 0)
        var limit = timeval(tv_sec: patienceSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) { _ = Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL)) }

    func send(_ request: Request) { send(Frame.around(request.bytes) ?? []) }

    /// Everything until the daemon closes, or five seconds of silence.
    func readToEnd() -> (messages: [ServerMessage], closed: Bool) {
        var frames = FrameReader()
        var messages: [ServerMessage] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count <= 0 { return (messages, count == 0) }
            frames.append(chunk[..<count])
            while let body = try? frames.next() {
                if let json = try? JSONReader.read(body), let message = try? ServerMessage(json) {
                    messages.append(message)
                }
            }
        }
    }
}

@Suite struct SocketTests {
    @Test func aCallIsAnsweredAndAnUnknownParameterIsRefused() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let client = try await TestClient("echod", fixture.places)
        let reply = try await client.call(Echo.Say.self, .init(text: "ab", times: 3))
        #expect(reply.text == "ababab")
        let refused = await refusal(client, "say", ["text": "a", "tims": 2])
        #expect(refused?.name == "invalidParams")
        #expect(refused?.message == "params.tims: unknown parameter; known are text, times")
        #expect(await refusal(client, "sing", [:])?.name == "methodNotFound")
        await client.close()
        await DaemonFixture.stop(echo)
    }

    @Test func aDaemonIsToldOfEachConnectionThatCloses() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let client = try await TestClient("echod", fixture.places)
        let other = try await TestClient("echod", fixture.places)
        _ = try await client.call(Echo.Say.self, .init(text: "a"))
        _ = try await other.call(Echo.Say.self, .init(text: "b"))
        _ = try await client.call(Echo.Say.self, .init(text: "c"))
        let speakers = await echo.program.speakers
        #expect(speakers["a"] == speakers["c"])
        #expect(speakers["a"] != speakers["b"])
        #expect(await echo.program.closed.isEmpty)
        await other.close()
        let told = await client.eventually { echo.program.closed == [speakers["b"]] }
        #expect(told)
        await client.close()
        await DaemonFixture.stop(echo)
    }

    @Loop private func refusal(_ client: TestClient, _ method: String, _ params: JSONObject) async -> RPCError? {
        await withCheckedContinuation { continuation in
            client.peer.call(name: method, params, deadline: .seconds(5)) { result in
                switch result {
                case .success: continuation.resume(returning: nil)
                case .failure(let error): continuation.resume(returning: error)
                }
            }
        }
    }

    @Test func aHandlerThatNeverAnswersIsEndedByTheDeadline() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let raw = try RawSocket(fixture.places.socket(of: "echod"), patienceSeconds: 1)
        raw.send(Request(id: .integer(7), method: "ponder", params: [:], deadlineMs: 50))
        #expect(
            raw.readToEnd().messages == [.failure(.integer(7), .deadlineExceeded(method: "ponder", deadlineMs: 50))])
        await DaemonFixture.stop(echo)
    }

    @Test(arguments: ["{", "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"say\"}", "[]", "{\"a\":1,}", "\u{FEFF}{}"])
    func whatIsNoRequestIsAnsweredWithTheReasonAndTheConnectionEnds(_ text: String) async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let raw = try RawSocket(fixture.places.socket(of: "echod"))
        raw.send(try #require(Frame.around(Array(text.utf8))))
        let (messages, closed) = raw.readToEnd()
        #expect(closed)
        let names = messages.map { if case .failure(nil, let error) = $0 { error.name } else { "\($0)" } }
        #expect(names == ["parseError"] || names == ["invalidRequest"])
        await DaemonFixture.stop(echo)
    }

    @Test(
        arguments: [
            [0xFF, 0xFF, 0xFF, 0xFF, 0x00],
            [0x00, 0x00, 0x00, 0x00],
            [0x00, 0x10, 0x00, 0x01, 0x7B],
        ] as [[UInt8]])
    func aFrameThatCannotBeIsRefusedWithAReasonAndTheConnectionEnds(_ bytes: [UInt8]) async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let raw = try RawSocket(fixture.places.socket(of: "echod"))
        raw.send(bytes)
        let (messages, closed) = raw.readToEnd()
        #expect(closed)
        #expect(messages.count == 1)
        let client = try await TestClient("echod", fixture.places)
        #expect(try await client.call(Echo.Say.self, .init(text: "a")).text == "a")
        await client.close()
        await DaemonFixture.stop(echo)
    }

    @Test func aSubscriberThatDoesNotReadLosesEventsAndIsToldHowMany() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let raw = try RawSocket(fixture.places.socket(of: "echod"), patienceSeconds: 1)
        raw.send(Request(id: .integer(1), method: "subscribe", params: [:]))
        let client = try await TestClient("echod", fixture.places)
        _ = try await client.call(Echo.Say.self, .init(text: "the subscription came first"))
        await echo.program.shout(2000, bytes: 1000)
        let (messages, _) = raw.readToEnd()
        let received = messages.count { if case .event = $0 { true } else { false } }
        let lost = messages.reduce(Int64(0)) { if case .lagged(let count) = $1 { $0 + count } else { $0 } }
        #expect(lost > 0)
        #expect(Int64(received) + lost == 2000)
        await client.close()
        await DaemonFixture.stop(echo)
    }

    @Test func anEventThatTheDaemonDoesNotHaveIsRefusedWithThoseThatItHas() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let raw = try RawSocket(fixture.places.socket(of: "echod"), patienceSeconds: 1)
        raw.send(Request(id: .integer(1), method: "subscribe", params: ["events": ["shouted", "shoutet"]]))
        raw.send(Request(id: .integer(2), method: "subscribe", params: ["events": ["whispered"]]))
        let client = try await TestClient("echod", fixture.places)
        _ = try await client.call(Echo.Say.self, .init(text: "the subscriptions came first"))
        await echo.program.shout(1, bytes: 10)
        let messages = raw.readToEnd().messages
        #expect(messages.first == .failure(.integer(1), .unknownEvent("shoutet", known: ["shouted", "whispered"])))
        #expect(
            messages.dropFirst().count == 1, "the second is answered, and the event is not of its kind: \(messages)")
        await client.close()
        await DaemonFixture.stop(echo)
    }

    @Test func whoFollowsIsToldThatItIsRefused() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let client = try await TestClient("echod", fixture.places)
        let refusals = Mutex([String]())
        await follow(["shoutet"], by: client.peer) { error in refusals.withLock { $0.append(error.name) } }
        #expect(await client.eventually { refusals.withLock { $0 } == ["unknownEvent"] })
        await client.close()
        await DaemonFixture.stop(echo)
    }

    @Loop private func follow(
        _ events: [String], by peer: Peer, _ refused: @escaping @Sendable (RPCError) -> Void
    ) {
        peer.onRefusal = { refused($0) }
        peer.follow(events)
    }

    @Test func aSubscriptionThatIsNotAnsweredIsAskedForAgain() async throws {
        let fixture = try DaemonFixture()
        let asked = Mutex(0)
        let socket = try ScriptedSocket("echod", in: fixture.places.sockets) { request in
            guard request.method == "subscribe" else { return nil }
            let time = asked.withLock { count in
                count += 1
                return count
            }
            return time == 1 ? nil : ServerMessage.reply(to: request.id, Common.Subscribe.Reply(next: 1))
        }
        let gaps = Mutex(0)
        let peer = await followAll("echod", fixture.places) { gaps.withLock { $0 += 1 } }
        let end = ContinuousClock.now + .seconds(20)
        while gaps.withLock({ $0 }) == 0, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(50)) }
        #expect(asked.withLock { $0 } == 2)
        #expect(gaps.withLock { $0 } == 1)
        await stop(peer)
        _ = consume socket
    }

    @Loop private func followAll(
        _ daemon: String, _ places: DaemonContext.Places, _ gap: @escaping @Sendable () -> Void
    ) -> Peer {
        let peer = Peer(daemon: daemon, path: places.socket(of: daemon))
        peer.onGap = { _ in gap() }
        peer.follow(nil)
        peer.start()
        return peer
    }

    @Loop private func stop(_ peer: Peer) { peer.stop() }

    @Test func whoIsRefusedIsToldWhichGroupToJoin() {
        let groups = AccessGroups(read: "lookers", act: "doers")
        let read = RPCError.accessDenied(method: "status", needs: .read, uid: 1000, groups: groups)
        #expect(read.message == "status is for the group lookers; the caller is uid 1000")
        #expect(read.remedy == "As root: usermod -aG lookers USER, then log in again")
        let act = RPCError.accessDenied(method: "hold", needs: .act, uid: 1000, groups: groups)
        #expect(act.message == "hold is for root or the group doers; the caller is uid 1000")
        #expect(act.remedy == "Call as root, or as root: usermod -aG doers USER, then log in again")
        var settings = MainstaySettings()
        settings.access.readGroup = "lookers"
        settings.access.actGroup = "doers"
        #expect(Principals.ofHost(settings).groups == groups)
    }

    @Test func aPeerThatAsksMuchAndReadsNothingHoldsUpNobodyAndLosesNothing() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let greedy = try RawSocket(fixture.places.socket(of: "echod"), patienceSeconds: 2)
        // 500 requests in one go; their 10 MB of answers fit no buffer, so most wait until the peer reads. One by one they might not
        // fit either, since a socket's room is counted by the message: the peer would wait for the daemon, and the daemon for it.
        let requests = (1...500).flatMap { number in
            Frame.around(
                Request(
                    id: .integer(Int64(number)), method: "say", params: ["text": "0123456789", "times": 2000]
                ).bytes) ?? []
        }
        greedy.send(requests)
        let client = try await TestClient("echod", fixture.places)
        for _ in 0..<20 {
            let reply = try await client.call(Echo.Say.self, .init(text: "a"), deadline: .seconds(1))
            #expect(reply.text == "a")
        }
        let numbers = greedy.readToEnd().messages.compactMap { message -> Int64? in
            if case .reply(.integer(let number), _) = message { number } else { nil }
        }
        #expect(numbers == Array(1...500))
        await client.close()
        await DaemonFixture.stop(echo)
    }

    @Test func unfinishedFramesOfOneAreNotPaidForByAnother() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let path = fixture.places.socket(of: "echod")
        let request = Frame.around(Request(id: .integer(1), method: "say", params: ["text": "a"]).bytes) ?? []
        let patient = try RawSocket(path, patienceSeconds: 1)
        patient.send(Array(request.prefix(20)))
        var held: [CInt] = []
        for _ in 0..<20 {
            let greedy = try RawSocket(path)
            // Ends by the last byte but one: over all, more than the 16 MiB that a daemon holds.
            greedy.send([0x00, 0x10, 0x00, 0x00] + [UInt8](repeating: UInt8(ascii: "x"), count: (1 << 20) - 1))
            held.append(dup(greedy.descriptor))
        }
        patient.send(Array(request.dropFirst(20)))
        let (messages, closed) = patient.readToEnd()
        #expect(messages.count == 1)
        #expect(!closed)
        #expect(await echo.context.server.figures.dropped >= 4)
        held.forEach { close($0) }
        await DaemonFixture.stop(echo)
    }

    @Test func aUserMayHoldSixtyFourConnectionsAndNoMore() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        var held: [CInt] = []
        for _ in 0..<64 {
            let raw = try RawSocket(fixture.places.socket(of: "echod"))
            raw.send(Request(id: .integer(1), method: "say", params: ["text": "a"]))
            held.append(dup(raw.descriptor))
        }
        let refused = try RawSocket(fixture.places.socket(of: "echod"))
        let (messages, closed) = refused.readToEnd()
        #expect(closed)
        #expect(
            messages.first.map { if case .failure(nil, let error) = $0 { error.name } else { "" } } == "limitExceeded")
        held.forEach { close($0) }
        await DaemonFixture.stop(echo)
    }

    @Test func statusAndMetricsAreAnsweredByEveryDaemon() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let client = try await TestClient("echod", fixture.places)
        let status = try await client.call(Common.Status<NoFields>.self, NoFields())
        #expect(status.head.daemon == "echod")
        #expect(status.head.condition == .running)
        #expect(status.head.threads.map(\.name) == ["log", "store"])
        let first = try await client.call(Common.Metrics.self, .init(generation: 0))
        let table = try #require(first.series)
        #expect(table.count == first.values.count)
        #expect(table.contains { $0.name == "mainstay_requests_total" })
        let second = try await client.call(Common.Metrics.self, .init(generation: first.generation))
        #expect(second.series == nil)
        #expect(second.values.count == table.count)
        await client.close()
        await DaemonFixture.stop(echo)
    }

    @Test func aStuckThreadIsNamedInStatusAndTheSocketStillAnswers() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let client = try await TestClient("echod", fixture.places)
        let release = DispatchSemaphore(value: 0)
        let worker = try #require(await echo.program.worker)
        let outcome = Mutex("")
        worker.submit(deadline: .milliseconds(20)) { _ in
            release.wait()
        } then: { result in
            if case .failure(let error) = result { outcome.withLock { $0 = "\(error)" } }
        }
        let stuck = await client.eventually {
            let status = try? await client.call(Common.Status<NoFields>.self, NoFields())
            return status?.head.condition == .stuck
        }
        #expect(stuck)
        #expect(outcome.withLock { $0 } == "deadlineExceeded(thread: \"store\")")
        release.signal()
        await client.close()
        await DaemonFixture.stop(echo)
    }

    @Test func whoCallsAPeerThatDoesNotReadIsToldSoAndHoldsNoMoreThanABuffer() async throws {
        let fixture = try DaemonFixture()
        let mute = try MuteSocket("muted", in: fixture.places.sockets)
        let client = try await TestClient("muted", fixture.places)
        let refused = await refusedAtOnce(client, calls: 64, bytesEach: 100_000)
        // A Unix socket takes some 200 KB; beside that at most 1 MiB waits on our side.
        #expect(refused.count >= 64 - 14)
        #expect(
            Set(refused) == ["peerSilent: muted does not answer: it does not read. systemctl status mainstay-muted"])
        await client.close()
        _ = mute
    }

    /// The refusals of calls that were not even sent.
    @Loop private func refusedAtOnce(_ client: TestClient, calls: Int, bytesEach: Int) -> [String] {
        let params: JSONObject = ["text": .string(String(repeating: "x", count: bytesEach))]
        let refused = Mutex([String]())
        for _ in 0..<calls {
            client.peer.call(name: "say", params, deadline: .seconds(30)) { result in
                if case .failure(let error) = result { refused.withLock { $0.append("\(error)") } }
            }
        }
        return refused.withLock { $0 }
    }

    @Test func anEventThatFitsNoFrameCountsAsLost() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let client = try await TestClient("echod", fixture.places)
        _ = try await client.call(Common.Subscribe.self, .init())
        await echo.program.shout(1, bytes: Frame.longestBodyBytes)
        await echo.program.shout(1, bytes: 1)
        #expect(await client.eventually(within: .seconds(2)) { client.lost == [1] && client.events.count == 1 })
        #expect(await echo.context.server.figures.eventsLost == 1)
        await client.close()
        await DaemonFixture.stop(echo)
    }

    @Test func aSecondOrderToStopIsNoSecondStop() async throws {
        let fixture = try DaemonFixture()
        let told = Mutex(0)
        let log = Log(sink: { entry in told.withLock { if entry.message.contains("stopping") { $0 += 1 } } })
        let echo = try await fixture.start(Echo.self, log: log)
        await stopTwice(echo)
        log.drain()
        #expect(told.withLock { $0 } == 1)
    }

    @Loop private func stopTwice(_ echo: Assembly<Echo>) {
        echo.stop {}
        echo.stop {}
        #expect(echo.program.stops == 1)
    }

    @Test func aSocketThatCannotBeServedIsAnErrorAndNothingStarts() async throws {
        let fixture = try DaemonFixture()
        let noSocket = open("/dev/null", O_RDWR | O_CLOEXEC)
        #expect(try await failure(toServe: noSocket, fixture.places) != nil)
    }

    @Loop private func failure(toServe descriptor: CInt, _ places: DaemonContext.Places) async throws -> (any Error)? {
        let context = DaemonContext(
            name: "echod", places: places, log: Log(sink: { _ in }), principals: DaemonFixture.principals)
        let echo = try Assembly<Echo>(context, settings: AllSettings(), document: nil)
        return await withCheckedContinuation { continuation in
            echo.start(
                listeningOn: descriptor, tickInterval: .seconds(1), failed: { continuation.resume(returning: $0) },
                ready: { continuation.resume(returning: nil) })
        }
    }

    @Test func aReloadTakesTheIdsOfTheGroupsThatTheSettingsNameNow() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self)
        let settings = try fixture.settings()
        let new = Principals(actors: 7, readers: 8, daemons: ["watchdogd": 9])
        await echo.reload(.success(settings), principals: new)
        #expect(await echo.context.server.principals == new)
        await echo.reload(.failure(SettingsRefused(problems: [])))
        #expect(await echo.context.server.principals == new)
        await DaemonFixture.stop(echo)
    }

    @Test func aLogThatNobodyTakesShowsAsStuck() async throws {
        let gate = DispatchSemaphore(value: 0)
        let log = Log(sink: { _ in gate.wait() })
        log.write(.info, "nobody reads this")
        while log.thread.condition(now: HostClock.now().instant).waiting > 0 { await Task.yield() }
        let now = HostClock.now().instant
        #expect(!log.thread.condition(now: now).stuck)
        #expect(log.thread.condition(now: now + .seconds(11)).stuck)
        gate.signal()
    }

    @Test func aPeerThatIsAskedWhetherItLivesSendsItsTableOnce() async throws {
        let fixture = try DaemonFixture()
        let asked = Mutex([Int64]())
        let server = try await lifeSigns(on: fixture.places.socket(of: "echod")) { generation in
            asked.withLock { $0.append(generation) }
        }
        let peer = await follow("echod", fixture.places)
        let client = try await TestClient("echod", fixture.places)
        #expect(await client.eventually { asked.withLock { $0.count } >= 2 })
        #expect(asked.withLock { $0.prefix(2) } == [0, 77])
        await client.close()
        await end(peer, server)
    }

    /// A server that answers `metrics` with a table of generation 77.
    @Loop private func lifeSigns(
        on path: String, _ asked: @escaping @Sendable (Int64) -> Void
    ) throws -> Server {
        let server = Server(principals: DaemonFixture.principals)
        server.on(Common.Metrics.self) { params, _ in
            asked(params.generation)
            return Common.Metrics.Reply(generation: 77, atMs: 1, series: [], values: [])
        }
        server.listen(on: try ListeningSocket.bind(path)) { _ in }
        return server
    }

    @Loop private func follow(_ daemon: String, _ places: DaemonContext.Places) -> Peer {
        let peer = Peer(daemon: daemon, path: places.socket(of: daemon))
        peer.start()
        return peer
    }

    @Loop private func end(_ peer: Peer, _ server: Server) {
        peer.stop()
        server.close()
    }

    @Test func theKeepaliveNeedsProgressOfTheCore() async throws {
        let fixture = try DaemonFixture()
        let echo = try await fixture.start(Echo.self, tickInterval: .milliseconds(10))
        let beats = Mutex(0)
        await setProgress(echo) { beats.withLock { $0 += 1 } }
        let client = try await TestClient("echod", fixture.places)
        #expect(await client.eventually { beats.withLock { $0 } >= 3 })
        await client.close()
        await DaemonFixture.stop(echo)
    }

    @Loop private func setProgress(_ echo: Assembly<Echo>, _ body: @escaping @Loop () -> Void) {
        echo.onProgress = body
    }
}
