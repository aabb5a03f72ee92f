package import Wire

/// watchdogd's own refusals, codes from 4000. `unknownService` and the socket's own stand in Wire.
package enum WatchdogErrors {
    /// No record has this id or alias.
    package static func unknownIncident(_ id: String) -> RPCError {
        RPCError(
            code: 4001, name: "unknownIncident", message: "no incident \"\(id)\" is kept",
            remedy: "`mainstay incidents` lists the records", details: ["id": .string(id)])
    }

    /// A number that is out of its range.
    package static func outOfRange(_ parameter: String, found: Int64, allowed: ClosedRange<Int64>) -> RPCError {
        RPCError(
            code: 4002, name: "outOfRange",
            message: "\(parameter) is \(found), allowed are \(allowed.lowerBound) to \(allowed.upperBound)",
            details: [
                "parameter": .string(parameter), "found": .integer(found), "least": .integer(allowed.lowerBound),
                "most": .integer(allowed.upperBound),
            ])
    }

    /// A restart was asked while an operator's hold stands.
    package static func serviceHeld(_ service: String, by: String, reason: String) -> RPCError {
        RPCError(
            code: 4003, name: "serviceHeld", message: "\(service) is held by \(by): \(reason)",
            remedy: "`mainstay release \(service)` ends the hold",
            details: ["by": .string(by), "reason": .string(reason)])
    }

    /// `release` of a service that is not held.
    package static func notHeld(_ service: String) -> RPCError {
        RPCError(code: 4004, name: "notHeld", message: "\(service) is not held")
    }

    /// Another restart of this service is under way: there are never two at once.
    package static func busy(_ service: String, condition: GuardCondition, incident: String?) -> RPCError {
        var details: JSONObject = ["condition": .string(condition.rawValue)]
        details["incident"] = incident.map { .string($0) }
        return RPCError(
            code: 4005, name: "busy", message: "\(service) is already being restarted (\(condition.rawValue))",
            remedy: "Wait for the incident to end, or hold the service", details: details)
    }

    /// The unit does not run, so there is nothing to restart or shut down.
    package static func notRunning(_ service: String, condition: GuardCondition) -> RPCError {
        RPCError(
            code: 4006, name: "notRunning", message: "\(service) does not run (\(condition.rawValue))",
            remedy: "systemctl start its unit", details: ["condition": .string(condition.rawValue)])
    }

    /// A cursor that this daemon did not give.
    package static func badCursor(_ cursor: String) -> RPCError {
        RPCError(
            code: 4007, name: "badCursor", message: "\"\(cursor)\" is no cursor of a reply",
            remedy: "Begin again without a cursor")
    }

    /// The host is shutting down, or watchdogd does not know yet how the service stands.
    package static func notNow(_ service: String, condition: GuardCondition) -> RPCError {
        RPCError(
            code: 4008, name: "notNow", message: "\(service) cannot be acted on now (\(condition.rawValue))",
            remedy: "Try again in a second", details: ["condition": .string(condition.rawValue)])
    }

    /// The record store does not answer; guarding goes on without it.
    package static func storeSilent(_ why: String) -> RPCError {
        RPCError(
            code: 4009, name: "storeSilent", message: "the incident store does not answer: \(why)",
            remedy: "The journal has every incident: journalctl MAINSTAY_INCIDENT=ID")
    }
}
