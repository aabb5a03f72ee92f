package import Runtime
package import Settings
package import Time
package import WatchdogCore

/// What runs the guarded units: process 1, or what stands in for it where there is no systemd. It carries out and
/// reports; it decides nothing, and no call of it waits.
@Loop package protocol UnitControl: AnyObject, Sendable {
    /// Begins to connect and to report; `told` is called for every event from then on.
    func begin(told: @escaping @Loop (UnitControlEvent) -> Void)
    /// Reads the unit: `unitSeen`, or `unitUnreadable` within 2 s. From then on each of its changes is reported, too.
    func read(_ unit: String)
    /// Reports of it no more.
    func forget(_ unit: String)
    /// Sends the signal to every process of the unit.
    func kill(_ unit: String, signal: Int32, done: @escaping @Loop (CallResult) -> Void)
    /// Starts the unit, ended or not (see `GuardAction.startUnit`); `done` when the job is.
    func restart(_ unit: String, done: @escaping @Loop (CallResult) -> Void)
    /// Stops the unit, a planned restart included; `done` when the job is.
    func stop(_ unit: String, done: @escaping @Loop (CallResult) -> Void)
    /// Has the unit read its configuration anew (`ExecReload=`); `done` when the job is.
    func reload(_ unit: String, done: @escaping @Loop (CallResult) -> Void)
    /// When the unit last sent `WATCHDOG=1` (sd_notify(3)); nil where nobody knows, as of a unit without
    /// `WatchdogSec=`.
    func lastHeartbeat(of unit: String, answered: @escaping @Loop (Instant?) -> Void)
    /// Runs a hook's program for `service`, with none of watchdogd's powers; `done` when it has ended, well or not.
    func run(
        _ program: CommandSettings, for service: String, time: Duration, done: @escaping @Loop (CallResult) -> Void)
    /// How it is connected, for `status` and the log; nil where it is not.
    var connection: String? { get }
}

/// What a `UnitControl` reports.
package enum UnitControlEvent: Hashable, Sendable {
    case unitSeen(unit: String, UnitView, controlGroup: String)
    case unitUnreadable(unit: String, reason: String)
    /// A job of somebody else has left the unit.
    case foreignJobEnded(unit: String)
    /// Whether the whole host is being stopped.
    case managerSeen(stopping: Bool)
    case connected(String)
    case disconnected(reason: String)
}
