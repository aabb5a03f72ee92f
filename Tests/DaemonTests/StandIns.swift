import ConfigAPI
import Foundation
import HealthAPI
import MetricsAPI
import Runtime
import Settings
import Time
import WatchdogAPI
import Wire

// Four small daemons that answer what a test puts into them: the command line is tested on what it makes of answers, not
// on how daemons come to them.

/// What all stand-ins do alike.
@Loop class StandIn {
    let context: DaemonContext
    private var ticks: UInt64 = 0

    init(_ context: DaemonContext) { self.context = context }

    func start(started: @escaping @Loop () -> Void) { started() }
    func reload(_ settings: AllSettings) {}
    func stop(stopped: @escaping @Loop () -> Void) { stopped() }
    func tick(now: Moment) -> UInt64 {
        ticks += 1
        return ticks
    }
}

@Loop final class StandInConfigd: StandIn, DaemonProgram {
    nonisolated static let name = "configd"
    nonisolated static let events = ConfigEvents.all
    var own = ConfigStatus(files: [
        ConfigFileStatus(
            service: "gateway", file: "/etc/gateway/.env", condition: .whole, version: 12, atMs: 1_764_057_600_000,
            readers: ["node"])
    ])
    var version = ConfigVersion(
        version: 12, origin: .set, restored: nil, atMs: 1_764_057_600_000, authorUID: 0, reason: "a new port",
        sizeBytes: 412, keys: ["PORT"], fingerprint: "9f3c", checksum: nil)
    var entries = [
        ConfigEntry(key: "PORT", value: .text("3000"), fingerprint: "a1", expands: false, line: 1),
        ConfigEntry(key: "CERT", value: .text("line 1\nline 2"), fingerprint: "b2", expands: false, line: 2),
        ConfigEntry(key: "TOKEN", value: nil, fingerprint: "c3", expands: false, line: 4),
    ]
    private(set) var sets: [Config.Set.Params] = []
    private(set) var rollbacks: [Config.Rollback.Params] = []

    init(_ context: DaemonContext, settings: AllSettings) throws {
        super.init(context)
        context.server.on(Config.Get.self) { [unowned self] params, _ throws(RPCError) in
            let chosen = entries.filter { params.keys?.contains($0.key) ?? true }
            if let key = params.keys?.first, chosen.isEmpty { throw ConfigErrors.unknownKey(key) }
            return Config.Entries(
                service: params.target.service, file: "/etc/gateway/.env", version: version, entries: chosen,
                hidden: false)
        }
        // Version 11 comes in two pages.
        context.server.on(Config.Show.self) { [unowned self] params, _ throws(RPCError) in
            guard params.version == 11 else { throw ConfigErrors.unknownVersion(params.version, newest: 12) }
            var shown = version
            shown.version = 11
            shown.origin = .rollback
            shown.restored = 9
            let isFirst = params.cursor == nil
            return Config.Entries(
                service: params.target.service, file: "/etc/gateway/.env", version: shown,
                entries: isFirst ? Array(entries.prefix(1)) : Array(entries.dropFirst()), hidden: true,
                next: isFirst ? 1 : nil)
        }
        context.server.on(Config.Set.self) { [unowned self] params, _ throws(RPCError) in
            if let expected = params.ifVersion, expected != 12 {
                throw ConfigErrors.versionConflict(expected: expected, found: 12)
            }
            sets.append(params)
            return Config.Outcome(
                service: params.target.service, file: "/etc/gateway/.env", version: 13, previous: 12,
                keys: params.values.keys.sorted(), dryRun: params.dryRun)
        }
        // One a page, down to version 10.
        context.server.on(Config.History.self) { [unowned self] params, _ in
            var shown = version
            shown.version = (params.cursor ?? 13) - 1
            return Config.History.Reply(
                service: params.target.service, file: "/etc/gateway/.env", versions: [shown],
                next: shown.version > 10 ? shown.version : nil)
        }
        context.server.on(Config.Rollback.self) { [unowned self] params, _ in
            rollbacks.append(params)
            return Config.Outcome(
                service: params.target.service, file: "/etc/gateway/.env", version: 13, previous: 12, keys: ["PORT"],
                dryRun: false)
        }
    }
}

@Loop final class StandInMetricsd: StandIn, DaemonProgram {
    nonisolated static let name = "metricsd"
    nonisolated static let events = MetricsEvents.all
    var own = MetricsStatus(
        series: 640, liveSeries: 612, store: .working, storeReason: nil, committedToMs: 1_764_057_600_000,
        uncommittedRounds: 0, headBytes: 0, damagedRecords: 0, collectors: [])
    private(set) var queries: [Query.Params] = []

    init(_ context: DaemonContext, settings: AllSettings) throws {
        super.init(context)
        context.server.on(VerifyStore.self) { params, _ in
            params.cursor == nil
                ? VerifyStore.Reply(
                    files: [VerifiedFile(name: "00000001.blocks", sizeBytes: 4096, frames: 20, damaged: 0)],
                    next: "00000001.blocks")
                : VerifyStore.Reply(
                    files: [VerifiedFile(name: "00000001.log", sizeBytes: 512, frames: 3, damaged: 2)])
        }
        context.server.on(BackupStore.self) { _, _ in
            BackupStore.Reply(path: "/var/lib/mainstay/metricsd/backup", files: 3, sizeBytes: 4096)
        }
        context.server.on(Query.self) { [unowned self] params, _ throws(RPCError) in
            queries.append(params)
            if params.query == "nothing" { return Query.Reply(type: .vector, series: []) }
            if params.query == "\"a text\"" { return Query.Reply(type: .string, series: [], text: "a text") }
            if params.query.hasSuffix("{") {
                throw MetricsErrors.invalidQuery(position: 3, problem: "expected a label")
            }
            guard params.stepMs != nil else {
                return Query.Reply(type: .vector, series: [Self.points(7..<8)])
            }
            let page = Self.page(params.cursor)
            return Query.Reply(type: .matrix, series: page.series, next: page.next)
        }
        context.server.on(QueryRange.self) { params, _ in
            let page = Self.page(params.cursor)
            return QueryRange.Reply(series: page.series, next: page.next)
        }
    }

    /// Two pages, cut in the middle of the one series that there is.
    private static func page(_ cursor: String?) -> (series: [SeriesPoints], next: String?) {
        ([points(cursor == nil ? 0..<4 : 4..<8)], cursor == nil ? "page 2" : nil)
    }

    private static func points(_ numbers: Range<Int64>) -> SeriesPoints {
        let points = numbers.map { Point(timeMs: 1_764_057_600_000 + $0 * 1000, value: Double($0)) }
        return SeriesPoints(name: "up", labels: ["job": "node"], points: points)
    }
}

@Loop final class StandInHealthd: StandIn, DaemonProgram {
    nonisolated static let name = "healthd"
    nonisolated static let events = HealthEvents.all
    var status = ServiceHealth.healthy
    var message = "200 OK"
    /// Answers `health` so late.
    var delay: Duration?
    /// What stands, the newest first.
    var alerts: [Alert] = []

    var own: HealthdStatus {
        HealthdStatus(
            services: [
                HealthAPI.ServiceSummary(
                    service: "gateway", status: status, sinceMs: 1_764_057_600_000,
                    cause: status == .healthy ? nil : "postgres: connection refused", incident: nil, checks: 2,
                    failing: 0, unknown: 0)
            ], checks: 2, probing: 0, alerts: alerts.count,
            urgentAlerts: alerts.count { $0.severity != .warning })
    }

    init(_ context: DaemonContext, settings: AllSettings) throws {
        super.init(context)
        // Two alerts a page, however many are asked for.
        context.server.on(Alerts.self) { [unowned self] params, _ throws(RPCError) in
            if let service = params.service, service != "gateway" { throw RPCError.unknownService(service) }
            let first = params.cursor.flatMap { Int($0) } ?? 0
            let page = alerts.dropFirst(first).prefix(min(2, params.limit))
            let end = first + page.count
            return Alerts.Reply(alerts: Array(page), next: end < alerts.count ? "\(end)" : nil)
        }
        context.server.onLater(Health.self) { [unowned self] params, _, responder throws(RPCError) in
            guard params.service == "gateway" else { throw RPCError.unknownService(params.service ?? "") }
            // The stand-in stays alive for its late answer, though the test may be over by then.
            Loop.after(delay ?? .zero) { [self] in responder.succeed(health) }
        }
    }

    static func alert(_ severity: AlertSeverity, of service: String = "gateway") -> Alert {
        Alert(
            id: "19ab8f3f00a91b22e5d", service: service, kind: "recovery", severity: severity,
            summary: "restarted 5 times and spinning again", incident: "20251125T080000-gateway", source: "watchdogd",
            raisedAtMs: 1_764_057_600_000, lastRaisedAtMs: 1_764_057_660_000, count: 3, resolvedAtMs: nil)
    }

    private var health: HealthStatus {
        HealthStatus(
            service: "gateway", status: status,
            checks: [
                "http": CheckResult(
                    status: status == .unhealthy ? .critical : .ok, last: .ok, message: message, latencyMs: 12,
                    checkedAtMs: 1_764_057_600_000, sinceMs: 1_764_057_600_000, blindSinceMs: nil, rounds: 5)
            ], uptime: 60_000, lastHealthy: 1_764_057_600_000, sinceMs: 1_764_057_600_000, cause: nil, incident: nil,
            dependencies: ["postgres": .healthy])
    }
}

@Loop final class StandInWatchdogd: StandIn, DaemonProgram {
    nonisolated static let name = "watchdogd"
    nonisolated static let events = WatchdogEvent.names
    var incident: String?
    var restartsLeft = 5.0
    /// How many records `incidents` has.
    var incidents = 1
    private(set) var asked: [ListParams] = []
    private(set) var holds: [HoldParams] = []
    private(set) var restarts: [String] = []

    private var summary: WatchdogAPI.ServiceSummary {
        WatchdogAPI.ServiceSummary(
            service: "gateway", unit: "gateway.service", condition: incident == nil ? .watching : .validating,
            sinceMs: 1_764_057_600_000, pid: 2201, lastGoodMs: 1_764_057_600_000, incident: incident,
            incidentClass: incident == nil ? nil : .spinning, restartsLeft: restartsLeft)
    }
    var own: WatchdogStatus {
        WatchdogStatus(
            services: [summary], hostStarved: false, hostStopping: false, restartsUnderWay: 0, restartsWaiting: 0)
    }
    private let record = IncidentRecord(
        id: "20251125T080000-gateway", service: "gateway", openedAtMs: 1_764_057_600_000,
        closedAtMs: 1_764_057_604_000, incidentClass: .spinning, numbers: ClassNumbers(windowMs: 1000, readCalls: 0),
        detectionMs: 3100, recoveryMs: 5200, outcome: .recovered,
        evidence: EvidenceNote(
            path: "/var/lib/mainstay/watchdogd/evidence/1", bytes: 4096, tookMs: 120, complete: true,
            facts: ["wchan": "0"]),
        actions: [ActionRecord(kind: .kill, startedAtMs: 1_764_057_601_000, tookMs: 20, outcome: .done)],
        validation: ValidationRecord(goodProbes: 3, firstGoodAtMs: 1_764_057_603_000, tookMs: 900))

    init(_ context: DaemonContext, settings: AllSettings) throws {
        super.init(context)
        let server = context.server
        server.on(Service.self) { [unowned self] params, _ throws(RPCError) in
            guard params.service == "gateway" else { throw RPCError.unknownService(params.service) }
            return ServiceReport(
                summary: summary,
                probes: [ProbeNote(atMs: 1_764_057_600_000, verdict: .good, tookMs: 4, detail: "200")],
                backoffLevel: 0)
        }
        // One a page, however many are asked for.
        server.on(Incidents.self) { [unowned self] params, _ in
            asked.append(params)
            guard params.service.map({ $0 == "gateway" }) ?? true else { return IncidentsReply(incidents: []) }
            let place = params.cursor.flatMap { Int($0) } ?? 1
            return IncidentsReply(incidents: [record], next: place < incidents ? "\(place + 1)" : nil)
        }
        server.on(Incident.self) { [record] params, _ throws(RPCError) in
            guard params.id == record.id else { throw WatchdogErrors.unknownIncident(params.id) }
            return record
        }
        server.on(Hold.self) { [unowned self] params, _ in
            holds.append(params)
            return OperatorReply(service: params.service, condition: .held)
        }
        server.on(RestartProcess.self) { [unowned self] params, _ in
            restarts.append("TERM \(params.service): \(params.reason)")
            return OperatorReply(service: params.service, condition: .terminating, incident: record.id)
        }
        server.on(ForceRestart.self) { [unowned self] params, _ in
            restarts.append("KILL \(params.service): \(params.reason)")
            return OperatorReply(service: params.service, condition: .killing, incident: record.id)
        }
        server.on(Release.self) { params, _ throws(RPCError) in throw WatchdogErrors.notHeld(params.service) }
        server.on(Reset.self) { params, _ in OperatorReply(service: params.service, condition: .watching) }
    }

    func tell(_ count: Int) {
        for _ in 0..<count {
            context.publish("held", Held(service: "gateway", hold: HoldInfo(reason: "work", by: "uid 0", sinceMs: 1)))
        }
    }
}
