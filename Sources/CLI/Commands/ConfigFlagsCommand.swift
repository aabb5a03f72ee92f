import ArgumentParser
import ConfigAPI
import Time
import Wire

/// `mainstay config flags` and `config flag`: a service's feature flags and chaos settings.
extension ConfigCommand {
    /// `config flags SERVICE`
    struct Flags: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "The feature flags and chaos settings, with their values.")

        @OptionGroup var service: ServiceArgument
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let reply = try await conversation(with: .configd)
                .ask(Config.Flags.self, ServiceParams(service: service.service), longest: ConfigCommand.longestLook)
            let isGood = reply.flags.allSatisfy { $0.source != .unreadable }
            guard !common.json else {
                screen.show(reply.json)
                return isGood ? .good : .bad
            }
            guard !reply.flags.isEmpty else {
                screen.show(
                    "\(reply.service) declares no flags: they stand under config.flags in its settings".printable)
                return .good
            }
            var table = Table("FLAG", "VALUE", "FROM", "IS", "RENDERED AT", "DESCRIPTION")
            for flag in reply.flags {
                table.add(
                    Cell(flag.flag), flag.valueCell, Cell(flag.source.rawValue), Cell(flag.typePhrase),
                    Cell("\(flag.file) \(flag.key)"), Cell(flag.problem ?? flag.description))
            }
            screen.show(table.lines(on: screen))
            return isGood ? .good : .bad
        }
    }

    /// `config flag SERVICE NAME [VALUE]`
    struct OneFlag: DaemonCommand {
        static let configuration = CommandConfiguration(
            commandName: "flag", abstract: "The bare value of one flag, or a new one for it.",
            discussion: "Without VALUE ends with 1 where it has none. Subscribers are told of every change at once.")

        @OptionGroup var service: ServiceArgument
        @Argument(help: "The flag's name.")
        var name: String
        @Argument(help: "Its new value.")
        var value: String?
        @Flag(help: "Take it out of its file, so that its default holds.")
        var reset = false
        @Option(help: "Kept with the version.")
        var reason = ""
        @Flag(help: "Say what would happen, and write nothing.")
        var dryRun = false
        @OptionGroup var common: AskOptions

        func validate() throws {
            guard !(reset && value != nil) else { throw ValidationError("name a value, or --reset") }
        }

        func answer(on screen: Screen) async throws -> Outcome {
            let configd = await conversation(with: .configd)
            let all = try await configd.ask(
                Config.Flags.self, ServiceParams(service: service.service), longest: ConfigCommand.longestLook)
            let flag = all.flags.first { $0.flag == name }
            guard value != nil || reset else { return try show(flag, all, on: screen) }
            let meant = value.map { flag?.value(meantBy: $0) ?? .string($0) } ?? .null
            let params = Config.SetFlags.Params(
                service: service.service, flags: [name: meant], reason: reason, dryRun: dryRun)
            let reply = try await configd.ask(Config.SetFlags.self, params, longest: ConfigCommand.longestChange)
            guard !common.json else {
                screen.show(reply.json)
                return .good
            }
            for file in reply.files { file.show(on: screen, common) }
            return .good
        }

        private func show(_ flag: ConfigFlag?, _ all: Config.Flags.Reply, on screen: Screen) throws -> Outcome {
            guard let flag else {
                throw ValidationError(
                    "\(service.service) has no flag \(name); it has \(all.flags.map(\.flag).joined(separator: ", "))")
            }
            guard !common.json else {
                screen.show(flag.json)
                return flag.value == nil ? .bad : .good
            }
            guard let value = flag.value else {
                StandardError.write("mainstay: \(flag.problem ?? "\(name) has no value, or none that you may see")\n")
                return .bad
            }
            screen.show(value.bare.printable)
            return .good
        }
    }
}

extension ConfigFlag {
    /// What a text on the command line is to this flag; the daemon refuses what is none.
    fileprivate func value(meantBy text: String) -> JSON {
        switch type {
        case .string, .enum: .string(text)
        case .bool, .integer, .number: (try? JSONReader.read(text)) ?? .string(text)
        }
    }

    fileprivate var valueCell: Cell {
        guard let value else { return Cell(source == .unreadable ? "?" : "-", .dim) }
        return Cell(value.bare, chaos && value != standard ? .bad : .plain)
    }

    fileprivate var typePhrase: String {
        let range =
            switch (minimum, maximum) {
            case (let least?, let most?): type == .number || isUnbounded ? "" : " \(least.bare) to \(most.bare)"
            default: ""
            }
        let phrase = values.map { $0.joined(separator: "|") } ?? "\(type.rawValue)\(range)"
        return chaos ? "chaos, \(phrase)" : phrase
    }

    /// An integer of which the settings name no bounds.
    private var isUnbounded: Bool {
        minimum == .integer(-JSON.largestInteger) && maximum == .integer(JSON.largestInteger)
    }
}

extension JSON {
    /// A scalar as people write it: a string without its quotes.
    fileprivate var bare: String {
        if case .string(let text) = self { text } else { JSONWriter.text(of: self) }
    }
}
