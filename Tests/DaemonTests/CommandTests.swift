import ConfigAPI
import Foundation
import HealthAPI
import MetricsAPI
import Runtime
import Settings
import Synchronization
import Testing
import Time
import WatchdogAPI
import Wire

/// The built `mainstay` on stand-ins for the four daemons: each command's exit code and what it shows.
@Suite struct CommandTests {
    /// The four stand-ins, running in a folder of their own.
    private final class Four: Sendable {
        let fixture: DaemonFixture
        let configd: Assembly<StandInConfigd>
        let metricsd: Assembly<StandInMetricsd>
        let healthd: Assembly<StandInHealthd>
        let watchdogd: Assembly<StandInWatchdogd>

        init() async throws {
            let fixture = try DaemonFixture()
            let configd = try await fixture.start(StandInConfigd.self)
            let metricsd = try await fixture.start(StandInMetricsd.self)
            let healthd = try await fixture.start(StandInHealthd.self)
            let watchdogd = try await fixture.start(StandInWatchdogd.self)
            (self.configd, self.metricsd, self.healthd, self.watchdogd) = (configd, metricsd, healthd, watchdogd)
            self.fixture = fixture
        }

        func run(_ arguments: String..., input: String = "") async throws -> CommandRun {
            try await CommandRun.of(arguments, sockets: fixture.places.sockets, input: input)
        }
    }

    // MARK: What is going on

    @Test("status shows every daemon and every service, and ends with 0 where all is well")
    func status() async throws {
        let four = try await Four()
        let run = try await four.run("status")
        #expect(run.status == 0, "\(run)")
        #expect(run.errors.isEmpty)
        #expect(run.line(0).hasPrefix("DAEMON     STATE"))
        for daemon in ["configd", "metricsd", "healthd", "watchdogd"] {
            #expect(run.lines.contains { $0.hasPrefix(daemon) && $0.contains("running") })
        }
        let service = try #require(run.lines.first { $0.hasPrefix("gateway") })
        for word in ["healthy", "watching", "2201", "5.0", "v12"] { #expect(service.contains(word), "\(service)") }
        #expect(!run.output.contains("\u{1B}"), "no colour where the output is no terminal")
    }

    @Test("status ends with 1 where a service has an open incident, and names it")
    func statusOfTrouble() async throws {
        let four = try await Four()
        await set(four.watchdogd) { $0.incident = "20251125T080000-gateway" }
        let run = try await four.run("status")
        #expect(run.status == 1)
        #expect(run.output.contains("spinning, 20251125T080000-gateway"))
    }

    @Test(
        "status ends with 1 where a store fails, settings were refused or no restart is left, and 0 once that is over")
    func statusOfQuietTrouble() async throws {
        let four = try await Four()
        await set(four.metricsd) { $0.own.store = .failing }
        let store = try await four.run("status")
        #expect(store.status == 1, "\(store)")
        #expect(store.output.contains("the store fails"))
        await set(four.metricsd) { $0.own.store = .working }

        await four.configd.reload(.failure(SettingsRefused(problems: [])))
        #expect(try await four.run("status").status == 1)
        await four.configd.reload(.success(try four.fixture.settings()))

        await set(four.watchdogd) { $0.restartsLeft = 0.9 }
        #expect(try await four.run("status").status == 1)
        #expect(try await four.run("status", "gateway").status == 1)
        await set(four.watchdogd) { $0.restartsLeft = 1 }
        let well = try await four.run("status")
        #expect(well.status == 0, "\(well)")
    }

    @Test(
        "status ends with 1 where an alert stands that somebody must see to; a warning is no such alert",
        arguments: [(AlertSeverity.warning, 0), (.critical, 1), (.operator, 1)] as [(AlertSeverity, Int32)])
    func statusOfAlerts(severity: AlertSeverity, code: Int32) async throws {
        let four = try await Four()
        await set(four.healthd) { $0.alerts = [StandInHealthd.alert(severity)] }
        let run = try await four.run("status")
        #expect(run.status == code, "\(run)")
        #expect(run.output.contains("2 checks, 1 alert"))
    }

    @Test("A daemon that hangs costs status one deadline of one second; it is named and the rest is shown")
    func statusWithOneMute() async throws {
        let fixture = try DaemonFixture()
        let healthd = try await fixture.start(StandInHealthd.self)
        let watchdogd = try await fixture.start(StandInWatchdogd.self)
        let configd = try await fixture.start(StandInConfigd.self)
        let mute = try MuteSocket("metricsd", in: fixture.places.sockets)
        let run = try await CommandRun.of(["status"], sockets: fixture.places.sockets)
        #expect(run.status == 3)
        #expect(run.lines.contains { $0.hasPrefix("metricsd") && $0.contains("silent") })
        #expect(run.lines.contains { $0.hasPrefix("gateway") && $0.contains("watching") })
        #expect(run.errors.contains("no answer from metricsd"))
        #expect(run.errors.contains("systemctl status mainstay-metricsd"))
        #expect(try mute.requests().map(\.deadlineMs) == [1000])
        withExtendedLifetime((healthd, watchdogd, configd)) {}
    }

    @Test("status asks all four daemons at the same time")
    func statusAsksAtOnce() async throws {
        let fixture = try DaemonFixture()
        let meeting = try MeetingOfFour(in: fixture.places.sockets)
        let run = try await CommandRun.of(["status"], sockets: fixture.places.sockets)
        #expect(run.status == 2, "each was refused, so each was asked: \(run)")
        let remedy = "As root: usermod -aG mainstay USER, then log in again"
        #expect(run.errors.components(separatedBy: remedy).count == 2, "what all four say is said once: \(run)")
        _ = consume meeting
    }

    @Test("status --json holds each daemon's own answer, and the services put together")
    func statusAsJSON() async throws {
        let fixture = try DaemonFixture()
        let watchdogd = try await fixture.start(StandInWatchdogd.self)
        let run = try await CommandRun.of(["status", "--json"], sockets: fixture.places.sockets)
        #expect(run.status == 3)
        let json = try JSONObject(wire: try JSONReader.read(run.output))
        let daemons = try [JSONObject](wire: json["daemons"] ?? .null)
        #expect(daemons.map { $0["answers"] } == [false, false, false, true])
        let services = try [JSONObject](wire: json["services"] ?? .null)
        #expect(services.map { $0["service"] } == ["gateway"])
        #expect(run.output.filter { $0 == "\n" }.count == 1, "one line for programs")
        withExtendedLifetime(watchdogd) {}
    }

    @Test("status SERVICE shows what all daemons know of it; one that nobody knows is refused")
    func statusOfService() async throws {
        let four = try await Four()
        let run = try await four.run("status", "gateway")
        #expect(run.status == 0, "\(run)")
        for word in ["gateway.service", "/etc/gateway/.env", "gateway is healthy", "PROBE", "NEEDS"] {
            #expect(run.output.contains(word), "\(word)")
        }
        let unknown = try await four.run("status", "gatewya")
        #expect(unknown.status == 2)
        #expect(unknown.errors.contains("no settings name a service \"gatewya\" (unknownService)"))
    }

    @Test("alerts lists what stands, page after page, and ends with 1 where one of them calls for somebody")
    func alerts() async throws {
        let four = try await Four()
        let none = try await four.run("alerts")
        #expect(none.status == 0, "\(none)")
        #expect(none.output == "No alert stands.\n")
        await set(four.healthd) { $0.alerts = (1...5).map { _ in StandInHealthd.alert(.warning) } }
        let warnings = try await four.run("alerts", "gateway")
        #expect(warnings.status == 0, "\(warnings)")
        #expect(warnings.lines.count { $0.contains("restarted 5 times and spinning again") } == 5)
        for word in ["gateway", "recovery", "warning", "3", "20251125T080000-gateway"] {
            #expect(warnings.line(1).contains(word), "\(word)")
        }
        let two = try await four.run("alerts", "--limit", "2")
        #expect(two.lines.filter { $0.contains("recovery") }.count == 2)
        #expect(two.output.contains("and older ones: --limit"))
        await set(four.healthd) { $0.alerts[4] = StandInHealthd.alert(.operator) }
        let page = try await four.run("alerts", "--json")
        #expect(page.status == 1)
        #expect(try Alerts.Reply(wire: try JSONReader.read(page.output)).alerts.map(\.severity).last == .operator)
        #expect(try await four.run("alerts", "gatewya").status == 2)
    }

    @Test("The alerts that stand are shown by health SERVICE and status SERVICE as well, and count there")
    func alertsOfService() async throws {
        let four = try await Four()
        await set(four.healthd) { $0.alerts = [StandInHealthd.alert(.critical)] }
        for command in ["health", "status"] {
            let run = try await four.run(command, "gateway")
            #expect(run.status == (command == "status" ? 1 : 0), "\(run)")
            #expect(run.output.contains("restarted 5 times and spinning again"), "\(run)")
            let json = try JSONObject(
                wire: try JSONReader.read(try await four.run(command, "gateway", "--json").output))
            #expect(try [Alert](wire: json["alerts"] ?? .null).map(\.kind) == ["recovery"])
        }
        #expect(try await four.run("status").output.contains("2 checks, 1 alert (mainstay alerts)"))
        let quiet = try await four.run("health", "gateway", "-q")
        #expect(quiet.output.isEmpty && quiet.errors.isEmpty)
    }

    @Test("health ends with 0 while the service works, with 1 where it does not or nothing is known")
    func health() async throws {
        let four = try await Four()
        for (status, code) in [(.healthy, 0), (.degraded, 0), (.unhealthy, 1), (.unknown, 1)]
            as [(ServiceHealth, Int32)]
        {
            await set(four.healthd) { $0.status = status }
            let run = try await four.run("health", "gateway")
            #expect(run.status == code)
            #expect(run.line(0).hasPrefix("gateway is \(status.rawValue)"))
            let quiet = try await four.run("health", "gateway", "-q")
            #expect(quiet.status == code)
            #expect(quiet.output.isEmpty && quiet.errors.isEmpty)
        }
    }

    @Test("Without healthd, health says so and ends with 3; with -q it ends with 1 and says nothing")
    func healthWithoutDaemon() async throws {
        let fixture = try DaemonFixture()
        let run = try await CommandRun.of(["health", "gateway"], sockets: fixture.places.sockets)
        #expect(run.status == 3)
        #expect(run.errors.contains("nobody listens on"))
        let quiet = try await CommandRun.of(["health", "gateway", "-q"], sockets: fixture.places.sockets)
        #expect(quiet.status == 1)
        #expect(quiet.output.isEmpty && quiet.errors.isEmpty)
    }

    @Test("What a check saw cannot steer the terminal")
    func hostileMessage() async throws {
        let four = try await Four()
        await set(four.healthd) { $0.message = "\u{1B}]0;owned\u{7}" }
        let run = try await four.run("health", "gateway")
        #expect(run.output.contains("␛]0;owned␇"))
        #expect(!run.output.contains("\u{1B}"))
    }

    @Test("incidents and incident show the record; an id that nobody knows is refused with its remedy")
    func incidents() async throws {
        let four = try await Four()
        let list = try await four.run("incidents")
        #expect(list.status == 0)
        #expect(list.line(1).contains("gateway  spinning  recovered"))
        #expect(try await four.run("incidents", "worker").output == "No incident.\n")
        let one = try await four.run("incident", "20251125T080000-gateway")
        #expect(one.status == 0)
        for word in ["3.1 s", "5.2 s", "windowMs 1000, readCalls 0", "kill", "wchan", "journalctl MAINSTAY_INCIDENT="] {
            #expect(one.output.contains(word), "\(word)")
        }
        let unknown = try await four.run("incident", "x")
        #expect(unknown.status == 2)
        #expect(
            unknown.errors == "mainstay: no incident \"x\" is kept (unknownIncident)\n"
                + "          `mainstay incidents` lists the records\n")
        let json = try await four.run("incident", "x", "--json")
        #expect(try JSONObject(wire: try JSONReader.read(json.output))["error"] != nil)
    }

    @Test("incidents asks page after page until it has as many as were asked for")
    func incidentPages() async throws {
        let four = try await Four()
        await set(four.watchdogd) { $0.incidents = 5 }
        let all = try await four.run("incidents", "--limit", "1000")
        #expect(all.status == 0, "\(all)")
        #expect(all.lines.filter { $0.contains("20251125T080000-gateway") }.count == 5)
        #expect(!all.output.contains("older"))
        let asked = await get(four.watchdogd) { $0.asked }
        #expect(asked.map(\.cursor) == [nil, "2", "3", "4", "5"])
        #expect(asked.map(\.limit) == [1000, 999, 998, 997, 996])
        let three = try await four.run("incidents", "--limit", "3", "--json")
        let reply = try IncidentsReply(wire: try JSONReader.read(three.output))
        #expect(reply.incidents.count == 3)
        #expect(reply.next == "4")
    }

    @Test("query puts pages together, draws, lists points; no series is 1, a bad selector 2")
    func query() async throws {
        let four = try await Four()
        let table = try await four.run("query", "up", "--since", "1h")
        #expect(table.status == 0, "\(table)")
        #expect(table.line(1).contains(#"up{job="node"}"#))
        #expect(table.line(1).split(separator: " ").prefix(4).joined(separator: " ") == "7 0 3.5 7")
        let asked = await get(four.metricsd) { $0.queries }
        #expect(asked.map(\.cursor) == [nil, "page 2"])
        #expect(asked.first?.stepMs == 15_000)
        let points = try await four.run("query", "up", "--points")
        #expect(points.lines.count == 11)
        #expect(try await four.run("query", "up", "--plot").output.contains("┤"))
        let json = try await four.run("query", "up", "--json", "--raw")
        let series = try JSONObject(wire: try JSONReader.read(json.output))["series"]
        #expect(try [JSONObject](wire: series ?? .null).count == 1)
        let values = try await four.run("query", "up", "--instant")
        #expect(values.line(1).hasPrefix("    7") && values.line(1).hasSuffix(#"up{job="node"}"#), "\(values)")
        #expect(await get(four.metricsd) { $0.queries.last?.stepMs } == nil)
        #expect(try await four.run("query", "\"a text\"").output == "a text\n")
        #expect(try await four.run("query", "nothing").status == 1)
        #expect(try await four.run("query", "up{").status == 2)
    }

    @Test("metrics verify goes through all files and ends with 1 where one is damaged; metrics backup names the copy")
    func metricsStore() async throws {
        let four = try await Four()
        let run = try await four.run("metrics", "verify")
        #expect(run.status == 1, "\(run)")
        #expect(run.lines.contains { $0.hasPrefix("00000001.blocks") && $0.hasSuffix("20        0") }, "\(run)")
        #expect(run.lines.contains { $0.hasPrefix("00000001.log") && $0.hasSuffix("3        2") }, "\(run)")
        let json = try JSONObject(wire: try JSONReader.read(try await four.run("metrics", "verify", "--json").output))
        #expect(json["good"] == .bool(false))
        let backup = try await four.run("metrics", "backup")
        #expect(backup.status == 0)
        #expect(backup.output == "/var/lib/mainstay/metricsd/backup: 3 files, 4.0 KiB\n")
    }

    @Test("watch shows events as they happen, and ends after --count")
    func watch() async throws {
        let four = try await Four()
        async let run = four.run("watch", "watchdogd", "--count", "2", "--json")
        let listener = Loop.every(.milliseconds(50)) { [watchdogd = four.watchdogd] in watchdogd.program.tell(1) }
        let ended = try await run
        listener.cancel()
        #expect(ended.status == 0)
        let events = try ended.output.split(separator: "\n").map {
            try JSONObject(wire: try JSONReader.read(String($0)))
        }
        #expect(events.map { $0["daemon"] } == ["watchdogd", "watchdogd"])
        #expect(events.map { $0["name"] } == ["held", "held"])
    }

    @Test("watch takes the events that any daemon has; one that no daemon has is refused, with those that there are")
    func watchOfEvents() async throws {
        let four = try await Four()
        async let run = four.run("watch", "--event", "held", "--event", "statusChanged", "--count", "2")
        let listener = Loop.every(.milliseconds(50)) { [watchdogd = four.watchdogd] in watchdogd.program.tell(1) }
        let ended = try await run
        listener.cancel()
        #expect(ended.status == 0, "\(ended)")
        #expect(ended.errors.isEmpty)
        #expect(ended.lines.count { $0.contains("watchdogd held gateway") } == 2)

        let sockets = four.fixture.places.sockets
        let misspelt = try await CommandRun.within("20", ["watch", "watchdogd", "--event", "heldd"], sockets: sockets)
        #expect(misspelt.status == 2, "\(misspelt)")
        #expect(misspelt.errors.contains("there is no event \"heldd\" here (unknownEvent)"))
        #expect(misspelt.errors.contains("Known are incidentOpened, evidenceCollected"))
        let nowhere = try await CommandRun.within(
            "20", ["watch", "--event", "held", "--event", "heldd"], sockets: sockets)
        #expect(nowhere.status == 2, "\(nowhere)")
        #expect(nowhere.errors.contains("no daemon has an event \"heldd\" (unknownEvent)"))
    }

    @Test("watch ends with 2 where every daemon refuses, and says why once")
    func watchRefused() async throws {
        let fixture = try DaemonFixture()
        let meeting = try MeetingOfFour(in: fixture.places.sockets)
        let run = try await CommandRun.within("20", ["watch"], sockets: fixture.places.sockets)
        #expect(run.status == 2, "\(run)")
        #expect(run.errors.components(separatedBy: "(accessDenied)").count == 2, "\(run)")
        _ = consume meeting
    }

    // MARK: What is to be done

    @Test("hold, release and reset pass the order on and say how the service stands")
    func operatorOrders() async throws {
        let four = try await Four()
        let hold = try await four.run("hold", "gateway", "--reason", "an upgrade", "--for", "2h")
        #expect(hold.status == 0)
        #expect(hold.output == "gateway: held, for 2 h (held)\n")
        let holds = await get(four.watchdogd) { $0.holds }
        #expect(holds == [HoldParams(service: "gateway", reason: "an upgrade", forMs: 7_200_000)])
        let release = try await four.run("release", "gateway")
        #expect(release.status == 2)
        #expect(release.errors.contains("gateway is not held (notHeld)"))
        #expect(try await four.run("reset", "gateway").output == "gateway: budget refilled (watching)\n")
    }

    @Test("restart orders the mild restart, with --force the hard one, and names the incident that tells the rest")
    func restart() async throws {
        let four = try await Four()
        let mild = try await four.run("restart", "gateway", "--reason", "a new certificate")
        #expect(mild.status == 0, "\(mild)")
        #expect(
            mild.output == "gateway: restart under way (terminating, incident 20251125T080000-gateway)\n")
        let hard = try await four.run("restart", "gateway", "--force")
        #expect(hard.output.contains("(killing, incident"))
        #expect(
            await get(four.watchdogd) { $0.restarts } == [
                "TERM gateway: a new certificate", "KILL gateway: asked for by an operator",
            ])
    }

    @Test("An order to a daemon that hangs ends after the one second that it has for a sign of life")
    func orderToMute() async throws {
        let fixture = try DaemonFixture()
        let mute = try MuteSocket("watchdogd", in: fixture.places.sockets)
        let run = try await CommandRun.of(["hold", "gateway"], sockets: fixture.places.sockets)
        #expect(run.status == 3)
        #expect(run.errors.contains("watchdogd does not answer: no answer to metrics in time"))
        let requests = try mute.requests()
        #expect(requests.map(\.method) == ["hold", "metrics"])
        #expect(requests.map(\.deadlineMs) == [5000, 1000])
    }

    @Test("A daemon that hangs after its first sign of life is given up within seconds, not at the call's deadline")
    func hangsLater() async throws {
        let fixture = try DaemonFixture()
        let signs = Mutex(0)
        let socket = try ScriptedSocket("watchdogd", in: fixture.places.sockets) { request in
            guard request.method == "metrics" else { return nil }
            let count = signs.withLock { count in
                count += 1
                return count
            }
            guard count <= 2 else { return nil }
            let figures = Common.Metrics.Reply(generation: 7, atMs: 1, series: nil, values: [])
            return ServerMessage.reply(to: request.id, figures)
        }
        let begun = ContinuousClock.now
        let run = try await CommandRun.of(
            ["call", "watchdogd", "incidents", "--deadline", "60s"], sockets: fixture.places.sockets)
        #expect(run.status == 3, "\(run)")
        #expect(run.errors.contains("watchdogd does not answer: no answer to metrics in time"))
        #expect(signs.withLock { $0 } == 3, "asked again after each sign")
        #expect(ContinuousClock.now - begun < .seconds(30))
        _ = consume socket
    }

    @Test("A daemon that is slow and alive is waited for")
    func slow() async throws {
        let four = try await Four()
        await set(four.healthd) { $0.delay = Conversation.longerThanTwoSigns }
        let slow = try await four.run("call", "healthd", "health", #"{"service":"gateway"}"#)
        #expect(slow.status == 0, "\(slow)")
        await set(four.healthd) { $0.delay = Conversation.longerThanPatience }
        let late = try await four.run(
            "call", "healthd", "health", #"{"service":"gateway"}"#, "--deadline", "1100ms")
        #expect(late.status == 2)
        #expect(late.errors.contains("deadlineExceeded"))
    }

    private enum Conversation {
        static let longerThanPatience: Duration = .milliseconds(1300)
        static let longerThanTwoSigns: Duration = .milliseconds(2300)
    }

    @Test("config get shows the keys; with KEY the bare value; a value that may not be seen is 1")
    func configGet() async throws {
        let four = try await Four()
        let all = try await four.run("config", "get", "gateway")
        #expect(all.status == 0)
        #expect(all.line(0).hasPrefix("/etc/gateway/.env  v12"))
        #expect(all.lines.contains("CERT   line 1␊line 2"))
        #expect(all.lines.contains("TOKEN  (hidden) c3"))
        #expect(try await four.run("config", "get", "gateway", "CERT").output == "line 1\nline 2\n")
        let hidden = try await four.run("config", "get", "gateway", "TOKEN")
        #expect(hidden.status == 1)
        #expect(hidden.output.isEmpty)
        #expect(hidden.errors.contains("root and the group mainstay-admin"))
        #expect(try await four.run("config", "get", "gateway", "PROT").status == 2)
    }

    @Test("config show tells what a version was and held, page after page; what may not be seen stays hidden")
    func configShow() async throws {
        let four = try await Four()
        let shown = try await four.run("config", "show", "gateway", "11")
        #expect(shown.status == 0, "\(shown)")
        for line in [
            "version  11", "origin   rollback to v9", "by       uid 0", "reason   a new port", "changed  PORT",
            "PORT   3000", "TOKEN  (hidden) c3",
        ] {
            #expect(shown.lines.contains(line), "\(line): \(shown.output)")
        }
        let current = try await four.run("config", "show", "gateway")
        #expect(current.lines.contains("version  12"), "\(current)")
        #expect(try await four.run("config", "show", "gateway", "99").status == 2)
        let json = try await four.run("config", "show", "gateway", "11", "--json")
        #expect(try Config.Entries(wire: try JSONReader.read(json.output)).entries.count == 3)
    }

    @Test("config set takes values from the command line, a file and standard input, and compares and swaps")
    func configSet() async throws {
        let four = try await Four()
        let secret = "\(four.fixture.root)/secret"
        try "from a file\n".write(toFile: secret, atomically: true, encoding: .utf8)
        let run = try await four.run(
            "config", "set", "gateway", "A=x=y", "B=@\(secret)", "C=-", "--if-version", "12", "--reason", "why",
            input: "from standard input\nand more\n")
        #expect(run.status == 0, "\(run)")
        #expect(run.output == "gateway: A, B, C; v13 is in force, before it v12\n")
        let params = try #require(await get(four.configd) { $0.sets }.first)
        #expect(params.values["A"] == .text("x=y"))
        #expect(params.values["B"] == .text("from a file"))
        #expect(params.values["C"] == .text("from standard input\nand more"))
        #expect(params.ifVersion == 12)
        let conflict = try await four.run("config", "set", "gateway", "A=1", "--if-version", "3")
        #expect(conflict.status == 2)
        #expect(conflict.errors.contains("version 12 is in force, the change expects 3 (versionConflict)"))
        for wrong in [["A"], ["A=1", "A=2"], ["A=-", "B=-"], [], ["A=@/nowhere"]] {
            let misused = try await CommandRun.of(
                ["config", "set", "gateway"] + wrong, sockets: four.fixture.places.sockets)
            #expect(misused.status == 64, "\(wrong): \(misused)")
        }
        let missing = try await four.run("config", "set", "gateway", "A=@handle")
        #expect(missing.errors.contains("handle: No such file or directory"), "\(missing)")
        #expect(missing.errors.contains("on standard input: A=-"))
        #expect(await get(four.configd) { $0.sets }.count == 1)
    }

    @Test("config history shows the versions, config rollback brings one back")
    func configHistory() async throws {
        let four = try await Four()
        let history = try await four.run("config", "history", "gateway")
        #expect(history.status == 0)
        for word in ["12", "set", "uid 0", "PORT", "a new port"] { #expect(history.line(1).contains(word)) }
        #expect(history.lines.filter { $0.contains("a new port") }.count == 3, "page after page: \(history)")
        #expect(!history.output.contains("older"))
        let two = try await four.run("config", "history", "gateway", "--limit", "2")
        #expect(two.lines.filter { $0.contains("a new port") }.count == 2)
        #expect(two.output.contains("and older ones: --limit"))
        let rollback = try await four.run("config", "rollback", "gateway", "11")
        #expect(rollback.output == "gateway: PORT; v13 is in force, before it v12\n")
        #expect(await get(four.configd) { $0.rollbacks }.map(\.version) == [11])
    }

    // MARK: For scripts

    @Test("call prints the reply; parameters come from the command line or standard input; what is no JSON is 64")
    func call() async throws {
        let four = try await Four()
        let reply = try await four.run("call", "watchdogd", "incidents", "-", input: #"{"service":"gateway"}"#)
        #expect(reply.status == 0)
        #expect(try IncidentsReply(wire: try JSONReader.read(reply.output)).incidents.count == 1)
        let unknown = try await four.run("call", "watchdogd", "incidentz")
        #expect(unknown.status == 2)
        #expect(unknown.errors.contains("rpc.discover lists the methods"))
        #expect(try await four.run("call", "watchdogd", "incidents", "{,}").status == 64)
        #expect(try await four.run("call", "cupsd", "status").status == 64)
    }

    @Test("check reads settings without a daemon and names every problem")
    func check() async throws {
        let fixture = try DaemonFixture()
        try fixture.writeService(
            "gateway", "unit: gateway.service\nliveness:\n  url: http://127.0.0.1:3000/health\nfoo: 1\n")
        let file = "\(fixture.places.settings)/services/gateway.yaml"
        let bad = try await CommandRun.of(["check", file], sockets: "/nowhere")
        #expect(bad.status == 1)
        #expect(bad.output.contains("gateway.yaml:4:1: foo"), "\(bad.output)")
        let json = try await CommandRun.of(["check", file, "--json"], sockets: "/nowhere")
        #expect(try JSONObject(wire: try JSONReader.read(json.output))["good"] == false)
        let folder = try await CommandRun.of(["check", "--settings", fixture.places.settings], sockets: "/nowhere")
        #expect(folder.status == 1)
        try FileManager.default.removeItem(atPath: file)
        let good = try await CommandRun.of(["check", "--settings", fixture.places.settings], sockets: "/nowhere")
        #expect(good.status == 0)
        #expect(good.output == "\(fixture.places.settings): good\n")
    }

    @Test("The completion scripts know every command", arguments: ["bash", "zsh", "fish"])
    func completions(shell: String) async throws {
        let run = try await CommandRun.of(["--generate-completion-script", shell], sockets: "/nowhere")
        #expect(run.status == 0)
        let commands = [
            "status", "health", "alerts", "incidents", "hold", "release", "reset", "restart", "show", "rollback",
            "query", "watch",
        ]
        for command in commands { #expect(run.output.contains(command), "\(command)") }
        guard shell == "bash" else { return }
        let syntax = try await CommandRun.of(
            URL(filePath: "/bin/bash"), ["-n", "/dev/stdin"], sockets: "/nowhere", input: run.output)
        #expect(syntax.status == 0, "\(syntax.errors)")
    }

    @Test("Every command that the journal's catalogue and the pages name is there")
    func namedCommands() async throws {
        let help = try await CommandRun.of(["--help"], sockets: "/nowhere")
        let known = Set(help.lines.filter { $0.hasPrefix("  ") }.compactMap { $0.split(separator: " ").first })
        let project = ServedDocumentTests.protocols.deletingLastPathComponent()
        for page in ["systemd/mainstay.catalog", "README.md", "Protocols/README.md"] {
            let text = try String(contentsOf: project.appending(path: page), encoding: .utf8)
            let named = text.matches(of: /`mainstay ([a-z]+)/).map { $0.output.1 }
            #expect(!named.isEmpty, "\(page)")
            for command in named { #expect(known.contains(command), "\(page): mainstay \(command)") }
        }
        let catalogue = try String(contentsOf: project.appending(path: "systemd/mainstay.catalog"), encoding: .utf8)
        let entry = try #require(
            catalogue.components(separatedBy: "mainstay-id: ").first { $0.hasPrefix("alertRaised") })
        #expect(entry.contains("`mainstay alerts @MAINSTAY_SERVICE@`"))
    }

    // MARK: On a terminal

    @Test("Colour is for terminals: NO_COLOR and a dumb terminal turn it off, and lines keep to the width")
    func colour() async throws {
        let four = try await Four()
        let sockets = four.fixture.places.sockets
        let coloured = try await CommandRun.onTerminal(["status"], sockets: sockets, columns: 60)
        #expect(coloured.status == 0)
        #expect(coloured.output.contains("\u{1B}[32mrunning\u{1B}[0m"))
        for off in [["NO_COLOR": "1"], ["TERM": "dumb"]] {
            let plain = try await CommandRun.onTerminal(["status"], sockets: sockets, columns: 60, environment: off)
            #expect(!plain.output.contains("\u{1B}"))
            #expect(plain.lines.prefix(5).allSatisfy { $0.count <= 60 }, "\(plain.output)")
        }
    }

    @Loop private func set<Program>(_ daemon: Assembly<Program>, _ change: @Loop @Sendable (Program) -> Void) async {
        change(daemon.program)
    }

    @Loop private func get<Program, Value: Sendable>(
        _ daemon: Assembly<Program>, _ read: @Loop @Sendable (Program) -> Value
    ) async -> Value {
        read(daemon.program)
    }
}
