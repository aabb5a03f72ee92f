package import Wire

// The seed's `withConfigLock`: while somebody holds a service's lock, nobody else changes its files.

/// A lock that is held.
package struct ConfigLock: WireObject {
    package var service: String
    /// The holder, by its connection.
    package var holderUID: Int64
    package var holderPID: Int64
    package var reason: String
    /// When it was taken, by the host's clock as it stands now, in milliseconds since 1970; nil where that was not told.
    package var sinceMs: Int64?
    /// When it ends unless it is made longer, by the host's clock as it stands now, in milliseconds since 1970.
    package var expiresAtMs: Int64

    package init(
        service: String, holderUID: Int64, holderPID: Int64, reason: String, sinceMs: Int64? = nil, expiresAtMs: Int64
    ) {
        self.service = service
        self.holderUID = holderUID
        self.holderPID = holderPID
        self.reason = reason
        self.sinceMs = sinceMs
        self.expiresAtMs = expiresAtMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        holderUID = try fields.value("holderUID")
        holderPID = try fields.value("holderPID")
        reason = try fields.value("reason", or: "")
        sinceMs = try fields.optional("sinceMs")
        expiresAtMs = try fields.value("expiresAtMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("holderUID", holderUID)
        object.member("holderPID", holderPID)
        object.member("reason", reason)
        object.member("sinceMs", sinceMs)
        object.member("expiresAtMs", expiresAtMs)
    }
}

extension Config {
    /// The seed's name of `lock`.
    package static let withConfigLockName = "withConfigLock"
    /// What `ttlMs` takes, in milliseconds: a second to an hour.
    package static let lockLengths: ClosedRange<Int64> = 1000...3_600_000

    /// `lock`: keeps everybody else from changing a service's files, for as long as this connection stands and `ttlMs` have
    /// not passed since the last call.
    package enum Lock: RPCMethod {
        package static let name = "lock"
        package static let access = Access.act

        package struct Params: WireObject {
            package var service: String
            /// How long without another call; `lockLengths`.
            package var ttlMs: Int64
            /// For whoever is refused; at most 1,000 bytes.
            package var reason: String
            /// Makes the lock of this token longer; a new one where nil.
            package var token: String?

            package init(service: String, ttlMs: Int64 = 60_000, reason: String = "", token: String? = nil) {
                self.service = service
                self.ttlMs = ttlMs
                self.reason = reason
                self.token = token
            }

            package init(from fields: inout Fields) throws(WireError) {
                service = try fields.value("service")
                ttlMs = try fields.value("ttlMs", or: 60_000)
                guard lockLengths.contains(ttlMs) else {
                    throw WireError(
                        place: "ttlMs",
                        problem: "expected \(lockLengths.lowerBound) to \(lockLengths.upperBound), found \(ttlMs)")
                }
                reason = try Config.reason(&fields)
                token = try fields.optional("token")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("service", service)
                object.member("ttlMs", ttlMs)
                object.member("reason", reason)
                object.member("token", token)
            }
        }

        package struct Reply: WireObject {
            /// What changes show as `lock` to be let through; a secret.
            package var token: String
            /// By the host's clock as it stands now, in milliseconds since 1970.
            package var expiresAtMs: Int64

            package init(token: String, expiresAtMs: Int64) {
                self.token = token
                self.expiresAtMs = expiresAtMs
            }

            package init(from fields: inout Fields) throws(WireError) {
                token = try fields.value("token")
                expiresAtMs = try fields.value("expiresAtMs")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("token", token)
                object.member("expiresAtMs", expiresAtMs)
            }
        }
    }

    /// `unlock`: lets others change the files again.
    package enum Unlock: RPCMethod {
        package static let name = "unlock"
        package static let access = Access.act

        package struct Params: WireObject {
            package var token: String

            package init(token: String) {
                self.token = token
            }

            package init(from fields: inout Fields) throws(WireError) {
                token = try fields.value("token")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("token", token)
            }
        }

        package typealias Reply = NoFields
    }
}
