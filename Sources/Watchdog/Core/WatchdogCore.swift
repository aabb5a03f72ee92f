package import Time
package import WatchdogAPI
package import Wire

/// The whole of watchdogd's decisions: one `GuardMachine` a service, and what concerns the host as a whole: starvation,
/// shutdown, and the limit on restarts at once.
///
/// How to drive it: make it from the settings, carry out the orders of `started`, then report every event with its
/// service and carry out the orders in turn. Report the host's pressure each 2 s. Nothing here blocks, reads a clock or
/// draws a random number of its own.
package struct WatchdogCore: Hashable, Sendable {
    /// What holds for the host.
    package struct HostSettings: Hashable, Sendable {
        /// Services that may be in the middle of a restart at once.
        package var restartsAtOnce = 4
        /// CPU pressure (`some avg10` of /proc/pressure/cpu, in per cent) above which the host is starved.
        package var starvedPressurePercent = 60.0
        /// A timer of ours this much too late says the same.
        package var starvedDelay: Duration = .milliseconds(500)

        package init() {}
    }

    /// A core that guards `services`, by name.
    package init(host: HostSettings = HostSettings(), services: [String: GuardSettings]) {
        fatalError()
    }

    /// The first orders: for each service `restoreMemory` and `readUnit`.
    package mutating func started(now: Moment, random: inout SeededRandom) -> [Order] { [] }

    /// Something happened to a service. One that is not guarded (any more) is answered with nothing.
    package mutating func handle(
        _ event: GuardEvent, of service: String, now: Moment, random: inout SeededRandom
    ) -> [Order] { [] }

    /// An operator's wish: `holdAsked`, `releaseAsked`, `resetAsked`, `restartAsked`, `shutdownAsked`,
    /// `escalationAsked`, `recoveryReported`, `heartbeatReceived`. Throws the refusal, and then nothing has changed.
    package mutating func ask(
        _ event: GuardEvent, of service: String, now: Moment, random: inout SeededRandom
    ) throws(RPCError) -> (reply: OperatorReply, orders: [Order]) { fatalError() }

    /// CPU pressure of the host: `some avg10` of /proc/pressure/cpu in per cent, read each 2 s; nil where the kernel has
    /// none.
    package mutating func pressureSeen(
        someAvg10 percent: Double?, now: Moment, random: inout SeededRandom
    ) -> [Order] { [] }

    /// systemd's manager state, for all services.
    package mutating func managerSeen(stopping: Bool, now: Moment, random: inout SeededRandom) -> [Order] { [] }

    /// The settings of all services were read anew: those gone are let go untouched, new ones are adopted.
    package mutating func settingsChanged(
        _ services: [String: GuardSettings], now: Moment, random: inout SeededRandom
    ) -> [Order] { [] }

    /// `status`'s own part.
    package func status(now: Moment) -> WatchdogStatus { fatalError() }

    /// `service`. Throws `unknownService`.
    package func report(of service: String, now: Moment) throws(RPCError) -> ServiceReport { fatalError() }

    /// `checkProcessHealth`. Throws `unknownService`.
    package func processHealth(of service: String, now: Moment) throws(RPCError) -> ProcessHealth { fatalError() }
}
