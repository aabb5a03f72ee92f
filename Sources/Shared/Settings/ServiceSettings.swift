/// What `/etc/mainstay/services/NAME.yaml` says: one guarded service. The name is the file's. Only `unit` must be given.
package struct ServiceSettings: Hashable, Sendable {
    /// The file's name without `.yaml`: what the sockets, the journal and the command line call the service.
    package var name: String
    /// The systemd unit that runs it, with `.service`.
    package var unit: String
    /// The probe that proves that it answers. Nil: only its death and a stop by a signal are noticed.
    package var liveness: LivenessSettings?
    package var limits = LimitsSettings()
    package var recovery = RecoverySettings()
    /// What healthd asks of the service itself; names are unique among checks and dependencies.
    package var checks: [CheckSettings] = []
    /// What it needs to work: a failing dependency explains an incident and never restarts the service.
    package var dependencies: [DependencySettings] = []
    package var config = ServiceConfigSettings()
    /// Where it exports its own figures. Nil: it does not.
    package var metrics: ScrapeSettings?
    /// The databases and caches that it needs, read for their own figures.
    package var infrastructure = InfrastructureSettings()
    package var hooks = HooksSettings()

    package init(name: String, unit: String) {
        self.name = name
        self.unit = unit
    }
}

/// watchdogd's own probe and how its answers are judged.
package struct LivenessSettings: Hashable, Sendable {
    /// What is asked.
    package enum Probe: Hashable, Sendable {
        /// GET; a status of 200 to 399 is good. The host is an address or `localhost`.
        case http(HTTPEndpoint)
        /// A connection that is taken. The host is an address or `localhost`. A wedged process passes as long as its backlog has room.
        case tcp(TCPEndpoint)
        /// A connection to a Unix stream socket that is taken.
        case unix(path: String)
        /// `WATCHDOG=1` of a unit with `WatchdogSec=`, or `heartbeat` on watchdogd's socket, at least once in
        /// `interval`.
        case heartbeat
    }

    package var probe: Probe
    package var interval: Duration = .seconds(2)
    /// A probe without an answer for this long has failed.
    package var timeout: Duration = .seconds(1)
    /// A probe that failed stays open this long: a late answer proves *saturated*.
    package var lateAnswer: Duration = .seconds(30)
    /// Windows of zero progress running that mean *spinning* or *blocked*.
    package var progressWindows = 2
    /// Progress, but neither a late answer nor a served request for this long means *livelocked* (C1 of the seed).
    package var livelockedAfter: Duration = .seconds(30)
    /// Wrong answers, not late ones, among the last `failureWindow` that mean *failing*.
    package var failureThreshold = 3
    package var failureWindow = 5

    package init(probe: Probe) {
        self.probe = probe
    }
}

/// Bounds on what the service uses. Nil: not watched.
package struct LimitsSettings: Hashable, Sendable {
    /// Resident bytes, or per cent of the unit's memory limit (the host's memory where it has none).
    package var memory: LimitSettings?
    /// Per cent of one processor, so 200 % is two.
    package var cpu: LimitSettings?
    /// Open files, or per cent of the process's own limit.
    package var openFiles: LimitSettings?

    package init() {}
}

/// One bound: over it for `holds` without a break leads to `action`.
package struct LimitSettings: Hashable, Sendable {
    /// A share or a figure.
    package enum Bound: Hashable, Sendable {
        /// In per cent of what the limit's own comment names.
        case percent(Double)
        /// Bytes of memory, or a count of open files.
        case absolute(Int64)
    }

    /// What a broken bound leads to.
    package enum Action: String, Hashable, Sendable, CaseIterable {
        /// An event and an alert, nothing else.
        case alert
        /// Drain, stop, start, validate, within the restart budget.
        case restart
    }

    package var bound: Bound
    /// How long it must be over the bound without a break.
    package var holds: Duration = .seconds(60)
    package var action: Action = .alert

    package init(bound: Bound) {
        self.bound = bound
    }
}

/// How the service is brought back, and how often that may be tried.
package struct RecoverySettings: Hashable, Sendable {
    /// From the start of the unit to its first validated health.
    package var startTimeout: Duration = .seconds(15)
    /// Good probes running that validate a recovery.
    package var successThreshold = 2
    /// The drain hook's time, for a loop that still answers.
    package var drainTimeout: Duration = .seconds(5)
    /// From TERM to KILL.
    package var stopTimeout: Duration = .seconds(5)
    package var backoff = BackoffSettings()
    package var budget = BudgetSettings()

    package init() {}
}

/// The wait before a restart: none after validated health, then growing, capped, and reset.
package struct BackoffSettings: Hashable, Sendable {
    package var initial: Duration = .seconds(1)
    package var factor = 2.0
    package var maximum: Duration = .seconds(30)
    /// Each wait is changed at random by up to this many per cent, either way.
    package var jitter = 20.0
    /// Validated health for this long starts from the beginning.
    package var resetAfter: Duration = .seconds(600)

    package init() {}
}

/// A bucket of restarts, kept over restarts of the daemon. Empty, it is asked again at growing intervals and the operator is told.
package struct BudgetSettings: Hashable, Sendable {
    /// How many it holds.
    package var restarts = 5
    /// One comes back this often: 5 in 10 min.
    package var refill: Duration = .seconds(120)
    /// The first wait once it is empty.
    package var retryInitial: Duration = .seconds(60)
    /// The longest.
    package var retryMaximum: Duration = .seconds(300)

    package init() {}
}

/// What a check asks for.
package enum CheckProbe: Hashable, Sendable {
    /// GET, judged by its status and, where given, by a text in its body.
    case http(HTTPCheckSettings)
    /// A connection that is taken.
    case tcp(TCPEndpoint)
    /// A program, judged as Nagios judges its plugins: 0 is good, 1 a warning, 2 critical, 3 unknown, anything else critical, but
    /// for 126 and 127 (it could not be run): unknown.
    case command(CommandSettings)
}

/// A GET and what its answer must be.
package struct HTTPCheckSettings: Hashable, Sendable {
    package var endpoint: HTTPEndpoint
    /// Statuses that are good.
    package var expectStatus: [ClosedRange<Int>] = [200...399]
    /// A text that the first 64 KiB of the body must hold.
    package var expectBody: String?

    package init(endpoint: HTTPEndpoint) {
        self.endpoint = endpoint
    }
}

/// A program of the user's, run without a shell and never with a daemon's own powers.
package struct CommandSettings: Hashable, Sendable {
    /// The program's absolute path, then its arguments.
    package var arguments: [String]
    /// The user that it runs as.
    package var user: String

    package init(arguments: [String], user: String) {
        self.arguments = arguments
        self.user = user
    }
}

/// One of healthd's checks: what is asked, how often, and when an answer counts.
package struct CheckSettings: Hashable, Sendable {
    package var name: String
    package var probe: CheckProbe
    /// With the three rounds of `failureThreshold` and one timeout, a failure is told within 18 s: R3.3 asks for 30 s.
    package var interval: Duration = .seconds(5)
    package var timeout: Duration = .seconds(2)
    /// Tries more, within one round, before a failure counts.
    package var retries = 0
    /// Good rounds running until it is good again.
    package var successThreshold = 1
    /// Bad rounds running until it is bad.
    package var failureThreshold = 3
    /// True: its failure makes the service unhealthy; false: degraded.
    package var critical = true

    package init(name: String, probe: CheckProbe) {
        self.name = name
        self.probe = probe
    }
}

/// Another service that this one needs, with the check that tells of it.
package struct DependencySettings: Hashable, Sendable {
    /// How it is checked; `check.name` is the dependency's name. Not critical means that the service works on without it.
    package var check: CheckSettings

    package init(check: CheckSettings) {
        self.check = check
    }
}

/// The files that configd keeps for this service.
package struct ServiceConfigSettings: Hashable, Sendable {
    package var files: [ConfigFileSettings] = []
    /// A write that drops more than this many per cent of a file's keys or bytes is refused unless forced.
    package var maximumShrink = 30.0
    /// What every change of one of the files must please before it is written. Nil: nothing.
    package var validator: ValidatorSettings?
    /// Names of keys whose values no output shows: `*` is any run of characters, `?` any one. Nil: those that sound like
    /// secrets.
    package var secrets: [String]?
    /// What a change on trial needs so that the service takes it up, for files that do not say their own.
    package var activation = ActivationSettings.nothing
    /// Feature flags and chaos settings, each rendered in one of the files.
    package var flags: [FlagSettings] = []
    /// Whether chaos settings may be anything but their defaults.
    package var chaosAllowed = false

    package init() {}
}

/// A program that looks at a file's next content before it is written, and refuses it by any exit status but 0.
package struct ValidatorSettings: Hashable, Sendable {
    /// An argument `{}` stands for the path of the content.
    package var command: CommandSettings
    /// After this it is killed, and the change refused.
    package var timeout: Duration = .seconds(10)

    package init(command: CommandSettings) {
        self.command = command
    }
}

/// How a service is brought to files that changed.
package enum ActivationSettings: String, Hashable, Sendable, CaseIterable {
    /// It reads them by itself, or whoever changes them sees to it.
    case nothing
    /// A signal to the unit's main process.
    case signalHUP = "signal HUP"
    case signalUSR1 = "signal USR1"
    case signalUSR2 = "signal USR2"
    /// systemd's reload of the unit (`ExecReload=`).
    case reload
    case restart
}

/// One file of the service's configuration.
package struct ConfigFileSettings: Hashable, Sendable {
    /// What the file is, and so by which keys it is changed.
    package enum Format: String, Hashable, Sendable, CaseIterable {
        /// Lines of `KEY=VALUE`.
        case env
        /// JSON, by pointers.
        case json
        /// Anything, as a whole.
        case whole
    }

    /// Who reads a file of lines. No two of them read every line alike, so configd writes what all that are named read the same.
    package enum Reader: String, Hashable, Sendable, CaseIterable {
        case nodeDotenv = "node-dotenv"
        case nodeEnvFile = "node-env-file"
        case pythonDotenv = "python-dotenv"
        case systemd
        case compose
        case docker
        case sh
    }

    /// What becomes of changes that are not made through configd. One that corrupts the file never stays.
    package enum OutsideChange: String, Hashable, Sendable, CaseIterable {
        /// They become versions.
        case adopt
        /// They are kept in the quarantine, and the last version is put back.
        case restore
    }

    package var path: String
    package var format = Format.env
    /// Without meaning where the format is not `env`.
    package var readers: [Reader] = [.systemd]
    /// What its keys may hold. Nil: anything.
    package var schema: SchemaSettings?
    /// As the service's `validator`, for this file alone.
    package var validator: ValidatorSettings?
    /// As the service's `activation`, for this file alone.
    package var activation: ActivationSettings?
    package var onOutsideChange = OutsideChange.adopt

    package init(path: String) {
        self.path = path
    }
}

/// Where metricsd reads the service's own figures, in Prometheus' text format.
package struct ScrapeSettings: Hashable, Sendable {
    /// Its host is an address or `localhost`, or it is a socket.
    package var scrape: ScrapePlace
    package var interval: Duration = .seconds(5)
    package var timeout: Duration = .seconds(2)
    /// The counter of requests that it served: its growth proves that it works.
    package var requestsTotal: String?

    package init(scrape: ScrapePlace) {
        self.scrape = scrape
    }
}

/// The user's own actions. Nil: that step is skipped.
package struct HooksSettings: Hashable, Sendable {
    /// Stops taking new work and finishes what is under way.
    package var drain: HookSettings?
    /// Tells a person.
    package var escalate: HookSettings?

    package init() {}
}

/// One action of the user's.
package struct HookSettings: Hashable, Sendable {
    /// What is done.
    package enum Action: Hashable, Sendable {
        case command(CommandSettings)
        /// POST without a body; 200 to 299 is good. The host is an address or `localhost`.
        case http(HTTPEndpoint)
        /// A signal to the unit's main process, by its number.
        case signal(Int32)
    }

    package var action: Action
    /// After this long it has failed; a command is killed.
    package var timeout: Duration = .seconds(5)

    package init(action: Action) {
        self.action = action
    }
}
