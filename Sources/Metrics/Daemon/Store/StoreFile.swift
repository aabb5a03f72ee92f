import Glibc
import MetricsCore
import Store
import Time

/// The database file of a state folder, on the thread `store`: opened when it is first needed, and again after it could not be.
final class StoreFile {
    private let folder: String
    private var opened: BlockStore?

    init(folder: String) {
        self.folder = folder
    }

    /// The database of a state folder.
    static func path(in folder: String) -> String { "\(folder)/metrics.db" }

    /// The store; its folder is made if need be.
    func store() throws(StoreError) -> BlockStore {
        if let opened { return opened }
        mkdir(folder, 0o750)
        let store = try BlockStore(path: Self.path(in: folder))
        opened = store
        return store
    }

    /// What a start finds. A file that is no database any more, or has a damaged page where a start reads, is set aside under
    /// another name, and a new one is begun.
    func content(now: WallTime) throws(StoreError) -> BlockStore.Content {
        do throws(StoreError) {
            return try store().content()
        } catch {
            guard error.kind == .corrupt, let aside = setAside(now: now) else { throw error }
            var content = try store().content()
            content.setAside = aside
            return content
        }
    }

    /// Moves the database away with its log, for whoever wants to mend it.
    /// - Returns: where it lies now; nil where it cannot be moved.
    private func setAside(now: WallTime) -> String? {
        // Closed first: as it closes, SQLite removes a log by its name, which would be that of the next one.
        opened = nil
        let path = Self.path(in: folder)
        let aside = "\(path).damaged-\(now.milliseconds)"
        guard rename(path, aside) == 0 else { return nil }
        rename("\(path)-wal", "\(aside)-wal")
        unlink("\(path)-shm")
        return aside
    }
}
