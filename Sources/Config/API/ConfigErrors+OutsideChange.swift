package import Wire

/// Somebody else writes the file: codes from 1100, and 1240.
extension ConfigErrors {
    /// The file is half-written, or may be: somebody else has it open, or changed it a moment ago.
    package static func beingWritten(_ path: String) -> RPCError {
        RPCError(
            code: 1100, name: "beingWritten", message: "somebody else is writing \(path) at this moment",
            remedy: "Try again in a second", details: ["path": .string(path)])
    }

    /// Somebody else changed the file between its reading and its replacement, however often that was tried. It holds what they
    /// wrote.
    package static func keepsChanging(_ path: String) -> RPCError {
        RPCError(
            code: 1240, name: "keepsChanging",
            message: "somebody else changed \(path) each time that it was to be written",
            remedy:
                "Find who writes it (`fuser -v` tells who has it open), stop that or have it go through configd, and try again",
            details: ["path": .string(path)])
    }

    /// What somebody else wrote is not to stay, and was not put right. `why` follows the path.
    package static func outsideChange(_ path: String, why: String, remedy: String) -> RPCError {
        RPCError(
            code: 1101, name: "outsideChange", message: "\(path) \(why)", remedy: remedy,
            details: ["path": .string(path)])
    }

    /// No such content is kept in the quarantine.
    package static func unknownQuarantine(_ id: Int64?) -> RPCError {
        var details: JSONObject = [:]
        details["quarantine"] = id.map { .integer($0) }
        return RPCError(
            code: 1102, name: "unknownQuarantine",
            message: id.map { "nothing is kept in the quarantine as \($0)" } ?? "the quarantine is empty",
            remedy: "`quarantine` lists what is kept", details: details)
    }

    /// What is kept in the quarantine is not what its checksum says.
    package static func quarantineDamaged(_ id: Int64) -> RPCError {
        RPCError(
            code: 1103, name: "quarantineDamaged", message: "what is kept in the quarantine as \(id) is damaged",
            remedy: "Look at the disk of /var/lib/mainstay", details: ["quarantine": .integer(id)])
    }
}
