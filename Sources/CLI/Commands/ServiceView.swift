import ConfigAPI
import HealthAPI
import WatchdogAPI
import Wire

/// `mainstay status SERVICE`: everything about one service, from the three daemons that know of it.
struct ServiceView: Sendable {
    private let name: String
    private let common: AskOptions

    private struct Answers: Sendable {
        var health: Result<HealthStatus, RPCError>
        var alerts: Result<[Alert], RPCError>
        var guarding: Result<ServiceReport, RPCError>
        var files: Result<[ConfigFileStatus], RPCError>
        /// On trial, or back and not followed yet.
        var pending: ConfigPending?
        var lock: ConfigLock?
        /// Without values.
        var leases: [ConfigLease]

        var failures: [(DaemonName, RPCError)] {
            var all: [(DaemonName, RPCError)] = []
            if case .failure(let error) = files { all.append((.configd, error)) }
            if case .failure(let error) = health {
                all.append((.healthd, error))
            } else if case .failure(let error) = alerts {
                all.append((.healthd, error))
            }
            if case .failure(let error) = guarding { all.append((.watchdogd, error)) }
            return all
        }

        var standingAlerts: [Alert] { (try? alerts.get()) ?? [] }
    }

    init(_ name: String, _ common: AskOptions) {
        self.name = name
        self.common = common
    }

    func answer(on screen: Screen) async throws(RPCError) -> Outcome {
        async let health = Conversation.answer(of: .healthd, common, to: Health.self, ServiceQuery(service: name))
        async let alerts = Conversation.answer(of: .healthd, common, to: Alerts.self, .init(service: name))
        async let guarding = Conversation.answer(of: .watchdogd, common, to: Service.self, ServiceParams(service: name))
        async let configd = ConfigView.gathered(common)
        let config = await configd.status.map(\.own)
        let answers = Answers(
            health: await health, alerts: await alerts.map(\.alerts), guarding: await guarding,
            files: config.map { own in own.files.filter { $0.service == name } },
            pending: (try? config.get())?.pending.first { $0.service == name },
            lock: (try? config.get())?.locks.first { $0.service == name },
            leases: await configd.leases.filter { $0.service == name })
        // A service without checks is not known to healthd, and that is no fault; one that nobody knows is misspelt.
        let unknown = RPCError.unknownService(name)
        let failures = answers.failures.filter { $0.1.code != unknown.code }
        let isKnown = (try? answers.health.get()) != nil || (try? answers.guarding.get()) != nil
        if !isKnown && failures.isEmpty { throw unknown }
        if common.json { screen.show(json(answers)) } else { show(answers, on: screen) }
        StandardError.tell(failures)
        if let error = failures.map(\.1).first(where: \.isSilence) ?? failures.first?.1 { return Outcome(error) }
        let line = ServiceLine(
            name: name, health: nil, guarding: (try? answers.guarding.get())?.summary,
            files: (try? answers.files.get()) ?? [])
        let isUnhealthy = (try? answers.health.get())?.status == .unhealthy
        let isCalledFor = answers.standingAlerts.contains(where: \.callsForSomebody)
        return line.isInTrouble || isUnhealthy || isCalledFor ? .bad : .good
    }

    private func json(_ answers: Answers) -> JSON {
        var object: JSONObject = ["service": .string(name)]
        object["health"] = (try? answers.health.get())?.json
        object["alerts"] = (try? answers.alerts.get()).map { .array($0.map(\.json)) }
        object["guard"] = (try? answers.guarding.get())?.json
        object["files"] = (try? answers.files.get()).map { .array($0.map(\.json)) }
        object["pending"] = answers.pending?.json
        object["lock"] = answers.lock?.json
        if !answers.leases.isEmpty { object["leases"] = .array(answers.leases.map(\.json)) }
        object["errors"] = .array(answers.failures.map(\.1.json))
        return .object(object)
    }

    private func show(_ answers: Answers, on screen: Screen) {
        screen.show(screen.paint(name.printable, .heading))
        var lines = (try? answers.guarding.get())?.particulars ?? Particulars()
        for file in (try? answers.files.get()) ?? [] {
            let condition = file.condition.cell
            let problem = file.problem.map { ": \($0)" } ?? ""
            lines.add("file", Cell("\(file.file), v\(file.version), \(condition.text)\(problem)", condition.style))
        }
        lines.add("change", answers.pending.map(\.statusCell))
        lines.add("locked", answers.lock.map { Cell($0.line, .warning) })
        for lease in answers.leases { lines.add("leased", lease.line) }
        screen.show(lines.lines(on: screen))
        if let health = try? answers.health.get() {
            screen.show("")
            screen.show(health.lines(on: screen))
        }
        if !answers.standingAlerts.isEmpty {
            screen.show("")
            screen.show(answers.standingAlerts.table.lines(on: screen))
        }
        guard let report = try? answers.guarding.get(), !report.probes.isEmpty else { return }
        screen.show("")
        screen.show(report.probeTable.lines(on: screen))
    }
}

extension ServiceReport {
    /// What watchdogd knows, line by line.
    fileprivate var particulars: Particulars {
        var lines = Particulars()
        let condition = summary.condition.cell
        lines.add("guard", Cell("\(condition.text) for \(Words.age(since: summary.sinceMs))", condition.style))
        lines.add("unit", summary.unit)
        if let warning = summary.warning { lines.add("warning", warning) }
        lines.add("process", process.map(\.line) ?? summary.pid.map { "pid \($0)" })
        lines.add("last good answer", summary.lastGoodMs.map { "\(Words.age(since: $0)) ago" })
        lines.add(
            "restarts left", Cell(Words.tenths(summary.restartsLeft), summary.isOutOfRestarts ? .bad : .plain))
        lines.add("back-off level", backoffLevel == 0 ? nil : "\(backoffLevel)")
        lines.add("next act", nextActMs.map { "in \(Words.length(ms: $0 - Words.nowMs))" })
        lines.add("incident", summary.incident.map { Cell($0, .bad) })
        lines.add("last incident", lastIncident)
        lines.add("held", summary.hold.map { Cell($0.line, .warning) })
        for refusal in refusals {
            lines.add(
                "not acted on", Cell("\(refusal.reason.rawValue)\(refusal.detail.map { ": \($0)" } ?? "")", .warning))
        }
        lines.add("down", dependenciesDown.isEmpty ? nil : Cell(dependenciesDown.joined(separator: ", "), .bad))
        return lines
    }

    /// The last probes, oldest first.
    fileprivate var probeTable: Table {
        var table = Table("PROBE", "VERDICT", ">TOOK", "SAW")
        for probe in probes {
            let style: Style =
                switch probe.verdict {
                case .good: .good
                case .late: .warning
                case .wrong, .refused, .unanswered: .bad
                case .unknown: .dim
                }
            table.add(
                Cell(Words.clock(ms: probe.atMs)), Cell(probe.verdict.rawValue, style),
                probe.tookMs.map { Cell(Words.length(ms: $0)) } ?? .none, Cell(probe.detail ?? ""))
        }
        return table
    }
}

extension ProcessFigures {
    fileprivate var line: String {
        var parts = ["pid \(pid)"]
        if let startedAtMs { parts.append("up \(Words.age(since: startedAtMs))") }
        if let state { parts.append("state \(state)") }
        if let residentBytes { parts.append(Words.bytes(residentBytes)) }
        if let cpuPercent { parts.append("\(Words.tenths(cpuPercent)) % of a CPU") }
        if let threads { parts.append(Words.count(threads, "thread")) }
        if let openFiles { parts.append("\(openFiles)\(openFilesLimit.map { " of \($0)" } ?? "") files") }
        return parts.joined(separator: ", ")
    }
}

extension HoldInfo {
    fileprivate var line: String {
        let end = untilMs.map { ", ends in \(Words.length(ms: $0 - Words.nowMs))" } ?? ""
        return "by \(by) for \(Words.age(since: sinceMs)): \(reason)\(end)"
    }
}
