/// Why a Redis server gave no answer. But for `refused` the connection is of no more use.
package enum RedisFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// No connection came about.
    case unreachable(String)
    /// The deadline passed.
    case timedOut
    /// The connection ended, or failed.
    case lost(String)
    /// The server answered with an error: the password, a lack of rights, a dump that is being loaded.
    case refused(String)
    /// What came is no answer to what was asked, or is too large.
    case unexpected(String)

    package var description: String {
        switch self {
        case .unreachable(let why): "cannot connect: \(why)"
        case .timedOut: "no answer in time"
        case .lost(let why): "the connection was lost: \(why)"
        case .refused(let why): "answered \(why)"
        case .unexpected(let what): "answered what is no answer: \(what)"
        }
    }
}
