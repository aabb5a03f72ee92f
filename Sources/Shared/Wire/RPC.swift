/// Who may call a method. Decided before routing, from the peer's credentials on the socket.
package enum Access: Hashable, Sendable {
    /// Anyone who can connect (DESIGN's *public*).
    case open
    /// The group `mainstay`, and whoever may act.
    case read
    /// Root and the group `mainstay-admin`.
    case act
    /// The named daemons' own users, and root.
    case peer(Set<String>)
    /// Whoever may act, and the named daemons' own users.
    case actOrPeer(Set<String>)
    /// The guarded unit's user for its own service (DESIGN's *self*), and whoever may act.
    case own

    /// The word that stands as `x-access` in the OpenRPC documents.
    package var name: String {
        switch self {
        case .open: "public"
        case .read: "read"
        case .act, .actOrPeer: "act"
        case .peer: "peer"
        case .own: "self"
        }
    }
}

/// The groups whose members may call, by the names that this host's settings give them.
package struct AccessGroups: Hashable, Sendable {
    /// Whose members may read.
    package var read = "mainstay"
    /// Whose members may act.
    package var act = "mainstay-admin"

    package init() {}

    package init(read: String, act: String) {
        self.read = read
        self.act = act
    }
}

/// The contract of one method: its name, who may call it, what goes in and what comes back.
package protocol RPCMethod {
    associatedtype Params: WireObject
    associatedtype Reply: WireObject
    static var name: String { get }
    static var access: Access { get }
}

/// A refusal, as it travels in JSON-RPC's `error`: a number for programs, a name for scripts, a sentence and a remedy for
/// people.
package struct RPCError: Error, Hashable, Sendable, CustomStringConvertible {
    /// JSON-RPC's own codes, or a concern's: 1000s configd, 2000s metricsd, 3000s healthd, 4000s watchdogd.
    package var code: Int
    /// A stable word: `versionConflict`.
    package var name: String
    /// What happened, in one sentence.
    package var message: String
    /// What to do about it, in one sentence; empty where nothing can be done.
    package var remedy: String
    /// Figures that belong to the refusal (the version found, the milliseconds to wait).
    package var details: JSONObject

    package init(code: Int, name: String, message: String, remedy: String = "", details: JSONObject = [:]) {
        self.code = code
        self.name = name
        self.message = message
        self.remedy = remedy
        self.details = details
    }

    package var description: String {
        remedy.isEmpty ? "\(name): \(message)" : "\(name): \(message). \(remedy)"
    }
}

extension RPCError: WireObject {
    package init(from fields: inout Fields) throws(WireError) {
        code = try fields.value("code")
        message = try fields.value("message")
        var data: JSONObject = try fields.value("data", or: [:])
        name = (try? data["error"].map { try String(wire: $0) }) ?? "error"
        remedy = (try? data["remedy"].map { try String(wire: $0) }) ?? ""
        data["error"] = nil
        data["remedy"] = nil
        details = data
    }

    package func write(to object: inout ObjectWriter) {
        object.member("code", code)
        object.member("message", message)
        object.member("data") { data in
            data.member("error", name)
            if !remedy.isEmpty { data.member("remedy", remedy) }
            details.write(to: &data)
        }
    }
}

/// The refusals that every socket knows. The first five numbers are JSON-RPC 2.0's own.
extension RPCError {
    /// The frame held no JSON.
    package static func parseError(_ error: WireError) -> RPCError {
        RPCError(code: -32700, name: "parseError", message: "not JSON: \(error)", remedy: "Send strict JSON in UTF-8")
    }

    /// JSON, but no request.
    package static func invalidRequest(_ error: WireError) -> RPCError {
        RPCError(
            code: -32600, name: "invalidRequest", message: "not a JSON-RPC 2.0 request: \(error)",
            remedy: "Send {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":…,\"params\":{…}}, one a frame")
    }

    /// No such method here.
    package static func methodNotFound(_ method: String) -> RPCError {
        RPCError(
            code: -32601, name: "methodNotFound", message: "there is no method \"\(method)\" here",
            remedy: "rpc.discover lists the methods of this daemon")
    }

    /// The parameters do not fit the method.
    package static func invalidParams(_ error: WireError) -> RPCError {
        RPCError(
            code: -32602, name: "invalidParams", message: "\(error)",
            remedy: "rpc.discover shows each method's parameters with an example")
    }

    /// The daemon failed at its own work.
    package static func internalError(_ what: String) -> RPCError {
        RPCError(
            code: -32603, name: "internalError", message: what, remedy: "The daemon's journal has the whole story")
    }

    /// The caller is not of the method's class.
    package static func accessDenied(
        method: String, needs access: Access, uid: UInt32, groups: AccessGroups = AccessGroups()
    ) -> RPCError {
        let (who, remedy): (String, String) =
            switch access {
            case .open: ("anyone", "")
            case .read: ("the group \(groups.read)", "As root: \(joining(groups.read))")
            case .act, .actOrPeer:
                ("root or the group \(groups.act)", "Call as root, or as root: \(joining(groups.act))")
            case .peer(let names):
                ("the daemons \(names.sorted().joined(separator: ", "))", "Nobody else needs to call it; root may")
            case .own: ("the guarded service itself", "Call as the user of its unit, or as root")
            }
        return RPCError(
            code: -32001, name: "accessDenied", message: "\(method) is for \(who); the caller is uid \(uid)",
            remedy: remedy)
    }

    /// A group counts from the next login on: a session keeps those that it began with.
    private static func joining(_ group: String) -> String { "usermod -aG \(group) USER, then log in again" }

    /// The reply did not come within the caller's `deadlineMs`.
    package static func deadlineExceeded(method: String, deadlineMs: Int64) -> RPCError {
        RPCError(
            code: -32002, name: "deadlineExceeded", message: "\(method) took longer than \(deadlineMs) ms",
            remedy: "`status` names the thread that is stuck; a larger deadlineMs may help")
    }

    /// A limit of the socket was met.
    package static func limitExceeded(_ what: String) -> RPCError {
        RPCError(
            code: -32003, name: "limitExceeded", message: what, remedy: "Close what is not needed, or ask for less")
    }

    /// A service that no settings name.
    package static func unknownService(_ service: String) -> RPCError {
        RPCError(
            code: -32004, name: "unknownService", message: "no settings name a service \"\(service)\"",
            remedy: "`mainstay status` lists the services; their files are /etc/mainstay/services/NAME.yaml")
    }

    /// `subscribe` to an event that this daemon does not have. `known` are those that it has.
    package static func unknownEvent(_ event: String, known: [String]) -> RPCError {
        RPCError(
            code: -32006, name: "unknownEvent", message: "there is no event \"\(event.prefix(80))\" here",
            remedy: "Known are \(known.joined(separator: ", "))", details: ["known": .array(known.map(JSON.string))])
    }

    /// The events that the daemon has, where this is its `unknownEvent`.
    package var knownEvents: [String]? {
        guard name == "unknownEvent" else { return nil }
        return details["known"].flatMap { try? [String](wire: $0) }
    }

    /// Whether another try of the same call may not meet this refusal: the daemon is away, at its start, or short of time or room.
    package var mayPass: Bool { Self.passing.contains(name) }

    private static let passing: Set<String> = ["peerSilent", "internalError", "deadlineExceeded", "limitExceeded"]

    /// Whether nobody answered, as against a refusal.
    package var isSilence: Bool { code == RPCError.peerSilent("", "").code }

    /// The daemon called is not there or does not answer. Never sent over a socket: the caller's own side makes it.
    package static func peerSilent(_ daemon: String, _ why: String) -> RPCError {
        RPCError(
            code: -32005, name: "peerSilent", message: "\(daemon) does not answer: \(why)",
            remedy: "systemctl status mainstay-\(daemon)")
    }
}
