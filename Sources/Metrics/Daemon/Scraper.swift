import MetricsAPI
import MetricsCore
import NIOCore
import NIOHTTP1
import NIOPosix
import Runtime
import Settings
import Time

/// Reads a service's own figures from its `/metrics`. One connection a scrape; it ends at its timeout, at its limit, or with the
/// answer, and holds up nothing: the socket is the loop's, the text is parsed on a thread of its own.
@Loop final class Scraper {
    enum ScrapeError: Error, CustomStringConvertible {
        case unreachable(String)
        case timedOut(Int64)
        case status(UInt)
        case tooLarge
        case closed
        case notText

        var description: String {
            switch self {
            case .unreachable(let why): "cannot connect: \(why)"
            case .timedOut(let milliseconds): "no answer in \(milliseconds) ms"
            case .status(let code): "answered \(code)"
            case .tooLarge: "answered more than \(Scraper.mostBytes) bytes"
            case .closed: "closed the connection before its answer was whole"
            case .notText: "answered nothing that is Prometheus's text format"
            }
        }
    }

    nonisolated static let mostBytes = 8 << 20

    private let service: String
    private let place: ScrapePlace
    private let timeout: Duration
    private let parsers: Worker<[String: ScrapeParser]>

    /// - Parameter parsers: the thread on which pages are read; it keeps a parser for each service.
    init(service: String, place: ScrapePlace, timeout: Duration, parsers: Worker<[String: ScrapeParser]>) {
        self.service = service
        self.place = place
        self.timeout = timeout
        self.parsers = parsers
    }

    /// Scrapes once; `done` runs once, at the latest at the timeout.
    func scrape(withTable: Bool, _ done: @escaping @Loop (Result<Collection, any Error>) -> Void) {
        let parsers = parsers
        let service = service
        let instance = place.instance
        let timeout = timeout
        let once = Once { result in
            switch result {
            case .failure(let error): done(.failure(error))
            case .success(let body):
                parsers.submit(deadline: timeout) { parsers in
                    let known = parsers[service].flatMap { $0.instance == instance ? $0 : nil }
                    let parser = known ?? ScrapeParser(service: service, instance: instance)
                    parsers[service] = parser
                    return try parser.parse(body, withTable: withTable)
                } then: {
                    done($0)
                }
            }
        }
        let timer = Loop.after(timeout) { once.give(.failure(ScrapeError.timedOut(timeout.milliseconds))) }
        once.onGiven = { timer.cancel() }
        connect(once)
    }

    private func connect(_ once: Once) {
        let request = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: place.target,
            headers: [
                "Host": host, "Accept": "text/plain;version=0.0.4", "Connection": "close",
                "User-Agent": "mainstay-metricsd",
            ])
        guard let address = try? address() else {
            return once.give(
                .failure(ScrapeError.unreachable("\(place.instance) is no address; give one, or localhost")))
        }
        ClientBootstrap(group: Loop.shared.eventLoop)
            .connectTimeout(.nanoseconds(timeout.nanoseconds))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(ScrapeHandler(request, once))
                }
            }
            .connect(to: address)
            .whenComplete { result in
                Loop.assume {
                    switch result {
                    case .success(let channel): once.channel = channel
                    case .failure(let error): once.give(.failure(ScrapeError.unreachable("\(error)")))
                    }
                }
            }
    }

    private var host: String {
        switch place {
        case .tcp(let endpoint): "\(endpoint.address)"
        case .unix: "localhost"
        }
    }

    /// Not by name: NIO's look-up would make threads that nobody named and that may not set their priority here.
    private func address() throws -> SocketAddress {
        switch place {
        case .tcp(let endpoint): try SocketAddress(ipAddress: endpoint.address.numericHost, port: endpoint.port)
        case .unix(let socket, _): try SocketAddress(unixDomainSocketPath: socket)
        }
    }

    /// Gathers a scrape's body, gives its outcome once, and closes its connection.
    @Loop final class Once {
        private var body: [UInt8] = []
        private var then: (@Loop (Result<[UInt8], any Error>) -> Void)?
        var onGiven: @Loop () -> Void = {}
        var channel: (any Channel)? {
            didSet { if then == nil { channel?.close(promise: nil) } }
        }

        init(_ then: @escaping @Loop (Result<[UInt8], any Error>) -> Void) {
            self.then = then
        }

        func append(_ part: ByteBuffer) {
            guard then != nil else { return }
            body.append(contentsOf: part.readableBytesView)
            if body.count > Scraper.mostBytes { give(.failure(ScrapeError.tooLarge)) }
        }

        func end() { give(.success(body)) }

        func give(_ result: Result<[UInt8], any Error>) {
            guard let then else { return }
            self.then = nil
            onGiven()
            onGiven = {}
            channel?.close(promise: nil)
            then(result)
        }
    }
}

/// NIO's side of a scrape: sends the request, gathers the body up to its limit.
private final class ScrapeHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: HTTPRequestHead
    private let once: Scraper.Once

    init(_ request: HTTPRequestHead, _ once: Scraper.Once) {
        self.request = request
        self.once = once
    }

    private func give(_ result: Result<[UInt8], any Error>) {
        Loop.assume { once.give(result) }
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(request)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if head.status.code != 200 { give(.failure(Scraper.ScrapeError.status(head.status.code))) }
        case .body(let part):
            Loop.assume { once.append(part) }
        case .end:
            Loop.assume { once.end() }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        give(.failure(Scraper.ScrapeError.closed))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        give(.failure(error))
        context.close(promise: nil)
    }
}

/// Turns scraped text into rounds. Labels that the service gives and that are ours get the prefix `exported_`, as in Prometheus.
final class ScrapeParser {
    let instance: String
    private let own: [Label]
    private var round = RoundBuilder()

    init(service: String, instance: String) {
        self.instance = instance
        own = [Label("instance", instance), Label("job", service), Label("service", service)]
    }

    func parse(_ body: [UInt8], withTable: Bool) throws -> Collection {
        body.withUnsafeBytes { bytes in
            var exposition = Exposition(bytes)
            while let sample = exposition.next() {
                let series = UnsafeRawBufferPointer(rebasing: bytes[sample.series])
                round.add(sample.value, key: SeriesKey().adding(series).value) { labels(series) }
            }
        }
        guard round.count > 0 else {
            _ = round.finish(withTable: false)
            throw Scraper.ScrapeError.notText
        }
        return round.finish(withTable: withTable)
    }

    /// Nil where the name cannot be read or is too large: the sample is refused, and the page goes on.
    private func labels(_ text: UnsafeRawBufferPointer) -> Labels? {
        guard let given = Exposition.labels(text), SeriesBounds.excess(of: given) == nil else { return nil }
        let kept = given.pairs.map { pair in
            own.contains { $0.name == pair.name } ? Label("exported_\(pair.name)", pair.value) : pair
        }
        return Labels(given.metric, kept + own)
    }
}
