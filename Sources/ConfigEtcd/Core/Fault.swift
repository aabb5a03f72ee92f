import ConfigAPI
import Wire

/// Whose fault a refusal is.
enum Fault: Equatable {
    /// Nothing is wrong with the revision.
    case ofTheHost
    /// A key that is to be removed is not there.
    case goneAlready(String)
    /// More changes than the file takes at once.
    case tooMany
    case ofTheRevision

    init(_ error: RPCError) {
        if error.name == ConfigErrors.unknownKey("").name, case .string(let key)? = error.details["key"] {
            self = .goneAlready(key)
        } else if error.name == ConfigErrors.tooManyChanges(0, limit: 0).name {
            self = .tooMany
        } else if Self.isOfTheHost(error) {
            self = .ofTheHost
        } else {
            self = .ofTheRevision
        }
    }

    private static func isOfTheHost(_ error: RPCError) -> Bool {
        // configd's own numbers: 1030 to 1049, the file or its disk will not do; 1100 to 1119 and 1240, somebody else writes it; 1170 to 1189, a
        // change on trial is in the way.
        let codes = [1030...1049, 1100...1119, 1170...1189, 1240...1240]
        return codes.contains { $0.contains(error.code) } || error.mayPass || passing.contains(error.name)
    }

    /// Refusals that are nothing against a revision, beside those that pass: the host is to be mended, or somebody was first.
    private static let passing: Set<String> = [
        "accessDenied", "methodNotFound", "versionConflict", "validatorUnavailable",
    ]
}

extension Objection {
    init(_ error: RPCError) {
        self.init(error: error.name, message: error.message, remedy: error.remedy)
    }

    static let tooLarge = Objection(
        error: "limitExceeded", message: "the revision does not fit into one call of configd, which takes 1 MiB",
        remedy: "Put its keys in several transactions")

    static func takenBack(_ end: PendingEnd?) -> Objection {
        let why = end.map { end in end.detail.isEmpty ? end.kind.rawValue : "\(end.kind.rawValue), \(end.detail)" }
        return Objection(
            error: "takenBack", message: "it was on trial and went back: \(why ?? "nobody confirmed it in time")",
            remedy: "Put a better value: this one stays in etcd, and is not tried again")
    }
}
