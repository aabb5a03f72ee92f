import ArgumentParser
import ConfigAPI
import Wire

extension ConfigCommand {
    private static let longestAnswer: Duration = .seconds(5)

    /// `config quarantine SERVICE [ID]`
    struct Quarantine: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "What somebody else wrote and was set aside; with ID its bytes, as they were.",
            discussion: """
                A content is set aside where it is damaged (empty, zero bytes, no text, unreadable to a declared reader, or \
                much of the file gone), or where the settings let no change past configd stay. The last version is then \
                put back. The bytes need the group mainstay-admin.
                """)

        @OptionGroup var target: Target
        @Argument(help: "Its number, as the list gives it.")
        var id: Int64?
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let conversation = await conversation(with: .configd)
            guard let id else {
                let reply = try await conversation.ask(
                    Config.Quarantine.self, target.target, longest: ConfigCommand.longestAnswer)
                if common.json { screen.show(reply.json) } else { screen.show(reply.table.lines(on: screen)) }
                return .good
            }
            var cursor: Int64?
            repeat {
                let params = Config.Quarantined.Params(target: target.target, quarantine: id, cursor: cursor)
                let page = try await conversation.ask(
                    Config.Quarantined.self, params, longest: ConfigCommand.longestAnswer)
                if common.json { screen.show(page.json) } else { screen.showRaw(page.content.content) }
                cursor = page.next
            } while cursor != nil
            return .good
        }
    }

    /// `config adopt SERVICE [ID]`
    struct Adopt: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Make a new version of what was set aside, whatever spoke against it; the newest where no ID is given.")

        @OptionGroup var target: Target
        @Argument(help: "Its number, as `config quarantine` gives it.")
        var id: Int64?
        @OptionGroup var terms: ReturnTerms
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let params = Config.Adopt.Params(
                target: target.target, quarantine: id, ifVersion: terms.ifVersion, reason: terms.reason,
                force: terms.force,
                lock: ConfigCommand.heldLock)
            let reply = try await conversation(with: .configd)
                .ask(Config.Adopt.self, params, longest: ConfigCommand.longestChange)
            reply.show(on: screen, common)
            return .good
        }
    }
}

extension ConfigCommand {
    /// `config discard SERVICE ID`
    struct Discard: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let go of what was set aside, bytes and all: it was seen to. Ends the alert that it raised.")

        @OptionGroup var target: Target
        @Argument(help: "Its number, as `config quarantine` gives it.")
        var id: Int64
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let gone = try await conversation(with: .configd)
                .ask(
                    Config.Discard.self, .init(target: target.target, quarantine: id),
                    longest: ConfigCommand.longestAnswer)
            if common.json { screen.show(gone.json) } else { screen.show("let go of \(id): \(gone.message)") }
            return .good
        }
    }
}

extension Config.Quarantine.Reply {
    fileprivate var table: Table {
        var table = Table(">ID", "AT", ">BYTES", "OWNER", "IN ITS PLACE", "TAKEN OVER", "WHY")
        for content in contents {
            table.add(
                "\(content.quarantine)", Cell(Words.time(ms: content.atMs)), "\(content.sizeBytes)",
                "uid \(content.ownerUID)", content.restored.map { "v\($0)" } ?? .none,
                content.adopted.map { "v\($0)" } ?? .none, Cell(content.message))
        }
        return table
    }
}
