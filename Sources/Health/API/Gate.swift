package import Wire

/// What watchdogd asks before it acts on a service: would a restart help, or is something down that the service needs?
package enum Gate: RPCMethod {
    package static let name = "gate"
    package static let access = Access.read
    package typealias Params = ServiceParams

    package struct Reply: WireObject {
        /// False while a declared dependency is down: a restart would not bring the service back.
        package var allowed: Bool
        /// In words, for the journal: "postgres is unhealthy: connection refused".
        package var reason: String
        /// The deepest dependency that is down; nil when allowed.
        package var dependency: String?
        /// Since when it is down (ms since 1970).
        package var sinceMs: Int64?
        /// Dependencies that nothing is known about: they do not close the gate.
        package var unknown: [String]

        package init(allowed: Bool, reason: String, dependency: String?, sinceMs: Int64?, unknown: [String]) {
            self.allowed = allowed
            self.reason = reason
            self.dependency = dependency
            self.sinceMs = sinceMs
            self.unknown = unknown
        }

        package init(from fields: inout Fields) throws(WireError) {
            allowed = try fields.value("allowed")
            reason = try fields.value("reason")
            dependency = try fields.optional("dependency")
            sinceMs = try fields.optional("sinceMs")
            unknown = try fields.value("unknown")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("allowed", allowed)
            object.member("reason", reason)
            object.member("dependency", dependency)
            object.member("sinceMs", sinceMs)
            object.member("unknown", unknown)
        }
    }
}
