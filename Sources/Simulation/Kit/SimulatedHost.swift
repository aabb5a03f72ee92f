import Time

/// What all simulated daemons share of the host.
final class SimulatedHost {
    /// `some avg10` of /proc/pressure/cpu, in per cent.
    var cpuPressure = 2.0
    /// How late every timer of a daemon comes; a starved host's is over 500 ms.
    var timerDelay: Duration = .microseconds(100)
    /// Nothing can be kept.
    var diskIsFull = false
    /// PostgreSQL is down: the service answers with errors, and no restart would help.
    var databaseIsDown = false

    var isStarved: Bool { cpuPressure > 60 || timerDelay > .milliseconds(500) }
}
