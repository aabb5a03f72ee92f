import ArgumentParser
import ConfigAPI
import Glibc
import Time
import Wire

extension ConfigCommand {
    /// `config lint SERVICE`, `config lint --path FILE`
    struct Lint: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "What is doubtful in a file: lines that its readers read differently, what its schema forbids.",
            discussion: """
                With --path any file up to 512 KiB is looked at, declared or not, as the readers named by --reader read \
                it; without --reader as all of those that are held against their own parsers. Ends with 1 where a finding \
                is an error.
                """)

        @Argument(
            help: "The service by its name in the settings.", completion: .custom { _, _, _ in ServiceNames.known() })
        var service: String?
        @Option(
            help: ArgumentHelp("The file, where the service has several.", valueName: "path"),
            completion: .file(extensions: []))
        var file: String?
        @Option(
            help: ArgumentHelp("A file that no settings declare.", valueName: "file"), completion: .file(extensions: [])
        )
        var path: String?
        @Option(
            help: ArgumentHelp(
                "Who reads it: node-dotenv, node-env-file, python-dotenv, systemd, compose, docker, sh.",
                valueName: "name"))
        var reader: [String] = []
        @OptionGroup var common: AskOptions

        func validate() throws {
            guard (service == nil) != (path == nil) else {
                throw ValidationError("name a service, or a file by --path")
            }
            guard path != nil || reader.isEmpty else {
                throw ValidationError("--reader belongs to --path; the settings name a service's readers")
            }
            guard path == nil || file == nil else { throw ValidationError("--file belongs to a service") }
        }

        func answer(on screen: Screen) async throws -> Outcome {
            let conversation = await conversation(with: .configd)
            let reply: Config.Validate.Reply
            if let service {
                let params = ConfigFile(service: service, file: file)
                reply = try await conversation.ask(Config.Lint.self, params, longest: .seconds(10))
            } else {
                let params = Config.LintContent.Params(content: try content(), readers: reader)
                reply = try await conversation.ask(Config.LintContent.self, params, longest: .seconds(10))
            }
            if common.json { screen.show(reply.json) } else { reply.show(on: screen) }
            return reply.valid ? .good : .bad
        }

        private func content() throws -> ConfigValue {
            let path = path ?? ""
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw ValidationError("\(path): \(String(cString: strerror(errno)))") }
            defer { close(descriptor) }
            guard let bytes = Descriptor.readAll(descriptor, limit: Config.LintContent.largestBytes) else {
                throw ValidationError(
                    "\(path) cannot be read, or holds more than \(Config.LintContent.largestBytes) bytes")
            }
            return ConfigValue(bytes)
        }
    }
}

extension Config.Validate.Reply {
    fileprivate func show(on screen: Screen) {
        for finding in findings.sorted(by: { ($0.line ?? 0) < ($1.line ?? 0) }) {
            let place = finding.line.map { "line \($0)" } ?? "file"
            let style: Style = finding.severity == .error ? .bad : .warning
            let key = finding.key.map { finding.message.hasPrefix("\($0):") ? "" : " \($0):" } ?? ""
            var sentence = "\(key) \(finding.message)"
            if let found = finding.found { sentence += ", found \(found)" }
            screen.show(
                "\(place): ".printable + screen.paint(finding.severity.rawValue, style)
                    + " (\(finding.name))\(sentence)".printable)
            if !finding.remedy.isEmpty { screen.show(screen.paint("    \(finding.remedy)".printable, .dim)) }
        }
        let errors = findings.count { $0.severity == .error }
        let asked = readers.map { modelled.contains($0) ? "\($0) (modelled)" : $0 }.joined(separator: ", ")
        let counts = "\(Words.count(errors, "error")), \(Words.count(findings.count - errors, "warning"))"
        screen.show("\(counts); read as \(asked)".printable)
    }
}
