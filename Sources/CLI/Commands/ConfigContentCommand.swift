import ArgumentParser
import ConfigAPI
import Time
import Wire

/// `mainstay config put` and `config content`: a file as a whole, whatever its format.
extension ConfigCommand {
    /// `config put SERVICE < FILE`
    struct Put: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replace a whole file by standard input, as a new version.",
            discussion: """
                Any file of the service, of 16 MiB at most, byte for byte: for those that are kept whole the only change \
                there is. One that is changed by key must still be readable, and a file that loses much needs --force.
                """)

        @OptionGroup var target: Target
        @OptionGroup var terms: ChangeTerms
        @OptionGroup var common: AskOptions

        private static let largestBytes = 16 << 20

        func answer(on screen: Screen) async throws -> Outcome {
            guard let bytes = Descriptor.readAll(0, limit: Self.largestBytes) else {
                throw ValidationError("standard input cannot be read, or holds more than \(Self.largestBytes) bytes")
            }
            let configd = await conversation(with: .configd)
            var params = Config.Put.Params(
                target: target.target, ifVersion: terms.ifVersion, reason: terms.reason, force: terms.force,
                dryRun: terms.dryRun, lock: ConfigCommand.heldLock)
            if bytes.count <= Conversation.partBytes {
                params.content = .bytes(bytes)
            } else {
                params.staged = try await configd.stage(bytes, for: target.target)
            }
            let reply = try await configd.ask(Config.Put.self, params, longest: ConfigCommand.longestChange)
            reply.show(on: screen, common)
            return .good
        }
    }

    /// `config content SERVICE [VERSION]`
    struct Content: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "The bytes of the file, or of one of its versions, and nothing else.")

        @OptionGroup var target: Target
        @Argument(help: "The version, as `config history` numbers it.")
        var version: Int64?
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let configd = await conversation(with: .configd)
            var params = Config.Content.Params(target: target.target, version: version)
            while true {
                let reply = try await configd.ask(Config.Content.self, params, longest: ConfigCommand.longestLook)
                if common.json { screen.show(reply.json) } else { screen.showRaw(reply.content.content) }
                guard let next = reply.next else { return .good }
                // Further pages are of the same version, whatever has been changed meanwhile.
                params.version = reply.version.version
                params.cursor = next
            }
        }
    }
}

extension Conversation {
    /// Bytes of a part. Far less than a frame holds: the question whether the daemon is alive waits behind each part.
    nonisolated static let partBytes = 128 << 10

    /// Hands over a content in parts; answers the name that it is staged under.
    func stage(_ bytes: [UInt8], for target: ConfigFile) async throws(RPCError) -> String {
        let upload = String(UInt64.random(in: .min ... .max), radix: 16)
        for start in stride(from: 0, to: max(1, bytes.count), by: Self.partBytes) {
            let part = Array(bytes[start..<min(start + Self.partBytes, bytes.count)])
            let params = Config.Stage.Params(
                target: target, upload: upload, offset: Int64(start), content: .bytes(part))
            _ = try await ask(Config.Stage.self, params, longest: ConfigCommand.longestLook)
        }
        return upload
    }
}
