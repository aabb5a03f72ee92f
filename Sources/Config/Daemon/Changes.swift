import ConfigAPI
import ConfigCore
import Runtime
import Time
import Wire

/// Changes of files on the store thread: checked, edited, committed. Changes that waited together for the same files are one
/// write with a version each; one that meets somebody else's write begins again on what that left.
extension Custody {
    /// How often changes begin again before they give up.
    private static let attempts = 3

    /// What one caller wants: all of it, or none.
    struct Request: Sendable {
        var terms: Terms
        /// What becomes of each file; not empty, each file once.
        var parts: [Part]

        /// The files that it is about, in the order of their paths.
        var files: [Keeper.FileID] { parts.map(\.kept.id).sorted { $0.path < $1.path } }
        /// Whether configd asks for it by itself: whoever has it tells of its failures.
        var isOwn: Bool { parts.contains { $0.work.author(terms) == nil } }
    }

    /// What becomes of one file.
    struct Part: Sendable {
        var kept: KeptFile
        var work: Work
        /// Only if this is the version in force.
        var ifVersion: Int64?
    }

    /// How a file's next content is made.
    enum Work: Sendable {
        case edit([ValueChange])
        /// To this content, whatever it held.
        case replace([UInt8])
        case rollback(to: Goal)
        /// What was set aside.
        case adopt(quarantine: Int64)
        /// To what leased keys were before.
        case takeBack(LeaseSelection)
    }

    /// Which version is brought back.
    enum Goal: Sendable {
        /// The one before the newest.
        case previous
        case version(Int64)
        case tag(String)
    }

    /// Who asks for a change, and on what terms.
    struct Terms: Sendable {
        var authorUID: UInt32
        var reason: String
        var force = false
        var dryRun = false
        /// On trial: what it takes, beside the change itself.
        var trial: TrialTerms?
        /// What takes a trial back is refused by none.
        var isTakeBack = false
        /// The keys have their values for this long.
        var lease: Duration?
        /// The token of the lock that its caller holds.
        var lock: String?
    }

    /// What the loop learns of changes, refused or not.
    struct Changed: Sendable {
        /// For each request, in their order, what became of its files, in its order.
        var results: [Result<[Config.Outcome], RPCError>]
        /// Of every file that was looked at.
        var seen: [Keeper.FileID: Seen] = [:]
        /// Of every trial that this began or ended.
        var trials: [TrialChange] = []
        /// The service whose trial was refused and may have left its row all the same.
        var doubtfulTrial: String?
        /// Leases that ended otherwise than by going back.
        var leases: [LeaseNews] = []
    }

    /// What the loop learns of every look.
    struct Seen: Sendable {
        var condition: Keeper.Condition
        /// Versions that the loop has not announced, the oldest first.
        var versions: [Version] = []
        var cleared = false
        /// All leases of the file; nil where they could not be read.
        var leases: [Leases.Claim]?
    }

    /// Looks, for the loop; `announced` is what it knows.
    func seen(_ kept: KeptFile, announced: Int64?) -> Seen {
        // A look of the loop's, each minute at least, holds the newest versions against the ledger itself.
        versions.forgetHead()
        do throws(StepFailure) {
            let sight = try look(kept)
            return try seen(kept, sight, announced: announced)
        } catch {
            return Seen(condition: .troubled(error))
        }
    }

    private func seen(
        _ kept: KeptFile, _ sight: Sight, announced: Int64?, hasLeases: Bool = true
    ) throws(StepFailure) -> Seen {
        var seen = Seen(condition: .missing(sight.head), cleared: sight.cleared)
        if sight.content != nil, let head = sight.head { seen.condition = .whole(head) }
        seen.versions = try news(kept, sight.made, announced: announced, newest: sight.head)
        seen.leases = hasLeases ? try claims(of: kept) : []
        return seen
    }

    /// The versions that the loop has not announced: those just `made`, unless an answer came too late before them.
    private func news(
        _ kept: KeptFile, _ made: [Version], announced: Int64?, newest: Version?
    ) throws(StepFailure) -> [Version] {
        guard let announced, let newest, newest.number != announced + Int64(made.count) else { return made }
        return try versions(of: kept, after: announced)
    }

    /// In the keys' order, so that the same request makes the same file.
    static func changes(_ values: [String: ConfigValue], _ remove: [String]) -> [ValueChange] {
        values.sorted { $0.key < $1.key }.map { .set(key: $0.key, value: $0.value) }
            + remove.map { .remove(key: $0) }
    }

    // MARK: Many requests, one write

    /// Makes the changes of `requests`, all of which are about the same files, one after the other, with one write of each
    /// file. `announced` is what the loop knows of the files.
    func change(_ requests: [Request], announced: [Keeper.FileID: Int64]) -> Changed {
        keepingOthersOut(requests) { write(requests, announced: announced) }
    }

    private func write(_ requests: [Request], announced: [Keeper.FileID: Int64]) -> Changed {
        let files = requests.first?.parts.map(\.kept).sorted { $0.id.path < $1.id.path } ?? []
        for attempt in 1...Self.attempts {
            var batch: Batch
            do throws(StepFailure) {
                batch = Batch(try files.map { kept throws(StepFailure) in try draft(of: kept) })
            } catch { return failed(error, requests, files) }
            for request in requests { plan(request, in: &batch) }
            let writes = batch.drafts.filter { !$0.made.isEmpty }.map(\.write)
            let leases = batch.drafts.map { ($0.kept.id.path, $0.leases.changes) }
            let written =
                writes.isEmpty ? recordAlone(leases) : commit(writes, of: requests, leases)
            switch written.outcome {
            case .applied: return begun(requests, ended(batch, announced))
            case .refused(let failure) where failure.cause == .changedMeanwhile && attempt < Self.attempts: continue
            case .refused(let failure):
                batch.fail { Refusals.error(failure, path: written.path) }
                return left(requests, seenAnew(batch, announced))
            case .doubtful(let failure):
                let why = Refusals.error(failure, path: written.path).message
                batch.fail { ConfigErrors.durabilityUnknown(written.path, why: why) }
                return left(requests, seenAnew(batch, announced))
            }
        }
        return failed(StepFailure(.changedMeanwhile, step: "replace"), requests, files)
    }

    /// One file as the requests so far would leave it.
    struct Draft {
        var kept: KeptFile
        var sight: Sight
        var head: Version?
        var content: ReadFile?
        var made: [(version: Version, content: [UInt8])] = []
        var leases: DraftedLeases

        init(_ kept: KeptFile, _ sight: Sight, _ content: ReadFile?, _ leases: DraftedLeases) {
            self.kept = kept
            self.sight = sight
            self.leases = leases
            head = sight.head
            self.content = content
        }

        var write: FileWrite { FileWrite(kept: kept, sight: sight, versions: made) }
    }

    /// The files of a write, and what becomes of each request.
    private struct Batch {
        var drafts: [Draft]
        var results: [Result<[Config.Outcome], RPCError>] = []
        /// How many requests were answered before one of them changed anything: what they were told holds in any case.
        var settled = 0

        init(_ drafts: [Draft]) { self.drafts = drafts }

        mutating func answer(_ result: Result<[Config.Outcome], RPCError>) {
            results.append(result)
            if drafts.allSatisfy({ $0.made.isEmpty && $0.leases.changes.isEmpty }) { settled = results.count }
        }

        /// The write failed, and with it every answer that rests on it.
        mutating func fail(_ error: () -> RPCError) {
            for place in results.indices.dropFirst(settled) { results[place] = .failure(error()) }
        }
    }

    /// The file as it is, before any request.
    private func draft(of kept: KeptFile) throws(StepFailure) -> Draft {
        let sight = try look(kept)
        let content = sight.content.map { read($0, of: kept) }
        return Draft(kept, sight, content, DraftedLeases(inForce: try leases(of: kept)))
    }

    private func plan(_ request: Request, in batch: inout Batch) {
        do throws(RPCError) { try mayChange(request) } catch { return batch.answer(.failure(error)) }
        var drafts = batch.drafts
        var outcomes: [Config.Outcome] = []
        for part in request.parts {
            guard let place = drafts.firstIndex(where: { $0.kept.id == part.kept.id }) else { continue }
            do throws(RPCError) { outcomes.append(try plan(part, request.terms, on: &drafts[place])) } catch {
                return batch.answer(.failure(error))
            }
        }
        if !request.terms.dryRun { batch.drafts = drafts }
        batch.answer(.success(outcomes))
    }

    private func plan(_ part: Part, _ terms: Terms, on draft: inout Draft) throws(RPCError) -> Config.Outcome {
        let kept = draft.kept
        let path = kept.id.path
        guard let head = draft.head else { throw ConfigErrors.fileMissing(path) }
        if let expected = part.ifVersion, expected != head.number {
            throw ConfigErrors.versionConflict(expected: expected, found: head.number)
        }
        let recorded = head.draft.identity
        if let found = draft.sight.file.identity, found.uid != recorded.uid || found.gid != recorded.gid, !terms.force {
            throw ConfigErrors.ownerChanged(path, expected: Int64(recorded.uid), found: Int64(found.uid))
        }
        let (content, origin, restored) = try content(of: part.work, terms, draft, head)
        let before = draft.content ?? kept.format.read([])
        let keys = kept.format.changedKeys(from: before, to: content)
        if origin == .set { try Self.guardFlags(kept, changed: keys, from: before.bytes, to: content.bytes) }
        var outcome = Config.Outcome(
            service: kept.id.service, file: path, version: head.number, previous: nil, keys: keys,
            dryRun: terms.dryRun)
        try check(kept, from: before, to: content, part.work, terms)
        if terms.dryRun {
            outcome.difference = difference(kept, from: before.bytes, head.number, to: content.bytes)
        }
        try planLeases(part, terms, on: &draft, head, becoming: content.bytes, &outcome)
        guard content.bytes != draft.content?.bytes else { return outcome }
        let identity = draft.sight.file.identity ?? recorded
        let version = Version(
            Version.Draft(
                origin: origin, restored: restored, content: Digest(of: content.bytes),
                sizeBytes: Int64(content.bytes.count), keys: keys, at: HostClock.now().wall,
                authorUID: part.work.author(terms), reason: terms.reason,
                identity: identity), after: head)
        draft.head = version
        draft.content = content
        draft.made.append((version, content.bytes))
        guard !terms.dryRun else { return outcome }
        outcome.version = version.number
        outcome.previous = head.number
        return outcome
    }

    /// What the file is to hold.
    private func content(
        of work: Work, _ terms: Terms, _ draft: Draft, _ head: Version
    ) throws(RPCError) -> (ReadFile, ConfigOrigin, restored: Int64?) {
        let kept = draft.kept
        switch work {
        case .edit(let changes):
            guard let content = draft.content else { throw ConfigErrors.fileMissing(kept.id.path) }
            let edited: ReadFile
            do throws(EditRefusal) { edited = try kept.format.apply(changes, to: content) } catch {
                throw Refusals.error(error)
            }
            if !terms.force { try Self.guardShrink(from: content, to: edited, kept) }
            return (edited, .set, nil)
        case .replace(let bytes):
            let content = kept.format.read(bytes)
            do throws(EditRefusal) { try kept.format.check(bytes) } catch { throw Refusals.error(error) }
            if let before = draft.content, !terms.force { try Self.guardShrink(from: before, to: content, kept) }
            return (content, .set, nil)
        case .rollback(let goal):
            let wanted: Int64
            switch goal {
            case .previous: wanted = head.number - 1
            case .version(let number): wanted = number
            case .tag(let name): wanted = try tag(named: name, of: kept).version
            }
            guard wanted > 0 else { throw ConfigErrors.nothingToRollBack(version: head.number) }
            // A version of this very write is not in the ledger yet.
            if let made = draft.made.first(where: { $0.version.number == wanted }) {
                return (kept.format.read(made.content), .rollback, wanted)
            }
            let version = try answering(kept) { () throws(StepFailure) in try self.version(wanted, of: kept) }
            guard let version else { throw ConfigErrors.unknownVersion(wanted, newest: head.number) }
            let held = try answering(kept) { () throws(StepFailure) in try self.content(of: version) }
            guard let content = held else { throw ConfigErrors.versionDamaged(wanted) }
            return (kept.format.read(content), .rollback, wanted)
        case .adopt(let id): return (kept.format.read(try held(id, kept).content), .adopted, nil)
        case .takeBack(let selection): return (kept.format.read(try takenBack(selection, draft)), .expired, nil)
        }
    }

    /// What a request would write, for validators: of each file that has one and would change, the content, and the version
    /// that it rests on. The request is refused here as it would be at the write.
    func candidates(of request: Request) throws(RPCError) -> [Candidate] {
        try mayChange(request)
        var candidates: [Candidate] = []
        for part in request.parts {
            var draft = try answering(part.kept) { () throws(StepFailure) in try self.draft(of: part.kept) }
            let base = draft.head?.number ?? 0
            var terms = request.terms
            terms.dryRun = false
            _ = try plan(part, terms, on: &draft)
            let isChecked = part.kept.validatorLimit != nil && !draft.made.isEmpty
            candidates.append(
                Candidate(
                    kept: part.kept, base: base, before: draft.sight.content ?? [],
                    content: isChecked ? draft.content?.bytes : nil))
        }
        return candidates
    }

    // MARK: How it ends

    private func ended(_ batch: Batch, _ announced: [Keeper.FileID: Int64]) -> Changed {
        keepOpen(batch.drafts.map(\.sight.file))
        var changed = Changed(results: batch.results)
        for draft in batch.drafts {
            if let content = draft.content, let made = draft.made.last {
                remember(content, made.version.draft.content, of: draft.kept)
            }
            var sight = draft.sight
            sight.head = draft.head
            sight.content = draft.content?.bytes
            sight.made += draft.made.map(\.version)
            do throws(StepFailure) {
                // Where none was in force and none was changed, none is to be read.
                let hasLeases = !draft.leases.inForce.isEmpty || !draft.leases.changes.isEmpty
                changed.seen[draft.kept.id] = try seen(
                    draft.kept, sight, announced: announced[draft.kept.id], hasLeases: hasLeases)
            } catch { changed.seen[draft.kept.id] = Seen(condition: .troubled(error)) }
            changed.leases += draft.leases.news
        }
        return changed
    }

    /// After a write that failed: what the files are now is found out by looking.
    private func seenAnew(_ batch: Batch, _ announced: [Keeper.FileID: Int64]) -> Changed {
        var changed = Changed(results: batch.results)
        for draft in batch.drafts {
            changed.seen[draft.kept.id] = seen(draft.kept, announced: announced[draft.kept.id])
        }
        return changed
    }

    private func failed(_ failure: StepFailure, _ requests: [Request], _ files: [KeptFile]) -> Changed {
        let error = Refusals.error(failure, path: files.first?.id.path ?? "")
        return Changed(
            results: requests.map { _ in .failure(error) },
            seen: Dictionary(uniqueKeysWithValues: files.map { ($0.id, Seen(condition: .troubled(failure))) }))
    }

    static func guardShrink(
        from content: ReadFile, to edited: ReadFile, _ kept: KeptFile
    ) throws(RPCError) {
        let limit = kept.maximumShrinkPercent
        guard let loss = ShrinkGuard.loss(from: content, to: edited, format: kept.format, limitPercent: limit) else {
            return
        }
        throw ConfigErrors.shrinkRefused(
            keysBefore: Int64(loss.keysBefore), keysAfter: Int64(loss.keysAfter),
            bytesBefore: Int64(loss.bytesBefore), bytesAfter: Int64(loss.bytesAfter), limitPercent: limit)
    }
}
