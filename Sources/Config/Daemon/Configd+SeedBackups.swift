import ConfigAPI
import ConfigCore
import Runtime
import Store
import Time
import Wire

extension Configd {
    /// `backupConfig` and `restoreConfig`: one tag over a service's files, and one rollback of all that have it.
    func registerSeedBackups() {
        let server = context.server
        server.onLater(Config.BackupConfig.self) { [unowned self] params, caller, responder throws(RPCError) in
            let files = try files(of: params.service)
            guard !files.isEmpty else {
                throw ConfigErrors.unknownFile(service: params.service, file: nil, known: [])
            }
            ask(responder) { custody throws(RPCError) in try custody.name(files, uid: caller.uid) }
        }
        server.onLater(Config.RestoreConfig.self) { [unowned self] params, caller, responder throws(RPCError) in
            let files = try files(of: params.service)
            let terms = Custody.Terms(
                authorUID: caller.uid, reason: params.reason, force: params.force, dryRun: context.isDryRun,
                lock: params.lock)
            ask { custody throws(RPCError) in
                try custody.named(params.backupId, files)
            } then: { [weak self] result in
                switch result {
                case .success(let named):
                    let goal = Custody.Work.rollback(to: .tag(params.backupId))
                    let parts = named.map { Custody.Part(kept: $0, work: goal) }
                    self?.changes.ask(Custody.Request(terms: terms, parts: parts)) { result in
                        responder.give(result.map { Config.Apply.Reply(files: $0) })
                    }
                case .failure(let error): responder.fail(error)
                }
            }
        }
    }
}

extension Custody {
    /// Gives the newest versions of `files` one name, durably, in one transaction.
    fileprivate func name(_ files: [KeptFile], uid: UInt32) throws(RPCError) -> Config.BackupConfig.Reply {
        let now = HostClock.now().wall.milliseconds
        var reply = Config.BackupConfig.Reply(backupId: "backup-\(now)", versions: [:])
        for kept in files {
            let sight = try answering(kept) { () throws(StepFailure) in try look(kept) }
            guard let head = sight.head else { continue }
            guard try tags(kept).count < Config.mostTags else {
                throw ConfigErrors.tooManyTags(Int64(Config.mostTags))
            }
            reply.versions[kept.id.path] = head.number
        }
        guard let first = files.first, !reply.versions.isEmpty else {
            throw ConfigErrors.fileMissing(files.first?.id.path ?? "")
        }
        try answering(first) { () throws(StepFailure) in
            try ledger("record") { () throws(StoreError) in
                try versions.transaction { () throws(StoreError) in
                    for (path, version) in reply.versions {
                        let tag = ConfigTag(
                            name: reply.backupId, version: version, atMs: now, authorUID: Int64(uid))
                        try versions.tag(tag, of: path)
                    }
                }
            }
        }
        return reply
    }

    /// Those of `files` that have a tag of that name, or the refusal that lists the tags there are.
    fileprivate func named(_ name: String, _ files: [KeptFile]) throws(RPCError) -> [KeptFile] {
        var named: [KeptFile] = []
        var known: Set<String> = []
        for kept in files {
            let names = try tags(kept).map(\.name)
            if names.contains(name) { named.append(kept) }
            known.formUnion(names)
        }
        guard !named.isEmpty else { throw ConfigErrors.unknownTag(name, known: known.sorted()) }
        return named
    }
}
