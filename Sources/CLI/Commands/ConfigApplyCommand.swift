import ArgumentParser
import ConfigAPI
import Wire

extension ConfigCommand {
    /// `config apply SERVICE [CHANGES]`
    struct Apply: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change several files of a service, all or none.",
            discussion: """
                CHANGES is a file, or - for standard input, that holds a JSON list with an object for each file: \
                [{"file": "/etc/gateway/.env", "values": {"PORT": "3001"}, "remove": ["OLD"], "ifVersion": 12}, …]
                """)

        @OptionGroup var service: ServiceArgument
        @Argument(help: "The file with the changes, or -.", completion: .file(extensions: ["json"]))
        var changes = "-"
        @Option(help: "Kept with the versions.")
        var reason = ""
        @Flag(help: "Also where much of a file goes with it.")
        var force = false
        @Flag(help: "Say what would happen, and write nothing.")
        var dryRun = false
        @OptionGroup var trial: TrialOptions
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let bytes = try Assignment.content(at: changes)
            let list: [Config.Apply.FileChange]
            do { list = try [Config.Apply.FileChange](wire: JSONReader.read(bytes), unknown: .refused) } catch {
                throw ValidationError("\(changes): \(error)".printable)
            }
            let params = Config.Apply.Params(
                service: service.service, changes: list, reason: reason, force: force, dryRun: dryRun,
                confirmMs: trial.confirmMs, lock: ConfigCommand.heldLock)
            let reply = try await conversation(with: .configd).ask(Config.Apply.self, params, longest: longestChange)
            guard !common.json || trial.confirmMs != nil else {
                screen.show(reply.json)
                return .good
            }
            return try await show(reply.files, trial, on: screen)
        }
    }
}
