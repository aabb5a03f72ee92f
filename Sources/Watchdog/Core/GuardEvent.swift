package import Time
package import WatchdogAPI

/// Everything that can happen to the guard of one service. The daemon reports facts, in the past tense, and decides
/// nothing: whether a probe was too late, whether a death was somebody's order, whether a figure matters, is the core's.
///
/// An event may come late, twice, or after the state that asked for it has gone: each carries the identity of what it
/// answers (probe, call, process, timer, incident), and one that is no longer waited for changes nothing.
///
/// A case with a large payload is `indirect`: every event is as large as the largest, and most are a timer's or a probe's.
package enum GuardEvent: Hashable, Sendable {
    // MARK: What we asked for

    /// A timer of `setTimer` fired. Fire it as soon as it is due and never drop it: how late it comes tells the core
    /// that watchdogd itself was held up.
    case timerFired(TimerID)
    /// The store's answer to `restoreMemory`: what was kept by `keepMemory`, and the record of the incident that was
    /// open then. Nil where nothing was kept or the store cannot be read or did not answer within 1 s: send it anyway.
    indirect case memoryRestored(GuardMemory?, openIncident: IncidentRecord?)
    /// The probe came to an end, in time or up to 30 s late. Never reported for a probe that was abandoned. A probe that
    /// is not answered needs no report: the core times it.
    case probeFinished(ProbeID, ProbeResult)
    /// The answer to `sampleProgress`.
    indirect case progressSampled(ProgressSample)
    /// The answer to `sampleResources`.
    indirect case resourcesSampled(ResourceSample)
    /// A sample could not be read (no such process, no permission, the `proc` thread is stuck).
    case sampleFailed(ProcessIdentity)
    /// The answer to `collectEvidence`, within 500 ms or not: after that time the core goes on without it, and what
    /// comes later is still added to the record.
    indirect case evidenceCollected(incident: String, EvidenceNote)
    /// A call of `drain`, `killUnit`, `killProcess`, `startUnit`, `stopUnit` or `reloadUnit` came to its end: for systemd's jobs when
    /// JobRemoved said so (`done`, or `failed` with its result), for kills when the call was answered. `timedOut` where
    /// no answer came within the 2 s of a bus call; a job that goes on for longer is not timed out.
    case callFinished(CallID, CallResult)

    // MARK: What systemd and the kernel say

    /// The unit's properties: the answer to `readUnit`, and unasked at each PropertiesChanged, JobNew or JobRemoved that
    /// concerns the unit (coalesced as you like: only the last view counts).
    indirect case unitSeen(UnitView)
    /// A job that no call of ours made has left the unit (JobRemoved), after the views that it led to.
    case foreignJobEnded
    /// `readUnit` brought nothing within 2 s, over the private socket and the bus.
    case unitUnreadable(reason: String)
    /// The pidfd of `watchProcess` became readable (a zombie is dead), or could not be opened since there is no such
    /// process any more. The exit status only where it is known at once; the unit's view tells it later.
    case processExited(ProcessIdentity)
    /// systemd's manager state: `stopping` while the host shuts down. At start and at each change.
    case managerSeen(stopping: Bool)

    // MARK: What the service and the peers say

    /// `heartbeat` was called by the service.
    case heartbeatReceived
    /// The service's own count of served requests, where somebody reads it (metricsd's feed). Optional; it may be
    /// reported at any time. Growth counts from the report before: it needs two within the trouble.
    case servedRequestsSeen(total: Int64)
    /// The dependencies of the service that are down now, from healthd's feed; empty for none.
    case dependenciesSeen(down: [String])
    /// healthd went silent: what it said last is not believed any more. Acts on its own probe alone.
    case dependenciesUnknown
    /// What configd has on trial for the service, or has taken back: at each change of it, and after each of configd's silences
    /// all over again. Nil for nothing. While configd is silent its last word stands, as it does on its disk.
    indirect case changeSeen(ServiceChange?)

    // MARK: What people ask

    /// New settings were read (start, `systemctl reload`).
    indirect case settingsChanged(GuardSettings)
    /// `hold`.
    indirect case holdAsked(reason: String, forDuration: Duration?, by: String)
    /// `release`.
    case releaseAsked(by: String)
    /// `reset`.
    case resetAsked(by: String)
    /// `restartProcess`, `killAndRestart`, `forceRestart`.
    indirect case restartAsked(RestartOrder, by: String)
    /// `gracefulShutdown`: the unit stays stopped.
    indirect case shutdownAsked(timeout: Duration, reason: String?, by: String)
    /// `escalateToOperator`.
    indirect case escalationAsked(issue: String, Severity)
    /// `recordRecoveryEvent`.
    indirect case recoveryReported(action: String, success: Bool, took: Duration?)
    /// Another daemon's id for the open incident (healthd's feed).
    case aliasLearnt(String)

    // MARK: From WatchdogCore alone; a daemon never sends these

    /// The host lacks CPU, or has enough again.
    case hostStarved(Bool, detail: String)
    /// watchdogd itself was held up for this long: probes and windows under way say nothing.
    case ownDelaySeen(Duration)
    /// The host's storm limit lets this service be restarted now.
    case turnGranted
}

/// Who answers a probe: one number a probe, never used twice in a machine's life.
package struct ProbeID: Hashable, Comparable, Sendable {
    package var value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    package static func < (left: ProbeID, right: ProbeID) -> Bool { left.value < right.value }
}

/// One call on systemd or the kernel: one number a call, never used twice in a machine's life.
package struct CallID: Hashable, Sendable {
    package var value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }
}

/// A process that cannot be mistaken for another: its pid, and when it started (field 22 of /proc/<pid>/stat, in clock
/// ticks since boot), since pids are used again.
package struct ProcessIdentity: Hashable, Sendable {
    package var pid: Int32
    package var startTicks: UInt64

    package init(pid: Int32, startTicks: UInt64) {
        self.pid = pid
        self.startTicks = startTicks
    }
}

/// How a probe ended.
package enum ProbeResult: Hashable, Sendable {
    /// The answer that was wanted: `200`.
    case good(detail: String)
    /// Another answer, or none that can be understood: `503 Service Unavailable`, `closed without an answer`.
    case wrong(detail: String)
    /// Nobody listens: ECONNREFUSED, or no socket file.
    case refused
    /// It could not be sent for reasons of ours (no descriptors, no memory): counts neither way.
    case notSent(reason: String)
}

/// The end of a call.
package enum CallResult: Hashable, Sendable {
    case done
    /// systemd's job result or the error's name: `failed`, `canceled`, `org.freedesktop.systemd1.NoSuchUnit`.
    case failed(String)
    /// No answer within 2 s.
    case timedOut
}

/// What the operator asks for with a restart.
package struct RestartOrder: Hashable, Sendable {
    /// How the process is ended.
    package enum Way: Hashable, Sendable {
        /// SIGTERM, `termTimeout`, SIGKILL: `restartProcess`.
        case graceful
        /// This signal, `termTimeout`, SIGKILL: `killAndRestart`.
        case signal(KillSignal)
        /// SIGKILL: `forceRestart`.
        case forced
    }

    package var way: Way
    package var reason: String?

    package init(way: Way, reason: String?) {
        self.way = way
        self.reason = reason
    }
}

/// A unit as systemd describes it: one GetAll, or the properties by name.
package struct UnitView: Hashable, Sendable {
    /// `ActiveState`. `missing` where there is no such unit.
    package enum Active: String, Hashable, Sendable {
        case active, reloading, inactive, failed, activating, deactivating, maintenance, missing
    }

    /// A job that waits or runs on the unit.
    package struct Job: Hashable, Sendable {
        /// `start`, `stop`, `restart`, `reload`, `try-restart`, `verify-active` …
        package var kind: String
        /// Whether it is one that a call of ours made (compare the job's path with the one that the call answered).
        package var ours: Bool

        package init(kind: String, ours: Bool) {
            self.kind = kind
            self.ours = ours
        }
    }

    package var active: Active
    /// `SubState`: `running`, `auto-restart`, `stop-sigterm`, `dead`, `failed` …
    package var sub: String
    /// The main process, with its start time read from /proc; nil where MainPID is 0 or it has gone already.
    package var main: ProcessIdentity?
    /// `ExecMainStartTimestampMonotonic`: when the main process was started, on the clock of `Instant`. Nil for 0.
    package var mainStartedAt: Instant?
    /// `Job`; nil for none.
    package var job: Job?
    /// `Restart`: `always`, `no`, `on-failure` …; nil where it is not known.
    package var restart: String?
    /// `Result`: `success`, `exit-code`, `signal`, `core-dump`, `watchdog`, `oom-kill` …
    package var result: String
    /// `ExecMainStatus`, where `ExecMainCode` is CLD_EXITED.
    package var exitCode: Int32?
    /// `ExecMainStatus`, where `ExecMainCode` is CLD_KILLED or CLD_DUMPED.
    package var exitSignal: Int32?
    /// `InvocationID`: 32 hexadecimal digits, new at each start; nil where it is not known.
    package var invocation: String?

    package init(
        active: Active, sub: String, main: ProcessIdentity? = nil, mainStartedAt: Instant? = nil, job: Job? = nil,
        restart: String? = nil, result: String = "success", exitCode: Int32? = nil, exitSignal: Int32? = nil,
        invocation: String? = nil
    ) {
        self.active = active
        self.sub = sub
        self.main = main
        self.mainStartedAt = mainStartedAt
        self.job = job
        self.restart = restart
        self.result = result
        self.exitCode = exitCode
        self.exitSignal = exitSignal
        self.invocation = invocation
    }
}

/// The main thread's own counters, and the process's, at one moment. All but `taken` are counted since the process
/// started; the core takes differences. Figures that cannot be read are nil, and prove nothing.
package struct ProgressSample: Hashable, Sendable {
    package var process: ProcessIdentity
    /// When they were read: just after the read, by the daemon's clock (the answer may wait in a queue).
    package var taken: Instant
    /// Field 3 of /proc/<pid>/task/<pid>/stat: the main thread's state letter.
    package var state: Character
    /// `num_threads` of /proc/<pid>/stat: a zombie with more than one thread still lives.
    package var threads: Int
    /// `syscr`, `syscw` of /proc/<pid>/task/<pid>/io.
    package var readCalls: Int64?
    package var writeCalls: Int64?
    /// utime and stime of /proc/<pid>/task/<pid>/stat, in milliseconds.
    package var userCpuMs: Int64
    package var kernelCpuMs: Int64
    /// utime + stime of /proc/<pid>/stat, in milliseconds: all threads.
    package var processCpuMs: Int64
    /// `voluntary_ctxt_switches` of /proc/<pid>/task/<pid>/status.
    package var voluntarySwitches: Int64?
    /// `TracerPid` of /proc/<pid>/status; 0 for none.
    package var tracerPid: Int32
    /// Connections waiting at the listening socket (`rx_queue` of its line in /proc/net/tcp, or sock_diag); nil where it
    /// is not looked for. For the record alone.
    package var acceptQueue: Int64?

    package init(
        process: ProcessIdentity, taken: Instant, state: Character, threads: Int = 1, readCalls: Int64?,
        writeCalls: Int64?, userCpuMs: Int64, kernelCpuMs: Int64, processCpuMs: Int64, voluntarySwitches: Int64?,
        tracerPid: Int32 = 0, acceptQueue: Int64? = nil
    ) {
        self.process = process
        self.taken = taken
        self.state = state
        self.threads = threads
        self.readCalls = readCalls
        self.writeCalls = writeCalls
        self.userCpuMs = userCpuMs
        self.kernelCpuMs = kernelCpuMs
        self.processCpuMs = processCpuMs
        self.voluntarySwitches = voluntarySwitches
        self.tracerPid = tracerPid
        self.acceptQueue = acceptQueue
    }
}

/// What the process holds of the host.
package struct ResourceSample: Hashable, Sendable {
    package var process: ProcessIdentity
    package var taken: Instant
    /// Resident set of the main process, in bytes (`statm`).
    package var residentBytes: Int64?
    /// utime + stime of the process, in milliseconds since it started.
    package var processCpuMs: Int64?
    /// Entries of /proc/<pid>/fd (its size is 0 on Debian's own kernel: count them).
    package var openFiles: Int64?
    /// The soft limit of `Max open files` in /proc/<pid>/limits.
    package var openFilesLimit: Int64?

    package init(
        process: ProcessIdentity, taken: Instant, residentBytes: Int64?, processCpuMs: Int64?, openFiles: Int64?,
        openFilesLimit: Int64? = nil
    ) {
        self.process = process
        self.taken = taken
        self.residentBytes = residentBytes
        self.processCpuMs = processCpuMs
        self.openFiles = openFiles
        self.openFilesLimit = openFilesLimit
    }
}
