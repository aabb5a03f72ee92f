import ConfigAPI
import ConfigCore
import Runtime
import Time
import Wire

/// The locks against other programs, in the hands of the thread that writes the files.
extension Custody {
    /// The owner of the lock while a change is under way; no token is called so.
    private static let ownChange = "the change under way"

    /// Keeps other programs from the service's files while `body` changes them; where one of them holds the lock, all of
    /// `requests` are refused. What configd takes back by itself waits for a program, but not for ever.
    func keepingOthersOut(_ requests: [Request], _ body: () -> Changed) -> Changed {
        guard let kept = requests.first?.parts.first?.kept, !requests.allSatisfy(\.terms.dryRun) else { return body() }
        let service = kept.id.service
        do {
            if requests.contains(where: { $0.isOwn || $0.terms.isTakeBack }) {
                try locks.takeForTakeBack(service, for: Self.ownChange, now: HostClock.now().instant)
            } else {
                try locks.take(service, for: Self.ownChange)
            }
        } catch {
            let refusal = Self.refusal(error, service)
            return Changed(results: requests.map { _ in .failure(refusal) })
        }
        defer { locks.release(service, for: Self.ownChange) }
        return body()
    }

    /// Holds the service's lock file for a token, from now on.
    func lock(_ service: String, for token: String) throws(RPCError) {
        do { try locks.take(service, for: token) } catch { throw Self.refusal(error, service) }
    }

    private static func refusal(_ error: any Error, _ service: String) -> RPCError {
        switch error {
        case let held as ProgramLocks.Held:
            ConfigErrors.lockedByOther(service: service, path: held.path, pid: held.pid.map(Int64.init))
        case let failure as StepFailure: Refusals.error(failure, path: "the lock of \(service)")
        default: .internalError("\(error)")
        }
    }
}
