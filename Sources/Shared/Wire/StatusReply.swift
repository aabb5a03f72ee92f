/// A daemon's `status`: a head that is the same for all, and a part of its own.
package struct StatusReply<Own: WireObject>: WireObject {
    package var head: StatusHead
    /// The concern's own part, under the key `own`.
    package var own: Own

    package init(head: StatusHead, own: Own) {
        self.head = head
        self.own = own
    }

    package init(from fields: inout Fields) throws(WireError) {
        head = try StatusHead(from: &fields)
        own = try fields.value("own")
    }

    package func write(to object: inout ObjectWriter) {
        head.write(to: &object)
        object.member("own", own)
    }
}

/// What every daemon says of itself.
package struct StatusHead: WireObject {
    /// The daemon's condition.
    package enum Condition: String, WireValue, CaseIterable {
        case running
        /// A thread missed its deadline; `threads` says which.
        case stuck
        case stopping
    }

    /// `watchdogd`
    package var daemon: String
    /// The suite's version.
    package var version: String
    package var pid: Int64
    package var condition: Condition
    /// Milliseconds since the daemon was ready.
    package var upMs: Int64
    /// Where the settings came from, and why the last reload was refused, if it was.
    package var settings: SettingsState
    package var peers: [PeerState]
    package var threads: [ThreadState]

    package init(
        daemon: String, version: String, pid: Int64, condition: Condition, upMs: Int64, settings: SettingsState,
        peers: [PeerState], threads: [ThreadState]
    ) {
        self.daemon = daemon
        self.version = version
        self.pid = pid
        self.condition = condition
        self.upMs = upMs
        self.settings = settings
        self.peers = peers
        self.threads = threads
    }

    package init(from fields: inout Fields) throws(WireError) {
        daemon = try fields.value("daemon")
        version = try fields.value("version")
        pid = try fields.value("pid")
        condition = try fields.value("condition")
        upMs = try fields.value("upMs")
        settings = try fields.value("settings")
        peers = try fields.value("peers")
        threads = try fields.value("threads")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("daemon", daemon)
        object.member("version", version)
        object.member("pid", pid)
        object.member("condition", condition)
        object.member("upMs", upMs)
        object.member("settings", settings)
        object.member("peers", peers)
        object.member("threads", threads)
    }
}

/// Which settings are in force.
package struct SettingsState: WireObject {
    /// The folder that was read.
    package var path: String
    /// When the settings in force were read, in milliseconds since 1970.
    package var loadedAtMs: Int64
    /// Why the last reload was refused (`file:line:column: …`); nil where it was not.
    package var refused: String?

    package init(path: String, loadedAtMs: Int64, refused: String? = nil) {
        self.path = path
        self.loadedAtMs = loadedAtMs
        self.refused = refused
    }

    package init(from fields: inout Fields) throws(WireError) {
        path = try fields.value("path")
        loadedAtMs = try fields.value("loadedAtMs")
        refused = try fields.optional("refused")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("path", path)
        object.member("loadedAtMs", loadedAtMs)
        object.member("refused", refused)
    }
}

/// A peer as this daemon sees it.
package struct PeerState: WireObject {
    package var daemon: String
    /// False where it cannot be reached or let a call pass its deadline.
    package var answers: Bool
    /// Since when it is so, in milliseconds since 1970.
    package var sinceMs: Int64

    package init(daemon: String, answers: Bool, sinceMs: Int64) {
        self.daemon = daemon
        self.answers = answers
        self.sinceMs = sinceMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        daemon = try fields.value("daemon")
        answers = try fields.value("answers")
        sinceMs = try fields.value("sinceMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("daemon", daemon)
        object.member("answers", answers)
        object.member("sinceMs", sinceMs)
    }
}

/// A named thread that may block.
package struct ThreadState: WireObject {
    package var name: String
    /// True where its current job has passed its deadline.
    package var stuck: Bool
    /// Jobs that wait.
    package var waiting: Int
    /// How long the current job has run, in milliseconds; 0 where the thread is idle.
    package var busyMs: Int64

    package init(name: String, stuck: Bool, waiting: Int, busyMs: Int64) {
        self.name = name
        self.stuck = stuck
        self.waiting = waiting
        self.busyMs = busyMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        name = try fields.value("name")
        stuck = try fields.value("stuck")
        waiting = try fields.value("waiting")
        busyMs = try fields.value("busyMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("name", name)
        object.member("stuck", stuck)
        object.member("waiting", waiting)
        object.member("busyMs", busyMs)
    }
}
