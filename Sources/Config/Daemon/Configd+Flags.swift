import ConfigAPI
import ConfigCore
import Runtime
import Wire

/// Feature flags and chaos settings: `flags`, `setFlags`, the seed's words for them, and what subscribers are pushed.
extension Configd {
    func registerFlags() {
        let server = context.server
        server.onLater(Config.Flags.self) { [unowned self] params, caller, responder throws(RPCError) in
            let declared = try declaredFlags(of: params.service)
            let own = declaredFiles(of: params.service)
            ask(responder) { custody throws(RPCError) in
                custody.flags(own, service: params.service, declared, mayAct: caller.mayAct)
            }
        }
        server.onLater(Config.SetFlags.self) { [unowned self] params, caller, responder throws(RPCError) in
            var terms = Custody.Terms(
                authorUID: caller.uid, reason: params.reason, force: params.force,
                dryRun: params.dryRun || context.isDryRun)
            var parts = PartsByFile()
            for change in params.changes {
                let kept = try file(ConfigFile(service: params.service, file: change.file))
                guard parts[kept] == nil else { throw ConfigErrors.fileNamedTwice(kept.id.path) }
                try parts.add(Custody.changes(change.values, change.remove), to: kept, ifVersion: change.ifVersion)
            }
            try add(params.flags, of: params.service, to: &parts)
            terms.trial = Confirming.terms(params.confirmMs, parts.all)
            changes.ask(Custody.Request(terms: terms, parts: parts.all)) { result in
                responder.give(result.map { Config.Apply.Reply(files: $0) })
            }
        }
        server.onLater(Config.UpdateConfig.self) { [unowned self] params, caller, responder throws(RPCError) in
            let terms = Custody.Terms(authorUID: caller.uid, reason: "", dryRun: context.isDryRun)
            let parts = try parts(of: params.changes, params.target)
            changes.ask(Custody.Request(terms: terms, parts: parts.all)) { result in
                responder.give(
                    result.flatMap { files in
                        Config.Updated(files: files).map { .success($0) }
                            ?? .failure(.internalError("a change of no file"))
                    })
            }
        }
        server.onLater(Config.ValidateConfig.self) { [unowned self] params, caller, responder throws(RPCError) in
            let parts = try parts(of: params.config, params.target)
            ask(responder) { custody throws(RPCError) in
                var reply: Config.Validate.Reply?
                for part in parts.all {
                    guard case .edit(let changes) = part.work else { continue }
                    let found = try custody.validate(changes, part.kept, mayAct: caller.mayAct)
                    reply = reply.map { $0.joined(with: found) } ?? found
                }
                guard let reply else { throw .internalError("a change of no file") }
                return reply
            }
        }
    }

    /// Publishes what a version, of which subscribers were told, changed of its file's flags.
    func announceFlags(_ version: Version, of id: Keeper.FileID) {
        // The first version of a file is no change: what was there is what is there.
        guard version.number > 1, let kept = file(id),
            kept.flags.flags.contains(where: { $0.mayHaveChanged(version.draft.keys) })
        else { return }
        store.submit(deadline: ChangeQueue.deadline, { $0.flagChanges(kept, version) }) { [weak self] result in
            guard let self, case .success(let changes) = result else { return }
            for change in changes { publish(change, version, of: id) }
        }
    }

    private func publish(_ change: FlagChange, _ version: Version, of id: Keeper.FileID) {
        let isHidden = change.before.isSecret || change.after.isSecret
        context.publish(
            ConfigEvents.flagChanged,
            ConfigFlagChanged(
                service: id.service, flag: change.flag.name, value: isHidden ? nil : change.after.value,
                previous: isHidden ? nil : change.before.value, file: id.path, version: version.number,
                chaos: change.flag.isChaos))
        guard change.flag.isChaos, change.isOn || change.wasOn else { return }
        context.log.write(ConfigJournal.chaos(change, of: id, version: version.number, isHidden: isHidden))
    }

    // MARK: What a call means

    func declaredFlags(of service: String) throws(RPCError) -> KeptFlags {
        guard let declared = flags[service] else { throw .unknownService(service) }
        return declared
    }

    /// The changes that the seed's words ask for. Without any the target's own file is named, so that it is answered for.
    private func parts(of changes: Config.Changes, _ target: ConfigFile) throws(RPCError) -> PartsByFile {
        var parts = PartsByFile()
        // Flags lie where they lie: only values of the environment, or nothing at all, need a file.
        if !changes.environmentVars.isEmpty || changes.featureFlags.isEmpty && changes.chaosConfig.isEmpty {
            try parts.add(Custody.changes(changes.environmentVars, []), to: try file(target), ifVersion: nil)
        }
        for (flags, isChaos) in [(changes.featureFlags, false), (changes.chaosConfig, true)] {
            try add(flags, of: target.service, to: &parts) { $0.isChaos == isChaos }
        }
        return parts
    }

    /// Adds the changes that give flags their values; null takes one out of its file.
    private func add(
        _ values: [String: JSON], of service: String, to parts: inout PartsByFile,
        where isMeant: (Flag) -> Bool = { _ in true }
    ) throws(RPCError) {
        let declared = try declaredFlags(of: service).flags.filter(isMeant)
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            guard let flag = declared.first(where: { $0.name == name }) else {
                throw ConfigErrors.unknownFlag(service: service, flag: name, known: declared.map(\.name))
            }
            let kept = try file(ConfigFile(service: service, file: flag.file))
            let accepted = flag.accepted(value)
            guard accepted != nil || value == .null else {
                throw ConfigErrors.invalidFlagValue(flag.name, expected: flag.kind.expected)
            }
            try parts.add([flag.change(to: accepted, in: kept.format)], to: kept, ifVersion: nil)
        }
    }
}

/// The changes of one call, gathered by file in the order in which files were first named.
private struct PartsByFile {
    private(set) var all: [Custody.Part] = []

    subscript(_ kept: KeptFile) -> [ValueChange]? {
        for part in all where part.kept.id == kept.id {
            if case .edit(let changes) = part.work { return changes }
        }
        return nil
    }

    /// Adds changes of a file; a key that is changed already is an error.
    mutating func add(_ changes: [ValueChange], to kept: KeptFile, ifVersion: Int64?) throws(RPCError) {
        let standing = self[kept] ?? []
        if let twice = changes.first(where: { change in standing.contains { $0.key == change.key } }) {
            throw ConfigErrors.keyNamedTwice(twice.key)
        }
        let work = Custody.Work.edit(standing + changes)
        guard let place = all.firstIndex(where: { $0.kept.id == kept.id }) else {
            all.append(Custody.Part(kept: kept, work: work, ifVersion: ifVersion))
            return
        }
        all[place].work = work
    }
}

extension Config.Validate.Reply {
    /// This and what was found in another file.
    fileprivate func joined(with other: Config.Validate.Reply) -> Config.Validate.Reply {
        var both = self
        both.valid = valid && other.valid
        both.findings += other.findings
        return both
    }
}
