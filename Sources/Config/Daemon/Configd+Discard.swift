import ConfigAPI
import ConfigCore
import Runtime
import Store
import Wire

/// `discard`: what was set aside is let go of by name, and that is told.
extension Configd {
    func discard(
        _ params: Config.Discard.Params, _ caller: Caller, _ responder: Responder<ConfigQuarantined>
    ) throws(RPCError) {
        let kept = try file(params.target)
        ask { custody throws(RPCError) in
            try custody.discard(params.quarantine, kept)
        } then: { [weak self] result in
            if case .success(let entry) = result {
                self?.context.log.write(ConfigJournal.discarded(entry, uid: caller.uid))
                var told = entry
                told.checksum = nil
                self?.context.publish(ConfigEvents.discarded, told)
            }
            responder.give(result)
        }
    }
}

extension Custody {
    /// Lets go of a content that was set aside; for a caller who may act.
    func discard(_ id: Int64, _ kept: KeptFile) throws(RPCError) -> ConfigQuarantined {
        let (entry, head) = try answering(kept) { () throws(StepFailure) in
            (
                try quarantine(of: kept).first { $0.id == id },
                try ledger("read") { () throws(StoreError) in try versions.head(of: kept.id.path)?.number ?? 0 }
            )
        }
        guard let entry else { throw ConfigErrors.unknownQuarantine(id) }
        try answering(kept) { () throws(StepFailure) in
            try ledger("discard") { () throws(StoreError) in try versions.discard(entry) }
        }
        return message(entry, of: kept, head: head, mayAct: true)
    }
}
