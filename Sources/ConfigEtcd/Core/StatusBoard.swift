/// What is to stand under the status keys: of each key only what it is to be last, written in batches, one under way at a time,
/// and again until etcd took it.
struct StatusBoard: Hashable, Sendable {
    /// Keys of one write: etcd takes 128 operations in a transaction (`--max-txn-ops`).
    private static let batch = 64
    private static let retryDelay: Duration = .seconds(1)

    private enum State: Hashable, Sendable {
        case idle
        case writing(WorkID, [StatusWrite])
        case resting(WorkID)
    }

    private var ids = WorkIDs(.board)
    private var state = State.idle
    private var unwritten: [[UInt8]: StatusWrite] = [:]
    /// In the order in which they were first put.
    private var order: [[UInt8]] = []
    /// The member that takes writes; nil while none does.
    private var endpoint: Int?

    var count: Int { unwritten.count }

    mutating func put(_ write: StatusWrite) {
        if unwritten.updateValue(write, forKey: write.key) == nil { order.append(write.key) }
    }

    /// The line stands at `endpoint`, or does no more.
    mutating func lineTurned(_ endpoint: Int?) -> [FollowerAction] {
        self.endpoint = endpoint
        return flush()
    }

    /// Writes what waits, where it can.
    mutating func flush() -> [FollowerAction] {
        guard case .idle = state, let endpoint, !order.isEmpty else { return [] }
        let writes = order.prefix(Self.batch).compactMap { unwritten[$0] }
        let id = ids.next()
        state = .writing(id, writes)
        return [.write(id, endpoint: endpoint, writes)]
    }

    mutating func written(_ id: WorkID, _ isDone: Bool) -> [FollowerAction] {
        guard case .writing(id, let writes) = state else { return [] }
        guard isDone else {
            let timer = ids.next()
            state = .resting(timer)
            return [.startTimer(timer, after: Self.retryDelay)]
        }
        state = .idle
        // What was put meanwhile is still to be written.
        for write in writes where unwritten[write.key] == write { unwritten[write.key] = nil }
        order.removeAll { unwritten[$0] == nil }
        return flush()
    }

    mutating func timerFired(_ id: WorkID) -> [FollowerAction] {
        guard case .resting(id) = state else { return [] }
        state = .idle
        return flush()
    }
}
