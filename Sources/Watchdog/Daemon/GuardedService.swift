import Runtime
import Settings
import Time
import WatchdogCore

/// What the daemon holds open for one guarded service: everything that must be closed when it is guarded no longer. It
/// knows no states; those are the core's.
@Loop final class GuardedService {
    let name: String
    var settings: ServiceSettings
    var timers: [TimerID: LoopTimer] = [:]
    /// The process whose end is watched for.
    var watched: ProcessIdentity?
    /// The unit's main process, as last seen.
    var main: ProcessIdentity?
    /// The user that the main process runs as: it may send heartbeats.
    var owner: UInt32?
    /// The unit's path under the cgroup root.
    var controlGroup = ""
    /// What bounds in per cent are per cent of.
    var memoryBytes: Int64?
    var openFilesLimit: Int64?
    /// Probes that wait for the next heartbeat, where heartbeats are the probe.
    var waitingForHeartbeat: [ProbeID] = []
    var lastHeartbeat: Instant?
    /// The incident that the core has open, as told by its events.
    var incident: String?

    init(_ settings: ServiceSettings) {
        name = settings.name
        self.settings = settings
    }

    var unit: String { settings.unit }

    /// The port of the liveness probe, where it is TCP: whose accept queue tells how many wait.
    var port: UInt16? {
        switch settings.liveness?.probe {
        case .http(let endpoint): UInt16(exactly: endpoint.port)
        case .tcp(let endpoint): UInt16(exactly: endpoint.port)
        case .unix, .heartbeat, nil: nil
        }
    }

    func cancelTimers() {
        for timer in timers.values { timer.cancel() }
        timers = [:]
    }
}
