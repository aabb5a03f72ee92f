import ConfigAPI
import HealthAPI
import HealthCore
import Time
import WatchdogAPI
import WatchdogCore
import Wire

/// One simulated host with the real cores of the daemons in it, and faults drawn from a seed. Safety is checked at each step;
/// at the end the world is healed and must converge.
package final class Simulation {
    /// The two guarded services: as the reference gateway, and one more, so that what concerns the host is seen.
    package static let services = ["gateway", "worker"]
    static let databaseCheck = "postgres"
    /// After the last fault, how long the healed world has to come to rest: longer than the longest half-open wait, the
    /// starved hold, and a start.
    package static let healing: Duration = .seconds(1200)

    let timeline = Timeline()
    private let host = SimulatedHost()
    private let units: [String: SimulatedUnit]
    private let watchdog: SimulatedWatchdog
    private let health: SimulatedHealth
    private let config: SimulatedConfig
    private let metrics: SimulatedMetrics
    private var plan: FaultPlan
    private var invariants: Invariants
    private var watchdogBackAt: Instant?
    private let start: Instant
    package private(set) var report: Report
    /// Told of everything that people would hear, with its time since the start.
    package var onLine: (String) -> Void = { _ in }

    /// What a run came to.
    package struct Report: Hashable, Sendable {
        package var seed: UInt64
        package var digest = Digest()
        package var faults = 0
        package var restarts = 0
        package var incidents = 0
        package var pages = 0
        /// Seconds looked at and seconds served, over all services, trouble that operators made aside.
        package var secondsExpected = 0
        package var secondsServed = 0
        package var worstRecovery: Duration = .zero
        package var steps = 0
        package var violations: [String] = []

        /// The share of seconds served, of those that no operator, dependency or crash loop took.
        package var availability: Double {
            secondsExpected == 0 ? 1 : Double(secondsServed) / Double(secondsExpected)
        }
    }

    package init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let timeline = timeline
        let host = host
        var units: [String: SimulatedUnit] = [:]
        for name in Self.services {
            units[name] = SimulatedUnit(
                name: "\(name).service", timeline: timeline, startTime: .milliseconds(600), random: random.split())
        }
        self.units = units
        watchdog = SimulatedWatchdog(
            timeline: timeline, host: host, units: units, settings: Self.guardSettings, random: random.split())
        health = SimulatedHealth(
            timeline: timeline, host: host, units: units, config: Self.healthConfig, random: random.split())
        plan = FaultPlan(services: Self.services, random: random.split())
        config = SimulatedConfig(timeline: timeline, host: host, random: random.split())
        metrics = SimulatedMetrics(timeline: timeline, host: host, random: random.split())
        start = timeline.now
        invariants = Invariants(services: Self.services, now: timeline.now)
        report = Report(seed: seed)
        connect()
    }

    private static var guardSettings: [String: GuardSettings] {
        var settings: [String: GuardSettings] = [:]
        for name in services { settings[name] = GuardSettings(unit: "\(name).service") }
        return settings
    }

    private static var healthConfig: HealthConfig {
        HealthConfig(
            services: services.map { name in
                let http = HTTPProbe(host: "127.0.0.1", port: 3000, target: "/health")
                var checks = [CheckConfig(name: "http", probe: .http(http))]
                var dependencies: [DependencyConfig] = []
                if name == "gateway" {
                    let tcp = TCPProbe(host: "127.0.0.1", port: 5432)
                    checks.append(CheckConfig(name: databaseCheck, probe: .tcp(tcp), dependency: databaseCheck))
                    dependencies.append(DependencyConfig(databaseCheck))
                }
                return ServiceConfig(name: name, checks: checks, dependencies: dependencies)
            })
    }

    /// Time since the start as people read it: `3:07:12.250`.
    static func time(_ duration: Duration) -> String {
        let all = duration.milliseconds
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let millis = String(all % 1000 + 1000).dropFirst()
        return "\(all / 3_600_000):\(two(all / 60_000 % 60)):\(two(all / 1000 % 60)).\(millis)"
    }

    private func line(_ text: String) { onLine("\(Self.time(timeline.now - start)) \(text)") }

    // MARK: Wiring

    private func connect() {
        watchdog.onOrder = { [unowned self] order in ordered(order) }
        watchdog.onStartEnded = { [unowned self] service in invariants.startEnded(service) }
        health.onNews = { [unowned self] news in heard(news) }
        config.onNews = { [unowned self] news in heard("config", news) }
        config.onBroken = { [unowned self] problem in invariants.violated(problem, now: timeline.now) }
        config.onTrial = { [unowned self] pending in tellTrial(pending) }
        config.onStart = { [unowned self] in tellTrial(config.pending) }
        watchdog.onWord = { [unowned self] service, change, word in
            relay(word, change) { [unowned self] in watchdog.isRunning }
        }
        health.onWord = { [unowned self] change, word in
            relay(word, change) { [unowned self] in health.isRunning }
        }
        metrics.onNews = { [unowned self] news in heard("metrics", news) }
        metrics.onBroken = { [unowned self] problem in invariants.violated(problem, now: timeline.now) }
        health.onDependencies = { [unowned self] service, down in
            let isDown = !(down ?? []).isEmpty
            let since = invariants.services[service]?.dependencyDownSince
            invariants.services[service]?.dependencyDownSince = isDown ? since ?? timeline.now : nil
            watchdog.report(down.map { .dependenciesSeen(down: $0) } ?? .dependenciesUnknown, of: service)
        }
        for (name, unit) in units {
            unit.onSpawn = { [unowned self] ours in
                if ours { report.restarts += 1 }
                line("\(name): started\(ours ? " by watchdogd" : "")")
                if name == Self.configured { readsConfiguration() }
                if host.databaseIsDown, name == "gateway" { unit.process?.becomes(.withoutDatabase, now: timeline.now) }
            }
        }
    }

    // MARK: The configuration

    /// The service whose file configd keeps.
    private static let configured = "gateway"
    /// What its process was made of the file that it read.
    private var ailmentRead = "none"

    private func readsConfiguration() {
        ailmentRead = config.ailment
        guard let process = units[Self.configured]?.process else { return }
        switch ailmentRead {
        case "slow": process.isSlow = true
        case "failing": process.becomes(.failing, now: timeline.now)
        case "spinning": process.becomes(.spinning, now: timeline.now)
        default: break
        }
    }

    private func tellTrial(_ pending: ConfigPending?) {
        watchdog.report(
            .changeSeen(pending.flatMap(ServiceChange.init)), of: Self.configured, after: .milliseconds(1))
        health.trialSeen(pending)
    }

    /// A word for configd, said again until it was heard or whoever says it is gone.
    private func relay(
        _ word: SimulatedWatchdog.Word, _ change: Int64, _ isAlive: @escaping () -> Bool
    ) {
        config.say(word, on: change) { [self] answer in
            guard answer == .silent else { return }
            timeline.after(.seconds(1)) { [self] in
                if isAlive(), config.isOnTrial(change) { relay(word, change, isAlive) }
            }
        }
    }

    private func ordered(_ order: Order) {
        switch order.action {
        case .announce(let event):
            let bytes = JSONWriter.bytes(of: event.data)
            report.digest.add(timeline.now.nanoseconds)
            report.digest.add(event.name.utf8)
            report.digest.add(bytes)
            count(event)
            line("\(order.service): \(event.name) \(Self.short(event))")
        case .startUnit, .stopUnit, .killUnit, .killProcess:
            if let unit = units[order.service] { invariants.ordered(order, unit: unit, now: timeline.now) }
            report.digest.add(timeline.now.nanoseconds)
            report.digest.add(order.service.utf8)
        case .setTimer, .cancelTimer, .restoreMemory, .readUnit, .watchProcess, .unwatchProcess, .startProbe,
            .abandonProbe, .sampleProgress, .sampleResources, .collectEvidence, .drain, .keepMemory, .recordIncident,
            .reloadUnit, .tellActivated, .cancelChange:
            break
        }
    }

    private func count(_ event: WatchdogEvent) {
        switch event {
        case .incidentOpened: report.incidents += 1
        case .operatorCalled: report.pages += 1
        case .evidenceCollected, .actionTaken, .validated, .incidentClosed, .held, .released, .refused, .budgetReset,
            .limitWarned, .recoveryRecorded, .adopted, .operatorActed:
            break
        case .changeFollowed(let followed):
            if followed.outcome == .underWay { invariants.changeBegan(followed.service, now: timeline.now) }
        }
    }

    /// What a person would want of an event, without ids and times that say nothing in a trace.
    private static func short(_ event: WatchdogEvent) -> String {
        switch event {
        case .incidentOpened(let opened): opened.incidentClass.rawValue
        case .actionTaken(let taken): "\(taken.action.kind.rawValue) \(taken.action.outcome.rawValue)"
        case .incidentClosed(let closed): closed.outcome.rawValue
        case .refused(let refused): refused.reason.rawValue
        case .operatorCalled(let called): called.issue
        case .operatorActed(let acted): acted.what
        case .changeFollowed(let followed):
            "\(followed.change)\(followed.back ? " back" : "") \(followed.outcome.rawValue)"
        case .evidenceCollected, .validated, .held, .released, .budgetReset, .limitWarned, .recoveryRecorded, .adopted:
            ""
        }
    }

    private func heard(_ daemon: String, _ news: String) {
        report.digest.add(timeline.now.nanoseconds)
        report.digest.add(news.utf8)
        line("\(daemon): \(news)")
    }

    private func heard(_ news: HealthNews) {
        report.digest.add(timeline.now.nanoseconds)
        switch news {
        case .statusChanged(let changed):
            report.digest.add(JSONWriter.bytes(of: changed))
            line("\(changed.service): \(changed.status.rawValue)")
        case .alertRaised(let alert): line("\(alert.service): alert \(alert.kind)")
        case .alertResolved(let alert): line("\(alert.service): alert over \(alert.kind)")
        case .checkChanged(let changed): report.digest.add(JSONWriter.bytes(of: changed))
        case .incidentAliased: break
        }
    }

    // MARK: Running

    /// Runs `hours` with faults of every kind, heals the world, and requires that it converges.
    package func run(hours: Int) -> Report {
        begin()
        let end = start + .seconds(hours * 3600)
        for (at, fault) in plan.draw(from: start + .seconds(120), until: end) {
            timeline.after(at - timeline.now) { [self] in inject(fault) }
        }
        timeline.run(until: end)
        heal()
        timeline.run(until: end + Self.healing)
        checkConvergence()
        return finish()
    }

    /// Everything starts, and a look is taken each second.
    func begin() {
        for name in Self.services { units[name]?.start() }
        timeline.after(.seconds(2)) { [self] in
            watchdog.start()
            health.start()
            config.start()
            metrics.start()
        }
        look()
    }

    func finish() -> Report {
        report.steps = timeline.steps
        report.violations = invariants.violations
        report.worstRecovery = invariants.services.values.map(\.worstRecovery).max() ?? .zero
        report.digest.add(Int64(timeline.steps))
        return report
    }

    private func look() {
        timeline.after(.seconds(1)) { [self] in
            invariants.starvedSince = host.isStarved ? invariants.starvedSince ?? timeline.now : nil
            config.lookAtTrial()
            lookAtConfig()
            for name in Self.services { look(at: name) }
            look()
        }
    }

    /// Since when configd is well enough to take a change back.
    private var configWellSince: Instant?

    private func lookAtConfig() {
        let isWell = config.isRunning && !host.diskIsFull
        configWellSince = isWell ? configWellSince ?? timeline.now : nil
    }

    /// While configd cannot write, a bad change stays in force, and what runs with it stays bad.
    private var cannotGoBack: Bool { configWellSince.map { timeline.now - $0 < .seconds(20) } ?? true }

    private func look(at name: String) {
        guard let unit = units[name] else { return }
        let now = timeline.now
        let serves = unit.serves(now: now)
        let isStarting = now - start < .seconds(60)
        let watchdogIsAway = !watchdog.isRunning || watchdogBackAt.map { now - $0 < .seconds(20) } ?? false
        let isExcused =
            host.isStarved || host.databaseIsDown || unit.crashesAtStart || watchdogIsAway || isStarting
            || name == Self.configured && ailmentRead != "none" && cannotGoBack
        if !(invariants.services[name]?.operatorSince != nil || host.databaseIsDown || unit.crashesAtStart
            || isStarting)
        {
            report.secondsExpected += 1
            if serves { report.secondsServed += 1 }
        }
        invariants.looked(at: name, serves: serves, isExcused: isExcused, now: now)
    }

    // MARK: Faults

    /// Makes one thing go wrong, now.
    func inject(_ fault: Fault) {
        if case .change = fault {} else { report.faults += 1 }
        line("-- \(fault)")
        switch fault {
        case .hang(let service, let kind): ail(service, Self.ailment(kind), for: nil)
        case .saturation(let service, let lasts): ail(service, .saturated, for: lasts)
        case .collection(let service, let lasts): ail(service, .pausing, for: lasts)
        case .exit(let service, let zombieTime):
            guard let unit = units[service], let process = unit.process else { return }
            unit.zombieTime = zombieTime
            unit.exit(process, result: "signal")
            timeline.after(.seconds(3)) { unit.zombieTime = .zero }
        case .crashLoop(let service, let lasts): crash(service, for: lasts)
        case .watchdogKilled: restartWatchdog(after: .zero)
        case .watchdogStopped: restartWatchdog(after: .seconds(10))
        case .healthKilled: restartHealth(after: .zero)
        case .healthStopped: restartHealth(after: .seconds(10))
        case .starvedHost, .fullDisk, .clockStep, .databaseDown: injectOnHost(fault)
        case .operatorStop, .operatorRestart, .operatorHold, .operatorReset: act(fault)
        case .change(let kind): config.clientChanges(kind)
        case .configKilled(let step, let isPowerCut): config.killed(in: step, isPowerCut: isPowerCut)
        case .configStopped: config.stops()
        case .metricsKilled: metrics.killed()
        case .metricsStopped: metrics.stops()
        case .collectorAils(let name, let ailment, let lasts): metrics.ails(name, ailment, for: lasts)
        }
    }

    private static func ailment(_ kind: Fault.HangKind) -> SimulatedProcess.Ailment {
        switch kind {
        case .spinning: .spinning
        case .spinningBesideWorker: .spinningBesideWorker
        case .blocked: .blocked
        case .stopped: .stopped
        case .livelocked: .livelocked
        case .failing: .failing
        }
    }

    private func ail(_ service: String, _ ailment: SimulatedProcess.Ailment, for lasts: Duration?) {
        guard let process = units[service]?.process, process.ailment == .none else { return }
        process.becomes(ailment, now: timeline.now)
        guard let lasts else { return }
        timeline.after(lasts) { [self] in
            guard process.ailment == ailment else { return }
            process.becomes(.none, now: timeline.now)
            watchdog.recovered(service)
        }
    }

    private func crash(_ service: String, for lasts: Duration) {
        guard let unit = units[service], let process = unit.process else { return }
        unit.crashesAtStart = true
        unit.exit(process, result: "exit-code")
        timeline.after(lasts) { unit.crashesAtStart = false }
    }

    /// systemd kills a watchdogd that does not answer after 8 s and 2 s more, and starts it again after 0.2 s.
    private func restartWatchdog(after hang: Duration) {
        watchdog.stops()
        timeline.after(hang) { [self] in
            watchdog.dies()
            timeline.after(.milliseconds(700)) { [self] in
                watchdog.start()
                watchdogBackAt = timeline.now
                health.tellDependencies()
                if config.isRunning { tellTrial(config.pending) }
            }
        }
    }

    private func restartHealth(after hang: Duration) {
        health.stops()
        timeline.after(hang) { [self] in
            health.dies()
            timeline.after(.milliseconds(700)) { [self] in
                health.start()
                if config.isRunning { health.trialSeen(config.pending) }
            }
        }
    }

    private func injectOnHost(_ fault: Fault) {
        switch fault {
        case .starvedHost(let lasts):
            host.cpuPressure = 85
            host.timerDelay = .milliseconds(700)
            timeline.after(lasts) { [self] in
                host.cpuPressure = 2
                host.timerDelay = .microseconds(100)
            }
        case .fullDisk(let lasts):
            host.diskIsFull = true
            timeline.after(lasts) { [self] in host.diskIsFull = false }
        case .clockStep(let milliseconds):
            timeline.wallOffsetMs += milliseconds
            metrics.clockStepped(byMs: milliseconds)
        case .databaseDown(let lasts):
            host.databaseIsDown = true
            ail("gateway", .withoutDatabase, for: nil)
            timeline.after(lasts) { [self] in databaseIsBack() }
        case .hang, .exit, .saturation, .collection, .crashLoop, .watchdogKilled, .watchdogStopped, .healthKilled,
            .healthStopped, .operatorStop, .operatorRestart, .operatorHold, .operatorReset, .change, .configKilled,
            .configStopped, .metricsKilled, .metricsStopped, .collectorAils:
            break
        }
    }

    private func databaseIsBack() {
        host.databaseIsDown = false
        guard let process = units["gateway"]?.process, process.ailment == .withoutDatabase else { return }
        process.becomes(.none, now: timeline.now)
    }

    private func act(_ fault: Fault) {
        switch fault {
        case .operatorStop(let service, let lasts):
            guard invariants.services[service]?.operatorSince == nil else { return }
            invariants.services[service]?.operatorSince = timeline.now
            units[service]?.stop(ours: false)
            timeline.after(lasts) { [self] in
                invariants.services[service]?.operatorSince = nil
                units[service]?.start()
            }
        case .operatorRestart(let service):
            guard invariants.services[service]?.operatorSince == nil else { return }
            invariants.services[service]?.operatorOrderUntil = timeline.now + .seconds(20)
            units[service]?.restart(ours: false)
        case .operatorHold(let service, let lasts):
            guard watchdog.isRunning, invariants.services[service]?.operatorSince == nil else { return }
            invariants.services[service]?.operatorSince = timeline.now
            watchdog.ask(.holdAsked(reason: "maintenance", forDuration: lasts, by: "uid 0"), of: service)
            timeline.after(lasts) { [self] in invariants.services[service]?.operatorSince = nil }
        case .operatorReset(let service):
            guard watchdog.isRunning else { return }
            invariants.services[service]?.oracle.reset()
            watchdog.ask(.resetAsked(by: "uid 0"), of: service)
        case .hang, .exit, .saturation, .collection, .crashLoop, .watchdogKilled, .watchdogStopped, .healthKilled,
            .healthStopped, .starvedHost, .fullDisk, .clockStep, .databaseDown, .change, .configKilled,
            .configStopped, .metricsKilled, .metricsStopped, .collectorAils:
            break
        }
    }

    // MARK: The end

    private func heal() {
        line("-- healed")
        host.cpuPressure = 2
        host.timerDelay = .microseconds(100)
        host.diskIsFull = false
        databaseIsBack()
        for unit in units.values { unit.crashesAtStart = false }
    }

    private func checkConvergence() {
        let now = timeline.now
        for name in Self.services {
            guard let unit = units[name] else { continue }
            if !unit.isDown, !unit.serves(now: now) { invariants.violated("\(name): not serving at the end", now: now) }
        }
        guard let status = watchdog.status, let healthStatus = health.status else {
            return invariants.violated("a daemon is not running at the end", now: now)
        }
        for service in status.services where service.incident != nil {
            invariants.violated("\(service.service): an incident is open at the end", now: now)
        }
        for service in healthStatus.services where service.status != .healthy {
            invariants.violated("\(service.service): \(service.status.rawValue) at the end", now: now)
        }
        if let problem = metrics.problemAtEnd { invariants.violated("metrics: \(problem) at the end", now: now) }
        if let problem = config.problemAtEnd { invariants.violated("config: \(problem) at the end", now: now) }
        if config.pending != nil { invariants.violated("config: a change is on trial at the end", now: now) }
        if config.ailment != "none" { invariants.violated("config: a bad change stayed", now: now) }
        if ailmentRead != config.ailment { invariants.violated("the gateway runs another configuration", now: now) }
        if healthStatus.alerts > 0 { invariants.violated("\(healthStatus.alerts) alerts stand at the end", now: now) }
    }
}
