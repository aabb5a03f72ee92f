package import Wire

/// healthd's reasons to refuse: codes 3001 to 3099; a service that nobody knows is Wire's `unknownService`.
package enum HealthErrors {
    /// The service was left out where more than one is known, or none.
    package static func serviceMissing(known: [String]) -> RPCError {
        RPCError(
            code: 3001, name: "serviceMissing", message: "\(known.count) services are known, so one must be named",
            remedy: "add the member \"service\" to the params",
            details: ["known": .array(known.map(JSON.string))])
    }

    /// The service has no check of that name, or none that was registered over the socket.
    package static func unknownCheck(service: String, check: String) -> RPCError {
        RPCError(
            code: 3002, name: "unknownCheck", message: "\(service) has no such check: \(check)",
            remedy: "list them with the method checks; only a registered one can be removed",
            details: ["service": .string(service), "check": .string(check)])
    }

    /// A settings file already gives the service a check of that name.
    package static func checkInSettings(service: String, check: String) -> RPCError {
        RPCError(
            code: 3003, name: "checkInSettings",
            message: "the settings of \(service) already have a check named \(check)",
            remedy: "register it under another name, or change the settings file",
            details: ["service": .string(service), "check": .string(check)])
    }

    /// A member of the check does not hold together with the others.
    package static func invalidCheck(member: String, expected: String, found: String) -> RPCError {
        RPCError(
            code: 3004, name: "invalidCheck", message: "\(member): expected \(expected), found \(found)",
            remedy: "correct the member and register the check again",
            details: ["member": .string(member), "expected": .string(expected), "found": .string(found)])
    }

    /// The host's or the service's share of registered checks is used up.
    package static func tooManyChecks(limit: Int) -> RPCError {
        RPCError(
            code: 3005, name: "tooManyChecks", message: "\(limit) checks are registered already",
            remedy: "remove one with removeHealthCheck, or write checks into the settings file",
            details: ["limit": .integer(Int64(limit))])
    }

    /// The change could not be kept on disk, so it was not made.
    package static func notKept(reason: String) -> RPCError {
        RPCError(
            code: 3006, name: "notKept", message: "the change could not be kept on disk: \(reason)",
            remedy: "make room below /var/lib/mainstay, then try again",
            details: ["reason": .string(reason)])
    }

    /// Only `custom` checks take reports; all others are run by healthd itself.
    package static func notReported(service: String, check: String, type: CheckType) -> RPCError {
        RPCError(
            code: 3007, name: "notReported", message: "\(check) of \(service) is run by healthd (\(type.rawValue))",
            remedy: "report to a check of type custom",
            details: ["service": .string(service), "check": .string(check), "type": .string(type.rawValue)])
    }

    /// A cursor that this method did not hand out, or a limit outside 1 to 1000.
    package static func badPage(member: String, found: String) -> RPCError {
        RPCError(
            code: 3008, name: "badPage", message: "\(member) is not usable: \(found)",
            remedy: "use a limit from 1 to 1000, and as cursor only the member next of the page before",
            details: ["member": .string(member), "found": .string(found)])
    }
}
