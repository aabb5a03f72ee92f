import ConfigAPI
import ConfigCore
import Time
import Wire

/// What readers of a file and its versions are answered, on the store thread. Who may not act sees the values of a
/// world-readable file only; fingerprints stand for the rest.
extension Custody {
    /// What one reply holds at most: half a frame leaves room for what JSON adds to it.
    private static let pageBytes = 512 << 10
    /// A larger value is not shown at all.
    private static let largestShownBytes = 256 << 10

    /// `get`, and `show` where `number` names a version: a page from the assignment `cursor` on.
    func entries(
        _ kept: KeptFile, version number: Int64?, keys: [String]?, cursor: Int64?, mayAct: Bool
    ) throws(RPCError) -> Config.Entries {
        let (version, content, hidden) = try held(kept, version: number, mayAct: mayAct)
        let bindings = DialectReader.read(content, as: kept.editor.readers[0]).bindings
        let last = Dictionary(bindings.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { $1 })
        if let missing = keys?.first(where: { last[$0] == nil }) { throw ConfigErrors.unknownKey(missing) }
        let wanted = keys.map(Set.init)
        var line = 1
        var counted = 0
        var bytes = 0
        var reply = Config.Entries(
            service: kept.id.service, file: kept.id.path, version: message(version, hidden: hidden), entries: [],
            hidden: hidden)
        for (place, binding) in bindings.enumerated() {
            line += content[counted..<binding.statement.lowerBound].count { $0 == 0x0A }
            counted = binding.statement.lowerBound
            guard place >= cursor ?? 0, last[binding.key] == place, wanted?.contains(binding.key) ?? true else {
                continue
            }
            bytes += min(binding.raw.count, Self.largestShownBytes) + binding.key.utf8.count + 128
            guard bytes <= Self.pageBytes || reply.entries.isEmpty else {
                reply.next = Int64(place)
                break
            }
            reply.entries.append(entry(binding, line: line, hidden: hidden, kept))
        }
        return reply
    }

    private func entry(_ binding: Reading.Binding, line: Int, hidden: Bool, _ kept: KeptFile) -> ConfigEntry {
        var entry = ConfigEntry(
            key: hidden ? Secrets.shown(binding.key) : binding.key, value: nil,
            fingerprint: fingerprint(of: binding.value.bytes), expands: false,
            line: Int64(line), secret: kept.editor.secrets.isSecret(binding.key, value: binding.value.bytes))
        switch binding.value {
        case .text(let bytes):
            if !hidden, bytes.count <= Self.largestShownBytes { entry.value = ConfigValue(bytes) }
        case .depends: entry.expands = true
        }
        return entry
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
        return Config.History.Reply(
            service: kept.id.service, file: kept.id.path, versions: page.map { message($0, hidden: hidden) },
            next: found.count > page.count ? page.last?.number : nil)
    }

    /// `state`.
    func state(_ kept: KeptFile, mayAct: Bool) throws(RPCError) -> Config.State.Reply {
        let (version, content, hidden) = try held(kept, version: nil, mayAct: mayAct)
        guard content.count <= Self.pageBytes else {
            throw ConfigErrors.environmentTooLarge(bytes: Int64(content.count))
        }
        let effective = DialectReader.read(content, as: kept.editor.readers[0]).effective
        var environment: [String: ConfigValue] = [:]
        for case (let key, .text(let bytes)) in effective { environment[key] = ConfigValue(bytes) }
        return Config.State.Reply(
            version: String(version.number), timestamp: version.draft.at.milliseconds,
            environment: hidden ? nil : environment,
            keys: effective.keys.map { hidden ? Secrets.shown($0) : $0 }.sorted(), featureFlags: [:],
            checksum: hidden ? fingerprint(of: version.draft.content.bytes) : version.draft.content.hexadecimal,
            backup: version.number > 1 ? String(version.number - 1) : nil)
    }

    private func message(_ version: Version, hidden: Bool) -> ConfigVersion {
        let draft = version.draft
        return ConfigVersion(
            version: version.number, origin: draft.origin, restored: draft.restored, atMs: draft.at.milliseconds,
            authorUID: draft.authorUID.map(Int64.init), reason: draft.reason, sizeBytes: draft.sizeBytes,
            keys: draft.keys, fingerprint: fingerprint(of: draft.content.bytes),
            checksum: hidden ? nil : draft.content.hexadecimal)
    }

    /// 128 bits are plenty to tell two values of one host apart.
    func fingerprint(of bytes: [UInt8]) -> String {
        String(Digest.keyed(fingerprintKey, of: bytes).hexadecimal.prefix(32))
    }
}
