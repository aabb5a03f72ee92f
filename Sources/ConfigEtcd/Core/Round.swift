import ConfigAPI
import Time
import Wire

/// What the files are to be told: the sum of revisions that were judged good, one after the other.
struct Fold: Hashable, Sendable {
    private(set) var sets: [FileKey: ConfigValue] = [:]
    private(set) var removes: Set<FileKey> = []

    /// The sum with one more. `owned` are the keys that etcd may remove: a key that it never set is the host's own.
    func adding(_ revision: ServiceRevision, owned: Set<FileKey>) -> Fold {
        var next = self
        for key in revision.removes {
            next.sets[key] = nil
            if owned.contains(key) { next.removes.insert(key) }
        }
        for (key, value) in revision.sets {
            next.sets[key] = value
            next.removes.remove(key)
        }
        return next
    }

    /// Without the removal of a key that is gone already.
    mutating func forgetRemoval(of key: String) {
        removes = removes.filter { $0.key != key }
    }

    var isEmpty: Bool { sets.isEmpty && removes.isEmpty }
    var keys: [String] { (Array(sets.keys) + removes).sorted().map(\.key) }
    /// The first file that it changes.
    var file: String? { (sets.keys.map(\.file) + removes.map(\.file)).min() }

    func owned(after owned: Set<FileKey>) -> Set<FileKey> { owned.union(sets.keys).subtracting(removes) }

    /// The call that makes it, or only tries it.
    func params(of service: String, reason: String, dryRun: Bool, confirm: Duration?) -> Config.Apply.Params {
        var changes: [String: Config.FileChange] = [:]
        for (key, value) in sets {
            changes[key.file, default: Config.FileChange(file: key.file)].values[key.key] = value
        }
        for key in removes.sorted() {
            changes[key.file, default: Config.FileChange(file: key.file)].remove.append(key.key)
        }
        return Config.Apply.Params(
            service: service, changes: changes.values.sorted { $0.file < $1.file }, reason: reason, dryRun: dryRun,
            confirmMs: dryRun ? nil : confirm.map { Int64($0 / .milliseconds(1)) })
    }
}

extension Config {
    fileprivate typealias FileChange = Apply.FileChange
}

/// Revisions that waited together and are judged together: each is tried on top of the good ones before it, and what is good
/// of them is made as one change, so that 500 revisions at once are no 500 restarts of a service.
struct Round: Hashable, Sendable {
    /// In ascending order; never empty.
    private(set) var revisions: [ServiceRevision]
    /// The next one to be judged.
    private(set) var place = 0
    /// The sum of the good ones since the last change.
    private(set) var fold = Fold()
    /// The good ones in `fold`.
    private(set) var accepted: [Int64] = []
    /// Every change is made for itself: what was tried as a sum was refused as one.
    private(set) var isSingly = false
    /// Keys whose removal etcd asks for and that are gone already.
    private(set) var gone: Set<String> = []

    /// When it was begun.
    let began: Instant

    init(_ revisions: [ServiceRevision], began: Instant) {
        self.revisions = revisions
        self.began = began
    }

    /// The one to be judged next; nil where all are.
    var next: ServiceRevision? { place < revisions.count ? revisions[place] : nil }
    var isLast: Bool { place == revisions.count - 1 }
    /// The newest one that was judged; nil before the first.
    var judged: Int64? { place > 0 ? revisions[place - 1].number : nil }

    /// The sum with the next one.
    func trying(owned: Set<FileKey>) -> Fold {
        var sum = next.map { fold.adding($0, owned: owned) } ?? fold
        for key in gone { sum.forgetRemoval(of: key) }
        return sum
    }

    mutating func accept(_ sum: Fold) {
        if let next { accepted.append(next.number) }
        fold = sum
        place += 1
    }

    mutating func pass() { place += 1 }

    mutating func isGone(_ key: String) { gone.insert(key) }

    /// Leaves out what was not judged yet, and answers it.
    mutating func cut() -> [ServiceRevision] {
        let rest = Array(revisions[place...])
        revisions.removeSubrange(place...)
        return rest
    }

    /// The change was made: the next begins anew.
    mutating func settle() {
        fold = Fold()
        accepted = []
    }

    /// Judges the good ones again, each for itself.
    mutating func splitUp() {
        let good = Set(accepted)
        self = Round(revisions.filter { good.contains($0.number) }, began: began)
        isSingly = true
    }
}
