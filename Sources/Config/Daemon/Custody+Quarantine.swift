import ConfigAPI
import ConfigCore
import Runtime
import Store
import Time
import Wire

/// What becomes of changes by somebody else, on the store thread: `OutsideChange` decides, this does it.
extension Custody {
    /// So many versions back a content is sought that is whole.
    private static let versionsSought: Int64 = 20
    /// After a write that fell between a look and the putting back.
    private static let again: Duration = .milliseconds(100)

    /// Opens the file, with its folder watched from before it is read.
    func open(_ kept: KeptFile) throws(StepFailure) -> GuardedFile {
        do throws(StepFailure) {
            let file = try GuardedFile(path: kept.id.path)
            outside.folders?.arm(kept.id, name: file.name, folder: file.folder)
            return file
        } catch {
            outside.folders?.lost(kept.id)
            throw error
        }
    }

    /// At the first look of a life: removes what attempts without an intent left beside the file. True where there was any.
    func clearLeftovers(beside file: GuardedFile, _ kept: KeptFile) -> Bool {
        guard !isDryRun, outside.isFirst(kept.id) else { return false }
        // Where the folder cannot be listed or written they are in nobody's way.
        return (try? file.removeLeftovers()) ?? false
    }

    /// The file holds what no version does: it becomes a version, or the last one is put back, or the look ends with
    /// `beingWritten`, to be taken again.
    func meet(_ origin: ConfigOrigin, on sight: inout Sight, _ kept: KeptFile) throws(StepFailure) {
        guard origin == .adopted, let head = sight.head, let found = sight.content else {
            return try adopt(origin, on: &sight, kept)
        }
        let good = try newestWhole(head, kept)
        let damage = good.flatMap { good in
            OutsideChange.damage(
                from: good.content, to: found, format: kept.format, limitPercent: kept.maximumShrinkPercent)
        }
        let stillness = outside.stillness(of: sight.file, kept.id)
        switch OutsideChange.verdict(on: damage, policy: kept.onOutsideChange, stillness) {
        case .wait(let again): throw StepFailure(.beingWritten(again: again), step: "read")
        case .adopt: try adopt(origin, on: &sight, kept)
        case .bringBack: break
        case .restore(let cause):
            guard let good else { throw Self.nothingWhole }
            try mayRestore(kept)
            let id = try setAside(found, cause, sight, kept)
            try putBack(good, because: "\(cause.words): set aside as \(id)", insteadOf: id, on: &sight, kept)
        }
    }

    /// The file is gone: it is put back where the settings say that nobody else may change it.
    func meetMissing(on sight: inout Sight, _ kept: KeptFile) throws(StepFailure) {
        guard let head = sight.head, kept.onOutsideChange == .restore else { return }
        let stillness = outside.stillness(of: sight.file, kept.id)
        switch OutsideChange.verdict(onMissingFile: kept.onOutsideChange, stillness) {
        case .wait(let again): throw StepFailure(.beingWritten(again: again), step: "read")
        case .bringBack:
            try mayRestore(kept)
            guard let good = try newestWhole(head, kept) else { throw Self.nothingWhole }
            try putBack(good, because: "the file was gone", insteadOf: nil, on: &sight, kept)
        case .adopt, .restore, nil: break
        }
    }

    private func mayRestore(_ kept: KeptFile) throws(StepFailure) {
        guard !isDryRun else {
            let why = StepFailure.Cause.outsideChange(
                "was changed by somebody else and would be put back",
                remedy: "This is a dry run: start configd without --dry-run")
            throw StepFailure(why, step: "put back")
        }
        guard outside.mayRestore(kept.id) else {
            let why = StepFailure.Cause.outsideChange(
                "was put back \(Suspicion.mostRestores) times within a minute, and somebody writes it again",
                remedy: """
                    Find out who writes it: `mainstay config quarantine \(kept.id.service)` shows what, and \
                    `mainstay config adopt \(kept.id.service)` takes it over
                    """)
            throw StepFailure(why, step: "put back")
        }
    }

    /// The newest version whose content the ledger still has.
    private func newestWhole(
        _ head: Version, _ kept: KeptFile
    ) throws(StepFailure) -> (version: Version, content: [UInt8])? {
        var version: Version? = head
        while let candidate = version, candidate.number > head.number - Self.versionsSought {
            if let content = try content(of: candidate) { return (candidate, content) }
            version = try history(kept, below: candidate.number, limit: 1).first
        }
        return nil
    }

    private static var nothingWhole: StepFailure {
        StepFailure(
            .versions(
                "no content of the last \(versionsSought) versions is whole",
                remedy: "Look at the disk of /var/lib/mainstay; restore versions.db from a backup"),
            step: "read")
    }

    /// Keeps a content; one that could not be put right since is kept once.
    private func setAside(
        _ content: [UInt8], _ cause: OutsideChange.Cause, _ sight: Sight, _ kept: KeptFile
    ) throws(StepFailure) -> Int64 {
        let digest = Digest(of: content)
        let newest = try quarantine(of: kept).first
        if let newest, newest.digest == digest, newest.restored.map({ $0 > sight.head?.number ?? 0 }) ?? true {
            return newest.id
        }
        let at = HostClock.now().wall
        let owner = sight.file.identity?.uid ?? 0
        let (id, dropped) = try ledger("set aside") { () throws(StoreError) in
            try versions.setAside(
                content, cause: cause.name.rawValue, message: cause.words, ownerUID: owner, at: at, path: kept.id.path)
        }
        let entry = VersionStore.SetAside(
            id: id, at: at, cause: cause.name.rawValue, message: cause.words, digest: digest,
            sizeBytes: Int64(content.count), ownerUID: owner)
        outside.tell(.setAside(message(entry, of: kept, head: 0, mayAct: false), dropped: dropped))
        return id
    }

    /// Makes a version with the content of `good` and writes it, owner and mode included.
    private func putBack(
        _ good: (version: Version, content: [UInt8]), because reason: String, insteadOf id: Int64?,
        on sight: inout Sight, _ kept: KeptFile
    ) throws(StepFailure) {
        guard let head = sight.head else { return }
        let draft = Version.Draft(
            origin: .restored, restored: good.version.number, content: good.version.draft.content,
            sizeBytes: Int64(good.content.count), keys: [], at: HostClock.now().wall, authorUID: nil, reason: reason,
            identity: head.draft.identity)
        let version = Version(draft, after: head)
        let write = FileWrite(kept: kept, sight: sight, versions: [(version, good.content)])
        let written = commit([write]) { _ throws(StoreError) in
            if let id { try versions.note(restored: version.number, insteadOf: id) }
        }
        switch written.outcome {
        case .applied: break
        case .refused(let failure) where failure.cause == .changedMeanwhile:
            throw StepFailure(.beingWritten(again: Self.again), step: "put back")
        case .refused(let failure), .doubtful(let failure): throw failure
        }
        outside.restored(kept.id)
        sight.file = try open(kept)
        sight.content = try sight.file.read()
        sight.head = version
        sight.made.append(version)
        guard sight.content == good.content else {
            throw StepFailure(.beingWritten(again: Self.again), step: "put back")
        }
    }
}

extension OutsideChange.Cause {
    /// As the socket calls it.
    var name: ConfigQuarantineCause {
        switch self {
        case .policy: .policy
        case .damage(.empty): .empty
        case .damage(.zeroBytes): .zeroBytes
        case .damage(.notText): .notText
        case .damage(.unreadable): .unreadable
        case .damage(.shrunk): .shrunk
        }
    }

    /// In words, without a value.
    var words: String {
        switch self {
        case .policy: "the settings let no change past configd stay"
        case .damage(.empty): "nothing was left in it"
        case .damage(.zeroBytes): "zero bytes stood in it"
        case .damage(.notText): "bytes that are no text stood in it"
        case .damage(.unreadable(let reader, let line, let reason)):
            "\(reader) refuses line \(line) of it: it \(reason)"
        case .damage(.shrunk(let loss)):
            """
            \(loss.keysAfter) of \(loss.keysBefore) keys and \(loss.bytesAfter) of \(loss.bytesBefore) bytes were left \
            in it
            """
        }
    }
}
