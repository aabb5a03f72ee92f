import ConfigAPI
import ConfigCore
import Runtime
import Store
import Time
import Wire

/// Values for a time, in the hands of the thread that writes the files. A lease changes with the version that gives, takes
/// back or overrides its value: it lies with the intent, before a file is touched, and is in force when that is concluded.
extension Custody {
    /// Which leases of a file a take-back is about.
    enum LeaseSelection: Sendable {
        /// Those whose time has come, as the loop knows them: one that was made longer meanwhile is not among them.
        case ended([Leases.Claim])
        /// Those of these keys; all where nil.
        case released([String]?)
    }

    /// Leases that ended otherwise than by going back.
    struct LeaseNews: Sendable {
        enum How: Sendable {
            /// Its time came, and the key had another value.
            case leftAlone
            /// A change by this user took its place.
            case overridden(uid: UInt32)
        }

        var file: Keeper.FileID
        var keys: [String]
        var how: How
    }

    /// The leases of one file as the requests so far would leave them.
    struct DraftedLeases {
        var inForce: [Lease]
        var changes: [LeaseChange] = []
        var news: [LeaseNews] = []

        init(inForce: [Lease]) { self.inForce = inForce }

        mutating func take(_ change: LeaseChange) {
            changes.append(change)
            switch change {
            case .grant(let lease):
                inForce.removeAll { $0.key == lease.key }
                inForce.append(lease)
            case .end(let key): inForce.removeAll { $0.key == key }
            }
        }
    }

    // MARK: The ledger

    func leases(of kept: KeptFile) throws(StepFailure) -> [Lease] {
        try ledger("read") { () throws(StoreError) in try versions.leases(of: kept.id.path) }
    }

    /// The leases of a file as the loop needs them.
    func claims(of kept: KeptFile) throws(StepFailure) -> [Leases.Claim] {
        let now = HostClock.now()
        return try leases(of: kept).map { lease in
            Leases.Claim(
                key: lease.key, grantedAt: lease.grantedAt, endsAt: lease.term.end(now: now, boot: bootOrLife),
                version: lease.version, authorUID: lease.authorUID, reason: lease.reason)
        }
    }

    /// Notes how long each lease still has: at the start, since the note of another boot is worth less, and from time to time.
    func noteLeases() throws(StepFailure) {
        let now = HostClock.now()
        try ledger("note") { () throws(StoreError) in
            try versions.settle()
            try versions.noteLeases(now: now, boot: bootOrLife)
        }
    }

    /// Inside the database's transaction that records the intent.
    func record(_ leases: [(String, [LeaseChange])], _ intent: Intent?) throws(StoreError) {
        for (path, changes) in leases { try versions.record(changes, of: path, intent: intent) }
    }

    /// Changes of leases that go without a write: a lease made longer, or one whose key is left as it is.
    func recordAlone(_ leases: [(String, [LeaseChange])]) -> Written {
        guard leases.contains(where: { !$0.1.isEmpty }) else { return Written(outcome: .applied) }
        do throws(StepFailure) {
            try ledger("record") { () throws(StoreError) in
                try versions.transaction { () throws(StoreError) in try record(leases, nil) }
            }
        } catch { return Written(outcome: .refused(error), path: leases.first?.0 ?? "") }
        return Written(outcome: .applied)
    }

    // MARK: Planning

    /// What a change that makes `content` of the file does to its leases.
    func planLeases(
        _ part: Part, _ terms: Terms, on draft: inout Draft, _ head: Version, becoming content: [UInt8],
        _ outcome: inout Config.Outcome
    ) throws(RPCError) {
        guard terms.lease != nil || !draft.leases.inForce.isEmpty else { return }
        let held = draft.leases.inForce
        var handled: Set<String> = []
        switch part.work {
        case .takeBack(let selection):
            let selected = try selected(selection, of: draft)
            handled = Set(selected.map(\.key))
            outcome.leftAlone = endTakenBack(selected, on: &draft, becoming: content)
        case .edit(let changes):
            guard let length = terms.lease else {
                // Who sets a key without a time means it to stay, whatever it says already.
                handled = Set(changes.map(\.key)).intersection(held.map(\.key))
                for key in handled { draft.leases.take(.end(key: key)) }
                tellOverridden(handled, terms, on: &draft)
                break
            }
            handled = Set(changes.map(\.key))
            let number = head.number + (content == draft.content?.bytes ? 0 : 1)
            let grants = try grants(changes, length, terms, draft, version: number, becoming: content)
            grants.forEach { draft.leases.take($0) }
            if !grants.isEmpty { outcome.leasedUntilMs = HostClock.now().wall.milliseconds + length.milliseconds }
        case .replace, .rollback, .adopt: break
        }
        endOverridden(held.filter { !handled.contains($0.key) }, terms, on: &draft, becoming: content)
    }

    /// Ends what was taken back and what is left alone, and says what is left alone; what could not be taken back stays leased.
    private func endTakenBack(_ leases: [Lease], on draft: inout Draft, becoming content: [UInt8]) -> [String] {
        let keys = leases.map(\.key)
        let before = draft.kept.format.standings(of: keys, in: draft.content?.bytes ?? [])
        let after = draft.kept.format.standings(of: keys, in: content)
        var left: [String] = []
        for lease in leases {
            if before[lease.key] != .value(lease.value) { left.append(lease.key) }
            if after[lease.key] != .value(lease.value) { draft.leases.take(.end(key: lease.key)) }
        }
        if !left.isEmpty {
            draft.leases.news.append(LeaseNews(file: draft.kept.id, keys: left, how: .leftAlone))
        }
        return left
    }

    /// Ends the leases of keys that the change gives another value by the way: a rollback, another file in its place.
    private func endOverridden(_ leases: [Lease], _ terms: Terms, on draft: inout Draft, becoming content: [UInt8]) {
        guard !leases.isEmpty, content != draft.content?.bytes else { return }
        let keys = leases.map(\.key)
        let before = draft.kept.format.standings(of: keys, in: draft.content?.bytes ?? [])
        let after = draft.kept.format.standings(of: keys, in: content)
        let lost = leases.filter { before[$0.key] == .value($0.value) && after[$0.key] != .value($0.value) }
        for lease in lost { draft.leases.take(.end(key: lease.key)) }
        tellOverridden(Set(lost.map(\.key)), terms, on: &draft)
    }

    private func tellOverridden(_ keys: Set<String>, _ terms: Terms, on draft: inout Draft) {
        guard !keys.isEmpty else { return }
        draft.leases.news.append(
            LeaseNews(file: draft.kept.id, keys: keys.sorted(), how: .overridden(uid: terms.authorUID)))
    }

    // MARK: Granting

    /// The leases that `changes` make. A key that is leased already keeps what it was before the first lease, and has the new
    /// value and the new time. What could not be put back is refused now, and not at the end.
    private func grants(
        _ changes: [ValueChange], _ length: Duration, _ terms: Terms, _ draft: Draft, version: Int64,
        becoming content: [UInt8]
    ) throws(RPCError) -> [LeaseChange] {
        let format = draft.kept.format
        let keys = changes.map(\.key)
        let before = format.standings(of: keys, in: draft.content?.bytes ?? [])
        let after = format.standings(of: keys, in: content)
        let now = HostClock.now()
        var granted: [LeaseChange] = []
        var leases = draft.leases.inForce.filter { !keys.contains($0.key) }
        for change in changes {
            let key = change.key
            let isRemoval = change == .remove(key: key)
            guard case .value(let value)? = after[key], (value == nil) == isRemoval else {
                throw ConfigErrors.notLeasable(key, why: Self.words(after[key]))
            }
            let earlier = draft.leases.inForce.first { $0.key == key }
            let old: [UInt8]?
            if let earlier, before[key] == .value(earlier.value) {
                old = earlier.before
            } else {
                guard case .value(let standing)? = before[key] else {
                    throw ConfigErrors.notLeasable(key, why: Self.words(before[key]))
                }
                old = standing
            }
            guard old != value else {
                // It says what it goes back to: there is nothing to take back.
                if earlier != nil { granted.append(.end(key: key)) }
                continue
            }
            let lease = Lease(
                key: key, before: old, value: value, version: version, authorUID: terms.authorUID, reason: terms.reason,
                grantedAt: now.wall, term: Term(left: length, notedAt: now, boot: bootOrLife))
            leases.append(lease)
            granted.append(.grant(lease))
        }
        let allowed = EnvEditor.changesAllowed(bytes: content.count)
        guard leases.count <= allowed else {
            throw ConfigErrors.tooManyLeases(Int64(leases.count), limit: Int64(allowed))
        }
        try checkWayBack(leases.filter { keys.contains($0.key) }, format, from: content)
        return granted
    }

    /// What of a file could be leased and could not be put back: a rare quoting that no editor writes.
    private func checkWayBack(_ leases: [Lease], _ format: FileFormat, from content: [UInt8]) throws(RPCError) {
        let back: [UInt8]
        do throws(EditRefusal) { back = try format.apply(leases.map { restoring($0, format) }, to: content) } catch {
            throw Refusals.error(error)
        }
        let standings = format.standings(of: leases.map(\.key), in: back)
        for lease in leases where standings[lease.key] != .value(lease.before) {
            throw ConfigErrors.notLeasable(lease.key, why: "could not be put back as it was")
        }
    }

    private static func words(_ standing: KeyStanding?) -> String {
        switch standing {
        case .unclear(let why): why
        case .value, nil: "names no place that could be told again later"
        }
    }

    // MARK: Taking back

    private func restoring(_ lease: Lease, _ format: FileFormat) -> ValueChange {
        lease.before.map { .set(key: lease.key, value: format.verbatim($0)) } ?? .remove(key: lease.key)
    }

    private func selected(_ selection: LeaseSelection, of draft: Draft) throws(RPCError) -> [Lease] {
        let held = draft.leases.inForce
        switch selection {
        case .ended(let claims):
            return held.filter { lease in
                claims.contains { $0.key == lease.key && $0.grantedAt == lease.grantedAt }
            }
        case .released(nil):
            guard !held.isEmpty else { throw ConfigErrors.notLeased(nil) }
            return held
        case .released(let keys?):
            if let stranger = keys.first(where: { key in !held.contains { $0.key == key } }) {
                throw ConfigErrors.notLeased(stranger)
            }
            return held.filter { keys.contains($0.key) }
        }
    }

    /// The file with the selected keys as they were before, where they still have their leased values. One that cannot be
    /// written keeps no other from going back; where none can, the refusal is thrown.
    func takenBack(_ selection: LeaseSelection, _ draft: Draft) throws(RPCError) -> [UInt8] {
        let kept = draft.kept
        let leases = try selected(selection, of: draft)
        guard let content = draft.content?.bytes else { throw ConfigErrors.fileMissing(kept.id.path) }
        // In a file that cannot be read nothing says what somebody has set.
        do throws(EditRefusal) { try kept.format.check(content) } catch { throw Refusals.error(error) }
        let standings = kept.format.standings(of: leases.map(\.key), in: content)
        var restored = content
        var refusal: EditRefusal?
        for lease in leases where standings[lease.key] == .value(lease.value) {
            do throws(EditRefusal) {
                restored = try kept.format.apply([restoring(lease, kept.format)], to: restored)
            } catch { refusal = refusal ?? error }
        }
        if let refusal, restored == content { throw Refusals.error(refusal) }
        return restored
    }
}

extension Custody.Work {
    /// Who a version of it is by; nil where nobody asked for it.
    func author(_ terms: Custody.Terms) -> UInt32? {
        if case .takeBack(.ended) = self { return nil }
        return terms.authorUID
    }
}
