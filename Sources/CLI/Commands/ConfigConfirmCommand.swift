import ArgumentParser
import ConfigAPI
import Runtime
import Time
import Wire

/// What every change takes so that it is on trial.
struct TrialOptions: ParsableArguments {
    @Option(
        name: .customLong("confirm"),
        help: ArgumentHelp(
            "On trial: it goes back by itself unless it is confirmed within this time of its activation: 60s, 10min.",
            valueName: "duration"))
    var window: LengthArgument?
    @Flag(name: .customLong("no-wait"), help: "With --confirm: do not wait until it is confirmed or taken back.")
    var isNotAwaited = false

    /// What the methods take.
    var confirmMs: Int64? { window?.milliseconds }
}

extension DaemonCommand {
    /// Shows what has become of a change; of one on trial, until it is confirmed or taken back.
    func show(_ outcomes: [Config.Outcome], _ trial: TrialOptions, on screen: Screen) async throws -> Outcome {
        guard let first = outcomes.first, let id = first.pending, !trial.isNotAwaited else {
            for outcome in outcomes { outcome.show(on: screen, common) }
            return .good
        }
        if !common.json { for outcome in outcomes { outcome.show(on: screen, common) } }
        return try await TrialFollower(first, id, common).follow(on: screen)
    }
}

/// Follows a change on trial to its end, past a configd that dies meanwhile.
private struct TrialFollower {
    let outcome: Config.Outcome
    let id: Int64
    let common: AskOptions

    private static let interval: Duration = .milliseconds(500)
    private static let longest: Duration = .seconds(5)

    init(_ outcome: Config.Outcome, _ id: Int64, _ common: AskOptions) {
        self.outcome = outcome
        self.id = id
        self.common = common
    }

    func follow(on screen: Screen) async throws -> Outcome {
        var last: ConfigPending?
        var isSilent = false
        while true {
            let params = Config.Pending.Params(service: outcome.service)
            switch await Conversation.answer(of: .configd, common, to: Config.Pending.self, params) {
            case .success(let reply):
                isSilent = false
                guard let now = reply.pending.first(where: { $0.id == id }) else {
                    return try await end(last, on: screen)
                }
                if now.phase == .takenBack { return tell(now, isConfirmed: false, on: screen) }
                if now.phase != last?.phase, !common.json { screen.show("\(outcome.service): \(now.phrase)".printable) }
                last = now
            case .failure(let error) where error.isSilence:
                // Its deadline is on disk: whatever becomes of configd, the change goes back unless it is confirmed.
                if !isSilent, !common.json { screen.show(screen.paint("configd does not answer; waiting", .dim)) }
                isSilent = true
            case .failure(let error): throw error
            }
            await Self.pause()
        }
    }

    /// The trial is over: what is in force now says how.
    private func end(_ last: ConfigPending?, on screen: Screen) async throws -> Outcome {
        let target = ConfigFile(service: outcome.service, file: outcome.file)
        let history = try await Conversation(with: .configd, common)
            .ask(Config.History.self, .init(target: target, limit: 100), longest: Self.longest)
        let back = history.versions.first { $0.version > outcome.version && $0.restored == outcome.previous }
        if common.json {
            screen.show(.object(["pending": .integer(id), "confirmed": .bool(back == nil)]))
        } else if let back {
            screen.show(
                screen.paint(
                    "\(outcome.service): taken back: \(back.reason); v\(back.version) is in force".printable, .bad))
        } else {
            screen.show(screen.paint("\(outcome.service): confirmed: v\(outcome.version) stays".printable, .good))
        }
        return back == nil ? .good : .bad
    }

    private func tell(_ pending: ConfigPending, isConfirmed: Bool, on screen: Screen) -> Outcome {
        if common.json {
            screen.show(pending.json)
        } else {
            screen.show(screen.paint("\(outcome.service): \(pending.phrase)".printable, .bad))
        }
        return .bad
    }

    @Loop private static func pause() async {
        await withCheckedContinuation { continuation in Loop.after(interval) { continuation.resume() } }
    }
}

extension ConfigCommand {
    /// `config pending [SERVICE]`
    struct Pending: DaemonCommand {
        static let configuration = CommandConfiguration(abstract: "The changes on trial, and what each waits for.")

        @Argument(help: "Only this service's.")
        var service: String?
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let reply = try await conversation(with: .configd)
                .ask(Config.Pending.self, .init(service: service), longest: longestLook)
            guard !common.json else {
                screen.show(reply.json)
                return .good
            }
            guard !reply.pending.isEmpty else {
                screen.show("Nothing is on trial")
                return .good
            }
            var table = Table("SERVICE", ">CHANGE", "FILES", "STATE", ">LEFT", "BY", "REASON")
            for pending in reply.pending {
                let files = pending.files.map { "\($0.file) v\($0.version)" }.joined(separator: " ")
                table.add(
                    Cell(pending.service), "\(pending.id)", Cell(files), pending.cell,
                    pending.leftMs.map { Cell(Words.length(ms: $0)) } ?? .none, Cell("uid \(pending.authorUID)"),
                    Cell(pending.reason))
            }
            screen.show(table.lines(on: screen))
            return .good
        }
    }

    /// `config confirm SERVICE`
    struct Confirm: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say that the change on trial is good: it stays.",
            discussion: "Only while its window is open. healthd says the same when the service is as well as before.")

        @OptionGroup var service: ServiceArgument
        @Option(help: "For the journal.")
        var reason = ""
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            try await say(Config.Confirm.self, of: service.service, reason, common, on: screen)
        }
    }

    /// `config cancel SERVICE`
    struct Cancel: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say that the change on trial is bad: it goes back now.",
            discussion: "Ends when what was before is in force again; watchdogd then brings the service back to it.")

        @OptionGroup var service: ServiceArgument
        @Option(help: "Kept with the version that is brought back.")
        var reason = ""
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            try await say(Config.Cancel.self, of: service.service, reason, common, on: screen)
        }
    }
}

extension DaemonCommand {
    /// Says a word on the service's trial, by the number that it has now: a compare-and-swap on what the operator means.
    fileprivate func say<Method: RPCMethod & SendableMetatype>(
        _ method: Method.Type, of service: String, _ reason: String, _ common: AskOptions, on screen: Screen
    ) async throws -> Outcome where Method.Params == Config.Word, Method.Reply == ConfigPending {
        let conversation = await conversation(with: .configd)
        let standing = try await conversation.ask(
            Config.Pending.self, .init(service: service), longest: ConfigCommand.longestLook)
        guard let id = standing.pending.first(where: \.isOnTrial)?.id else {
            StandardError.write("mainstay: nothing of \(service.printable) is on trial\n")
            return .bad
        }
        let reply = try await conversation.ask(
            Method.self, Config.Word(service: service, id: id, reason: reason), longest: ConfigCommand.longestChange)
        if common.json { screen.show(reply.json) } else { screen.show("\(service): \(reply.phrase)".printable) }
        return .good
    }
}

extension ConfigPending {
    /// Where it stands, in a line.
    fileprivate var phrase: String {
        let left = leftMs.map { Words.length(ms: $0) } ?? ""
        switch phase {
        case .applied: return "in force on trial; waits for \(activation.rawValue) (\(left) at most)"
        case .activated: return "activated; without a confirmation it goes back in \(left)"
        case .confirmed: return "confirmed: it stays"
        case .goingBack: return "going back: \(why)"
        case .takenBack: return "taken back: \(why)"
        }
    }

    private var why: String {
        switch end?.kind {
        case .cancelled: end?.detail.isEmpty ?? true ? "cancelled" : "cancelled: \(end?.detail ?? "")"
        case .unconfirmed: "nobody confirmed it in time"
        case .unactivated: "its service was not brought to it in time"
        case .edited: "somebody else changed its file meanwhile"
        case .rebooted: "the host was booted anew before it was confirmed"
        case nil: "not confirmed"
        }
    }

    /// Where it stands, for a service's own view.
    var statusCell: Cell { Cell("\(id) \(phrase)", cell.style) }

    /// Its state for a table.
    var cell: Cell {
        switch phase {
        case .applied, .activated: Cell(phase.rawValue, .warning)
        case .confirmed: Cell(phase.rawValue, .good)
        case .goingBack, .takenBack: Cell("\(phase.rawValue): \(why)", .bad)
        }
    }
}
