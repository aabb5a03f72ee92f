import ArgumentParser
import ConfigAPI
import Wire

/// `OLD=NEW` of `config restore --map`.
struct PathMapping: ExpressibleByArgument, Hashable {
    var old: String
    var new: String

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "=") else { return nil }
        old = String(argument[..<equals])
        new = String(argument[argument.index(after: equals)...])
        guard old.hasPrefix("/"), new.hasPrefix("/") else { return nil }
    }
}

extension ConfigCommand {
    /// `config restore BUNDLE [SERVICE]`
    struct Restore: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the files of a bundle, on this host or another, as one new version each.",
            discussion: """
                The files of a service are one transaction: all or none, each checked as any other change is. Their \
                owners and modes stay those of this host. Nothing is changed by a bundle that is damaged or cut, or that \
                has a file that is not declared here.
                """)

        @Argument(help: "The bundle.", completion: .file(extensions: []))
        var bundle: String
        @OptionGroup var service: OptionalServiceArgument
        @Option(help: ArgumentHelp("The version of each file by its tag or number; the newest where not given."))
        var at: String?
        @Option(help: ArgumentHelp("Only this file, by its path in the bundle.", valueName: "path"))
        var only: [String] = []
        @Option(help: ArgumentHelp("Restore the bundle's file OLD as NEW.", valueName: "old=new"))
        var map: [PathMapping] = []
        @Option(help: "Kept with the versions, before where they come from.")
        var reason = ""
        @Flag(help: "Also where much of a file goes with it.")
        var force = false
        @Flag(help: "Say what would happen, and write nothing.")
        var dryRun = false
        @OptionGroup var trial: TrialOptions
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let goal = at.map { at in Int64(at).map(BundleIndex.Goal.version) ?? .tag(at) } ?? .newest
            let index = try BundleFile.index(bundle, goal)
            let configd = await conversation(with: .configd)
            let restorations = try await restorations(index, configd)
            // All of them are tried before the first is written: what is refused for one service changes none.
            for restoration in restorations where dryRun || restorations.count > 1 {
                let contents = try restoration.contents(of: bundle, in: index)
                let tried = try await restoration.apply(contents, terms(index), dryRun: true, with: configd)
                if dryRun { _ = try await show(tried.files, trial, on: screen) }
            }
            guard !dryRun else { return .good }
            var outcome = Outcome.good
            for restoration in restorations {
                let contents = try restoration.contents(of: bundle, in: index)
                let reply = try await restoration.apply(contents, terms(index), dryRun: false, with: configd)
                let ended = try await show(reply.files, trial, on: screen)
                if ended != .good { outcome = ended }
            }
            return outcome
        }

        /// On what terms all are made.
        private func terms(_ index: BundleIndex) -> Config.Apply.Params {
            let source = "restored from bundle of \(index.header.host) of \(Words.time(ms: index.header.atMs))"
            return Config.Apply.Params(
                service: "", changes: [], reason: reason.isEmpty ? source : "\(reason): \(source)", force: force,
                confirmMs: trial.confirmMs, lock: ConfigCommand.heldLock)
        }

        /// What is to be restored of each service, held against what this host declares.
        private func restorations(_ index: BundleIndex, _ configd: Conversation) async throws -> [Restoration] {
            var services: [String] = []
            for file in index.files where !services.contains(file.declared.service) {
                services.append(file.declared.service)
            }
            if let service = service.service {
                guard services.contains(service) else {
                    throw ConfigErrors.bundleLacks("service \(service)", has: services)
                }
                services = [service]
            }
            let own = index.files.filter { services.contains($0.declared.service) && $0.declared.newest > 0 }
            for path in only + map.map(\.old) where !own.contains(where: { $0.declared.file == path }) {
                throw ConfigErrors.bundleLacks("file \(path)", has: own.map(\.declared.file))
            }
            let wanted = own.filter { only.isEmpty || only.contains($0.declared.file) }
            guard !wanted.isEmpty else { throw ConfigErrors.bundleLacks("version of any file", has: []) }
            var restorations: [Restoration] = []
            for service in services {
                let files = wanted.filter { $0.declared.service == service }
                guard !files.isEmpty else { continue }
                let here = try await configd.ask(
                    Config.Backup.self, .init(service: service), longest: ConfigCommand.longestLook)
                let chosen = try files.map { try choose($0, here.files) }
                restorations.append(try Restoration(service: service, files: chosen))
            }
            return restorations
        }

        private func choose(_ file: BundleIndex.File, _ here: [Config.Backup.File]) throws -> Restoration.File {
            let declared = file.declared
            let path = map.first { $0.old == declared.file }?.new ?? declared.file
            guard let version = file.meant else {
                let known = declared.tags.map(\.name) + ["v\(file.first?.number ?? 0) to v\(file.last?.number ?? 0)"]
                throw ConfigErrors.bundleLacks("version \(at ?? "") of \(declared.file)", has: known)
            }
            guard !version.isLost, version.record.isWhole else {
                throw ConfigErrors.bundleLacks(
                    "sound version \(version.record.number) of \(declared.file)",
                    has: ["others: `mainstay config verify --bundle` lists what was damaged; name one by --at"])
            }
            guard let target = here.first(where: { $0.file == path }) else {
                throw ConfigErrors.bundleNotDeclared(
                    service: declared.service, file: path, known: here.map(\.file))
            }
            guard target.newest > 0 else {
                throw ConfigErrors.bundleNeedsFile(
                    path, mode: version.record.mode, ownerUID: version.record.ownerUID)
            }
            return Restoration.File(path: path, record: version.record)
        }
    }
}

/// What becomes of one service's files: one call of `apply`, as a whole content for each.
private struct Restoration {
    struct File {
        /// Its path on this host.
        var path: String
        var record: ConfigRecord
    }

    let service: String
    let files: [File]

    /// What configd takes for one file, and what it stages in all for one transaction.
    private static let mostBytes: Int64 = 32 << 20
    private static let mostStaged = 16
    /// Contents up to this size go with the call itself, so many bytes of them in all.
    private static let smallBytes = Conversation.partBytes
    private static let mostSmallBytes = 512 << 10

    init(service: String, files: [File]) throws(RPCError) {
        self.service = service
        self.files = files
        let bytes = files.reduce(0) { $0 + $1.record.sizeBytes }
        let large = files.count { $0.record.sizeBytes > Int64(Self.smallBytes) }
        guard bytes <= Self.mostBytes, large <= Self.mostStaged, files.count <= Config.Apply.mostFiles else {
            throw ConfigErrors.bundleTooLarge(service: service, bytes: bytes, limit: Self.mostBytes)
        }
    }

    func contents(of bundle: String, in index: BundleIndex) throws -> [Digest: [UInt8]] {
        try BundleFile.contents(of: bundle, Set(files.map(\.record.content)), in: index)
    }

    func apply(
        _ contents: [Digest: [UInt8]], _ terms: Config.Apply.Params, dryRun: Bool, with configd: Conversation
    ) async throws(RPCError) -> Config.Apply.Reply {
        var params = terms
        params.service = service
        params.dryRun = dryRun
        var small = 0
        for file in files {
            guard let bytes = contents[file.record.content] else {
                throw ConfigErrors.bundleLacks("content of \(file.path)", has: [])
            }
            var change = Config.Apply.FileChange(file: file.path)
            if bytes.count <= Self.smallBytes, small + bytes.count <= Self.mostSmallBytes {
                small += bytes.count
                change.content = .bytes(bytes)
            } else {
                change.staged = try await configd.stage(bytes, for: ConfigFile(service: service, file: file.path))
            }
            params.changes.append(change)
        }
        return try await configd.ask(Config.Apply.self, params, longest: ConfigCommand.longestChange)
    }
}
