import ConfigEtcdCore
import Runtime
import Store
import Wire

/// What configd-etcd keeps over restarts, in `follow.db`, behind the thread `store`: a row a service. A write that fails is told
/// and forgotten: the next one writes the whole row again.
@Loop final class FollowStore {
    private let worker: Worker<FollowFile>
    private let log: Log
    private var isFailing = false
    private static let deadline = Duration.seconds(2)

    init(_ context: DaemonContext) {
        log = context.log
        let path = "\(context.places.state)/follow.db"
        let isDryRun = context.isDryRun
        worker = context.worker(name: "store") { try FollowFile(isDryRun ? ":memory:" : path) }
    }

    /// Reads everything; nothing where the disk does not answer in time.
    func load(_ then: @escaping @Loop @Sendable ([KeptFollowing]) -> Void) {
        worker.submit(deadline: Self.deadline, { try $0.load() }) { [self] result in
            note(result.map { _ in }, "what was kept could not be read")
            then((try? result.get()) ?? [])
        }
    }

    /// `then` runs when it is durable, or could not be kept.
    func keep(_ kept: KeptFollowing, then: @escaping @Loop @Sendable () -> Void) {
        worker.submit(deadline: Self.deadline, { try $0.keep(kept) }) { [self] result in
            note(result, "how far \(kept.service) follows was not kept")
            then()
        }
    }

    /// Calls `then` when what was to be kept until now is on disk, or could not be kept.
    func settled(_ then: @escaping @Loop @Sendable () -> Void) {
        worker.submit(deadline: .seconds(4), { _ in }) { _ in then() }
    }

    private func note(_ result: Result<Void, any Error>, _ what: String) {
        switch result {
        case .success:
            if isFailing { log.write(.notice, "follow.db takes writes again") }
            isFailing = false
        case .failure(let error):
            if !isFailing { log.write(.error, "\(what): \(error)") }
            isFailing = true
        }
    }
}

/// The database, on its own thread.
private final class FollowFile {
    private let store: Store

    init(_ path: String) throws(StoreError) {
        store = try Store(path: path)
        try store.migrate(["CREATE TABLE service (name TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;"])
    }

    func load() throws(StoreError) -> [KeptFollowing] {
        var kept: [KeptFollowing] = []
        try store.prepare("SELECT json FROM service").rows { row in
            // A row that this release cannot read is as good as none.
            guard let json = try? JSONReader.read(row.bytes(0)), let one = try? KeptFollowing(wire: json) else {
                return
            }
            kept.append(one)
        }
        return kept
    }

    func keep(_ kept: KeptFollowing) throws(StoreError) {
        let statement = try store.prepare("INSERT OR REPLACE INTO service VALUES (?1, ?2)")
        statement.bind(kept.service, at: 1)
        statement.bind(JSONWriter.text(of: kept), at: 2)
        try statement.run()
    }
}
