import ArgumentParser

extension ConfigCommand {
    /// On what terms a change is made.
    struct ChangeTerms: ParsableArguments {
        @Option(help: ArgumentHelp("Only if this version is in force.", valueName: "n"))
        var ifVersion: Int64?
        @Option(help: "Kept with the version.")
        var reason = ""
        @Flag(help: "Also where much of the file goes with it.")
        var force = false
        @Flag(help: "Say what would happen, and write nothing.")
        var dryRun = false
    }

    /// On what terms a content that was there before comes back.
    struct ReturnTerms: ParsableArguments {
        @Option(help: ArgumentHelp("Only if this version is in force.", valueName: "n"))
        var ifVersion: Int64?
        @Option(help: "Kept with the version.")
        var reason = ""
        @Flag(help: "Also where somebody gave the file to another owner.")
        var force = false
    }
}
