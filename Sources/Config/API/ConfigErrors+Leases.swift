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

    /// Nothing to take back.
    package static func notLeased(_ key: String?) -> RPCError {
        let message = key.map { "\($0) is not leased" } ?? "no key of the file is leased"
        return RPCError(
            code: 1222, name: "notLeased", message: message, remedy: "`leases` lists what is",
            details: key.map { ["key": .string($0)] } ?? [:])
    }
}
