import ConfigAPI
import ConfigCore
import Store
import Time
import Wire

/// What is answered about contents that were set aside, on the store thread. Their bytes are for those who may act alone.
extension Custody {
    /// What is kept of a file, the newest first.
    func quarantine(of kept: KeptFile) throws(StepFailure) -> [VersionStore.SetAside] {
        try ledger("read") { () throws(StoreError) in
            try versions.settle()
            return try versions.quarantine(of: kept.id.path)
        }
    }

    /// `quarantine`.
    func quarantine(_ kept: KeptFile, mayAct: Bool) throws(RPCError) -> Config.Quarantine.Reply {
        let entries = try answering(kept) { () throws(StepFailure) in try quarantine(of: kept) }
        let head = try answering(kept) { () throws(StepFailure) in try newest(of: kept) }
        return Config.Quarantine.Reply(
            service: kept.id.service, file: kept.id.path,
            contents: entries.map { message($0, of: kept, head: head, mayAct: mayAct) })
    }

    /// `quarantined`, for a caller who may act.
    func quarantined(_ kept: KeptFile, _ params: Config.Quarantined.Params) throws(RPCError) -> Config.Quarantined.Reply
    {
        let (entry, content) = try held(params.quarantine, kept)
        let head = try answering(kept) { () throws(StepFailure) in try newest(of: kept) }
        let start = min(max(0, Int(clamping: params.cursor ?? 0)), content.count)
        let end = min(start + Self.pageBytes, content.count)
        return Config.Quarantined.Reply(
            about: message(entry, of: kept, head: head, mayAct: true),
            content: ConfigValue(inMessage: Array(content[start..<end])),
            next: end < content.count ? Int64(end) : nil)
    }

    /// A content that was set aside, the newest where none is named.
    func held(
        _ id: Int64?, _ kept: KeptFile
    ) throws(RPCError) -> (entry: VersionStore.SetAside, content: [UInt8]) {
        let entries = try answering(kept) { () throws(StepFailure) in try quarantine(of: kept) }
        guard let entry = entries.first(where: { id == nil || $0.id == id }) else {
            throw ConfigErrors.unknownQuarantine(id)
        }
        let held = try answering(kept) { () throws(StepFailure) in
            try ledger("read") { () throws(StoreError) in try versions.content(of: entry) }
        }
        guard let content = held else { throw ConfigErrors.quarantineDamaged(entry.id) }
        return (entry, content)
    }

    /// Notes what a content became after all.
    func note(adopted version: Int64, from id: Int64) throws(StepFailure) {
        try ledger("note") { () throws(StoreError) in try versions.note(adopted: version, from: id) }
    }

    private func newest(of kept: KeptFile) throws(StepFailure) -> Int64 {
        try ledger("read") { () throws(StoreError) in try versions.head(of: kept.id.path)?.number ?? 0 }
    }

    /// A content as the socket tells of it, where the newest version is `head`.
    func message(
        _ entry: VersionStore.SetAside, of kept: KeptFile, head: Int64, mayAct: Bool
    ) -> ConfigQuarantined {
        ConfigQuarantined(
            service: kept.id.service, file: kept.id.path, quarantine: entry.id, atMs: entry.at.milliseconds,
            cause: ConfigQuarantineCause(rawValue: entry.cause) ?? .policy, message: entry.message,
            sizeBytes: entry.sizeBytes, fingerprint: fingerprint(of: entry.digest.bytes),
            checksum: mayAct ? entry.digest.hexadecimal : nil, ownerUID: Int64(entry.ownerUID),
            restored: entry.restored.flatMap { $0 <= head ? $0 : nil }, adopted: entry.adopted)
    }
}
