import ArgumentParser
import Wire

/// A command that asks daemons: what it shows goes to standard output, why it could not to standard error.
protocol DaemonCommand: AsyncParsableCommand {
    var common: AskOptions { get }
    /// Asks, shows and says how it ended. An `RPCError` thrown is reported for it.
    func answer(on screen: Screen) async throws -> Outcome
}

extension DaemonCommand {
    mutating func run() async throws {
        let screen = Screen.ofStandardOutput()
        let outcome: Outcome
        do { outcome = try await answer(on: screen) } catch let error as RPCError {
            outcome = Outcome(error)
            report(error, on: screen)
        }
        if outcome != .good { throw ExitCode(outcome.rawValue) }
    }

    /// Says why a call failed: for people on standard error, for programs on standard output as well.
    func report(_ error: RPCError, on screen: Screen) {
        StandardError.tell(error)
        if common.json { screen.show(JSON.object(["error": error.json])) }
    }

    /// A connection to a daemon.
    func conversation(with daemon: DaemonName) async -> Conversation {
        await Conversation(with: daemon, common)
    }
}

extension WireObject {
    /// The message as JSON, as it travels.
    var json: JSON { (try? JSONReader.read(JSONWriter.bytes(of: self))) ?? .null }
}
