import Files
import Glibc
import MetricsAPI
import MetricsCore

/// The state of the thread `store`: the store, once it could be opened.
struct StoreThread {
    private let folder: StoreFolder
    private var opened: SampleStore?
    private var lock: FileLock?
    var limits: SampleStore.Limits {
        didSet { opened?.limits = limits }
    }

    init(_ folder: StoreFolder, _ limits: SampleStore.Limits) {
        self.folder = folder
        self.limits = limits
    }

    /// Opens the store. A reading that failed may be tried again.
    mutating func begin() throws(FileFailure) -> (StoredContent, SampleStore.State) {
        try folder.make()
        // Two that append to one file would each write over what the other did.
        if lock == nil { lock = try FileLock(folder.lock) }
        var content = StoredContent()
        let store = try SampleStore(folder, limits, &content)
        opened = store
        return (content, store.state)
    }

    /// Lets go of the folder: another may use it.
    mutating func end() {
        opened = nil
        lock = nil
    }

    /// Nothing is written before the store was read.
    private mutating func store<Value>(
        _ body: (inout SampleStore) throws(FileFailure) -> Value
    ) throws(FileFailure) -> Value {
        guard var store = opened else { throw FileFailure("write before reading", folder.path, code: EINVAL) }
        opened = nil
        defer { opened = store }
        return try body(&store)
    }

    mutating func commit(_ batch: Batch) throws(FileFailure) -> SampleStore.State {
        try store { store throws(FileFailure) in
            try store.commit(batch)
            return store.state
        }
    }

    mutating func backup() throws(FileFailure) -> BackupStore.Reply {
        try store { store throws(FileFailure) in try store.backup() }
    }

    mutating func drop(
        _ body: (inout SampleStore) throws(FileFailure) -> [SeriesID]
    ) throws(FileFailure) -> ([SeriesID], SampleStore.State) {
        try store { store throws(FileFailure) in
            let orphans = try body(&store)
            return (orphans, store.state)
        }
    }
}
