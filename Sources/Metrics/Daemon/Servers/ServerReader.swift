import MetricsCore

/// Reads one server at a time, in its own way.
protocol ServerReading {
    /// One round, of the target's timeout at most.
    mutating func measure(withTable: Bool) throws -> Collection
}

/// The state of a server's thread. Another target, or a changed one, begins anew.
struct ServerReader {
    private var target: ServerTarget?
    private var reader: (any ServerReading)?

    mutating func measure(_ target: ServerTarget, withTable: Bool) throws -> Collection {
        if self.target != target {
            leave()
            self.target = target
        }
        var reader = reader ?? make(target)
        defer { self.reader = reader }
        return try reader.measure(withTable: withTable)
    }

    /// Lets go of its connection: nobody asks for this server any more.
    mutating func leave() {
        target = nil
        reader = nil
    }

    private func make(_ target: ServerTarget) -> any ServerReading {
        switch target.kind {
        case .redis(let settings): RedisReader(settings, labels: target.labels)
        case .postgres(let settings): PostgresReader(settings, labels: target.labels)
        }
    }
}
