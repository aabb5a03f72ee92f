/// What systemd knows of one unit (org.freedesktop.systemd1(5)), as far as a supervisor decides by it.
package struct UnitState: Hashable, Sendable {
    /// `gateway.service`.
    package var name: String
    /// `loaded`, `not-found`, `masked`, …
    package var loadState = ""
    /// `active`, `activating`, `deactivating`, `inactive`, `failed`, `reloading`, `maintenance`.
    package var activeState = ""
    /// `running`, `dead`, `auto-restart`, `start-pre`, …: the service's own state under `activeState`.
    package var subState = ""
    /// `Restart=`: `always`, `no`, `on-failure`, …; empty until it was read.
    package var restart = ""
    /// `success`, `exit-code`, `signal`, `core-dump`, `watchdog`, `oom-kill`, `start-limit-hit`, …
    package var result = ""
    /// 0 while there is none.
    package var mainPid: Int32 = 0
    /// When the main process was started, in microseconds of CLOCK_MONOTONIC; 0 while it never was.
    package var mainStartedUsec: UInt64 = 0
    /// CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3; 0 while the main process runs or never ran.
    package var exitCode: Int32 = 0
    /// The exit status or, for a killed process, the signal.
    package var exitStatus: Int32 = 0
    /// How often systemd itself restarted the unit since its last start by job.
    package var restarts: UInt32 = 0
    /// 32 hexadecimal digits, new at each start; empty while the unit was never started.
    package var invocation = ""
    /// The queued job's id; 0 for none.
    package var job: UInt32 = 0
    /// The queued job's kind: `start`, `stop`, `restart`, …; empty for none, or where it was over before it could be
    /// read.
    package var jobKind = ""
    /// Path under the cgroup root, as `/system.slice/gateway.service`.
    package var controlGroup = ""

    package init(name: String) {
        self.name = name
    }
}

/// What process 1 told us, in the order in which it did.
package enum ProcessOneEvent: Hashable, Sendable {
    /// A connection stands; the states of all followed units come next.
    case connected(ProcessOne.Route)
    /// The connection ended, or none could be made; it is tried again by itself.
    case disconnected(reason: String)
    /// A followed unit's state: once after each connect, and at each change.
    case unitChanged(UnitState)
    /// A job ended: `done`, `canceled`, `timeout`, `failed`, `dependency`, `skipped`.
    case jobRemoved(id: UInt32, unit: String, result: String)
    /// `initializing`, `starting`, `running`, `degraded`, `maintenance`, `stopping`.
    case systemState(String)
}

/// Why a call to process 1 gave nothing.
package struct ProcessOneFailure: Error, Hashable, Sendable {
    /// The D-Bus error's name, or one of ours: `mainstay.NotConnected`, `mainstay.NotSent`, `mainstay.TimedOut`,
    /// `mainstay.Disconnected`, `mainstay.NotFollowed`.
    package var name: String
    package var message: String
    /// Whether process 1 itself said nothing.
    package var isOurs: Bool { name.hasPrefix("mainstay.") }

    package init(name: String, message: String) {
        self.name = name
        self.message = message
    }

    /// Nothing was sent.
    package static let notConnected = ProcessOneFailure(
        name: "mainstay.NotConnected", message: "no connection to process 1")
    /// It was sent and may still be done.
    package static let timedOut = ProcessOneFailure(
        name: "mainstay.TimedOut", message: "process 1 did not answer in time")
    /// The unit was let go while it was read.
    package static let notFollowed = ProcessOneFailure(
        name: "mainstay.NotFollowed", message: "the unit is not followed any more")
    /// It was sent and may have been done.
    package static let disconnected = ProcessOneFailure(
        name: "mainstay.Disconnected", message: "the connection to process 1 ended before the answer")
}
