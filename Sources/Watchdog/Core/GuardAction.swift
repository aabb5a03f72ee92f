package import Time
package import WatchdogAPI

/// What the core orders for one service. The daemon carries each out without judging it, in the order given, and never
/// waits for one before the next: what has an end reports it as an event.
///
/// A case with a large payload is `indirect`: every action is as large as the largest, and most are a timer's.
package enum GuardAction: Hashable, Sendable {
    // MARK: Time

    /// Fire `timerFired` with this id after this long. Ids are unique within a service.
    case setTimer(TimerID, after: Duration)
    /// Forget the timer. It may have fired already; the core knows.
    case cancelTimer(TimerID)

    // MARK: Seeing

    /// Read what was kept for this service and answer `memoryRestored`.
    case restoreMemory
    /// Read the unit and answer `unitSeen` or `unitUnreadable`; from the first one on, report its changes too.
    case readUnit
    /// Open a pidfd on this process and report `processExited`. Check the start time after opening. Replaces the watch
    /// on an earlier process of the service.
    case watchProcess(ProcessIdentity)
    /// Close the pidfd.
    case unwatchProcess
    /// Send one liveness probe on a connection of its own, and leave it open until it is answered or abandoned.
    case startProbe(ProbeID)
    /// Close that probe's connection; no report any more.
    case abandonProbe(ProbeID)
    /// Read the main thread's counters on the `proc` thread: four small files, some 0.05 ms. With the accept queue, which
    /// costs as much again, only where something is wrong: it is for the record.
    case sampleProgress(ProcessIdentity, withQueue: Bool)
    /// Read memory, CPU and open files on the `proc` thread.
    case sampleResources(ProcessIdentity)
    /// Keep what tells why, before force is used: of each thread name, state, wchan and syscall; open files; sockets;
    /// the last figures. At most 500 ms and 64 MiB, 20 bundles kept. Not while the core waits for anything else.
    case collectEvidence(incident: String, ProcessIdentity)

    // MARK: Acting

    /// Let the service end what it is serving (the settings' drain hook); `callFinished` when it has.
    case drain(CallID)
    /// KillUnit, who = `all`, with this signal. Also for a stopped process: SIGKILL ends it in any state; before another
    /// signal to a stopped process nothing needs to be done, since only SIGKILL is sent there.
    case killUnit(CallID, signal: KillSignal)
    /// pidfd_send_signal to the main process: when KillUnit was not answered.
    case killProcess(CallID, ProcessIdentity, signal: KillSignal)
    /// RestartUnit with mode `replace`, not StartUnit: of a unit in `auto-restart` a start job waits for RestartSec
    /// (systemd 252, service_start answers EAGAIN), and of a dead unit a restart is a start.
    case startUnit(CallID)
    /// StopUnit with mode `replace`: cancels the restart that systemd has planned.
    case stopUnit(CallID)
    /// ReloadUnit with mode `replace`.
    case reloadUnit(CallID)

    // MARK: The configuration

    /// Tell configd that the service runs what its files hold, for the change with this number; again until it has heard.
    case tellActivated(Int64, invocation: String)
    /// Tell configd to take the change with this number back; again until it has heard, or the change is over.
    indirect case cancelChange(Int64, why: String)

    // MARK: Keeping and telling

    /// Write it to the store, replacing what was kept for this service. Nothing waits for the disk.
    indirect case keepMemory(GuardMemory)
    /// Write the record to the store, replacing the one with its id.
    indirect case recordIncident(IncidentRecord)
    /// To the feed and the journal (MESSAGE_ID by its name, `MAINSTAY_SERVICE=`, `MAINSTAY_INCIDENT=`). A page is
    /// `operatorCalled`: also to healthd's alerts, when it is there.
    indirect case announce(WatchdogEvent)
}

/// An action and the service it is for: what WatchdogCore's methods answer.
package struct Order: Hashable, Sendable {
    package var service: String
    package var action: GuardAction

    package init(service: String, action: GuardAction) {
        self.service = service
        self.action = action
    }
}
