import ConfigAPI
import ConfigCore
import Runtime
import Time
import Wire

/// Changes of a file on the store thread: checked, edited, committed. A change that meets somebody else's write begins
/// again on what that left.
extension Custody {
    /// How often a change begins again before it gives up.
    private static let attempts = 3

    /// What the loop learns of a change, refused or not.
    struct Changed: Sendable {
        var result: Result<Config.Outcome, RPCError>
        var seen: Seen
    }

    /// What the loop learns of every look.
    struct Seen: Sendable {
        var condition: Keeper.Condition
        /// Versions that the loop has not announced, the oldest first.
        var versions: [Version] = []
        var cleared = false
    }

    /// Who asks for a change, and on what terms.
    struct Terms: Sendable {
        var authorUID: UInt32
        var reason: String
        var ifVersion: Int64?
        var force = false
        var dryRun = false
    }

    /// Looks, for the loop; `announced` is what it knows.
    func seen(_ kept: KeptFile, announced: Int64?) -> Seen {
        do throws(StepFailure) {
            let sight = try look(kept)
            return try seen(kept, sight, announced: announced)
        } catch {
            return Seen(condition: .troubled(error))
        }
    }

    private func seen(_ kept: KeptFile, _ sight: Sight, announced: Int64?) throws(StepFailure) -> Seen {
        let news = try news(kept, sight.made, announced: announced, newest: sight.head)
        guard sight.content != nil, let head = sight.head else {
            return Seen(condition: .missing(sight.head), versions: news, cleared: sight.cleared)
        }
        return Seen(condition: .whole(head), versions: news, cleared: sight.cleared)
    }

    /// The versions that the loop has not announced: those just `made`, unless an answer came too late before them.
    private func news(
        _ kept: KeptFile, _ made: [Version], announced: Int64?, newest: Version?
    ) throws(StepFailure) -> [Version] {
        guard let announced, let newest, newest.number != announced + Int64(made.count) else { return made }
        return try versions(of: kept, after: announced)
    }

    /// In the keys' order, so that the same request makes the same file.
    static func changes(_ values: [String: ConfigValue], _ remove: [String]) -> [EnvEditor.Change] {
        values.sorted { $0.key < $1.key }.map { .set(key: $0.key, value: $0.value.content) }
            + remove.map { .remove(key: $0) }
    }

    /// `set`.
    func set(_ changes: [EnvEditor.Change], _ terms: Terms, _ kept: KeptFile, announced: Int64?) -> Changed {
        change(terms, kept, announced: announced) { sight, head throws(RPCError) in
            guard let content = sight.content else { throw ConfigErrors.fileMissing(kept.id.path) }
            let edited: [UInt8]
            do throws(EditRefusal) { edited = try kept.editor.apply(changes, to: content) } catch {
                throw Refusals.error(error)
            }
            if !terms.force { try Self.guardShrink(from: content, to: edited, kept) }
            return Plan(
                content: edited, origin: .set, restored: nil, identity: sight.file.identity ?? head.draft.identity)
        }
    }

    /// `rollback` to a version, or to the one before the newest.
    func rollback(to number: Int64?, _ terms: Terms, _ kept: KeptFile, announced: Int64?) -> Changed {
        change(terms, kept, announced: announced) { sight, head throws(RPCError) in
            let wanted = number ?? head.number - 1
            guard wanted > 0 else { throw ConfigErrors.nothingToRollBack(version: head.number) }
            let version = try answering(kept) { () throws(StepFailure) in try self.version(wanted, of: kept) }
            guard let version else { throw ConfigErrors.unknownVersion(wanted, newest: head.number) }
            let held = try answering(kept) { () throws(StepFailure) in try self.content(of: version) }
            guard let content = held else { throw ConfigErrors.versionDamaged(wanted) }
            return Plan(
                content: content, origin: .rollback, restored: wanted,
                identity: sight.file.identity ?? head.draft.identity)
        }
    }

    private struct Plan {
        var content: [UInt8]
        var origin: ConfigOrigin
        var restored: Int64?
        var identity: FileIdentity
    }

    private func change(
        _ terms: Terms, _ kept: KeptFile, announced: Int64?,
        _ plan: (Sight, Version) throws(RPCError) -> Plan
    ) -> Changed {
        for attempt in 1...Self.attempts {
            var sight: Sight
            do throws(StepFailure) { sight = try look(kept) } catch { return failed(error, kept) }
            switch change(terms, kept, &sight, plan) {
            case .success(let outcome): return ended(.success(outcome), sight, kept, announced)
            case .failure(.refused(let error)): return ended(.failure(error), sight, kept, announced)
            case .failure(.doubtful(let failure)):
                let error = ConfigErrors.durabilityUnknown(
                    kept.id.path, why: Refusals.error(failure, path: kept.id.path).message)
                return Changed(result: .failure(error), seen: seen(kept, announced: announced))
            case .failure(.step(let failure)):
                if failure.cause == .changedMeanwhile, attempt < Self.attempts { continue }
                let error = Refusals.error(failure, path: kept.id.path)
                return Changed(result: .failure(error), seen: seen(kept, announced: announced))
            }
        }
        return failed(StepFailure(.changedMeanwhile, step: "replace"), kept)
    }

    private func ended(
        _ result: Result<Config.Outcome, RPCError>, _ sight: Sight, _ kept: KeptFile, _ announced: Int64?
    ) -> Changed {
        do throws(StepFailure) {
            return Changed(result: result, seen: try seen(kept, sight, announced: announced))
        } catch { return Changed(result: result, seen: Seen(condition: .troubled(error))) }
    }

    private enum Problem: Error {
        /// Before anything was written.
        case refused(RPCError)
        /// In a step that was undone.
        case step(StepFailure)
        /// After the file was replaced.
        case doubtful(StepFailure)
    }

    private func change(
        _ terms: Terms, _ kept: KeptFile, _ sight: inout Sight, _ plan: (Sight, Version) throws(RPCError) -> Plan
    ) -> Result<Config.Outcome, Problem> {
        let path = kept.id.path
        guard let head = sight.head else { return .failure(.refused(ConfigErrors.fileMissing(path))) }
        if let expected = terms.ifVersion, expected != head.number {
            return .failure(.refused(ConfigErrors.versionConflict(expected: expected, found: head.number)))
        }
        let recorded = head.draft.identity
        if let found = sight.file.identity, found.uid != recorded.uid || found.gid != recorded.gid, !terms.force {
            return .failure(
                .refused(ConfigErrors.ownerChanged(path, expected: Int64(recorded.uid), found: Int64(found.uid))))
        }
        let planned: Plan
        do throws(RPCError) { planned = try plan(sight, head) } catch { return .failure(.refused(error)) }
        let keys = Self.changedKeys(from: sight.content ?? [], to: planned.content, kept.editor)
        var outcome = Config.Outcome(
            service: kept.id.service, file: path, version: head.number, previous: nil, keys: keys, dryRun: terms.dryRun)
        guard planned.content != sight.content, !terms.dryRun else { return .success(outcome) }
        let draft = Version.Draft(
            origin: planned.origin, restored: planned.restored, content: Digest(of: planned.content),
            sizeBytes: Int64(planned.content.count), keys: keys, at: HostClock.now().wall, authorUID: terms.authorUID,
            reason: terms.reason, identity: planned.identity)
        switch commit(planned.content, draft, on: sight, kept) {
        case .applied(let version):
            outcome.version = version.number
            outcome.previous = head.number
            sight.head = version
            sight.content = planned.content
            sight.made.append(version)
            return .success(outcome)
        case .refused(let failure): return .failure(.step(failure))
        case .doubtful(let failure): return .failure(.doubtful(failure))
        }
    }

    private func failed(_ failure: StepFailure, _ kept: KeptFile) -> Changed {
        Changed(
            result: .failure(Refusals.error(failure, path: kept.id.path)), seen: Seen(condition: .troubled(failure)))
    }

    private static func guardShrink(
        from content: [UInt8], to edited: [UInt8], _ kept: KeptFile
    ) throws(RPCError) {
        let limit = kept.maximumShrinkPercent
        guard let loss = ShrinkGuard.loss(from: content, to: edited, editor: kept.editor, limitPercent: limit) else {
            return
        }
        throw ConfigErrors.shrinkRefused(
            keysBefore: Int64(loss.keysBefore), keysAfter: Int64(loss.keysAfter),
            bytesBefore: Int64(loss.bytesBefore), bytesAfter: Int64(loss.bytesAfter), limitPercent: limit)
    }

    // MARK: Checking without writing

    /// `validate`.
    func validate(_ changes: [EnvEditor.Change], _ kept: KeptFile) throws(RPCError) -> Config.Validate.Reply {
        let sight = try answering(kept) { () throws(StepFailure) in try look(kept) }
        guard var content = sight.content else { throw ConfigErrors.fileMissing(kept.id.path) }
        var findings: [ConfigFinding] = []
        let allowed = EnvEditor.changesAllowed(bytes: content.count)
        guard changes.count <= allowed else {
            throw ConfigErrors.tooManyChanges(Int64(changes.count), limit: Int64(allowed))
        }
        for change in changes {
            // One by one, so that each refusal is told and not the first alone.
            do throws(EditRefusal) { content = try kept.editor.apply([change], to: content) } catch {
                let refusal = Refusals.error(error)
                findings.append(
                    ConfigFinding(
                        severity: .error, name: refusal.name, key: change.key, message: refusal.message,
                        remedy: refusal.remedy))
            }
        }
        do throws(RPCError) { try Self.guardShrink(from: sight.content ?? [], to: content, kept) } catch {
            findings.append(
                ConfigFinding(severity: .error, name: error.name, message: error.message, remedy: error.remedy))
        }
        findings += Disagreement.all(in: content, editor: kept.editor).map(Self.finding)
        return Config.Validate.Reply(
            valid: !findings.contains { $0.severity == .error }, findings: findings,
            readers: kept.editor.readers.map(\.name),
            modelled: kept.editor.readers.filter(\.isModelled).map(\.name))
    }

    private static func finding(_ disagreement: Disagreement) -> ConfigFinding {
        ConfigFinding(
            severity: .warning, name: "readersDisagree", key: disagreement.key, line: Int64(disagreement.line),
            message: "\(disagreement.reader) \(disagreement.difference), unlike \(disagreement.than)",
            remedy: "Set the key through configd: it writes what all readers read alike")
    }
}
