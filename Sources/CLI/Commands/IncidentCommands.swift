import ArgumentParser
import WatchdogAPI
import Wire

/// `mainstay incidents`: the records, the newest first.
struct IncidentsCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "incidents", abstract: "What went wrong and what was done, the newest first.")

    @OptionGroup var service: OptionalServiceArgument
    @Option(name: .shortAndLong, help: "At most this many.")
    var limit = 20
    @OptionGroup var common: AskOptions

    func validate() throws {
        guard (1...1000).contains(limit) else { throw ValidationError("--limit takes 1 to 1000") }
    }

    func answer(on screen: Screen) async throws -> Outcome {
        let conversation = await conversation(with: .watchdogd)
        var reply = IncidentsReply(incidents: [])
        repeat {
            // A page holds what fits into a reply, which may be less than what was asked for.
            let params = ListParams(
                service: service.service, limit: limit - reply.incidents.count, cursor: reply.next)
            let page = try await conversation.ask(Incidents.self, params, longest: .seconds(5))
            reply.incidents += page.incidents
            reply.next = page.next
        } while reply.next != nil && reply.incidents.count < limit
        if common.json {
            screen.show(reply.json)
        } else if reply.incidents.isEmpty {
            screen.show("No incident.")
        } else {
            screen.show(Self.table(of: reply.incidents).lines(on: screen))
            if reply.next != nil { screen.show(screen.paint("and older ones: --limit", .dim)) }
        }
        return .good
    }

    static func table(of incidents: [IncidentRecord]) -> Table {
        var table = Table("OPENED", "SERVICE", "CLASS", "OUTCOME", ">DETECTED", ">RECOVERED", "ID")
        for record in incidents {
            table.add(
                Cell(Words.time(ms: record.openedAtMs)), Cell(record.service), Cell(record.incidentClass.rawValue),
                record.outcome.cell, record.detectionMs.map { Cell(Words.length(ms: $0)) } ?? .none,
                record.recoveryMs.map { Cell(Words.length(ms: $0)) } ?? .none, Cell(record.id))
        }
        return table
    }
}

/// `mainstay incident ID`: one record in full.
struct IncidentCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "incident", abstract: "One incident: what was seen, what was done, what came of it.")

    @Argument(help: "The incident's id, or an alias.")
    var id: String
    @OptionGroup var common: AskOptions

    func answer(on screen: Screen) async throws -> Outcome {
        let record = try await conversation(with: .watchdogd)
            .ask(Incident.self, IncidentParams(id: id), longest: .seconds(5))
        if common.json { screen.show(record.json) } else { screen.show(record.lines(on: screen)) }
        return .good
    }
}

extension IncidentOutcome {
    var cell: Cell {
        switch self {
        case .open: Cell(rawValue, .bad)
        case .recovered, .recoveredAlone: Cell(rawValue, .good)
        case .takenOver, .becameWorse, .shutDown: Cell(rawValue, .dim)
        }
    }
}

extension IncidentRecord {
    /// The whole story, as far as the record tells it; the journal has the rest.
    func lines(on screen: Screen) -> [String] {
        var head = Particulars()
        let outcomeCell = outcome.cell
        head.add("service", service)
        head.add("class", incidentClass.rawValue)
        head.add("outcome", outcomeCell)
        head.add("opened", Words.time(ms: openedAtMs))
        head.add("closed", closedAtMs.map { "\(Words.time(ms: $0)), after \(Words.length(ms: $0 - openedAtMs))" })
        head.add("detected within", detectionMs.map(Words.length(ms:)))
        head.add("recovered within", recoveryMs.map(Words.length(ms:)))
        head.add("seen", numbers.phrase)
        head.add("evidence", evidence?.line)
        head.add("validated", validation.map { "\($0.goodProbes) good answers in \(Words.length(ms: $0.tookMs))" })
        for refusal in refusals {
            head.add(
                "not acted on",
                Cell("\(refusal.reason.rawValue)\(refusal.detail.map { ": \($0)" } ?? "")", .warning))
        }
        head.add("also known as", aliases.isEmpty ? nil : aliases.joined(separator: ", "))
        var lines = [screen.paint("Incident \(id)".printable, .heading)] + head.lines(on: screen)
        if let facts = evidence?.facts, !facts.isEmpty {
            var told = Particulars()
            for (name, fact) in facts.sorted(by: { $0.key < $1.key }) { told.add(name.printable, fact) }
            lines += [""] + told.lines(on: screen)
        }
        if !actions.isEmpty { lines += [""] + actionTable.lines(on: screen) }
        lines += ["", screen.paint("journalctl MAINSTAY_INCIDENT=\(id)".printable, .dim)]
        return lines
    }

    private var actionTable: Table {
        var table = Table("AT", "ACTION", "OUTCOME", ">TOOK", "DETAIL")
        for action in actions {
            let style: Style =
                switch action.outcome {
                case .done: .good
                case .underWay: .plain
                case .failed, .timedOut: .bad
                case .abandoned: .dim
                }
            table.add(
                Cell(Words.clock(ms: action.startedAtMs)), Cell(action.kind.rawValue),
                Cell(action.outcome.rawValue, style), action.tookMs.map { Cell(Words.length(ms: $0)) } ?? .none,
                Cell(action.detail ?? ""))
        }
        return table
    }
}

extension EvidenceNote {
    fileprivate var line: String {
        let place = path.map { " in \($0)" } ?? ", in the journal alone"
        let rest = complete ? "" : ", cut short"
        return "\(Words.bytes(bytes)) in \(Words.length(ms: tookMs))\(place)\(rest)"
    }
}

extension ClassNumbers {
    /// The figures behind the class, those that there are.
    fileprivate var phrase: String? {
        guard case .object(let object) = json, !object.isEmpty else { return nil }
        return object.members.map { "\($0.key) \($0.value.plain)" }.joined(separator: ", ")
    }
}
