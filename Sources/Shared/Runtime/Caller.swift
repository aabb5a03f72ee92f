import CLinux
import Glibc
package import Settings
package import Wire

/// Tells one connection of a socket from all others in the daemon's life.
package struct ConnectionID: Hashable, Sendable {
    package var number: UInt64

    package init(number: UInt64) {
        self.number = number
    }
}

/// Who is at the other end of a connection, by what the kernel says of the socket (SO_PEERCRED, SO_PEERGROUPS).
package struct Caller: Hashable, Sendable {
    package var pid: Int32
    package var uid: UInt32
    package var gid: UInt32
    package var groups: [UInt32]
    /// The connection itself: what is bound to it ends with it (`Server.onClosed`).
    package internal(set) var connection = ConnectionID(number: 0)
    /// Whether the caller is root or of the group `mainstay-admin`.
    package var mayAct: Bool
    /// Whether the caller may read: the group `mainstay`, a daemon of the suite, or whoever may act.
    package var mayRead: Bool

    /// The peer of a connected Unix socket; nil where the kernel does not say.
    init?(socket: Int32, principals: Principals) {
        var pid: pid_t = 0
        var uid: uid_t = 0
        var gid: gid_t = 0
        guard mainstay_peer_credentials(socket, &pid, &uid, &gid) == 0 else { return nil }
        var groups = [gid_t](repeating: 0, count: 256)
        // More than 256 groups: the call fails with ERANGE, and the caller counts as a member of none beyond its own.
        let count = mainstay_peer_groups(socket, &groups, Int32(groups.count))
        self.init(
            pid: pid, uid: uid, gid: gid, groups: count > 0 ? Array(groups[..<Int(count)]) : [],
            principals: principals)
    }

    package init(pid: Int32, uid: UInt32, gid: UInt32, groups: [UInt32], principals: Principals) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.groups = groups
        let all = Set(groups + [gid])
        mayAct = uid == 0 || principals.actors.map { all.contains($0) } ?? false
        mayRead =
            mayAct || principals.readers.map { all.contains($0) } ?? false
            || principals.daemons.values.contains(uid)
    }
}

/// The ids that access is decided by. Looked up at start and at reload, never for a call: a name service may block.
package struct Principals: Hashable, Sendable {
    /// The gid of `mainstay-admin`; nil where there is no such group.
    package var actors: UInt32?
    /// The gid of `mainstay`.
    package var readers: UInt32?
    /// The uid of each daemon that runs as its own user.
    package var daemons: [String: UInt32]
    /// The names of the groups, for whoever is refused.
    package var groups: AccessGroups

    package init(
        actors: UInt32?, readers: UInt32?, daemons: [String: UInt32], groups: AccessGroups = AccessGroups()
    ) {
        self.actors = actors
        self.readers = readers
        self.daemons = daemons
        self.groups = groups
    }

    /// What this host's account files say of the groups and users that the settings name. May block.
    package static func ofHost(_ settings: MainstaySettings) -> Principals {
        let users = [
            "configd": settings.configd.user, "metricsd": settings.metricsd.user, "healthd": settings.healthd.user,
            "watchdogd": settings.watchdogd.user,
        ]
        return Principals(
            actors: getgrnam(settings.access.actGroup)?.pointee.gr_gid,
            readers: getgrnam(settings.access.readGroup)?.pointee.gr_gid,
            daemons: users.compactMapValues { getpwnam($0)?.pointee.pw_uid },
            groups: AccessGroups(read: settings.access.readGroup, act: settings.access.actGroup))
    }

    /// Whether `caller` may call a method of this class. `owner` is the uid of the service that the call is about, where
    /// there is one.
    func allow(_ caller: Caller, _ access: Access, owner: UInt32?) -> Bool {
        switch access {
        case .open: true
        case .read: caller.mayRead
        case .act: caller.mayAct
        case .peer(let names): caller.uid == 0 || names.contains { daemons[$0] == caller.uid }
        case .actOrPeer(let names): caller.mayAct || names.contains { daemons[$0] == caller.uid }
        case .own: caller.mayAct || (owner != nil && owner == caller.uid)
        }
    }
}
