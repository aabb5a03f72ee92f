import Settings
import Time
import WatchdogCore

extension GuardSettings {
    /// What a service's settings mean to its guard. Bounds in per cent need to know of what: `memoryBytes` is the
    /// unit's memory limit or the host's memory, `openFiles` the process's own limit; while that is not known the bound
    /// is not watched.
    init(_ service: ServiceSettings, memoryBytes: Int64?, openFiles: Int64?, mayAct: Bool) {
        self.init(unit: service.unit)
        self.mayAct = mayAct
        hasProbe = service.liveness != nil
        if let liveness = service.liveness {
            probeInterval = liveness.interval
            probeTimeout = liveness.timeout
            lateAnswer = liveness.lateAnswer
            progressWindows = liveness.progressWindows
            livelockedAfter = liveness.livelockedAfter
            failureThreshold = liveness.failureThreshold
            failureWindow = liveness.failureWindow
        }
        let recovery = service.recovery
        startTimeout = recovery.startTimeout
        goodProbesToValidate = recovery.successThreshold
        canDrain = service.hooks.drain != nil
        drainTimeout = recovery.drainTimeout
        termTimeout = recovery.stopTimeout
        budgetCapacity = recovery.budget.restarts
        budgetRefill = recovery.budget.refill
        halfOpenFirst = recovery.budget.retryInitial
        halfOpenCap = recovery.budget.retryMaximum
        backoffFirst = recovery.backoff.initial
        backoffFactor = recovery.backoff.factor
        backoffJitterPercent = recovery.backoff.jitter
        backoffCap = recovery.backoff.maximum
        backoffReset = recovery.backoff.resetAfter
        memoryLimit = Self.limit(service.limits.memory, whole: memoryBytes)
        cpuLimit = Self.limit(service.limits.cpu, whole: 100)
        filesLimit = Self.limit(service.limits.openFiles, whole: openFiles)
    }

    private static func limit(_ settings: LimitSettings?, whole: Int64?) -> Limit? {
        guard let settings else { return nil }
        let value: Double
        switch settings.bound {
        case .absolute(let absolute): value = Double(absolute)
        case .percent(let percent):
            guard let whole else { return nil }
            value = Double(whole) * percent / 100
        }
        let action: LimitAction =
            switch settings.action {
            case .alert: .warn
            case .restart: .restart
            }
        return Limit(value: value, sustained: settings.holds, action: action)
    }
}

extension WatchdogCore.HostSettings {
    /// What the daemon's own settings mean to the core.
    init(_ settings: WatchdogdSettings) {
        self.init()
        starvedPressurePercent = settings.starvedHost.cpuPressure
        starvedDelay = settings.starvedHost.tickDelay
        starvedHold = settings.starvedHost.hold
    }
}
