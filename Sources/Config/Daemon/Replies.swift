import ConfigAPI
import ConfigCore
import Store
import Time
import Wire

/// What readers of a file and its versions are answered, on the store thread. Who may not act sees the values of a
/// world-readable file only; fingerprints stand for the rest.
extension Custody {
    /// What one reply holds at most: half a frame leaves room for what JSON adds to it.
    static let pageBytes = 512 << 10
    /// A larger value is not shown at all.
    private static let largestShownBytes = 256 << 10

    /// `get`, and `show` where `number` names a version: a page from the key at the place `cursor` on.
    func entries(
        _ kept: KeptFile, version number: Int64?, keys: [String]?, cursor: Int64?, mayAct: Bool
    ) throws(RPCError) -> Config.Entries {
        let (version, content, hidden) = try held(kept, version: number, mayAct: mayAct)
        var bytes = 0
        var reply = Config.Entries(
            service: kept.id.service, file: kept.id.path,
            version: message(version, hidden: hidden, tags: try tags(kept)), entries: [],
            hidden: hidden)
        let first = cursor.map { Int(clamping: $0) } ?? 0
        try reading { () throws(EditRefusal) in
            try kept.format.forEachEntry(of: content, named: keys, from: first) { place, entry in
                bytes += min(entry.content.count, Self.largestShownBytes) + entry.key.utf8.count + 128
                guard bytes <= Self.pageBytes || reply.entries.isEmpty else {
                    reply.next = Int64(place)
                    return false
                }
                reply.entries.append(message(entry, hidden: hidden, kept))
                return true
            }
        }
        return reply
    }

    private func message(_ entry: FileFormat.Entry, hidden: Bool, _ kept: KeptFile) -> ConfigEntry {
        ConfigEntry(
            key: hidden ? kept.format.shown(key: entry.key) : entry.key,
            value: hidden || entry.content.count > Self.largestShownBytes ? nil : entry.value,
            fingerprint: fingerprint(of: entry.content), expands: entry.value == nil, line: Int64(entry.line),
            secret: entry.isSecret)
    }

    private func reading<Value>(_ body: () throws(EditRefusal) -> Value) throws(RPCError) -> Value {
        do throws(EditRefusal) { return try body() } catch { throw Refusals.error(error) }
    }

    /// `content`.
    func content(_ kept: KeptFile, _ params: Config.Content.Params) throws(RPCError) -> Config.Content.Reply {
        let start = max(0, params.cursor ?? 0)
        let (version, page) =
            if let number = params.version { try recorded(kept, version: number, from: start) } else {
                try standing(kept, from: start)
            }
        let end = start + Int64(page.count)
        return Config.Content.Reply(
            service: kept.id.service, file: kept.id.path,
            version: message(version, hidden: false, tags: try tags(kept)),
            content: ConfigValue(inMessage: page), next: page.isEmpty || end >= version.draft.sizeBytes ? nil : end)
    }

    private func standing(_ kept: KeptFile, from start: Int64) throws(RPCError) -> (Version, [UInt8]) {
        let (version, content, _) = try held(kept, version: nil, mayAct: true)
        return (version, Self.page(of: content, from: start))
    }

    private static func page(of content: [UInt8], from start: Int64) -> [UInt8] {
        Array(content.dropFirst(Int(clamping: start)).prefix(pageBytes))
    }

    /// A page of a version from the ledger alone: it can be had whatever has become of the file. With the first page all of the
    /// content is held against its sum; again with each, and a file of 16 MiB would be summed 32 times.
    private func recorded(
        _ kept: KeptFile, version number: Int64, from start: Int64
    ) throws(RPCError) -> (Version, [UInt8]) {
        let path = kept.id.path
        let (found, newest) = try answering(kept) { () throws(StepFailure) in
            try ledger("read") { () throws(StoreError) in
                try versions.settle()
                let stretch = try versions.stretch(of: path, after: number - 1, upTo: number, limit: 1)
                return (stretch.versions.first, try versions.newest(of: path))
            }
        }
        guard let found else { throw ConfigErrors.unknownVersion(number, newest: newest) }
        guard let version = found.version, version.isWhole else { throw ConfigErrors.versionDamaged(number) }
        let held = try answering(kept) { () throws(StepFailure) in
            guard start > 0 else { return try content(of: version).map { Self.page(of: $0, from: 0) } }
            return try ledger("read") { () throws(StoreError) in
                try versions.stretch(of: version.draft.content, from: start, count: Int64(Self.pageBytes))
            }
        }
        guard let page = held else { throw ConfigErrors.versionDamaged(number) }
        return (version, page)
    }

    /// A version, its content, and whether its values are hidden from the caller.
    func held(
        _ kept: KeptFile, version number: Int64?, mayAct: Bool
    ) throws(RPCError) -> (Version, [UInt8], hidden: Bool) {
        let sight = try answering(kept) { () throws(StepFailure) in try look(kept) }
        guard let head = sight.head else { throw ConfigErrors.fileMissing(kept.id.path) }
        let isOpen = (sight.file.identity ?? head.draft.identity).isWorldReadable
        guard let number else {
            guard let content = sight.content else { throw ConfigErrors.fileMissing(kept.id.path) }
            return (head, content, hidden: !(mayAct || isOpen))
        }
        let version = try answering(kept) { () throws(StepFailure) in try self.version(number, of: kept) }
        guard let version else { throw ConfigErrors.unknownVersion(number, newest: head.number) }
        let held = try answering(kept) { () throws(StepFailure) in try self.content(of: version) }
        guard let content = held else { throw ConfigErrors.versionDamaged(number) }
        // What was open then may hold today's secrets, and the other way round: both must be open.
        return (version, content, hidden: !(mayAct || isOpen && version.draft.identity.isWorldReadable))
    }

    /// Runs `body`; what fails on the disk is answered as the socket's error.
    func answering<Value>(
        _ kept: KeptFile, _ body: () throws(StepFailure) -> Value
    ) throws(RPCError) -> Value {
        do throws(StepFailure) { return try body() } catch { throw Refusals.error(error, path: kept.id.path) }
    }

    /// `history`.
    func history(
        _ kept: KeptFile, _ params: Config.History.Params, mayAct: Bool
    ) throws(RPCError) -> Config.History.Reply {
        // One more than asked for tells whether there is a next page.
        let (sight, found) = try answering(kept) { () throws(StepFailure) in
            (try look(kept), try history(kept, below: params.cursor, limit: params.limit + 1))
        }
        let hidden = !(mayAct || sight.file.identity?.isWorldReadable ?? false)
        var bytes = 0
        let page = found.prefix(Int(params.limit)).prefix { version in
            bytes += 512 + version.draft.reason.utf8.count + version.draft.keys.reduce(0) { $0 + $1.utf8.count + 4 }
            return bytes <= Self.pageBytes
        }
        let tags = try tags(kept)
        return Config.History.Reply(
            service: kept.id.service, file: kept.id.path,
            versions: page.map { message($0, hidden: hidden, tags: tags) },
            next: found.count > page.count ? page.last?.number : nil)
    }

    /// `state`.
    func state(_ kept: KeptFile, mayAct: Bool) throws(RPCError) -> Config.State.Reply {
        let (version, content, hidden) = try held(kept, version: nil, mayAct: mayAct)
        guard content.count <= Self.pageBytes else {
            throw ConfigErrors.environmentTooLarge(bytes: Int64(content.count))
        }
        var environment: [String: ConfigValue] = [:]
        var keys: [String] = []
        try reading { () throws(EditRefusal) in
            try kept.format.forEachEntry(of: content) { _, entry in
                keys.append(entry.key)
                environment[entry.key] = entry.value
                return true
            }
        }
        return Config.State.Reply(
            version: String(version.number), timestamp: version.draft.at.milliseconds,
            environment: hidden ? nil : environment,
            keys: keys.map { hidden ? kept.format.shown(key: $0) : $0 }.sorted(), featureFlags: [:],
            checksum: hidden ? fingerprint(of: version.draft.content.bytes) : version.draft.content.hexadecimal,
            backup: version.number > 1 ? String(version.number - 1) : nil)
    }

    private func message(_ version: Version, hidden: Bool, tags: [ConfigTag]) -> ConfigVersion {
        let draft = version.draft
        return ConfigVersion(
            version: version.number, origin: draft.origin, restored: draft.restored, atMs: draft.at.milliseconds,
            authorUID: draft.authorUID.map(Int64.init), reason: draft.reason, sizeBytes: draft.sizeBytes,
            keys: draft.keys, fingerprint: fingerprint(of: draft.content.bytes),
            checksum: hidden ? nil : draft.content.hexadecimal,
            tags: tags.filter { $0.version == version.number }.map(\.name))
    }

    /// 128 bits are plenty to tell two values of one host apart.
    func fingerprint(of bytes: [UInt8]) -> String {
        String(Digest.keyed(fingerprintKey, of: bytes).hexadecimal.prefix(32))
    }
}
