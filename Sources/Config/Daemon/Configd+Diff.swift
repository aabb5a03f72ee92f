import ConfigAPI
import ConfigCore
import Runtime
import Wire

extension Configd {
    /// `diff`.
    func registerDiff() {
        context.server.onLater(Config.Diff.self) { [unowned self] params, caller, responder throws(RPCError) in
            let file = try file(params.target)
            guard !params.reveal || caller.mayAct else {
                throw .accessDenied(method: "\(Config.Diff.name) with reveal", needs: .act, uid: caller.uid)
            }
            ask(responder) { custody throws(RPCError) in
                try custody.difference(file, params, mayAct: caller.mayAct)
            }
        }
    }
}

extension Custody {
    /// A longer value is not shown in the list of keys; its lines are.
    private static let largestShownBytes = 4096

    /// `diff`.
    func difference(
        _ kept: KeptFile, _ params: Config.Diff.Params, mayAct: Bool
    ) throws(RPCError) -> ConfigDifference {
        let (to, new, newHidden) = try held(kept, version: params.to, mayAct: mayAct)
        let wanted = params.from ?? to.number - 1
        var old: [UInt8] = []
        var oldHidden = false
        if wanted != 0 { (_, old, oldHidden) = try held(kept, version: wanted, mayAct: mayAct) }
        var limits = ConfigDiff.Limits()
        limits.context = Int(params.context)
        return message(
            of: kept.format.diff(from: old, to: new, limits, reveal: params.reveal), kept, from: wanted, to: to.number,
            hidden: newHidden || oldHidden, reveal: params.reveal)
    }

    /// What a dry run by who may act would write.
    func difference(
        _ kept: KeptFile, from old: [UInt8], _ version: Int64, to new: [UInt8]
    ) -> ConfigDifference {
        message(
            of: kept.format.diff(from: old, to: new), kept, from: version, to: nil, hidden: false, reveal: false)
    }

    private func message(
        of diff: ConfigDiff, _ kept: KeptFile, from: Int64, to: Int64?, hidden: Bool, reveal: Bool
    ) -> ConfigDifference {
        ConfigDifference(
            service: kept.id.service, file: kept.id.path, from: from, to: to,
            changes: diff.keys.map { message($0, kept.format, hidden: hidden, reveal: reveal) },
            hunks: hidden ? [] : diff.hunks.map { message($0, reveal: reveal) }, hidden: hidden, cut: diff.isCut)
    }

    private func message(
        _ change: ConfigDiff.KeyChange, _ format: FileFormat, hidden: Bool, reveal: Bool
    ) -> ConfigKeyChange {
        let isShown = reveal || !(hidden || change.isSecret)
        func shown(_ value: Reading.Value?) -> ConfigValue? {
            guard isShown, case .text(let bytes)? = value, bytes.count <= Self.largestShownBytes else { return nil }
            return format.value(standing: bytes)
        }
        return ConfigKeyChange(
            key: change.key, kind: change.before == nil ? .added : change.after == nil ? .removed : .changed,
            before: shown(change.before), after: shown(change.after),
            beforeFingerprint: change.before.map { fingerprint(of: $0.bytes) },
            afterFingerprint: change.after.map { fingerprint(of: $0.bytes) }, secret: change.isSecret,
            reader: change.reader, otherwise: change.otherwise)
    }

    private func message(_ hunk: ConfigDiff.Hunk, reveal: Bool) -> ConfigHunk {
        var lines: [ConfigValue] = []
        for line in hunk.lines {
            let mark =
                switch line.kind {
                case .same: UInt8(ascii: " ")
                case .removed: UInt8(ascii: "-")
                case .added: UInt8(ascii: "+")
                }
            lines.append(ConfigValue([mark] + line.pieces.flatMap { shown($0, reveal: reveal) }))
            if !line.isEnded { lines.append(.text("\\ No newline at end of file")) }
        }
        return ConfigHunk(
            fromLine: Int64(hunk.fromLine), fromLines: Int64(hunk.fromLines), toLine: Int64(hunk.toLine),
            toLines: Int64(hunk.toLines), lines: lines)
    }

    private func shown(_ piece: ConfigDiff.Piece, reveal: Bool) -> [UInt8] {
        switch piece {
        case .plain(let bytes): return bytes
        case .secret(let secret):
            if reveal { return secret.raw }
            // Half of a fingerprint is enough for an eye, and leaves a line that can be read.
            let sum = fingerprint(of: secret.value).prefix(16)
            let lineEnds = secret.raw.count { $0 == UInt8(ascii: "\n") }
            return Array("(secret \(sum)\(lineEnds > 0 ? ", \(lineEnds + 1) lines" : ""))".utf8)
        }
    }
}
