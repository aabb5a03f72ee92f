import ConfigAPI
import ConfigCore
import Runtime
import Time
import Wire

/// A file as a whole: `put`, `stage` and `content`.
extension Configd {
    func registerContent() {
        let server = context.server
        server.onLater(Config.Content.self) { [unowned self] params, _, responder throws(RPCError) in
            let kept = try file(params.target)
            ask(responder) { custody throws(RPCError) in try custody.content(kept, params) }
        }
        server.on(Config.Stage.self) { [unowned self] params, caller throws(RPCError) in
            let owner = Staging.Owner(
                uid: caller.uid, file: try file(params.target).id, upload: params.upload)
            do throws(Staging.Refusal) {
                let staged = try staging.received(
                    params.content.content, at: Int(clamping: params.offset), of: owner, now: HostClock.now().instant)
                return Config.Stage.Reply(stagedBytes: Int64(staged))
            } catch { throw Self.error(error) }
        }
        server.onLater(Config.Put.self) { [unowned self] params, caller, responder throws(RPCError) in
            let kept = try file(params.target)
            let content = try whole(params.content, params.staged, caller, kept)
            var terms = Custody.Terms(
                authorUID: caller.uid, reason: params.reason, force: params.force,
                dryRun: params.dryRun || context.isDryRun, lock: params.lock)
            let part = Custody.Part(kept: kept, work: .replace(content), ifVersion: params.ifVersion)
            terms.trial = Confirming.terms(params.confirmMs, [part])
            change(Custody.Request(terms: terms, parts: [part]), responder)
        }
    }

    /// A whole content as it came with a call, or what was staged for it, which is then forgotten.
    func whole(
        _ content: ConfigValue?, _ upload: String?, _ caller: Caller, _ kept: KeptFile
    ) throws(RPCError) -> [UInt8] {
        if let content { return content.content }
        let upload = upload ?? ""
        guard let staged = staging.take(Staging.Owner(uid: caller.uid, file: kept.id, upload: upload)) else {
            throw ConfigErrors.nothingStaged(upload)
        }
        return staged
    }

    private static func error(_ refusal: Staging.Refusal) -> RPCError {
        switch refusal {
        case .gap(let bytes): ConfigErrors.stagingGap(stagedBytes: Int64(bytes))
        case .tooLarge(let bytes):
            ConfigErrors.fileTooLarge(bytes: Int64(bytes), limit: Int64(EnvEditor.largestFileBytes))
        case .full: .limitExceeded("\(Staging.mostContents) contents are staged and not put yet")
        }
    }
}
