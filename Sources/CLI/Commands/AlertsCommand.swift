import ArgumentParser
import HealthAPI
import Wire

/// `mainstay alerts [SERVICE]`: what people were told of, the newest first.
struct AlertsCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts", abstract: "The alerts that stand, the newest first.",
        discussion: "Ends with 1 where one of them is of severity critical or operator: somebody must see to it.")

    @OptionGroup var service: OptionalServiceArgument
    @Flag(help: "Also those that are over.")
    var resolved = false
    @Option(name: .shortAndLong, help: "At most this many.")
    var limit = 100
    @OptionGroup var common: AskOptions

    func validate() throws {
        guard (1...1000).contains(limit) else { throw ValidationError("--limit takes 1 to 1000") }
    }

    func answer(on screen: Screen) async throws -> Outcome {
        let reply = try await conversation(with: .healthd)
            .alerts(of: service.service, withResolved: resolved, limit: limit)
        if common.json {
            screen.show(reply.json)
        } else if reply.alerts.isEmpty {
            screen.show(resolved ? "No alert." : "No alert stands.")
        } else {
            screen.show(reply.alerts.table.lines(on: screen))
            if reply.next != nil { screen.show(screen.paint("and older ones: --limit", .dim)) }
        }
        return reply.alerts.contains(where: \.callsForSomebody) ? .bad : .good
    }
}

extension Conversation {
    /// Alerts that go into one frame whatever they say: each keeps at most 1 KiB of words.
    private static let alertsAPage = 100

    /// The alerts of a service, or of all, the newest first; `next` is set where there are more than `limit`.
    func alerts(
        of service: String?, withResolved resolved: Bool = false, limit: Int = 100
    ) async throws(RPCError) -> Alerts.Reply {
        var whole = Alerts.Reply(alerts: [], next: nil)
        repeat {
            let page = try await ask(
                Alerts.self,
                .init(
                    service: service, resolved: resolved, limit: min(Self.alertsAPage, limit - whole.alerts.count),
                    cursor: whole.next))
            whole.alerts += page.alerts
            whole.next = page.next
        } while whole.next != nil && whole.alerts.count < limit
        return whole
    }
}

extension Alert {
    /// It stands, and is no mere warning.
    var callsForSomebody: Bool { resolvedAtMs == nil && severity.isUrgent }

    fileprivate var stateCell: Cell {
        guard let resolvedAtMs else { return Cell("for \(Words.age(since: raisedAtMs))") }
        return Cell("over after \(Words.length(ms: resolvedAtMs - raisedAtMs))", .dim)
    }

    fileprivate var severityCell: Cell {
        guard resolvedAtMs == nil else { return Cell(severity.rawValue, .dim) }
        return Cell(severity.rawValue, severity.isUrgent ? .bad : .warning)
    }
}

extension [Alert] {
    /// A row an alert.
    var table: Table {
        var table = Table("RAISED", "SERVICE", "ALERT", "SEVERITY", "STANDS", ">TIMES", "INCIDENT", "SAYS")
        for alert in self {
            table.add(
                Cell(Words.time(ms: alert.raisedAtMs)), Cell(alert.service), Cell(alert.kind), alert.severityCell,
                alert.stateCell, "\(alert.count)", alert.incident.map { Cell($0) } ?? .none, Cell(alert.summary))
        }
        return table
    }
}
