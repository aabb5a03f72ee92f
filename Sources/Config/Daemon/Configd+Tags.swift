import ConfigAPI
import ConfigCore
import Runtime
import Store
import Time
import Wire

extension Configd {
    /// `tag`, `untag`, `tags`.
    func registerTags() {
        let server = context.server
        server.onLater(Config.Tag.self) { [unowned self] params, caller, responder throws(RPCError) in
            let file = try file(params.target)
            ask(responder) { custody throws(RPCError) in try custody.tag(file, params, uid: caller.uid) }
        }
        server.onLater(Config.Untag.self) { [unowned self] params, _, responder throws(RPCError) in
            let file = try file(params.target)
            ask(responder) { custody throws(RPCError) in try custody.untag(file, params.name) }
        }
        server.onLater(Config.Tags.self) { [unowned self] params, _, responder throws(RPCError) in
            let file = try file(params)
            ask(responder) { custody throws(RPCError) in
                Config.Tags.Reply(
                    service: file.id.service, file: file.id.path, tags: try custody.tags(file))
            }
        }
    }
}

extension Custody {
    func tags(_ kept: KeptFile) throws(RPCError) -> [ConfigTag] {
        try answering(kept) { () throws(StepFailure) in
            try ledger("read") { () throws(StoreError) in try versions.tags(of: kept.id.path) }
        }
    }

    fileprivate func tag(
        _ kept: KeptFile, _ params: Config.Tag.Params, uid: UInt32
    ) throws(RPCError) -> ConfigTag {
        let sight = try answering(kept) { () throws(StepFailure) in try look(kept) }
        guard let head = sight.head else { throw ConfigErrors.fileMissing(kept.id.path) }
        let wanted = params.version ?? head.number
        let version = try answering(kept) { () throws(StepFailure) in try self.version(wanted, of: kept) }
        guard version != nil else { throw ConfigErrors.unknownVersion(wanted, newest: head.number) }
        let tags = try tags(kept)
        guard tags.count < Config.mostTags || tags.contains(where: { $0.name == params.name }) else {
            throw ConfigErrors.tooManyTags(Int64(Config.mostTags))
        }
        let tag = ConfigTag(
            name: params.name, version: wanted, atMs: HostClock.now().wall.milliseconds, authorUID: Int64(uid))
        try answering(kept) { () throws(StepFailure) in
            try ledger("record") { () throws(StoreError) in try versions.tag(tag, of: kept.id.path) }
        }
        return tag
    }

    fileprivate func untag(_ kept: KeptFile, _ name: String) throws(RPCError) -> ConfigTag {
        let tag = try tag(named: name, of: kept)
        try answering(kept) { () throws(StepFailure) in
            try ledger("record") { () throws(StoreError) in try versions.untag(name, of: kept.id.path) }
        }
        return tag
    }

    /// The tag, or the refusal that lists those there are.
    func tag(named name: String, of kept: KeptFile) throws(RPCError) -> ConfigTag {
        let tags = try tags(kept)
        guard let tag = tags.first(where: { $0.name == name }) else {
            throw ConfigErrors.unknownTag(name, known: tags.map(\.name))
        }
        return tag
    }
}
