import ConfigAPI
import ConfigCore
import Runtime
import Store
import Time
import Wire

extension Configd {
    /// `backup`, `records` and `verify`. What they hand over is read from the ledger as it stands, so that a backup can be made
    /// and a fault be found when the file, or a part of the ledger, is in trouble.
    func registerBackup() {
        let server = context.server
        server.onLater(Config.Backup.self) { [unowned self] params, _, responder throws(RPCError) in
            let files = try files(of: params.service)
            ask(responder) { custody throws(RPCError) in try custody.backup(files) }
        }
        server.onLater(Config.Records.self) { [unowned self] params, _, responder throws(RPCError) in
            let kept = try file(params.target)
            ask(responder) { custody throws(RPCError) in try custody.records(kept, params) }
        }
        server.onLater(Config.Verify.self) { [unowned self] params, _, responder throws(RPCError) in
            let kept = try file(params.target)
            ask(responder) { custody throws(RPCError) in custody.verify(kept, from: params.cursor) }
        }
    }
}

extension Custody {
    /// The most versions of a page.
    private static let pageVersions: Int64 = 256

    /// `backup`.
    fileprivate func backup(_ files: [KeptFile]) throws(RPCError) -> Config.Backup.Reply {
        var seen: [Config.Backup.File] = []
        for kept in files {
            let trouble = trouble(with: kept)
            let path = kept.id.path
            let (newest, tags, leases) = try answering(kept) { () throws(StepFailure) in
                try ledger("read") { () throws(StoreError) in
                    try versions.settle()
                    return (
                        try versions.newest(of: path), try versions.tags(of: path), try versions.leases(of: path)
                    )
                }
            }
            seen.append(
                Config.Backup.File(
                    service: kept.id.service, file: path, format: kept.format.name, newest: newest, tags: tags,
                    leased: leases.map(\.key), problem: newest == 0 ? nil : trouble?.message))
        }
        return Config.Backup.Reply(atMs: HostClock.now().wall.milliseconds, files: seen)
    }

    /// `records`.
    fileprivate func records(
        _ kept: KeptFile, _ params: Config.Records.Params
    ) throws(RPCError) -> Config.Records.Reply {
        let stretch = try answering(kept) { () throws(StepFailure) in
            try ledger("read") { () throws(StoreError) in
                try versions.settle()
                return try versions.stretch(
                    of: kept.id.path, after: params.cursor, upTo: params.upTo, limit: Self.pageVersions)
            }
        }
        var reply = Config.Records.Reply(
            service: kept.id.service, file: kept.id.path, records: [], retiredUpTo: stretch.retiredUpTo, next: nil)
        var bytes = 0
        var last = params.cursor
        for (number, version) in stretch.versions {
            bytes += 1024
            if let draft = version?.draft {
                bytes += draft.reason.utf8.count + draft.keys.reduce(0) { $0 + $1.utf8.count + 4 }
            }
            guard bytes <= Self.pageBytes || last == params.cursor else { break }
            if let version { reply.records.append(version.record) } else { reply.unreadable.append(number) }
            last = number
        }
        let isCut = last != stretch.versions.last?.number ?? params.cursor
        if isCut || Int64(stretch.versions.count) == Self.pageVersions { reply.next = last }
        return reply
    }

    /// What keeps the file from being looked at; nil where it is its newest version.
    private func trouble(with kept: KeptFile) -> RPCError? {
        do throws(StepFailure) {
            return try look(kept).content == nil ? ConfigErrors.fileMissing(kept.id.path) : nil
        } catch { return Refusals.error(error, path: kept.id.path) }
    }

    // MARK: Verifying

    /// So many bytes of contents are held against their sums in one go: a tenth of a second.
    private static let stretchBytes: Int64 = 8 << 20

    /// `verify`. What cannot be read is a flaw like any other: whoever asks wants to know all of them.
    fileprivate func verify(_ kept: KeptFile, from cursor: Int64?) -> Config.Verify.Reply {
        var reply = Config.Verify.Reply(service: kept.id.service, file: kept.id.path)
        var own: [ConfigFlaw] = []
        if cursor == nil, let trouble = trouble(with: kept) {
            let kind: ConfigFlaw.Kind = trouble.name == "fileMissing" ? .fileMissing : .fileTroubled
            own.append(ConfigFlaw(kind, message: trouble.message, remedy: trouble.remedy))
        }
        do throws(StepFailure) {
            own += try ledger("read") { () throws(StoreError) in
                try versions.settle()
                reply.newest = try versions.newest(of: kept.id.path)
                try verify(kept, after: cursor ?? 0, &reply)
                return cursor == nil ? try lostTags(of: kept) : []
            }
        } catch {
            let error = Refusals.error(error, path: kept.id.path)
            reply.next = nil
            reply.flaws.append(ConfigFlaw(.ledgerUnreadable, message: error.message, remedy: error.remedy))
        }
        reply.flaws += own
        return reply
    }

    /// A stretch after `cursor`, with the version at `cursor` to follow.
    private func verify(
        _ kept: KeptFile, after cursor: Int64, _ reply: inout Config.Verify.Reply
    ) throws(StoreError) {
        let stretch = try versions.stretch(
            of: kept.id.path, after: max(0, cursor - 1), upTo: .max, limit: Self.pageVersions)
        var chain = ChainCheck()
        var isAfterUnreadable = false
        for (number, version) in stretch.versions {
            guard number > cursor else {
                chain = ChainCheck(after: version?.record)
                isAfterUnreadable = version == nil
                continue
            }
            guard reply.bytes <= Self.stretchBytes else { break }
            reply.versions += 1
            reply.next = number
            guard let version else {
                reply.flaws.append(.recordUnreadable(number))
                chain = ChainCheck()
                isAfterUnreadable = true
                continue
            }
            let isAfterGap = isAfterUnreadable || number - 1 <= stretch.retiredUpTo
            isAfterUnreadable = false
            reply.flaws += chain.take(version.record, isAfterGap: isAfterGap)
            let content = try versions.content(version.draft.content)
            reply.bytes += Int64(content?.count ?? 0)
            if content.map({ Int64($0.count) != version.draft.sizeBytes }) ?? true {
                let isGone = try !versions.has(version.draft.content.bytes)
                reply.flaws.append(.contentLost(number, isGone: isGone))
            }
        }
        if reply.next == stretch.versions.last?.number, stretch.versions.count < Self.pageVersions { reply.next = nil }
    }

    private func lostTags(of kept: KeptFile) throws(StoreError) -> [ConfigFlaw] {
        var lost: [ConfigFlaw] = []
        for tag in try versions.tags(of: kept.id.path) {
            let found = try versions.stretch(
                of: kept.id.path, after: tag.version - 1, upTo: tag.version, limit: 1)
            if found.versions.isEmpty { lost.append(.tagLost(tag.name, version: tag.version)) }
        }
        return lost
    }
}
