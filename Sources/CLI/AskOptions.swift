import ArgumentParser
import Glibc

/// What every command that asks daemons takes.
struct AskOptions: ParsableArguments {
    @Flag(help: "Print the daemons' answers as JSON: one line where the output is no terminal.")
    var json = false

    @Option(help: ArgumentHelp("The folder of the sockets.", valueName: "dir"), completion: .directory)
    var sockets: String = getenv("MAINSTAY_SOCKETS").map { String(cString: $0) } ?? "/run/mainstay"
}
