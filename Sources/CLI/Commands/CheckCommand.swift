import ArgumentParser
import Settings
import Wire

/// `mainstay check [FILE]`: what the daemons would say of the settings, without a daemon.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read settings as the daemons would, and say what is wrong with them.",
        discussion: "Needs no daemon. Ends with 0 where they are good, 1 where they would be refused.")

    @Argument(
        help: "One settings file; the whole folder where not given.", completion: .file(extensions: ["yaml"]))
    var file: String?
    @Option(help: ArgumentHelp("The folder of the settings.", valueName: "dir"), completion: .directory)
    var settings = "/etc/mainstay"
    @Flag(help: "Print the problems as JSON.")
    var json = false

    func run() async throws {
        let screen = Screen.ofStandardOutput()
        var problems: [SettingsProblem] = []
        do throws(SettingsRefused) {
            if let file { try AllSettings.check(file: file) } else { _ = try AllSettings.load(directory: settings) }
        } catch {
            problems = error.problems
        }
        if json {
            screen.show(.object(["good": .bool(problems.isEmpty), "problems": .array(problems.map(\.json))]))
        } else if problems.isEmpty {
            screen.show("\(file ?? settings): good".printable)
        } else {
            screen.show(problems.map { $0.description.printable })
        }
        if !problems.isEmpty { throw ExitCode(Outcome.bad.rawValue) }
    }
}

extension SettingsProblem {
    fileprivate var json: JSON {
        var object: JSONObject = ["file": .string(file)]
        object["line"] = mark.map { .integer(Int64($0.line)) }
        object["column"] = mark.map { .integer(Int64($0.column)) }
        object["key"] = .string(key)
        object["message"] = .string(message)
        return .object(object)
    }
}
