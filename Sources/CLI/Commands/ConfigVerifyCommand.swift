import ArgumentParser
import ConfigAPI
import Wire

extension ConfigCommand {
    /// `config verify [SERVICE]`
    struct Verify: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hold every version that is kept against its sums, and each file against its newest version.",
            discussion: """
                Checks the chain of all versions, each content and the tags. With --bundle it checks a bundle, without a \
                daemon, and says what it holds. Ends with 1 where anything is wrong, each with its remedy.
                """)

        @OptionGroup var service: OptionalServiceArgument
        @Option(help: ArgumentHelp("Only this file.", valueName: "path"), completion: .file(extensions: []))
        var file: String?
        @Option(help: ArgumentHelp("Check this bundle instead.", valueName: "file"), completion: .file(extensions: []))
        var bundle: String?
        @OptionGroup var common: AskOptions

        func validate() throws {
            guard file == nil || service.service != nil else { throw ValidationError("--file needs its service") }
            guard bundle == nil || service.service == nil else {
                throw ValidationError("--bundle checks a bundle as a whole, and no service or file of this host")
            }
        }

        func answer(on screen: Screen) async throws -> Outcome {
            if let bundle { return try check(bundle, on: screen) }
            let configd = await conversation(with: .configd)
            let status = try await configd.ask(
                Common.Status<ConfigStatus>.self, NoFields(), longest: ConfigCommand.longestLook)
            let targets = status.own.files
                .filter { service.service == nil || $0.service == service.service }
                .filter { file == nil || $0.file == file }
                .map { ConfigFile(service: $0.service, file: $0.file) }
            // The daemon says best what is wrong with a name that it does not know.
            let wanted =
                targets.isEmpty && service.service != nil
                ? [ConfigFile(service: service.service ?? "", file: file)] : targets
            var checked: [Config.Verify.Reply] = []
            for target in wanted { checked.append(try await verify(target, with: configd)) }
            return show(checked, on: screen)
        }

        private func verify(_ target: ConfigFile, with configd: Conversation) async throws -> Config.Verify.Reply {
            var progress = Progress()
            defer { progress.clear() }
            var params = Config.Verify.Params(target: target)
            var all = try await configd.ask(Config.Verify.self, params, longest: ConfigCommand.longestChange)
            while let next = all.next {
                progress.show("\(all.file): version \(next) of \(all.newest)")
                params.cursor = next
                let page = try await configd.ask(Config.Verify.self, params, longest: ConfigCommand.longestChange)
                all.versions += page.versions
                all.bytes += page.bytes
                all.flaws += page.flaws
                all.newest = page.newest
                all.next = page.next
            }
            return all
        }

        private func show(_ checked: [Config.Verify.Reply], on screen: Screen) -> Outcome {
            let isGood = checked.allSatisfy(\.flaws.isEmpty)
            guard !common.json else {
                screen.show(.object(["good": .bool(isGood), "files": .array(checked.map(\.json))]))
                return isGood ? .good : .bad
            }
            var table = Table("SERVICE", "FILE", ">VERSIONS", ">BYTES", "VERDICT")
            for file in checked {
                table.add(
                    Cell(file.service), Cell(file.file), "\(file.versions)", Cell(Words.bytes(file.bytes)),
                    Self.verdict(Int64(file.flaws.count)))
            }
            screen.show(table.lines(on: screen))
            for file in checked { Self.show(file.flaws, of: file.file, on: screen) }
            return isGood ? .good : .bad
        }

        private func check(_ path: String, on screen: Screen) throws -> Outcome {
            let index = try BundleFile.index(path)
            let outcome: Outcome = index.isFlawless ? .good : .bad
            guard !common.json else {
                screen.show(index.json)
                return outcome
            }
            screen.show(
                screen.paint(
                    "made on \(index.header.host) at \(Words.time(ms: index.header.atMs)); its sum is right".printable,
                    .dim))
            var table = Table("SERVICE", "FILE", ">VERSIONS", ">NEWEST", "AT", ">BYTES", "TAGS", "VERDICT")
            for file in index.files {
                table.add(
                    Cell(file.declared.service), Cell(file.declared.file), "\(file.versions)",
                    file.last.map { "v\($0.number)" } ?? .none,
                    file.last.map { Cell(Words.time(ms: $0.atMs)) } ?? .none, Cell(Words.bytes(file.bytes)),
                    Cell(file.declared.tags.map(\.name).joined(separator: " ")), Self.verdict(file.flawed))
            }
            screen.show(table.lines(on: screen))
            for file in index.files { Self.show(file.flaws, of: file.declared.file, on: screen) }
            return outcome
        }

        private static func verdict(_ flaws: Int64) -> Cell {
            flaws == 0 ? Cell("good", .good) : Cell(Words.count(flaws, "flaw"), .bad)
        }

        private static func show(_ flaws: [ConfigFlaw], of file: String, on screen: Screen) {
            for flaw in flaws {
                screen.show(screen.paint("\(file): \(flaw.message) (\(flaw.kind.rawValue))".printable, .bad))
                screen.show("  \(flaw.remedy)".printable)
            }
        }
    }
}

extension BundleIndex {
    /// What it holds, for programs.
    fileprivate var json: JSON {
        let files: [JSON] = files.map { file in
            .object([
                "service": .string(file.declared.service), "file": .string(file.declared.file),
                "versions": .integer(file.versions), "newest": .integer(file.last?.number ?? 0),
                "bytes": .integer(file.bytes), "tags": .array(file.declared.tags.map(\.json)),
                "flaws": .array(file.flaws.map(\.json)),
            ])
        }
        return .object([
            "good": .bool(isFlawless), "host": .string(header.host), "atMs": .integer(header.atMs),
            "sha256": .string(end.sum.hexadecimal), "files": .array(files),
        ])
    }
}
