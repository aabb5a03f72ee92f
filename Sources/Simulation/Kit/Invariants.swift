import Time
import WatchdogAPI
import WatchdogCore

/// What must hold at every step of every run. Each violation is a sentence with its time; none may ever be found.
package struct Invariants {
    /// How long a hang may last where nothing excuses it (the seed's promise).
    static let recoveryLimit: Duration = .seconds(60)
    /// What was decided before a condition began may still be carried out for this long.
    private static let grace: Duration = .seconds(3)
    /// A starved host is waited for this long, and no longer (DESIGN §7).
    private static let starvedHold: Duration = .seconds(20)

    struct Service {
        var oracle = RestartOracle()
        /// Since when it has not served, without an excuse.
        var troubleSince: Instant?
        var startsUnderWay = 0
        /// Since when an operator has it held, or stopped.
        var operatorSince: Instant?
        /// A restart that an operator asked for is not ours.
        var operatorOrderUntil: Instant?
        /// Until when the next restart brings it to its configuration, at nobody's cost.
        var freeRestartUntil: Instant?
        var worstRecovery: Duration = .zero
        var wasReported = false
        /// Since when watchdogd has been told that a dependency is down, without a break.
        var dependencyDownSince: Instant?
    }

    /// The violations found, in order.
    package private(set) var violations: [String] = []
    var services: [String: Service]
    var starvedSince: Instant?
    private let start: Instant

    init(services: [String], now: Instant) {
        start = now
        self.services = Dictionary(
            uniqueKeysWithValues: services.map { ($0, Service()) })
    }

    mutating func violated(_ what: String, now: Instant) {
        violations.append("\(Simulation.time(now - start)): \(what)")
    }

    /// An order of watchdogd's, as it is given.
    mutating func ordered(_ order: Order, unit: SimulatedUnit, now: Instant) {
        let name = order.service
        guard let service = services[name] else { return }
        switch order.action {
        case .startUnit:
            if service.startsUnderWay > 0 { violated("\(name): two restarts at once", now: now) }
            services[name]?.startsUnderWay += 1
            judgeForce("restart", order, unit, now)
            services[name]?.freeRestartUntil = nil
            if service.freeRestartUntil.map({ now < $0 }) ?? false { break }
            if services[name]?.oracle.restarted(now: now) ?? false, !isOperators(service, now) {
                violated("\(name): a restart beyond the budget", now: now)
            }
        case .killUnit, .killProcess: judgeForce("kill", order, unit, now)
        case .stopUnit:
            // Without a process it only cancels the restart that systemd has planned: what a hold wants (DESIGN §9).
            if unit.hasProcess { judgeForce("stop", order, unit, now) }
        case .setTimer, .cancelTimer, .restoreMemory, .readUnit, .watchProcess, .unwatchProcess, .startProbe,
            .abandonProbe, .sampleProgress, .sampleResources, .collectEvidence, .drain, .keepMemory, .recordIncident,
            .announce, .reloadUnit, .tellActivated, .cancelChange:
            break
        }
    }

    /// The service is brought to its configuration: as an operator's restart, at nobody's cost.
    mutating func changeBegan(_ name: String, now: Instant) {
        services[name]?.operatorOrderUntil = now + .seconds(20)
        services[name]?.freeRestartUntil = now + .seconds(20)
    }

    mutating func startEnded(_ name: String) { services[name]?.startsUnderWay -= 1 }

    private func isOperators(_ service: Service, _ now: Instant) -> Bool {
        service.operatorOrderUntil.map { now < $0 } ?? false
    }

    private mutating func judgeForce(_ what: String, _ order: Order, _ unit: SimulatedUnit, _ now: Instant) {
        let name = order.service
        guard let service = services[name], !isOperators(service, now) else { return }
        if let since = service.operatorSince, now - since > Self.grace {
            violated("\(name): a \(what) while an operator has it", now: now)
        }
        guard let process = unit.process, !process.isDead else { return }
        if process.ailment == .withoutDatabase, let since = service.dependencyDownSince, now - since > Self.grace {
            violated("\(name): a \(what) while a dependency is down", now: now)
        }
        if process.ailment == .saturated { violated("\(name): a \(what) of a saturated service", now: now) }
        if process.ailment == .none, now > process.readyAt + .seconds(20) {
            violated("\(name): a \(what) of a healthy service", now: now)
        }
        if let since = starvedSince, now - since > Self.grace, now - since < Self.starvedHold - Self.grace {
            violated("\(name): a \(what) on a starved host", now: now)
        }
    }

    /// Looks at a service once a second: whether it serves, and what may excuse it.
    mutating func looked(at name: String, serves: Bool, isExcused: Bool, now: Instant) {
        guard var service = services[name] else { return }
        defer { services[name] = service }
        if serves { service.oracle.servedForASecond() }
        if serves || isExcused || service.operatorSince != nil || service.oracle.mayBeEmpty {
            if serves, let since = service.troubleSince {
                service.worstRecovery = max(service.worstRecovery, now - since)
            }
            service.troubleSince = nil
            service.wasReported = false
            return
        }
        let since = service.troubleSince ?? now
        service.troubleSince = since
        if now - since > Self.recoveryLimit, !service.wasReported {
            service.wasReported = true
            violated("\(name): not recovered in 60 s", now: now)
        }
    }
}
