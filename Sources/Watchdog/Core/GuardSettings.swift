/// What the settings of one service mean to its guard. The defaults are the table of DESIGN §7.
package struct GuardSettings: Hashable, Sendable {
    /// What happens at a limit.
    package enum LimitAction: Hashable, Sendable {
        /// Tell, at the soft and at the hard limit.
        case warn
        /// Tell at the soft limit, restart at the hard one (the way of *failing*).
        case restart
    }

    /// A limit on one resource. Soft at 80 % of it, for 10 s; hard above it, for `sustained`.
    package struct Limit: Hashable, Sendable {
        /// Bytes, per cent of one CPU, or files.
        package var value: Double
        /// How long it must be passed without a break before `action`.
        package var sustained: Duration
        package var action: LimitAction

        package init(value: Double, sustained: Duration = .seconds(60), action: LimitAction = .warn) {
            self.value = value
            self.sustained = sustained
            self.action = action
        }
    }

    /// The unit's name: `gateway.service`.
    package var unit: String
    /// From one probe's start to the next.
    package var probeInterval: Duration = .seconds(2)
    /// After this long an unanswered probe is *late*.
    package var probeTimeout: Duration = .seconds(1)
    /// A late probe stays open for this long: its answer is what tells *saturated* from a hang.
    package var lateAnswer: Duration = .seconds(30)
    /// Windows without progress that make a wedge; the first is one timeout long (see ProgressWindow).
    package var progressWindows = 2
    /// No answer at all for this long, late or not: *livelocked*, *blocked* or *unknown*, whatever the counters say.
    package var livelockedAfter: Duration = .seconds(30)
    /// So many of the last `failureWindow` probes wrong are *failing*, so many late and some answered are *saturated*.
    package var failureThreshold = 3
    package var failureWindow = 5
    /// Whether there is a probe at all; without one only death, stop and limits are seen.
    package var hasProbe = true
    /// How long a start may take: from the start of the process to its first good answer, and for systemd's job.
    package var startTimeout: Duration = .seconds(15)
    /// Good answers in a row that prove a recovery.
    package var goodProbesToValidate = 3
    /// Whether the service has a drain hook.
    package var canDrain = false
    package var drainTimeout: Duration = .seconds(5)
    /// From SIGTERM to SIGKILL.
    package var termTimeout: Duration = .seconds(5)
    /// The longest that evidence may take.
    package var evidenceTimeout: Duration = .milliseconds(500)
    /// RestartSec of the unit's drop-in: systemd starts a dead unit by itself after this long unless it is stopped.
    package var systemdRestartDelay: Duration = .seconds(15)
    /// Memory of the main process, in bytes.
    package var memoryLimit: Limit?
    /// CPU of the process, in per cent of one CPU.
    package var cpuLimit: Limit?
    /// Open files.
    package var filesLimit: Limit?
    /// The restart budget: this many at once, refilled one in `budgetRefill` of validated health.
    package var budgetCapacity = 5
    package var budgetRefill: Duration = .seconds(120)
    /// The back-off: nothing, then this, times `backoffFactor` each time up to `backoffCap`, plus or minus the jitter.
    package var backoffFirst: Duration = .seconds(1)
    package var backoffFactor = 2.0
    package var backoffJitterPercent = 20.0
    package var backoffCap: Duration = .seconds(30)
    /// Validated health for this long forgets the back-off.
    package var backoffReset: Duration = .seconds(600)
    /// Slow tries when the budget is empty: from this, doubled, up to `halfOpenCap`.
    package var halfOpenFirst: Duration = .seconds(60)
    package var halfOpenCap: Duration = .seconds(300)
    /// False (the settings' `observe: true`, or `--dry-run`): everything is seen and told, nothing is done.
    package var mayAct = true

    package init(unit: String) {
        self.unit = unit
    }
}
