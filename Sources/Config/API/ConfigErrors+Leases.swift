package import Wire

/// What is refused about values for a time, and about locks: codes from 1220.
extension ConfigErrors {
    /// What the key says now, or would say, cannot be told, and so could not be put back. `why` follows the key's name.
    package static func notLeasable(_ key: String, why: String) -> RPCError {
        RPCError(
            code: 1220, name: "notLeasable", message: "\(key) cannot have a value for a time: it \(why)",
            remedy: "Set the key once without a time, so that all who read the file read the same, then lease it",
            details: ["key": .string(key)])
    }

    /// More leased keys of one file than one change could take back.
    package static func tooManyLeases(_ count: Int64, limit: Int64) -> RPCError {
        RPCError(
            code: 1221, name: "tooManyLeases",
            message: "the file would have \(count) leased keys; one of its size takes \(limit)",
            remedy: "`release` some first", details: ["count": .integer(count), "limit": .integer(limit)])
    }

    // MARK: Locks

    /// Somebody holds the service's lock.
    package static func locked(_ lock: ConfigLock) -> RPCError {
        let reason = lock.reason.isEmpty ? "" : ": \(lock.reason)"
        return RPCError(
            code: 1230, name: "locked",
            message: "process \(lock.holderPID) of uid \(lock.holderUID) holds the lock of \(lock.service)\(reason)",
            remedy:
                "Wait until it is free, at the latest when its time is over; who holds it passes its token as `lock`",
            details: [
                "service": .string(lock.service), "holderUID": .integer(lock.holderUID),
                "holderPID": .integer(lock.holderPID), "reason": .string(lock.reason),
                "expiresAtMs": .integer(lock.expiresAtMs),
            ])
    }

    /// The token's lock is over: its time passed, or its connection closed.
    package static func lockLost(service: String?) -> RPCError {
        RPCError(
            code: 1231, name: "lockLost",
            message:
                "the lock\(service.map { " of \($0)" } ?? "") that the token is of is over, and nothing was changed",
            remedy: "Take it again, and read the files again: others may have changed them",
            details: service.map { ["service": .string($0)] } ?? [:])
    }

    /// Another program holds the service's lock file.
    package static func lockedByOther(service: String, path: String, pid: Int64?) -> RPCError {
        var details: JSONObject = ["service": .string(service), "path": .string(path)]
        details["pid"] = pid.map { .integer($0) }
        return RPCError(
            code: 1232, name: "lockedByOther",
            message: "\(pid.map { "process \($0)" } ?? "another program") holds the lock file of \(service), \(path)",
            remedy: "Try again when it is done; `fuser \(path)` lists who has it open", details: details)
    }

    /// Nothing to take back.
    package static func notLeased(_ key: String?) -> RPCError {
        let message = key.map { "\($0) is not leased" } ?? "no key of the file is leased"
        return RPCError(
            code: 1222, name: "notLeased", message: message, remedy: "`leases` lists what is",
            details: key.map { ["key": .string($0)] } ?? [:])
    }
}
