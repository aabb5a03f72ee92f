import ArgumentParser
import ConfigAPI
import Time
import Wire

/// `mainstay config leases` and `config release`: values that have a time. `config set --for` makes them.
extension ConfigCommand {
    /// `config leases [SERVICE]`
    struct Leases: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Which keys have their value for a time, until when, and by whom.",
            discussion: """
                Values of a file that is not world-readable need the group mainstay-admin; secrets are shown with \
                --reveal.
                """)

        @OptionGroup var service: OptionalServiceArgument
        @Flag(help: "Show secrets as they are.")
        var reveal = false
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            var reply = try await conversation(with: .configd)
                .ask(Config.Leases.self, .init(service: service.service), longest: ConfigCommand.longestLook)
            if !reveal {
                for place in reply.leases.indices where reply.leases[place].secret {
                    reply.leases[place].value = nil
                    reply.leases[place].before = nil
                }
            }
            guard !common.json else {
                screen.show(reply.json)
                return .good
            }
            guard !reply.leases.isEmpty else {
                screen.show("no key is leased")
                return .good
            }
            var table = Table("SERVICE", "KEY", "LEFT", "VALUE", "BEFORE", "BY", "FILE", "REASON")
            for lease in reply.leases {
                let left = lease.leftMs > 0 ? Cell(Words.length(ms: lease.leftMs)) : Cell("due", .warning)
                table.add(
                    Cell(lease.service), Cell(lease.key), left, lease.cell(lease.value, none: lease.isRemoval),
                    lease.cell(lease.before, none: lease.wasAbsent), "uid \(lease.authorUID)", Cell(lease.file),
                    Cell(lease.reason))
            }
            screen.show(table.lines(on: screen))
            return .good
        }
    }

    /// `config release SERVICE [KEY…]`
    struct Release: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take leased keys back now; all of the file's where none is named.",
            discussion: "A key that somebody set meanwhile stays as it is, and is leased no more.")

        @OptionGroup var target: Target
        @Argument(help: "A leased key.")
        var key: [String] = []
        @Option(help: "Kept with the version.")
        var reason = ""
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let params = Config.Release.Params(
                target: target.target, keys: key.isEmpty ? nil : key, reason: reason, lock: ConfigCommand.heldLock)
            let reply = try await conversation(with: .configd)
                .ask(Config.Release.self, params, longest: ConfigCommand.longestChange)
            reply.show(on: screen, common)
            return .good
        }
    }
}

extension ConfigLease {
    fileprivate func cell(_ value: ConfigValue?, none: Bool) -> Cell {
        guard !none else { return Cell("(not set)", .dim) }
        guard let value else { return Cell(secret ? "(secret)" : "(hidden)", .dim) }
        switch value {
        case .text(let text), .json(let text): return Cell(text)
        case .bytes(let bytes): return Cell("(\(bytes.count) bytes that are not UTF-8)", .dim)
        }
    }
}
