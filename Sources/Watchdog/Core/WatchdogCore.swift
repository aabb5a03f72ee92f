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
        /// The longest that force is held back for it.
        package var starvedHold: Duration = .seconds(20)

        package init() {}
    }

    private var host: HostSettings
    private var guards: [String: GuardMachine] = [:]
    private var gate = HostGate()
    /// Whether the guards were told that the host is starved.
    private var isStarved = false
    private var isStopping = false
    /// Services that wait for a turn, the longest wait first.
    private var queue: [String] = []
    private var pending: [String: GuardSettings]

    /// A core that guards `services`, by name.
    package init(host: HostSettings = HostSettings(), services: [String: GuardSettings]) {
        self.host = host
        pending = services
        gate.longestHold = host.starvedHold
    }

    /// The names of the services that are guarded, sorted.
    package var services: [String] { guards.keys.sorted() }

    /// The first orders: for each service `restoreMemory` and `readUnit`.
    package mutating func started(now: Moment) -> [Order] {
        defer { pending = [:] }
        return pending.sorted { $0.key < $1.key }.flatMap { add($0.key, $0.value, now: now) }
    }

    private mutating func add(_ service: String, _ settings: GuardSettings, now: Moment) -> [Order] {
        var machine = GuardMachine(service: service, settings: settings, now: now)
        var actions = machine.start(now: now)
        if isStarved { actions += machine.apply(.hostStarved(true, detail: gate.detail), now: now) }
        if isStopping { actions += machine.apply(.managerSeen(stopping: true), now: now) }
        guards[service] = machine
        return actions.map { Order(service: service, action: $0) }
    }

    /// Something happened to a service. One that is not guarded (any more) is answered with nothing.
    package mutating func handle(_ event: GuardEvent, of service: String, now: Moment) -> [Order] {
        guard let place = guards.index(forKey: service) else { return [] }
        var orders: [Order] = []
        if case .timerFired(let id) = event,
            let late = withGuard(at: place, { $0.lateness(of: id, now: now) }), late > host.starvedDelay
        {
            orders += delaySeen(late, now: now)
        }
        orders += settleGate(now: now)
        orders += apply(event, to: service, now: now)
        orders += grantTurns(now: now)
        return orders
    }

    /// An operator's wish: `holdAsked`, `releaseAsked`, `resetAsked`, `restartAsked`, `shutdownAsked`,
    /// `escalationAsked`, `recoveryReported`, `heartbeatReceived`. Throws the refusal, and then nothing has changed.
    package mutating func ask(
        _ event: GuardEvent, of service: String, now: Moment
    ) throws(RPCError) -> (reply: OperatorReply, orders: [Order]) {
        guard let machine = guards[service] else { throw .unknownService(service) }
        if let objection = machine.objection(to: event) { throw objection }
        let orders = handle(event, of: service, now: now)
        let after = guards[service] ?? machine
        let reply = OperatorReply(
            service: service, condition: after.condition, incident: after.openRecord?.id)
        return (reply, orders)
    }

    private mutating func apply(_ event: GuardEvent, to service: String, now: Moment) -> [Order] {
        guard let place = guards.index(forKey: service) else { return [] }
        let (actions, wantsTurn) = withGuard(at: place) { ($0.apply(event, now: now), $0.wantsTurn) }
        if wantsTurn, !queue.contains(service) { queue.append(service) }
        return actions.map { Order(service: service, action: $0) }
    }

    /// A guard where it lies, to read or to change: it has some 2.6 KB, which would be copied out and back at each event.
    private mutating func withGuard<Seen>(
        at place: [String: GuardMachine].Index, _ body: (inout GuardMachine) -> Seen
    ) -> Seen {
        body(&guards.values[place])
    }

    private mutating func applyToAll(_ event: GuardEvent, now: Moment) -> [Order] {
        services.flatMap { apply(event, to: $0, now: now) }
    }

    // MARK: The host

    /// CPU pressure of the host: `some avg10` of /proc/pressure/cpu in per cent, read each 2 s; nil where the kernel has
    /// none.
    package mutating func pressureSeen(someAvg10 percent: Double?, now: Moment) -> [Order] {
        gate.pressureSeen(percent, limit: host.starvedPressurePercent, at: now.instant)
        return settleGate(now: now) + grantTurns(now: now)
    }

    private mutating func delaySeen(_ late: Duration, now: Moment) -> [Order] {
        let voids = gate.voidsProbes(at: now.instant)
        gate.delaySeen(late, limit: host.starvedPressurePercent, at: now.instant)
        return voids ? applyToAll(.ownDelaySeen(late), now: now) : []
    }

    /// Tells the guards when the gate has closed or opened.
    private mutating func settleGate(now: Moment) -> [Order] {
        gate.update(limit: host.starvedPressurePercent, at: now.instant)
        let holds = gate.holds(at: now.instant)
        guard holds != isStarved else { return [] }
        isStarved = holds
        return applyToAll(.hostStarved(holds, detail: gate.detail), now: now)
    }

    /// systemd's manager state, for all services.
    package mutating func managerSeen(stopping: Bool, now: Moment) -> [Order] {
        isStopping = stopping
        return applyToAll(.managerSeen(stopping: stopping), now: now) + grantTurns(now: now)
    }

    /// Gives the turns that are free to those that have waited longest: never more restarts at once than the host's
    /// limit, whatever happens to all services together (1,655 restarts in 4 h took a peer's alerting down, FACTS §7).
    private mutating func grantTurns(now: Moment) -> [Order] {
        guard !queue.isEmpty else { return [] }
        queue.removeAll { guards[$0]?.wantsTurn != true }
        var orders: [Order] = []
        while !queue.isEmpty, turnsHeld < host.restartsAtOnce {
            orders += apply(.turnGranted, to: queue.removeFirst(), now: now)
        }
        return orders
    }

    private var turnsHeld: Int { guards.values.count { $0.holdsTurn } }

    /// The settings of all services were read anew: those gone are let go untouched, new ones are adopted. A service
    /// whose unit is another is a new one.
    package mutating func settingsChanged(_ services: [String: GuardSettings], now: Moment) -> [Order] {
        var orders: [Order] = []
        for service in self.services {
            guard let settings = services[service], settings.unit == guards[service]?.settings.unit else {
                orders += letGo(service)
                continue
            }
            orders += apply(.settingsChanged(settings), to: service, now: now)
        }
        for (service, settings) in services.sorted(by: { $0.key < $1.key }) where guards[service] == nil {
            orders += add(service, settings, now: now)
        }
        return orders + grantTurns(now: now)
    }

    /// The unit and its process are left as they are; the daemon closes what it holds of them.
    private mutating func letGo(_ service: String) -> [Order] {
        guard var machine = guards.removeValue(forKey: service) else { return [] }
        return machine.letGo().map { Order(service: service, action: $0) }
    }

    // MARK: Reports

    /// `status`'s own part.
    package func status(now: Moment) -> WatchdogStatus {
        WatchdogStatus(
            services: summaries(now: now), hostStarved: isStarved, hostStopping: isStopping,
            restartsUnderWay: Int64(turnsHeld), restartsWaiting: Int64(queue.count))
    }

    /// `services`.
    package func summaries(now: Moment) -> [ServiceSummary] {
        services.compactMap { guards[$0]?.summary(now: now) }
    }

    /// `service`. Throws `unknownService`.
    package func report(of service: String, now: Moment) throws(RPCError) -> ServiceReport {
        guard let machine = guards[service] else { throw .unknownService(service) }
        return machine.report(now: now)
    }

    /// `checkProcessHealth`. Throws `unknownService`.
    package func processHealth(of service: String, now: Moment) throws(RPCError) -> ProcessHealth {
        guard let machine = guards[service] else { throw .unknownService(service) }
        return machine.health(now: now)
    }

    /// A copy of one guard, to look into.
    func machine(_ service: String) -> GuardMachine? { guards[service] }

    /// The open incident of a service; the store may be behind it.
    package func openIncident(of service: String) -> IncidentRecord? { guards[service]?.openRecord }
}
