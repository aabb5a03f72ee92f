import ArgumentParser
import Runtime

/// The operator's command line over the daemons' sockets. It decides nothing: what it shows is what the daemons say, and
/// where one says nothing it names it and shows the rest.
@main struct Mainstay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mainstay",
        abstract: "Shows and steers the daemons that keep this host's services up.",
        discussion: """
            Exit codes:
            \(Outcome.table)

            Every command takes --json. The sockets are in /run/mainstay, or where --sockets or MAINSTAY_SOCKETS says.

            Completions for bash, zsh and fish are installed with the suite; elsewhere:
              mainstay --generate-completion-script bash > /etc/bash_completion.d/mainstay
            """,
        version: Runtime.Suite.version,
        groupedSubcommands: [
            CommandGroup(
                name: "What is going on:",
                subcommands: [
                    StatusCommand.self, HealthCommand.self, AlertsCommand.self, IncidentsCommand.self,
                    IncidentCommand.self, QueryCommand.self, WatchCommand.self,
                ]),
            CommandGroup(
                name: "What is to be done:",
                subcommands: [
                    HoldCommand.self, ReleaseCommand.self, ResetCommand.self, RestartCommand.self, ConfigCommand.self,
                    MetricsCommand.self,
                ]),
            CommandGroup(name: "For scripts and settings:", subcommands: [CallCommand.self, CheckCommand.self]),
        ])
}
