package import ConfigAPI
import HealthAPI
package import Time

/// A declared file that was found corrupted (the seed's C4). configd has put the last good version back and keeps what was in the
/// file; it listens to nobody, so what people hear of it is healthd's to say. An alert a file stands for as long as contents lie
/// in configd's quarantine for their damage and nobody took them over or let go of them. It is a function of that list, which is
/// asked for anew after every event and every gap: a lost event, or a restart of either daemon, changes nothing.
///
/// What was set aside by the settings' policy alone is no corruption: somebody's sound edit did not stay, and the journal says so.
extension HealthMachine {
    /// Under which name these alerts are raised.
    package static let corruptionSource = "configd"
    private static let corruptionPrefix = "corrupted:"

    /// configd says what it keeps of `file`, the newest first.
    package mutating func setAsideSeen(
        _ contents: [ConfigQuarantined], of file: String, service: String, now: Moment
    ) -> [HealthAction] {
        eventsTaken += 1
        guard services[service] != nil else { return [] }
        let kind = Self.corruptionPrefix + file
        let unseen = contents.filter { $0.cause != .policy && $0.adopted == nil }
        guard let newest = unseen.first else { return endAlert(kind, of: service, now: now).actions }
        let summary = Self.summary(of: newest, olderOnes: unseen.count - 1)
        let standing = alerts.standing(of: service, from: Self.corruptionSource)
        guard !standing.contains(where: { $0.kind == kind && $0.summary == summary }) else { return [] }
        return raiseAlert(kind, of: service, .critical, summary, source: Self.corruptionSource, now: now).actions
    }

    /// The settings name these files, by service: nothing is said of others any more.
    package mutating func filesDeclared(_ files: [String: Set<String>], now: Moment) -> [HealthAction] {
        eventsTaken += 1
        return alerts.allStanding.filter { $0.source == Self.corruptionSource }.flatMap { alert -> [HealthAction] in
            let file = String(alert.kind.dropFirst(Self.corruptionPrefix.count))
            guard files[alert.service]?.contains(file) != true else { return [] }
            return endAlert(alert.kind, of: alert.service, now: now).actions
        }
    }

    private static func summary(of content: ConfigQuarantined, olderOnes: Int) -> String {
        let place =
            content.restored.map { "version \($0) took its place" } ?? "no good version could be put back yet"
        let more = olderOnes > 0 ? ", as are \(olderOnes) older ones" : ""
        return """
            \(content.file) was corrupted: \(content.message); \(place). What it held is kept as \(content.quarantine)\(more): look at \
            it with `mainstay config quarantine \(content.service) \(content.quarantine)`, then `adopt` or `discard` it
            """
    }
}
