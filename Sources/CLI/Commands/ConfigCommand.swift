import ArgumentParser
import ConfigAPI
import Time
import Wire

/// `mainstay config …`: a service's `.env` file and its versions.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "A service's configuration: read, change, look back, go back.",
        subcommands: [
            Get.self, Set.self, History.self, Show.self, Diff.self, Lint.self, Rollback.self, Put.self, Content.self,
            Apply.self, Tag.self, Tags.self,
            Quarantine.self, Adopt.self, Discard.self,
            Pending.self, Confirm.self, Cancel.self, Leases.self, Release.self, Lock.self,
            Flags.self, OneFlag.self, Backup.self, Verify.self, Restore.self,
        ])

    /// Which file a command is about.
    struct Target: ParsableArguments {
        @OptionGroup var service: ServiceArgument
        @Option(
            help: ArgumentHelp("The file, where the service has several.", valueName: "path"),
            completion: .file(extensions: []))
        var file: String?

        var target: ConfigFile { ConfigFile(service: service.service, file: file) }
    }

    /// A change may wait for a disk and for the service's own validator.
    static let longestChange: Duration = .seconds(60)
    static let longestLook: Duration = .seconds(5)

    /// `config get SERVICE [KEY]`
    struct Get: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "The keys and values of the file, or the bare value of one key.",
            discussion: """
                Values of a file that is not world-readable need the group mainstay-admin; others see the names. Of \
                secrets a sum is listed, by which equal values look equal; --reveal lists them too. With KEY the value \
                is printed as it is, with a line's end; ends with 1 where it may not be seen.
                """)

        @OptionGroup var target: Target
        @Argument(help: "Only this key.")
        var key: String?
        @Flag(help: "List secrets as they are.")
        var reveal = false
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            var reply = try await conversation(with: .configd)
                .entries(of: target.target, version: nil, keys: key.map { [$0] })
            // Whoever names one key asks for its value.
            if key == nil, !reveal { reply.withholdSecrets() }
            if common.json {
                screen.show(reply.json)
            } else if key == nil {
                screen.show(reply.lines(on: screen))
            } else {
                guard let entry = reply.entries.first, let value = entry.value else {
                    StandardError.write("mainstay: \(reply.whyHidden)\n")
                    return .bad
                }
                screen.showRaw(value.content + [UInt8(ascii: "\n")])
            }
            return .good
        }
    }

    /// `config set SERVICE KEY=VALUE…`
    struct Set: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change values, all or none; only the bytes of those values change.",
            discussion: """
                KEY=VALUE takes the value as it stands, KEY=@FILE the content of a file, KEY=- standard input: a \
                secret does not belong on a command line. One line's end at the end of a file or of standard input is \
                dropped. In a JSON file KEY is a pointer such as /server/port, and VALUE is JSON where it is a number, \
                true, false or null or begins with ", { or [, and a string otherwise.
                """)

        @OptionGroup var target: Target
        @Argument(help: ArgumentHelp("KEY=VALUE, KEY=@FILE or KEY=-.", valueName: "key=value"))
        var assignments: [Assignment] = []
        @Option(name: .shortAndLong, help: ArgumentHelp("Remove a key with all its lines.", valueName: "key"))
        var remove: [String] = []
        @OptionGroup var terms: ChangeTerms
        @Option(
            name: .customLong("for"),
            help: ArgumentHelp("Take it back by itself after this long: 10min, 2h, 1d.", valueName: "duration"))
        var length: LengthArgument?
        @OptionGroup var trial: TrialOptions
        @OptionGroup var common: AskOptions

        func validate() throws {
            guard !assignments.isEmpty || !remove.isEmpty else {
                throw ValidationError("name a change: KEY=VALUE, or --remove KEY")
            }
            guard assignments.filter({ $0.source == .standardInput }).count < 2 else {
                throw ValidationError("standard input can be the value of one key only")
            }
            let keys = assignments.map(\.key) + remove
            guard Swift.Set(keys).count == keys.count else { throw ValidationError("a key is named twice") }
        }

        func answer(on screen: Screen) async throws -> Outcome {
            var values: [String: ConfigValue] = [:]
            for assignment in assignments { values[assignment.key] = try assignment.value() }
            let params = Config.Set.Params(
                target: target.target, values: values, remove: remove, ifVersion: terms.ifVersion,
                reason: terms.reason, force: terms.force, dryRun: terms.dryRun, confirmMs: trial.confirmMs,
                forMs: length?.milliseconds,
                lock: ConfigCommand.heldLock)
            let reply = try await conversation(with: .configd).ask(Config.Set.self, params, longest: longestChange)
            return try await show([reply], trial, on: screen)
        }
    }

    /// `config history SERVICE`
    struct History: DaemonCommand {
        static let configuration = CommandConfiguration(abstract: "The versions, the newest first.")

        @OptionGroup var target: Target
        @Option(name: .shortAndLong, help: "At most this many.")
        var limit: Int64 = 20
        @OptionGroup var common: AskOptions

        func validate() throws {
            guard (1...Config.History.largestLimit).contains(limit) else {
                throw ValidationError("--limit takes 1 to \(Config.History.largestLimit)")
            }
        }

        func answer(on screen: Screen) async throws -> Outcome {
            let conversation = await conversation(with: .configd)
            var params = Config.History.Params(target: target.target, limit: limit)
            var reply = try await conversation.ask(Config.History.self, params, longest: longestLook)
            // A page holds what fits into a reply, which may be less than what was asked for.
            while let next = reply.next, reply.versions.count < limit {
                params = .init(target: target.target, limit: limit - Int64(reply.versions.count), cursor: next)
                let page = try await conversation.ask(Config.History.self, params, longest: longestLook)
                reply.versions += page.versions
                reply.next = page.next
            }
            guard !common.json else {
                screen.show(reply.json)
                return .good
            }
            var table = Table(">VERSION", "AT", "ORIGIN", ">BYTES", "BY", "KEYS", "REASON", "TAGS")
            for version in reply.versions {
                table.add(
                    "\(version.version)", Cell(Words.time(ms: version.atMs)), Cell(version.originPhrase),
                    "\(version.sizeBytes)", version.authorUID.map { "uid \($0)" } ?? .none, Cell(version.keysPhrase),
                    Cell(version.reason), Cell(version.tags.joined(separator: " ")))
            }
            screen.show(table.lines(on: screen))
            if reply.next != nil { screen.show(screen.paint("and older ones: --limit", .dim)) }
            return .good
        }
    }

    /// `config show SERVICE [VERSION]`
    struct Show: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "What a version was and held; the one in force where none is named.",
            discussion: """
                Values of a file that is not world-readable need the group mainstay-admin; others see the names, and \
                sums by which equal values look equal.
                """)

        @OptionGroup var target: Target
        @Argument(help: "The version, as `config history` numbers it.")
        var version: Int64?
        @Flag(help: "Show secrets as they are.")
        var reveal = false
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            var reply = try await conversation(with: .configd).entries(of: target.target, version: version)
            if !reveal { reply.withholdSecrets() }
            if common.json {
                screen.show(reply.json)
            } else {
                screen.show(reply.particulars.lines(on: screen))
                screen.show("")
                screen.show(reply.table.lines(on: screen))
            }
            return .good
        }
    }

    /// `config rollback SERVICE [VERSION]`
    struct Rollback: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring an earlier version back, as a new version; the one before where none is named.")

        @OptionGroup var target: Target
        @Argument(help: "The version to bring back, by its number or its tag.")
        var version: String?
        @OptionGroup var terms: ReturnTerms
        @OptionGroup var trial: TrialOptions
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let params = Config.Rollback.Params(
                target: target.target, version: version.flatMap { Int64($0) },
                tag: version.flatMap { Int64($0) == nil ? $0 : nil }, ifVersion: terms.ifVersion,
                reason: terms.reason, force: terms.force, confirmMs: trial.confirmMs, lock: ConfigCommand.heldLock)
            let reply = try await conversation(with: .configd)
                .ask(Config.Rollback.self, params, longest: longestChange)
            return try await show([reply], trial, on: screen)
        }
    }
}

extension Conversation {
    /// The keys of a file as it stands, or of one of its versions: all pages.
    fileprivate func entries(
        of file: ConfigFile, version: Int64?, keys: [String]? = nil
    ) async throws(RPCError) -> Config.Entries {
        var reply: Config.Entries
        if let version {
            let params = Config.Show.Params(target: file, version: version)
            reply = try await ask(Config.Show.self, params, longest: ConfigCommand.longestLook)
        } else {
            let params = Config.Get.Params(target: file, keys: keys)
            reply = try await ask(Config.Get.self, params, longest: ConfigCommand.longestLook)
        }
        while let next = reply.next {
            // Further pages are of the same version, whatever has been changed meanwhile.
            let params = Config.Show.Params(target: file, version: reply.version.version, cursor: next)
            let page = try await ask(Config.Show.self, params, longest: ConfigCommand.longestLook)
            reply.entries += page.entries
            reply.next = page.next
        }
        return reply
    }
}

extension Config.Entries {
    /// Takes the values of secrets out: a terminal is read over shoulders, and what a script prints ends up in a log.
    fileprivate mutating func withholdSecrets() {
        for place in entries.indices where entries[place].secret { entries[place].value = nil }
    }

    /// Why a value is not shown.
    fileprivate var whyHidden: String {
        guard let entry = entries.first else { return "the file sets no such key" }
        return entry.expands
            ? "\(entry.key.printable) depends on its reader's environment: the file alone does not say its value"
            : "the values of \(file.printable) are for root and the group mainstay-admin"
    }

    fileprivate func lines(on screen: Screen) -> [String] {
        let head = "\(file)  v\(version.version)  \(Words.time(ms: version.atMs))".printable
        return [screen.paint(head, .dim)] + table.lines(on: screen)
    }

    /// What the version is, beside what it holds.
    fileprivate var particulars: Particulars {
        var lines = Particulars()
        lines.add("file", Cell(file))
        lines.add("version", Cell("\(version.version)"))
        lines.add("at", Cell(Words.time(ms: version.atMs)))
        lines.add("origin", Cell(version.originPhrase))
        lines.add("by", version.authorUID.map { Cell("uid \($0)") })
        lines.add("reason", version.reason.isEmpty ? nil : Cell(version.reason))
        lines.add("size", Cell(Words.bytes(version.sizeBytes)))
        lines.add("changed", Cell(version.keysPhrase))
        return lines
    }

    fileprivate var table: Table {
        var table = Table("KEY", "VALUE")
        for entry in entries {
            let value: Cell =
                if let value = entry.value {
                    switch value {
                    case .text(let text), .json(let text): Cell(text)
                    case .bytes(let bytes): Cell("(\(bytes.count) bytes that are not UTF-8)", .dim)
                    }
                } else {
                    Cell(entry.whyNotShown, .dim)
                }
            table.add(Cell(entry.key.keyPhrase), value)
        }
        return table
    }
}

extension ConfigEntry {
    /// What stands in a list in place of the value.
    fileprivate var whyNotShown: String {
        if secret { return "(secret) \(fingerprint)" }
        return expands ? "(depends on the reader)" : "(hidden) \(fingerprint)"
    }
}

extension Config.Outcome {
    func show(on screen: Screen, _ common: AskOptions) {
        guard !common.json else { return screen.show(json) }
        let changed = keys.isEmpty ? "nothing to change" : keys.map(\.keyPhrase).joined(separator: ", ")
        let force = dryRun ? "would be" : "is"
        let before = previous.map { ", before it v\($0)" } ?? ""
        if let difference { screen.show(difference.lines(on: screen)) }
        screen.show("\(service): \(changed); v\(version) \(force) in force\(before)".printable)
        if let leasedUntilMs { screen.show("it goes back by itself at \(Words.time(ms: leasedUntilMs))") }
        if !leftAlone.isEmpty {
            let keys = leftAlone.map(\.keyPhrase).joined(separator: ", ")
            screen.show("left as somebody set it meanwhile, and leased no more: \(keys)".printable)
        }
    }
}

extension ConfigVersion {
    fileprivate var originPhrase: String {
        restored.map { "\(origin.rawValue) to v\($0)" } ?? origin.rawValue
    }

    /// The keys that changed, the first few by name.
    fileprivate var keysPhrase: String {
        guard origin != .baseline else { return "-" }
        let shown = keys.prefix(3).map(\.keyPhrase).joined(separator: " ")
        return keys.count > 3 ? "\(shown) and \(keys.count - 3) more" : shown
    }
}

extension String {
    /// The key of a whole file, which is empty, as people call it.
    fileprivate var keyPhrase: String { isEmpty ? "(the whole file)" : self }
}
