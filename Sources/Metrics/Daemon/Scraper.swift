import MetricsAPI
import MetricsCore
import NIOCore
import NIOHTTP1
import Runtime
import Settings
import Time

/// Reads a service's own figures from its `/metrics`. The text is parsed on a thread of its own.
@Loop final class Scraper {
    enum ScrapeError: Error, CustomStringConvertible {
        case noAddress(String)
        case status(UInt)
        case notText

        var description: String {
            switch self {
            case .noAddress(let name): "cannot connect: \(name) is no address; give one, or localhost"
            case .status(let code): "answered \(code)"
            case .notText: "answered nothing that is Prometheus's text format"
            }
        }
    }

    private static let mostBytes = 8 << 20

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

    /// Scrapes once; `done` runs once, at the latest at the timeout, and as long again for the parsing.
    func scrape(withTable: Bool, _ done: @escaping @Loop (Result<Collection, any Error>) -> Void) {
        guard let address = try? address() else {
            return Loop.post { [place] in done(.failure(ScrapeError.noAddress(place.instance))) }
        }
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: place.target,
            headers: ["Host": host, "Accept": "text/plain;version=0.0.4"])
        let request = HTTPExchange.Request(head: head, timeout: timeout, mostBytes: Self.mostBytes)
        HTTPExchange.run(request, to: address) { [self] result in
            switch result {
            case .failure(let error): done(.failure(error))
            case .success(let answer) where answer.head.status.code != 200:
                done(.failure(ScrapeError.status(answer.head.status.code)))
            case .success(let answer): parse(answer.body, withTable: withTable, done)
            }
        }
    }

    private func parse(
        _ body: [UInt8], withTable: Bool, _ done: @escaping @Loop (Result<Collection, any Error>) -> Void
    ) {
        let (service, instance) = (service, place.instance)
        parsers.submit(deadline: timeout) { parsers in
            let known = parsers[service].flatMap { $0.instance == instance ? $0 : nil }
            let parser = known ?? ScrapeParser(service: service, instance: instance)
            parsers[service] = parser
            return try parser.parse(body, withTable: withTable)
        } then: {
            done($0)
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
