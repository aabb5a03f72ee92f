import ConfigAPI
import ConfigCore
import Glibc
import Runtime
import Store
import Time
import Wire

/// The files and their versions in the hands of the one thread that may touch them. Requests come one after the other, so
/// a compare-and-swap needs no lock of its own; every one of them first looks at the file and puts right what it finds.
final class Custody {
    let versions: VersionStore
    /// The changes on trial by their service, as the ledger has them; nil where they must be read anew.
    var trials: [String: Trial]?
    /// The host's boot that this is.
    let boot: String?
    /// The same; where nothing tells, this life of configd counts as a boot of its own.
    let bootOrLife: String
    /// Against other programs.
    let locks: ProgramLocks
    /// What is known of changes by somebody else.
    let outside: OutsideWatch
    /// Nothing is written but the ledger in memory.
    let isDryRun: Bool
    /// A thread for what goes on beside this one.
    let beside: Worker<Void>

    /// `folder` is configd's own; it is made where it is not there. Nil keeps the versions in memory, for a dry run.
    init(
        folder: String?, outside: OutsideWatch = OutsideWatch(),
        locks: ProgramLocks = ProgramLocks(folder: nil, group: nil), beside: Worker<Void>
    ) throws(StepFailure) {
        self.beside = beside
        self.outside = outside
        self.locks = locks
        isDryRun = folder == nil
        boot = Boot.identity()
        bootOrLife = boot ?? "unknown-\(HostClock.now().instant.nanoseconds)-\(getpid())"
        guard let folder else {
            versions = try VersionStore(folder: nil)
            return
        }
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            let why = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
            throw StepFailure(
                .versions("\(folder): \(why)", remedy: "Make the folder and give it to configd's user"), step: "make")
        }
        versions = try VersionStore(folder: folder)
    }

    // MARK: What nobody waits for

    /// Files that were replaced. Whoever lets go of the last descriptor of such a file waits until its space is freed, which may
    /// take as long as a sync: who waits for an answer need not.
    private var replaced: [GuardedFile] = []
    /// Transactions that took place and are not concluded in the ledger; whoever asks it next concludes them first.
    private var unconcluded: [Intent] = []

    /// Keeps replaced files open until `tidyUp`.
    func keepOpen(_ files: [GuardedFile]) { replaced += files }

    /// Leaves the conclusion of an intent for later.
    func concludeLater(_ intent: Intent) { unconcluded.append(intent) }

    /// Does what was left for later; called when the answers are on their way.
    func tidyUp() {
        // What fails here stays an intent, as after a crash: the next look at its files settles it, and tells of the disk.
        try? ledger("conclude") {}
        let descriptors = replaced.compactMap { $0.giveUp() }
        replaced = []
        guard !descriptors.isEmpty else { return }
        let isTaken = beside.submit { _ in descriptors.forEach { close($0) } }
        // Where too many wait already, whoever comes with more waits too.
        if !isTaken { descriptors.forEach { close($0) } }
    }

    /// Nothing was asked for a while: makes durable what was concluded without a wait, and gives back what a burst took.
    func rest() throws(StepFailure) {
        Heap.giveBack()
        try ledger("make durable") { () throws(StoreError) in try versions.syncLog() }
    }

    // MARK: What was read last

    /// The file that was changed last, as its readers read it: the next change begins with what this one has made.
    private var lastRead: (kept: KeptFile, file: ReadFile, digest: Digest)?
    /// A file as it is read takes some ten times its size in memory.
    private static let mostBytesRemembered = 16 << 10

    /// Has `content` read by those who read `kept`.
    func read(_ content: [UInt8], of kept: KeptFile) -> ReadFile {
        if let lastRead, lastRead.kept.id == kept.id, lastRead.kept.format.readers == kept.format.readers,
            lastRead.file.bytes == content
        {
            return lastRead.file
        }
        return kept.format.read(content)
    }

    /// The digest of what was found in a file.
    private func digest(of content: [UInt8]) -> Digest {
        if let lastRead, lastRead.file.bytes == content { return lastRead.digest }
        return Digest(of: content)
    }

    /// Keeps in mind what a change has made of `kept`: a content with this digest.
    func remember(_ file: ReadFile, _ digest: Digest, of kept: KeptFile) {
        lastRead = file.bytes.count <= Self.mostBytesRemembered ? (kept, file, digest) : nil
    }

    /// What fingerprints are made with.
    var fingerprintKey: [UInt8] { versions.fingerprintKey }

    /// Lets another configd in. Nothing may be asked of this one afterwards.
    func release() { versions.release() }

    // MARK: Looking

    /// A file as it was found and left by a look.
    struct Sight {
        var file: GuardedFile
        /// Nil where there is no file.
        var content: [UInt8]? { didSet { digest = nil } }
        private var digest: Digest?
        /// Its newest version: what `content` is, or, where there is no file, what it was.
        var head: Version?
        /// Versions that this look made or concluded.
        var made: [Version] = []
        /// A write that a crash cut off was cleared away.
        var cleared = false

        init(file: GuardedFile, content: [UInt8]?, digest: Digest?, head: Version?) {
            self.file = file
            self.content = content
            self.digest = digest
            self.head = head
        }

        /// The content's.
        var contentDigest: Digest? { digest ?? content.map { Digest(of: $0) } }
    }

    /// Reads the file and its newest version and does what `Recovery` decides.
    func look(_ kept: KeptFile) throws(StepFailure) -> Sight {
        let path = kept.id.path
        let intent = try ledger("read") { () throws(StoreError) in
            try versions.settle()
            return try versions.intent(of: path)
        }
        let settled = try intent.map { intent throws(StepFailure) in try settle(intent) }
        let file = try open(kept)
        let content = try file.read()
        let head = try ledger("read") { () throws(StoreError) in try versions.head(of: path) }
        var sight = Sight(file: file, content: content, digest: content.map(digest), head: head)
        if let intent, let settled {
            sight.cleared = !settled
            sight.made = settled ? intent.files.first { $0.path == path }?.versions ?? [] : []
        }
        if clearLeftovers(beside: file, kept) { sight.cleared = true }
        if let origin = Recovery.adoption(head: head, content: sight.contentDigest) {
            try meet(origin, on: &sight, kept)
        } else if content == nil {
            try meetMissing(on: &sight, kept)
        }
        outside.isWhole(kept.id)
        return sight
    }

    /// Puts right what a crash left of a transaction; true where it took place.
    private func settle(_ intent: Intent) throws(StepFailure) -> Bool {
        var files: [GuardedFile] = []
        var contents: [Digest?] = []
        for file in intent.files {
            let opened = try GuardedFile(path: file.path)
            contents.append(try opened.read().map { Digest(of: $0) })
            files.append(opened)
        }
        func opened(_ file: FileIntent) -> GuardedFile { files[intent.files.firstIndex(of: file) ?? 0] }
        var tookPlace = false
        for step in Recovery.steps(for: intent, contents: contents) {
            switch step {
            case .syncFolder(let file): try opened(file).syncFolder()
            case .removeTemporary(let file): try opened(file).removeTemporary(file.temporary)
            case .takeBack(let file): try takeBack(file)
            case .concludeIntent(let intent):
                try ledger("conclude") { () throws(StoreError) in try versions.conclude([intent]) }
                tookPlace = true
            case .dropIntent(let intent):
                try ledger("drop") { () throws(StoreError) in try versions.drop(intent) }
            }
        }
        return tookPlace
    }

    func adopt(_ origin: ConfigOrigin, on sight: inout Sight, _ kept: KeptFile) throws(StepFailure) {
        guard let content = sight.content, let found = sight.file.identity else { return }
        let head = sight.head
        let before = try ledger("read") { () throws(StoreError) in
            guard let head else { return [UInt8]() }
            return try versions.content(head.draft.content) ?? []
        }
        // The owner stays as it was recorded: who put another owner's file here has to be asked about.
        var identity = sight.head?.draft.identity ?? found
        identity.mode = found.mode
        let draft = Version.Draft(
            origin: origin, content: Digest(of: content), sizeBytes: Int64(content.count),
            keys: kept.format.changedKeys(from: before, to: content), at: HostClock.now().wall, authorUID: nil,
            reason: origin == .baseline ? "met for the first time" : "changed by somebody else", identity: identity)
        let version = Version(draft, after: sight.head)
        try ledger("record") { () throws(StoreError) in
            try versions.transaction { () throws(StoreError) in
                try versions.record(version, content: content, path: kept.id.path)
                try versions.prune(kept.id.path, upTo: version.number - kept.versionsKept - 1)
            }
        }
        sight.head = version
        sight.made.append(version)
    }

    func ledger<Value>(
        _ step: String, _ body: () throws(StoreError) -> Value
    ) throws(StepFailure) -> Value {
        let value: Value
        versions.hasDamage = false
        do throws(StoreError) {
            if !unconcluded.isEmpty {
                // Tried once: what fails now is settled by a look, and its number may be given again then.
                let intents = unconcluded
                unconcluded = []
                try versions.conclude(intents)
            }
            value = try body()
        } catch {
            versions.note(error)
            throw VersionStore.failure(error, step: step)
        }
        guard !versions.hasDamage else {
            versions.forget()
            throw StepFailure(
                .versions(
                    "a record of a version is damaged, changed or missing",
                    remedy: "Restore versions.db from a backup, or move it away"),
                step: step)
        }
        return value
    }

    // MARK: The ledger

    func version(_ number: Int64, of kept: KeptFile) throws(StepFailure) -> Version? {
        try ledger("read") { () throws(StoreError) in try versions.version(number, of: kept.id.path) }
    }

    /// What a version held; nil where it is damaged.
    func content(of version: Version) throws(StepFailure) -> [UInt8]? {
        try ledger("read") { () throws(StoreError) in try versions.content(version.draft.content) }
    }

    func history(_ kept: KeptFile, below cursor: Int64?, limit: Int64) throws(StepFailure) -> [Version] {
        try ledger("read") { () throws(StoreError) in
            try versions.versions(of: kept.id.path, below: cursor, limit: limit)
        }
    }

    func versions(of kept: KeptFile, after number: Int64) throws(StepFailure) -> [Version] {
        try ledger("read") { () throws(StoreError) in try versions.versions(of: kept.id.path, after: number) }
    }
}
