import ArgumentParser
import HealthAPI
import Wire

/// `mainstay health SERVICE`: what the checks say.
struct HealthCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "What the checks say of a service and of what it needs, and its alerts.",
        discussion: """
            Ends with 0 where the service works (healthy, degraded), 1 where it does not or nothing is known of it.

            With -q, for container health checks: no output, and only 0 or 1, a silent healthd counting as 1.
            """)

    @OptionGroup var service: ServiceArgument
    @Flag(name: .shortAndLong, help: "No output; exit with 0 or 1 only.")
    var quiet = false
    @OptionGroup var common: AskOptions

    func answer(on screen: Screen) async throws -> Outcome {
        let conversation = await conversation(with: .healthd)
        let status: HealthStatus
        do {
            status = try await conversation.ask(Health.self, ServiceQuery(service: service.service))
        } catch {
            guard !quiet else { return .bad }
            throw error
        }
        if !quiet {
            let alerts = try await conversation.alerts(of: service.service).alerts
            if common.json {
                screen.show(status.beside(alerts))
            } else {
                screen.show(status.lines(on: screen))
                if !alerts.isEmpty { screen.show([""] + alerts.table.lines(on: screen)) }
            }
        }
        return status.status.works ? .good : .bad
    }
}

extension ServiceHealth {
    /// Whether the service does its work, as far as is known. *Unknown* is never *ok*.
    var works: Bool {
        switch self {
        case .healthy, .degraded: true
        case .unhealthy, .unknown: false
        }
    }
}

extension HealthStatus {
    /// The status as it travels, with the alerts that stand beside it.
    fileprivate func beside(_ alerts: [Alert]) -> JSON {
        guard case .object(var object) = json else { return .null }
        object["alerts"] = .array(alerts.map(\.json))
        return .object(object)
    }

    /// The verdict in a sentence, then a row a check and a row a dependency.
    func lines(on screen: Screen) -> [String] {
        let cell = status.cell
        var lines = [
            "\(service.printable) is \(screen.paint(cell.text, cell.style)) for \(Words.age(since: sinceMs))"
                + (cause.map { ": \($0.printable)" } ?? "")
        ]
        if status == .unhealthy || status == .unknown {
            lines.append(lastHealthy.map { "last healthy \(Words.age(since: $0)) ago" } ?? "never seen healthy")
        }
        if let incident { lines.append("incident \(incident.printable)") }
        var table = Table("CHECK", "STATUS", ">FOR", ">TOOK", ">LOOKED", "SAW")
        for (name, check) in checks.sorted(by: { $0.key < $1.key }) {
            table.add(
                Cell(name), check.status.cell, Cell(Words.age(since: check.sinceMs)),
                check.latencyMs.map { Cell(Words.length(ms: $0)) } ?? .none,
                check.checkedAtMs.map { Cell("\(Words.age(since: $0)) ago") } ?? .none, Cell(check.message))
        }
        if !table.isEmpty { lines += [""] + table.lines(on: screen) }
        var needs = Table("NEEDS", "STATUS")
        for (name, health) in dependencies.sorted(by: { $0.key < $1.key }) { needs.add(Cell(name), health.cell) }
        if !needs.isEmpty { lines += [""] + needs.lines(on: screen) }
        return lines
    }
}
