import ArgumentParser
import ConfigAPI
import Glibc
import Wire

extension ConfigCommand {
    /// Which versions go into a bundle.
    enum BackedUp: String, ExpressibleByArgument, CaseIterable {
        case newest
        case all
    }

    /// `config backup [SERVICE]`
    struct Backup: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a service's files with all their versions, or those of all services, into one bundle.",
            discussion: """
                A bundle moves to another host, `config restore` reads it there, and `config verify --bundle` checks it \
                without a daemon. It holds secrets: the file is for its owner alone, and making one is for root and the \
                group mainstay-admin. Ends with 1 where something could not be taken along; the rest is in the bundle.
                """)

        @OptionGroup var service: OptionalServiceArgument
        @Option(
            name: .shortAndLong, help: ArgumentHelp("The file; standard output where not given.", valueName: "file"),
            completion: .file(extensions: []))
        var output: String?
        @Option(help: "The newest version of each file alone, or all that are kept.")
        var versions = BackedUp.all
        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let configd = await conversation(with: .configd)
            let reply = try await configd.ask(
                Config.Backup.self, .init(service: service.service), longest: longestChange)
            guard !reply.files.isEmpty else {
                StandardError.write("mainstay: there is no file to back up: none is declared under `config.files`\n")
                return .bad
            }
            let output = try BundleOutput(path: output)
            var maker = BundleMaker(configd, output, versions)
            do { try await maker.make(of: reply) } catch {
                output.abandon()
                throw error
            }
            for complaint in maker.complaints { StandardError.write("mainstay: \(complaint.printable)\n") }
            show(maker.held, isWhole: maker.complaints.isEmpty, on: screen)
            return maker.complaints.isEmpty ? .good : .bad
        }

        private func show(_ held: BundleEnd, isWhole: Bool, on screen: Screen) {
            let figures = """
                \(Words.count(held.files, "file")), \(Words.count(held.versions, "version")), \
                \(Words.bytes(held.bytes)) of contents
                """
            guard let output else { return StandardError.write("mainstay: \(figures)\n") }
            guard !common.json else {
                return screen.show(
                    .object([
                        "bundle": .string(output), "files": .integer(held.files), "versions": .integer(held.versions),
                        "contents": .integer(held.contents), "bytes": .integer(held.bytes), "whole": .bool(isWhole),
                    ]))
            }
            screen.show("\(output): \(figures)".printable)
        }
    }
}

/// Makes a bundle out of what configd hands over.
private struct BundleMaker {
    private let configd: Conversation
    private let output: BundleOutput
    private let versions: ConfigCommand.BackedUp
    private var writer = BundleWriter()
    private var progress = Progress()
    /// What could not be taken along.
    var complaints: [String] = []
    var held: BundleEnd { writer.held }

    init(_ configd: Conversation, _ output: BundleOutput, _ versions: ConfigCommand.BackedUp) {
        self.configd = configd
        self.output = output
        self.versions = versions
    }

    mutating func make(of reply: Config.Backup.Reply) async throws {
        defer { progress.clear() }
        try output.write(writer.header(BundleHeader(host: Self.hostName(), atMs: reply.atMs)))
        for file in reply.files {
            try output.write(writer.file(file))
            if let problem = file.problem { complaints.append("\(problem): what is kept of it is in the bundle") }
            if !file.leased.isEmpty {
                let keys = file.leased.joined(separator: ", ")
                let note = "\(file.file): values for a time are in the bundle as they are now: \(keys)"
                StandardError.write("mainstay: \(note.printable)\n")
            }
            if file.newest > 0 { try await take(file) }
        }
        try output.write(writer.end())
        try output.finish()
    }

    private mutating func take(_ file: Config.Backup.File) async throws {
        let target = ConfigFile(service: file.service, file: file.file)
        var params = Config.Records.Params(target: target, upTo: file.newest)
        if versions == .newest { params.cursor = file.newest - 1 }
        var last: Int64 = 0
        // Up to here retention took some away, before the backup began or meanwhile.
        var letGo: Int64 = versions == .newest ? file.newest - 1 : 0
        var next: Int64?
        repeat {
            let page = try await configd.ask(Config.Records.self, params, longest: ConfigCommand.longestLook)
            for number in page.unreadable { complaints.append("\(file.file): \(lost(number, "cannot be read"))") }
            for record in page.records {
                // What is missing without a reason stays a gap that a check of the bundle tells of.
                letGo = max(letGo, page.retiredUpTo)
                let isAfterGap = record.number != last + 1 && record.number - 1 <= letGo
                if try await take(record, of: target, isAfterGap: isAfterGap) {
                    last = record.number
                } else {
                    letGo = record.number
                }
                progress.show("\(file.file): version \(record.number) of \(file.newest)")
            }
            next = page.next
            params.cursor = next ?? 0
        } while next != nil
    }

    /// Takes a version with its content; false where retention let it go since it was told of.
    private mutating func take(
        _ record: ConfigRecord, of target: ConfigFile, isAfterGap: Bool
    ) async throws -> Bool {
        var isLost = false
        if !writer.has(record.content) {
            var content: [UInt8]?
            do throws(RPCError) { content = try await configd.content(of: target, version: record.number) } catch {
                if error.name == "unknownVersion" { return false }
                guard error.name == "versionDamaged" else { throw error }
            }
            if let content, Digest(of: content) == record.content {
                try output.write(writer.content(content))
            } else {
                isLost = true
            }
        }
        if isLost { complaints.append("\(target.file ?? ""): \(lost(record.number, "is damaged"))") }
        try output.write(writer.version(BundledVersion(record, isAfterGap: isAfterGap, isLost: isLost)))
        return true
    }

    private func lost(_ number: Int64, _ why: String) -> String {
        "version \(number) \(why); `mainstay config verify` says more"
    }

    private static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "unknown" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension Conversation {
    /// What a version of a file held: all pages.
    fileprivate func content(of target: ConfigFile, version: Int64) async throws(RPCError) -> [UInt8] {
        var params = Config.Content.Params(target: target, version: version)
        var bytes: [UInt8] = []
        repeat {
            let page = try await ask(Config.Content.self, params, longest: ConfigCommand.longestLook)
            bytes += page.content.content
            params.cursor = page.next
        } while params.cursor != nil
        return bytes
    }
}
