import ConfigAPI
import ConfigEtcdAPI
import Wire

/// What an operator should know of the configuration before changing it: who keeps others out, what takes itself back, and
/// whether etcd is followed.
extension Overview {
    /// A row a lock, then a row a lease; nothing where there is neither.
    func holdLines(on screen: Screen) -> [String] {
        var table = Table("SERVICE", "HELD", "BY", ">SINCE", ">LEFT", "REASON")
        for lock in locks {
            table.add(Cell(lock.service), Cell("locked", .warning), lock.by, lock.since, lock.left, Cell(lock.reason))
        }
        for lease in leases {
            table.add(
                Cell(lease.service), Cell("\(lease.key) leased"), lease.by, lease.since, lease.left,
                Cell(lease.reason))
        }
        return locks.isEmpty && leases.isEmpty ? [] : table.lines(on: screen)
    }

    /// configd-etcd's row. That it is silent is shown and changes no exit status: the host keeps its last good version without it.
    func addFollower(to table: inout Table) {
        let name = Cell(DaemonName.configdEtcd.rawValue)
        switch follower {
        case nil: break
        case .success(let reply):
            let head = reply.head
            table.add(name, head.condition.cell, Cell(Words.length(ms: head.upMs)), "\(head.pid)", reply.own.summary)
        case .failure(let error):
            let state = error.isSilence ? Cell("silent", .warning) : Cell("refused", .warning)
            table.add(name, state, .none, .none, Cell("etcd is not followed; files stay as they are", .dim))
        }
    }
}

extension EtcdStatus {
    /// What is wrong, or how far it is.
    var summary: Cell {
        guard answers else {
            let why = problem.map { ": \($0)" } ?? ""
            return Cell("\(endpoint) does not answer for \(Words.age(since: sinceMs))\(why)", .warning)
        }
        let left = services.first { $0.refused > 0 }.map { "; \($0.service): revision \($0.refused) was refused" } ?? ""
        let waiting =
            services.first { $0.outcome == .waiting }.map { "; \($0.service): revision \($0.revision) waits" } ?? ""
        let told = "follows \(endpoint) at revision \(revision)\(waiting)\(left)"
        return Cell(told, left.isEmpty && waiting.isEmpty ? .plain : .warning)
    }
}

extension ConfigLock {
    var by: Cell { "uid \(holderUID), pid \(holderPID)" }
    var since: Cell { sinceMs.map { Cell(Words.age(since: $0)) } ?? .none }
    var left: Cell { Cell(Words.length(ms: expiresAtMs - Words.nowMs)) }

    /// In one line of one service.
    var line: String {
        let since = sinceMs.map { " for \(Words.age(since: $0))" } ?? ""
        let why = reason.isEmpty ? "" : ": \(reason)"
        return "by \(by.text)\(since), \(left.text) left\(why)"
    }
}

extension ConfigLease {
    var by: Cell { "uid \(authorUID)" }
    var since: Cell { Cell(Words.age(since: grantedAtMs)) }
    var left: Cell { leftMs > 0 ? Cell(Words.length(ms: leftMs)) : Cell("due", .warning) }

    /// In one line of one service.
    var line: String {
        let why = reason.isEmpty ? "" : ": \(reason)"
        let rest = leftMs > 0 ? "\(left.text) left" : "due"
        return "\(key), by \(by.text) for \(since.text), \(rest)\(why)"
    }
}
