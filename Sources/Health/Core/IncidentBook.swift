package import Time

/// Which incident stands for each service, and the rule of who names it: whoever saw the trouble first. Where two opened one
/// for the same service the earlier wins, and the later is told once as its alias.
package struct IncidentBook: Hashable, Sendable {
    /// An incident that stands.
    package struct Open: Hashable, Sendable {
        package var id: String
        package var openedAt: WallTime

        package init(id: String, openedAt: WallTime) {
            self.id = id
            self.openedAt = openedAt
        }
    }

    /// What an opened incident came to.
    package enum Opening: Hashable, Sendable {
        /// It stands for the service now.
        case opened
        /// It stood already.
        case known
        /// `alias` belongs to `winner`, which stands; said once for each alias.
        case aliased(alias: String, winner: String)
    }

    private var open: [String: Open] = [:]
    /// Aliases that were told, by service, while its incident stands; at most `aliasLimit` each.
    private var told: [String: Set<String>] = [:]

    private static let aliasLimit = 64

    package init() {}

    /// The incident that stands for `service`.
    package func standing(for service: String) -> String? {
        open[service]?.id
    }

    /// `incident` was opened for `service`, here or by a peer.
    package mutating func opened(_ incident: Open, for service: String) -> Opening {
        guard let standing = open[service] else {
            open[service] = incident
            return .opened
        }
        guard standing.id != incident.id else { return .known }
        let isEarlier = incident.openedAt < standing.openedAt
        let winner = isEarlier ? incident : standing
        let alias = isEarlier ? standing.id : incident.id
        open[service] = winner
        guard told[service, default: []].count < Self.aliasLimit,
            told[service, default: []].insert(alias).inserted
        else { return .known }
        return .aliased(alias: alias, winner: winner.id)
    }

    /// The trouble of `service` is over: the next one is a new incident.
    package mutating func closed(for service: String) {
        open[service] = nil
        told[service] = nil
    }
}

extension IncidentBook.Open {
    /// A new incident: its time in hexadecimal milliseconds, so that ids sort by time, and 32 random bits, so that two daemons
    /// never make the same one.
    package static func new(at wall: WallTime, random: inout SeededRandom) -> IncidentBook.Open {
        IncidentBook.Open(id: HealthIDText.make(at: wall, random: &random), openedAt: wall)
    }
}

/// How healthd writes the ids of incidents and alerts.
enum HealthIDText {
    static func make(at wall: WallTime, random: inout SeededRandom) -> String {
        hexadecimal(UInt64(clamping: wall.milliseconds), digits: 11)
            + hexadecimal(UInt64(UInt32(truncatingIfNeeded: random.next())), digits: 8)
    }

    private static func hexadecimal(_ value: UInt64, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}
