import ArgumentParser
import Runtime
import Wire

/// `mainstay watch [DAEMON]`: events as they happen.
struct WatchCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Events as they happen, of one daemon or of all; Ctrl-C ends it.",
        discussion: """
            A daemon that is silent is named, and followed again as soon as it answers. Ends with 2 where every daemon \
            refuses, or none has an event of that name.
            """)

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
        let daemons = daemon.map { [$0] } ?? DaemonName.suite
        return await Watching(daemons, events: event.isEmpty ? nil : event, count: count, self, screen).finished()
    }
}

/// The feeds of several daemons on one screen.
@Loop private final class Watching {
    private let command: WatchCommand
    private let screen: Screen
    private let events: [String]?
    private var left: Int?
    private var peers: [DaemonName: Peer] = [:]
    private var silent: Set<DaemonName> = []
    /// The daemons that have refused, each with the events that it does not have.
    private var lacking: [DaemonName: Set<String>] = [:]
    /// Of them, those that stream nothing at all.
    private var mute: Set<DaemonName> = []
    private var told: Set<RPCError> = []
    private var done: CheckedContinuation<Outcome, Never>?

    init(_ daemons: [DaemonName], events: [String]?, count: Int?, _ command: WatchCommand, _ screen: Screen) {
        self.command = command
        self.screen = screen
        self.events = events
        left = count
        for daemon in daemons {
            let peer = Peer(daemon: daemon.rawValue, path: "\(command.common.sockets)/\(daemon.rawValue).sock")
            peer.onEvent = { [unowned self] in show($0, of: daemon) }
            peer.onGap = { lost in
                if let lost { StandardError.write("mainstay: \(lost) events of \(daemon.rawValue) were lost\n") }
            }
            peer.onChange = { [unowned self] answers in tell(daemon, answers: answers) }
            peer.onRefusal = { [unowned self] in refused($0, by: daemon) }
            peer.follow(events)
            peers[daemon] = peer
        }
    }

    /// Follows until enough events were seen, or none can come.
    func finished() async -> Outcome {
        for (daemon, peer) in peers {
            peer.start()
            // A socket that nobody listens on changes nothing about a peer that never answered: it is named here.
            Loop.after(Conversation.patience) { [weak self] in
                if !peer.answers { self?.tell(daemon, answers: false) }
            }
        }
        let outcome: Outcome = await withCheckedContinuation { done = $0 }
        for peer in peers.values {
            peer.onChange = { _ in }
            peer.stop()
        }
        return outcome
    }

    private func end(_ outcome: Outcome) {
        done?.resume(returning: outcome)
        done = nil
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

    /// A daemon streams nothing, or lacks some of the events: then it is asked for those that it has, since another one may
    /// have the others.
    private func refused(_ error: RPCError, by daemon: DaemonName) {
        if let events, let known = error.knownEvents {
            lacking[daemon] = Set(events).subtracting(known)
            let strangers = events.filter { event in peers.keys.allSatisfy { lacking[$0]?.contains(event) ?? false } }
            if let stranger = strangers.first { return fail(peers.count == 1 ? error : Self.nobodyHas(stranger)) }
            let mine = events.filter(known.contains)
            if mine.isEmpty { mute.insert(daemon) } else { peers[daemon]?.follow(mine) }
        } else {
            mute.insert(daemon)
            if told.insert(error).inserted { command.report(error, on: screen) }
        }
        if mute.count == peers.count { end(.refused) }
    }

    private func fail(_ error: RPCError) {
        if done != nil { command.report(error, on: screen) }
        end(.refused)
    }

    private static func nobodyHas(_ event: String) -> RPCError {
        RPCError(
            code: RPCError.unknownEvent(event, known: []).code, name: "unknownEvent",
            message: "no daemon has an event \"\(event)\"",
            remedy: "`mainstay watch DAEMON --event \(event)` lists those of a daemon")
    }

    private func show(_ event: Event, of daemon: DaemonName) {
        if let left, left <= 0 { return }
        if command.common.json {
            var object: JSONObject = ["daemon": .string(daemon.rawValue)]
            if case .object(let members) = event.json { for (key, value) in members.members { object[key] = value } }
            // One event a line, on a terminal too: a feed is read by programs, or by eyes that follow.
            screen.show(JSONWriter.text(of: object))
        } else {
            screen.show(line(event, of: daemon))
        }
        if let left {
            self.left = left - 1
            if left == 1 { end(.good) }
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
