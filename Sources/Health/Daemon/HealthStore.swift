import HealthAPI
import HealthCore
import Runtime
import Store
import Time
import Wire

/// What healthd keeps over restarts, in `health.db`, behind the thread `store`. A write that fails is told and forgotten: the next
/// change writes the whole row again. Only a registration waits for the disk, because it promises to be kept.
@Loop final class HealthStore {
    private let worker: Worker<HealthFile>
    private let log: Log
    /// Writes that failed, for `metrics`.
    private(set) var failures: Int64 = 0
    private var isFailing = false
    private static let deadline = Duration.seconds(2)

    init(_ context: DaemonContext) {
        log = context.log
        let path = "\(context.places.state)/health.db"
        let isDryRun = context.isDryRun
        worker = context.worker(name: "store", limit: 4096) { try HealthFile(isDryRun ? ":memory:" : path) }
    }

    /// Reads everything; nothing where the disk does not answer in time.
    func load(_ then: @escaping @Loop @Sendable (KeptHealth) -> Void) {
        worker.submit(deadline: Self.deadline, { try $0.load() }) { [self] result in
            note(result.map { _ in }, "what was kept could not be read")
            then((try? result.get()) ?? KeptHealth())
        }
    }

    func keep(_ service: KeptService) {
        worker.submit(deadline: Self.deadline, { try $0.keep(service) }) { [self] in note($0, "a service was not kept")
        }
    }

    func keep(_ alert: Alert) {
        worker.submit(deadline: Self.deadline, { try $0.keep(alert) }) { [self] in note($0, "an alert was not kept") }
    }

    func register(
        _ check: HealthCheckConfig, of service: String, then: @escaping @Loop @Sendable (Result<Void, RPCError>) -> Void
    ) {
        worker.submit(deadline: Self.deadline, { try $0.register(check, of: service) }) { then(Self.answer($0)) }
    }

    func remove(_ id: CheckID, then: @escaping @Loop @Sendable (Result<Void, RPCError>) -> Void) {
        worker.submit(deadline: Self.deadline, { try $0.remove(id) }) { then(Self.answer($0)) }
    }

    /// Calls `then` when what was to be kept until now is on disk, or could not be kept.
    func settled(_ then: @escaping @Loop @Sendable () -> Void) {
        worker.submit(deadline: .seconds(4), { _ in }) { _ in then() }
    }

    private static func answer(_ result: Result<Void, any Error>) -> Result<Void, RPCError> {
        result.mapError { HealthErrors.notKept(reason: "\($0)") }
    }

    /// Tells the first failure and the first success after it, not each: a full disk would fill the journal too.
    private func note(_ result: Result<Void, any Error>, _ what: String) {
        switch result {
        case .success:
            if isFailing { log.write(.notice, "health.db takes writes again") }
            isFailing = false
        case .failure(let error):
            failures += 1
            if !isFailing { log.write(.error, "\(what): \(error)") }
            isFailing = true
        }
    }
}

/// The database, on its own thread.
final class HealthFile {
    private let store: Store
    /// Alerts that are over and kept.
    private static let resolvedKept = AlertBook.resolvedLimit

    init(_ path: String) throws(StoreError) {
        store = try Store(path: path)
        try store.migrate([
            """
            CREATE TABLE service (name TEXT PRIMARY KEY, up_since INTEGER, last_healthy INTEGER, incident TEXT,
                incident_opened INTEGER) WITHOUT ROWID;
            CREATE TABLE alert (id TEXT PRIMARY KEY, resolved INTEGER, json TEXT NOT NULL) WITHOUT ROWID;
            CREATE INDEX alert_resolved ON alert (resolved);
            CREATE TABLE registered (service TEXT, name TEXT, json TEXT NOT NULL, PRIMARY KEY (service, name))
                WITHOUT ROWID;
            """
        ])
    }

    func load() throws(StoreError) -> KeptHealth {
        var kept = KeptHealth()
        try store.prepare("SELECT name, up_since, last_healthy, incident, incident_opened FROM service").rows { row in
            kept.services.append(
                KeptService(
                    service: row.text(0), upSince: Self.time(row, 1), lastHealthy: Self.time(row, 2),
                    incident: row.isNull(3) ? nil : row.text(3), incidentOpenedAt: Self.time(row, 4)))
        }
        try store.prepare("SELECT json FROM alert").rows { row in
            if let alert: Alert = Self.object(row.bytes(0)) { kept.alerts.append(alert) }
        }
        try store.prepare("SELECT service, json FROM registered").rows { row in
            guard let asked: HealthCheckConfig = Self.object(row.bytes(1)),
                let config = try? CheckConfig(registering: asked)
            else { return }
            kept.registered.append(RegisteredCheck(service: row.text(0), asked: asked, config: config))
        }
        return kept
    }

    func keep(_ service: KeptService) throws(StoreError) {
        let statement = try store.prepare("INSERT OR REPLACE INTO service VALUES (?1, ?2, ?3, ?4, ?5)")
        statement.bind(service.service, at: 1)
        Self.bind(service.upSince, statement, 2)
        Self.bind(service.lastHealthy, statement, 3)
        if let incident = service.incident { statement.bind(incident, at: 4) } else { statement.bindNull(at: 4) }
        Self.bind(service.incidentOpenedAt, statement, 5)
        try statement.run()
    }

    func keep(_ alert: Alert) throws(StoreError) {
        let statement = try store.prepare("INSERT OR REPLACE INTO alert VALUES (?1, ?2, ?3)")
        statement.bind(alert.id, at: 1)
        Self.bind(alert.resolvedAtMs.map { WallTime(milliseconds: $0) }, statement, 2)
        statement.bind(JSONWriter.text(of: alert), at: 3)
        try statement.run()
        guard alert.resolvedAtMs != nil else { return }
        try store.execute(
            """
            DELETE FROM alert WHERE resolved IS NOT NULL AND id NOT IN
                (SELECT id FROM alert WHERE resolved IS NOT NULL ORDER BY resolved DESC LIMIT \(Self.resolvedKept))
            """)
    }

    func register(_ check: HealthCheckConfig, of service: String) throws(StoreError) {
        let statement = try store.prepare("INSERT OR REPLACE INTO registered VALUES (?1, ?2, ?3)")
        statement.bind(service, at: 1)
        statement.bind(check.name, at: 2)
        statement.bind(JSONWriter.text(of: check), at: 3)
        try statement.run()
    }

    func remove(_ id: CheckID) throws(StoreError) {
        let statement = try store.prepare("DELETE FROM registered WHERE service = ?1 AND name = ?2")
        statement.bind(id.service, at: 1)
        statement.bind(id.name, at: 2)
        try statement.run()
    }

    private static func time(_ row: borrowing Row, _ column: Int) -> WallTime? {
        row.isNull(column) ? nil : WallTime(milliseconds: row.integer(column))
    }

    private static func bind(_ time: WallTime?, _ statement: Statement, _ index: Int) {
        if let time { statement.bind(time.milliseconds, at: index) } else { statement.bindNull(at: index) }
    }

    /// A row that this release cannot read is as good as none.
    private static func object<Value: WireObject>(_ json: [UInt8]) -> Value? {
        guard let json = try? JSONReader.read(json) else { return nil }
        return try? Value(wire: json)
    }
}
