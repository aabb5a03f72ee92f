import Time
import Wire

/// What every daemon writes of itself, with the ids of systemd/mainstay.catalog.
enum OwnJournal {
    private static let daemonStarted = MessageID("772837f25d3340bc88f5ef4d25e6ede5")
    private static let daemonStopping = MessageID("861a5510d73146748b430eadaa78f4d8")
    private static let settingsReloaded = MessageID("0ae785eef2694dd58570104c78dbc862")
    private static let settingsRefused = MessageID("9e26c2c726eb4510aae5046103bbc435")
    fileprivate static let threadStuck = MessageID("dec9c93b038b4411861dd5271e92681d")
    fileprivate static let threadFreed = MessageID("2fc0b13a58dc43dabc9da38d35b849b6")
    fileprivate static let peerSilent = MessageID("31cb30572586478e84a0d4b04dd01ba1")
    fileprivate static let peerBack = MessageID("daa55e86a2414fb195d972bf33cd0d3d")

    static func started(_ daemon: String, socket: String) -> LogEntry {
        LogEntry(.info, "\(daemon) \(Suite.version) serves on \(socket)", id: daemonStarted)
    }

    static func stopping(_ daemon: String) -> LogEntry {
        LogEntry(.info, "\(daemon) is stopping, as asked", id: daemonStopping)
    }

    static func reloaded(from folder: String) -> LogEntry {
        LogEntry(.notice, "the settings in \(folder) were read again and are in force", id: settingsReloaded)
    }

    static func refused(_ why: String) -> LogEntry {
        LogEntry(.error, "the new settings were refused, the old ones stay in force:\n\(why)", id: settingsRefused)
    }
}

/// Tells once, as journal entries, that a thread is stuck or a peer silent, and once that it is so no more.
struct OwnConditions {
    /// How long a peer must have been silent before it is worth a line: a restart takes less.
    static let silence: Duration = .seconds(1)

    private var stuckThreads: Set<String> = []
    private var silentPeers: Set<String> = []

    /// A peer as the watch sees it.
    struct PeerView: Hashable {
        var daemon: String
        var answers: Bool
        var since: Instant
    }

    /// What changed since the last time, worst first.
    mutating func changes(threads: [ThreadState], peers: [PeerView], now: Instant) -> [LogEntry] {
        var entries: [LogEntry] = []
        for thread in threads where thread.stuck && stuckThreads.insert(thread.name).inserted {
            let message = "the thread \(thread.name) is \(thread.busyMs) ms into its work, past its deadline"
            entries.append(entry(.error, message, OwnJournal.threadStuck, thread: thread.name))
        }
        for peer in peers where !peer.answers && now - peer.since >= Self.silence {
            guard silentPeers.insert(peer.daemon).inserted else { continue }
            let message = "\(peer.daemon) does not answer: what it told is unknown from now on"
            entries.append(entry(.warning, message, OwnJournal.peerSilent, peer: peer.daemon))
        }
        for thread in threads where !thread.stuck && stuckThreads.remove(thread.name) != nil {
            entries.append(
                entry(.notice, "the thread \(thread.name) works again", OwnJournal.threadFreed, thread: thread.name))
        }
        for peer in peers where peer.answers && silentPeers.remove(peer.daemon) != nil {
            entries.append(entry(.notice, "\(peer.daemon) answers again", OwnJournal.peerBack, peer: peer.daemon))
        }
        return entries
    }

    private func entry(
        _ priority: LogEntry.Priority, _ message: String, _ id: MessageID, thread: String? = nil, peer: String? = nil
    ) -> LogEntry {
        var fields: [String: String] = [:]
        fields["MAINSTAY_THREAD"] = thread
        fields["MAINSTAY_PEER"] = peer
        return LogEntry(priority, message, id: id, fields: fields)
    }
}
