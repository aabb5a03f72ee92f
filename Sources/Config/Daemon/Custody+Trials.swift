import ConfigAPI
import ConfigCore
import Glibc
import Runtime
import Store
import Time
import Wire

/// Changes on trial, in the hands of the thread that writes the files: each word on one is said here, one after the other,
/// and is durable before anybody hears of it.
extension Custody {
    /// What a change on trial takes beside the change.
    struct TrialTerms: Sendable {
        var service: String
        var window: Duration
        var activation: ConfigActivation
        var activationLimit: Duration
    }

    /// What has become of a service's trial.
    struct TrialChange: Sendable {
        var service: String
        /// The row as it is now; nil where there is none any more.
        var row: Trial?
        /// How it ended, where that took the row.
        var ending: Trials.Ending?
    }

    /// What settling a trial came to.
    struct Settled: Sendable {
        var trial: TrialChange
        /// Of every file that was looked at or written.
        var seen: [Keeper.FileID: Seen] = [:]
        /// Why a take-back did not succeed yet.
        var failure: RPCError?
    }

    /// A word on a trial, and who says it.
    enum Word: Sendable {
        case activated(invocation: String)
        case confirm
        case cancel(reason: String, uid: UInt32)
    }

    // MARK: The rows

    /// All trials, as the ledger has them.
    func allTrials() throws(StepFailure) -> [String: Trial] {
        if let trials { return trials }
        let rows = try ledger("read") { () throws(StoreError) in
            try versions.settle()
            return try versions.trials()
        }
        let read = Dictionary(rows.map { ($0.service, $0) }, uniquingKeysWith: { $1 })
        trials = read
        return read
    }

    /// Writes what an event left of the service's row: durable when this returns. A write that failed may have reached the
    /// disk all the same, so the rows are read anew then.
    private func store(
        _ order: Trial.Order, _ trial: Trial, _ also: () throws(StoreError) -> Void = {}
    ) throws(StepFailure) {
        trials = nil
        try ledger("record") { () throws(StoreError) in
            try versions.transaction { () throws(StoreError) in
                switch order {
                case .nothing: break
                case .keep, .takeBack: try versions.keep(trial)
                case .forget: try versions.forget(trial)
                }
                try also()
            }
        }
    }

    // MARK: Beginning

    /// Whether a change may be made now: nothing else while one of the service's files is on trial.
    func mayChange(_ request: Request) throws(RPCError) {
        guard !request.terms.isTakeBack, !request.terms.dryRun, let kept = request.parts.first?.kept else { return }
        let service = kept.id.service
        let trials = try answering(kept) { () throws(StepFailure) in try allTrials() }
        guard let trial = trials[service] else { return }
        switch trial.phase {
        case .recorded, .applied, .activated, .goingBack:
            throw ConfigErrors.confirmationPending(service: service, id: trial.id)
        case .takenBack:
            if request.terms.trial != nil { throw ConfigErrors.takeBackUnfollowed(service: service, id: trial.id) }
        }
    }

    /// As `commit`, for one change on trial or for any others: the row is written in the transaction that records the intent,
    /// before a file is touched.
    func commit(
        _ writes: [FileWrite], of requests: [Request], _ leases: [(String, [LeaseChange])]
    ) -> Written {
        guard let request = requests.first, let terms = request.terms.trial else {
            return commit(writes) { intent throws(StoreError) in try record(leases, intent) }
        }
        let trial: Trial
        do throws(StepFailure) { trial = try self.trial(of: writes, terms, request.terms) } catch {
            return Written(outcome: .refused(error), path: writes.first?.kept.id.path ?? "")
        }
        trials = nil
        return commit(writes) { intent throws(StoreError) in
            try versions.keep(trial)
            try record(leases, intent)
        }
    }

    private func trial(
        of writes: [FileWrite], _ terms: TrialTerms, _ change: Terms
    ) throws(StepFailure) -> Trial {
        let id = try ledger("read") { () throws(StoreError) in try versions.freeTrial() }
        let files = writes.compactMap { write -> Trial.File? in
            guard let newest = write.versions.last?.version, let before = write.sight.head else { return nil }
            return Trial.File(
                path: write.kept.id.path, version: newest.number, chain: newest.chain, previous: before.number)
        }
        return Trial(
            id: id, service: terms.service, files: files, window: terms.window, activation: terms.activation,
            activationLimit: terms.activationLimit, authorUID: change.authorUID, reason: change.reason, boot: boot,
            before: writes.compactMap { $0.sight.head?.draft.at }.max() ?? HostClock.now().wall, now: HostClock.now())
    }

    /// After the write: the trial is in force, and its callers learn its number.
    func begun(_ requests: [Request], _ changed: Changed) -> Changed {
        guard let terms = requests.first?.terms.trial,
            var trial = (try? allTrials())?[terms.service], case .recorded = trial.phase
        else { return changed }
        var changed = changed
        let order = trial.written(now: HostClock.now())
        // Where this cannot be written the row stays as it was recorded, and the next look writes it.
        do throws(StepFailure) { try store(order, trial) } catch { trials = nil }
        changed.results = changed.results.map { result in
            result.map { outcomes in
                outcomes.map { outcome in
                    var told = outcome
                    told.pending = trial.id
                    return told
                }
            }
        }
        changed.trials = [TrialChange(service: terms.service, row: trial)]
        return changed
    }

    /// After a write that failed.
    func left(_ requests: [Request], _ changed: Changed) -> Changed {
        var changed = changed
        changed.doubtfulTrial = requests.first?.terms.trial?.service
        trials = nil
        return changed
    }

    // MARK: Settling

    /// Looks at the service's trial, its files and the clock, and does what they ask for; `files` are all of the service's.
    func settle(
        _ service: String, _ files: [KeptFile], announced: [Keeper.FileID: Int64]
    ) throws(StepFailure) -> Settled {
        guard var trial = try allTrials()[service] else { return Settled(trial: TrialChange(service: service)) }
        let own = trial.files.compactMap { file in files.first { $0.id.path == file.path } }
        var seen: [Keeper.FileID: Seen] = [:]
        guard own.count == trial.files.count else {
            // A file that the settings do not name any more is not ours to write.
            try store(.forget, trial)
            return Settled(trial: TrialChange(service: service))
        }
        var found: [Trial.FileSeen] = []
        for (file, kept) in zip(trial.files, own) {
            seen[kept.id] = self.seen(kept, announced: announced[kept.id])
            if case .troubled(let failure)? = seen[kept.id]?.condition { throw failure }
            let (version, head) = try ledger("read") { () throws(StoreError) in
                (try versions.version(file.version, of: file.path), try versions.head(of: file.path))
            }
            found.append(Trial.FileSeen(chain: version?.chain, newest: head?.number ?? 0))
        }
        let order = trial.looked(found, now: HostClock.now(), boot: boot)
        return try carryOut(order, trial, own, Settled(trial: TrialChange(service: service), seen: seen), announced)
    }

    private func carryOut(
        _ order: Trial.Order, _ trial: Trial, _ files: [KeptFile], _ settled: Settled,
        _ announced: [Keeper.FileID: Int64]
    ) throws(StepFailure) -> Settled {
        var settled = settled
        switch order {
        case .nothing: settled.trial.row = trial
        case .keep:
            try store(.keep, trial)
            settled.trial.row = trial
        case .forget:
            try store(.forget, trial)
            settled.trial.row = nil
        case .takeBack:
            // The decision first: whatever becomes of the files, it can be confirmed by nobody any more.
            try store(.takeBack, trial)
            return try takeBack(trial, files, settled, announced)
        }
        return settled
    }

    private func takeBack(
        _ trial: Trial, _ files: [KeptFile], _ settled: Settled, _ announced: [Keeper.FileID: Int64]
    ) throws(StepFailure) -> Settled {
        guard case .goingBack(_, let end) = trial.phase else { return settled }
        var settled = settled
        var trial = trial
        settled.trial.row = trial
        var known = announced
        for (id, seen) in settled.seen { known[id] = seen.versions.last?.number ?? known[id] }
        let terms = Terms(
            authorUID: end.uid.map { UInt32(truncatingIfNeeded: $0) } ?? getuid(), reason: end.sentence, force: true,
            isTakeBack: true)
        let parts = zip(trial.files, files).map { Part(kept: $1, work: .rollback(to: .version($0.previous))) }
        let changed = change([Request(terms: terms, parts: parts)], announced: known)
        for (id, seen) in changed.seen {
            let before = settled.seen[id]
            settled.seen[id] = seen
            settled.seen[id]?.versions = (before?.versions ?? []) + seen.versions
            settled.seen[id]?.cleared = seen.cleared || before?.cleared ?? false
        }
        if case .failure(let error)? = changed.results.first {
            settled.failure = error
            return settled
        }
        let order = trial.wentBack(now: HostClock.now(), boot: boot)
        try store(order, trial)
        settled.trial =
            order == .forget
            ? TrialChange(service: trial.service, ending: .takenBack(trial))
            : TrialChange(service: trial.service, row: trial)
        return settled
    }

    // MARK: Words

    /// What became of a word.
    struct Said: Sendable {
        var settled: Settled
        /// The trial after it, or why it was refused.
        var result: Result<Trial, RPCError>
    }

    /// Says a word on the trial `id`, after a look: what came too late is refused. A cancel is answered when what was before
    /// is in force again.
    func say(
        _ word: Word, on id: Int64, of service: String, _ files: [KeptFile], announced: [Keeper.FileID: Int64]
    ) throws(StepFailure) -> Said {
        var settled = try settle(service, files, announced: announced)
        guard var trial = settled.trial.row else {
            return Said(settled: settled, result: .failure(ConfigErrors.notPending(service: service, id: id)))
        }
        let order: Trial.Order
        do throws(Trial.Refusal) { order = try self.order(of: word, on: &trial, id) } catch {
            return Said(settled: settled, result: .failure(Self.error(error, service: service, id: id)))
        }
        if case .confirm = word {
            try store(order, trial) { () throws(StoreError) in
                for file in trial.files { try versions.markGood(file.version, of: file.path) }
            }
            settled.trial = TrialChange(service: service, ending: .confirmed)
            return Said(settled: settled, result: .success(trial))
        }
        let own = trial.files.compactMap { file in files.first { $0.id.path == file.path } }
        settled = try carryOut(order, trial, own, settled, announced)
        return Said(
            settled: settled, result: settled.failure.map { .failure($0) } ?? .success(settled.trial.row ?? trial))
    }

    private func order(
        of word: Word, on trial: inout Trial, _ id: Int64
    ) throws(Trial.Refusal) -> Trial.Order {
        let now = HostClock.now()
        switch word {
        case .activated(let invocation): return try trial.activated(id, invocation: invocation, now: now)
        case .confirm: return try trial.confirm(id, now: now, boot: boot)
        case .cancel(let reason, let uid): return try trial.cancel(id, reason: reason, uid: uid, now: now)
        }
    }

    private static func error(_ refusal: Trial.Refusal, service: String, id: Int64) -> RPCError {
        switch refusal {
        case .notPending: ConfigErrors.notPending(service: service, id: id)
        case .notActivated: ConfigErrors.notActivated(service: service, id: id)
        }
    }
}
