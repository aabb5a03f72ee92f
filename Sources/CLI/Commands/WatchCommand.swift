import ArgumentParser
import Runtime
import Wire

/// `mainstay watch [DAEMON]`: events as they happen.
struct WatchCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Events as they happen, of one daemon or of all; Ctrl-C ends it.",
        discussion: "A daemon that is silent is named, and followed again as soon as it answers.")

    @Argument(help: "Only this daemon's.")
    var daemon: DaemonName?
    @Option(help: ArgumentHelp("Only these events.", valueName: "name"))
    var event: [String] = []
    @Option(name: .shortAndLong, help: ArgumentHelp("End after this many events.", valueName: "n"))
    var count: Int?
    @OptionGroup var common: AskOptions

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count takes 1 or more") }
    }

    func answer(on screen: Screen) async throws -> Outcome {
        let daemons = daemon.map { [$0] } ?? DaemonName.allCases
        await Watching(daemons, events: event.isEmpty ? nil : event, count: count, common, screen).finished()
        return .good
    }
}

/// The feeds of several daemons on one screen.
@Loop private final class Watching {
    private let screen: Screen
    private let isJSON: Bool
    private var left: Int?
    private var peers: [Peer] = []
    private var silent: Set<DaemonName> = []
    private var done: CheckedContinuation<Void, Never>?

    init(_ daemons: [DaemonName], events: [String]?, count: Int?, _ common: AskOptions, _ screen: Screen) {
        self.screen = screen
        isJSON = common.json
        left = count
        for daemon in daemons {
            let peer = Peer(daemon: daemon.rawValue, path: "\(common.sockets)/\(daemon.rawValue).sock")
            peer.onEvent = { [unowned self] in show($0, of: daemon) }
            peer.onGap = { lost in
                if let lost { StandardError.write("mainstay: \(lost) events of \(daemon.rawValue) were lost\n") }
            }
            peer.onChange = { [unowned self] answers in tell(daemon, answers: answers) }
            peer.follow(events)
            peers.append(peer)
        }
    }

    /// Follows until enough events were seen.
    func finished() async {
        for peer in peers {
            peer.start()
            // A socket that nobody listens on changes nothing about a peer that never answered: it is named here.
            Loop.after(Conversation.patience) { [weak self] in
                if !peer.answers, let daemon = DaemonName(rawValue: peer.daemon) { self?.tell(daemon, answers: false) }
            }
        }
        await withCheckedContinuation { done = $0 }
        for peer in peers {
            peer.onChange = { _ in }
            peer.stop()
        }
    }

    /// Says that a daemon fell silent, once, and that it is back.
    private func tell(_ daemon: DaemonName, answers: Bool) {
        if answers {
            guard silent.remove(daemon) != nil else { return }
            StandardError.write("mainstay: \(daemon.rawValue) answers again\n")
        } else if silent.insert(daemon).inserted {
            StandardError.write("mainstay: \(daemon.rawValue) is silent\n")
        }
    }

    private func show(_ event: Event, of daemon: DaemonName) {
        if let left, left <= 0 { return }
        if isJSON {
            var object: JSONObject = ["daemon": .string(daemon.rawValue)]
            if case .object(let members) = event.json { for (key, value) in members.members { object[key] = value } }
            // One event a line, on a terminal too: a feed is read by programs, or by eyes that follow.
            screen.show(JSONWriter.text(of: object))
        } else {
            screen.show(line(event, of: daemon))
        }
        if let left {
            self.left = left - 1
            if left == 1 {
                done?.resume()
                done = nil
            }
        }
    }

    private func line(_ event: Event, of daemon: DaemonName) -> String {
        var words = [
            screen.paint(Words.clock(ms: event.atMs), .dim), daemon.rawValue, screen.paint(event.name, .heading),
        ]
        for (key, value) in event.data.members {
            words.append(key == "service" ? value.plain : screen.paint("\(key)=".printable, .dim) + value.plain)
        }
        return words.joined(separator: " ")
    }
}
