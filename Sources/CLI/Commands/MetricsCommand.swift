import ArgumentParser
import MetricsAPI
import Time
import Wire

/// `mainstay metrics …`: the store of what was measured.
struct MetricsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "The store of what was measured: check it, copy it.",
        subcommands: [Verify.self, Backup.self])

    /// A file of the store is some megabytes; a copy waits for the disk.
    private static let longest: Duration = .seconds(30)

    /// `metrics verify`
    struct Verify: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hold every file of the store against its checksums.",
            discussion: """
                Nothing is changed, and measuring goes on. What is damaged is left out of answers; everything else is read. \
                Ends with 1 where anything is damaged.
                """)

        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let metricsd = await conversation(with: .metricsd)
            var files: [VerifiedFile] = []
            var cursor: String?
            var progress = Progress()
            repeat {
                let page = try await metricsd.ask(VerifyStore.self, .init(cursor: cursor), longest: longest)
                files += page.files
                cursor = page.next
                if let name = cursor { progress.show("\(files.count) files, \(name)") }
            } while cursor != nil
            progress.clear()
            let isGood = files.allSatisfy { $0.damaged == 0 }
            guard !common.json else {
                screen.show(.object(["good": .bool(isGood), "files": .array(files.map(\.json))]))
                return isGood ? .good : .bad
            }
            var table = Table("FILE", ">BYTES", ">FRAMES", ">DAMAGED")
            for file in files {
                table.add(
                    Cell(file.name), Cell(Words.bytes(file.sizeBytes)), "\(file.frames)",
                    Cell("\(file.damaged)", file.damaged == 0 ? .good : .bad))
            }
            screen.show(table.lines(on: screen))
            return isGood ? .good : .bad
        }
    }

    /// `metrics backup`
    struct Backup: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copy the store, as it is now, into a folder beside it.",
            discussion: """
                Measuring goes on. Copy the folder to where backups are kept: the next one takes its place. To go back, stop \
                mainstay-metricsd, put the copy's files in the place of its own, and start it.
                """)

        @OptionGroup var common: AskOptions

        func answer(on screen: Screen) async throws -> Outcome {
            let reply = try await conversation(with: .metricsd).ask(BackupStore.self, NoFields(), longest: longest)
            if common.json {
                screen.show(reply.json)
            } else {
                screen.show(
                    "\(reply.path): \(Words.count(Int64(reply.files), "file")), \(Words.bytes(reply.sizeBytes))")
            }
            return .good
        }
    }
}
