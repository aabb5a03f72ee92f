import ArgumentParser
import ConfigAPI

extension ConfigCommand {
    /// `config tag SERVICE NAME [VERSION]`
    struct Tag: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a version a name, by which it can be brought back; it is then kept whatever is dropped.")

        @OptionGroup var target: Target
        @Argument(help: "The name: letters, digits, dots, dashes and underlines, the first no digit.")
        var name: String
        @Argument(help: "The version; the one in force where none is named.")
        var version: Int64?
        @Flag(name: .shortAndLong, help: "Take the name away.")
        var delete = false
        @OptionGroup var common: AskOptions

        func validate() throws {
            guard !delete || version == nil else { throw ValidationError("--delete takes a name and no version") }
        }

        func answer(on screen: Screen) async throws -> Outcome {
            let conversation = await conversation(with: .configd)
            let tag: ConfigTag
            if delete {
                let params = Config.Untag.Params(target: target.target, name: name)
                tag = try await conversation.ask(Config.Untag.self, params, longest: longestLook)
            } else {
                let params = Config.Tag.Params(target: target.target, name: name, version: version)
                tag = try await conversation.ask(Config.Tag.self, params, longest: longestLook)
            }
            guard !common.json else {
                screen.show(tag.json)
                return .good
            }
            screen.show("v\(tag.version) is \(delete ? "no longer called" : "called") \(tag.name)".printable)
            return .good
        }
    }

    /// `config tags SERVICE`
    struct Tags: DaemonCommand {
        static let configuration = CommandConfiguration(abstract: "The names that versions were given.")

        @OptionGroup var target: Target
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let reply = try await conversation(with: .configd)
                .ask(Config.Tags.self, target.target, longest: longestLook)
            guard !common.json else {
                screen.show(reply.json)
                return .good
            }
            var table = Table(">VERSION", "TAG", "GIVEN", "BY")
            for tag in reply.tags {
                table.add(
                    "\(tag.version)", Cell(tag.name), Cell(Words.time(ms: tag.atMs)), "uid \(tag.authorUID)")
            }
            screen.show(table.lines(on: screen))
            return .good
        }
    }
}
