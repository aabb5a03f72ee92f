/// Why a PostgreSQL server gave no answer. But for `refused` the connection is of no more use.
package enum PostgresFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// libpq is not on this host: Debian's `libpq5`.
    case noLibrary
    /// No connection came about: nobody listens, or who we are was not believed.
    case unreachable(String)
    /// The deadline passed.
    case timedOut
    /// The connection ended, or failed.
    case lost(String)
    /// The server answered a statement with an error.
    case refused(String)

    package var description: String {
        switch self {
        case .noLibrary: "libpq.so.5 cannot be loaded: install libpq5"
        case .unreachable(let why): "cannot connect: \(why)"
        case .timedOut: "no answer in time"
        case .lost(let why): "the connection was lost: \(why)"
        case .refused(let why): "answered \(why)"
        }
    }
}
