import ConfigAPI
import ConfigCore
import Runtime
import Time

/// What the store thread remembers of changes by somebody else: what holds still since when, and who is to be told.
final class OutsideWatch {
    /// What the loop is told.
    enum News: Sendable {
        /// A content was set aside, and those with these numbers were dropped for it.
        case setAside(ConfigQuarantined, dropped: [Int64])
    }

    /// Nil where nothing is watched: all is found by looking.
    let folders: FolderWatch?
    let tell: @Sendable (News) -> Void
    private var suspicions: [Keeper.FileID: Suspicion] = [:]
    /// Files that were looked at in this life.
    private var met: Set<Keeper.FileID> = []

    init(folders: FolderWatch? = nil, tell: @escaping @Sendable (News) -> Void = { _ in }) {
        self.folders = folders
        self.tell = tell
    }

    /// Forgets all other files.
    func keep(only ids: Set<Keeper.FileID>) {
        folders?.keep(only: ids)
        suspicions = suspicions.filter { ids.contains($0.key) }
        met.formIntersection(ids)
    }

    /// Whether the file was not looked at in this life.
    func isFirst(_ id: Keeper.FileID) -> Bool { !met.contains(id) }

    /// The file is its newest version, or is left as it is.
    func isWhole(_ id: Keeper.FileID) {
        met.insert(id)
        suspicions[id]?.cleared()
    }

    /// How long a file that is not its newest version has held still.
    func stillness(of file: GuardedFile, _ id: Keeper.FileID) -> OutsideChange.Stillness {
        let now = HostClock.now()
        // The file's own time can be of another clock, or stepped since: it counts only where nothing better is known.
        var age: Duration?
        if met.insert(id).inserted, let mark = file.mark {
            age = .nanoseconds(now.wall.milliseconds * 1_000_000 - mark.changedNs)
        }
        let writer = folders?.writer(of: id) ?? .unknown
        return suspicions[id, default: Suspicion()].seen(file.mark, writer: writer, age: age, now: now.instant)
    }

    func mayRestore(_ id: Keeper.FileID) -> Bool {
        suspicions[id]?.mayRestore(now: HostClock.now().instant) ?? true
    }

    func restored(_ id: Keeper.FileID) {
        suspicions[id, default: Suspicion()].restored(now: HostClock.now().instant)
    }

    func pardon(_ id: Keeper.FileID) { suspicions[id]?.pardoned() }
}
