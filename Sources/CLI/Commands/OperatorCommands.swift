import ArgumentParser
import Settings
import Time
import WatchdogAPI
import Wire

/// `mainstay hold SERVICE`: watch, but do not touch.
struct HoldCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Watch a service, but do not touch it, until it is released.")

    @OptionGroup var service: ServiceArgument
    @Option(name: .shortAndLong, help: "Shown to whoever wonders why nothing is done.")
    var reason = "held by an operator"
    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("End by itself after this long: 30min, 2h, 1d.", valueName: "duration"))
    var length: LengthArgument?
    @OptionGroup var common: AskOptions

    func answer(on screen: Screen) async throws -> Outcome {
        let params = HoldParams(service: service.service, reason: reason, forMs: length?.milliseconds)
        let reply = try await conversation(with: .watchdogd).ask(Hold.self, params, longest: .seconds(5))
        let end = length.map { ", for \(Words.length(ms: $0.milliseconds))" } ?? " until `mainstay release`"
        reply.show(on: screen, common, saying: "held\(end)")
        return .good
    }
}

/// `mainstay release SERVICE`: ends a hold.
struct ReleaseCommand: DaemonCommand {
    static let configuration = CommandConfiguration(commandName: "release", abstract: "End a hold.")

    @OptionGroup var service: ServiceArgument
    @OptionGroup var common: AskOptions

    func answer(on screen: Screen) async throws -> Outcome {
        let reply = try await conversation(with: .watchdogd)
            .ask(Release.self, ServiceParams(service: service.service), longest: .seconds(5))
        reply.show(on: screen, common, saying: "released")
        return .good
    }
}

/// `mainstay reset SERVICE`: a full budget and no back-off.
struct ResetCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Refill a service's restart budget and forget its back-off; what waits is tried at once.")

    @OptionGroup var service: ServiceArgument
    @OptionGroup var common: AskOptions

    func answer(on screen: Screen) async throws -> Outcome {
        let reply = try await conversation(with: .watchdogd)
            .ask(Reset.self, ServiceParams(service: service.service), longest: .seconds(5))
        reply.show(on: screen, common, saying: "budget refilled")
        return .good
    }
}

/// `mainstay restart SERVICE`: an operator's own restart, with the care that watchdogd takes of its own.
struct RestartCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", abstract: "Restart a service, and prove that it serves again.",
        discussion: """
            TERM, KILL where the process does not end in time, a start, and good answers in a row; no restart of the \
            budget is spent. Ends when the order is taken: `mainstay incident ID` tells what came of it. A service \
            that is held, is being restarted or does not run is refused.
            """)

    @OptionGroup var service: ServiceArgument
    @Flag(help: "KILL at once; evidence is kept first.")
    var force = false
    @Option(name: .shortAndLong, help: "Kept with the incident.")
    var reason = "asked for by an operator"
    @OptionGroup var common: AskOptions

    func answer(on screen: Screen) async throws -> Outcome {
        let params = RestartProcessParams(service: service.service, reason: reason)
        let conversation = await conversation(with: .watchdogd)
        let reply: OperatorReply
        if force {
            reply = try await conversation.ask(ForceRestart.self, params, longest: .seconds(5))
        } else {
            reply = try await conversation.ask(RestartProcess.self, params, longest: .seconds(5))
        }
        reply.show(on: screen, common, saying: "restart under way")
        return .good
    }
}

extension OperatorReply {
    fileprivate func show(on screen: Screen, _ common: AskOptions, saying what: String) {
        guard !common.json else { return screen.show(json) }
        let told = incident.map { ", incident \($0)" } ?? ""
        screen.show("\(service): \(what) (\(condition.rawValue)\(told))".printable)
    }
}

/// A length of time as the settings write it.
struct LengthArgument: ExpressibleByArgument, Hashable, Sendable {
    var milliseconds: Int64

    init(milliseconds: Int64) { self.milliseconds = milliseconds }

    init?(argument: String) {
        guard let length = Quantity.duration(argument), length > .zero else { return nil }
        milliseconds = length.milliseconds
    }
}
