package import ConfigAPI
package import ConfigEtcdAPI

/// The identity of a timer or of a call: whose it is, and which. What comes back with an id that its owner no longer waits for
/// does nothing.
package struct WorkID: Hashable, Sendable {
    /// The part of the follower that waits.
    package enum Owner: Hashable, Sendable {
        case line
        case board
        case service(String)
    }

    package var owner: Owner
    package var number: UInt64

    package init(owner: Owner, number: UInt64) {
        self.owner = owner
        self.number = number
    }
}

/// Hands out ids, each once in a follower's life.
struct WorkIDs: Hashable, Sendable {
    private let owner: WorkID.Owner
    private var last: UInt64 = 0

    init(_ owner: WorkID.Owner) { self.owner = owner }

    mutating func next() -> WorkID {
        last += 1
        return WorkID(owner: owner, number: last)
    }
}

/// A status key to be written, or deleted where `value` is nil.
package struct StatusWrite: Hashable, Sendable {
    package var key: [UInt8]
    package var value: [UInt8]?

    package init(key: [UInt8], value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}

/// What configd is asked in order to learn what became of a change.
package struct Question: Hashable, Sendable {
    package var service: String
    /// The file whose history tells.
    package var file: String

    package init(service: String, file: String) {
        self.service = service
        self.file = file
    }
}

/// What configd said.
package struct Findings: Hashable, Sendable {
    /// The newest versions of the file, the newest first.
    package var versions: [ConfigVersion]
    /// The service's change on trial, or the one that went back last.
    package var pending: [ConfigPending]

    package init(versions: [ConfigVersion], pending: [ConfigPending]) {
        self.versions = versions
        self.pending = pending
    }
}

/// What is to be done. Every call is answered by an event with its id, at the latest at its deadline.
package enum FollowerAction: Hashable, Sendable {
    /// Ask a member of the cluster who it is: `headed`.
    case ask(WorkID, endpoint: Int)
    /// A page of the prefix's keys: `paged`.
    case list(WorkID, endpoint: Int, after: [UInt8]?, revision: Int64)
    /// A stream of `told`, until `watchEnded` or `endWatch`.
    case watch(WorkID, endpoint: Int, from: Int64)
    case endWatch(WorkID)
    /// Write status keys, all at once: `written`.
    case write(WorkID, endpoint: Int, [StatusWrite])
    /// Have configd make a change, or try it: `changed`.
    case change(WorkID, Config.Apply.Params)
    /// Ask configd what became of one: `found`.
    case find(WorkID, Question)
    /// Keep over restarts, durably: `kept`.
    case keep(WorkID, KeptFollowing)
    case startTimer(WorkID, after: Duration)
    case tell(FollowerNews)
}

/// What the journal is told.
package enum FollowerNews: Hashable, Sendable {
    case connected(endpoint: Int, EtcdHead)
    case silent(endpoint: Int, String)
    /// Revisions are in the file, `count` of them up to `through`.
    case applied(service: String, through: Int64, count: Int, version: Int64?)
    case refused(EtcdRefusal)
    case takenBack(EtcdRefusal)
    case confirmed(service: String, through: Int64, version: Int64?)
    case waiting(service: String, revision: Int64, Objection)
    case goesOn(service: String)
}
