import CLinux
import Foundation
import MetricsAPI
import MetricsDaemon
import NIOCore
import NIOPosix
import Runtime
import Settings
import Synchronization
import Testing
import Time
import Wire

/// A daemon of the suite that metricsd does not know: it finds it by its socket.
@Loop private final class Neighbour: DaemonProgram {
    nonisolated static let name = "neighbourd"
    nonisolated static let events: [String] = []
    private var ticks: UInt64 = 0

    init(_ context: DaemonContext, settings: AllSettings) throws {
        context.figures.add("neighbour_answer", labels: ["of": "everything"], .gauge) { 42 }
    }

    func start(started: @escaping @Loop () -> Void) { started() }
    func reload(_ settings: AllSettings) {}
    func tick(now: Moment) -> UInt64 {
        ticks += 1
        return ticks
    }
    var own: NoFields { NoFields() }
    func stop(stopped: @escaping @Loop () -> Void) { stopped() }
}

/// A web server of one answer, or one that takes connections and never answers.
private final class OnePage: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let page: String?

    init(_ page: String?) { self.page = page }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let page else { return }
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: \(page.utf8.count)\r\nConnection: close\r\n\r\n\(page)"
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: answer)), promise: nil)
    }

    static func serve(_ page: String?) async throws -> (channel: any Channel, port: Int) {
        let channel = try await server(of: page).bind(host: "127.0.0.1", port: 0).get()
        return (channel, try #require(channel.localAddress?.port))
    }

    static func serve(_ page: String?, at socket: String) async throws -> any Channel {
        try await server(of: page).bind(unixDomainSocketPath: socket).get()
    }

    private static func server(of page: String?) -> ServerBootstrap {
        ServerBootstrap(group: Loop.shared.eventLoop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(OnePage(page))
                }
            }
    }
}

@Suite("metricsd", .timeLimit(.minutes(2)))
struct MetricsDaemonTests {
    /// Five rounds a second, so that tests need not wait for many.
    private static let quick = "metricsd:\n  interval: 200ms\n  flushInterval: 400ms\n"

    private func fixture(_ settings: String = MetricsDaemonTests.quick) throws -> DaemonFixture {
        let fixture = try DaemonFixture()
        try settings.write(
            toFile: "\(fixture.places.settings)/mainstay.yaml", atomically: true, encoding: .utf8)
        return fixture
    }

    private func points(
        _ client: TestClient, _ selector: String, stepMs: Int64? = nil
    ) async throws -> [SeriesPoints] {
        try await client.call(QueryRange.self, .init(selector: selector, stepMs: stepMs)).series
    }

    @Test("It measures the host at its interval, and a query shows what is on disk")
    func measures() async throws {
        let fixture = try fixture()
        let daemon = try await fixture.start(Metricsd.self)
        let client = try await TestClient("metricsd", fixture.places)
        #expect(
            await client.eventually {
                ((try? await points(client, "node_load1"))?.first?.points.count ?? 0) >= 5
            })
        let reply = try await client.call(QueryRange.self, .init(selector: "node_load1"))
        let times = try #require(reply.series.first).points.map(\.timeMs)
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 < 1000 && $1 > $0 })
        #expect(!reply.uncommitted)
        #expect(try #require(reply.committedToMs) >= (try #require(times.last)))
        let status = try await client.call(Common.Status<MetricsStatus>.self, NoFields())
        #expect(status.own.store == .working)
        #expect(status.own.liveSeries > 400)
        let alias = try await client.call(QueryMetrics.self, .init(selector: "up{collector=\"system\"}"))
        #expect(alias.series.first?.labels["level"] == "system")
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Test("A peer that answers is measured; one that never does is named, and costs the others nothing")
    func peers() async throws {
        let fixture = try fixture()
        let deaf = try ListeningSocket.bind(fixture.places.socket(of: "deafd"))
        let neighbour = try await fixture.start(Neighbour.self)
        let daemon = try await fixture.start(Metricsd.self)
        let client = try await TestClient("metricsd", fixture.places)
        await follow(client)
        #expect(await client.eventually { client.events.contains { $0.name == MetricsEvents.collectorFailed } })
        #expect(
            await client.eventually {
                let found = try? await points(client, "neighbour_answer{daemon=\"neighbourd\",of=\"everything\"}")
                return found?.first?.points.last?.value.value == 42
            })
        let states = try await client.call(Levels.self, NoFields()).collectors
        #expect(states.first { $0.name == "peer:deafd" }?.condition == .down)
        #expect(states.first { $0.name == "peer:neighbourd" }?.condition == .up)
        let before = try await points(client, "node_load1").first?.points.count ?? 0
        #expect(
            await client.eventually {
                (try? await points(client, "node_load1"))?.first?.points.count ?? 0 >= before + 5
            })
        await DaemonFixture.stop(neighbour)
        #expect(
            await client.eventually {
                let states = (try? await client.call(Levels.self, NoFields()))?.collectors ?? []
                return states.first { $0.name == "peer:neighbourd" }?.condition == .down
            })
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        let ended = try await client.call(
            QueryRange.self, .init(selector: "neighbour_answer", fromMs: now, toMs: now, stepMs: 1))
        #expect(ended.series.isEmpty, "its series ended with it, not five minutes later")
        await client.close()
        await DaemonFixture.stop(daemon)
        close(deaf)
    }

    @Loop private func follow(_ client: TestClient) { client.peer.follow(nil) }

    @Test("A service's own page is scraped; one that hangs is down, and all else goes on")
    func scrapes() async throws {
        let fixture = try fixture()
        let good = try await OnePage.serve("# TYPE requests_total counter\nrequests_total{code=\"200\"} 17\n")
        let hung = try await OnePage.serve(nil)
        for (name, port) in [("good", good.port), ("hung", hung.port)] {
            try fixture.writeService(
                name,
                "unit: \(name).service\nmetrics:\n  scrape: http://127.0.0.1:\(port)/metrics\n  interval: 1s\n  timeout: 100ms\n"
            )
        }
        let daemon = try await fixture.start(Metricsd.self)
        let client = try await TestClient("metricsd", fixture.places)
        #expect(
            await client.eventually {
                (try? await points(client, "requests_total{service=\"good\",code=\"200\"}"))?.first?.points.last?
                    .value.value == 17
            })
        let reply = try await client.call(Collect.self, .init(level: .application))
        #expect(reply.samples.contains { $0.name == "requests_total" && $0.value.value == 17 })
        #expect(reply.failed == [CollectorFailure(collector: "scrape:hung", reason: "no answer in 100 ms")])
        #expect(
            try await points(client, "namedprocess_namegroup_num_procs{service=\"hung\"}").first?.points.last?.value
                .value == 0)
        await client.close()
        await DaemonFixture.stop(daemon)
        try await good.channel.close()
        try await hung.channel.close()
    }

    @Test("A page behind a Unix socket is scraped, and one that nobody serves says so")
    func scrapesSocket() async throws {
        let fixture = try fixture()
        let path = "\(fixture.places.sockets)/page"
        let page = try await OnePage.serve("jobs_total 3\n", at: path)
        for (name, socket) in [("good", path), ("away", "\(path)-away")] {
            try fixture.writeService(
                name,
                "unit: \(name).service\nmetrics:\n  scrape: http://unix:\(socket):/metrics\n  interval: 1s\n  timeout: 100ms\n"
            )
        }
        let daemon = try await fixture.start(Metricsd.self)
        let client = try await TestClient("metricsd", fixture.places)
        #expect(
            await client.eventually {
                let found = try? await points(client, "jobs_total{service=\"good\",instance=\"\(path)\"}")
                return found?.first?.points.last?.value.value == 3
            })
        let reply = try await client.call(Collect.self, .init(level: .application))
        #expect(reply.failed.map(\.collector) == ["scrape:away"])
        #expect(reply.failed.first?.reason.hasPrefix("cannot connect: ") == true)
        await client.close()
        await DaemonFixture.stop(daemon)
        try await page.close()
    }

    @Test("Pushed figures are stored with the service's name; bad ones are refused whole")
    func pushes() async throws {
        let fixture = try fixture()
        try fixture.writeService("gateway", "unit: gateway.service\n")
        let daemon = try await fixture.start(Metricsd.self)
        let client = try await TestClient("metricsd", fixture.places)
        let sample = PushedSample(name: "queue_depth", labels: ["queue": "mail"], value: 12)
        #expect(try await client.call(PushMetrics.self, .init(service: "gateway", samples: [sample])).taken == 1)
        #expect(
            await client.eventually {
                let found = try? await points(client, "queue_depth{service=\"gateway\",queue=\"mail\",job=\"push\"}")
                return (found?.first?.points.count ?? 0) >= 2
            })
        let bad = PushedSample(name: "not a name", value: 1)
        await #expect(throws: RPCError.self) {
            try await client.call(PersistMetrics.self, .init(service: "gateway", samples: [sample, bad]))
        }
        await #expect(throws: RPCError.unknownService("nobody")) {
            try await client.call(PushMetrics.self, .init(service: "nobody", samples: [sample]))
        }
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Test("A refusal names what is wrong, and every page of series is given once")
    func refusalsAndPages() async throws {
        let fixture = try fixture()
        let daemon = try await fixture.start(Metricsd.self)
        let client = try await TestClient("metricsd", fixture.places)
        #expect(await client.eventually { ((try? await client.call(ListSeries.self, .init()))?.total ?? 0) > 400 })
        await #expect(
            throws: MetricsErrors.invalidSelector(
                "up{", position: 4, problem: "expected a label name or }, found the end")
        ) {
            try await client.call(QueryRange.self, .init(selector: "up{"))
        }
        await #expect(throws: MetricsErrors.noCollector(.infrastructure)) {
            try await client.call(Collect.self, .init(level: .infrastructure))
        }
        var names: [SeriesName] = []
        var cursor: String?
        var total = 0
        repeat {
            let page = try await client.call(
                ListSeries.self, .init(selector: "{__name__!=\"\",device=\"\"}", limit: 100, cursor: cursor))
            names += page.series
            cursor = page.next
            total = page.total
        } while cursor != nil
        #expect(Set(names).count == names.count)
        #expect(names.count >= total - 5, "series may have come meanwhile")
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Test("A stop and a start go on with the same series and lose nothing")
    func restarts() async throws {
        let fixture = try fixture()
        var daemon = try await fixture.start(Metricsd.self)
        var client = try await TestClient("metricsd", fixture.places)
        #expect(await client.eventually { ((try? await points(client, "node_load1"))?.first?.points.count ?? 0) >= 5 })
        let shown = try #require(try await points(client, "node_load1").first).points
        await client.close()
        await DaemonFixture.stop(daemon)
        daemon = try await fixture.start(Metricsd.self)
        client = try await TestClient("metricsd", fixture.places)
        let again = try #require(try await points(client, "node_load1").first).points
        #expect(again.starts(with: shown))
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Test("A kill loses nothing that a query had shown, again and again")
    func kills() async throws {
        let fixture = try fixture()
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("metricsd")
        try #require(FileManager.default.isExecutableFile(atPath: program.path))
        var shown: [SeriesPoints] = []
        for attempt in 0..<4 {
            let process = Process()
            process.executableURL = program
            process.arguments = [
                "--settings", fixture.places.settings, "--sockets", fixture.places.sockets, "--state",
                "\(fixture.places.state)/metricsd", "--foreground",
            ]
            process.standApart()
            try process.run()
            let client = try await connected(fixture.places)
            let found = try await client.call(
                QueryRange.self, .init(selector: "{__name__!=\"\",collector=\"\",device=\"\",cpu=\"\"}", limit: 11_000))
            for series in shown.prefix(50) {
                let now = found.series.first { $0.name == series.name && $0.labels == series.labels }
                #expect(now?.points.starts(with: series.points) == true, "\(series.name) after kill \(attempt)")
            }
            #expect(
                await client.eventually {
                    ((try? await points(client, "node_load1"))?.first?.points.count ?? 0) >= 4 * (attempt + 1)
                })
            shown = try await client.call(
                QueryRange.self, .init(selector: "{__name__!=\"\",collector=\"\",device=\"\",cpu=\"\"}", limit: 11_000)
            ).series
            #expect(shown.count > 200)
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            await client.close()
        }
    }

    private func connected(_ places: DaemonContext.Places) async throws -> TestClient {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(20)
        while true {
            do {
                let client = try await TestClient("metricsd", places)
                _ = try await client.call(Levels.self, NoFields())
                return client
            } catch  where clock.now < end {
                try await clock.sleep(for: .milliseconds(20))
            }
        }
    }

    @Test("New settings change what is measured without a restart")
    func reloads() async throws {
        let fixture = try fixture()
        let daemon = try await fixture.start(Metricsd.self)
        let client = try await TestClient("metricsd", fixture.places)
        try fixture.writeService("gateway", "unit: gateway.service\n")
        await reload(daemon, try fixture.settings())
        #expect(
            await client.eventually {
                let found = try? await points(client, "namedprocess_namegroup_num_procs{service=\"gateway\"}")
                return found?.first?.points.last?.value.value == 0
            })
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Loop private func reload(_ daemon: Assembly<Metricsd>, _ settings: AllSettings) {
        daemon.reload(.success(settings))
    }

    @Test("It is ready, measures and answers while its store cannot be opened, and then goes on where the store ended")
    func unreadableStore() async throws {
        let fixture = try fixture()
        var daemon = try await fixture.start(Metricsd.self)
        var client = try await TestClient("metricsd", fixture.places)
        #expect(await client.eventually { ((try? await points(client, "node_load1"))?.first?.points.count ?? 0) >= 5 })
        let shown = try #require(try await points(client, "node_load1").first).points
        await client.close()
        await DaemonFixture.stop(daemon)
        // A folder in the file's place: not even root can open that as a log.
        let path = "\(fixture.places.state)/metricsd/00000001.log"
        try FileManager.default.moveItem(atPath: path, toPath: "\(path).kept")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        let told = Mutex<[String]>([])
        daemon = try await fixture.start(
            Metricsd.self, log: Log { entry in told.withLock { $0.append(entry.message) } })
        client = try await TestClient("metricsd", fixture.places)
        #expect(
            await client.eventually { ((try? await points(client, "node_load1"))?.first?.points.count ?? 0) >= 25 })
        let reply = try await client.call(QueryRange.self, .init(selector: "node_load1"))
        #expect(reply.uncommitted)
        let status = try await client.call(Common.Status<MetricsStatus>.self, NoFields())
        #expect(status.own.store == .failing)
        #expect(try #require(status.own.storeReason).contains("00000001.log"))
        #expect(told.withLock { $0.filter { $0.hasPrefix("cannot use the store") }.count } == 1)
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.moveItem(atPath: "\(path).kept", toPath: path)
        #expect(
            await client.eventually {
                (try? await client.call(Common.Status<MetricsStatus>.self, NoFields()))?.own.store == .working
            })
        let later = try await client.call(QueryRange.self, .init(selector: "node_load1"))
        #expect(!later.uncommitted)
        let whole = try #require(later.series.first).points
        #expect(whole.starts(with: shown))
        let meanwhile = try #require(reply.series.first).points
        let first = try #require(meanwhile.first)
        let place = try #require(whole.firstIndex(of: first))
        #expect(whole[place...].starts(with: meanwhile))
        await client.close()
        await DaemonFixture.stop(daemon)
    }

    @Test("A store of which nothing can be read costs nothing that comes after it")
    func unreadableFiles() async throws {
        let fixture = try fixture()
        let folder = "\(fixture.places.state)/metricsd"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for name in ["00000001.blocks", "00000002.blocks", "00000001.summary", "00000007.log", "spare.log"] {
            try String(repeating: "no store at all. ", count: 1000)
                .write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        }
        for _ in 1...2 {
            let daemon = try await fixture.start(Metricsd.self)
            let client = try await TestClient("metricsd", fixture.places)
            #expect(
                await client.eventually { ((try? await points(client, "node_load1"))?.first?.points.count ?? 0) >= 2 })
            await client.close()
            await DaemonFixture.stop(daemon)
        }
    }
}
